//! Many regexes in an order, where the first that fits wins: tried together, not one by one.

use super::{Regex, compile_set};
use crate::captures::Captures;
use regex_automata::{Input, meta};
use std::fmt;
use std::ops::Range;

/// Four: up to here one after the other is not slower than a set, and stops at the first.
const FEW: usize = 4;

/// An ordered list of regexes.
pub(crate) struct RegexList {
    regexes: Box<[Regex]>,
    chunks: Box<[Chunk]>,
}

/// Neighbours in the list.
enum Chunk {
    /// Tried one by one.
    Few(Range<usize>),
    /// Tried at once; pattern `n` of the machine is the regex `first + n`.
    Set { first: usize, machine: meta::Regex },
}

impl RegexList {
    pub(crate) fn new(regexes: Vec<Regex>) -> Self {
        let mut chunks = Vec::new();
        add_chunks(&regexes, 0, &mut chunks);
        Self { regexes: regexes.into(), chunks: chunks.into() }
    }

    /// Offers the places of the regexes that match `subject`, in order, until `accept` takes one. Its
    /// groups are then in `captures`, which is empty otherwise. A regex whose search is given up ends the
    /// whole one ([`Captures::failed`]): the later ones must not win in its stead.
    pub(crate) fn find<R>(
        &self,
        subject: &[u8],
        captures: &mut Captures,
        mut accept: impl FnMut(usize) -> Option<R>,
    ) -> Option<R> {
        captures.clear();
        for chunk in &self.chunks {
            let taken = match chunk {
                Chunk::Few(range) => self.find_one_by_one(range.clone(), subject, captures, &mut accept),
                Chunk::Set { first, machine } => {
                    self.find_at_once(*first, machine, subject, captures, &mut accept)
                }
            };
            if taken.is_some() || captures.failed() {
                return taken;
            }
        }
        None
    }

    fn find_one_by_one<R>(
        &self,
        range: Range<usize>,
        subject: &[u8],
        captures: &mut Captures,
        accept: &mut impl FnMut(usize) -> Option<R>,
    ) -> Option<R> {
        let regexes = self.regexes.get(range.clone()).unwrap_or_default();
        for (index, regex) in range.zip(regexes) {
            if !regex.captures(subject, captures) {
                match captures.failed() {
                    true => return None,
                    false => continue,
                }
            }
            match accept(index) {
                Some(taken) => return Some(taken),
                None => captures.clear(),
            }
        }
        None
    }

    fn find_at_once<R>(
        &self,
        first: usize,
        machine: &meta::Regex,
        subject: &[u8],
        captures: &mut Captures,
        accept: &mut impl FnMut(usize) -> Option<R>,
    ) -> Option<R> {
        let mut candidates = captures.take_candidates(machine.pattern_len());
        machine.which_overlapping_matches(&Input::new(subject), &mut candidates);
        let taken = candidates.iter().find_map(|id| {
            let index = first + id.as_usize();
            Some((index, accept(index)?))
        });
        captures.put_candidates(candidates);
        let (index, taken) = taken?;
        if let Some(regex) = self.regexes.get(index) {
            regex.captures(subject, captures);
        }
        Some(taken)
    }
}

/// As few sets as possible: one that backtracks can be in none, and where all together are too big there are
/// two halves.
fn add_chunks(regexes: &[Regex], first: usize, chunks: &mut Vec<Chunk>) {
    if regexes.is_empty() {
        return;
    }
    if let Some(at) = regexes.iter().position(|regex| !regex.is_linear()).filter(|_| regexes.len() > 1) {
        let (before, rest) = regexes.split_at(at);
        let (this, after) = rest.split_at(1);
        add_chunks(before, first, chunks);
        add_chunks(this, first + at, chunks);
        return add_chunks(after, first + at + 1, chunks);
    }
    if regexes.len() <= FEW {
        return chunks.push(Chunk::Few(first..first + regexes.len()));
    }
    match compile_set(regexes) {
        Ok(machine) => chunks.push(Chunk::Set { first, machine }),
        Err(_) => {
            let (left, right) = regexes.split_at(regexes.len() / 2);
            add_chunks(left, first, chunks);
            add_chunks(right, first + left.len(), chunks);
        }
    }
}

impl fmt::Debug for RegexList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.regexes.iter()).finish()
    }
}
