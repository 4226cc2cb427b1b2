use super::*;

/// RFC 9112 3 recommends 8000 octets for a request line at least.
#[test]
fn the_defaults_fit_each_other() {
    let limits = Limits::default();
    assert!(limits.line_bytes >= 8000);
    assert!(limits.line_bytes < limits.head_bytes);
    assert!(limits.fields <= Limits::FIELDS_MAX);
    assert!(!limits.lone_lf, "strict unless a listener says otherwise");
}
