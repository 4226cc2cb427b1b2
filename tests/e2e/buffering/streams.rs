//! The same for clients of HTTP/2, of which each stream has a pace of its own.

use crate::http2::client::{Client, get, read};
use crate::support::{chunked, pattern};
use bifrons_testkit::{Origin, Proxy, wait_until};

const LEN: usize = 8 << 20;

/// One endpoint that takes one request at a time.
fn front(origin: &Origin, more: &str) -> Proxy {
    Proxy::yaml(&format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts:\n  - default: true\n    routes:\n      - path: /*\n{more}\
         \x20       proxy: {{ cluster: app, response_buffering: {{ memory: 32k, path: \"@dir@/spool\" }} }}\n\
         clusters: {{ app: {{ endpoints: [{{ address: \"@app@\", max_conns: 1 }}] }} }}\n"
    ))
    .with("app", origin.addr())
    .file("spool/.keep", "")
    .start()
}

fn origin(body: &[u8]) -> Origin {
    let body = body.to_vec();
    Origin::serve(move |request| match request.target() {
        "/length" => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            [head.as_bytes(), &body].concat()
        }
        "/chunks" => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            chunked(head, &body, 30_011, "0\r\nX-Sum: 1\r\n\r\n")
        }
        _ => bifrons_testkit::origin::ok("short"),
    })
}

#[test]
fn a_slow_stream_does_not_hold_the_endpoint() {
    let body = pattern(LEN);
    let origin = origin(&body);
    for more in ["", "        bandwidth: { rate: 1g, after: 8k }\n"] {
        let proxy = front(&origin, more);
        for (path, trailer) in [("/length", None), ("/chunks", Some("1"))] {
            let mut client = Client::connect(proxy.addr("web"));
            let running = client.begin(get(path), true);
            let (head, stream) = client.head(running).unwrap().into_parts();
            // It takes one request at a time: that it takes another shows that it is done with the first.
            wait_until("the endpoint is free", || proxy.client().get("/short").status() == 200);
            let answer = client.wait(read(head, stream)).unwrap();
            assert!(answer.body == body, "{path}: {} bytes", answer.body.len());
            let sum = answer.trailers.as_ref().map(|trailers| trailers["x-sum"].to_str().unwrap());
            assert_eq!(sum, trailer, "{path}");
        }
    }
}

#[test]
fn an_answer_that_breaks_off_reaches_a_slow_stream_as_broken() {
    let origin = Origin::script(move |wire| {
        while let Some(request) = wire.read_request() {
            if request.target() == "/short" {
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshort");
                continue;
            }
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n").send(pattern(LEN));
            return;
        }
    });
    let proxy = front(&origin, "");
    let mut client = Client::connect(proxy.addr("web"));
    let running = client.begin(get("/long"), true);
    let mut stream = client.head(running).unwrap().into_body();
    wait_until("it is over for the endpoint", || proxy.client().get("/short").status() == 200);
    let (got, end) = client.wait(async {
        let mut got = Vec::new();
        loop {
            match stream.data().await {
                Some(Ok(piece)) => {
                    stream.flow_control().release_capacity(piece.len()).unwrap();
                    got.extend_from_slice(&piece);
                }
                end => return (got, end),
            }
        }
    });
    // A reset may overtake what was on its way, but never looks like the end.
    assert!(!got.is_empty() && pattern(LEN).starts_with(&got), "{} bytes", got.len());
    assert!(matches!(end, Some(Err(err)) if err.is_reset()));
}
