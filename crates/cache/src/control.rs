//! `Cache-Control` and its kin, read (RFC 9111 5.2, RFC 5861, RFC 8246, RFC 9213).

use bifrons_http::headers::list_members;
use bifrons_http::name::is_token;
use bifrons_http::{Headers, Name};

mod dictionary;

/// 2^31: what a number of seconds that is too large stands for (RFC 9111 1.2.2).
pub const SECONDS_MAX: u64 = 1 << 31;

/// Whether a directive is there, and for which fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// It is not there.
    #[default]
    None,
    /// It means the whole answer.
    All,
    /// It means these fields, in lower case (RFC 9111 5.2.2.4, 5.2.2.7).
    Fields(Vec<String>),
}

impl Scope {
    /// Whether the whole answer is meant.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// The fields that are meant.
    pub fn fields(&self) -> &[String] {
        match self {
            Self::Fields(fields) => fields,
            Self::None | Self::All => &[],
        }
    }
}

/// The directives of one message. Numbers are seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the directive of that name")]
pub struct Directives {
    pub no_store: bool,
    pub no_cache: Scope,
    pub private: Scope,
    pub public: bool,
    pub must_revalidate: bool,
    pub proxy_revalidate: bool,
    pub must_understand: bool,
    pub no_transform: bool,
    pub immutable: bool,
    pub only_if_cached: bool,
    pub max_age: Option<u64>,
    pub s_maxage: Option<u64>,
    pub min_fresh: Option<u64>,
    /// `u64::MAX` without a value: any age will do (RFC 9111 5.2.1.2).
    pub max_stale: Option<u64>,
    pub stale_while_revalidate: Option<u64>,
    pub stale_if_error: Option<u64>,
}

impl Directives {
    /// Those of `Cache-Control`. Unknown ones count for nothing, and neither does what is none, such as a name with a
    /// space before its `=` (RFC 9111 5.2.3). Of a repeated one the first counts (RFC 9111 4.2.1).
    pub fn of(headers: &Headers) -> Self {
        Self::of_values(headers.get_all(Name::CacheControl))
    }

    /// The same of a list of values.
    pub fn of_values<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut all = Self::default();
        for member in values.flat_map(list_members) {
            let (name, argument) = split(member);
            if is_token(name) {
                all.note(&name.to_ascii_lowercase(), argument);
            }
        }
        all
    }

    /// `Surrogate-Control` (Edge Architecture Specification 2.3): `max-age=60+30` allows 30 seconds of staleness.
    pub fn of_surrogate(headers: &Headers) -> Option<Self> {
        const FIELD: &str = "surrogate-control";
        headers.get(FIELD)?;
        let mut all = Self::default();
        for member in headers.get_all(FIELD).flat_map(list_members) {
            let (name, argument) = split(member);
            match &*name.to_ascii_lowercase() {
                b"no-store" => all.no_store = true,
                b"max-age" if all.max_age.is_none() => {
                    let argument = unquoted(argument.unwrap_or_default());
                    let plus = argument.iter().position(|&b| b == b'+');
                    let (age, more) = argument.split_at(plus.unwrap_or(argument.len()));
                    all.max_age = Some(seconds(age).unwrap_or(0));
                    all.stale_while_revalidate = more.get(1..).and_then(seconds);
                }
                _ => {}
            }
        }
        Some(all)
    }

    /// A targeted field (RFC 9213 2.1), which is a dictionary of structured fields. `None` if it is not there, is empty
    /// or is none: then the next one counts.
    pub fn of_target(headers: &Headers, field: &str) -> Option<Self> {
        headers.get(field)?;
        let joined = headers.get_all(field).collect::<Vec<_>>().join(&b", "[..]);
        let members = dictionary::parse(&joined).filter(|members| !members.is_empty())?;
        let mut all = Self::default();
        for (name, value) in members {
            match value {
                dictionary::Value::Integer(number) => {
                    let number = u64::try_from(number).unwrap_or(0).min(SECONDS_MAX);
                    let place = match &*name {
                        "max-age" => &mut all.max_age,
                        "s-maxage" => &mut all.s_maxage,
                        "stale-while-revalidate" => &mut all.stale_while_revalidate,
                        "stale-if-error" => &mut all.stale_if_error,
                        _ => continue,
                    };
                    *place = Some(number);
                }
                // A value of the wrong type makes the field one that can't be used.
                _ if matches!(&*name, "max-age" | "s-maxage") => return None,
                dictionary::Value::Boolean(true) => all.note(name.as_bytes(), None),
                dictionary::Value::Text(text) => all.note(name.as_bytes(), Some(text.as_bytes())),
                dictionary::Value::Boolean(false) | dictionary::Value::Other => {}
            }
        }
        Some(all)
    }

    fn note(&mut self, name: &[u8], argument: Option<&[u8]>) {
        match name {
            b"no-store" => self.no_store = true,
            b"no-cache" => note_scope(&mut self.no_cache, argument),
            b"private" => note_scope(&mut self.private, argument),
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"no-transform" => self.no_transform = true,
            b"immutable" => self.immutable = true,
            b"only-if-cached" => self.only_if_cached = true,
            // What can't be read makes the answer stale (RFC 9111 4.2.1).
            b"max-age" => note_seconds(&mut self.max_age, argument, 0),
            b"s-maxage" => note_seconds(&mut self.s_maxage, argument, 0),
            b"min-fresh" => note_seconds(&mut self.min_fresh, argument, 0),
            b"max-stale" => match argument {
                None => _ = self.max_stale.get_or_insert(u64::MAX),
                Some(_) => note_seconds(&mut self.max_stale, argument, 0),
            },
            b"stale-while-revalidate" => note_seconds(&mut self.stale_while_revalidate, argument, 0),
            b"stale-if-error" => note_seconds(&mut self.stale_if_error, argument, 0),
            _ => {}
        }
    }
}

fn note_seconds(place: &mut Option<u64>, argument: Option<&[u8]>, malformed: u64) {
    if place.is_none() {
        *place = Some(argument.and_then(|text| seconds(unquoted(text))).unwrap_or(malformed));
    }
}

/// The unqualified form goes before the other; a list that names nothing is the unqualified form.
fn note_scope(place: &mut Scope, argument: Option<&[u8]>) {
    let names = argument.map(|argument| {
        let names = list_members(unquoted(argument)).filter(|name| is_token(name));
        names.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect::<Vec<_>>()
    });
    match (names, &mut *place) {
        (_, Scope::All) => {}
        (Some(names), Scope::Fields(fields)) if !names.is_empty() => fields.extend(names),
        (Some(names), Scope::None) if !names.is_empty() => *place = Scope::Fields(names),
        _ => *place = Scope::All,
    }
}

/// Name and argument. The name may be none, which the caller looks at.
fn split(member: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'=', member) {
        Some(at) => (member.get(..at).unwrap_or_default(), member.get(at + 1..)),
        None => (member, None),
    }
}

/// Arguments come as tokens and as quoted strings, whichever a directive prefers (RFC 9111 5.2).
fn unquoted(argument: &[u8]) -> &[u8] {
    match argument {
        [b'"', inner @ .., b'"'] => inner,
        _ => argument,
    }
}

/// Seconds (RFC 9111 1.2.2): digits and nothing else.
pub fn seconds(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = text
        .iter()
        .fold(0u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(number.min(SECONDS_MAX))
}

#[cfg(test)]
mod tests;
