use super::*;

fn run(escape: fn(&mut Vec<u8>, usize), value: &[u8]) -> Vec<u8> {
    let mut out = b"\"".to_vec();
    out.extend_from_slice(value);
    escape(&mut out, 1);
    out.split_off(1)
}

#[test]
fn default_escapes_as_nginx_does() {
    assert_eq!(run(escape_default, b"plain ~ text"), b"plain ~ text");
    assert_eq!(run(escape_default, b"a\"b\\c\x1f\x7f\xc3\n"), b"a\\x22b\\x5Cc\\x1F\\x7F\\xC3\\x0A");
}

#[test]
fn json_escapes_control_characters_and_repairs_utf8() {
    assert_eq!(run(escape_json, b"plain \x7f"), b"plain \x7f");
    assert_eq!(run(escape_json, b"\"\\\n\r\t\x08\x0c\x01\x1f"), br#"\"\\\n\r\t\b\f\u0001\u001F"#);
    assert_eq!(run(escape_json, "grün".as_bytes()), "grün".as_bytes());
    assert_eq!(run(escape_json, b"a\xffb\xc3"), "a\u{fffd}b\u{fffd}".as_bytes());
}

#[test]
fn every_value_stays_a_json_string() {
    let value: Vec<u8> = (0..=255).collect();
    let text = [b"\"", &run(escape_json, &value)[..], b"\""].concat();
    assert!(serde_json::from_slice::<String>(&text).is_ok());
}
