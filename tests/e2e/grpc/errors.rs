//! Calls that the proxy itself ends: errors as statuses of gRPC, deadlines, what logs say of them.

use super::peers::{Server, call};
use crate::http2::client::{Answer, Client, request};
use crate::support::{each, front_setup, routes, same};
use bifrons_testkit::{free_addr, wait_until};
use http::Request;
use std::net::TcpListener;

const ROUTE: &str = "{ cluster: app, http_version: \"2\" }";

/// What is logged of calls.
const LOG: &str =
    "$status $grpc_status [$sent_trailer_grpc_status] [$upstream_trailer_x_last] [$sent_http_grpc_status]";

/// A call with these fields.
fn asked(path: &str, fields: &[(&'static str, &'static str)]) -> Request<()> {
    let mut request = request("POST", path);
    request.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    for (name, value) in fields {
        request.headers_mut().insert(*name, http::HeaderValue::from_static(value));
    }
    request
}

/// Status of HTTP, status of gRPC and message, of an answer that ends with its head.
fn ended(answer: &Answer) -> (u16, Option<&str>, Option<&str>) {
    assert!(answer.body.is_empty() && answer.trailers.is_none(), "{answer:?}");
    (answer.status(), answer.field("grpc-status"), answer.field("grpc-message"))
}

#[test]
fn statuses_of_http_become_those_of_calls() {
    let proxy = routes(
        "- path: /400\n  respond: { status: 400 }\n- path: /401\n  respond: { status: 401 }\n\
         - path: /403\n  respond: { status: 403, body: \"50 % of you\" }\n- path: /429\n  respond: { status: 429 }\n\
         - path: /500\n  respond: { status: 500 }\n- path: /503\n  respond: { status: 503 }\n\
         - path: /200\n  respond: { body: fine }\n- path: /301\n  redirect: { to: /x, status: 301 }\n",
    );
    let rows = [
        ("400", ("13", "Bad Request")),
        ("401", ("16", "Unauthorized")),
        ("403", ("7", "50 %25 of you")),
        ("404", ("12", "Not Found")),
        ("429", ("14", "Too Many Requests")),
        ("500", ("2", "Internal Server Error")),
        ("503", ("14", "Service Unavailable")),
        ("301", ("2", "Moved Permanently")),
    ];
    each(rows.map(|(path, want)| (path, (path, want))), |(path, (code, message))| {
        let mut client = Client::connect(proxy.addr("web"));
        let answer = client.ask(asked(&format!("/{path}"), &[]));
        same(answer.field("content-type"), Some("application/grpc"))?;
        same(ended(&answer), (200, Some(code), Some(message)))
    });
    let mut client = Client::connect(proxy.addr("web"));
    // What is no error stays as it is written, and others get their pages.
    assert_eq!(client.ask(asked("/200", &[])).text(), "fine");
    assert_eq!(client.ask(asked("/403", &[("content-type", "application/json")])).status(), 403);
    assert_eq!(client.ask(asked("/404", &[("content-type", "application/grpc-web")])).status(), 404);
}

#[test]
fn an_endpoint_that_is_not_there_is_unavailable() {
    let proxy = front_setup(&[free_addr()], "", "", ROUTE).start();
    let mut client = Client::connect(proxy.addr("web"));
    assert_eq!(ended(&client.ask(asked("/", &[]))), (200, Some("14"), Some("Bad Gateway")));
    let Some(_) = Server::start() else { return };
    assert_eq!(call("error", proxy.addr("web"), None), "UNAVAILABLE: 'Bad Gateway'\n");
}

#[test]
fn a_deadline_bounds_all_attempts() {
    // They take connections and say nothing.
    let silent: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addrs: Vec<_> = silent.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let proxy = front_setup(&addrs, "", "", ROUTE).start();
    let mut client = Client::connect(proxy.addr("web"));
    let late = (200, Some("4"), Some("Deadline Exceeded"));
    assert_eq!(ended(&client.ask(asked("/", &[("grpc-timeout", "300m")]))), late);
    assert_eq!(ended(&client.ask(asked("/", &[("grpc-timeout", "0n")]))), late);
    for wrong in ["300", "1s", "123456789S", "-1S"] {
        let answer = client.ask(asked("/", &[("grpc-timeout", wrong)]));
        assert_eq!(ended(&answer), (200, Some("13"), Some("Bad Request")), "{wrong}");
    }
    let records = proxy.wait_records(2);
    assert!(records[0].contains("\"termination\":\"deadline\""), "{records:?}");
    assert!(client.ask(asked("/", &[("grpc-timeout", "0n")])).field("content-length").is_none());
}

#[test]
fn an_answer_under_way_ends_with_the_deadline() {
    let Some(server) = Server::start() else { return };
    let proxy = front_setup(&[server.addr], "", "", ROUTE).start();
    let mut client = Client::connect(proxy.addr("web"));
    let fields = [("grpc-timeout", "700m"), ("te", "trailers")];
    let answer = client.post(asked("/test.Peer/Drip", &fields), b"\0\0\0\0\x04late");
    assert_eq!((answer.status(), &*answer.body), (200, b"\0\0\0\0\x05first".as_slice()));
    assert_eq!(answer.trailers.unwrap().get("grpc-status").unwrap(), "4");
    server.wait_line("gone late");
}

#[test]
fn logs_tell_how_calls_ended() {
    let Some(server) = Server::start() else { return };
    let setup = bifrons_testkit::Proxy::yaml(&format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: {ROUTE} }}, {{ path: /no, respond: {{ status: 401 }} }}] }}]\n\
         clusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         access_log: [{{ to: {{ file: calls.log }}, format: calls }}]\n\
         log_formats: {{ calls: {{ text: {{ template: \"{LOG}\" }} }} }}\n"
    ));
    let proxy = setup.with("app", server.addr).start();
    call("metadata", proxy.addr("web"), None);
    let mut client = Client::connect(proxy.addr("web"));
    client.post(asked("/test.Peer/Fail", &[("te", "trailers")]), b"\0\0\0\0\0");
    client.ask(asked("/no", &[]));
    wait_until("all are written", || proxy.dir().read("calls.log").lines().count() == 3);
    let log = proxy.dir().read("calls.log");
    assert_eq!(log, "200 0 [0] [one, two] [-]\n200 9 [-] [-] [9]\n200 16 [-] [-] [16]\n");
}
