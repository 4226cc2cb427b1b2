//! Filters: what happens to a request before its action and to a response after it.

pub mod config;
