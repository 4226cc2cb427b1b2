//! The decoder of chunked bodies. The first byte says in how large pieces they come.

use super::fields;
use bifrons_core::{Error, Limits, Side};
use bifrons_http::h1::chunked::{Decoded, Decoder, size_line};
use bytes::BytesMut;

/// Words of the coding.
pub const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "0\r\n\r\n",
    "0\r\n",
    ";",
    ";a=b",
    "=\"",
    "\"",
    "0x",
    "+",
    "-",
    " ",
    "\t",
    "ffffffffffffffff",
    "7fffffffffffffff",
    "0000000000000000",
    "5\r\nhello\r\n",
    "a\r\n",
    "Content-Length: 1\r\n",
    "X: 1\r\n",
    "\0",
];

/// Data and trailers, and how many bytes were taken; `None` where the end did not come.
type Outcome = Option<(Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>, usize)>;

/// Runs once.
pub fn run(data: &[u8]) {
    let Some((&size, bytes)) = data.split_first() else { return };
    let whole = decode(bytes, bytes.len().max(1)).ok();
    // Every look at unfinished trailers begins anew: long ones are not looked at byte by byte.
    for size in [1 + bytes.len() / 512, usize::from(size).max(1) + bytes.len() / 512] {
        assert_eq!(decode(bytes, size).ok(), whole, "in pieces of {size}");
    }
    let Some(Some((data, trailers, _))) = whole else { return };
    assert!(trailers.iter().all(|(name, _)| !name.eq_ignore_ascii_case(b"content-length")));
    let mut again = Vec::new();
    for chunk in data.chunks(usize::from(size).max(1)) {
        again.extend_from_slice(size_line(chunk.len()).as_ref());
        again.extend_from_slice(chunk);
        again.extend_from_slice(b"\r\n");
    }
    again.extend_from_slice(b"0\r\n\r\n");
    let read = decode(&again, again.len()).unwrap().unwrap();
    assert_eq!((read.0, read.2), (data, again.len()), "what we write is read as the same");
}

fn decode(bytes: &[u8], size: usize) -> Result<Outcome, Error> {
    let mut decoder = Decoder::new(Side::Downstream, Limits::default());
    let mut buf = BytesMut::new();
    let mut data = Vec::new();
    let mut come = 0;
    loop {
        match decoder.decode(&mut buf)? {
            Decoded::Data(piece) => {
                assert!(!piece.is_empty());
                data.extend_from_slice(&piece);
            }
            Decoded::End(trailers) => {
                let trailers = trailers.as_ref().map(fields).unwrap_or_default();
                return Ok(Some((data, trailers, come - buf.len())));
            }
            Decoded::Partial if come == bytes.len() => return Ok(None),
            Decoded::Partial => {
                let end = bytes.len().min(come + size);
                buf.extend_from_slice(&bytes[come..end]);
                come = end;
            }
        }
    }
}
