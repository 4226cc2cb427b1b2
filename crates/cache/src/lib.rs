//! A shared HTTP cache: its rules, and what of it is no way of a request.
//!
//! The rules are pure: heads and `now` in, decisions out, each with its section of RFC 9111. Where answers are kept is
//! `bifrons-store`; how a request goes through both is in `bifrons-flow`.

pub mod age;
pub mod answer;
pub mod conditions;
pub mod config;
pub mod control;
pub mod flight;
pub mod key;
pub mod plan;
pub mod range;
pub mod status;
pub mod storable;
pub mod stored;
#[cfg(test)]
mod testing;
pub mod vary;
pub mod zones;

pub use config::CacheConfig;
pub use plan::{CachePlan, CacheZone, Trouble};
pub use zones::{CacheZones, PlannedZone};
