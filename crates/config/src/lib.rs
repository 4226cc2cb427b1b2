//! From text to typed values: YAML with places in every message, units, templates, suggestions.

pub mod at;
pub mod one_or_many;
pub mod place;
pub mod problem;
pub mod suggest;
pub mod template;
pub mod units;
pub mod vars;
pub mod yaml;

pub use at::At;
pub use one_or_many::OneOrMany;
pub use place::{Place, Source};
pub use problem::{Problem, Problems};
pub use template::{Lookup, Part, Template, TemplateError};
pub use units::{Dur, Ratio, Size, UnitError};
pub use vars::Var;
