//! Variables that the configuration computes: from another value by a map, from an address by its network,
//! from a hash by shares. nginx's `map`, `geo` and `split_clients`.
//!
//! A variable is computed when something first asks for it, and then kept for the request. A request that
//! asks for none pays nothing.

pub mod config;
pub mod geo;
pub mod map;
pub mod set;
pub mod split;

pub use config::{Geo, Map, Share, Split, Variable};
pub use set::{VariableProblem, VariableSet};
