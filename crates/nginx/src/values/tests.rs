use super::*;

#[test]
fn times() {
    for (text, millis) in [
        ("60", Some(60_000)),
        ("60s", Some(60_000)),
        ("500ms", Some(500)),
        ("1h30m", Some(5_400_000)),
        ("1h 30m", Some(5_400_000)),
        ("1d", Some(86_400_000)),
        ("1M", Some(30 * 86_400_000)),
        ("1y", Some(365 * 86_400_000)),
        ("0", Some(0)),
        ("", None),
        ("m", None),
        ("30m1h", None),
        ("1m1m", None),
        ("1.5s", None),
        ("-1", None),
        ("1H", None),
        ("5us", None),
        ("99999999999999999999", None),
        ("9999999999999999y", None),
    ] {
        assert_eq!(parse_time(text).map(|dur| dur.0.as_millis()), millis, "{text}");
    }
}

#[test]
fn sizes() {
    for (text, bytes) in [
        ("0", Some(0)),
        ("1k", Some(1024)),
        ("8K", Some(8192)),
        ("10m", Some(10 << 20)),
        ("2G", Some(2 << 30)),
        ("", None),
        ("m", None),
        ("1t", None),
        ("1.5m", None),
        ("é", None),
        ("9223372036854775807", Some(i64::MAX as u64)),
        ("9223372036854775808", None),
        ("9007199254740992m", None),
    ] {
        assert_eq!(parse_size(text).map(|size| size.0), bytes, "{text}");
    }
}
