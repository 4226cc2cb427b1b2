//! From text to typed values: YAML with places in every message, units, templates, suggestions.

pub mod place;
pub mod problem;

pub use place::{Place, Source};
pub use problem::{Problem, Problems};
