//! From text to typed values: YAML with places in every message, units, templates, suggestions.

pub mod place;
pub mod problem;
pub mod suggest;
pub mod template;
pub mod vars;

pub use place::{Place, Source};
pub use problem::{Problem, Problems};
pub use template::{Lookup, Part, Template, TemplateError};
pub use vars::Var;
