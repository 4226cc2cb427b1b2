use super::*;
use proptest::prelude::*;

fn sample() -> Meta {
    let mut head = ResponseHead::new(200);
    head.headers.append_as("Content-Type", b"text/plain");
    head.headers.append_as("ETag", b"\"a\"");
    Meta {
        text: b"httpexample.org/a"[..].into(),
        url: b"http://example.org/a"[..].into(),
        head,
        times: Times { requested_s: 1, received_s: 2, initial_age_s: 3, lifetime_s: 4, while_revalidate_s: 5, if_error_s: 6 },
        terms: Terms { no_cache: false, must_revalidate: true, immutable: false, heuristic: true },
        span: Span { start: 1, end: 3, total: 9 },
        tags: ["a".into(), "b".into()].into(),
        role: Role::Variants(Variants {
            fields: ["accept".into()].into(),
            series: 7,
            keys: [Key(1), Key(u128::MAX)].into(),
        }),
    }
}

#[test]
fn what_was_written_is_read_back() {
    let (meta, mut bytes) = (sample(), Vec::new());
    encode(&meta, &mut bytes);

    let read = decode(&bytes).expect("it reads");

    assert_eq!((&read.text, &read.url), (&meta.text, &meta.url));
    assert_eq!((read.times, read.terms, read.span), (meta.times, meta.terms, meta.span));
    assert_eq!((&read.tags, &read.role), (&meta.tags, &meta.role));
    assert_eq!(read.head.status, 200);
    assert_eq!(read.head.headers.get("etag"), Some(&b"\"a\""[..]));
}

#[test]
fn what_is_cut_off_or_longer_is_not_read() {
    let mut bytes = Vec::new();
    encode(&sample(), &mut bytes);
    assert!((0..bytes.len()).all(|len| decode(&bytes[..len]).is_none()));
    bytes.push(0);
    assert!(decode(&bytes).is_none());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = decode(&bytes);
    }

    #[test]
    fn no_flipped_byte_panics(at in 0usize..300, with: u8) {
        let mut bytes = Vec::new();
        encode(&sample(), &mut bytes);
        let at = at % bytes.len();
        bytes[at] ^= with;
        let _ = decode(&bytes);
    }
}
