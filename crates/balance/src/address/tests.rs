use super::*;

fn message(text: &str) -> String {
    text.parse::<Address>().expect_err(text).to_string()
}

#[test]
fn every_form_parses_and_prints_as_it_was_written() {
    for text in ["10.0.1.10:3000", "[fd00::1]:3000", "app.local:3000", "my_app-1:80", "unix:/run/a b.sock"] {
        assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
    }
}

#[test]
fn names_are_lower_case_without_a_final_dot() {
    let address: Address = "App.Local.:80".parse().expect("a name");
    assert_eq!(address.to_resolve(), Some(("app.local", 80)));
    assert_eq!(address.endpoint(), None);
}

#[test]
fn a_missing_port_is_shown_where_it_belongs() {
    for (text, fix) in [
        ("10.0.1.10", "\"10.0.1.10:80\""),
        ("app.local", "\"app.local:80\""),
        ("app.local:", "\"app.local:80\""),
        ("fd00::1", "\"[fd00::1]:80\""),
        ("[fd00::1]", "\"[fd00::1]:80\""),
    ] {
        let message = message(text);
        assert!(message.contains("has no port") && message.contains(fix), "{text}: {message}");
    }
}

#[test]
fn what_is_no_address_is_refused() {
    for text in
        ["", ":80", "a:0", "a:65536", "a:+1", "a:x", "a b:1", "10.0.1:80", "1.2.3.4.5:80", "-é:1", "a..b:1"]
    {
        assert!(text.parse::<Address>().is_err(), "{text:?}");
    }
    assert!(message("http://a:1").contains("host:port"));
    assert!(message("unix:run/a.sock").contains("unix:/path"));
    assert!("a:65535".parse::<Address>().is_ok());
    assert!(format!("{}:1", "a".repeat(63)).parse::<Address>().is_ok());
    assert!(format!("{}:1", "a".repeat(64)).parse::<Address>().is_err());
}
