//! What the cache knows about a stored answer, and how it is written down. Little-endian numbers, texts with their
//! length before them.

use crate::control::{Directives, SECONDS_MAX};
use bifrons_http::ResponseHead;
use bifrons_http::name::{is_field_value, is_token};

/// The form of what is written; one of another form is not read.
const FORM: u8 = 1;

/// 64 KiB: what a head may have, and so each text in it.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// 1,000: fields that are read back; a head has 100.
const FIELDS_MAX: usize = 1000;

/// A stored answer but for its body. Immutable: what changes it (a 304, a HEAD) stores a new one.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Status and fields as they are answered with: without those of one connection, `Age` and `Content-Length`.
    pub head: ResponseHead,
    /// When it came and how long it is good for.
    pub times: Times,
    /// What must not be done with it.
    pub terms: Terms,
}

/// When an answer came and how long it is good for. All in seconds, points since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When its head had come.
    pub received_s: u64,
    /// How old it was then (`corrected_initial_age`, RFC 9111 4.2.3).
    pub initial_age_s: u64,
    /// How old it may become (RFC 9111 4.2.1).
    pub lifetime_s: u64,
    /// How long behind that it may be answered while it is fetched anew (RFC 5861 3).
    pub while_revalidate_s: u64,
    /// How long behind that it may be answered in place of an error (RFC 5861 4).
    pub if_error_s: u64,
}

/// What must not be done with an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Not used without asking the origin (`no-cache`).
    pub no_cache: bool,
    /// Not used stale (`must-revalidate`, `proxy-revalidate`, `s-maxage`).
    pub must_revalidate: bool,
    /// Does not change while it is fresh (RFC 8246).
    pub immutable: bool,
    /// Its lifetime was guessed (RFC 9111 4.2.2).
    pub heuristic: bool,
    /// Fresh also in the second in which its lifetime ends, as nginx has it.
    pub to_the_end: bool,
}

/// Whether an answer may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Fresh,
    /// It is stale by so many seconds, and may be used where stale ones may.
    Stale(u64),
    /// The origin must confirm it first.
    Unusable,
}

impl Times {
    /// `current_age` (RFC 9111 4.2.3).
    pub fn age_s(&self, now_s: u64) -> u64 {
        self.initial_age_s.saturating_add(now_s.saturating_sub(self.received_s)).min(SECONDS_MAX)
    }

    /// How many seconds it is still fresh for; negative: how long it is stale.
    pub fn left_s(&self, now_s: u64) -> i64 {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        signed(self.lifetime_s) - signed(self.age_s(now_s))
    }

    /// When nobody can use it any more without asking, stale ones included.
    pub fn useless_s(&self, stale_max_s: u64) -> u64 {
        let stale = self.while_revalidate_s.max(self.if_error_s).max(stale_max_s);
        let left = self.lifetime_s.saturating_sub(self.initial_age_s);
        self.received_s.saturating_add(left).saturating_add(stale)
    }
}

impl Stored {
    /// Whether it may be used for a request with these directives (RFC 9111 4). `is_marked`: a purge has made it stale.
    pub fn verdict(&self, asked: &Directives, is_marked: bool, now_s: u64) -> Verdict {
        let (times, terms) = (&self.times, &self.terms);
        let age_s = times.age_s(now_s);
        let is_in_time = age_s < times.lifetime_s || terms.to_the_end && age_s == times.lifetime_s;
        let is_fresh = is_in_time && !is_marked;
        if terms.no_cache || asked.no_cache.is_all() {
            return Verdict::Unusable;
        }
        // RFC 8246 2.1: what does not change need not be asked for because a page is loaded again.
        let wanted_s = asked.max_age.filter(|_| !(terms.immutable && is_fresh)).unwrap_or(u64::MAX);
        // RFC 9111 5.2.1.3.
        let least_s = asked.min_fresh.unwrap_or(0);
        if is_fresh && age_s <= wanted_s && times.lifetime_s - age_s >= least_s {
            // An age of no more than 0 seconds means that the origin is asked.
            return if wanted_s == 0 { Verdict::Unusable } else { Verdict::Fresh };
        }
        if is_fresh || terms.must_revalidate {
            return Verdict::Unusable;
        }
        let stale_s = if is_marked { 0 } else { age_s - times.lifetime_s };
        // RFC 9111 5.2.1.2: unless the client says that it will do.
        match asked.max_stale {
            Some(most) if stale_s <= most && age_s <= wanted_s => Verdict::Fresh,
            _ => Verdict::Stale(stale_s),
        }
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORM);
        let Times { received_s, initial_age_s, lifetime_s, while_revalidate_s, if_error_s } = self.times;
        for number in [received_s, initial_age_s, lifetime_s, while_revalidate_s, if_error_s] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let Terms { no_cache, must_revalidate, immutable, heuristic, to_the_end } = self.terms;
        let flags = [no_cache, must_revalidate, immutable, heuristic, to_the_end];
        out.push(flags.iter().enumerate().fold(0, |bits, (at, flag)| bits | u8::from(*flag) << at));
        out.extend_from_slice(&self.head.status.to_le_bytes());
        count(out, self.head.headers.len());
        for (_, name, value) in self.head.headers.iter() {
            text(out, name);
            text(out, value);
        }
    }

    /// Reads back what [`Stored::encode`] has written; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut read = Reader(bytes);
        if read.array::<1>()? != [FORM] {
            return None;
        }
        let times = Times {
            received_s: read.number()?,
            initial_age_s: read.number()?,
            lifetime_s: read.number()?,
            while_revalidate_s: read.number()?,
            if_error_s: read.number()?,
        };
        let [flags] = read.array()?;
        let has = |at: u8| flags >> at & 1 == 1;
        let terms = Terms {
            no_cache: has(0),
            must_revalidate: has(1),
            immutable: has(2),
            heuristic: has(3),
            to_the_end: has(4),
        };
        let mut head = ResponseHead::new(u16::from_le_bytes(read.array()?));
        if !(100..1000).contains(&head.status) {
            return None;
        }
        for _ in 0..read.count()? {
            let (name, value) = (read.text()?, read.text()?);
            if !is_token(name) || !is_field_value(value) {
                return None;
            }
            head.headers.append(name, value);
        }
        // As it came: what filters do with received fields they do with these.
        head.headers.settle();
        read.0.is_empty().then_some(Self { head, times, terms })
    }
}

fn count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

/// A text with its length before it.
pub(crate) fn text(out: &mut Vec<u8>, text: &[u8]) {
    count(out, text.len());
    out.extend_from_slice(text);
}

/// Reads what [`text`] and its kin have written.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn count(&mut self) -> Option<usize> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        (count <= FIELDS_MAX).then_some(count)
    }

    /// The next text.
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let len = u32::from_le_bytes(self.array()?) as usize;
        let (text, rest) = self.0.split_at_checked(len).filter(|_| len <= TEXT_BYTES_MAX)?;
        self.0 = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests;
