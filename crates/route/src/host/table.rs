//! Which host a request is for, in nginx's order.

use super::{HostForm, HostName};
use crate::captures::Captures;
use crate::regex::{Regex, RegexList};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Hosts up to this length are brought to lower case on the stack. DNS names have at most 253 bytes
/// (RFC 1035 2.3.4); longer ones can only match a regex or the default.
const HOST_BYTES_INLINE: usize = 256;

/// Hosts by name. Immutable, shared by all workers. The maps hash with SipHash, because clients choose what
/// is looked up.
#[derive(Debug)]
pub struct HostTable<T> {
    values: Box<[T]>,
    default: Option<usize>,
    names: Box<[Named]>,
    exact: HashMap<Box<[u8]>, usize>,
    /// By what follows the `*.`.
    leading: Wildcards,
    /// By what stands before the `.*`.
    trailing: Wildcards,
    regexes: RegexList,
    /// For each of `regexes` its place in `names`.
    regex_names: Box<[usize]>,
}

/// A name and whose it is.
#[derive(Debug)]
struct Named {
    name: HostName,
    value: usize,
}

/// What a host was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostMatch {
    /// An exact name.
    Exact,
    /// A name with `*` in front.
    LeadingWildcard,
    /// A name with `*` at the end.
    TrailingWildcard,
    /// A regex.
    Regex,
    /// No name: it is the default.
    Default,
}

/// A host that was found.
#[derive(Clone, Debug)]
pub struct Found<'t, T> {
    /// The number of the host.
    pub at: usize,
    /// What the host leads to.
    pub value: &'t T,
    /// The name that matched; `None` for the default.
    pub name: Option<&'t HostName>,
    /// How it was found.
    pub by: HostMatch,
}

/// Two hosts want one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "host name `{name}` of host {} is taken already, by `{taken_by}` of host {}", second + 1, first + 1
)]
pub struct HostConflict {
    /// The later name.
    pub name: HostName,
    /// The earlier name: the same, or `.example.com` against `example.com` or `*.example.com`.
    pub taken_by: HostName,
    /// The number of the host that has it.
    pub first: usize,
    /// The number of the host that wants it; may be the same one.
    pub second: usize,
}

impl<T> HostTable<T> {
    /// Begins a table.
    pub fn builder() -> HostTableBuilder<T> {
        HostTableBuilder::default()
    }

    /// A table of hosts with their names. `default` is the number of the one for all other requests. The error
    /// holds all conflicts.
    pub fn new(
        hosts: impl IntoIterator<Item = (Vec<HostName>, T)>,
        default: Option<usize>,
    ) -> Result<Self, Vec<HostConflict>> {
        let mut builder = Self::builder();
        let mut conflicts = Vec::new();
        for (names, value) in hosts {
            let host = builder.add_host(value);
            conflicts.extend(names.into_iter().filter_map(|name| builder.add_name(host, name).err()));
        }
        if let Some(host) = default {
            builder.set_default(host);
        }
        if conflicts.is_empty() { Ok(builder.build()) } else { Err(conflicts) }
    }

    /// The host for the name a request gives, without port (see [`split_host_port`](super::split_host_port));
    /// empty where it gives none. Case and one dot at the end do not count. The groups of a regex go to
    /// `captures`, positions in `host`; it is empty otherwise. nginx has captured names in lower case: give
    /// `host` in lower case to have them so.
    pub fn find(&self, host: &[u8], captures: &mut Captures) -> Option<Found<'_, T>> {
        captures.clear();
        let host = host.strip_suffix(b".").unwrap_or(host);
        self.find_name(host).or_else(|| self.find_regex(host, captures)).or_else(|| self.find_default())
    }

    /// All values, by the numbers of their hosts.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    fn find_name(&self, host: &[u8]) -> Option<Found<'_, T>> {
        if !host.iter().any(u8::is_ascii_uppercase) {
            return self.find_lower(host);
        }
        let mut lower = SmallVec::<[u8; HOST_BYTES_INLINE]>::from_slice(host);
        lower.make_ascii_lowercase();
        self.find_lower(&lower)
    }

    fn find_lower(&self, host: &[u8]) -> Option<Found<'_, T>> {
        if host.len() <= HOST_BYTES_INLINE
            && let Some(&name) = self.exact.get(host)
        {
            return self.found(name, HostMatch::Exact);
        }
        let suffixes = memchr::memrchr_iter(b'.', host).filter(|dot| *dot > 0).map(|dot| &host[dot + 1..]);
        if let Some(name) = self.leading.longest(suffixes) {
            return self.found(name, HostMatch::LeadingWildcard);
        }
        let prefixes = memchr::memchr_iter(b'.', host).map(|dot| &host[..dot]);
        self.found(self.trailing.longest(prefixes)?, HostMatch::TrailingWildcard)
    }

    fn find_regex(&self, host: &[u8], captures: &mut Captures) -> Option<Found<'_, T>> {
        if host.is_empty() {
            return None;
        }
        self.regexes.find(host, captures, |at| self.found(*self.regex_names.get(at)?, HostMatch::Regex))
    }

    fn find_default(&self) -> Option<Found<'_, T>> {
        let at = self.default?;
        Some(Found { at, value: self.values.get(at)?, name: None, by: HostMatch::Default })
    }

    fn found(&self, name: usize, by: HostMatch) -> Option<Found<'_, T>> {
        let named = self.names.get(name)?;
        Some(Found { at: named.value, value: self.values.get(named.value)?, name: Some(&named.name), by })
    }
}

#[cfg(test)]
impl<T> HostTable<T> {
    /// The numbers of labels that are looked up, of leading and of trailing wildcards.
    pub(super) fn label_counts(&self) -> (&[usize], &[usize]) {
        (&self.leading.label_counts, &self.trailing.label_counts)
    }
}

/// Names with one `*`, by the labels beside it.
#[derive(Debug, Default)]
struct Wildcards {
    by_labels: HashMap<Box<[u8]>, usize>,
    /// The numbers of labels that the names have, ascending: only pieces of so many are looked up, so a host
    /// of a thousand labels costs no more than one of three.
    label_counts: Vec<usize>,
}

impl Wildcards {
    fn new(by_labels: HashMap<Box<[u8]>, usize>) -> Self {
        let mut label_counts: Vec<usize> = by_labels.keys().map(|labels| label_count(labels)).collect();
        label_counts.sort_unstable();
        label_counts.dedup();
        Self { by_labels, label_counts }
    }

    /// The longest of `pieces` that is a name. Piece `n` (from 0) has `n + 1` labels.
    fn longest<'h>(&self, mut pieces: impl Iterator<Item = &'h [u8]>) -> Option<usize> {
        let (mut longest, mut passed) = (None, 0);
        for &labels in &self.label_counts {
            let Some(piece) = pieces.nth(labels - passed - 1) else { break };
            passed = labels;
            if piece.len() > HOST_BYTES_INLINE {
                break;
            }
            longest = self.by_labels.get(piece).copied().or(longest);
        }
        longest
    }
}

fn label_count(labels: &[u8]) -> usize {
    memchr::memchr_iter(b'.', labels).count() + 1
}

/// Collects hosts and their names. Hosts are numbered from 0 in the order they are added.
#[derive(Debug)]
pub struct HostTableBuilder<T> {
    values: Vec<T>,
    default: Option<usize>,
    names: Vec<Named>,
    exact: HashMap<Box<[u8]>, usize>,
    leading: HashMap<Box<[u8]>, usize>,
    trailing: HashMap<Box<[u8]>, usize>,
    regexes: HashMap<Regex, usize>,
}

impl<T> Default for HostTableBuilder<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            default: None,
            names: Vec::new(),
            exact: HashMap::new(),
            leading: HashMap::new(),
            trailing: HashMap::new(),
            regexes: HashMap::new(),
        }
    }
}

impl<T> HostTableBuilder<T> {
    /// Adds a host without names and returns its number.
    pub fn add_host(&mut self, value: T) -> usize {
        self.values.push(value);
        self.values.len() - 1
    }

    /// Makes the host the one for requests that no name matches.
    pub fn set_default(&mut self, host: usize) {
        self.default = Some(host);
    }

    /// Gives the host a name. On a conflict what was free of it is taken and the rest stays with the earlier
    /// host, which is what nginx does (with a warning); ours is to report it.
    pub fn add_name(&mut self, host: usize, name: HostName) -> Result<(), HostConflict> {
        let at = self.names.len();
        let key = |text: &str| text.as_bytes().into();
        let earlier = match name.form() {
            HostForm::Never => None,
            HostForm::Nameless => claim(&mut self.exact, key(""), at),
            HostForm::Exact(text) => claim(&mut self.exact, key(text), at),
            HostForm::Leading(text) => claim(&mut self.leading, key(text), at),
            HostForm::Trailing(text) => claim(&mut self.trailing, key(text), at),
            HostForm::Domain(text) => {
                let exact = claim(&mut self.exact, key(text), at);
                claim(&mut self.leading, key(text), at).or(exact)
            }
            HostForm::Regex(regex) => claim(&mut self.regexes, regex.clone(), at),
        };
        let conflict = earlier.and_then(|earlier| self.names.get(earlier)).map(|taken| HostConflict {
            name: name.clone(),
            taken_by: taken.name.clone(),
            first: taken.value,
            second: host,
        });
        self.names.push(Named { name, value: host });
        conflict.map_or(Ok(()), Err)
    }

    /// The table.
    pub fn build(self) -> HostTable<T> {
        let mut regexes: Vec<(Regex, usize)> = self.regexes.into_iter().collect();
        regexes.sort_unstable_by_key(|(_, name)| *name);
        HostTable {
            values: self.values.into(),
            default: self.default,
            names: self.names.into(),
            exact: self.exact,
            leading: Wildcards::new(self.leading),
            trailing: Wildcards::new(self.trailing),
            regex_names: regexes.iter().map(|(_, name)| *name).collect(),
            regexes: RegexList::new(regexes.into_iter().map(|(regex, _)| regex).collect()),
        }
    }
}

/// Takes `key` for `name` unless it is taken; then who has it.
fn claim<K: std::hash::Hash + Eq>(map: &mut HashMap<K, usize>, key: K, name: usize) -> Option<usize> {
    match map.entry(key) {
        Entry::Occupied(taken) => Some(*taken.get()),
        Entry::Vacant(free) => {
            free.insert(name);
            None
        }
    }
}
