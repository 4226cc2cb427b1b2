use super::*;

#[test]
fn what_is_there_is_named_and_what_is_not() {
    let words = configure();
    assert!(words.contains("--conf-path=/etc/nginx/nginx.conf "), "{words}");
    assert!(words.contains(" --with-http_realip_module"), "{words}");
    assert!(!words.contains("--without-http_proxy_module"), "{words}");
    let is_there = |word: String| words.split(' ').any(|other| other == word);
    let lists = [
        (ON_DEMAND, BUILT_IN, supports as fn(&str) -> bool),
        (STREAM_ON_DEMAND, STREAM_BUILT_IN, supports_in_stream),
    ];
    for (with, without, supports) in lists {
        for (name, of) in with {
            assert_eq!(is_there(format!("--with-{name}")), supports(of), "{name}");
        }
        for (name, of) in without {
            assert_eq!(is_there(format!("--without-{name}")), !supports(of), "{name}");
        }
    }
    for there in ["http_ssl", "http_v2", "http_realip", "http_gunzip", "stream_ssl", "stream_realip"] {
        assert!(is_there(format!("--with-{there}_module")), "{there}: {words}");
    }
}

/// A marker that the table does not know would call its module missing for good.
#[test]
fn every_marker_is_a_directive() {
    for (name, of) in BUILT_IN.iter().chain(ON_DEMAND).chain(STREAM_BUILT_IN).chain(STREAM_ON_DEMAND) {
        assert!(bifrons_nginx::knows(of), "{name} by {of}");
    }
}
