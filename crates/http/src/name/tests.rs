use super::*;
use std::collections::HashSet;

#[test]
fn every_name_is_found_in_any_case() {
    for &(id, text) in ALL {
        let mut title = text.as_bytes().to_vec();
        title.iter_mut().step_by(2).for_each(u8::make_ascii_uppercase);
        assert_eq!(Name::of(text.as_bytes()), id, "{text}");
        assert_eq!(Name::of(text.to_ascii_uppercase().as_bytes()), id, "{text}");
        assert_eq!(Name::of(&title), id, "{text}");
        assert_eq!(id.text(), text);
        assert_eq!(Name::from_id(id as u8), id);
    }
}

#[test]
fn names_are_told_apart() {
    let bits: HashSet<u64> = ALL.iter().map(|(id, _)| id.bit()).chain([Name::Other.bit()]).collect();
    assert_eq!(bits.len(), ALL.len() + 1);
    assert_eq!(Name::from_id(255), Name::Other);
    assert_eq!(Name::Other.text(), "");
}

/// A token that differs from a name in one byte, or by one, is another name.
#[test]
fn what_is_nearly_a_name_is_another() {
    let tokens: Vec<u8> = (0..=255).filter(|&byte| is_token(&[byte])).collect();
    for &(id, text) in ALL {
        for at in 0..text.len() {
            for &byte in &tokens {
                let mut other = text.as_bytes().to_vec();
                other[at] = byte;
                let is_same = other.eq_ignore_ascii_case(text.as_bytes());
                let is_known = ALL.iter().any(|(_, known)| known.as_bytes().eq_ignore_ascii_case(&other));
                assert_eq!(Name::of(&other) == id, is_same, "{:?}", String::from_utf8_lossy(&other));
                assert_eq!(Name::of(&other) == Name::Other, !is_known);
            }
        }
        assert_eq!(Name::of(format!("{text}x").as_bytes()), Name::Other);
        assert_eq!(Name::of(&text.as_bytes()[1..]), Name::Other);
    }
    assert_eq!(Name::of(b""), Name::Other);
    assert_eq!(Name::of(b"x"), Name::Other);
    assert_eq!(Name::of(&[b'a'; 1000]), Name::Other);
}

/// RFC 9110 5.6.2, 5.1.
#[test]
fn tokens_and_values() {
    assert!(is_token(b"!#$%&'*+-.^_`|~09azAZ"));
    assert!([&b""[..], b"a b", b"a:", b"\xe9", b"a\0", b"(a)", b"\"a\""].iter().all(|text| !is_token(text)));
    assert!([&b""[..], b"a\tb", b"caf\xe9", b" "].iter().all(|value| is_field_value(value)));
    assert!([&b"a\r\nb"[..], b"\0", b"\x7f", b"\n", b"\x1b"].iter().all(|value| !is_field_value(value)));
}

#[test]
fn names_of_the_configuration_keep_their_spelling() {
    let name = FieldName::new("X-REAL-ip").unwrap();
    assert_eq!((name.id(), name.text()), (Name::XRealIp, "X-REAL-ip"));
    assert_eq!(FieldName::new("X Y"), None);
}

/// RFC 9110 7.6.1.
#[test]
fn what_concerns_one_connection() {
    let hop: HashSet<&str> = ALL.iter().filter(|(id, _)| id.is_hop_by_hop()).map(|(_, text)| *text).collect();
    let expected = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
    assert_eq!(hop, HashSet::from(expected));
}
