//! What a client of HTTP/2 sends behind its preface: frames, and blocks of fields in HPACK. The first byte says in
//! how large pieces they come.

use bifrons_frames::frame::{HEADER_BYTES, Header, PREFACE, kind};
use bifrons_frames::{Config, Connection, Event, Fault};

/// Words of frames, as far as they are text.
pub const WORDS: &[&str] = &[
    "\0\0\0\u{4}\0\0\0\0\0",
    "\0\0\u{3}\u{1}\u{5}\0\0\0\u{1}",
    "\0\0\u{3}\u{1}\u{4}\0\0\0\u{3}",
    "\0\0\u{1}\0\u{1}\0\0\0\u{1}",
    "\0\0\u{4}\u{8}\0\0\0\0\u{1}",
    "\0\0\u{8}\u{6}\0\0\0\0\0",
    "\0\0\u{4}\u{3}\0\0\0\0\u{1}",
    "\0\0\u{2}\u{9}\u{4}\0\0\0\u{1}",
    "\0\u{1}a\u{1}b",
    "@\u{1}a\u{1}b",
    "?\u{7f}",
    " ",
    "\0\0\0\u{1}",
];

const CONFIG: Config =
    Config { streams_max: 8, stream_window: 70_000, connection_window: 80_000, head_bytes: 4096 };

/// What came of it all: what was told, how it ended, what was said.
type Outcome = (Vec<Told>, Option<Fault>, Vec<u8>);

#[derive(Debug, PartialEq)]
enum Told {
    Field(Vec<u8>, Vec<u8>),
    Head(u32, bool),
    Data(Vec<u8>, bool),
    Other(String),
}

/// Runs once.
pub fn run(data: &[u8]) {
    let Some((&size, bytes)) = data.split_first() else { return };
    let whole = read(bytes, bytes.len().max(1));
    let pieces = read(bytes, usize::from(size).max(1) + bytes.len() / 512);
    assert_eq!(pieces, whole, "in pieces");
    // What we say is frames and nothing else.
    let mut rest = &whole.2[..];
    while let Some(header) = Header::read(rest) {
        assert!(header.kind <= kind::CONTINUATION);
        rest = &rest[HEADER_BYTES + header.len..];
    }
    assert!(rest.is_empty());
}

fn read(bytes: &[u8], size: usize) -> Outcome {
    let (mut out, mut told) = (Vec::new(), Vec::new());
    let mut conn = Connection::new(CONFIG, &mut out);
    let all = [PREFACE, bytes].concat();
    let (mut at, mut end) = (0, 0);
    while end < all.len() {
        end = all.len().min(end + size);
        loop {
            match take(&mut conn, &all[at..end], &mut out, &mut told) {
                Ok(0) => break,
                Ok(len) => at += len,
                Err(fault) => return (told, Some(fault), out),
            }
        }
    }
    (told, None, out)
}

fn take(
    conn: &mut Connection<()>,
    bytes: &[u8],
    out: &mut Vec<u8>,
    told: &mut Vec<Told>,
) -> Result<usize, Fault> {
    let (len, event) = conn.read(bytes, out)?;
    match event {
        Event::Partial | Event::Nothing => {}
        Event::Head { id, block, is_last } => {
            let mut length = None;
            conn.fields(bytes, &block, |name, value| {
                if name == b"content-length" {
                    length = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                }
                told.push(Told::Field(name.to_vec(), value.to_vec()));
            })?;
            told.push(Told::Head(id, is_last));
            conn.open((id, is_last), length, (), out)?;
        }
        Event::Trailers(_, block) => {
            conn.fields(bytes, &block, |name, value| told.push(Told::Field(name.to_vec(), value.to_vec())))?;
        }
        Event::Data(key, range, is_last) => {
            told.push(Told::Data(bytes[range.clone()].to_vec(), is_last));
            conn.consume(key, range.len(), out);
        }
        Event::Reset(key) => {
            conn.release(key, out);
        }
        event => told.push(Told::Other(format!("{event:?}"))),
    }
    Ok(len)
}
