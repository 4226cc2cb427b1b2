//! What the cache did with a request: in nginx's words, and in `Cache-Status` (RFC 9211).

use crate::storable::Why;
use bifrons_http::ResponseHead;

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
    /// What is stored is outdated: told of a request that waited for another's answer.
    Outdated,
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

/// Room for all that is ever told of one request.
const VALUE_BYTES: usize = 128;

/// Adds this cache to the list (RFC 9211 2); the caches before it stand before it.
pub fn tell(head: &mut ResponseHead, told: &Told) {
    let mut value = String::with_capacity(VALUE_BYTES);
    value.push_str(match told.status {
        // RFC 9211 2.6: such a one was on its way to the origin, and is none that was answered from the store.
        Status::Hit if told.is_collapsed => match told.cause {
            Cause::Store => "bifrons; fwd=uri-miss",
            Cause::Request => "bifrons; fwd=request",
            Cause::Variant => "bifrons; fwd=vary-miss",
            Cause::Outdated => "bifrons; fwd=stale",
        },
        Status::Hit | Status::Stale | Status::Updating => "bifrons; hit",
        Status::Miss if told.why == Some(Why::Method) => "bifrons; fwd=method",
        Status::Miss if told.cause == Cause::Variant => "bifrons; fwd=vary-miss",
        Status::Miss => "bifrons; fwd=uri-miss",
        Status::Bypass => "bifrons; fwd=bypass",
        Status::Expired | Status::Revalidated if told.cause == Cause::Request => "bifrons; fwd=request",
        Status::Expired | Status::Revalidated => "bifrons; fwd=stale",
    });
    // Hits say no more than how long they last: that is to cost nothing.
    if let Some(status) = told.forwarded {
        value.push_str("; fwd-status=");
        value.push_str(itoa::Buffer::new().format(status));
    }
    if let Some(left_s) = told.left_s {
        value.push_str("; ttl=");
        value.push_str(itoa::Buffer::new().format(left_s));
    }
    if told.is_stored {
        value.push_str("; stored");
    }
    if told.is_collapsed {
        value.push_str("; collapsed");
    }
    if let Some(why) = told.why {
        value.push_str("; detail=");
        value.push_str(why.word());
    }
    head.headers.append_as("Cache-Status", value.as_bytes());
}

#[cfg(test)]
mod tests;
