//! Which of several encodings a client gets (RFC 9110 12.5.3).

use bifrons_http::headers::list_members;
use bifrons_http::{Name, RequestHead, Version};

/// A content coding that files may lie beside the plain ones in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `br`, in `NAME.br` (RFC 7932).
    Brotli,
    /// `zstd`, in `NAME.zst` (RFC 8878).
    Zstd,
    /// `gzip`, in `NAME.gz` (RFC 1952).
    Gzip,
}

impl Coding {
    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What is appended to the name of the plain file.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// Compressed files beside the plain ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precompressed {
    /// The codings that are looked for, the one preferred first.
    pub codings: Vec<Offer>,
    /// When answers say `Vary: Accept-Encoding`.
    pub vary: Vary,
    /// Whether clients of HTTP/1.0 get them too.
    pub http10: bool,
    /// Whether they are sent where a proxy is in between (`Via`).
    pub via: bool,
}

/// A coding on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which.
    pub coding: Coding,
    /// Whether it is sent also to a client that does not accept it.
    pub always: bool,
}

/// When answers say `Vary: Accept-Encoding` (RFC 9110 12.5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vary {
    /// All answers with files do: nothing needs to be looked for.
    Always,
    /// Where there is a compressed file that not all clients get, as nginx's `gzip_vary`; it is looked for with
    /// each request.
    IfThere,
    /// None does, nginx's default.
    Never,
}

/// 8: the codings that are looked at for one request. There are three.
const CODINGS_MAX: usize = 8;

impl Precompressed {
    /// The offers in the order in which the client wants them, and whether it accepts each. Offers that it
    /// does not accept come last.
    pub(crate) fn order(&self, req: &RequestHead) -> impl Iterator<Item = (Offer, bool)> {
        let mut ranked = [None; CODINGS_MAX];
        let is_open =
            (self.via || !req.headers.has(Name::Via)) && (self.http10 || req.version != Version::Http10);
        for (place, offer) in ranked.iter_mut().zip(&self.codings) {
            let weight = if is_open { weight(req, offer.coding) } else { 0 };
            // What is sent always is as good as what the client wants most.
            *place = Some((if offer.always { WEIGHT_MAX } else { weight }, *offer));
        }
        // Stable: among equals the order of the configuration holds.
        ranked.sort_by_key(|place| std::cmp::Reverse(place.map(|(weight, _)| weight)));
        ranked.into_iter().flatten().map(|(weight, offer)| (offer, weight > 0))
    }
}

/// A weight of 1, in thousandths.
const WEIGHT_MAX: u16 = 1000;

/// The weight a client gives a coding, in thousandths; 0: it does not accept it.
pub(crate) fn weight(req: &RequestHead, coding: Coding) -> u16 {
    let mut any = 0;
    for member in req.headers.get_all(Name::AcceptEncoding).flat_map(list_members) {
        let mut parts = member.split(|&b| b == b';');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let is_named = name.eq_ignore_ascii_case(coding.name().as_bytes());
        if !is_named && name != b"*" {
            continue;
        }
        let weight = parts.find_map(quality).unwrap_or(WEIGHT_MAX);
        if is_named {
            return weight;
        }
        any = weight;
    }
    any
}

/// The value of `q=0.5`, in thousandths. What is malformed counts as 0.
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
