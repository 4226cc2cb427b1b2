use super::*;
use crate::units::Size;

#[test]
fn one_is_written_without_brackets() {
    for text in ["\"4k\"", "[\"4k\",\"8k\"]", "[]"] {
        let read: OneOrMany<Size> = serde_json::from_str(text).expect(text);
        assert_eq!(serde_json::to_string(&read).expect("json"), text);
    }
    assert_eq!(serde_json::from_str::<OneOrMany<u16>>("7").expect("number"), OneOrMany::one(7));
    assert_eq!(serde_json::from_str::<OneOrMany<u16>>("[7]").expect("list"), OneOrMany::one(7));
}

#[test]
fn the_schema_offers_both() {
    let schema = schemars::schema_for!(OneOrMany<String>);
    let any_of = schema.get("anyOf").and_then(|any| any.as_array()).expect("anyOf");
    assert_eq!(any_of.len(), 2);
}
