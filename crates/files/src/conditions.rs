//! The conditions of a request, in the order of RFC 9110 13.2.2.

use crate::etag::{self, Comparison};
use crate::options::IfModifiedSince;
use bifrons_http::{Headers, Name, date};
use std::time::UNIX_EPOCH;

/// What a condition is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    /// Our tag, strong, with its quotes; `None` where we send none.
    pub(crate) etag: Option<&'a str>,
    /// `Last-Modified`, in seconds since 1970.
    pub(crate) modified_s: Option<i64>,
}

/// What the conditions ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The file.
    Send,
    /// 304: the client has it.
    NotModified,
    /// 412: the client means another state of it.
    Failed,
}

/// Holds the conditions of a GET or HEAD against the file.
pub(crate) fn evaluate(headers: &Headers, ours: Validators<'_>, since: IfModifiedSince) -> Verdict {
    if headers.has(Name::IfMatch) {
        if !etag::covers(headers.get_all(Name::IfMatch), ours.etag, Comparison::Strong) {
            return Verdict::Failed;
        }
    } else if let (Some(modified), Some(date)) = (ours.modified_s, date_in(headers, Name::IfUnmodifiedSince))
        && modified > date
    {
        return Verdict::Failed;
    }
    if headers.has(Name::IfNoneMatch) {
        if etag::covers(headers.get_all(Name::IfNoneMatch), ours.etag, Comparison::Weak) {
            return Verdict::NotModified;
        }
    } else if let (Some(modified), Some(date)) = (ours.modified_s, date_in(headers, Name::IfModifiedSince))
        && match since {
            IfModifiedSince::Before => modified <= date,
            IfModifiedSince::Exact => modified == date,
            IfModifiedSince::Off => false,
        }
    {
        return Verdict::NotModified;
    }
    Verdict::Send
}

/// Whether `Range` counts (RFC 9110 13.1.5): without `If-Range`, or where that names the file as it is, by
/// its tag or by exactly its date.
pub(crate) fn if_range_holds(headers: &Headers, ours: Validators<'_>) -> bool {
    match only(headers, Name::IfRange) {
        Only::None => true,
        Only::One(value) if value.contains(&b'"') => ours.etag.is_some_and(|etag| etag::is_ours(value, etag)),
        Only::One(value) => ours.modified_s.is_some() && seconds(value) == ours.modified_s,
        Only::Several => false,
    }
}

/// The lines of a field that may come once.
pub(crate) enum Only<'a> {
    None,
    One(&'a [u8]),
    Several,
}

/// The one line of a field.
pub(crate) fn only(headers: &Headers, name: Name) -> Only<'_> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Only::None,
        (Some(value), None) => Only::One(value),
        (Some(_), Some(_)) => Only::Several,
    }
}

/// The date of a condition; none where it is no date, or several, which voids the condition
/// (RFC 9110 13.1.3, 13.1.4).
fn date_in(headers: &Headers, name: Name) -> Option<i64> {
    match only(headers, name) {
        Only::One(value) => seconds(value),
        Only::None | Only::Several => None,
    }
}

fn seconds(date: &[u8]) -> Option<i64> {
    let since = date::parse(date)?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

#[cfg(test)]
mod tests;
