//! The groups a regex captured: positions, not bytes, so that they outlive the borrow of the subject.

use regex_automata::PatternSet;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// Ten: `$0` to `$9`, all that nginx's variables can name. More groups go to the heap.
const GROUPS_INLINE: usize = 10;

/// Names of groups with their numbers, in the order of the numbers.
pub(crate) type GroupNames = Arc<[(Box<str>, usize)]>;

/// The groups of the last match: `$1`…, and by name. Keep one per connection and hand it to each search:
/// then nothing here allocates in the steady state. Empty where the pattern has no groups.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    groups: SmallVec<[Option<Range<u32>>; GROUPS_INLINE]>,
    names: Option<GroupNames>,
    /// Whether the search was given up.
    failed: bool,
    /// Room for the search of many regexes at once.
    candidates: Option<PatternSet>,
}

impl Captures {
    /// No groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the groups, keeps the room.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.names = None;
        self.failed = false;
    }

    /// Whether the last search took too long and was given up ([`MatchFailed`](crate::regex::MatchFailed)):
    /// what it said is neither a match nor none, and a request must not be decided by it.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Notes that the search was given up.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// Number of groups with the whole match as group 0; 0 where the pattern has no groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether nothing was captured.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Where in the subject group `number` matched; 0 is the whole match.
    pub fn range(&self, number: usize) -> Option<Range<usize>> {
        let range = self.groups.get(number)?.as_ref()?;
        Some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }

    /// The bytes of group `number` in `subject`, which must be the bytes that were searched.
    pub fn bytes<'s>(&self, number: usize, subject: &'s [u8]) -> Option<&'s [u8]> {
        subject.get(self.range(number)?)
    }

    /// The bytes of the group called `name` in `subject`.
    pub fn named<'s>(&self, name: &str, subject: &'s [u8]) -> Option<&'s [u8]> {
        self.bytes(self.number(name)?, subject)
    }

    /// The number of the group called `name`.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.names().find(|(known, _)| *known == name).map(|(_, number)| number)
    }

    /// All names with their numbers.
    pub fn names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.names.iter().flat_map(|names| names.iter()).map(|(name, number)| (&**name, *number))
    }

    pub(crate) fn fill(
        &mut self,
        groups: impl Iterator<Item = Option<Range<u32>>>,
        names: Option<&GroupNames>,
    ) {
        self.clear();
        self.groups.extend(groups);
        self.names = names.cloned();
    }

    /// An empty set with room for `count` patterns; give it back with [`Self::put_candidates`].
    pub(crate) fn take_candidates(&mut self, count: usize) -> PatternSet {
        match self.candidates.take() {
            Some(mut set) if set.capacity() >= count => {
                set.clear();
                set
            }
            _ => PatternSet::new(count),
        }
    }

    pub(crate) fn put_candidates(&mut self, set: PatternSet) {
        self.candidates = Some(set);
    }
}
