//! End-to-end tests: the real binary, real sockets, real clients. Each test starts what it needs, on addresses
//! of its own, so that all of them run at once.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod clients;
mod compare;
mod config;
mod layer4;
mod load;
mod nginx;
mod nginx_rows;
mod postgres;
mod stream;
mod support;
mod traffic;
mod udp;
mod websocket;

mod http1 {
    mod bodies;
    mod connections;
    mod endings;
    mod fields;
    mod halfway;
    mod interim;
    mod leaving;
    mod upgrade;
}
mod http2 {
    mod abuse;
    mod choice;
    pub(crate) mod client;
    mod encrypted;
    mod endings;
    mod hoarding;
    mod nginx;
    mod programs;
    mod requests;
    mod rfc;
    mod upstream;
    mod websockets;
}
mod grpc {
    mod calls;
    mod errors;
    mod health;
    mod nginx;
    mod peers;
    mod web;
}
mod buffering {
    mod answers;
    mod rates;
    mod requests;
    mod sent;
    mod streams;
}
mod cache {
    mod coded;
    mod edge;
    mod metrics;
    mod nginx;
    mod nodes;
    mod poisoning;
    mod purging;
    mod ranges;
    mod requests;
    mod rules;
    mod script;
    mod sharing;
    mod storage;
    mod support;
    mod tiers;
    mod zones;
}
mod framing {
    mod names;
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
    mod demo;
    mod edits;
    mod forwarded;
}
mod nginx_proxy {
    mod answers;
    mod clients;
    mod targets;
    mod upstreams;
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
    mod nginx;
    mod reload;
    mod service;
    mod stop;
    mod upgrade;
}
mod tls {
    mod chromium;
    mod clients;
    mod early;
    mod fields;
    mod listeners;
    mod nginx;
    mod ocsp;
    pub(crate) mod support;
    mod testssl;
    mod upstream;
    mod watch;
    mod whole;
}
mod vars {
    mod access;
    pub(crate) mod beside;
    mod logs;
    mod maps;
    mod regex;
}
