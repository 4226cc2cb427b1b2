//! The word an error has in logs and metrics.

use bifrons_core::{Error, Kind, Side};

/// `SIDE_kind`, such as `upstream_timeout`; the vocabulary of `$termination` and of
/// `bifrons_errors_total{kind}`.
pub fn word(err: &Error) -> &'static str {
    let down = err.side() == Side::Downstream;
    match err.kind() {
        Kind::Malformed if down => "client_malformed",
        Kind::Malformed => "upstream_malformed",
        Kind::UriTooLong => "uri_too_long",
        Kind::HeadTooLarge if down => "client_head_too_large",
        Kind::HeadTooLarge => "upstream_head_too_large",
        Kind::BodyTooLarge => "body_too_large",
        Kind::Version => "version",
        Kind::Method => "method",
        Kind::TransferCoding => "transfer_coding",
        Kind::NoRoute => "no_route",
        Kind::Loop => "loop",
        Kind::TooManyReroutes => "too_many_reroutes",
        Kind::NotFound => "not_found",
        Kind::Forbidden => "forbidden",
        Kind::Timeout if down => "client_timeout",
        Kind::Timeout => "upstream_timeout",
        Kind::Deadline => "deadline",
        Kind::Closed if down => "client_closed",
        Kind::Closed => "upstream_closed",
        Kind::Reset if down => "client_reset",
        Kind::Reset => "upstream_reset",
        Kind::Connect => "upstream_connect",
        Kind::NoEndpoint => "no_endpoint",
        Kind::Busy if down => "too_many",
        Kind::Busy => "upstream_busy",
        Kind::Dropped => "dropped",
        Kind::TunnelIdle => "tunnel_idle",
        Kind::PlainText => "plain_text",
        Kind::ClientCertificate => "client_certificate",
        Kind::Misdirected => "misdirected",
        Kind::TooEarly => "too_early",
        Kind::Internal => "internal",
    }
}

/// All words, for the metrics' series.
pub const WORDS: &[&str] = &[
    "client_malformed",
    "upstream_malformed",
    "uri_too_long",
    "client_head_too_large",
    "upstream_head_too_large",
    "body_too_large",
    "version",
    "method",
    "transfer_coding",
    "no_route",
    "loop",
    "too_many_reroutes",
    "not_found",
    "forbidden",
    "client_timeout",
    "upstream_timeout",
    "deadline",
    "client_closed",
    "upstream_closed",
    "client_reset",
    "upstream_reset",
    "upstream_connect",
    "no_endpoint",
    "too_many",
    "upstream_busy",
    "dropped",
    "tunnel_idle",
    "plain_text",
    "client_certificate",
    "misdirected",
    "too_early",
    "internal",
];

#[cfg(test)]
mod tests;
