use super::*;

#[test]
fn what_is_there_is_named_and_what_is_not() {
    let words = configure();
    assert!(words.contains("--conf-path=/etc/nginx/nginx.conf "), "{words}");
    assert!(words.contains(" --with-http_realip_module"), "{words}");
    assert!(!words.contains("--without-http_proxy_module"), "{words}");
    for (name, of) in ON_DEMAND {
        assert_eq!(words.contains(&format!("--with-{name}")), supports(of), "{name}");
    }
    for (name, of) in BUILT_IN {
        assert_eq!(words.split(' ').any(|word| word == format!("--without-{name}")), !supports(of), "{name}");
    }
}

/// A marker that the table does not know would call its module missing for good.
#[test]
fn every_marker_is_a_directive() {
    for (name, of) in BUILT_IN.iter().chain(ON_DEMAND) {
        assert!(bifrons_nginx::knows(of), "{name} by {of}");
    }
}
