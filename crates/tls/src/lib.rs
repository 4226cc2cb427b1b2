//! TLS: certificates and which of them is shown, certificates of clients, tickets, what endpoints must prove.
//!
//! The records themselves are `bifrons_net::tls`; what a connection's requests may ask about it is
//! [`bifrons_http::TlsFacts`].

pub mod certificate;
pub mod client_auth;
pub mod client_cert_field;
pub mod config;
pub mod facts;
mod files;
pub mod hello;
pub mod ocsp;
mod resolver;
mod san;
pub mod server;
pub mod store;
pub mod suites;
pub mod tickets;
pub mod upstream;
mod verify;

pub use certificate::Fit;
pub use client_auth::Worth;
pub use client_cert_field::ForwardClientCert;
pub use config::{ServerTls, UpstreamTls};
pub use resolver::Resolver;
pub use server::{Cx, TlsPlan, Wrong};
pub use store::Store;
pub use upstream::UpstreamPlan;
