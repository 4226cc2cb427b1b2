//! What is written down about requests: metrics and the access log.

pub mod config;
