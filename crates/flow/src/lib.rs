//! THE WAY of a request, one file per step. Read them in this order:
//!
//! 1. [`listen`]: one listener on one worker: accept, connection limits, drain.
//! 2. [`conn`]: one connection: which protocol it speaks. [`first`]: where its first bytes decide that;
//!    [`proxy_header`]: the PROXY protocol; [`starttls`]: TLS that another protocol's words ask for.
//!    [`secure`]: its TLS: the name the client gives, the handshake.
//! 3. [`serve`]: one file per downstream protocol.
//! 4. [`request`]: one request on one screen: route, filters, action, filters.
//!    [`routing`] finds host and route, [`action`] is what a route does, [`outcome`] what comes of it:
//!    the answer, or another route; [`cache`]: answers that are stored.
//! 5. [`forward`]: attempt after attempt: retries, budgets, deadlines. [`destination`] says which cluster, [`lookup`] finds names
//!    that only the request tells,
//!    [`sticky`] which of its endpoints a session belongs to, [`queue`] holds those that must wait.
//!    [`forwarded`]: who the client is and what the next hop is told; [`bodies`]: bodies that are collected
//!    first, or replaced; `call`: calls of gRPC, whose time is bounded and whose errors are no pages.
//! 6. [`attempt`]: one try: pick an endpoint, take or dial a connection, send, wait for the head.
//! 7. [`relay`]: bytes both ways: bodies, upgrades.
//! 8. [`respond`]: every error becomes an answer here and only here.
//! 9. [`record`]: access log and metrics. [`complaint`]: what went wrong, for an error log in nginx's form.
//!
//! Beside the way: [`snapshot`] (what a request is decided by), [`build`] (from `Config` to it),
//! [`worker`] (the thread and its state), [`shared`] (what outlives a snapshot),
//! `takeover` (idle connections of sibling workers), `pin` (those that are one client's own),
//! `upload` (a request's body on its way).

pub mod action;
pub mod attempt;
pub mod bodies;
pub mod build;
pub mod cache;
mod call;
pub mod complaint;
pub mod conn;
pub mod destination;
pub mod first;
pub mod forward;
pub mod forwarded;
pub mod listen;
pub mod lookup;
pub mod outcome;
mod pin;
pub mod proxy_header;
pub mod queue;
pub mod record;
pub mod relay;
pub mod request;
pub mod respond;
pub mod routing;
pub mod secure;
pub mod serve;
pub mod shared;
pub mod snapshot;
pub mod starttls;
pub mod sticky;
mod takeover;
mod upload;
pub mod worker;

pub use build::build;
pub use shared::Shared;
pub use snapshot::Snapshot;
pub use worker::{Command, Worker};
