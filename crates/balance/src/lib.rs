//! Clusters' endpoints: which there are, which of them serve, and which one takes the next request.
//!
//! Pure: no IO, no runtime, no clock. Time comes in as `now_ms`, milliseconds of one monotonic clock
//! that all workers share. What workers share is atomics; what they don't, a policy's turn, is per worker.
//!
//! - [`Address`], [`EndpointConfig`], [`Balance`]: the configuration.
//! - [`EndpointSet`]: the endpoints of a cluster at one time, primaries first; immutable but for counters.
//! - [`SharedEndpoints`]: the current set of a cluster, replaced when names resolve anew.
//! - [`Cluster`]: one worker's view of it: [`Cluster::pick`] and [`Cluster::report`].
//! - [`policies`]: one file per balancing policy, listed in [`POLICIES`].

pub mod address;
pub mod cluster;
pub mod config;
mod crc;
pub mod endpoint;
pub mod health;
pub mod policies;
pub mod policy;
mod ring;
pub mod set;
#[cfg(test)]
mod testing;
pub mod times;
mod weights;

pub use address::{Address, AddressError, EndpointAddr};
pub use cluster::{Cluster, NoEndpoint, Picked, SharedEndpoints};
pub use config::EndpointConfig;
pub use endpoint::{Active, Endpoint, EndpointSpec, EndpointState, Spoken};
pub use health::{Change, Health, HealthRule, Outcome};
pub use policies::{Balance, POLICIES};
pub use policy::{BuildCx, PickCx, Policy, PolicyKind, Rng, Spec, TriedSet};
pub use set::{EndpointSet, Group, Rank};
