//! Parameters of the query and cookies, found without a map: the first of a name counts.

use crate::text::hex_pair;

/// The value of the first parameter called `name`, as it stands in the query. Parameters are divided by `&`;
/// one without `=` has an empty value. Names are compared decoded (see [`Decoded`]) and with case.
pub fn query_value<'q>(query: &'q [u8], name: &[u8]) -> Option<&'q [u8]> {
    query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).find_map(|pair| {
        let (key, value) = split_pair(pair);
        Decoded(key).eq(name.iter().copied()).then_some(value)
    })
}

/// The value of the first cookie called `name` in one `Cookie` field (RFC 6265 4.2.1). Quotes around the value
/// belong to it, as browsers see it. Names are compared with case.
pub fn cookie_value<'c>(field: &'c [u8], name: &[u8]) -> Option<&'c [u8]> {
    field.split(|byte| *byte == b';').find_map(|pair| {
        let (key, value) = split_pair(pair);
        (key.trim_ascii() == name && pair.contains(&b'=')).then(|| value.trim_ascii())
    })
}

fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'=', pair) {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, b""),
    }
}

/// The bytes of a form-encoded text (WHATWG URL, `application/x-www-form-urlencoded`): `%XX` is decoded, `+`
/// is a space, a `%` without two digits stands for itself.
#[derive(Clone, Debug)]
pub struct Decoded<'t>(pub &'t [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match byte {
            b'+' => b' ',
            b'%' => match hex_pair(rest) {
                Some(decoded) => {
                    self.0 = &rest[2..];
                    decoded
                }
                None => byte,
            },
            _ => byte,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len() / 3, Some(self.0.len()))
    }
}

#[cfg(test)]
mod tests;
