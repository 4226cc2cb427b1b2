//! Conditional requests: answered from the store, made by it, and what comes of them (RFC 9110 13, RFC 9111 4.3).

use crate::config::Standard;
use bifrons_http::headers::list_members;
use bifrons_http::{Headers, Name, RequestHead, ResponseHead, date};
use std::time::SystemTime;

/// What a stored answer is for a request with conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the answer.
    Send,
    /// The client has it: 304.
    NotModified,
    /// The client wants another: 412.
    Failed,
}

/// Evaluates the conditions that a cache may evaluate, in their order (RFC 9110 13.2.2); `If-Match` and
/// `If-Unmodified-Since` only where `all` is asked for, since they are for origins (RFC 9111 4.3.2).
pub fn evaluate(req: &RequestHead, stored: &ResponseHead, all: bool) -> Outcome {
    let (asked, have) = (&req.headers, &stored.headers);
    if stored.status != 200 {
        return Outcome::Send;
    }
    if all && is_failed(asked, have) {
        return Outcome::Failed;
    }
    if asked.has(Name::IfNoneMatch) {
        let etag = have.get(Name::Etag).map(Etag::of);
        let mut members = asked.get_all(Name::IfNoneMatch).flat_map(list_members);
        let matches =
            members.any(|member| member == b"*" || etag.is_some_and(|etag| etag.is_weakly(Etag::of(member))));
        return if matches { Outcome::NotModified } else { Outcome::Send };
    }
    let Some(since) = only_date(asked, Name::IfModifiedSince) else { return Outcome::Send };
    // RFC 9110 13.1.3; without a date of its own an answer is as old as it says it is.
    match only_date(have, Name::LastModified).or_else(|| only_date(have, Name::Date)) {
        Some(changed) if changed <= since => Outcome::NotModified,
        _ => Outcome::Send,
    }
}

fn is_failed(asked: &Headers, have: &Headers) -> bool {
    if asked.has(Name::IfMatch) {
        let etag = have.get(Name::Etag).map(Etag::of);
        let mut members = asked.get_all(Name::IfMatch).flat_map(list_members);
        return !members
            .any(|member| member == b"*" || etag.is_some_and(|etag| etag.is_strongly(Etag::of(member))));
    }
    match (only_date(asked, Name::IfUnmodifiedSince), only_date(have, Name::LastModified)) {
        (Some(since), Some(changed)) => changed > since,
        _ => false,
    }
}

/// Whether `If-Range` lets a part be sent (RFC 9110 13.1.5): strong validators only.
pub fn allows_range(req: &RequestHead, have: &Headers, standard: Standard) -> bool {
    let Some(wanted) = req.headers.get(Name::IfRange) else { return true };
    match wanted {
        [b'"', ..] | [b'W', b'/', ..] => {
            have.get(Name::Etag).is_some_and(|etag| Etag::of(etag).is_strongly(Etag::of(wanted)))
        }
        _ => {
            let changed = only_date(have, Name::LastModified);
            // What changes twice in the second of the answer has the same date twice (RFC 9110 8.8.2.2).
            let is_strong = || only_date(have, Name::Date).is_none_or(|made| changed < Some(made));
            let is_it = changed.is_some() && date::parse(wanted.trim_ascii()) == changed;
            is_it && (standard == Standard::Nginx || is_strong())
        }
    }
}

/// Whether a request asks what only an origin may answer.
pub fn is_for_origin(req: &RequestHead) -> bool {
    req.headers.has(Name::IfMatch) || req.headers.has(Name::IfUnmodifiedSince)
}

/// Puts in place of a client's conditions those that ask whether `stored` is still right (RFC 9111 4.3.1). Says whether
/// there is anything to ask by.
pub fn ask_about(head: &mut RequestHead, stored: &ResponseHead) -> bool {
    drop_conditions(head);
    let etag = stored.headers.get(Name::Etag);
    let changed = stored.headers.get(Name::LastModified);
    if let Some(etag) = etag {
        head.headers.append_as("If-None-Match", etag);
    }
    if let Some(changed) = changed {
        head.headers.append_as("If-Modified-Since", changed);
    }
    etag.is_some() || changed.is_some()
}

/// Fields by which a request asks for less than the whole.
const CONDITIONS: [Name; 6] = [
    Name::IfMatch,
    Name::IfNoneMatch,
    Name::IfModifiedSince,
    Name::IfUnmodifiedSince,
    Name::IfRange,
    Name::Range,
];

/// Whether a request has conditions, or asks for a range.
pub fn has_any(req: &RequestHead) -> bool {
    CONDITIONS.iter().any(|name| req.headers.has(*name))
}

/// Takes a client's conditions and ranges out of a request whose answer is for all.
pub fn drop_conditions(head: &mut RequestHead) {
    for name in CONDITIONS {
        head.headers.remove(name);
    }
}

/// Whether a 304, or the head of a HEAD, is about the stored answer (RFC 9111 4.3.4, 4.3.5).
pub fn is_about(answer: &Headers, stored: &Headers) -> bool {
    if let Some(etag) = answer.get(Name::Etag) {
        return stored.get(Name::Etag).is_some_and(|have| Etag::of(have).is_weakly(Etag::of(etag)));
    }
    match answer.get(Name::LastModified) {
        Some(changed) => stored.get(Name::LastModified).is_none_or(|have| have == changed),
        None => true,
    }
}

/// The stored head with the fields of an answer that confirms it (RFC 9111 3.2): all of them, but those that describe the
/// body that is stored, and those of one connection.
pub fn updated(stored: &ResponseHead, answer: &Headers) -> ResponseHead {
    let named: Vec<&[u8]> = answer.get_all(Name::Connection).flat_map(list_members).collect();
    let is_taken = |id: Name, name: &[u8]| {
        !id.is_hop_by_hop()
            && !matches!(
                id,
                Name::Age
                    | Name::ContentLength
                    | Name::ContentEncoding
                    | Name::ContentRange
                    | Name::Etag
                    | Name::Vary
                    | Name::ProxyAuthenticate
                    | Name::ProxyAuthorization
            )
            // Where cookies are stored at all, the new one is.
            && (id != Name::SetCookie || stored.headers.has(id))
            && !name.eq_ignore_ascii_case(b"content-md5")
            && !name.eq_ignore_ascii_case(b"proxy-authentication-info")
            && !named.iter().any(|other| name.eq_ignore_ascii_case(other))
    };
    let mut head = ResponseHead::new(stored.status);
    for (id, name, value) in stored.headers.iter() {
        if !(is_taken(id, name) && answer.has(name)) {
            head.headers.append(name, value);
        }
    }
    for (id, name, value) in answer.iter() {
        if is_taken(id, name) {
            head.headers.append(name, value);
        }
    }
    head
}

fn only_date(headers: &Headers, name: Name) -> Option<SystemTime> {
    headers.get(name).and_then(|value| date::parse(value.trim_ascii()))
}

/// An entity tag (RFC 9110 8.8.3).
#[derive(Clone, Copy)]
struct Etag<'a> {
    is_weak: bool,
    opaque: &'a [u8],
}

impl<'a> Etag<'a> {
    /// What has no quotes is compared as if it had.
    fn of(text: &'a [u8]) -> Self {
        let (is_weak, rest) = match text.trim_ascii() {
            [b'W', b'/', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let opaque = match rest {
            [b'"', inner @ .., b'"'] => inner,
            _ => rest,
        };
        Self { is_weak, opaque }
    }

    /// RFC 9110 8.8.3.2.
    fn is_weakly(self, other: Self) -> bool {
        self.opaque == other.opaque
    }

    fn is_strongly(self, other: Self) -> bool {
        !self.is_weak && !other.is_weak && self.opaque == other.opaque
    }
}

#[cfg(test)]
mod tests;
