use super::*;
use crate::testing::{config, cx, request};

/// What the filter says to a request of its own, and the request, which counts as long as it lives.
fn ask(filter: &dyn Filter, fields: &str) -> (Option<u16>, ReqCx) {
    let (mut cx, mut req) = (cx(), request(fields));
    let status = match filter.request(&mut cx, &mut req) {
        Step::Reply(res) => Some(res.head.status),
        _ => None,
    };
    (status, cx)
}

fn build(json: &str) -> Arc<dyn Filter> {
    config::<Config>(json).build().unwrap()
}

#[test]
fn each_value_has_so_many_places() {
    let filter = build(r#"{"limits":[{"key":"$http_a","max":2,"zone":"places"}]}"#);
    let (first, second) = (ask(&*filter, "A: x\r\n"), ask(&*filter, "A: x\r\n"));
    assert_eq!((first.0, second.0), (None, None));
    assert_eq!(ask(&*filter, "A: x\r\n").0, Some(503));
    assert_eq!(ask(&*filter, "A: y\r\n").0, None, "another value");
    drop(first);
    let third = ask(&*filter, "A: x\r\n");
    assert_eq!(third.0, None, "a place was given back");
    assert_eq!(third.1.limited.as_ref().map(|limited| limited.how), Some(LimitedHow::Passed));
    let none = ask(&*filter, "");
    assert!(none.0.is_none() && none.1.limited.is_none(), "nothing to count by");
}

#[test]
fn zones_are_shared_by_their_name() {
    let json = r#"{"limits":[{"key":"$remote_addr","max":1,"zone":"shared"}],"status":429}"#;
    let (one, other) = (build(json), build(json));
    let held = ask(&*one, "");
    assert_eq!(ask(&*other, "").0, Some(429));
    drop(one);
    assert_eq!(ask(&*other, "").0, Some(429), "what was counted before a reload still is");
    drop(held);
    assert_eq!(ask(&*other, "").0, None);
}

#[test]
fn who_is_refused_by_one_limit_counts_in_none() {
    let both = build(
        r#"{"limits":[{"key":"$http_a","max":5,"zone":"wide"},{"key":"$http_b","max":1,"zone":"narrow"}]}"#,
    );
    let wide = build(r#"{"limits":[{"key":"$http_a","max":2,"zone":"wide"}]}"#);
    let held = ask(&*both, "A: x\r\nB: y\r\n");
    let refused = ask(&*both, "A: x\r\nB: y\r\n");
    assert_eq!((held.0, refused.0), (None, Some(503)));
    assert_eq!(refused.1.limited.unwrap().zone.as_deref(), Some("narrow"));
    let second = ask(&*wide, "A: x\r\n");
    assert_eq!(second.0, None);
    assert_eq!(ask(&*wide, "A: x\r\n").0, Some(503));
}

#[test]
fn a_dry_run_refuses_nothing() {
    let filter = build(r#"{"limits":[{"key":"$http_a","max":1,"zone":"dry"}],"dry_run":true}"#);
    let held = ask(&*filter, "A: x\r\n");
    let next = ask(&*filter, "A: x\r\n");
    assert_eq!((held.0, next.0), (None, None));
    assert_eq!(next.1.limited.unwrap().how, LimitedHow::WouldBeRejected);
}

#[test]
fn a_zone_has_its_bounds() {
    let filter = build(r#"{"limits":[{"key":"$http_a","max":9,"zone":"full","keys":2}]}"#);
    let held = [ask(&*filter, "A: 1\r\n"), ask(&*filter, "A: 2\r\n")];
    assert_eq!(ask(&*filter, "A: 3\r\n").0, Some(503));
    assert_eq!(ask(&*filter, "A: 2\r\n").0, None);
    let long = format!("A: {}\r\n", "x".repeat(KEY_BYTES_MAX + 1));
    assert!(ask(&*filter, &long).1.limited.is_none());
    drop(held);
    assert_eq!(ask(&*filter, "A: 3\r\n").0, None);
}

#[test]
fn what_makes_no_sense() {
    for json in [
        r#"{"limits":[]}"#,
        r#"{"limits":[{"key":"$a","max":0,"zone":"z"}]}"#,
        r#"{"limits":[{"key":"$remote_addr","max":1,"zone":"z"}],"status":200}"#,
    ] {
        let built = serde_json::from_str::<Config>(json).map(|config| config.build().is_err());
        assert!(built.unwrap_or(true), "{json}");
    }
}
