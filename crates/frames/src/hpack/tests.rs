use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn decoded(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, Error> {
    let mut fields = Vec::new();
    decoder.decode(block, |name, value| fields.push((name.to_vec(), value.to_vec())))?;
    Ok(fields)
}

#[track_caller]
fn reads(blocks: &[(&str, &[(&str, &str)])]) {
    let mut decoder = Decoder::new(usize::MAX);
    for (hex, fields) in blocks {
        let fields: Fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(decoded(&mut decoder, &bytes(hex)), Ok(fields), "{hex}");
    }
}

/// RFC 7541 C.1.
#[test]
fn numbers_of_the_rfc() {
    for (value, bits, hex) in [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a")] {
        let mut out = Vec::new();
        number::write(&mut out, 0, bits, value);
        assert_eq!(out, bytes(hex));
        let mut at = 0;
        assert_eq!((number::read(&out, &mut at, bits), at), (Ok(value), out.len()));
    }
}

/// RFC 7541 C.2.
#[test]
fn single_fields_of_the_rfc() {
    let custom: &[(&str, &str)] = &[("custom-key", "custom-header")];
    reads(&[("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", custom)]);
    reads(&[("040c 2f73 616d 706c 652f 7061 7468", &[(":path", "/sample/path")])]);
    reads(&[("1008 7061 7373 776f 7264 0673 6563 7265 74", &[("password", "secret")])]);
    reads(&[("82", &[(":method", "GET")])]);
}

const REQUESTS: [&[(&str, &str)]; 3] = [
    &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")],
    &[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
        ("cache-control", "no-cache"),
    ],
    &[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/index.html"),
        (":authority", "www.example.com"),
        ("custom-key", "custom-value"),
    ],
];

/// RFC 7541 C.3 and C.4.
#[test]
fn requests_of_the_rfc() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for blocks in [plain, coded] {
        let rows: Vec<_> = blocks.into_iter().zip(REQUESTS).collect();
        reads(&rows);
    }
}

/// RFC 7541 C.5 and C.6: in a table of 256 bytes, from which entries go. Ours begins larger and is made smaller.
#[test]
fn answers_of_the_rfc() {
    let first: &[(&str, &str)] = &[
        (":status", "302"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ];
    let second: &[(&str, &str)] = &[
        (":status", "307"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ];
    let third: &[(&str, &str)] = &[
        (":status", "200"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
        ("location", "https://www.example.com"),
        ("content-encoding", "gzip"),
        ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
    ];
    let resize = "3fe101";
    let plain = "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a \
                 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d";
    let coded = "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d \
                 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3";
    reads(&[
        (&format!("{resize}{plain}"), first),
        ("4803 3330 37c1 c0bf", second),
        (
            "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 \
             7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 \
             6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
            third,
        ),
    ]);
    reads(&[
        (&format!("{resize}{coded}"), first),
        ("4883 640e ffc1 c0bf", second),
        (
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 \
             e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
            third,
        ),
    ]);
}

/// RFC 7541 2.3.3, 4.2, 5.1, 5.2, 6.1.
#[test]
fn blocks_that_are_none() {
    for hex in [
        "80",
        "be",
        "7f00",
        "ff ffff ffff 01",
        "8220",
        "3fe2 1f",
        "00",
        "0001 61",
        "0001 6105 61",
        "0001 6181 18",
        "0001 6184 ffff ffff",
        "4f",
    ] {
        let read = decoded(&mut Decoder::new(usize::MAX), &bytes(hex));
        assert!(matches!(read, Err(Error::Broken(_))), "{hex}: {read:?}");
    }
}

#[test]
fn a_bomb_is_noticed() {
    let mut block = bytes("4001 617f a11e");
    block.extend([b'x'; 4000]);
    let field = 1 + 4000 + 32;
    block.extend([0xbe; 99]);
    assert_eq!(decoded(&mut Decoder::new(100 * field), &block).map(|fields| fields.len()), Ok(100));
    assert_eq!(decoded(&mut Decoder::new(100 * field - 1), &block), Err(Error::Bomb));
}

fn written(encoder: &mut Encoder, fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    for (name, value) in fields {
        encoder.field(name, value, &mut out);
    }
    out
}

/// The second of two answers is some bytes long.
#[test]
fn what_was_sent_once_is_sent_by_its_place() {
    let mut encoder = Encoder::new();
    let fields: [(&[u8], &[u8]); 4] = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        (b"server", b"bifrons"),
        (b"x-unknown", b""),
    ];
    assert!(written(&mut encoder, &fields).len() > 40);
    assert_eq!(written(&mut encoder, &fields), [0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62]);
}

/// RFC 7541 4.2: the smallest size of those between two blocks is told, and the last one.
#[test]
fn sizes_of_the_table_are_told() {
    for (sizes, hex) in [
        (&[4096][..], ""),
        (&[100_000], ""),
        (&[0], "20"),
        (&[100], "3f45"),
        (&[0, 4096], "20 3fe1 1f"),
        (&[200, 100, 300], "3f45 3f8d 02"),
    ] {
        let mut encoder = Encoder::new();
        written(&mut encoder, &[(b"a", b"b")]);
        sizes.iter().for_each(|size| encoder.set_max(*size));
        assert_eq!(written(&mut encoder, &[]), bytes(hex), "{sizes:?}");
        assert!(written(&mut encoder, &[]).is_empty());
    }
}

fn field() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let names = prop::sample::select(vec![
        &b"date"[..],
        b"server",
        b"content-length",
        b"set-cookie",
        b"x-a",
        b"x-b",
        b"vary",
        b"a-name-that-is-long",
    ]);
    let values = prop_oneof![
        prop::sample::select(vec![&b""[..], b"a", b"gzip, br", b"text/html"]).prop_map(<[u8]>::to_vec),
        vec(any::<u8>(), 0..300),
        vec(b'a'..=b'z', 0..3000),
    ];
    (names.prop_map(<[u8]>::to_vec), values)
}

proptest! {
    /// Whatever is written is read as the same, block after block, whatever sizes the table is given.
    #[test]
    fn blocks_come_back(blocks in vec((vec(field(), 0..12), prop::option::of(0usize..6000)), 1..30)) {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(usize::MAX));
        for (fields, size) in blocks {
            if let Some(size) = size {
                encoder.set_max(size);
            }
            let borrowed: Vec<(&[u8], &[u8])> = fields.iter().map(|(name, value)| (&name[..], &value[..])).collect();
            let block = written(&mut encoder, &borrowed);
            prop_assert_eq!(decoded(&mut decoder, &block), Ok(fields));
        }
    }

    #[test]
    fn no_bytes_panic(blocks in vec(vec(any::<u8>(), 0..100), 1..10)) {
        let mut decoder = Decoder::new(10_000);
        for block in blocks {
            let _ = decoded(&mut decoder, &block);
        }
    }

    #[test]
    fn texts_come_back_in_huffmans_code(text in vec(any::<u8>(), 0..300)) {
        let (mut coded, mut back) = (Vec::new(), Vec::new());
        huffman::encode(&text, &mut coded);
        prop_assert_eq!(huffman::decode(&coded, &mut back), Some(()));
        prop_assert_eq!(text, back);
    }
}
