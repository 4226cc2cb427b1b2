//! The table of directives: one list a file, one row a directive.
//!
//! A new directive is a row in the list of its family: name, where it may stand, arguments, what it does and
//! the function that does it. A setting that blocks inherit is besides a field of the family's `settings!`,
//! read where the family writes the model. A new family is a file and a line in [`LISTS`].

pub(crate) mod accepted;
pub(crate) mod access;
pub(crate) mod buffering;
pub(crate) mod caching;
pub(crate) mod compression;
pub(crate) mod connection;
pub(crate) mod core;
pub(crate) mod events;
pub(crate) mod expires;
pub(crate) mod files;
pub(crate) mod grpc;
pub(crate) mod headers;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod http2;
pub(crate) mod in_flight;
pub(crate) mod internal;
pub(crate) mod later;
pub(crate) mod later_cgi;
pub(crate) mod location;
pub(crate) mod log;
pub(crate) mod proxy;
pub(crate) mod proxy_answers;
pub(crate) mod proxy_pass;
pub(crate) mod proxy_ssl;
pub(crate) mod realip;
pub(crate) mod referer;
pub(crate) mod resolver;
pub(crate) mod rewrite;
pub(crate) mod server;
pub(crate) mod ssl;
pub(crate) mod static_files;
pub(crate) mod sticky;
pub(crate) mod stream;
pub(crate) mod sub;
pub(crate) mod upstream;
pub(crate) mod variables;

use crate::directive::{Contexts, Spec, Status};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The lists, in the order of the reference page.
const LISTS: &[(&str, &[Spec])] = &[
    ("Process", core::DIRECTIVES),
    ("Events", events::DIRECTIVES),
    ("Servers", http::DIRECTIVES),
    ("Servers", server::DIRECTIVES),
    ("Locations", location::DIRECTIVES),
    ("Rewriting", rewrite::DIRECTIVES),
    ("From one location to another", internal::DIRECTIVES),
    ("Connections of clients", connection::DIRECTIVES),
    ("TLS", ssl::DIRECTIVES),
    ("Real address of the client", realip::DIRECTIVES),
    ("Access", access::DIRECTIVES),
    ("Access", referer::DIRECTIVES),
    ("Access", in_flight::DIRECTIVES),
    ("Proxying", proxy_pass::DIRECTIVES),
    ("Proxying", proxy::DIRECTIVES),
    ("Proxying", proxy_ssl::DIRECTIVES),
    ("Proxying", proxy_answers::DIRECTIVES),
    ("gRPC", grpc::DIRECTIVES),
    ("Bodies", buffering::DIRECTIVES),
    ("Bodies", sub::DIRECTIVES),
    ("Compression", compression::DIRECTIVES),
    ("Caching", caching::DIRECTIVES),
    ("Upstreams", upstream::DIRECTIVES),
    ("Upstreams", sticky::DIRECTIVES),
    ("Upstreams", health::DIRECTIVES),
    ("Upstreams", resolver::DIRECTIVES),
    ("HTTP/2", http2::DIRECTIVES),
    ("Layer 4", stream::DIRECTIVES),
    ("Fields of answers", headers::DIRECTIVES),
    ("Fields of answers", expires::DIRECTIVES),
    ("Files", files::DIRECTIVES),
    ("Files", static_files::DIRECTIVES),
    ("Variables", variables::DIRECTIVES),
    ("Logs", log::DIRECTIVES),
    ("Accepted", accepted::DIRECTIVES),
    ("Not yet", later::DIRECTIVES),
    ("Not yet", later_cgi::DIRECTIVES),
];

/// The rows of a name; several where it means different things in different blocks.
pub(crate) fn named(name: &str) -> &'static [&'static Spec] {
    static BY_NAME: LazyLock<HashMap<&str, Vec<&Spec>>> = LazyLock::new(|| {
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        for spec in all() {
            by_name.entry(spec.name).or_default().push(spec);
        }
        by_name
    });
    BY_NAME.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a directive of that name is known, supported or not.
pub fn knows(name: &str) -> bool {
    !named(name).is_empty()
}

/// Whether a directive of that name does here what it does in nginx, in some block, or need not.
pub fn supports(name: &str) -> bool {
    named(name).iter().any(|spec| is_there(spec))
}

/// The same for blocks of `stream`.
pub fn supports_in_stream(name: &str) -> bool {
    let blocks = Contexts::STREAMS.or(Contexts::STREAM_UPSTREAM);
    named(name).iter().any(|spec| is_there(spec) && spec.contexts.meets(blocks))
}

fn is_there(spec: &Spec) -> bool {
    !matches!(spec.status, Status::Later { .. })
}

/// All rows.
pub(crate) fn all() -> impl Iterator<Item = &'static Spec> {
    LISTS.iter().flat_map(|(_, list)| list.iter())
}

/// All rows with the title of their list, in the order of the reference page.
pub(crate) fn lists() -> impl Iterator<Item = (&'static str, &'static [Spec])> {
    LISTS.iter().copied()
}

#[cfg(test)]
mod tests;
