use super::*;

fn endpoints(texts: &[&str]) -> Vec<EndpointConfig> {
    texts.iter().map(|text| EndpointConfig::new(text.parse().unwrap())).collect()
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn addresses(specs: &[EndpointSpec]) -> Vec<String> {
    specs.iter().map(|spec| spec.address.to_string()).collect()
}

#[test]
fn a_name_that_moves_leaves_the_others_as_they_are() {
    let endpoints = endpoints(&["10.0.0.1:80", "a.test:80", "b.test:81"]);
    let nothing = EndpointSet::new(Vec::new());
    let first = EndpointSet::new(merged(&endpoints, &nothing, "a.test:80", &ips(&["10.1.0.2", "10.1.0.1"])));
    let both = merged(&endpoints, &first, "b.test:81", &ips(&["10.2.0.1"]));
    assert_eq!(addresses(&both), ["10.0.0.1:80", "10.1.0.1:80", "10.1.0.2:80", "10.2.0.1:81"]);
    let moved = merged(&endpoints, &EndpointSet::new(both), "a.test:80", &ips(&["10.1.0.9"]));
    assert_eq!(addresses(&moved), ["10.0.0.1:80", "10.1.0.9:80", "10.2.0.1:81"]);
}

#[test]
fn an_answer_is_good_for_its_ttl_within_bounds() {
    let now = Instant::now();
    let max = Duration::from_secs(300);
    for (ttl, expected) in [(0, 1), (1, 1), (60, 60), (300, 300), (86_400, 300)] {
        let pause = pause(now, now + Duration::from_secs(ttl), max);
        assert_eq!(pause, Duration::from_secs(expected), "TTL {ttl}");
    }
}

#[test]
fn failures_are_tried_again_at_growing_intervals() {
    let job = Job {
        cluster: "c".into(),
        endpoints: endpoints(&["a.test:80"]).into(),
        shared: Arc::new(SharedEndpoints::new(EndpointSet::new(Vec::new()))),
        host: "a.test".into(),
        name: "a.test:80".into(),
        resolver: Arc::default(),
        interval_max: Duration::from_secs(300),
    };
    let mut failures = Failures::default();
    let now = Instant::now();
    let pauses: Vec<u64> = (0..7).map(|_| failures.add(&job, "no", now).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    failures.end(&job);
    assert_eq!(failures.add(&job, "no", now).as_secs(), 1);
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let answer = lookup(&resolver(&Resolver::System).unwrap(), &Resolver::System, "localhost").await.unwrap();
    assert!(answer.addrs.iter().all(IpAddr::is_loopback), "{answer:?}");
}
