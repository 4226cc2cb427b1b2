//! What is written down about requests: metrics and the access log.
//!
//! - [`config`]: the configuration of the access log.
//! - [`CompiledFormat`]: a log format, ready to write records.
//! - [`AccessLogger`] (one a process), [`Log`] (one a destination of a host or route), [`LogBuffer`] (one a
//!   worker): records on their way to a [`sinks::Sink`].
//! - [`errors`]: logs of what went wrong with requests, in nginx's form.
//! - [`Registry`] (one a process), [`Shard`] (one a worker): counters, gauges and histograms, and their text.
//!
//! Times as logs write them are in `bifrons_core::time`.

pub mod access;
pub mod config;
pub mod errors;
mod escape;
pub mod format;
pub mod metrics;
pub mod sinks;
pub use bifrons_core::time;

pub use access::{AccessLogger, Log, LogBuffer};
pub use format::CompiledFormat;
pub use metrics::{
    CacheResult, CacheStats, ClusterStats, Counter, Exposition, Gauge, Histogram, ListenerStats, Metric,
    Refusal, Registry, RouteLabels, RouteStats, Shard,
};

/// The name of the machine, lower case as nginx's `$hostname`.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase()
}
