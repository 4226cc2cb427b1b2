use super::*;
use crate::testing::{cx, head, response};

/// `Expires` and `Cache-Control` of an answer at that second.
fn said(expires: Expires, fields: &str, now_s: u64) -> (String, String) {
    let mut res = response("HTTP/1.1 200 OK", fields);
    apply(expires, &mut res, UNIX_EPOCH + Duration::from_secs(now_s));
    let value = |name| String::from_utf8_lossy(res.headers.get(name).unwrap_or_default()).into_owned();
    (value(Name::Expires), value(Name::CacheControl))
}

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOW: u64 = 784_111_777;

#[test]
fn times_are_nginxs() {
    for (text, expected) in [
        ("0", Some(0)),
        ("5", Some(5)),
        ("30d", Some(30 * 86_400)),
        ("1h30m", Some(5400)),
        ("1h 30m 5", Some(5405)),
        ("1y1M1w1d1h1m1s", Some((365 + 30 + 7 + 1) * 86_400 + 3661)),
        ("1m1h", None),
        ("1h1h", None),
        ("1ms", None),
        ("h", None),
        ("", None),
        ("1.5h", None),
        ("99999999999999999999", None),
        ("9999999999999999y", None),
    ] {
        assert_eq!(seconds(text), expected, "{text}");
    }
}

#[test]
fn every_form_is_read() {
    for (text, from_modified, expected) in [
        ("1h", false, Some(Expires::After(3600))),
        ("+1h", false, Some(Expires::After(3600))),
        ("-1", false, Some(Expires::After(-1))),
        ("+24h", true, Some(Expires::AfterModified(86_400))),
        ("@15h30m", false, Some(Expires::Daily(55_800))),
        ("@15h30m", true, None),
        ("@25h", false, None),
        ("epoch", false, Some(Expires::Epoch)),
        ("max", true, Some(Expires::Max)),
        ("off", false, Some(Expires::Off)),
        ("soon", false, None),
        ("", false, None),
    ] {
        assert_eq!(Expires::parse(text, from_modified).ok(), expected, "{text}");
    }
}

#[test]
fn fields_are_nginxs() {
    let modified = "Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT\r\n";
    for (expires, fields, expected) in [
        (Expires::After(3600), "", ("Sun, 06 Nov 1994 09:49:37 GMT", "max-age=3600")),
        (Expires::After(0), "", ("Sun, 06 Nov 1994 08:49:37 GMT", "max-age=0")),
        (Expires::After(-1), "", ("Sun, 06 Nov 1994 08:49:36 GMT", "no-cache")),
        (Expires::Epoch, "", ("Thu, 01 Jan 1970 00:00:01 GMT", "no-cache")),
        (Expires::Max, "", ("Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000")),
        (Expires::Off, "Cache-Control: private\r\n", ("", "private")),
        (
            Expires::After(60),
            "Cache-Control: private\r\nExpires: 0\r\n",
            ("Sun, 06 Nov 1994 08:50:37 GMT", "max-age=60"),
        ),
        (Expires::AfterModified(90_000), modified, ("Sun, 06 Nov 1994 09:49:37 GMT", "max-age=3600")),
        (Expires::AfterModified(60), modified, ("Sat, 05 Nov 1994 08:50:37 GMT", "no-cache")),
        (Expires::AfterModified(60), "", ("Sun, 06 Nov 1994 08:50:37 GMT", "max-age=60")),
        (Expires::After(i64::MAX), "", ("Fri, 31 Dec 9999 00:00:00 GMT", "max-age=9223372036070664030")),
    ] {
        let (at, control) = said(expires, fields, NOW);
        assert_eq!((at.as_str(), control.as_str()), expected, "{expires:?}");
    }
}

#[test]
fn a_time_of_day_is_the_next() {
    let now = NOW as i64;
    for second in [0, 1, 30_000, 86_399] {
        let next = next(second, now);
        assert!(next > now && next <= now + 86_400 + 7200, "{second}");
        assert_eq!((next + offset(next)).rem_euclid(86_400), second);
    }
}

#[test]
fn only_good_answers_and_what_a_variable_says() {
    let config = Config { time: Template::parse("$arg_e").unwrap(), from_modified: false };
    let filter = config.build().unwrap();
    let says = |query: &str, status: u16| {
        let req = head(&format!("GET /?e={query} HTTP/1.1"), "");
        let mut res = response(&format!("HTTP/1.1 {status} x"), "");
        filter.response(&mut cx(), &req, &mut res).unwrap();
        res.headers.get(Name::CacheControl).map(|value| String::from_utf8(value.to_vec()).unwrap())
    };
    assert_eq!(says("1h", 200).as_deref(), Some("max-age=3600"));
    assert_eq!(says("1h", 304).as_deref(), Some("max-age=3600"));
    for (query, status) in [("1h", 404), ("1h", 500), ("off", 200), ("", 200), ("bogus", 200)] {
        assert_eq!(says(query, status), None, "{query} {status}");
    }
}
