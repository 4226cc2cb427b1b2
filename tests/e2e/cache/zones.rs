//! Zones of stored answers come and go with the configuration.

use bifrons_testkit::{Origin, Proxy, TempDir, Wire, wait_until};

/// A proxy whose zones are these; the route uses `zone`.
fn config(zone: &str, caches: &str) -> String {
    format!(
        "listeners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts: [{{ routes: [{{ path: /*, proxy: app, cache: {{ zone: {zone}, x_cache_status: true }} }}] }}]\n\
         clusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         caches:\n{caches}"
    )
}

#[track_caller]
fn start(origin: &Origin, zone: &str, caches: &str, dir: &TempDir) -> Proxy {
    Proxy::yaml(&config(zone, caches)).with("app", origin.addr()).with("dir", dir.path().display()).start()
}

fn origin() -> Origin {
    Origin::answering(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nVary: Foo\r\nContent-Length: 2\r\n\r\nok",
    )
}

fn ask(wire: &mut Wire, field: u32) -> String {
    let answer = wire.ask(&format!("GET / HTTP/1.1\r\nHost: test\r\nFoo: {field}\r\n\r\n"));
    answer.field("X-Cache-Status").unwrap_or("none").to_owned()
}

fn reload(proxy: &mut Proxy, config: &str, sign: &str) {
    proxy.rewrite(config);
    proxy.signal("HUP");
    proxy.wait_log(sign);
}

#[test]
fn a_reload_that_fails_changes_no_zone() {
    let (origin, dir) = (origin(), TempDir::new());
    dir.write("file", "no directory");
    let mut proxy = start(&origin, "main", "  main: {}\n", &dir);
    ask(&mut proxy.client(), 1);
    // What is wrong comes behind a zone that would change, and one that would begin.
    let wrong =
        "  main: { variants: 1 }\n  new: { path: \"@dir@/new\" }\n  bad: { path: \"@dir@/file/x\" }\n";
    reload(&mut proxy, &config("main", wrong), "the old one runs on");

    assert_eq!([1, 2, 1, 2].map(|field| ask(&mut proxy.client(), field)), ["HIT", "MISS", "HIT", "HIT"]);
    // Nothing that was opened for it holds its directory.
    let other = start(&origin, "new", "  new: { path: \"@dir@/new\" }\n", &dir);
    assert_eq!(ask(&mut other.client(), 1), "MISS");
    wait_until("it is on disk", || on_disk(&dir.path().join("new")));
}

/// Whether segments are there, which only a store with the directory of its own writes.
fn on_disk(dir: &std::path::Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    entries.filter_map(Result::ok).any(|entry| entry.metadata().is_ok_and(|meta| meta.len() > 100))
}

#[test]
fn a_zone_that_is_left_out_gives_its_directory_up() {
    let (origin, dir) = (origin(), TempDir::new());
    let both = "  main: {}\n  disk: { path: \"@dir@/store\" }\n";
    let mut proxy = start(&origin, "disk", both, &dir);
    assert_eq!([1, 1].map(|field| ask(&mut proxy.client(), field)), ["MISS", "HIT"]);
    reload(&mut proxy, &config("main", "  main: {}\n"), "taken");

    let other = start(&origin, "disk", both, &dir);
    wait_until("another process finds what was stored", || ask(&mut other.client(), 1) == "HIT");
    assert_eq!(ask(&mut proxy.client(), 1), "MISS", "in the zone that is used now nothing is stored yet");
}

#[test]
fn a_directory_that_another_name_takes_over_keeps_what_is_in_it() {
    let (origin, dir) = (origin(), TempDir::new());
    let mut proxy = start(&origin, "old", "  old: { path: \"@dir@/store\" }\n", &dir);
    let mut kept = proxy.client();
    assert_eq!(ask(&mut kept, 1), "MISS");
    reload(&mut proxy, &config("new", "  new: { path: \"@dir@/store/\" }\n"), "taken");

    assert_eq!(ask(&mut proxy.client(), 1), "HIT", "at once");
    assert_eq!(ask(&mut kept, 1), "HIT");
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_directory_is_of_one_zone_alone() {
    let (status, said) =
        Proxy::yaml(&config("one", "  one: { path: /tmp/x/store }\n  two: { path: /tmp/x/./store/ }\n"))
            .with("app", "127.0.0.1:1")
            .fail();
    assert!(
        !status.success()
            && said.contains("is the directory of \"one\" already")
            && said.contains("give each a directory of its own")
            && said.contains(":6:"),
        "{said}"
    );
}
