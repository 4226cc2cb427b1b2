//! Which of many prefixes of a path is the longest: one binary search.

use std::cmp::Ordering;

/// Prefixes in order of their bytes, each knowing the next shorter one that is a prefix of it.
///
/// Of the prefixes not greater than a path, the greatest either is a prefix of the path, or begins with the
/// longest one that is (whatever lies between that one and the path begins with it). So a binary search finds
/// it or a descendant of it, and the way up is at most as long as prefixes are nested.
#[derive(Debug)]
pub(crate) struct PrefixIndex<T> {
    entries: Box<[Entry<T>]>,
}

#[derive(Debug)]
struct Entry<T> {
    text: Box<[u8]>,
    /// The longest other entry that is a prefix of this one.
    shorter: Option<usize>,
    value: T,
}

impl<T> PrefixIndex<T> {
    /// From prefixes that are all different.
    pub(crate) fn new(prefixes: impl IntoIterator<Item = (Box<[u8]>, T)>) -> Self {
        let mut entries: Vec<Entry<T>> =
            prefixes.into_iter().map(|(text, value)| Entry { text, shorter: None, value }).collect();
        entries.sort_unstable_by(|a, b| a.text.cmp(&b.text));
        // The entries that are prefixes of the one at hand, shortest first.
        let mut open: Vec<usize> = Vec::new();
        for at in 0..entries.len() {
            while open.last().is_some_and(|&top| !entries[at].text.starts_with(&entries[top].text)) {
                open.pop();
            }
            entries[at].shorter = open.last().copied();
            open.push(at);
        }
        Self { entries: entries.into() }
    }

    /// The values of all prefixes of `path`, longest first.
    pub(crate) fn matches<'t>(&'t self, path: &[u8]) -> impl Iterator<Item = &'t T> {
        let first = self.longest_by(path, |text, path| text.cmp(path));
        std::iter::successors(first, |&at| self.entries.get(at)?.shorter)
            .filter_map(|at| self.entries.get(at))
            .map(|entry| &entry.value)
    }

    /// The place of the longest prefix of `path`. `compare` is the order of bytes, given so that a test can
    /// count.
    fn longest_by(&self, path: &[u8], mut compare: impl FnMut(&[u8], &[u8]) -> Ordering) -> Option<usize> {
        let after = self.entries.partition_point(|entry| compare(&entry.text, path) != Ordering::Greater);
        let mut at = after.checked_sub(1)?;
        let common = common_bytes(&self.entries.get(at)?.text, path);
        loop {
            let entry = self.entries.get(at)?;
            if entry.text.len() <= common {
                return Some(at);
            }
            at = entry.shorter?;
        }
    }
}

fn common_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests;
