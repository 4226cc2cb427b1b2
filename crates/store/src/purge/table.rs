//! Purges that are not swept yet.

use super::{Mode, PurgeError, Scope, TEXT_BYTES_MAX, split_url};
use crate::key::{BuildHashed, host_hash, tag_hash, url_hash};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// Purges of tags, hosts and URLs that may wait for a sweep: 64 Ki, 3 MiB; a sweep over a million answers
/// takes some 100 ms.
const EXACT_MAX: usize = 64 * 1024;

/// Prefixes that may wait: each look-up of an older answer compares all of them.
const PREFIXES_MAX: usize = 1024;

/// What purges say of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Live,
    Stale,
    Gone,
}

/// Numbers of the newest purges of both modes; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Since {
    hard: u64,
    soft: u64,
}

impl Since {
    fn note(&mut self, mode: Mode, number: u64) {
        let since = match mode {
            Mode::Hard => &mut self.hard,
            Mode::Soft => &mut self.soft,
        };
        *since = number.max(*since);
    }

    fn on(self, born: u64) -> Verdict {
        match born {
            _ if born < self.hard => Verdict::Gone,
            _ if born < self.soft => Verdict::Stale,
            _ => Verdict::Live,
        }
    }

    fn newest(self) -> u64 {
        self.hard.max(self.soft)
    }
}

#[derive(Default)]
struct Records {
    all: Since,
    exact: HashMap<u64, Since, BuildHashed>,
    prefixes: Vec<Prefix>,
}

struct Prefix {
    /// Empty: any.
    host: Box<str>,
    path: Box<str>,
    since: Since,
}

/// What a purge looks at of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) tags: &'a [u64],
}

/// Purges that wait for the sweep. Looked at under a lock that is shared, and only by those who ask about an
/// answer older than the newest purge.
#[derive(Default)]
pub(crate) struct Table {
    newest: AtomicU64,
    records: RwLock<Records>,
}

impl Table {
    /// Number of the newest purge; 0: none.
    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// What is said of an answer that was born at a number.
    pub(crate) fn verdict(&self, born: u64, subject: Subject<'_>) -> Verdict {
        if born >= self.newest() {
            return Verdict::Live;
        }
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let mut since = records.all;
        let mut add = |other: Since| {
            since.note(Mode::Hard, other.hard);
            since.note(Mode::Soft, other.soft);
        };
        if !records.exact.is_empty() {
            let (host, path) = (subject.host.as_bytes(), subject.path.as_bytes());
            let names = [host_hash(host), url_hash(host, path)];
            for name in names.iter().chain(subject.tags) {
                if let Some(&found) = records.exact.get(name) {
                    add(found);
                }
            }
        }
        for prefix in &records.prefixes {
            if (prefix.host.is_empty() || *prefix.host == *subject.host)
                && subject.path.starts_with(&*prefix.path)
            {
                add(prefix.since);
            }
        }
        since.on(born)
    }

    /// Takes note of a purge.
    ///
    /// # Errors
    /// When there is no room, or it names nothing.
    pub(crate) fn add(&self, scope: &Scope, mode: Mode, number: u64) -> Result<(), PurgeError> {
        let target = Target::of(scope)?;
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        match target {
            Target::All => records.all.note(mode, number),
            Target::Exact(name) => {
                let count = records.exact.len();
                if count >= EXACT_MAX && !records.exact.contains_key(&name) {
                    return Err(PurgeError::Full(count));
                }
                records.exact.entry(name).or_default().note(mode, number);
            }
            Target::Prefix(host, path) => {
                let count = records.prefixes.len();
                let same = |prefix: &&mut Prefix| *prefix.host == *host && *prefix.path == *path;
                if let Some(prefix) = records.prefixes.iter_mut().find(same) {
                    prefix.since.note(mode, number);
                } else if count >= PREFIXES_MAX {
                    return Err(PurgeError::Full(count));
                } else {
                    let mut since = Since::default();
                    since.note(mode, number);
                    records.prefixes.push(Prefix { host, path, since });
                }
            }
        }
        drop(records);
        self.newest.fetch_max(number, Ordering::AcqRel);
        Ok(())
    }

    /// Forgets purges up to that number: no answer is older that was not looked at since.
    pub(crate) fn forget(&self, number: u64) {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        if records.all.newest() <= number {
            records.all = Since::default();
        }
        records.exact.retain(|_, since| since.newest() > number);
        records.prefixes.retain(|prefix| prefix.since.newest() > number);
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        records.exact.len() + records.prefixes.len() + usize::from(records.all.newest() > 0)
    }
}

/// What a scope comes down to.
enum Target {
    All,
    Exact(u64),
    Prefix(Box<str>, Box<str>),
}

impl Target {
    fn of(scope: &Scope) -> Result<Self, PurgeError> {
        let text = match scope {
            Scope::All => return Ok(Self::All),
            // A zone knows nothing of requests.
            Scope::Request(inputs) => {
                let text = inputs.target.chars().take(64).collect();
                return Err(PurgeError::Empty(text, "key of a zone", "a URL"));
            }
            Scope::Host(text) | Scope::Tag(text) | Scope::Url(text) | Scope::Prefix(text) => text.as_str(),
        };
        let empty = |what, example| {
            let end = text.floor_char_boundary(64);
            Err(PurgeError::Empty(text[..end].to_owned(), what, example))
        };
        let long = text.len() > TEXT_BYTES_MAX;
        match scope {
            Scope::Host(host) => {
                let (host, path) = split_url(host);
                if host.is_empty() || long || !matches!(path, "" | "/") {
                    return empty("host", "example.com");
                }
                Ok(Self::Exact(host_hash(host.as_bytes())))
            }
            Scope::Tag(tag) if tag.is_empty() || long => empty("tag", "product-17"),
            Scope::Tag(tag) => Ok(Self::Exact(tag_hash(tag.as_bytes()))),
            Scope::Url(url) => {
                let (host, path) = split_url(url);
                if host.is_empty() || long {
                    return empty("URL", "https://example.com/path?query");
                }
                let path = if path.is_empty() { "/" } else { path };
                Ok(Self::Exact(url_hash(host.as_bytes(), path.as_bytes())))
            }
            _ => {
                let (host, path) = split_url(text.strip_suffix('*').unwrap_or(text));
                if (host.is_empty() && path.is_empty()) || long {
                    return empty("prefix", "example.com/static/ or /static/");
                }
                Ok(Self::Prefix(host.into(), path.into()))
            }
        }
    }
}
