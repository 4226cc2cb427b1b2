use super::*;

/// RFC 9110 15.2, 15.3.5, 15.4.5.
#[test]
fn who_never_has_a_body() {
    let bodiless: Vec<u16> = (200..1000).filter(|&status| is_bodiless(status)).collect();
    assert_eq!(bodiless, [204, 304]);
    assert!((100..200).all(is_bodiless));
}

#[test]
fn phrases_keep_to_their_line() {
    for status in 0..1000 {
        assert!(reason(status).bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{status}");
    }
    assert_eq!((reason(200), reason(418), reason(799)), ("OK", "I'm a teapot", ""));
}
