use super::*;

fn rules(json: &str) -> Rules {
    Rules::new(&serde_json::from_str::<Expect>(json).unwrap())
}

fn verdict(rules: &Rules, bytes: &str) -> Option<bool> {
    rules.judge(bytes.as_bytes(), false).map(|verdict| verdict.is_ok())
}

#[test]
fn a_head_is_enough_where_nothing_else_is_asked() {
    let rules = rules("{}");
    assert_eq!(verdict(&rules, "HTTP/1.1 200 OK\r\n"), None);
    assert_eq!(verdict(&rules, "HTTP/1.1 200 OK\r\n\r\n"), Some(true));
    assert_eq!(verdict(&rules, "HTTP/1.0 302 Found\nA: b\n\n"), Some(true));
    assert_eq!(verdict(&rules, "HTTP/1.1 503 No\r\n\r\n"), Some(false));
    assert_eq!(verdict(&rules, "SSH-2.0\r\n\r\n"), Some(false));
    assert_eq!(verdict(&rules, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), Some(true));
}

#[test]
fn fields_are_looked_at() {
    let rules = rules(
        r#"{"status": ["200"], "headers": {"Content-Type": {"is": "text/html"}, "X-Bad": {"present": false},
            "X-Level": {"matches": "^[0-3]$"}, "X-Mode": {"not": "off"}}}"#,
    );
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nX-Level: 2\r\n";
    assert_eq!(verdict(&rules, &format!("{head}\r\n")), Some(true));
    for more in ["X-Bad: 1", "X-Mode: off"] {
        assert_eq!(verdict(&rules, &format!("{head}{more}\r\n\r\n")), Some(false), "{more}");
    }
    assert_eq!(verdict(&rules, "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n"), Some(false));
}

#[test]
fn bodies_are_matched_as_they_come_in_chunks_or_not() {
    let rules = rules(r#"{"body": "all (is )?well"}"#);
    let plain = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n";
    assert_eq!(verdict(&rules, &format!("{plain}all")), None);
    assert_eq!(verdict(&rules, &format!("{plain}all well")), Some(true));
    assert_eq!(verdict(&rules, &format!("{plain}not well")), Some(false));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n4\r\nwell\r\n0\r\n\r\n";
    assert_eq!(verdict(&rules, chunked), Some(true));
    assert!(rules.judge(b"HTTP/1.1 200 OK\r\n\r\nno", true).unwrap().is_err(), "to the end");
}

#[test]
fn what_a_body_must_not_have() {
    let rules = rules(r#"{"body_not": "maintenance"}"#);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n";
    assert_eq!(verdict(&rules, &format!("{head}maintenance")), Some(false));
    assert_eq!(verdict(&rules, &format!("{head}hello world")), Some(true));
}
