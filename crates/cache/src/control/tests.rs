use super::*;
use proptest::prelude::*;

fn read(value: &str) -> Directives {
    Directives::of_values([value.as_bytes()].into_iter())
}

fn target(value: &str) -> Option<Directives> {
    let mut headers = Headers::new();
    headers.append("CDN-Cache-Control", value.as_bytes());
    Directives::of_target(&headers, "cdn-cache-control")
}

#[test]
fn rfc9111_5_2_names_are_read_whatever_their_case_and_unknown_ones_count_for_nothing() {
    let read = read("foobar, MaX-aGe=3600, x=\"y\", PUBLIC");
    assert_eq!(read, Directives { max_age: Some(3600), public: true, ..Directives::default() });
}

#[test]
fn rfc9111_5_2_arguments_are_tokens_or_quoted_strings() {
    assert_eq!(read("max-age=\"3600\"").max_age, Some(3600));
    assert_eq!(read("max-age='3600'").max_age, Some(0));
}

#[test]
fn rfc9111_5_2_what_stands_in_a_quoted_string_is_no_directive() {
    assert_eq!(read("extension=\"max-age=100, no-store\", max-age=1").max_age, Some(1));
    assert_eq!(read("max-age=1, extension=\"a\\\", max-age=100\"").max_age, Some(1));
    assert!(!read("extension=\"no-store\"").no_store);
}

#[test]
fn rfc9111_4_2_1_of_duplicates_the_first_counts() {
    assert_eq!(read("max-age=1, max-age=100").max_age, Some(1));
    let values = [&b"max-age=100"[..], b"max-age=1"];
    assert_eq!(Directives::of_values(values.into_iter()).max_age, Some(100));
}

#[test]
fn rfc9111_4_2_1_what_cannot_be_read_makes_stale() {
    for value in ["a100", "100a", "-100", "1.5", "", "+1", " 100"] {
        assert_eq!(read(&format!("max-age={value}")).max_age, Some(0), "{value:?}");
    }
    assert_eq!(read("max-age").max_age, Some(0));
}

#[test]
fn rfc9111_5_2_a_name_with_a_space_before_its_equals_sign_is_none() {
    assert_eq!(read("max-age =100").max_age, None);
}

#[test]
fn rfc9111_1_2_2_too_large_numbers_are_2_to_the_31() {
    assert_eq!(read("max-age=2147483648").max_age, Some(SECONDS_MAX));
    assert_eq!(read("max-age=99999999999999999999999").max_age, Some(SECONDS_MAX));
    assert_eq!(read("max-age=2147483647").max_age, Some(SECONDS_MAX - 1));
}

#[test]
fn rfc9111_5_2_2_4_no_cache_with_names_means_those_fields() {
    assert_eq!(read("no-cache").no_cache, Scope::All);
    assert_eq!(read("no-cache=\"Set-Cookie, A\"").no_cache.fields(), ["set-cookie", "a"]);
    assert_eq!(read("no-cache=a").no_cache.fields(), ["a"]);
    assert_eq!(read("no-cache=\"a\", no-cache").no_cache, Scope::All);
    assert_eq!(read("no-cache=\"\"").no_cache, Scope::All);
    assert_eq!(read("private=\"a\", private=\"b\"").private.fields(), ["a", "b"]);
}

#[test]
fn rfc9111_5_2_1_2_max_stale_without_value_means_any() {
    assert_eq!(read("max-stale").max_stale, Some(u64::MAX));
    assert_eq!(read("max-stale=5").max_stale, Some(5));
    assert_eq!(read("max-stale=x").max_stale, Some(0));
}

#[test]
fn rfc9213_2_1_a_targeted_field_is_a_dictionary() {
    let read = target("max-age=60, no-cache, stale-while-revalidate=5;x=1").expect("it is one");
    assert_eq!((read.max_age, read.stale_while_revalidate), (Some(60), Some(5)));
    assert!(read.no_cache.is_all());
    assert_eq!(target("max-age=99999999999").expect("it is one").max_age, Some(SECONDS_MAX));
    assert_eq!(target("max-age=-1").expect("it is one").max_age, Some(0));
    assert_eq!(target("a=(1 2), b=:YQ==:, c=?0, d=1.5, max-age=1").expect("it is one").max_age, Some(1));
}

#[test]
fn rfc9213_2_2_a_targeted_field_that_is_none_is_not_used() {
    for value in [
        "max-age=10000, &&&&&",
        "max-age=\"10000\"",
        "max-age =100",
        "max-age= 100",
        "",
        "max-age=1,",
        "MaX=1",
    ] {
        assert_eq!(target(value), None, "{value:?}");
    }
}

#[test]
fn surrogate_control_has_a_grace() {
    let mut headers = Headers::new();
    headers.append("Surrogate-Control", b"content=\"ESI/1.0\", max-age=60+30");
    let read = Directives::of_surrogate(&headers).expect("it is there");
    assert_eq!((read.max_age, read.stale_while_revalidate, read.no_store), (Some(60), Some(30), false));
}

proptest! {
    #[test]
    fn no_value_panics(value: Vec<u8>) {
        let _ = Directives::of_values([value.as_slice()].into_iter());
        let _ = dictionary::parse(&value);
    }
}
