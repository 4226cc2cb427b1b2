//! Header filters and what a route changes on the way to its cluster.

use crate::support::{get, routes, routes_to};
use bifrons_testkit::Origin;

#[test]
fn request_fields_are_set_added_appended_and_removed() {
    let origin = Origin::echo();
    let proxy = routes_to(
        &origin,
        r#"
        - path: /*
          proxy: app
          filters:
            - request_headers:
                remove: [X-Gone]
                set: { X-Client: "$remote_addr on $host", X-Old: "was $http_x_old", X-Empty: "" }
                add: { X-More: "2" }
                append: { X-List: c }
        "#,
    );
    let request = proxy.client().ask(
        "GET / HTTP/1.1\r\nHost: test\r\nX-Gone: 1\r\nX-Old: a\r\nX-Empty: 1\r\nX-More: 1\r\nX-List: a\r\nX-List: b\r\n\r\n",
    );
    let request = request.echoed();
    assert_eq!((request.has("X-Gone"), request.has("X-Empty")), (false, false));
    assert_eq!(request.field("X-Client"), Some("127.0.0.1 on test"));
    assert_eq!(request.field("X-Old"), Some("was a"), "values see the message as it came");
    assert_eq!((request.all("X-More"), request.all("X-List")), (vec!["1", "2"], vec!["a, b, c"]));
}

#[test]
fn response_fields_are_changed_for_the_statuses_named() {
    let origin = Origin::serve(|request| {
        let status = if request.target() == "/bad" { "500 Oops" } else { "200 OK" };
        format!("HTTP/1.1 {status}\r\nX-Powered-By: php\r\nContent-Length: 0\r\n\r\n").into_bytes()
    });
    let proxy = routes_to(
        &origin,
        r#"
        - path: /*
          proxy: app
          filters:
            - response_headers: { remove: [X-Powered-By], set: { X-Frame-Options: DENY } }
            - response_headers: { set: { X-Good: "$status" }, statuses: [200] }
        "#,
    );
    let (good, bad) = (get(&proxy, "/"), get(&proxy, "/bad"));
    assert_eq!((good.field("X-Good"), bad.field("X-Good")), (Some("200"), None));
    for answer in [good, bad] {
        assert_eq!((answer.has("X-Powered-By"), answer.field("X-Frame-Options")), (false, Some("DENY")));
    }
}

#[test]
fn a_clients_line_end_becomes_no_field() {
    let origin = Origin::echo();
    let proxy = routes_to(
        &origin,
        r#"- { path: /*, proxy: app, filters: [{ request_headers: { set: { X-Uri: "$arg_a$uri" } } }] }"#,
    );
    let answer = get(&proxy, "/a%0d%0aX-Evil:%201");
    if answer.status() == 200 {
        assert!(!answer.echoed().has("X-Evil"), "{answer:?}");
    }
}

#[test]
fn filters_work_on_answers_of_the_proxy_too() {
    let proxy = routes(
        r#"- { path: /*, respond: hi, filters: [{ response_headers: { add: { X-A: "$request_uri" } } }] }"#,
    );
    assert_eq!(get(&proxy, "/p?q").field("X-A"), Some("/p?q"));
}

#[test]
fn a_filter_may_answer_by_itself() {
    let origin = Origin::echo();
    let proxy =
        routes_to(&origin, "- { path: /*, proxy: app, filters: [{ deny_path: { prefixes: [/.git] } }] }");
    assert_eq!([get(&proxy, "/.git/config").status(), get(&proxy, "/git").status()], [403, 200]);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn the_host_that_is_sent() {
    let origin = Origin::echo();
    let proxy = routes_to(
        &origin,
        r#"
        - { path: /pass, proxy: app }
        - { path: /endpoint, proxy: { cluster: app, host: endpoint } }
        - { path: /set, proxy: { cluster: app, host: { set: "x.$host" } } }
        - { path: /fields, proxy: { cluster: app, headers: { set: { X-Uri: "$request_uri" }, remove: [Accept] } } }
        "#,
    );
    let host = |path: &str| get(&proxy, path).echoed().field("Host").map(str::to_owned);
    assert_eq!(host("/pass").as_deref(), Some("test"));
    assert_eq!(host("/endpoint"), Some(origin.addr().to_string()));
    assert_eq!(host("/set").as_deref(), Some("x.test"));
    let request = proxy.client().ask("GET /fields HTTP/1.1\r\nHost: test\r\nAccept: x\r\n\r\n").echoed();
    assert_eq!((request.field("X-Uri"), request.has("Accept")), (Some("/fields"), false));
}
