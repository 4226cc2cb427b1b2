use super::*;
use std::time::Duration;

fn registry() -> Arc<Registry> {
    Registry::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_490_410))
}

fn labels() -> RouteLabels<'static> {
    RouteLabels { listener: "web", host: "myapp.com", route: "app", cluster: "app_servers" }
}

/// The value of a sample, by its name and labels as they are exposed.
fn value<'a>(text: &'a str, sample: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))
}

#[test]
fn families_stand_where_their_metrics_say_and_are_named_by_the_rules() {
    for (at, family) in FAMILIES.iter().enumerate() {
        assert_eq!(family.metric as usize, at, "{}", family.name);
        assert_eq!(family.name.ends_with("_total"), family.kind == Type::Counter, "{}", family.name);
        assert!(family.help.ends_with('.'), "{}", family.name);
    }
    let mut names: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FAMILIES.len());
}

#[test]
fn shards_are_summed() {
    let registry = registry();
    let route = RouteStats::register(&registry, labels());
    let listener = ListenerStats::register(&registry, "web");
    let (one, two) = (registry.shard(0), registry.shard(1));
    route.record(&one, 200, Duration::from_millis(1));
    route.record(&two, 204, Duration::from_millis(1));
    route.record(&two, 503, Duration::from_millis(1));
    route.record(&two, 0, Duration::from_millis(1));
    listener.refuse(&two, Refusal::PerAddress);
    one.add(listener.received, 1000);
    // A connection that one worker accepted and another closed.
    one.shift(listener.active, 5);
    two.shift(listener.active, -2);
    one.set(listener.requests_active, 7);
    let text = registry.render();
    let requests = |code| {
        let labels = r#"listener="web",host="myapp.com",route="app",cluster="app_servers""#;
        value(&text, &format!("bifrons_requests_total{{{labels},code=\"{code}\"}}")).map(str::to_owned)
    };
    assert_eq!(requests("2xx").as_deref(), Some("2"));
    assert_eq!(requests("5xx").as_deref(), Some("1"));
    assert_eq!(requests("none").as_deref(), Some("1"));
    assert_eq!(requests("4xx"), None, "what never happened is left out");
    assert_eq!(value(&text, r#"bifrons_connections_active{listener="web"}"#), Some("3"));
    assert_eq!(value(&text, r#"bifrons_requests_active{listener="web"}"#), Some("7"));
    assert_eq!(value(&text, r#"bifrons_downstream_received_bytes_total{listener="web"}"#), Some("1000"));
    let refused =
        |reason| format!(r#"bifrons_connections_refused_total{{listener="web",reason="{reason}"}}"#);
    assert_eq!(value(&text, &refused("per_address")), Some("1"));
    assert_eq!(value(&text, &refused("accept")), Some("0"));
}

#[test]
fn histograms_are_cumulative_with_sum_and_count() {
    let registry = registry();
    let cluster = ClusterStats::register(&registry, "app");
    let shard = registry.shard(0);
    for us in [0, 100, 101, 60_000_000, 60_000_001] {
        shard.observe(cluster.head, Duration::from_micros(us));
    }
    let text = registry.render();
    let bucket = |le| {
        value(&text, &format!(r#"bifrons_upstream_head_seconds_bucket{{cluster="app",le="{le}"}}"#)).unwrap()
    };
    assert_eq!(
        [bucket("0.0001"), bucket("0.00025"), bucket("30"), bucket("60"), bucket("+Inf")],
        ["2", "3", "3", "4", "5"]
    );
    assert_eq!(value(&text, r#"bifrons_upstream_head_seconds_sum{cluster="app"}"#), Some("120.000202"));
    assert_eq!(value(&text, r#"bifrons_upstream_head_seconds_count{cluster="app"}"#), Some("5"));
    assert_eq!(text.matches("# TYPE bifrons_upstream_head_seconds histogram\n").count(), 1);
}

#[test]
fn the_text_of_a_fresh_process() {
    let registry = registry();
    registry.reloaded("c0ffee", SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_490_411));
    registry.reload_failed();
    registry.panicked();
    let want = format!(
        "\
# HELP bifrons_config_reloads_total Configurations put to work (`ok`, the first included) or refused (`failed`).
# TYPE bifrons_config_reloads_total counter
bifrons_config_reloads_total{{result=\"ok\"}} 1
bifrons_config_reloads_total{{result=\"failed\"}} 1
# HELP bifrons_config_last_reload_timestamp_seconds When the running configuration was put to work, in seconds since 1970.
# TYPE bifrons_config_last_reload_timestamp_seconds gauge
bifrons_config_last_reload_timestamp_seconds 1795490411
# HELP bifrons_config_last_reload_successful 1 where the last configuration was put to work, 0 where it was refused.
# TYPE bifrons_config_last_reload_successful gauge
bifrons_config_last_reload_successful 0
# HELP bifrons_panics_total Connections that ended by a mistake in the proxy itself.
# TYPE bifrons_panics_total counter
bifrons_panics_total 1
# HELP bifrons_build_info Always 1; the label says which version runs.
# TYPE bifrons_build_info gauge
bifrons_build_info{{version=\"{}\"}} 1
# HELP process_start_time_seconds When the process started, in seconds since 1970.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1795490410
# HELP bifrons_config_info The running configuration, by a hash of it.
# TYPE bifrons_config_info gauge
bifrons_config_info{{hash=\"c0ffee\"}} 1
",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(registry.render(), want);
}

#[test]
fn the_same_labels_are_the_same_series_after_a_reload() {
    let registry = registry();
    let before = ClusterStats::register(&registry, "app");
    registry.shard(0).inc(before.retries);
    let after = ClusterStats::register(&registry, "app");
    assert_eq!((before.retries, before.head), (after.retries, after.head));
    registry.shard(0).inc(after.retries);
    let text = registry.render();
    assert_eq!(value(&text, r#"bifrons_upstream_retries_total{cluster="app"}"#), Some("2"));
}

#[test]
fn label_values_are_escaped_and_cut() {
    let registry = registry();
    let odd = registry.counter(Metric::Errors, &["a\"b\\c\nd"]);
    let long = registry.counter(Metric::Errors, &[&"ä".repeat(200)]);
    registry.add(odd, 3);
    registry.shard(0).inc(long);
    let text = registry.render();
    assert_eq!(value(&text, r#"bifrons_errors_total{kind="a\"b\\c\nd"}"#), Some("3"));
    assert_eq!(value(&text, &format!("bifrons_errors_total{{kind=\"{}\"}}", "ä".repeat(128))), Some("1"));
}

#[test]
fn series_are_bounded() {
    let registry = registry();
    let shard = registry.shard(0);
    let mut last = Histogram(0);
    for index in 0..SERIES_MAX {
        last = registry.histogram(Metric::UpstreamHead, &[&index.to_string()]);
    }
    let beyond = registry.histogram(Metric::UpstreamHead, &["one more"]);
    assert_eq!(last, beyond, "the last ones share a series");
    assert!(shard::Slots::new().slot(beyond.0 + 19).is_some(), "every index has its slot");
    shard.observe(beyond, Duration::from_millis(3));
    let error = registry.counter(Metric::Errors, &["timeout"]);
    shard.inc(error);
    assert_eq!(registry.counter(Metric::Errors, &["reset"]), error);
    let known = registry.histogram(Metric::UpstreamHead, &["0"]);
    assert_ne!(known, beyond, "what has a series keeps it");
    let text = registry.render();
    assert_eq!(value(&text, r#"bifrons_upstream_head_seconds_count{cluster="other"}"#), Some("1"));
    assert_eq!(value(&text, r#"bifrons_errors_total{kind="other"}"#), Some("1"));
}

#[test]
fn collectors_add_their_own() {
    let registry = registry();
    registry.on_render(|out| {
        out.family("bifrons_endpoints", "Endpoints, by health.", Type::Gauge);
        out.sample("bifrons_endpoints", &[("cluster", "a"), ("state", "up")], 2);
    });
    assert!(registry.render().ends_with("bifrons_endpoints{cluster=\"a\",state=\"up\"} 2\n"));
}

#[test]
fn workers_count_while_others_read() {
    let registry = registry();
    let counter = registry.counter(Metric::Errors, &["x"]);
    let workers: Vec<_> = (0..4)
        .map(|index| {
            let shard = registry.shard(index);
            std::thread::spawn(move || (0..10_000).for_each(|_| shard.inc(counter)))
        })
        .collect();
    while workers.iter().any(|worker| !worker.is_finished()) {
        registry.render();
    }
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(value(&registry.render(), r#"bifrons_errors_total{kind="x"}"#), Some("40000"));
}

#[test]
fn each_result_of_a_cache_has_a_series() {
    let registry = Registry::new(SystemTime::UNIX_EPOCH);
    let stats = CacheStats::register(&registry, "my_cache");
    let shard = registry.shard(0);
    for result in [CacheResult::Hit, CacheResult::Hit, CacheResult::Collapsed] {
        stats.record(&shard, result);
    }
    let text = registry.render();
    for (result, count) in [("hit", 2), ("collapsed", 1)] {
        let line = format!("bifrons_cache_requests_total{{zone=\"my_cache\",result=\"{result}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    assert!(!text.contains("bypass\""));
}
