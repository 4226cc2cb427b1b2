//! Which stored answer is for which request (RFC 9111 4.1).

use crate::stored::{Reader, text};
use bifrons_http::headers::list_members;
use bifrons_http::{Headers, Name};

/// 16: request fields that an answer may depend on. More tell so many requests apart that nothing is shared.
const FIELDS_MAX: usize = 16;

/// Why an answer has no variant it could be stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoVariant {
    /// `Vary: *`: what it depends on is not in requests.
    Star,
    /// It depends on too many fields.
    TooMany,
}

/// What of `request` selects the answer with these fields: names and values. Empty where it depends on nothing.
///
/// # Errors
/// When nothing in a request could select it.
pub fn variant(answer: &Headers, request: &Headers) -> Result<Vec<u8>, NoVariant> {
    let mut names: Vec<Vec<u8>> =
        answer.get_all(Name::Vary).flat_map(list_members).map(<[u8]>::to_ascii_lowercase).collect();
    if names.iter().any(|name| name == b"*") {
        return Err(NoVariant::Star);
    }
    names.sort();
    names.dedup();
    if names.len() > FIELDS_MAX {
        return Err(NoVariant::TooMany);
    }
    let mut out = Vec::new();
    for name in &names {
        text(&mut out, name);
        text(&mut out, &value(request, name));
    }
    Ok(out)
}

/// Whether `variant` is what `request` selects.
pub fn selects(variant: &[u8], request: &Headers) -> bool {
    let mut read = Reader(variant);
    // Bounded: every turn reads two texts.
    while !read.0.is_empty() {
        let (Some(name), Some(wanted)) = (read.text(), read.text()) else { return false };
        if value(request, name) != wanted {
            return false;
        }
    }
    true
}

/// Fields that are no lists: a comma in them, and what stands beside it, says something.
const TEXTS: [&[u8]; 8] = [
    b"authorization",
    b"cookie",
    b"from",
    b"host",
    b"if-modified-since",
    b"origin",
    b"referer",
    b"user-agent",
];

/// All values of the field in one form, as far as its meaning is known to stay the same: lines of a list are joined and
/// have no blanks between their members, those of the `Accept` family are in lower case and sorted. A field that is not
/// there is not the same as one that is empty.
fn value(request: &Headers, name: &[u8]) -> Vec<u8> {
    if !request.has(name) {
        return b"\0".to_vec();
    }
    match name {
        b"accept" | b"accept-encoding" | b"accept-language" | b"accept-charset" => choices(request, name),
        _ => {
            let lines: Vec<&[u8]> = request.get_all(name).collect();
            let text = lines.join(&b","[..]);
            // Who knows what stands between quotes.
            if TEXTS.contains(&name) || memchr::memchr(b'"', &text).is_some() {
                return text;
            }
            let members: Vec<&[u8]> = text.split(|b| *b == b',').map(<[u8]>::trim_ascii).collect();
            members.join(&b","[..])
        }
    }
}

/// What a client would like: each with its weight beside it, so that their order says nothing.
fn choices(request: &Headers, name: &[u8]) -> Vec<u8> {
    let in_one_form =
        |member: &[u8]| member.iter().filter(|b| !b" \t".contains(b)).map(u8::to_ascii_lowercase).collect();
    let mut members: Vec<Vec<u8>> = request.get_all(name).flat_map(list_members).map(in_one_form).collect();
    members.sort();
    members.dedup();
    members.join(&b","[..])
}

#[cfg(test)]
mod tests;
