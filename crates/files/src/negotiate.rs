//! Which of several encodings a client gets (RFC 9110 12.5.3).

use bifrons_http::encoding::{self, WEIGHT_MAX};
use bifrons_http::{Encoding as Coding, Name, RequestHead, Version};
use bifrons_route::Regex;

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
    /// Clients whose `User-Agent` matches one of these get none.
    pub except_user_agents: Vec<Regex>,
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
        let is_open = (self.via || !req.headers.has(Name::Via))
            && (self.http10 || req.version != Version::Http10)
            && !self.is_excepted(req);
        for (place, offer) in ranked.iter_mut().zip(&self.codings) {
            let weight = if is_open { weight(req, offer.coding) } else { 0 };
            // What is sent always is as good as what the client wants most.
            *place = Some((if offer.always { WEIGHT_MAX } else { weight }, *offer));
        }
        // Stable: among equals the order of the configuration holds.
        ranked.sort_by_key(|place| std::cmp::Reverse(place.map(|(weight, _)| weight)));
        ranked.into_iter().flatten().map(|(weight, offer)| (offer, weight > 0))
    }

    /// One that takes too long to tell counts as excepted: the plain file is right for all.
    fn is_excepted(&self, req: &RequestHead) -> bool {
        let matches = |agent| Regex::any_match(&self.except_user_agents, agent);
        !self.except_user_agents.is_empty() && req.headers.get(Name::UserAgent).is_some_and(matches)
    }
}

/// The weight a client gives a coding, in thousandths; 0: it does not accept it.
fn weight(req: &RequestHead, coding: Coding) -> u16 {
    encoding::weight(req.headers.get_all(Name::AcceptEncoding), coding)
}

#[cfg(test)]
mod tests;
