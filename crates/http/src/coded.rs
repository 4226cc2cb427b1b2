//! Bodies that are kept in the codings they were compressed to, so that each is compressed once.

use crate::message::Body;
use bytes::Bytes;

/// Keeps what a stored answer's body becomes. A cache hands it to the filters behind it.
pub trait CodedStore {
    /// The body as `how` makes it of `plain`; `None` where it isn't kept, or `plain` is no longer what is stored.
    fn find(&self, plain: &Body, how: &str) -> Option<Body>;

    /// What takes the body while it is made.
    fn keep(&self, plain: &Body, how: &str) -> Option<Box<dyn CodedSink>>;
}

/// Takes a body piece by piece. Dropped before its end, nothing is kept.
pub trait CodedSink {
    /// The next piece.
    fn push(&mut self, piece: &Bytes);

    /// All was there.
    fn finish(self: Box<Self>);
}
