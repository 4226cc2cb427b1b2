//! The fields of a head: a list over one buffer that keeps order and spelling.
//!
//! A received head lies in `bytes` as it came; an entry is an id and two ranges. Changes never move what
//! is there: a removed entry is only marked, an added one stands behind the received bytes. So the
//! original stays readable (`$http_name` means what the client sent), and a head that nobody changed is
//! written out in long runs instead of field by field.

use crate::name::{Key, Name};
use std::cell::RefCell;
use std::ops::Range;

mod list;
mod written;

pub use list::list_members;

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: u32,
    value: u32,
    value_len: u32,
    name_len: u16,
    id: u8,
    flags: u8,
}

const REMOVED: u8 = 1;
const ADDED: u8 = 2;

/// Lists of heads that are gone, kept for the next: 64 a worker, some 100 KiB.
const SPARE_MAX: usize = 64;
/// A list whose buffer grew beyond 8 KiB is an exception and is not kept.
const SPARE_BYTES_MAX: usize = 8 * 1024;

thread_local! {
    #[allow(clippy::vec_box, reason = "what is kept are the boxes")]
    static SPARE: RefCell<Vec<Box<List>>> = const { RefCell::new(Vec::new()) };
}

/// An ordered list of fields. No larger than a pointer, since heads are moved a lot.
#[derive(Debug, Default)]
pub struct Headers(Option<Box<List>>);

/// What is behind it.
#[derive(Clone, Debug, Default)]
struct List {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    index: Index,
}

static EMPTY: List = List { bytes: Vec::new(), entries: Vec::new(), index: Index::NONE };

/// Where well-known names are, so that what is not there, or only once, costs no search.
#[derive(Clone, Debug)]
struct Index {
    /// Names that were ever here.
    seen: u64,
    /// Those of them that came more than once, or whose place does not fit `first`.
    many: u64,
    /// The entry of a name that is in `seen` and not in `many`.
    first: [u8; 64],
}

impl Default for Index {
    fn default() -> Self {
        Self::NONE
    }
}

impl Index {
    const NONE: Self = Self { seen: 0, many: 0, first: [0; 64] };

    fn enter(&mut self, id: Name, at: usize) {
        let bit = id.bit();
        match u8::try_from(at) {
            Ok(at) if self.seen & bit == 0 && id != Name::Other => {
                if let Some(first) = self.first.get_mut(id as usize) {
                    *first = at;
                }
            }
            _ => self.many |= bit,
        }
        self.seen |= bit;
    }
}

/// The fields of a head while it is being read: ranges of the bytes they were found in.
pub(crate) struct Fields(Box<List>);

impl Fields {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Headers::spare())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Adds one by the ranges of its name (at most 65535 bytes) and its value.
    pub(crate) fn push(&mut self, id: Name, name: Range<usize>, value: Range<usize>) {
        self.0.push(Entry {
            name: name.start as u32,
            name_len: name.len() as u16,
            value: value.start as u32,
            value_len: value.len() as u32,
            id: id as u8,
            flags: 0,
        });
    }
}

impl List {
    fn push(&mut self, entry: Entry) {
        self.index.enter(Name::from_id(entry.id), self.entries.len());
        self.entries.push(entry);
    }

    /// Puts the last entry right behind the one at `at`, whose place it takes: that one is removed.
    fn move_last_behind(&mut self, at: usize) {
        if let Some(old) = self.entries.get_mut(at) {
            old.flags |= REMOVED;
        }
        self.entries.get_mut(at + 1..).unwrap_or_default().rotate_right(1);
        // Of the moved one's name there are several, so that all are searched. The others are one further.
        for (id, first) in self.index.first.iter_mut().enumerate() {
            if usize::from(*first) > at {
                match first.checked_add(1) {
                    Some(next) => *first = next,
                    None => self.index.many |= self.index.seen & (1 << id),
                }
            }
        }
    }
}

impl Clone for Headers {
    /// Over a list that is there already, as in [`Headers::new`].
    fn clone(&self) -> Self {
        let Some(list) = &self.0 else { return Self(None) };
        let mut copy = Self::spare();
        copy.bytes.extend_from_slice(&list.bytes);
        copy.entries.extend_from_slice(&list.entries);
        copy.index.clone_from(&list.index);
        Self(Some(copy))
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        let Some(mut list) = self.0.take() else { return };
        if list.bytes.capacity() == 0 || list.bytes.capacity() > SPARE_BYTES_MAX {
            return;
        }
        list.bytes.clear();
        list.entries.clear();
        list.index.seen = 0;
        list.index.many = 0;
        // No spare is kept while the thread itself is going.
        let _ = SPARE.try_with(|spare| {
            let Ok(mut spare) = spare.try_borrow_mut() else { return };
            if spare.len() < SPARE_MAX {
                spare.push(list);
            }
        });
    }
}

impl Headers {
    /// No fields.
    pub fn new() -> Self {
        Self(Some(Self::spare()))
    }

    fn spare() -> Box<List> {
        SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| {
            Box::new(List {
                bytes: Vec::with_capacity(1024),
                entries: Vec::with_capacity(24),
                index: Index::NONE,
            })
        })
    }

    fn list(&self) -> &List {
        self.0.as_deref().unwrap_or(&EMPTY)
    }

    fn list_mut(&mut self) -> &mut List {
        self.0.get_or_insert_with(Self::spare)
    }

    /// The fields found in `head`, over a copy of it.
    pub(crate) fn of(head: &[u8], fields: Fields) -> Self {
        let Fields(mut list) = fields;
        list.bytes.extend_from_slice(head);
        Self(Some(list))
    }

    /// The buffer under the head: request line or status line, fields, additions.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.list().bytes
    }

    /// Puts `text` behind the buffer and returns where it starts.
    pub(crate) fn stash(&mut self, text: &[u8]) -> usize {
        let bytes = &mut self.list_mut().bytes;
        let at = bytes.len();
        bytes.extend_from_slice(text);
        at
    }

    fn name_of(&self, entry: &Entry) -> &[u8] {
        let start = entry.name as usize;
        self.bytes().get(start..start + entry.name_len as usize).unwrap_or_default()
    }

    fn value_of(&self, entry: &Entry) -> &[u8] {
        let start = entry.value as usize;
        self.bytes().get(start..start + entry.value_len as usize).unwrap_or_default()
    }

    fn is(&self, entry: &Entry, key: Key<'_>) -> bool {
        entry.id == key.id as u8
            && (key.id != Name::Other || self.name_of(entry).eq_ignore_ascii_case(key.text))
    }

    /// The entries to search for the name: none where it was never there.
    fn candidates(&self, id: Name) -> &[Entry] {
        let List { entries, index, .. } = self.list();
        if index.seen & id.bit() == 0 {
            return &[];
        }
        if index.many & id.bit() != 0 {
            return entries;
        }
        let at = index.first.get(id as usize).map_or(0, |first| usize::from(*first));
        entries.get(at..=at).unwrap_or_default()
    }

    /// The first value of the field.
    pub fn get<'k>(&self, key: impl Into<Key<'k>>) -> Option<&[u8]> {
        let key = key.into();
        let entry = self.candidates(key.id).iter().find(|e| e.flags & REMOVED == 0 && self.is(e, key))?;
        Some(self.value_of(entry))
    }

    /// All values of the field, in order.
    pub fn get_all<'a>(&'a self, key: impl Into<Key<'a>>) -> impl Iterator<Item = &'a [u8]> {
        let key = key.into();
        self.candidates(key.id)
            .iter()
            .filter(move |e| e.flags & REMOVED == 0 && self.is(e, key))
            .map(|entry| self.value_of(entry))
    }

    /// All values of the field as they were received, whatever was changed since.
    pub fn originals<'a>(&'a self, key: impl Into<Key<'a>>) -> impl Iterator<Item = &'a [u8]> {
        let key = key.into();
        self.candidates(key.id)
            .iter()
            .filter(move |e| e.flags & ADDED == 0 && self.is(e, key))
            .map(|entry| self.value_of(entry))
    }

    /// Whether a field of the set (of [`Name::bit`]s) was ever here.
    pub fn saw_any(&self, names: u64) -> bool {
        self.list().index.seen & names != 0
    }

    /// Where in the buffer the first value of the field lies, and whether it is the only one.
    pub(crate) fn sole_range(&self, name: Name) -> Option<(std::ops::Range<u32>, bool)> {
        let mut found = self.candidates(name).iter().filter(|e| e.flags & REMOVED == 0 && e.id == name as u8);
        let first = found.next()?;
        Some((first.value..first.value + first.value_len, found.next().is_none()))
    }

    /// Whether the field is there.
    pub fn has<'k>(&self, key: impl Into<Key<'k>>) -> bool {
        self.get(key).is_some()
    }

    /// Whether `member` is in the comma-separated list of the field, whatever its case (RFC 9110 5.6.1).
    pub fn lists<'k>(&self, key: impl Into<Key<'k>>, member: &str) -> bool {
        let key = key.into();
        self.candidates(key.id).iter().filter(|e| e.flags & REMOVED == 0 && self.is(e, key)).any(|entry| {
            let value = self.value_of(entry);
            // Mostly the value is one member, and a comma is all there is to look for.
            value.eq_ignore_ascii_case(member.as_bytes())
                || memchr::memchr(b',', value).is_some()
                    && list_members(value).any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
        })
    }

    /// Adds a field behind the others. The caller has checked name and value.
    pub fn append<'k>(&mut self, key: impl Into<Key<'k>>, value: &[u8]) {
        let key = key.into();
        let list = self.list_mut();
        let name = list.bytes.len();
        let text_len = key.text.len();
        list.bytes.reserve(text_len + value.len() + 4);
        list.bytes.extend_from_slice(key.text);
        list.bytes.extend_from_slice(b": ");
        list.bytes.extend_from_slice(value);
        list.bytes.extend_from_slice(b"\r\n");
        list.push(Entry {
            name: name as u32,
            name_len: text_len as u16,
            value: (name + text_len + 2) as u32,
            value_len: value.len() as u32,
            id: key.id as u8,
            flags: ADDED,
        });
    }

    /// Adds a field, its name spelt as given; for names of the proxy's own, such as `Content-Length`.
    pub fn append_as(&mut self, spelling: &str, value: &[u8]) {
        self.append(spelling, value);
    }

    /// Replaces all values of the field by one.
    pub fn set<'k>(&mut self, key: impl Into<Key<'k>>, value: &[u8]) {
        let key = key.into();
        self.remove(key);
        self.append(key, value);
    }

    /// Removes the field.
    pub fn remove<'k>(&mut self, key: impl Into<Key<'k>>) -> bool {
        let key = key.into();
        let mut found = false;
        if self.candidates(key.id).is_empty() {
            return false;
        }
        for at in 0..self.list().entries.len() {
            let Some(entry) = self.list().entries.get(at).copied() else { break };
            if entry.flags & REMOVED == 0
                && self.is(&entry, key)
                && let Some(entry) = self.list_mut().entries.get_mut(at)
            {
                entry.flags |= REMOVED;
                found = true;
            }
        }
        found
    }

    /// How many fields there are, also removed ones; to come back to.
    pub fn mark(&self) -> usize {
        self.list().entries.len()
    }

    /// Undoes all changes since there were so many fields: what was added goes, what was removed comes back.
    pub fn restore(&mut self, mark: usize) {
        let List { entries, index, .. } = self.list_mut();
        entries.truncate(mark);
        *index = Index::NONE;
        for (at, entry) in entries.iter_mut().enumerate() {
            entry.flags &= !REMOVED;
            index.enter(Name::from_id(entry.id), at);
        }
    }

    /// Removes every field that `drop` names.
    pub fn remove_where(&mut self, mut drop: impl FnMut(Name, &[u8]) -> bool) {
        let List { bytes, entries, .. } = self.list_mut();
        for entry in entries {
            let start = entry.name as usize;
            let name = bytes.get(start..start + entry.name_len as usize).unwrap_or_default();
            if entry.flags & REMOVED == 0 && drop(Name::from_id(entry.id), name) {
                entry.flags |= REMOVED;
            }
        }
    }

    /// Removes every received field that `drop` names; those added since stay.
    pub fn remove_received_where(&mut self, mut drop: impl FnMut(Name, &[u8]) -> bool) {
        let List { bytes, entries, .. } = self.list_mut();
        for entry in entries.iter_mut().filter(|entry| entry.flags & (REMOVED | ADDED) == 0) {
            let start = entry.name as usize;
            let name = bytes.get(start..start + entry.name_len as usize).unwrap_or_default();
            if drop(Name::from_id(entry.id), name) {
                entry.flags |= REMOVED;
            }
        }
    }

    /// Gives each value of the field, in order, to `new`; one for which it says something else is replaced in
    /// its place. What was received stays readable as the original. For answers: [`Headers::restore`] knows
    /// additions at the end only.
    pub fn replace_each<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        mut new: impl FnMut(&[u8]) -> Option<Vec<u8>>,
    ) {
        let key = key.into();
        if self.candidates(key.id).is_empty() {
            return;
        }
        let mut at = 0;
        // Bounded: an entry that is put in is stepped over.
        while let Some(&entry) = self.list().entries.get(at) {
            at += 1;
            if entry.flags & REMOVED != 0 || !self.is(&entry, key) {
                continue;
            }
            let Some(value) = new(self.value_of(&entry)) else { continue };
            let name = self.name_of(&entry).to_vec();
            self.append(Key { id: key.id, text: &name }, &value);
            self.list_mut().move_last_behind(at - 1);
            at += 1;
        }
    }

    /// What is there now counts as received from here on, and what was removed was never there.
    pub fn settle(&mut self) {
        let List { entries, index, .. } = self.list_mut();
        entries.retain(|entry| entry.flags & REMOVED == 0);
        *index = Index::NONE;
        for (at, entry) in entries.iter_mut().enumerate() {
            entry.flags &= !ADDED;
            index.enter(Name::from_id(entry.id), at);
        }
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &[u8], &[u8])> {
        self.list()
            .entries
            .iter()
            .filter(|entry| entry.flags & REMOVED == 0)
            .map(|entry| (Name::from_id(entry.id), self.name_of(entry), self.value_of(entry)))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.list().entries.iter().filter(|entry| entry.flags & REMOVED == 0).count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the fields that `keep` lets pass, each as `name: value` CRLF, neighbours that are so
    /// already in one run.
    pub fn write(&self, out: &mut Vec<u8>, mut keep: impl FnMut(Name, &[u8]) -> bool) {
        let bytes = self.bytes();
        let mut run = 0..0;
        for entry in &self.list().entries {
            if entry.flags & REMOVED != 0 || !keep(Name::from_id(entry.id), self.name_of(entry)) {
                continue;
            }
            let (name, value) = (entry.name as usize, entry.value as usize);
            let end = value + entry.value_len as usize + 2;
            let is_canonical = value == name + entry.name_len as usize + 2
                && bytes.get(value - 2..value) == Some(b": ")
                && bytes.get(end - 2..end) == Some(b"\r\n");
            if !is_canonical {
                self.flush(out, &mut run);
                out.extend_from_slice(self.name_of(entry));
                out.extend_from_slice(b": ");
                out.extend_from_slice(self.value_of(entry));
                out.extend_from_slice(b"\r\n");
            } else if run.end == name && !run.is_empty() {
                run.end = end;
            } else {
                self.flush(out, &mut run);
                run = name..end;
            }
        }
        self.flush(out, &mut run);
    }

    fn flush(&self, out: &mut Vec<u8>, run: &mut std::ops::Range<usize>) {
        out.extend_from_slice(self.bytes().get(run.clone()).unwrap_or_default());
        *run = 0..0;
    }
}

#[cfg(test)]
mod tests;
