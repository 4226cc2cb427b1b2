use super::*;
use crate::disk::Place;
use crate::disk::journal::{Event, Next, encode_purged, encode_put, encode_removed, next_event};
use crate::index::{Entry, Placed};
use crate::{Mode, Scope};
use proptest::prelude::*;

fn meta() -> Meta {
    Meta {
        key: b"key".as_slice().into(),
        host: "example.com".into(),
        path: "/a?b".into(),
        vary: b"gzip".as_slice().into(),
        tags: [1, u64::MAX].into(),
        head: Bytes::from("200 OK"),
        keep_until_s: 17,
    }
}

#[test]
fn records_and_frames_come_back() {
    let record = Bytes::from(encode_record(Kind::Answer, 5, 6, &meta()));
    assert_eq!(decode_record(&record, Kind::Answer, 5, 6), Ok(meta()));
    for (kind, id, hash) in [(Kind::Update, 5, 6), (Kind::Answer, 4, 6), (Kind::Answer, 5, 7)] {
        assert_eq!(decode_record(&record, kind, id, hash), Err(Damaged));
    }
    for len in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let body = vec![7; len];
        let mut out = Vec::new();
        encode_frames(5, &body, &mut out);
        assert_eq!(out.len() as u64, framed_len(len as u64));
        let pieces = decode_frames(5, 0, len as u64, &out.clone().into()).unwrap();
        assert!(pieces.concat() == body);
        if len > 0 {
            assert!(decode_frames(6, 0, len as u64, &out.clone().into()).is_err());
            // Of another length: its last frame is another one. Whole frames too many their sum of lengths shows.
            let other = decode_frames(5, 0, len as u64 + 1, &out.into());
            assert_eq!(other.is_err(), !(len as u64).is_multiple_of(FRAME));
        }
    }
}

#[test]
fn events_come_back() {
    let place = |offset| Place { segment: 1, offset, head_len: 3, body_len: 4 };
    let placed = Placed { record: place(2), update: Some(place(9)) };
    let entry = Entry::new(3, 4, &meta(), 5, 6);
    entry.set_placed(Some(placed));
    let mut bytes = Vec::new();
    encode_put(&entry, placed, &mut bytes);
    encode_removed(3, &mut bytes);
    encode_purged(8, Mode::Soft, &Scope::Tag("t".into()), &mut bytes);
    let mut input = Input(&bytes);
    let Next::Event(Event::Put(read)) = next_event(&mut input) else { panic!() };
    assert_eq!(format!("{read:?}"), format!("{entry:?}"));
    assert!(matches!(next_event(&mut input), Next::Event(Event::Removed(3))));
    let Next::Event(Event::Purged { number: 8, mode: Mode::Soft, scope: Scope::Tag(tag) }) =
        next_event(&mut input)
    else {
        panic!()
    };
    assert_eq!(tag, "t");
    assert!(matches!(next_event(&mut input), Next::Done));
    assert!(matches!(next_event(&mut Input(&bytes[..bytes.len() / 3])), Next::Lost { torn: true }));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut input = Input(&bytes);
        while let Next::Event(_) | Next::Skipped = next_event(&mut input) {}
        let bytes = Bytes::from(bytes);
        let _ = decode_record(&bytes, Kind::Answer, 1, 2);
        let _ = decode_frames(1, 0, 100, &bytes);
        let _ = decode_meta(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_seen(at in 0_usize..8 * 130, body in prop::collection::vec(any::<u8>(), 1..100)) {
        let mut record = encode_record(Kind::Answer, 5, 6, &meta());
        let at = at % (8 * record.len());
        record[at / 8] ^= 1 << (at % 8);
        prop_assert!(decode_record(&record.into(), Kind::Answer, 5, 6).is_err());
        let mut frames = Vec::new();
        encode_frames(5, &body, &mut frames);
        let at = at % (8 * frames.len());
        frames[at / 8] ^= 1 << (at % 8);
        prop_assert!(decode_frames(5, 0, body.len() as u64, &frames.into()).is_err());
    }
}
