//! Several texts that are looked for at once, or one in another way than byte by byte.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bifrons_core::Result as FlowResult;
use bifrons_http::Transform;
use bytes::Bytes;
use std::sync::Arc;

/// Texts to look for, compiled.
pub(super) struct Texts {
    finder: AhoCorasick,
    from: Vec<Vec<u8>>,
    ignore_case: bool,
}

impl Texts {
    /// Compiles texts, none of which is empty.
    ///
    /// # Errors
    /// Where they are too many or too long together.
    pub(super) fn build(from: Vec<Vec<u8>>, ignore_case: bool) -> Result<Self, String> {
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            // It is built in no time, which counts where texts have variables; memchr finds rare bytes before it.
            .kind(Some(AhoCorasickKind::NoncontiguousNFA))
            .ascii_case_insensitive(ignore_case)
            .build(&from)
            .map_err(|err| format!("the texts cannot be looked for: {err}"))?;
        Ok(Self { finder, from, ignore_case })
    }

    /// The first match, by its start, its end and the text's number.
    fn find(&self, input: &[u8]) -> Option<(usize, usize, usize)> {
        let found = self.finder.find(input)?;
        Some((found.start(), found.end(), found.pattern().as_usize()))
    }

    /// Where the end of `input` begins that more bytes could make one of the texts.
    fn begun(&self, input: &[u8]) -> usize {
        let longest = self.from.iter().map(Vec::len).max().unwrap_or_default();
        let first = input.len().saturating_sub(longest.saturating_sub(1));
        let begins = |tail: &[u8]| {
            self.from.iter().any(|from| {
                from.len() > tail.len() && from.get(..tail.len()).is_some_and(|start| self.same(start, tail))
            })
        };
        let starts = first..input.len();
        starts.into_iter().find(|&at| begins(input.get(at..).unwrap_or_default())).unwrap_or(input.len())
    }

    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        if self.ignore_case { one.eq_ignore_ascii_case(other) } else { one == other }
    }

    /// The same without one of them; none where none is left.
    fn without(&self, number: usize) -> Option<Self> {
        let left = self.from.iter().enumerate().filter(|(at, _)| *at != number);
        let left: Vec<_> = left.map(|(_, from)| from.clone()).collect();
        if left.is_empty() { None } else { Self::build(left, self.ignore_case).ok() }
    }
}

/// Replaces in one body.
pub(super) struct Several {
    /// None once all have had their turn.
    texts: Option<Arc<Texts>>,
    /// What takes the place of each.
    to: Vec<Vec<u8>>,
    first_only: bool,
    /// The end of what came that may begin one of the texts, shorter than the longest.
    held: Vec<u8>,
}

impl Several {
    pub(super) fn new(texts: Arc<Texts>, to: Vec<Vec<u8>>, first_only: bool) -> Self {
        Self { texts: Some(texts), to, first_only, held: Vec::new() }
    }

    /// Replaces what can be told now. `is_end`: nothing comes behind `input`.
    fn replace(&mut self, input: &[u8], is_end: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(input.len());
        let mut rest = input;
        while let Some(texts) = self.texts.clone() {
            // A text that began earlier goes before one that is whole already.
            let certain = if is_end { rest.len() } else { texts.begun(rest) };
            let Some((start, end, number)) = texts.find(rest).filter(|(start, ..)| *start < certain) else {
                let (sure, held) = rest.split_at_checked(certain).unwrap_or((rest, &[]));
                out.extend_from_slice(sure);
                self.held = held.to_vec();
                return out;
            };
            out.extend_from_slice(rest.get(..start).unwrap_or_default());
            out.extend_from_slice(self.to.get(number).map(Vec::as_slice).unwrap_or_default());
            rest = rest.get(end..).unwrap_or_default();
            if self.first_only {
                self.texts = texts.without(number).map(Arc::new);
                self.to.remove(number);
            }
        }
        out.extend_from_slice(rest);
        out
    }
}

impl Transform for Several {
    fn piece(&mut self, piece: Bytes) -> FlowResult<Bytes> {
        if self.texts.is_none() {
            return Ok(piece);
        }
        let held = std::mem::take(&mut self.held);
        let out = match held.is_empty() {
            true => self.replace(&piece, false),
            false => self.replace(&[&held, &*piece].concat(), false),
        };
        Ok(out.into())
    }

    fn end(&mut self) -> FlowResult<Bytes> {
        let held = std::mem::take(&mut self.held);
        Ok(self.replace(&held, true).into())
    }
}
