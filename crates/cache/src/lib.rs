//! A shared HTTP cache.
//!
//! The rules are pure: heads and `now` in, decisions out, each with its section of RFC 9111. Stores keep what the
//! rules let them; what is fetched at the moment is a [`growing::Growing`] body that everybody who waits for it
//! reads while it arrives.

pub mod entry;
pub mod growing;

pub use entry::{Entry, Key, Meta};
