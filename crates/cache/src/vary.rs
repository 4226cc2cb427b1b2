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

/// All values of the field in one form: a list without blanks between its members, those of the `Accept` family in
/// lower case and sorted. A field that is not there is not the same as one that is empty.
fn value(request: &Headers, name: &[u8]) -> Vec<u8> {
    if !request.has(name) {
        return b"\0".to_vec();
    }
    let is_choice = matches!(name, b"accept" | b"accept-encoding" | b"accept-language" | b"accept-charset");
    let mut members: Vec<Vec<u8>> = Vec::new();
    for member in request.get_all(name).flat_map(list_members) {
        members.push(match is_choice {
            true => member.iter().filter(|b| !b" \t".contains(b)).map(u8::to_ascii_lowercase).collect(),
            false => member.to_vec(),
        });
    }
    if is_choice {
        // Each has its weight beside it, so that their order says nothing.
        members.sort();
        members.dedup();
    }
    members.join(&b","[..])
}

#[cfg(test)]
mod tests;
