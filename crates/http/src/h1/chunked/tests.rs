use super::*;
use crate::testing::{fields, listed, sent};
use proptest::collection::vec;
use proptest::prelude::*;

fn decoder() -> Decoder {
    Decoder::new(Side::Upstream, Limits::default())
}

/// RFC 9112 7.1.1.
const EXTENSIONS: &str =
    r#"(;[ \t]?[a-z!]{1,4}([ ]?=[ ]?([a-z0-9]{1,4}|"([ -!#-\[\]-~]|\\[ -~]){0,5}"))?[ ]?){0,2}"#;

/// Data, trailers as text, and bytes behind the end; `None` where the coding is not whole.
type Outcome = Option<(Vec<u8>, Vec<(String, Vec<u8>)>, usize)>;

/// Decodes `bytes`, which come in pieces that end at `cuts`.
fn decode(bytes: &[u8], cuts: &[usize]) -> Result<Outcome> {
    let mut decoder = decoder();
    let mut buf = BytesMut::new();
    let mut data = Vec::new();
    let mut come = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        buf.extend_from_slice(&bytes[come..end]);
        come = end;
        loop {
            match decoder.decode(&mut buf)? {
                Decoded::Data(piece) => {
                    assert!(!piece.is_empty(), "a piece is never empty");
                    data.extend_from_slice(&piece);
                }
                Decoded::Partial => break,
                Decoded::End(trailers) => {
                    let trailers = trailers.as_ref().map(listed).unwrap_or_default();
                    return Ok(Some((data, trailers, buf.len() + bytes.len() - come)));
                }
            }
        }
    }
    Ok(None)
}

fn cuts(of: &[u8], at: Vec<prop::sample::Index>) -> Vec<usize> {
    let mut cuts: Vec<usize> = at.into_iter().map(|at| at.index(of.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

fn encoded(chunks: &[(Vec<u8>, String)], trailers: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (data, extension) in chunks {
        out.extend_from_slice(format!("{:X}{extension}\r\n", data.len()).as_bytes());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n");
    out.extend(sent(trailers, &[]));
    out.extend_from_slice(b"\r\n");
    out
}

proptest! {
    /// RFC 9112 7.1: content and trailers are what was sent, wherever reads end.
    #[test]
    fn any_split_gives_the_same(
        chunks in vec((vec(any::<u8>(), 1..60), EXTENSIONS), 0..6),
        trailers in fields(), behind in vec(any::<u8>(), 0..10), at in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut bytes = encoded(&chunks, &trailers);
        bytes.extend_from_slice(&behind);
        let cuts = cuts(&bytes, at);
        let content: Vec<u8> = chunks.iter().flat_map(|(data, _)| data.clone()).collect();
        prop_assert_eq!(decode(&bytes, &cuts).unwrap(), Some((content, trailers, behind.len())));
    }

    /// Broken coding is broken however it comes, and never panics.
    #[test]
    fn splits_change_nothing_about_broken_coding(
        chunks in vec((vec(any::<u8>(), 1..20), "(;[ -~]{0,5}){0,1}"), 0..4),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        at in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut bytes = encoded(&chunks, &[]);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let cuts = cuts(&bytes, at);
        let every: Vec<usize> = (0..bytes.len()).collect();
        let at_once = decode(&bytes, &[]).ok();
        prop_assert_eq!(&decode(&bytes, &cuts).ok(), &at_once);
        prop_assert_eq!(&decode(&bytes, &every).ok(), &at_once);
    }

    #[test]
    fn a_size_line_is_read_back(len: usize) {
        let mut buf = BytesMut::from(size_line(len).as_ref());
        let read = decoder().size_line(&mut buf);
        if len > i64::MAX as usize {
            prop_assert!(read.is_err());
        } else {
            prop_assert_eq!(read.unwrap(), Some(len as u64));
            prop_assert!(buf.is_empty());
        }
    }
}

#[test]
fn size_lines_at_the_edges() {
    let text = |len| String::from_utf8(size_line(len).as_ref().to_vec()).unwrap();
    assert_eq!(text(0), "0\r\n");
    assert_eq!(text(15), "f\r\n");
    assert_eq!(text(16), "10\r\n");
    assert_eq!(text(usize::MAX), "ffffffffffffffff\r\n");
}

/// RFC 9110 6.5.1: what frames, routes or authenticates is no trailer.
#[test]
fn forbidden_trailers_are_dropped() {
    for name in
        ["Content-Length", "Transfer-Encoding", "Host", "Authorization", "Set-Cookie", "X-Forwarded-For"]
    {
        let bytes = format!("0\r\n{name}: 1\r\nX-Sum: 2\r\n\r\n");
        let (_, trailers, _) = decode(bytes.as_bytes(), &[]).unwrap().unwrap();
        assert_eq!(trailers, [("X-Sum".to_owned(), b"2".to_vec())], "{name}");
    }
    let (_, trailers, _) = decode(b"0\r\nHost: a\r\n\r\n", &[]).unwrap().unwrap();
    assert!(trailers.is_empty());
}

#[test]
fn what_is_left_of_a_chunk_is_known() {
    let mut decoder = decoder();
    let mut buf = BytesMut::from(&b"a\r\nabc"[..]);
    assert_eq!(decoder.chunk_left(), 0);
    decoder.decode(&mut buf).unwrap();
    assert_eq!(decoder.chunk_left(), 7);
}

#[test]
fn the_end_stays_the_end() {
    let mut decoder = decoder();
    let mut buf = BytesMut::from(&b"0\r\n\r\nGET"[..]);
    assert!(matches!(decoder.decode(&mut buf).unwrap(), Decoded::End(None)));
    assert!(matches!(decoder.decode(&mut buf).unwrap(), Decoded::End(None)));
    assert_eq!(&buf[..], b"GET");
}

#[test]
fn an_extension_has_a_name() {
    let refused = ["5;", "5;;a", "5;a=", "5;=b", "5;a=\"b", "5;a=\"b\"c", "5;a b", "5;a,b", "5;a=b=c", "5; "];
    for line in refused {
        assert!(decode(format!("{line}\r\nhello\r\n0\r\n\r\n").as_bytes(), &[]).is_err(), "{line}");
    }
    for line in ["5;a", "5;a=b", "5; a = \"b;\\\"c\" ;d", "5;a=\"\""] {
        let decoded = decode(format!("{line}\r\nhello\r\n0;z\r\n\r\n").as_bytes(), &[]).unwrap();
        assert_eq!(decoded, Some((b"hello".to_vec(), Vec::new(), 0)), "{line}");
    }
}
