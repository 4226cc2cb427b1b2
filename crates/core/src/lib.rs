//! The words every crate shares: errors with a side and a retry rule, and the numbers that bound things.
//! No IO, no runtime.

pub mod error;
pub mod limits;
pub mod time;

pub use error::{Error, Kind, Retry, Side};
pub use limits::{Limits, NameRule, NameRules};

/// What most fallible functions of the way return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
