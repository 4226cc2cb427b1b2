//! Content codings, and which of those on offer a client gets (RFC 9110 12.5.3). Pure: values of
//! `Accept-Encoding` in, a coding out.

use crate::headers::list_members;

/// A content coding that the proxy can make and undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
    /// `gzip` (RFC 1952).
    Gzip,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What is appended to the name of a plain file.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }

    /// The coding of that name, whatever its case; `x-gzip` is gzip (RFC 9110 8.4.1.3).
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.is_named(name))
    }

    fn is_named(self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(self.name().as_bytes())
            || self == Self::Gzip && name.eq_ignore_ascii_case(b"x-gzip")
    }
}

/// A weight of 1, in thousandths.
pub const WEIGHT_MAX: u16 = 1000;

/// The coding that a client gets: of those it accepts the one with the greatest weight, among equals the one
/// offered first. `None`: the body goes as it is, since none is accepted or the client wants it plain rather
/// than coded. Without `Accept-Encoding` that is so as well: many clients that don't say so can't decode.
///
/// `accept_encoding` are the values of all fields of that name, in order.
pub fn negotiate<'a>(
    accept_encoding: impl Iterator<Item = &'a [u8]> + Clone,
    offered: &[Encoding],
) -> Option<Encoding> {
    let mut best = None;
    for &encoding in offered {
        let weight = weight(accept_encoding.clone(), encoding);
        if weight > best.map_or(0, |(most, _)| most) {
            best = Some((weight, encoding));
        }
    }
    let (weight, encoding) = best?;
    (identity_weight(accept_encoding) <= weight).then_some(encoding)
}

/// The first coding of those offered that the client names with a weight above 0, whatever else it says: `*`
/// names none, other weights don't count, nor do fields behind the first. As nginx reads it
/// (`ngx_http_gzip_ok`).
pub fn named(accept_encoding: Option<&[u8]>, offered: &[Encoding]) -> Option<Encoding> {
    let value = accept_encoding?;
    offered.iter().copied().find(|encoding| {
        let member = list_members(value).map(split).find(|(name, _)| {
            // Without the `x-gzip` of old.
            name.eq_ignore_ascii_case(encoding.name().as_bytes())
        });
        member.is_some_and(|(_, parameters)| match parameters.map(<[u8]>::trim_ascii) {
            None | Some(b"") => true,
            Some(one) => quality(one).is_some_and(|weight| weight > 0),
        })
    })
}

/// The weight a client gives a coding, in thousandths; 0: it does not accept it.
pub fn weight<'a>(accept_encoding: impl Iterator<Item = &'a [u8]>, encoding: Encoding) -> u16 {
    let mut any = 0;
    for (name, parameters) in accept_encoding.flat_map(list_members).map(split) {
        if encoding.is_named(name) {
            return weight_of(parameters);
        }
        if name == b"*" {
            any = weight_of(parameters);
        }
    }
    any
}

/// The weight that a client gives what is not coded, where it says so; else 0, for then all that it accepts is
/// as good.
fn identity_weight<'a>(accept_encoding: impl Iterator<Item = &'a [u8]>) -> u16 {
    let mut members = accept_encoding.flat_map(list_members).map(split);
    members
        .find(|(name, _)| name.eq_ignore_ascii_case(b"identity"))
        .map_or(0, |(_, parameters)| weight_of(parameters))
}

/// The name of a member, and what stands behind the first `;`.
fn split(member: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b';', member).and_then(|at| member.split_at_checked(at)) {
        Some((name, rest)) => (name.trim_ascii(), rest.get(1..)),
        None => (member.trim_ascii(), None),
    }
}

fn weight_of(parameters: Option<&[u8]>) -> u16 {
    let mut parameters = parameters.unwrap_or_default().split(|&b| b == b';');
    parameters.find_map(quality).unwrap_or(WEIGHT_MAX)
}

/// The value of `q=0.5`, in thousandths; `None` for another parameter. What is malformed counts as 0.
fn quality(parameter: &[u8]) -> Option<u16> {
    let parameter = parameter.trim_ascii();
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, fraction) = match value {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return Some(0),
    };
    let mut weight = u16::from(whole - b'0') * WEIGHT_MAX;
    let mut place = 100;
    for digit in fraction {
        if !digit.is_ascii_digit() {
            return Some(0);
        }
        weight += u16::from(digit - b'0') * place;
        place /= 10;
    }
    Some(if weight > WEIGHT_MAX { 0 } else { weight })
}

#[cfg(test)]
mod tests;
