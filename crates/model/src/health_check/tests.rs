use super::*;

#[test]
fn statuses_by_numbers_and_ranges() {
    let rule = |texts: &[&str]| StatusRule::read(texts.iter().copied());
    let default = rule(&["200-399"]).unwrap();
    assert_eq!([199, 200, 399, 400].map(|status| default.allows(status)), [false, true, true, false]);
    let several = rule(&["200", "301-303", "404"]).unwrap();
    assert_eq!([200, 201, 302, 404].map(|status| several.allows(status)), [true, false, true, true]);
    let none_of = rule(&["!", "500-599"]).unwrap();
    assert_eq!([500, 404].map(|status| none_of.allows(status)), [false, true]);
    assert!(!rule(&["!503"]).unwrap().allows(503));
    for wrong in ["ok", "99", "300-200", "200-1000", "-"] {
        assert!(rule(&[wrong]).is_err(), "{wrong}");
    }
}
