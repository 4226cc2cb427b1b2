use super::{question, verdict};
use proptest::prelude::*;

#[test]
fn a_question_names_the_service() {
    assert_eq!(question(""), b"\0\0\0\0\0");
    assert_eq!(question("shop"), b"\0\0\0\0\x06\x0a\x04shop");
    let long = "x".repeat(300);
    assert_eq!(question(&long)[..8], *b"\0\0\0\x01\x2f\x0a\xac\x02");
}

#[test]
fn only_serving_is_well() {
    let rows: [(&[u8], bool); 9] = [
        (b"\0\0\0\0\x02\x08\x01", true),
        // With a field that is not known.
        (b"\0\0\0\0\x05\x12\x01x\x08\x01", true),
        (b"\0\0\0\0\0", false),
        (b"\0\0\0\0\x02\x08\x02", false),
        (b"\0\0\0\0\x02\x08\x03", false),
        (b"\x01\0\0\0\x02\x08\x01", false),
        (b"\0\0\0\0\x03\x08\x01", false),
        (b"\0\0\0\0\x01\x08", false),
        (b"", false),
    ];
    for (body, well) in rows {
        assert_eq!(verdict(body).is_ok(), well, "{body:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(message in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut body = vec![0, 0, 0, 0, message.len() as u8];
        body.extend_from_slice(&message);
        let _ = verdict(&body);
        let _ = verdict(&message);
    }
}
