//! How much a peer makes us work beside its requests or answers.
//!
//! Frames that carry nothing (PING, SETTINGS, WINDOW_UPDATE, RST_STREAM, PRIORITY, unknown ones, empty DATA)
//! cost both sides about the same, so that a client could keep us busy with them for ever. They are counted
//! against an allowance, which time and work that we do for the client earn.

use bifrons_frames::frame::{HEADER_BYTES, Header, PAYLOAD_MAX, flag, kind};
use bifrons_net::clock;
use std::cell::RefCell;
use tokio::time::Instant;

/// 1,000 frames beside each other: far more than any client has reason for (nghttp2 allows as many resets).
const BURST: u32 = 1000;
/// 100 a second more: keep-alive pings and priorities come some a minute.
const PER_SECOND: u32 = 100;
/// 4 for each request: a reset, a priority, windows.
const PER_STREAM: u32 = 4;
/// 8 for each request of ours to an endpoint: its head, an interim one, trailers, windows, a reset.
const PER_REQUEST: u32 = 8;
/// 2 for each frame of ours: a client may open both windows for every one, or measure the path by a PING.
const PER_FRAME: u32 = 2;

/// SETTINGS without ACK (RFC 9113 6.5).
const SETTINGS: (u8, u8) = (kind::SETTINGS, 0);

/// What a client must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// It has used up what it has.
    Idling,
    /// Its first frame is not SETTINGS (RFC 9113 3.4).
    NoSettings,
}

/// One connection's allowance.
pub struct Meter(RefCell<State>);

struct State {
    frames: Frames,
    left: u32,
    since: Instant,
    offence: Option<Offence>,
}

impl Meter {
    /// Of a client, whose frames somebody else counts.
    pub fn new() -> Self {
        Self(RefCell::new(State {
            frames: Frames::default(),
            left: BURST,
            since: clock::recent(),
            offence: None,
        }))
    }

    /// Of a connection to an endpoint, whose frames are found in what it sends. Heads count too: interim ones have no end.
    pub fn of_endpoint() -> Self {
        let meter = Self::new();
        meter.0.borrow_mut().frames = Frames { counts_heads: true, ..Frames::default() };
        meter
    }

    /// Whether the peer's settings have come, which are its first frame.
    pub fn has_settings(&self) -> bool {
        self.0.borrow().frames.first.is_some()
    }

    /// Counts what was read.
    pub(super) fn feed(&self, bytes: &[u8]) {
        let cost = self.0.borrow_mut().frames.count_idle(bytes);
        self.spend(cost);
        let mut state = self.0.borrow_mut();
        if state.frames.first.is_some_and(|first| first != SETTINGS) {
            state.offence = Some(Offence::NoSettings);
        }
    }

    /// So many frames that carry nothing have come.
    pub(super) fn spend(&self, frames: u32) {
        if frames == 0 {
            return;
        }
        let mut state = self.0.borrow_mut();
        if frames > state.left {
            state.refill(clock::recent());
        }
        if frames > state.left {
            state.offence = Some(Offence::Idling);
        }
        state.left = state.left.saturating_sub(frames);
    }

    /// A request came.
    pub(super) fn earn_stream(&self) {
        self.0.borrow_mut().earn(PER_STREAM);
    }

    /// A request was sent.
    pub fn earn_request(&self) {
        self.0.borrow_mut().earn(PER_REQUEST);
    }

    /// So many bytes were sent in one piece, or taken.
    pub fn earn_data(&self, len: usize) {
        let frames = u32::try_from(len / PAYLOAD_MAX).unwrap_or(BURST).saturating_add(1);
        self.0.borrow_mut().earn(frames.saturating_mul(PER_FRAME));
    }

    /// What the client does that it must not; nothing more is read from it then.
    pub fn offence(&self) -> Option<Offence> {
        self.0.borrow().offence
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn earn(&mut self, more: u32) {
        self.left = self.left.saturating_add(more).min(BURST);
    }

    fn refill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        // Whole ones only, so that no part of a second is lost.
        let more = (seconds * f64::from(PER_SECOND)) as u32;
        if more > 0 {
            self.since = now;
            self.earn(more);
        }
    }
}

/// Finds the headers of frames in what is read, however it comes.
#[derive(Default)]
struct Frames {
    /// Bytes of a payload still to come.
    skip: usize,
    header: [u8; HEADER_BYTES],
    have: usize,
    /// Kind and flags of the first one.
    first: Option<(u8, u8)>,
    /// Whether HEADERS count.
    counts_heads: bool,
}

impl Frames {
    /// How many frames of these bytes carry nothing.
    fn count_idle(&mut self, mut bytes: &[u8]) -> u32 {
        let mut idle = 0;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let taken = bytes.len().min(HEADER_BYTES - self.have);
            if let (Some(into), Some(from)) =
                (self.header.get_mut(self.have..self.have + taken), bytes.get(..taken))
            {
                into.copy_from_slice(from);
            }
            self.have += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.have == HEADER_BYTES {
                self.have = 0;
                idle += u32::from(self.take_header());
            }
        }
        idle
    }

    fn take_header(&mut self) -> bool {
        let Some(header) = Header::read(&self.header) else { return false };
        self.first.get_or_insert((header.kind, header.flags));
        self.skip = header.len;
        match header.kind {
            kind::DATA => self.skip == 0 && !header.has(flag::END_STREAM),
            // HEADERS of a client are bounded by what they open, CONTINUATION by what it continues.
            kind::HEADERS => self.counts_heads,
            kind::CONTINUATION => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests;
