//! What the cache did with a request: in nginx's words, and in `Cache-Status` (RFC 9211).

use crate::storable::Why;
use bifrons_http::ResponseHead;
use std::fmt::Write;

/// What the cache did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing was stored.
    Miss,
    /// It was told not to look.
    Bypass,
    /// What was stored was outdated, and was fetched anew.
    Expired,
    /// What was stored is outdated, and was given all the same.
    Stale,
    /// The same while it is fetched anew.
    Updating,
    /// The origin has confirmed what was stored.
    Revalidated,
    /// It was stored.
    Hit,
}

impl Status {
    /// nginx's word (`$upstream_cache_status`).
    pub fn word(self) -> &'static str {
        match self {
            Self::Miss => "MISS",
            Self::Bypass => "BYPASS",
            Self::Expired => "EXPIRED",
            Self::Stale => "STALE",
            Self::Updating => "UPDATING",
            Self::Revalidated => "REVALIDATED",
            Self::Hit => "HIT",
        }
    }
}

/// Why the origin was asked, where it is not what the store has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// It is.
    #[default]
    Store,
    /// What is stored is fresh, and the client wanted it otherwise.
    Request,
    /// Only answers to other variants of the request are stored.
    Variant,
}

/// What `Cache-Status` tells.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What the cache did.
    pub status: Status,
    /// How many seconds the answer is still fresh for; negative: how long it is stale.
    pub left_s: Option<i64>,
    /// The status of the origin's answer, where it was asked.
    pub forwarded: Option<u16>,
    /// Whether the origin's answer is stored.
    pub is_stored: bool,
    /// Whether another request's answer was shared.
    pub is_collapsed: bool,
    /// Why it is not stored.
    pub why: Option<Why>,
    /// Why the origin was asked.
    pub cause: Cause,
}

/// Adds this cache to the list (RFC 9211 2); the caches before it stand before it.
pub fn tell(head: &mut ResponseHead, told: &Told) {
    let mut value = String::from("bifrons");
    let _ = match told.status {
        Status::Hit | Status::Stale | Status::Updating => write!(value, "; hit"),
        Status::Miss if told.why == Some(Why::Method) => write!(value, "; fwd=method"),
        Status::Miss if told.cause == Cause::Variant => write!(value, "; fwd=vary-miss"),
        Status::Miss => write!(value, "; fwd=uri-miss"),
        Status::Bypass => write!(value, "; fwd=bypass"),
        Status::Expired | Status::Revalidated if told.cause == Cause::Request => {
            write!(value, "; fwd=request")
        }
        Status::Expired | Status::Revalidated => write!(value, "; fwd=stale"),
    };
    if let Some(status) = told.forwarded {
        let _ = write!(value, "; fwd-status={status}");
    }
    if let Some(left_s) = told.left_s {
        let _ = write!(value, "; ttl={left_s}");
    }
    if told.is_stored {
        value.push_str("; stored");
    }
    if told.is_collapsed {
        value.push_str("; collapsed");
    }
    if let Some(why) = told.why {
        let _ = write!(value, "; detail={}", why.word());
    }
    head.headers.append_as("Cache-Status", value.as_bytes());
}

#[cfg(test)]
mod tests;
