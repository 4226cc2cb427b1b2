//! Entity tags: ours, and lists of them in conditions (RFC 9110 8.8.3, 13.1).

use crate::open::Facts;

/// The tag of a file, as nginx makes it: seconds of its last change and length, in hexadecimal, strong.
pub(crate) fn of(facts: &Facts) -> String {
    format!("\"{:x}-{:x}\"", facts.modified_s, facts.len)
}

/// How tags are compared (RFC 9110 8.8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// A weak tag equals none.
    Strong,
    /// Weakness is passed over.
    Weak,
}

/// A tag as a client sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntityTag<'a> {
    pub(crate) is_weak: bool,
    /// With its quotes.
    pub(crate) opaque: &'a [u8],
}

impl EntityTag<'_> {
    /// Whether it equals `ours`, which is strong.
    fn equals(self, ours: &str, comparison: Comparison) -> bool {
        (comparison == Comparison::Weak || !self.is_weak) && self.opaque == ours.as_bytes()
    }
}

/// Whether a condition's values (`If-Match`, `If-None-Match`) are `*` or name our tag.
pub(crate) fn covers<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
    ours: Option<&str>,
    comparison: Comparison,
) -> bool {
    let is_ours = |tag: EntityTag<'_>| ours.is_some_and(|ours| tag.equals(ours, comparison));
    values.any(|value| value.trim_ascii() == b"*" || list(value).any(is_ours))
}

/// Whether a value is one tag that equals ours by the strong comparison (`If-Range`, RFC 9110 13.1.5).
pub(crate) fn is_ours(value: &[u8], ours: &str) -> bool {
    first(value.trim_ascii())
        .is_some_and(|(tag, rest)| rest.is_empty() && tag.equals(ours, Comparison::Strong))
}

/// The tags of a list. A member that is none is passed over up to the next comma. Unlike in quoted strings,
/// a backslash in a tag is just a byte.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = EntityTag<'_>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return None;
            }
            let tag = first(rest);
            let behind = tag.map_or(rest, |(_, behind)| behind);
            let comma = behind.iter().position(|&b| b == b',').unwrap_or(behind.len());
            let is_member = behind.get(..comma).unwrap_or_default().trim_ascii().is_empty();
            rest = behind.get(comma + 1..).unwrap_or_default();
            if let Some((tag, _)) = tag
                && is_member
            {
                return Some(tag);
            }
        }
    })
}

/// The tag `text` begins with, and what stands behind it.
fn first(text: &[u8]) -> Option<(EntityTag<'_>, &[u8])> {
    let (is_weak, quoted) = match text.strip_prefix(b"W/") {
        Some(quoted) => (true, quoted),
        None => (false, text),
    };
    let inner = quoted.strip_prefix(b"\"")?;
    let end = inner.iter().position(|&b| b == b'"')? + 2;
    Some((EntityTag { is_weak, opaque: quoted.get(..end)? }, quoted.get(end..)?))
}

#[cfg(test)]
mod tests;
