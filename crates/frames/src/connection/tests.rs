use super::*;
use crate::frame::{flag, kind};
use proptest::collection::vec;
use proptest::prelude::*;

const CONFIG: Config =
    Config { streams_max: 4, stream_window: 100_000, connection_window: 200_000, head_bytes: 10_000 };

/// One end, and what it has said.
struct Peer {
    conn: Connection<()>,
    out: Vec<u8>,
}

/// A frame that was written.
type Said = (u8, u8, u32, Vec<u8>);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, kind, flags, stream, payload);
    out
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = crate::hpack::Encoder::new();
    for (name, value) in fields {
        encoder.field(name.as_bytes(), value.as_bytes(), &mut out);
    }
    out
}

fn head(stream: u32, flags: u8) -> Vec<u8> {
    frame(kind::HEADERS, flags | flag::END_HEADERS, stream, &[0x82, 0x84, 0x86])
}

impl Peer {
    /// Both have said their settings.
    fn new() -> Self {
        let mut out = Vec::new();
        let conn = Connection::new(CONFIG, &mut out);
        let mut peer = Self { conn, out };
        assert_eq!(
            peer.said().iter().map(|said| said.0).collect::<Vec<_>>(),
            [kind::SETTINGS, kind::WINDOW_UPDATE]
        );
        peer.take(PREFACE).unwrap();
        peer.take(&frame(kind::SETTINGS, 0, 0, b"")).unwrap();
        peer.take(&frame(kind::SETTINGS, flag::ACK, 0, b"")).unwrap();
        assert_eq!(peer.said(), [(kind::SETTINGS, flag::ACK, 0, vec![])]);
        peer
    }

    /// Takes all of `bytes`; heads are read and their streams opened.
    fn take(&mut self, mut bytes: &[u8]) -> Result<Vec<Event>, Fault> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let (len, event) = self.conn.read(bytes, &mut self.out)?;
            match &event {
                Event::Partial => break,
                Event::Head { id, block, is_last } => {
                    let mut length = None;
                    self.conn.fields(bytes, block, |name, value| {
                        if name == b"content-length" {
                            length = str::from_utf8(value).unwrap().parse().ok();
                        }
                    })?;
                    self.conn.open((*id, *is_last), length, (), &mut self.out)?;
                }
                Event::Trailers(_, block) => self.conn.fields(bytes, block, |_, _| {})?,
                _ => {}
            }
            bytes = &bytes[len..];
            if event != Event::Nothing {
                events.push(event);
            }
        }
        Ok(events)
    }

    fn said(&mut self) -> Vec<Said> {
        let out = std::mem::take(&mut self.out);
        let (mut rest, mut said) = (&out[..], Vec::new());
        while let Some(header) = Header::read(rest) {
            let end = HEADER_BYTES + header.len;
            said.push((header.kind, header.flags, header.stream, rest[HEADER_BYTES..end].to_vec()));
            rest = &rest[end..];
        }
        assert!(rest.is_empty());
        said
    }

    fn key(&self, id: u32) -> Key {
        self.conn.streams.find(id).unwrap()
    }
}

fn reset(stream: u32, reason: Reason) -> Said {
    (kind::RST_STREAM, 0, stream, reason.0.to_be_bytes().to_vec())
}

/// A request and an answer with a body and trailers, and nothing is left of them.
#[test]
fn a_stream_from_its_beginning_to_its_end() {
    let mut peer = Peer::new();
    let bytes = [
        frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&[("content-length", "5")])),
        frame(kind::DATA, 0, 1, b"abc"),
        frame(kind::DATA, flag::PADDED, 1, &[3, b'd', b'e', 0, 0, 0]),
        frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(&[("x", "y")])),
    ];
    let events = peer.take(&bytes.concat()).unwrap();
    let key = peer.key(1);
    assert!(matches!(events[0], Event::Head { id: 1, is_last: false, .. }));
    assert_eq!(events[1..3], [Event::Data(key, 9..12, false), Event::Data(key, 10..12, false)]);
    assert!(matches!(events[3], Event::Trailers(..)));
    peer.conn.head(key, false, &mut peer.out, |encoder, out| encoder.status(200, out));
    let header = peer.conn.data_header(key, 2, false).unwrap();
    peer.out.extend_from_slice(&header);
    peer.out.extend_from_slice(b"ok");
    peer.conn.head(key, true, &mut peer.out, |encoder, out| encoder.field(b"a", b"b", out));
    let said = peer.said();
    assert_eq!(said[0], (kind::HEADERS, flag::END_HEADERS, 1, vec![0x88]));
    assert_eq!(said[1], (kind::DATA, 0, 1, b"ok".to_vec()));
    assert_eq!((said[2].0, said[2].1), (kind::HEADERS, flag::END_HEADERS | flag::END_STREAM));
    assert_eq!((peer.conn.streams.open(), peer.conn.owned()), (0, 1));
    peer.conn.release(key, &mut peer.out);
    assert!(peer.said().is_empty() && peer.conn.owned() == 0);
}

/// However the network cuts them, frames are the same.
#[test]
fn frames_come_in_pieces() {
    let bytes = [head(1, 0), frame(kind::DATA, 1, 1, b"abc"), head(3, flag::END_STREAM)].concat();
    let whole = Peer::new().take(&bytes).unwrap();
    let mut peer = Peer::new();
    let (mut buffer, mut events) = (Vec::new(), Vec::new());
    for byte in bytes {
        buffer.push(byte);
        let (len, event) = peer.conn.read(&buffer, &mut peer.out).unwrap();
        if let Event::Head { id, block, is_last } = &event {
            peer.conn.fields(&buffer, block, |_, _| {}).unwrap();
            peer.conn.open((*id, *is_last), None, (), &mut peer.out).unwrap();
        }
        buffer.drain(..len);
        events.extend((event != Event::Partial).then_some(event));
    }
    assert_eq!(events, whole);
}

/// RFC 9113 6.9: windows open when half of them is free, and what goes beyond is an error.
#[test]
fn windows_towards_us() {
    let mut peer = Peer::new();
    peer.take(&head(1, 0)).unwrap();
    let key = peer.key(1);
    let piece = frame(kind::DATA, 0, 1, &[0; 10_000]);
    for _ in 0..10 {
        peer.take(&piece).unwrap();
    }
    assert!(peer.said().is_empty());
    for _ in 0..5 {
        peer.conn.consume(key, 10_000, &mut peer.out);
    }
    assert_eq!(peer.said(), [(kind::WINDOW_UPDATE, 0, 1, 50_000u32.to_be_bytes().to_vec())]);
    for _ in 0..5 {
        peer.conn.consume(key, 10_000, &mut peer.out);
        peer.take(&piece).unwrap();
    }
    let more: Vec<_> = peer.said().iter().map(|said| (said.0, said.2)).collect();
    assert_eq!(more, [(kind::WINDOW_UPDATE, 0), (kind::WINDOW_UPDATE, 1)]);
    for _ in 0..5 {
        peer.take(&piece).unwrap();
    }
    assert_eq!(peer.take(&piece), Ok(vec![Event::Reset(key)]));
    assert_eq!(peer.said(), [reset(1, Reason::FLOW_CONTROL_ERROR)]);
    peer.take(&head(3, 0)).unwrap();
    let all = frame(kind::DATA, 0, 3, &[0; 10_000]).repeat(9);
    peer.take(&all[..]).unwrap();
    assert_eq!(
        peer.take(&frame(kind::DATA, 0, 1, &[0; 1])).map_err(|fault| fault.reason),
        Err(Reason::FLOW_CONTROL_ERROR)
    );
}

/// Before our settings are acknowledged, windows are those that everybody begins with (RFC 9113 6.9.2).
#[test]
fn settings_hold_once_they_are_heard() {
    let mut out = Vec::new();
    let config = Config { stream_window: 10, ..CONFIG };
    let mut peer = Peer { conn: Connection::new(config, &mut out), out };
    peer.take(PREFACE).unwrap();
    peer.take(&[frame(kind::SETTINGS, 0, 0, b""), head(1, 0)].concat()).unwrap();
    peer.take(&frame(kind::DATA, 0, 1, &[0; 100])).unwrap();
    let key = peer.key(1);
    peer.take(&frame(kind::SETTINGS, flag::ACK, 0, b"")).unwrap();
    assert_eq!(peer.conn.stream(key).unwrap().recv_window, 10 - 100);
    peer.take(&head(3, 0)).unwrap();
    let key = peer.key(3);
    assert_eq!(peer.conn.stream(key).unwrap().recv_window, 10);
}

/// What is on its way when we reset a stream is nobody's fault; what the client knew is over is.
#[test]
fn frames_behind_the_end() {
    let mut peer = Peer::new();
    peer.take(&[head(1, 0), head(3, 0), head(5, flag::END_STREAM)].concat()).unwrap();
    for id in [1, 5] {
        let key = peer.key(id);
        peer.conn.head(key, true, &mut peer.out, |encoder, out| encoder.status(204, out));
        peer.conn.release(key, &mut peer.out);
    }
    peer.take(&frame(kind::RST_STREAM, 0, 3, &[0; 4])).unwrap();
    // RFC 9113 8.1: the request was not over, its answer is.
    assert_eq!(peer.said()[1], reset(1, Reason::NO_ERROR));
    let trailers = frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(&[("x", "y")]));
    assert_eq!(peer.take(&[frame(kind::DATA, 0, 1, b"late"), trailers].concat()), Ok(vec![]));
    peer.said();
    for id in [3, 5] {
        peer.take(&frame(kind::DATA, 0, id, b"late").repeat(2)).unwrap();
        assert_eq!(peer.said(), [reset(id, Reason::STREAM_CLOSED)], "the second one is no news");
        for (kind, len) in [(kind::WINDOW_UPDATE, 4), (kind::RST_STREAM, 4), (kind::PRIORITY, 5)] {
            peer.take(&frame(kind, 0, id, &vec![0, 0, 0, 9, 0][..len])).unwrap();
        }
    }
    let mut peer = Peer::new();
    peer.take(&[head(1, 0), frame(kind::RST_STREAM, 0, 1, &[0; 4])].concat()).unwrap();
    assert_eq!(peer.take(&head(1, 1)).map_err(|fault| fault.reason), Err(Reason::STREAM_CLOSED));
}

/// RFC 9113 5.1.2, and what we still work at counts.
#[test]
fn streams_at_once() {
    let mut peer = Peer::new();
    for id in [1, 3, 5, 7, 9] {
        peer.take(&head(id, 1)).unwrap();
    }
    assert_eq!(peer.said(), [reset(9, Reason::REFUSED_STREAM)]);
    let mut peer = Peer::new();
    for id in (1..19).step_by(2) {
        peer.take(&[head(id, 1), frame(kind::RST_STREAM, 0, id, &[0; 4])].concat()).unwrap();
    }
    assert_eq!(peer.said(), [reset(17, Reason::REFUSED_STREAM)]);
    let streams = (19..).step_by(2).take(MISTAKES_MAX as usize);
    let end = streams.map(|id| peer.take(&head(id, 1))).find_map(Result::err);
    assert_eq!(end.map(|fault| fault.reason), Some(Reason::ENHANCE_YOUR_CALM));
}

/// RFC 9113 6.8: an end in two steps, so that what was on its way is served.
#[test]
fn an_end_in_two_steps() {
    let mut peer = Peer::new();
    peer.take(&head(1, 1)).unwrap();
    peer.conn.go_away(&mut peer.out);
    peer.conn.go_away(&mut peer.out);
    let said = peer.said();
    assert_eq!((said.len(), said[0].0, said[1].0), (2, kind::GOAWAY, kind::PING));
    assert_eq!(said[0].3, [&(u32::MAX >> 1).to_be_bytes()[..], &[0; 4]].concat());
    peer.take(&[head(3, 1), frame(kind::PING, flag::ACK, 0, &said[1].3)].concat()).unwrap();
    assert_eq!(peer.said(), [(kind::GOAWAY, 0, 0, vec![0, 0, 0, 3, 0, 0, 0, 0])]);
    assert_eq!(peer.take(&head(5, 1)), Ok(vec![]));
    assert_eq!((peer.conn.passed_over(), peer.conn.is_over()), (1, false));
    for id in [1, 3] {
        let key = peer.key(id);
        peer.conn.head(key, true, &mut peer.out, |encoder, out| encoder.status(200, out));
    }
    assert!(peer.conn.is_over());
}

#[test]
fn blocks_have_an_end() {
    let begin = frame(kind::HEADERS, 0, 1, &[0x82]);
    for next in [&[0x82; 1000][..], b""] {
        let mut peer = Peer::new();
        peer.take(&begin).unwrap();
        let more = frame(kind::CONTINUATION, 0, 1, next);
        let end = (0..100).map(|_| peer.take(&more)).find_map(Result::err);
        assert_eq!(end.map(|fault| fault.reason), Some(Reason::ENHANCE_YOUR_CALM));
    }
    let mut peer = Peer::new();
    let end = frame(kind::CONTINUATION, flag::END_HEADERS, 1, &[0x84, 0x86]);
    let events = peer.take(&[begin, end].concat()).unwrap();
    assert_eq!(events, [Event::Head { id: 1, block: Block::Gathered, is_last: false }]);
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        vec(any::<u8>(), 0..40),
        Just(vec![0x82, 0x84, 0x86]),
        Just(vec![0, 0, 0, 1]),
        Just(vec![0; 8]),
        Just(vec![]),
    ];
    (0u8..11, any::<u8>(), 0u32..9, payload)
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload))
}

proptest! {
    /// Whatever comes, nothing panics, and no stream is left behind.
    #[test]
    fn no_frames_panic(frames in vec(any_frame(), 0..60)) {
        let mut peer = Peer::new();
        for frame in frames {
            if peer.take(&frame).is_err() {
                break;
            }
            prop_assert!(peer.conn.streams.open() <= CONFIG.streams_max as usize);
        }
        let keys: Vec<Key> = (0..8).map(Key).collect();
        for key in keys {
            peer.conn.release(key, &mut peer.out);
        }
        prop_assert_eq!((peer.conn.owned(), peer.conn.streams.open()), (0, 0));
        peer.said();
    }
}
