//! What is fuzzed, and with which texts to begin. A target takes bytes and panics where they lead to
//! something that must not be.

#![allow(clippy::unwrap_used, reason = "a panic is how a target says what it found")]

pub mod mutate;
pub mod seeds;
pub mod targets;

/// A target: its name and what it does with bytes.
pub struct Target {
    /// The name of its file in fuzz_targets/ and of its folder in seeds/.
    pub name: &'static str,
    /// Runs it once.
    pub run: fn(&[u8]),
    /// Words of its language, for mutations.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "request_head", run: targets::request_head::run, words: targets::HTTP_WORDS },
    Target { name: "response_head", run: targets::response_head::run, words: targets::HTTP_WORDS },
    Target { name: "chunked", run: targets::chunked::run, words: targets::chunked::WORDS },
    Target { name: "http2_frames", run: targets::http2_frames::run, words: targets::http2_frames::WORDS },
    Target { name: "nginx_conf", run: targets::nginx_conf::run, words: targets::nginx_conf::WORDS },
    Target { name: "yaml_config", run: targets::yaml_config::run, words: targets::yaml_config::WORDS },
    Target {
        name: "path_normalize",
        run: targets::path_normalize::run,
        words: targets::path_normalize::WORDS,
    },
    Target { name: "client_hello", run: targets::client_hello::run, words: targets::client_hello::WORDS },
];
