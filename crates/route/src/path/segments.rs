//! Dot segments: resolving them, and finding those that hide.

use super::{Extent, PathError};

/// Resolves `.` and `..` segments (RFC 3986 5.2.4, but above the root is an error) and merges slashes in a row
/// if told to, in place. `path` begins with `/`.
pub(super) fn resolve(mut path: Vec<u8>, merge_slashes: bool) -> Result<Vec<u8>, PathError> {
    // Before `written` all is done; it always stands behind a `/`. Nothing is ever moved to the right.
    let (mut written, mut read) = (0, 0);
    while read < path.len() {
        let slash = memchr::memchr(b'/', &path[read..]);
        let end = slash.map_or(path.len(), |at| read + at);
        let next = slash.map_or(path.len(), |at| read + at + 1);
        match &path[read..end] {
            b"." => {}
            b".." => written = parent(&path[..written])?,
            b"" if merge_slashes && written > 0 => {}
            _ => {
                path.copy_within(read..next, written);
                written += next - read;
            }
        }
        read = next;
    }
    path.truncate(written);
    Ok(path)
}

/// The length of what stays of `done`, which ends with `/`, when its last segment goes.
fn parent(done: &[u8]) -> Result<usize, PathError> {
    let without_slash = done.strip_suffix(b"/").unwrap_or(done);
    memchr::memrchr(b'/', without_slash).map(|at| at + 1).ok_or(PathError::AboveRoot)
}

/// Whether the path has a `..` that servers would see who decode `%2F` and `%5C`, or cut off `;…` from
/// segments (Java's do). The path is encoded and has no `..` segments.
pub(super) fn hides_parent(path: &[u8]) -> bool {
    memchr::memmem::find_iter(path, b"..").any(|at| {
        let (before, after) = (&path[..at], &path[at + 2..]);
        let opens = before.ends_with(b"/") || before.ends_with(b"%2F") || before.ends_with(b"%5C");
        let ends = [&b"/"[..], b"%2F", b"%5C", b";"];
        opens && (after.is_empty() || ends.iter().any(|end| after.starts_with(end)))
    })
}

/// Whether the text of a pattern has a `.` or `..` segment. The last segment of a [`Extent::Start`] may go on
/// and so is none: `/.` is the start of `/.git`.
pub(super) fn dot_segment_in(text: &[u8], extent: Extent) -> bool {
    let mut segments = text.split(|byte| *byte == b'/');
    if extent == Extent::Start {
        segments.next_back();
    }
    segments.any(|segment| segment == b"." || segment == b"..")
}
