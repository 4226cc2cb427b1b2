//! conf/cdn-edge.yaml, with addresses and directories of the test's own.

use bifrons_testkit::{Message, Origin, Proxy, TempDir};

const EDGE: &str = include_str!("../../../conf/cdn-edge.yaml");

fn origin() -> Origin {
    Origin::serve(|request| {
        let size = 3 << 20;
        let ends = request.field("Range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let Some((first, last)) = ends else {
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Length: 2\r\n\r\nok".to_vec();
        };
        let first: usize = first.parse().unwrap();
        let last = last.parse::<usize>().unwrap().min(size - 1);
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\nContent-Range: bytes {first}-{last}/{size}\r\nContent-Length: {}\r\n\r\n",
            last + 1 - first
        );
        let body: Vec<u8> = (first..=last).map(|at| (at % 251) as u8).collect();
        [head.as_bytes(), &body].concat()
    })
}

fn start(origin: &Origin, dir: &TempDir) -> Proxy {
    let conf = EDGE
        .replace("\":8080\"", "\"@web@\"")
        .replace("127.0.0.1:9901", "@admin@")
        .replace("\"10.0.1.10:3000\", \"10.0.1.11:3000\"", "\"@app@\"")
        .replace("/var/cache/bifrons", "@dir@/cache")
        .replace("/etc/bifrons/token", "@dir@/token");
    dir.write("token", "secret\n");
    Proxy::yaml(&conf).with("app", origin.addr()).with("dir", dir.path().display()).start()
}

#[test]
fn the_edge_of_a_cdn_runs_as_it_is_written() {
    let (origin, dir) = (origin(), TempDir::new());
    let proxy = start(&origin, &dir);
    let ask = |line: &str, fields: &str| {
        proxy.client().ask(&format!("{line} HTTP/1.1\r\nHost: www.example.com\r\n{fields}\r\n"))
    };
    let cache = |answer: &Message| answer.field("X-Cache-Status").unwrap_or("none").to_owned();
    let get = |path: &str, fields: &str| cache(&ask(&format!("GET {path}"), fields));

    assert_eq!([get("/p?b=1&a=2&utm_source=x", ""), get("/p?a=2&b=1", "")], ["MISS", "HIT"]);
    assert_eq!(get("/p?a=2&b=1", "Cookie: session=1\r\n"), "BYPASS");
    assert_eq!([get("/assets/a.css?v=1", ""), get("/assets/a.css?v=2", "")], ["MISS", "HIT"]);
    assert_eq!([get("/account/a", ""), get("/account/a", "")], ["none", "none"]);
    assert_eq!(ask("PURGE /assets/*", "").status(), 204);
    assert_eq!(get("/assets/a.css", ""), "MISS");
    assert_eq!(ask("PURGE /p?a=2&b=1", "").status(), 204);
    assert_eq!(get("/p?a=2&b=1", ""), "STALE", "it is given once more while it is fetched");

    let part = "Range: bytes=1048570-1048580\r\n";
    for expected in ["MISS", "MISS", "HIT"] {
        let answer = ask("GET /media/film", part);
        assert_eq!((answer.status(), cache(&answer), answer.body.len()), (206, expected.to_owned(), 11));
        assert_eq!(answer.body[0], (1_048_570 % 251) as u8);
        assert_eq!(answer.field("Content-Range"), Some("bytes 1048570-1048580/3145728"));
    }
}
