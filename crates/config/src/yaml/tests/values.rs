//! What a right file gives.

use super::*;

fn place<T>(at: &At<T>) -> (usize, usize) {
    at.place.as_ref().expect("a place").line_column()
}

#[test]
fn a_whole_file() {
    let config = good(
        r#"
# a comment
listeners:
  web: { bind: "0.0.0.0:80" }
  secure: { bind: [":443", ":8443"], tls: { cert: a.crt } }
hosts:
  - names: example.org
    routes:
      - path: /api/*
        proxy: app
        timeout: 1m30s
        filters:
          - gzip
          - cache: { size: 10m, zone: z }
          - headers: { set: { X-Version: 1.10, X-Real-IP: $remote_addr } }
clusters:
  app: { balance: least_request, endpoints: ["10.0.0.1:80", { address: b, weight: 2 }] }
workers: 4
verbose: true
share: 1
pair: [1, 2]
statuses: { 200: 1h, 404: 60 }
"#,
    );
    let (name, web) = config.listeners.get_index(0).expect("web");
    assert_eq!((name.as_str(), place(name)), ("web", (4, 3)));
    assert_eq!((web.bind[0].as_str(), place(&web.bind[0])), ("0.0.0.0:80", (4, 16)));
    assert_eq!(place(&config.listeners["secure"].bind[1]), (5, 28));
    let route = &config.hosts[0].routes[0];
    assert_eq!(place(route.proxy.as_ref().expect("proxy")), (10, 16));
    assert_eq!(route.timeout, Dur::secs(90));
    assert_eq!(place(&route.filters[0]), (13, 13));
    assert_eq!(place(&route.filters[1]), (14, 13));
    let Filter::Cache(cache) = &route.filters[1].value else { panic!("{route:?}") };
    assert_eq!((cache.size, place(&cache.zone)), (Size::mib(10), (14, 39)));
    let Filter::Headers { set } = &route.filters[2].value else { panic!("{route:?}") };
    assert_eq!(set["X-Version"].as_text(), Some("1.10"));
    let app = &config.clusters["app"];
    assert_eq!((&app.balance, app.endpoints[0].weight), (&Balance::LeastRequest, 1));
    assert_eq!((place(&app.endpoints[1].address), app.endpoints[1].weight), ((17, 72), 2));
    assert_eq!((config.workers, config.verbose, config.pair), (Some(4), true, Some((1, 2))));
    assert_eq!(config.statuses[&404], Dur::secs(60));
}

#[test]
fn json_is_yaml() {
    let config = good(r#"{"workers": 2, "hosts": [{"names": ["a"], "routes": []}], "pair": null}"#);
    assert_eq!((config.workers, config.hosts.len()), (Some(2), 1));
}

#[test]
fn nothing_at_all_is_an_empty_map() {
    for text in ["", "# only a comment\n", "---\n", "{}"] {
        assert_eq!(good(text), Config::default(), "{text:?}");
    }
}

#[test]
fn words_are_what_is_wanted_of_them() {
    let config = good("hosts: [{ names: [no, 1.10, true, 007, \"null\"] }]");
    assert_eq!(config.hosts[0].names.0, ["no", "1.10", "true", "007", "null"]);
}

#[test]
fn the_environment_is_put_in() {
    let config = good("workers: ${env:PORT}\nhosts:\n  - names: \"x-${env:PORT}-${env:NONE:-y}\"\n");
    assert_eq!((config.workers, config.hosts[0].names[0].as_str()), (Some(8080), "x-8080-y"));
    assert_eq!(good("hosts: [{ names: \"${env:NONE:-null}\" }]").hosts[0].names[0], "null");
}

#[test]
fn anchors_aliases_and_merges() {
    let config = good(
        "hosts:\n  - &a { names: [x], routes: [] }\n  - *a\n  - { <<: *a, names: [y] }\n  - { <<: [*a, *a] }\n",
    );
    let names: Vec<_> = config.hosts.iter().map(|host| host.names[0].as_str()).collect();
    assert_eq!(names, ["x", "x", "y", "x"]);
}

#[test]
fn a_unit_variant_may_be_a_key() {
    let config = good("hosts: [{ routes: [{ path: /, filters: [{ gzip: {} }, { gzip: }] }] }]");
    assert_eq!(config.hosts[0].routes[0].filters[0], config.hosts[0].routes[0].filters[1]);
}

#[test]
fn declared_names_are_found_before_values_are_made() {
    let text =
        "hosts: [{ routes: [{ path: '~ ^/(?<user>x)', filters: [{ headers: { set: { X: $user } } }] }] }]";
    let message = mistakes(text);
    assert!(message.contains("unknown variable \"$user\""), "{message}");
    let declared = |root: &Node| {
        let mut names = HashSet::new();
        root.walk(&mut |node| {
            let text = node.text().unwrap_or_default();
            names.extend(
                text.split("(?<").skip(1).filter_map(|rest| Some(rest.split_once('>')?.0.to_owned())),
            );
        });
        names
    };
    let source = Source::new("a.yaml", text);
    let options = Options { declared: Some(&declared), ..Options::default() };
    assert!(load::<Config>(&source, &options).is_ok());
}

#[test]
fn a_large_file_loads_in_a_time_near_linear() {
    fn seconds(routes: usize, mistake: &str) -> f64 {
        let mut text = String::from("hosts:\n- names: [a]\n  routes:\n");
        for at in 0..routes {
            let wrong = if at % (routes / 50) == 0 { mistake } else { "" };
            text.push_str(&format!(
                "  - path: /service/{at}/*\n    proxy: cluster_{at}\n    timeout: 30s\n    filters: [gzip]\n{wrong}"
            ));
        }
        let start = std::time::Instant::now();
        let result = read(&text);
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(config) => assert_eq!(config.hosts[0].routes.len(), routes),
            Err(problems) => assert_eq!(problems.0.len(), 50),
        }
        seconds
    }
    for mistake in ["", "    prox: x\n"] {
        let (few, many) = (seconds(5_000, mistake), seconds(50_000, mistake));
        println!("{few:.3} s, {many:.3} s");
        assert!(many < few * 40.0 + 0.5, "5,000 routes took {few} s, 50,000 took {many} s");
    }
}
