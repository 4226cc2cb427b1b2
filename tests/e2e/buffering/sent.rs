//! What is sent in place of the client's method, fields and body.

use crate::support::{echoed, front_setup};
use bifrons_testkit::{Origin, Proxy};

const POST: &str = "POST /a HTTP/1.1\r\nHost: test\r\nX-Own: 1\r\nContent-Length: 5\r\n\r\nhello";

fn nginx(origin: &Origin, directives: &str) -> Proxy {
    let config = format!(
        "http {{ log_format body '$request_method $request_body'; access_log /dev/stdout body;\n\
         server {{ listen @web@; location / {{ proxy_pass http://@app@; {directives} }} }} }}"
    );
    Proxy::nginx(&config).with("app", origin.addr()).start()
}

#[test]
fn another_body_is_sent_and_the_log_has_the_clients() {
    let origin = Origin::echo();
    let proxy = nginx(&origin, "proxy_set_body \"<$request_body>$arg_x\"; proxy_method PUT;");
    let request = echoed(&proxy, &POST.replace("/a", "/a?x=1"));
    assert_eq!((request.method(), request.text()), ("PUT", "<hello>1"));
    assert_eq!(request.field("Content-Length"), Some("8"));
    // A body in chunks, and none at all.
    let chunked = "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    assert_eq!(echoed(&proxy, chunked).text(), "<ab>");
    assert_eq!(echoed(&proxy, "GET / HTTP/1.1\r\nHost: t\r\n\r\n").text(), "<>");
    assert_eq!(proxy.wait_records(3), ["POST hello", "POST ab", "GET -"]);
}

#[test]
fn a_body_beyond_memory_is_no_variable() {
    let origin = Origin::echo();
    let proxy = nginx(&origin, "client_body_buffer_size 4;");
    // What came with its head is in memory anyway, in nginx too.
    assert_eq!(echoed(&proxy, POST).text(), "hello");
    let mut client = proxy.client();
    for body in ["hello", "four"] {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        client.send(head);
        assert_eq!(client.read_head().status(), 100);
        assert_eq!(client.send(body).read_response().echoed().text(), body);
    }
    assert_eq!(proxy.wait_records(3), ["POST hello", "POST -", "POST four"]);
}

#[test]
fn body_and_fields_of_the_client_may_be_left_out() {
    let origin = Origin::echo();
    let proxy = nginx(&origin, "proxy_pass_request_body off; proxy_pass_request_headers off;");
    let mut client = proxy.client();
    for _ in 0..2 {
        let request = client.ask(POST).echoed();
        assert_eq!((request.text(), request.field("X-Own")), ("", None));
        assert_eq!(request.field("Content-Length"), Some("0"));
    }
    let own = "{ cluster: app, request: { no_headers: true }, headers: { set: { X-Old: $http_x_own } } }";
    let proxy = front_setup(&[origin.addr()], "", "", own).start();
    let request = echoed(&proxy, POST);
    assert_eq!((request.text(), request.field("X-Own"), request.field("X-Old")), ("hello", None, Some("1")));
}

#[test]
fn a_head_in_place_of_a_get_tells_no_length_that_is_not_there() {
    let origin = Origin::echo();
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, request: { method: HEAD } }").start();
    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!((answer.status(), answer.text(), answer.field("Content-Length")), (200, "", Some("0")));
    }
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, request: { method: GET } }").start();
    let answer = proxy.client().ask("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!((answer.status(), answer.text()), (200, ""));
    assert_eq!(origin.requests().last().unwrap().method(), "GET");
}
