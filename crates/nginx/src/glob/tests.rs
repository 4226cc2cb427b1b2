use super::*;

#[test]
fn patterns() {
    for (pattern, name, fits) in [
        ("*.conf", "a.conf", true),
        ("*.conf", ".conf", true),
        ("*.conf", "a.conf.bak", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-b-b-d", false),
        ("?", "a", true),
        ("?", "", false),
        ("[0-9]*", "10-site", true),
        ("[!0-9]*", "10-site", false),
        ("[]x]", "]", true),
        ("[a-c]z", "bz", true),
        ("[a-", "[a-", true),
        ("", "", true),
        ("*", "", true),
    ] {
        assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
    }
}

#[test]
fn stars_cost_no_exponential_time() {
    assert!(!matches(format!("{}b", "*a".repeat(50)).as_bytes(), "a".repeat(2000).as_bytes()));
}
