use super::*;
use crate::testing::{cx, get, response};
use indexmap::IndexMap;

fn values(pairs: &[(&str, &str)]) -> IndexMap<String, Template> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Template::parse(value).unwrap())).collect()
}

/// The fields of a request with these fields after the edits.
fn edited(config: &FieldEdits, fields: &str) -> String {
    let mut head = get(fields);
    Edits::build(config).unwrap().apply_request(&cx(), &mut head);
    let mut out = Vec::new();
    head.headers.write(&mut out, |name, _| name != Name::Host);
    String::from_utf8(out).unwrap()
}

#[test]
fn each_kind_of_edit() {
    let came = "X-A: 1\r\nX-a: 2\r\nX-B: 3\r\n";
    let remove = FieldEdits { remove: vec!["x-A".into()], ..FieldEdits::default() };
    assert_eq!(edited(&remove, came), "X-B: 3\r\n");
    let set = FieldEdits { set: values(&[("X-A", "9"), ("X-New", "n")]), ..FieldEdits::default() };
    assert_eq!(edited(&set, came), "X-B: 3\r\nX-A: 9\r\nX-New: n\r\n");
    let add = FieldEdits { add: values(&[("X-B", "4")]), ..FieldEdits::default() };
    assert_eq!(edited(&add, came), "X-A: 1\r\nX-a: 2\r\nX-B: 3\r\nX-B: 4\r\n");
    let append = FieldEdits { append: values(&[("X-A", "9"), ("X-New", "n")]), ..FieldEdits::default() };
    assert_eq!(edited(&append, came), "X-B: 3\r\nX-A: 1, 2, 9\r\nX-New: n\r\n");
}

/// All values are rendered before the first change.
#[test]
fn values_see_the_message_as_it_came() {
    let swap =
        FieldEdits { set: values(&[("X-A", "$http_x_b"), ("X-B", "$http_x_a")]), ..FieldEdits::default() };
    assert_eq!(edited(&swap, "X-A: 1\r\nX-B: 2\r\n"), "X-A: 2\r\nX-B: 1\r\n");
    let removed = FieldEdits {
        remove: vec!["X-A".into()],
        set: values(&[("X-C", "$http_x_a")]),
        ..FieldEdits::default()
    };
    assert_eq!(edited(&removed, "X-A: 1\r\n"), "X-C: 1\r\n");
}

/// nginx: a field set to nothing is not sent.
#[test]
fn empty_values_take_away_or_do_nothing() {
    let nothing = values(&[("X-A", "$http_none")]);
    let set = FieldEdits { set: nothing.clone(), ..FieldEdits::default() };
    assert_eq!(edited(&set, "X-A: 1\r\n"), "");
    let add = FieldEdits { add: nothing.clone(), append: nothing, ..FieldEdits::default() };
    assert_eq!(edited(&add, "X-A: 1\r\n"), "X-A: 1\r\n");
}

/// RFC 9110 5.5: no value ends its line, wherever it comes from.
#[test]
fn no_value_ends_its_line() {
    let mut context = cx();
    context.captures.push(b"a\r\nX-Evil: 1".to_vec());
    let config = FieldEdits { set: values(&[("X-A", "$1"), ("X-B", "b")]), ..FieldEdits::default() };
    let mut head = get("X-A: old\r\n");
    Edits::build(&config).unwrap().apply_request(&context, &mut head);
    assert!(!head.headers.has("x-a") && !head.headers.has("x-evil"));
    assert_eq!(head.headers.get("x-b"), Some(&b"b"[..]));
}

#[test]
fn answers_see_request_and_answer() {
    let config = FieldEdits {
        set: values(&[("X-Seen", "$status $request_method $upstream_http_x_a")]),
        ..FieldEdits::default()
    };
    let mut res = response("HTTP/1.1 404 x", "X-A: 1\r\n");
    Edits::build(&config).unwrap().apply_response(&cx(), &get(""), &mut res);
    assert_eq!(res.headers.get("x-seen"), Some(&b"404 GET 1"[..]));
}

#[test]
fn what_no_configuration_may_change() {
    let refused = |config: FieldEdits| Edits::build(&config).err().unwrap_or_default();
    let set = |name: &str, value: &str| FieldEdits { set: values(&[(name, value)]), ..FieldEdits::default() };
    assert!(refused(set("Content-Length", "1")).contains("Content-Length"));
    assert!(refused(set("transfer-encoding", "1")).contains("transfer-encoding"));
    assert!(refused(FieldEdits { remove: vec!["X Y".into()], ..FieldEdits::default() }).contains("X Y"));
    assert!(refused(set("X-A", "a\r\nb")).contains("X-A"));
    assert!(FieldEdits::default().is_empty() && Edits::build(&FieldEdits::default()).unwrap().is_empty());
    // These are written by the proxy itself: an edit would be lost without a word.
    for name in ["Host", "Connection", "keep-alive", "Upgrade", "TE"] {
        assert!(refused(set(name, "a")).contains(name), "{name}");
    }
    assert!(Edits::build(&set("Cookie", "a")).unwrap().sets(Name::Cookie));
}
