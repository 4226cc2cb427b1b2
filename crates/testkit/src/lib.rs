//! What end-to-end tests are made of: the proxy as a child process, both ends of raw HTTP/1 connections,
//! scripted origins, network namespaces, and waits with deadlines.
//!
//! Everything here fails by panicking with what it saw, since its only callers are tests. Nothing is shared
//! with the proxy's own code: a codec that is wrong in the same way on both sides would prove nothing.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

pub mod addr;
pub mod binary;
pub mod certs;
pub mod message;
pub mod namespace;
pub mod origin;
pub mod proxy;
pub mod temp;
pub mod wait;
pub mod wire;

pub use addr::free_addr;
pub use certs::{Authority, KeyKind, Pair};
pub use message::Message;
pub use origin::Origin;
pub use proxy::Proxy;
pub use temp::TempDir;
pub use wait::{wait_for, wait_until};
pub use wire::{Cut, End, Wire};
