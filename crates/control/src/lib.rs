//! Admin API and DNS re-resolution: what runs beside the way of a request, on the control thread.
//!
//! - [`resolve`]: clusters whose endpoints are names.
//! - [`admin`]: health, metrics, the running configuration, over HTTP.
//! - [`lookup`]: names that requests bring.
//! - [`health`]: active checks of endpoints.
//! - [`caches`]: metrics of caches, purges.
//! - [`replication`]: purges that nodes tell each other.
//! - [`dump`]: a configuration as text.

pub mod admin;
pub mod caches;
pub mod dump;
pub mod health;
pub mod lookup;
pub mod ocsp;
pub mod replication;
pub mod resolve;
