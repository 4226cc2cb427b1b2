//! What most tests start from.

use bifrons_testkit::proxy::Setup;
use bifrons_testkit::{Message, Origin, Proxy, Wire};
use std::fs::{File, FileTimes};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// A proxy that sends everything to that origin.
#[track_caller]
pub(crate) fn front(origin: &Origin) -> Proxy {
    front_with(origin, "", "")
}

/// As [`front`], with more keys for the listener and the cluster, each `, key: value`.
#[track_caller]
pub(crate) fn front_with(origin: &Origin, listener: &str, cluster: &str) -> Proxy {
    front_setup(&[origin.addr()], listener, cluster, "app").start()
}

/// As [`front_with`], with several endpoints and the route's `proxy`, still to be started.
pub(crate) fn front_setup(endpoints: &[SocketAddr], listener: &str, cluster: &str, proxy: &str) -> Setup {
    let endpoints: Vec<_> = endpoints.iter().map(|addr| format!("\"{addr}\"")).collect();
    let endpoints = endpoints.join(", ");
    Proxy::yaml(&format!(
        "workers: 1\n\
         listeners: {{ web: {{ bind: \"@web@\"{listener} }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: {proxy} }}] }}]\n\
         clusters: {{ app: {{ endpoints: [{endpoints}]{cluster} }} }}\n"
    ))
}

/// A proxy with these routes and no cluster.
#[track_caller]
pub(crate) fn routes(routes: &str) -> Proxy {
    Proxy::yaml(&format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\nhosts:\n  - default: true\n    routes:\n{}",
        indent(routes, 6)
    ))
    .start()
}

/// A proxy with these routes and the cluster `app`.
#[track_caller]
pub(crate) fn routes_to(origin: &Origin, routes: &str) -> Proxy {
    Proxy::yaml(&format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\nclusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         hosts:\n  - default: true\n    routes:\n{}",
        indent(routes, 6)
    ))
    .with("app", origin.addr())
    .start()
}

fn indent(text: &str, by: usize) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let least = lines.clone().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    lines.map(|line| format!("{}{}\n", " ".repeat(by), &line[least..])).collect()
}

/// `GET` on a connection of its own.
#[track_caller]
pub(crate) fn get(proxy: &Proxy, path: &str) -> Message {
    proxy.client().get(path)
}

/// The text of a `GET` to that host on a connection of its own.
#[track_caller]
pub(crate) fn text_of(proxy: &Proxy, host: &str, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    proxy.client().ask(&request).text().to_owned()
}

/// What the echoing origin got for that request, which is sent on a connection of its own.
#[track_caller]
pub(crate) fn echoed(proxy: &Proxy, request: &str) -> Message {
    let answer = proxy.client().ask(request);
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer.echoed()
}

/// Runs every row and fails with all rows that failed, not the first only.
#[track_caller]
pub(crate) fn each<T>(
    rows: impl IntoIterator<Item = (&'static str, T)>,
    check: impl Fn(T) -> Result<(), String>,
) {
    let failed: Vec<_> = rows
        .into_iter()
        .filter_map(|(name, row)| check(row).err().map(|why| format!("{name}: {why}")))
        .collect();
    assert!(failed.is_empty(), "{} rows failed:\n{}", failed.len(), failed.join("\n"));
}

/// An error unless both are the same.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(got: T, want: T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("got {got:?}, wanted {want:?}")) }
}

/// Says of everything below a directory, and of itself, that it was changed on Thu, 02 Jan 2020 03:04:05 GMT.
pub(crate) fn age(path: &Path) {
    const CHANGED: u64 = 1_577_934_245;
    if path.is_symlink() {
        return;
    }
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| age(&entry.unwrap().path()));
    }
    let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(CHANGED));
    File::open(path).unwrap().set_times(times).unwrap();
}

/// Bytes that differ wherever one looks, so that a lost or doubled piece shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A request with a body in chunks of these sizes.
pub(crate) fn chunked(head: &str, body: &[u8], size: usize, end: &str) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    for piece in body.chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(end.as_bytes());
    bytes
}

/// Reads a head and the whole body behind it, then sends these bytes.
#[track_caller]
pub(crate) fn answer(wire: &mut Wire, bytes: impl AsRef<[u8]>) {
    if wire.read_request().is_some() {
        wire.send(bytes);
    }
}
