//! Filters: what happens to a request before its action and to a response after it.
//! `deny_path` is the smallest one and the template for the rest.

pub mod access;
pub mod basic_auth;
pub mod chain;
pub mod charset;
pub mod compress;
pub mod config;
pub mod cut_ranges;
pub mod decompress;
pub mod deny_path;
pub mod edits;
pub mod expires;
pub mod fault;
pub mod filter;
pub mod grpc_web;
pub mod hide_fields;
pub mod in_flight;
pub mod replace_body;
pub mod request_headers;
pub mod response_headers;
pub mod response_trailers;
pub mod rewrite;
pub mod rewrite_cookies;
pub mod rewrite_location;
pub mod satisfy_any;
pub mod spec;
pub mod strict_transport_security;
#[cfg(test)]
mod testing;
pub mod value_rule;

pub use chain::{Chain, Passed};
pub use filter::{Filter, Step, Turn, Waiting};

spec::filters! {
    /// Changes the fields of requests.
    RequestHeaders(request_headers::Config),
    /// Changes the fields of responses.
    ResponseHeaders(response_headers::Config),
    /// Adds fields behind the body of responses.
    ResponseTrailers(response_trailers::Config),
    /// Says how long answers may be kept.
    Expires(expires::Config),
    /// Says which characters texts are written in.
    Charset(charset::Config),
    /// Compresses bodies for clients that accept it.
    Compress(compress::Config),
    /// Decompresses bodies for clients that don't.
    Decompress(decompress::Config),
    /// Cuts the range that is asked for out of whole answers.
    CutRanges(cut_ranges::Config),
    /// Answers 403 under path prefixes.
    DenyPath(deny_path::Config),
    /// Delays or refuses a share of the requests.
    Fault(fault::Config),
    /// Replaces a text in response bodies.
    ReplaceBody(replace_body::Config),
    /// Sets variables, changes the path, tests, answers, or hands the request to another route.
    Rewrite(rewrite::Config),
    /// Lets clients in or refuses them by their addresses.
    Access(access::Config),
    /// Limits how many requests of a client, or of another kind, are served at once.
    InFlight(in_flight::Config),
    /// Asks for a name and a password.
    BasicAuth(basic_auth::Config),
    /// Lets a request pass when one of several filters does.
    SatisfyAny(satisfy_any::Config),
    /// Translates gRPC-Web into gRPC and back.
    GrpcWeb(grpc_web::Config),
    /// Hides fields of responses.
    HideFields(hide_fields::Config),
    /// Rewrites redirects.
    RewriteLocation(rewrite_location::Config),
    /// Rewrites cookies.
    RewriteCookies(rewrite_cookies::Config),
    /// Tells browsers to come by HTTPS only.
    StrictTransportSecurity(strict_transport_security::Config),
}

#[cfg(test)]
mod tests;
