//! Large answers in slices of one size: each is asked for by a range of its own and stored under a key of its own
//! (RFC 9111 3.3, 3.4), as nginx's module of that name does it.

use bifrons_http::range::parse_content_range;
use bifrons_http::{Name, RequestHead, ResponseHead};
use std::ops::Range;

/// The slice of that size that a byte is in.
pub fn slice_at(at: u64, size: u64) -> Range<u64> {
    let start = at - at % size.max(1);
    start..start.saturating_add(size)
}

/// The slice that is asked for first. The first one of all where only the answer tells which parts are wanted: a suffix,
/// several ranges, `If-Range`.
pub fn first_slice(req: &RequestHead, size: u64) -> Range<u64> {
    let at = match req.headers.has(Name::IfRange) {
        true => None,
        false => crate::range::begins_at(req),
    };
    slice_at(at.unwrap_or(0), size)
}

/// What makes the slice's answers different from those of others.
pub fn write_key(slice: &Range<u64>, out: &mut Vec<u8>) {
    // No target and no field has a line feed.
    out.extend_from_slice(format!("\nslice {}-{}", slice.start, slice.end).as_bytes());
}

/// What the slices of one version of an answer have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Bytes of the whole.
    pub len: u64,
    etag: Option<Box<[u8]>>,
    changed: Option<Box<[u8]>>,
}

impl Version {
    /// Of a 206 that has exactly that slice, or what of it there is; `None` for anything else.
    pub fn of(head: &ResponseHead, slice: &Range<u64>) -> Option<Self> {
        if head.status != 206 {
            return None;
        }
        let (part, len) = parse_content_range(head.headers.get(Name::ContentRange)?)?;
        let text = |name: Name| head.headers.get(name).map(Into::into);
        let is_it = part.start == slice.start && part.end == slice.end.min(len);
        is_it.then(|| Self { len, etag: text(Name::Etag), changed: text(Name::LastModified) })
    }

    /// Whether slices of both may stand beside each other: by their tags, else by when they changed.
    pub fn is_of(&self, other: &Self) -> bool {
        self.len == other.len
            && self.etag == other.etag
            && (self.etag.is_some() || self.changed == other.changed)
    }
}

/// The slice that a stored answer is, if it is one.
pub fn slice_of(head: &ResponseHead) -> Option<Range<u64>> {
    let (part, _) = parse_content_range(head.headers.get(Name::ContentRange)?)?;
    (head.status == 206).then_some(part)
}

#[cfg(test)]
mod tests;
