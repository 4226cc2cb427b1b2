//! Regular expressions over bytes, in PCRE's syntax: linear time and captures without allocation wherever
//! the pattern allows it, bounded backtracking where it does not.
//!
//! A search is unanchored, as nginx's. Matching is by bytes (`.` is any byte but a line feed, `\d` and `\w`
//! are ASCII, as PCRE has it by default); only a pattern that needs Unicode (`\p{Greek}`, `[é]`) turns it on.
//!
//! Look-around, back-references, atomic groups and possessive quantifiers can't be had in linear time. A
//! pattern with one of them runs on an engine that backtracks, up to [`BACKTRACKS_MAX`] times a search; a
//! search that would go on is a failure, which [`Captures::failed`] tells and which must not pass for "no
//! match".

use crate::captures::{Captures, GroupNames};
use crate::text::as_string;
use regex_automata::meta;
use regex_automata::util::primitives::{NonMaxUsize, PatternID};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, nfa::thompson::WhichCaptures};
use regex_syntax::hir::Hir;
use smallvec::{SmallVec, smallvec};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

mod list;
mod pcre;

pub(crate) use list::RegexList;

/// 10 MiB compiled, the `regex` crate's own default: far above any path pattern, far below trouble.
const REGEX_BYTES_MAX: usize = 10 << 20;

/// 64 MiB for a set compiled into one machine: ten thousand patterns of 6 KiB each.
const SET_BYTES_MAX: usize = 64 << 20;

/// 16 MiB a thread at most for the states a set's lazy automaton remembers (one pattern: 2 MiB). It takes
/// only what the traffic needs; too little would make it forget and start over.
const SET_CACHE_BYTES_MAX: usize = 16 << 20;

/// 250,000 steps back in one search, some milliseconds: a fortieth of PCRE's own limit (`pcre2limits`), as
/// here nothing else runs on the thread meanwhile.
pub const BACKTRACKS_MAX: usize = 250_000;

/// 100,000 instructions: a pattern that calls itself is written out when it is compiled.
const PROGRAM_MAX: usize = 100_000;

/// Twenty: start and end of each of the ten groups that [`Captures`] holds inline.
const SLOTS_INLINE: usize = 20;

/// Whether upper and lower case (ASCII) are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Case {
    /// `a` is not `A`.
    #[default]
    Sensitive,
    /// `a` is `A`.
    Ignore,
}

/// A compiled regular expression. Clones share it. Equal when text and case are.
#[derive(Clone)]
pub struct Regex {
    inner: Arc<Inner>,
}

struct Inner {
    text: Box<str>,
    case: Case,
    engine: Engine,
    /// With the whole match as group 0, so at least 1.
    groups: usize,
    names: Option<GroupNames>,
}

/// What runs a pattern.
enum Engine {
    /// Linear time.
    Linear(meta::Regex),
    /// Look-around and its like: backtracking, bounded.
    Backtracking(Box<fancy_regex::Regex>),
}

/// A search that took more than [`BACKTRACKS_MAX`] steps back: neither a match nor none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a regular expression went back more than {BACKTRACKS_MAX} times")]
pub struct MatchFailed;

/// Why a text is no usable regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("regex `{text}` does not work: {problem}")]
pub struct RegexError {
    text: String,
    problem: String,
}

impl Regex {
    /// Compiles `text`.
    pub fn new(text: &str, case: Case) -> Result<Self, RegexError> {
        let pattern = pcre::translate(text);
        if pattern.backtracks {
            Self::backtracking(text, &pattern.text, case)
        } else {
            Self::linear(text, case)
        }
    }

    /// Compiles `text`, which must have nothing that needs backtracking.
    pub fn linear(text: &str, case: Case) -> Result<Self, RegexError> {
        let error = |problem| RegexError { text: text.to_owned(), problem };
        let hir = parse(&pcre::translate(text).text, case).map_err(error)?;
        let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(REGEX_BYTES_MAX));
        let machine = meta::Builder::new()
            .configure(config)
            .build_from_hir(&hir)
            .map_err(|err| error(build_problem(&err)))?;
        let info = machine.group_info();
        let names = group_names(info.pattern_names(PatternID::ZERO));
        let groups = info.group_len(PatternID::ZERO);
        let engine = Engine::Linear(machine);
        Ok(Self { inner: Arc::new(Inner { text: text.into(), case, engine, groups, names }) })
    }

    fn backtracking(text: &str, pattern: &str, case: Case) -> Result<Self, RegexError> {
        let build = |mode| {
            fancy_regex::RegexBuilder::new(pattern)
                .case_insensitive(case == Case::Ignore)
                .bytes_mode(mode)
                .backtrack_limit(BACKTRACKS_MAX)
                .delegate_size_limit(REGEX_BYTES_MAX)
                .max_prog_size(PROGRAM_MAX)
                .build()
        };
        // By bytes where that works, else with Unicode, as in `parse`.
        let regex = build(fancy_regex::BytesMode::Ascii)
            .or_else(|err| build(fancy_regex::BytesMode::UnicodeBytes).map_err(|_| err))
            .map_err(|err| RegexError { text: text.to_owned(), problem: err.to_string() })?;
        let names = group_names(regex.capture_names());
        let groups = regex.captures_len();
        let engine = Engine::Backtracking(Box::new(regex));
        Ok(Self { inner: Arc::new(Inner { text: text.into(), case, engine, groups, names }) })
    }

    /// The text it was compiled from.
    pub fn as_str(&self) -> &str {
        &self.inner.text
    }

    /// How it treats case.
    pub fn case(&self) -> Case {
        self.inner.case
    }

    /// Whether it runs in linear time.
    pub fn is_linear(&self) -> bool {
        matches!(self.inner.engine, Engine::Linear(_))
    }

    /// Whether it matches somewhere in `subject`.
    ///
    /// # Errors
    /// A search that would take too long; never for a pattern that [`Self::is_linear`].
    pub fn try_is_match(&self, subject: &[u8]) -> Result<bool, MatchFailed> {
        match &self.inner.engine {
            Engine::Linear(machine) => Ok(machine.is_match(subject)),
            Engine::Backtracking(regex) => regex.is_match(subject).map_err(|_| MatchFailed),
        }
    }

    /// Whether one of them matches. A search that would take too long counts as a match: for lists of those who
    /// are better left alone.
    pub fn any_match(regexes: &[Self], subject: &[u8]) -> bool {
        regexes.iter().any(|regex| regex.try_is_match(subject).unwrap_or(true))
    }

    /// Whether it matches; the groups go to `captures`, which is left empty when the pattern has none. A search
    /// that would take too long is no match and noted as [`Captures::failed`].
    pub fn captures(&self, subject: &[u8], captures: &mut Captures) -> bool {
        captures.clear();
        match &self.inner.engine {
            Engine::Linear(machine) if self.inner.groups <= 1 => machine.is_match(subject),
            Engine::Linear(machine) => {
                let mut slots: SmallVec<[Option<NonMaxUsize>; SLOTS_INLINE]> =
                    smallvec![None; self.inner.groups * 2];
                if machine.search_slots(&Input::new(subject), &mut slots).is_none() {
                    return false;
                }
                captures.fill(slots.chunks_exact(2).map(range), self.inner.names.as_ref());
                true
            }
            Engine::Backtracking(regex) => self.go_back(regex, subject, captures),
        }
    }

    fn go_back(&self, regex: &fancy_regex::Regex, subject: &[u8], captures: &mut Captures) -> bool {
        let found = match regex.captures(subject) {
            Ok(Some(found)) => found,
            Ok(None) => return false,
            Err(_) => {
                captures.fail();
                return false;
            }
        };
        if self.inner.groups > 1 {
            let groups = (0..self.inner.groups).map(|at| {
                let group = found.get(at)?;
                Some(u32::try_from(group.start()).ok()?..u32::try_from(group.end()).ok()?)
            });
            captures.fill(groups, self.inner.names.as_ref());
        }
        true
    }

    /// Names of the groups with their numbers, for those who check that a variable exists.
    pub fn group_names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.inner.names.iter().flat_map(|names| names.iter()).map(|(name, number)| (&**name, *number))
    }

    /// Number of groups, not counting the whole match.
    pub fn group_count(&self) -> usize {
        self.inner.groups - 1
    }
}

/// One machine that finds all of `regexes` that match, each by its place in the slice.
fn compile_set(regexes: &[Regex]) -> Result<meta::Regex, Box<meta::BuildError>> {
    let hirs: Vec<Hir> = regexes
        .iter()
        .filter_map(|regex| parse(&pcre::translate(regex.as_str()).text, regex.case()).ok())
        .collect();
    debug_assert_eq!(hirs.len(), regexes.len(), "a Regex has been parsed before");
    let config = meta::Config::new()
        .match_kind(MatchKind::All)
        .which_captures(WhichCaptures::None)
        .utf8_empty(false)
        .nfa_size_limit(Some(SET_BYTES_MAX))
        .hybrid_cache_capacity(SET_CACHE_BYTES_MAX);
    meta::Builder::new().configure(config).build_many_from_hir(&hirs).map_err(Box::new)
}

/// By bytes where that works, else with Unicode. The error is that of the first try, in a few words.
fn parse(text: &str, case: Case) -> Result<Hir, String> {
    let config = syntax::Config::new().utf8(false).case_insensitive(case == Case::Ignore);
    syntax::parse_with(text, &config.unicode(false))
        .or_else(|err| syntax::parse_with(text, &config.unicode(true)).map_err(|_| syntax_problem(&err)))
}

fn syntax_problem(err: &regex_syntax::Error) -> String {
    match err {
        regex_syntax::Error::Parse(err) => {
            format!("{}, at character {}", err.kind(), err.span().start.column)
        }
        regex_syntax::Error::Translate(err) => {
            format!("{}, at character {}", err.kind(), err.span().start.column)
        }
        other => other.to_string(),
    }
}

fn build_problem(err: &meta::BuildError) -> String {
    match err.size_limit() {
        Some(_) => format!("it takes more than {} MiB when compiled", REGEX_BYTES_MAX >> 20),
        None => err.to_string(),
    }
}

/// The names of groups with their numbers. In lower case, as nginx has the variables they become.
fn group_names<'n>(names: impl Iterator<Item = Option<&'n str>>) -> Option<GroupNames> {
    let names: GroupNames = names
        .enumerate()
        .filter_map(|(number, name)| Some((name?.to_ascii_lowercase().into(), number)))
        .collect();
    (!names.is_empty()).then_some(names)
}

/// Start and end of one group; `None` where it took no part in the match.
fn range(slots: &[Option<NonMaxUsize>]) -> Option<Range<u32>> {
    match slots {
        [Some(start), Some(end)] => Some(u32::try_from(start.get()).ok()?..u32::try_from(end.get()).ok()?),
        _ => None,
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.inner.text == other.inner.text && self.inner.case == other.inner.case
    }
}

impl Eq for Regex {}

impl Hash for Regex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.text.hash(state);
        self.inner.case.hash(state);
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regex({:?}, {:?})", self.inner.text, self.inner.case)
    }
}

/// The text as it was written. A [`Case::Ignore`] given from outside is not part of it.
impl fmt::Display for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.text)
    }
}

impl FromStr for Regex {
    type Err = RegexError;

    fn from_str(text: &str) -> Result<Self, RegexError> {
        Self::new(text, Case::Sensitive)
    }
}

as_string!(
    Regex,
    "Regex",
    "A regular expression, matched anywhere in the value unless anchored with ^ and $. Case counts unless it \
     starts with (?i).",
    ["^v[0-9]+$", "(?i)bot"]
);

#[cfg(test)]
mod tests;
