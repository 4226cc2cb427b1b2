use super::*;
use proptest::prelude::*;

fn quality(encoding: Encoding, level: u8) -> Quality {
    Quality { encoding, level, window_bits: 19 }
}

fn encode(quality: Quality, len: Option<u64>, pieces: &[&[u8]]) -> Vec<u8> {
    let mut encoder = Encoder::new(quality, len).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        encoder.write(piece, &mut out).unwrap();
    }
    encoder.finish(&mut out).unwrap();
    out
}

/// All that comes out with so much room at a time; the input in pieces of that size.
fn decode(encoding: Encoding, coded: &[u8], size: usize, room: usize) -> Result<Vec<u8>, Failed> {
    let mut decoder = Decoder::new(encoding)?;
    let mut all = Vec::new();
    for mut piece in coded.chunks(size) {
        loop {
            let mut out = Vec::with_capacity(room);
            let taken = decoder.read(piece, &mut out)?;
            piece = &piece[taken..];
            all.extend_from_slice(&out);
            if out.len() < out.capacity() {
                assert!(piece.is_empty(), "room was left and input too");
                break;
            }
        }
    }
    decoder.finish()?;
    Ok(all)
}

fn text(len: usize) -> Vec<u8> {
    let words = ["the ", "proxy ", "passes ", "bytes ", "{\"id\":", "42},\n", "über "];
    let mut random = fastrand::Rng::with_seed(7);
    let mut text = Vec::new();
    while text.len() < len {
        text.extend_from_slice(words[random.usize(..words.len())].as_bytes());
    }
    text.truncate(len);
    text
}

#[test]
fn every_level_comes_back() {
    let plain = text(100_000);
    for encoding in Encoding::ALL {
        for level in levels(encoding) {
            let coded = encode(quality(encoding, level), None, &[&plain]);
            assert!(coded.len() < plain.len() / 2, "{encoding:?} {level}: {}", coded.len());
            assert_eq!(decode(encoding, &coded, 1000, 4096), Ok(plain.clone()), "{encoding:?} {level}");
        }
    }
}

#[test]
fn every_window_and_length_comes_back() {
    let plain = text(70_000);
    for encoding in Encoding::ALL {
        for window_bits in WINDOW_BITS {
            for len in [0, 1, 20, 10_000, 70_000] {
                let quality = Quality { encoding, level: 5, window_bits };
                for known in [None, Some(len as u64)] {
                    let coded = encode(quality, known, &[&plain[..len]]);
                    assert_eq!(decode(encoding, &coded, 70_000, 70_000).unwrap(), plain[..len]);
                }
            }
        }
    }
}

#[test]
fn what_was_flushed_can_be_read_before_the_end() {
    for encoding in Encoding::ALL {
        for level in [1, 5] {
            let mut encoder = Encoder::new(quality(encoding, level), None).unwrap();
            let mut decoder = Decoder::new(encoding).unwrap();
            for piece in [&b"data: 1\n\n"[..], b"data: two\n\n", &text(200_000), b"x"] {
                let (mut coded, mut plain) = (Vec::new(), Vec::with_capacity(piece.len() + 1));
                encoder.write(piece, &mut coded).unwrap();
                encoder.flush(&mut coded).unwrap();
                assert_eq!(decoder.read(&coded, &mut plain), Ok(coded.len()));
                assert_eq!(plain, piece, "{encoding:?}");
            }
            let mut nothing = Vec::new();
            encoder.flush(&mut nothing).unwrap();
            assert!(nothing.is_empty(), "{encoding:?}: a flush of nothing");
        }
    }
}

#[test]
fn an_encoder_that_was_used_is_as_good_as_new() {
    let plain = text(5000);
    for encoding in Encoding::ALL {
        let first = encode(quality(encoding, 4), Some(5000), &[&plain]);
        // Given up in the middle.
        let mut given_up = Encoder::new(quality(encoding, 4), Some(5000)).unwrap();
        given_up.write(&plain[..3000], &mut Vec::new()).unwrap();
        drop(given_up);
        for _ in 0..3 {
            assert_eq!(encode(quality(encoding, 4), Some(5000), &[&plain]), first, "{encoding:?}");
            assert_eq!(decode(encoding, &encode(quality(encoding, 4), None, &[b"x"]), 9, 9).unwrap(), b"x");
        }
    }
}

#[test]
fn what_is_cut_or_broken_is_told() {
    for encoding in Encoding::ALL {
        let coded = encode(quality(encoding, 5), None, &[&text(3000)]);
        for len in 1..coded.len() {
            assert_eq!(decode(encoding, &coded[..len], 100, 5000), Err(Failed::Truncated(encoding)), "{len}");
        }
        let trailing = [&coded[..], b"trailing"].concat();
        assert_eq!(decode(encoding, &trailing, 10_000, 5000), Err(Failed::Malformed(encoding)));
        assert_eq!(decode(encoding, b"certainly not coded", 100, 100), Err(Failed::Malformed(encoding)));
        assert_eq!(decode(encoding, b"", 1, 1), Ok(Vec::new()));
    }
    let mut coded = encode(quality(Encoding::Gzip, 5), None, &[b"checked"]);
    let at = coded.len() - 8;
    coded[at] ^= 1;
    assert_eq!(decode(Encoding::Gzip, &coded, 100, 100), Err(Failed::Malformed(Encoding::Gzip)));
}

#[test]
fn members_and_frames_behind_each_other_are_one_body() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let one = |text: &[u8]| encode(quality(encoding, 3), None, &[text]);
        let both = [one(b"one, "), one(b""), one(b"two")].concat();
        for size in [1, 2, 7, 1000] {
            assert_eq!(decode(encoding, &both, size, 3).unwrap(), b"one, two", "{size}");
        }
    }
}

#[test]
fn a_bomb_takes_no_more_room_than_it_is_given() {
    let plain = vec![0; 3_000_000];
    for encoding in Encoding::ALL {
        let coded = encode(quality(encoding, 5), None, &[&plain]);
        assert!(coded.len() < 4000, "{}", coded.len());
        let mut decoder = Decoder::new(encoding).unwrap();
        let mut out = Vec::with_capacity(1024);
        let room = out.capacity();
        decoder.read(&coded, &mut out).unwrap();
        assert_eq!((out.len(), out.capacity()), (room, room), "{encoding:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_come_back(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
        flushes in prop::collection::vec(any::<bool>(), 12),
        room in 1usize..200,
        at in 0usize..3,
    ) {
        let encoding = Encoding::ALL[at];
        let mut encoder = Encoder::new(quality(encoding, 4), None).unwrap();
        let mut coded = Vec::new();
        for (piece, flush) in pieces.iter().zip(flushes) {
            encoder.write(piece, &mut coded).unwrap();
            if flush {
                encoder.flush(&mut coded).unwrap();
            }
        }
        encoder.finish(&mut coded).unwrap();
        prop_assert_eq!(decode(encoding, &coded, 17, room).unwrap(), pieces.concat());
    }

    #[test]
    fn any_bytes_are_refused_or_decoded(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..3) {
        let _ = decode(Encoding::ALL[at], &bytes, 13, 64);
    }
}
