use super::*;
use crate::testing::fields;

fn matches(vary: &str, stored: &str, asked: &str) -> bool {
    let variant = variant(&fields(vary), &fields(stored)).expect("a variant");
    selects(&variant, &fields(asked))
}

#[test]
fn rfc9111_4_1_all_fields_named_must_match() {
    assert!(matches("Vary: Foo", "Foo: 1", "Foo: 1"));
    assert!(!matches("Vary: Foo", "Foo: 1", "Foo: 2"));
    assert!(!matches("Vary: Foo", "Foo: 1", ""));
    assert!(!matches("Vary: Foo", "", "Foo: 1"));
    assert!(!matches("Vary: Foo", "", "Foo:"));
    assert!(matches("Vary: Foo", "", "Bar: 1"));
    assert!(!matches("Vary: Foo, Bar", "Foo: 1\nBar: 1", "Foo: 1\nBar: 2"));
    assert!(!matches("Vary: Foo\nVary: Bar", "Foo: 1\nBar: 1", "Foo: 1\nBar: 2"));
    assert!(matches("Vary: bar, foo", "Foo: 1\nBar: 2", "Bar: 2\nFOO: 1"));
}

#[test]
fn rfc9111_4_1_blanks_and_lines_make_no_difference() {
    assert!(matches("Vary: Foo", "Foo: 1, 2", "Foo: 1,2"));
    assert!(matches("Vary: Foo", "Foo: 1, 2", "Foo: 1\nFoo: 2"));
    assert!(!matches("Vary: Foo", "Foo: 1, 2", "Foo: 2, 1"));
    assert!(!matches("Vary: Foo", "Foo: a", "Foo: A"));
}

#[test]
fn rfc9111_4_1_what_may_mean_another_thing_is_another_value() {
    assert!(!matches("Vary: Foo", "Foo: a,,b", "Foo: a,b"), "an empty member");
    assert!(!matches("Vary: Foo", "Foo: \"a, b\"", "Foo: \"a,b\""), "between quotes");
    assert!(!matches("Vary: Cookie", "Cookie: a=1,2", "Cookie: a=1, 2"), "no list");
    assert!(!matches("Vary: User-Agent", "User-Agent: A (B, C)", "User-Agent: A (B,C)"), "no list");
}

#[test]
fn rfc9111_4_1_choices_with_weights_have_no_order() {
    assert!(matches("Vary: Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: BR,GZIP"));
    assert!(matches(
        "Vary: Accept-Language",
        "Accept-Language: en, de;q=0.5",
        "Accept-Language: de; q=0.5, en"
    ));
    assert!(!matches("Vary: Accept-Encoding", "Accept-Encoding: gzip", "Accept-Encoding: gzip;q=0"));
}

#[test]
fn rfc9111_4_1_a_star_matches_nothing() {
    assert_eq!(variant(&fields("Vary: Foo, *"), &fields("")), Err(NoVariant::Star));
    assert_eq!(variant(&fields("Vary: *"), &fields("")), Err(NoVariant::Star));
}

#[test]
fn the_number_of_fields_is_bounded() {
    let names = |count: usize| (0..count).map(|at| format!("f{at}")).collect::<Vec<_>>().join(", ");
    assert!(variant(&fields(&format!("Vary: {}", names(16))), &fields("")).is_ok());
    assert_eq!(variant(&fields(&format!("Vary: {}", names(17))), &fields("")), Err(NoVariant::TooMany));
}

#[test]
fn what_is_no_variant_selects_nothing() {
    assert!(!selects(b"\x01", &fields("")));
    assert!(selects(b"", &fields("Foo: 1")));
}
