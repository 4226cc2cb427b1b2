//! Names of fields that look like others (`X_Real_IP`) or like nothing.

use crate::support::front_with;
use bifrons_testkit::{Message, Origin, Proxy};

const ODD: &str = "GET / HTTP/1.1\r\nHost: test\r\nX_Real_IP: 6.6.6.6\r\nX-Plain: 1\r\nX.Dot: 2\r\n\r\n";

fn names(proxy: &Proxy, request: &str) -> [bool; 3] {
    let seen: Message = proxy.client().ask(request).echoed();
    [seen.has("X_Real_IP"), seen.has("X-Plain"), seen.has("X.Dot")]
}

#[test]
fn a_claim_is_dropped_in_every_spelling() {
    let origin = Origin::echo();
    let proxy = front_with(&origin, "", "");
    let request = "GET / HTTP/1.1\r\nHost: test\r\nX_Real_IP: 6.6.6.6\r\nx_forwarded-for: 6.6.6.6\r\nX-Forwarded_Proto: https\r\n\
                   X_FORWARDED_HOST: evil\r\nX_Forwarded_Port: 1\r\nX_Other_One: 1\r\n\r\n";
    let seen = proxy.client().ask(request).echoed();
    let names: Vec<_> = seen.fields.iter().filter(|(name, _)| name.contains('_')).collect();
    assert_eq!(names, [&("X_Other_One".to_owned(), "1".to_owned())]);
}

#[test]
fn names_with_underscores_by_the_listeners_rule() {
    let origin = Origin::echo();
    let proxy = front_with(&origin, ", underscores_in_headers: drop, irregular_headers: drop", "");
    assert_eq!(names(&proxy, ODD), [false, true, false]);
    let proxy = front_with(&origin, ", underscores_in_headers: refuse", "");
    let answer = proxy.client().ask(ODD);
    assert_eq!((answer.status(), answer.field("Connection")), (400, Some("close")));
    let proxy = front_with(&origin, ", irregular_headers: refuse", "");
    assert_eq!(proxy.client().ask(ODD).status(), 400);
    let proxy = front_with(&origin, "", "");
    assert_eq!(names(&proxy, ODD), [false, true, true], "X_Real_IP is a claim");
}

/// What no token has in it can't be passed on, but it can be left out.
#[test]
fn a_name_that_is_no_token_is_dropped_where_such_are() {
    let origin = Origin::echo();
    let proxy = front_with(&origin, ", irregular_headers: drop", "");
    let request = "GET / HTTP/1.1\r\nHost: test\r\nX(y): 1\r\nX\u{e4}: 2\r\n@: 3\r\nX-Plain: 1\r\n\r\n";
    let seen = proxy.client().ask(request).echoed();
    assert_eq!((seen.field("X-Plain"), seen.has("X(y)")), (Some("1"), false));
    for bad in ["X y: 1", "X : 1", "X\0: 1", "nonsense", ": 1"] {
        let request = format!("GET / HTTP/1.1\r\nHost: test\r\n{bad}\r\n\r\n");
        assert_eq!(proxy.client().ask(&request).status(), 400, "{bad:?}");
    }
}

#[test]
fn nginxs_directives_do_what_they_say() {
    let rows = [
        ("", [false, true, false]),
        ("underscores_in_headers on;", [true, true, false]),
        ("ignore_invalid_headers off;", [true, true, true]),
        ("ignore_invalid_headers on; underscores_in_headers off;", [false, true, false]),
    ];
    let origin = Origin::echo();
    for (directives, want) in rows {
        let conf = format!(
            "http {{ {directives} server {{ listen @web@; location / {{ proxy_pass http://@app@; }} }} }}"
        );
        let proxy = Proxy::nginx(&conf).with("app", origin.addr()).start();
        assert_eq!(names(&proxy, ODD), want, "{directives}");
    }
}
