//! End-to-end tests: the real binary, real sockets, real clients. Each test starts what it needs, on addresses
//! of its own, so that all of them run at once.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod clients;
mod config;
mod load;
mod nginx;
mod nginx_rows;
mod support;
mod traffic;

mod http1 {
    mod bodies;
    mod connections;
    mod fields;
    mod interim;
    mod upgrade;
}
mod framing {
    mod requests;
    mod responses;
}
mod limits {
    mod connections;
    mod messages;
    mod timeouts;
}
mod routing {
    mod actions;
    mod files;
    mod files_beside;
    mod hosts;
    mod internal;
    mod paths;
}
mod headers {
    mod chain;
    mod edits;
    mod forwarded;
}
mod clusters {
    mod health;
    mod policies;
    mod pool;
    mod retries;
}
mod operations {
    mod admin;
    mod logs;
    mod reload;
    mod service;
    mod stop;
    mod upgrade;
}
mod vars {
    pub(crate) mod beside;
    mod regex;
}
