//! Bodies that are kept in the codings they were compressed to, so that each is compressed once.

use crate::message::Body;

/// Keeps what a stored answer's body becomes. A cache hands it to the filters behind it.
pub trait CodedStore {
    /// Whether that is the stored body as a whole, and nobody has changed it.
    fn is_of(&self, body: &Body) -> bool;

    /// The body as `how` makes it, where that is kept or being made.
    fn find(&self, how: &str) -> Option<Body>;

    /// Keeps what `how` makes of the body, and gives back what is to be read in its place: it is made whether its
    /// client stays or not, and others read it meanwhile.
    fn keep(&self, how: &str, coded: Body) -> Body;
}
