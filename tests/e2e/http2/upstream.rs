//! HTTP/2 towards endpoints: another proxy of ours that speaks nothing else, and the `h2` crate's server where an
//! endpoint has to follow a script.

use super::client::{Client, get, read, request};
use crate::support::{front_setup, pattern};
use crate::tls::support::{with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Origin, Proxy, wait_until};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const ROUTE: &str = "{ cluster: app, http_version: \"2\" }";

/// A proxy that speaks HTTP/2 with that endpoint.
fn front_of(addr: SocketAddr) -> Proxy {
    front_setup(&[addr], "", "", ROUTE).start()
}

/// A proxy that speaks nothing but HTTP/2, with that route.
fn back(route: &str) -> Proxy {
    Proxy::yaml(&format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\", http2: {{ plain: only }} }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, {route} }}] }}]\n"
    ))
    .start()
}

/// What a scripted endpoint has seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    cancelled: AtomicUsize,
}

type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// An endpoint that answers each stream by `script`, which gets its number from 0.
struct Endpoint {
    addr: SocketAddr,
    seen: Arc<Seen>,
    _runtime: tokio::runtime::Runtime,
}

impl Endpoint {
    fn new<F>(streams_max: u32, script: impl Fn(usize, Asked, Arc<Seen>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::going_after(usize::MAX, streams_max, script)
    }

    /// One whose connections end (GOAWAY) after so many streams.
    fn going_after<F>(
        streams: usize,
        streams_max: u32,
        script: impl Fn(usize, Asked, Arc<Seen>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let (script, known, last) = (Arc::new(script), seen.clone(), streams);
        let streams = Arc::new(AtomicUsize::new(0));
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                known.connections.fetch_add(1, Ordering::SeqCst);
                let (script, known, streams) = (script.clone(), known.clone(), streams.clone());
                tokio::spawn(async move {
                    let mut builder = h2::server::Builder::new();
                    builder.max_concurrent_streams(streams_max);
                    let Ok(mut conn) = builder.handshake::<_, Bytes>(socket).await else { return };
                    let mut taken = 0;
                    while let Some(Ok(asked)) = conn.accept().await {
                        taken += 1;
                        if taken == last {
                            conn.graceful_shutdown();
                        }
                        let number = streams.fetch_add(1, Ordering::SeqCst);
                        tokio::spawn(script(number, asked, known.clone()));
                    }
                });
            }
        });
        Self { addr, seen, _runtime: runtime }
    }

    fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

fn answer(mut respond: SendResponse<Bytes>, text: &'static str) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(text.as_bytes()), true).unwrap();
}

#[test]
fn requests_share_a_connection() {
    let back = back("respond: { body: \"$server_protocol $request_method $host $connection_requests\" }");
    let front = front_of(back.addr("web"));
    assert_eq!(front.client().get("/a").text(), "HTTP/2.0 GET test 1");
    let mut client = Client::connect(front.addr("web"));
    assert_eq!(client.ask(get("/a")).text(), "HTTP/2.0 GET test 2");
    assert_eq!(client.post(request("POST", "/"), b"body").text(), "HTTP/2.0 POST test 3");
    assert_eq!(client.ask(request("HEAD", "/")).text(), "");
}

#[test]
fn bodies_of_any_size_go_both_ways() {
    let origin = Origin::mirror();
    let back = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\", http2: { plain: only } } }\n\
         hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\nclusters: { app: { endpoints: [\"@app@\"] } }\n",
    );
    let back = back.with("app", origin.addr()).start();
    let front = front_of(back.addr("web"));
    for len in [1, 60_000, 3_000_000] {
        let body = pattern(len);
        front.dir().write("body", &body);
        let file = front.dir().path().join("body");
        let echo = front.dir().path().join("echo");
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            let done = std::process::Command::new("curl")
                .args(["-sS", "--max-time", "20", version, "--data-binary"])
                .arg(format!("@{}", file.display()))
                .arg("-o")
                .arg(&echo)
                .arg(format!("http://{}/", front.addr("web")))
                .status()
                .unwrap();
            assert!(done.success(), "{version} {len}");
            assert_eq!(std::fs::read(&echo).unwrap(), body, "{version} {len}");
        }
    }
}

#[test]
fn alpn_agrees_on_it_over_tls() {
    let ca = Authority::new("Test CA");
    let listener = |http2: &str| {
        let config = format!(
            "listeners: {{ web: {{ bind: \"@web@\", tls: {{ certificates: [{{ cert: app.crt, key: app.key }}] }}{http2} }} }}\n\
             hosts: [{{ default: true, routes: [{{ path: /*, respond: {{ body: \"$server_protocol $ssl_alpn_protocol $scheme\" }} }}] }}]\n"
        );
        with_pair(Proxy::yaml(&config), "app", &ca.issue(&["app.test"], KeyKind::Ecdsa)).start()
    };
    let front = |back: &Proxy| {
        let tls = ", tls: { ca: ca.crt, name: app.test }";
        with_ca(front_setup(&[back.addr("web")], "", tls, ROUTE), &ca).start()
    };
    let back = listener("");
    assert_eq!(front(&back).client().get("/").text(), "HTTP/2.0 h2 https");
    let old = listener(", http2: { enabled: false }");
    assert_eq!(front(&old).client().get("/").status(), 502);
}

#[test]
fn what_was_refused_goes_out_again() {
    let endpoint = Endpoint::new(100, |number, (mut asked, mut respond), _| async move {
        if number == 0 {
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        let piece = asked.body_mut().data().await.unwrap().unwrap();
        assert_eq!(piece, "once");
        answer(respond, "done");
    });
    let front = front_of(endpoint.addr);
    // A POST too: it was not processed, as the endpoint says itself.
    let post = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nonce";
    assert_eq!(front.client().ask(post).text(), "done");
}

#[test]
fn a_connection_that_ends_gets_no_more_requests() {
    let endpoint = Endpoint::going_after(1, 100, |number, (mut asked, respond), _| async move {
        assert_eq!(asked.body_mut().data().await.unwrap().unwrap(), "once");
        answer(respond, ["first", "second", "third"][number]);
    });
    let front = front_of(endpoint.addr);
    let mut client = Client::connect(front.addr("web"));
    for text in ["first", "second", "third"] {
        assert_eq!(client.post(request("POST", "/"), b"once").text(), text);
    }
    assert_eq!(endpoint.connections(), 3);
}

#[test]
fn other_resets_are_the_endpoint_s_failure() {
    let endpoint = Endpoint::new(100, |_, (_asked, mut respond), _| async move {
        respond.send_reset(Reason::INTERNAL_ERROR);
    });
    assert_eq!(front_of(endpoint.addr).client().get("/").status(), 502);
}

#[test]
fn streams_go_both_ways_at_once_with_trailers() {
    let endpoint = Endpoint::new(100, |_, (mut asked, mut respond), _| async move {
        assert_eq!(asked.headers()["te"], "trailers");
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        while let Some(piece) = asked.body_mut().data().await {
            stream.send_data(piece.unwrap(), false).unwrap();
        }
        let sums = asked.body_mut().trailers().await.unwrap().unwrap();
        stream.send_trailers(sums).unwrap();
    });
    let front = front_of(endpoint.addr);
    let mut client = Client::connect(front.addr("web"));
    let mut ask = request("POST", "/");
    ask.headers_mut().insert("te", "trailers".parse().unwrap());
    let mut running = client.begin(ask, false);
    let (head, mut body) = client.wait(running.answer()).unwrap().into_parts();
    for word in ["one", "two"] {
        running.body.send_data(Bytes::from(word), false).unwrap();
        // Each comes back before the next one is sent.
        let echo = client.wait(body.data()).unwrap().unwrap();
        assert_eq!(echo, word);
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    running.body.send_trailers(trailers).unwrap();
    let rest = client.wait(read(head, body)).unwrap();
    assert_eq!(rest.trailers.unwrap()["x-sum"], "7");
}

#[test]
fn an_endpoint_s_limit_makes_more_connections() {
    let endpoint = Endpoint::new(1, |number, (_asked, respond), seen| async move {
        // The first ones are answered when all three are there.
        while number < 3 && seen.connections.load(Ordering::SeqCst) < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        answer(respond, "ok");
    });
    let front = front_of(endpoint.addr);
    let mut client = Client::connect(front.addr("web"));
    let running: Vec<_> = (0..3).map(|_| client.begin(get("/"), true)).collect();
    for running in running {
        assert_eq!(client.finish(running).unwrap().text(), "ok");
    }
    assert_eq!(endpoint.connections(), 3);
}

#[test]
fn a_client_that_leaves_cancels_its_stream_only() {
    let endpoint = Endpoint::new(100, |number, (asked, mut respond), seen| async move {
        if number > 0 {
            return answer(respond, "here");
        }
        let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
        assert_eq!(reason.unwrap(), Reason::CANCEL);
        seen.cancelled.fetch_add(1, Ordering::SeqCst);
        drop(asked);
    });
    let front = front_of(endpoint.addr);
    let mut client = Client::connect(front.addr("web"));
    let mut running = client.begin(get("/"), true);
    wait_until("the stream is there", || endpoint.connections() == 1);
    running.body.send_reset(Reason::CANCEL);
    wait_until("it is cancelled", || endpoint.seen.cancelled.load(Ordering::SeqCst) == 1);
    assert_eq!(client.ask(get("/")).text(), "here");
    assert_eq!(endpoint.connections(), 1);
}

#[test]
fn answers_that_make_no_sense_are_502() {
    let endpoint = Endpoint::new(100, |_, (asked, mut respond), _| async move {
        let mut res = Response::new(());
        match asked.uri().path() {
            "/more" => {
                res.headers_mut().insert("content-length", "1".parse().unwrap());
                let mut stream = respond.send_response(res, false).unwrap();
                let _ = stream.send_data(Bytes::from_static(b"more"), true);
            }
            "/length" => {
                res.headers_mut().insert("content-length", "one".parse().unwrap());
                let _ = respond.send_response(res, false);
            }
            "/large" => {
                res.headers_mut().insert("x-large", "x".repeat(100_000).parse().unwrap());
                let _ = respond.send_response(res, true);
            }
            "/interim" => loop {
                let interim = Response::builder().status(103).body(()).unwrap();
                if respond.send_informational(interim).is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            },
            _ => answer(respond, "well"),
        }
    });
    let front = front_of(endpoint.addr);
    for path in ["/length", "/large", "/interim"] {
        let (status, _) = final_status(&front, path);
        assert_eq!(status, "502", "{path}");
    }
    // Its head may have gone on already; then the answer is cut off.
    let (status, is_whole) = final_status(&front, "/more");
    assert!(status == "502" || !is_whole, "{status}");
    assert_eq!(front.client().get("/").text(), "well");
}

/// The status of the last head that curl gets, and whether it was content.
fn final_status(front: &Proxy, path: &str) -> (String, bool) {
    let url = format!("http://{}{path}", front.addr("web"));
    let done = std::process::Command::new("curl")
        .args(["-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", &url])
        .output()
        .unwrap();
    (String::from_utf8(done.stdout).unwrap(), done.status.success())
}
