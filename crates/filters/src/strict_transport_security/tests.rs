use super::*;
use crate::testing::{config, cx, get, response};

#[test]
fn preloading_has_conditions() {
    for (json, is_good) in [
        (r#"{}"#, true),
        (r#"{"preload": true}"#, false),
        (r#"{"preload": true, "include_subdomains": true}"#, true),
        (r#"{"preload": true, "include_subdomains": true, "max_age": "364d"}"#, false),
        (r#"{"preload": true, "include_subdomains": true, "max_age": "365d"}"#, true),
    ] {
        assert_eq!(config::<Config>(json).build().is_ok(), is_good, "{json}");
    }
}

/// Over TLS: tests/e2e/tls.
#[test]
fn over_plain_text_there_is_none() {
    let filter = config::<Config>("{}").build().unwrap();
    let mut res = response("HTTP/1.1 200 OK", "Strict-Transport-Security: max-age=1\r\n");
    filter.response(&mut cx(), &get(""), &mut res).unwrap();
    assert_eq!(res.headers.get(Name::StrictTransportSecurity), None);
}
