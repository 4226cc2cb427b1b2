use super::*;
use crate::testing::{cx, get, response};

fn rewritten(config: &str, cookies: &[&str]) -> Vec<String> {
    let filter = crate::testing::config::<Config>(config).build().unwrap();
    let (mut cx, req) = (cx(), get(""));
    let fields: String =
        cookies.iter().map(|cookie| format!("Set-Cookie: {cookie}\r\nX-Between: 1\r\n")).collect();
    let mut res = response("HTTP/1.1 200 OK", &fields);
    filter.response(&mut cx, &req, &mut res).unwrap();
    let order: Vec<_> = res.headers.iter().map(|(name, ..)| name).collect();
    assert_eq!(order.len(), cookies.len() * 2);
    assert!(order.iter().step_by(2).all(|name| *name == Name::SetCookie), "the order stays");
    let values = res.headers.get_all(Name::SetCookie);
    values.map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

#[test]
fn domains_are_compared_whole_and_without_a_dot() {
    let config = r#"{"domain": [
        {"match": {"text": "app.internal"}, "to": "example.org"},
        {"match": {"regex": "(?i)\\.?([a-z]+)\\.internal$"}, "to": "$1.example.org"}
    ]}"#;
    let cookies = [
        "a=1; Domain=app.internal; Path=/",
        "a=1; domain=.APP.internal",
        "a=1; Domain=sub.app.internal",
        "a=1;Domain = x.other",
        "novalue; Domain=app.internal",
    ];
    let want = [
        "a=1; Domain=example.org; Path=/",
        "a=1; domain=.example.org",
        "a=1; Domain=app.example.org",
        "a=1;Domain = x.other",
        "novalue; Domain=app.internal",
    ];
    assert_eq!(rewritten(config, &cookies), want);
}

#[test]
fn paths_are_compared_by_their_beginning() {
    let config = r#"{"path": [{"match": {"text": "/app/"}, "to": "/"}]}"#;
    assert_eq!(
        rewritten(config, &["a=1;path=/app/x;Secure", "b=2; Path=/other/"]),
        ["a=1; path=/x; Secure", "b=2; Path=/other/"]
    );
}

#[test]
fn flags_are_set_and_taken_away() {
    let config = r#"{"flags": [
        {"cookie": {"text": "one"}, "flags": ["secure", "httponly", "samesite_strict"]},
        {"cookie": {"regex": "(?i)^s"}, "flags": ["nosecure", "nosamesite"]}
    ]}"#;
    let cookies =
        ["one=1; secure; samesite=Lax", "ONE=1", "session=x; Secure; SameSite=None; HttpOnly", "other=1"];
    let want = [
        "one=1; secure; SameSite=Strict; HttpOnly",
        "ONE=1; Secure; HttpOnly; SameSite=Strict",
        "session=x; HttpOnly",
        "other=1",
    ];
    assert_eq!(rewritten(config, &cookies), want);
}

#[test]
fn a_cookie_named_as_a_flag_stays() {
    let config = r#"{"flags": [{"cookie": {"text": "secure"}, "flags": ["nosecure"]}]}"#;
    assert_eq!(rewritten(config, &["secure=1; secure"]), ["secure=1"]);
}
