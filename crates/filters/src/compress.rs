//! `compress`: bodies go coded to clients that accept it: gzip, brotli, zstd (RFC 9110 8.4, 12.5.3).
//!
//! Filters of answers run in reverse, so that `compress` stands before those that change bodies. A route's cache
//! stores what the endpoint sent, and beside it what that was compressed to.

use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_codec::{Encoder, Quality, WINDOW_BITS, is_built, levels};
use bifrons_config::units::Size;
use bifrons_core::{Error, Kind, Result as FlowResult};
use bifrons_http::{Body, Encoding, Method, Name, ReqCx, RequestHead, Response, ResponseHead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub mod clients;
mod encode;
pub(crate) mod head;
mod types;

use clients::Clients;
use types::Types;

/// Compresses bodies for clients that accept it. What is compressed already, partial (206), marked
/// `no-transform`, shorter than `size_min` or of another media type passes as it is. A strong `ETag` becomes a
/// weak one, and the length is no longer told.
///
/// Filters of answers run from the last to the first: put `compress` before those that change bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Codings on offer. Among those that a client wants most the first is taken.
    pub codings: Vec<Coding>,
    /// Media types: `text/html`, `text/*`, or `*` for all of them.
    #[serde(skip_serializing_if = "types::is_usual")]
    pub types: Vec<String>,
    /// Bodies that are known to be shorter are not compressed.
    #[serde(skip_serializing_if = "is_size_usual")]
    pub size_min: Size,
    /// How hard each coding tries.
    #[serde(skip_serializing_if = "is_usual")]
    pub levels: Levels,
    /// How far brotli and zstd look back, from 1k to 8m: the memory a body takes is some times that. gzip never
    /// looks back further than 32k.
    #[serde(skip_serializing_if = "is_window_usual")]
    pub window: Size,
    /// Statuses whose bodies are compressed; without one all that have a whole body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// Whether answers say `Vary: Accept-Encoding` where another client might get another body.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub vary: bool,
    /// Which clients get compressed bodies.
    #[serde(skip_serializing_if = "is_usual")]
    pub clients: Clients,
}

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// Brotli.
    Br,
    /// Zstandard.
    Zstd,
    /// gzip.
    Gzip,
}

impl From<Coding> for Encoding {
    fn from(coding: Coding) -> Self {
        match coding {
            Coding::Br => Self::Brotli,
            Coding::Zstd => Self::Zstd,
            Coding::Gzip => Self::Gzip,
        }
    }
}

/// How hard each coding tries: more takes more time and makes less bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CompressLevels")]
pub struct Levels {
    /// 0 to 11. 11 takes a hundred times as long as 4.
    pub br: u8,
    /// 1 to 19.
    pub zstd: u8,
    /// 1 to 9.
    pub gzip: u8,
}

/// Between the fastest and the smallest, as servers have them for what they compress while it passes.
impl Default for Levels {
    fn default() -> Self {
        Self { br: 4, zstd: 3, gzip: 5 }
    }
}

impl Levels {
    fn of(self, encoding: Encoding) -> u8 {
        match encoding {
            Encoding::Brotli => self.br,
            Encoding::Zstd => self.zstd,
            Encoding::Gzip => self.gzip,
        }
    }
}

/// 1 KiB: what fits into one packet anyway gains nothing.
const SIZE_MIN: Size = Size(1024);
/// 512 KiB: from there on web pages hardly get smaller, and a thousand bodies at the same time take some GiB
/// with more.
const WINDOW: Size = Size(512 * 1024);

impl Default for Config {
    fn default() -> Self {
        Self {
            codings: vec![Coding::Zstd, Coding::Br, Coding::Gzip],
            types: types::usual(),
            size_min: SIZE_MIN,
            levels: Levels::default(),
            window: WINDOW,
            statuses: Vec::new(),
            vary: true,
            clients: Clients::default(),
        }
    }
}

fn is_size_usual(size: &Size) -> bool {
    *size == SIZE_MIN
}

fn is_window_usual(size: &Size) -> bool {
    *size == WINDOW
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Spec for Config {
    const NAME: &str = "compress";
    const EXAMPLE: &str =
        r#"{ codings: [br, gzip], types: [text/html, application/json], levels: { br: 5 } }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        let codings = built(&self.codings)?;
        for &encoding in &codings {
            let (level, range) = (self.levels.of(encoding), levels(encoding));
            if !range.contains(&level) {
                let (name, first, last) = (encoding.name(), range.start(), range.end());
                return Err(format!("level {level} of {name} must be {first} to {last}"));
            }
        }
        let window_bits = self.window.0.checked_ilog2().and_then(|bits| u8::try_from(bits).ok());
        let Some(window_bits) = window_bits.filter(|bits| WINDOW_BITS.contains(bits)) else {
            return Err(format!("`window` {} must be 1k to 8m", self.window));
        };
        if let Some(status) = self.statuses.iter().find(|status| !(200..=599).contains(*status)) {
            return Err(format!("status {status} has no body: write 200 to 599"));
        }
        Ok(Arc::new(Compress {
            codings,
            types: Types::build(&self.types)?,
            size_min: self.size_min.0,
            levels: self.levels,
            window_bits,
            statuses: self.statuses.clone(),
            vary: self.vary,
            clients: self.clients.clone(),
        }))
    }
}

/// The codings; an error where there is none, or one that this build hasn't got.
pub(crate) fn built(codings: &[Coding]) -> Result<Vec<Encoding>, String> {
    let codings: Vec<Encoding> = codings.iter().map(|coding| Encoding::from(*coding)).collect();
    if codings.is_empty() {
        return Err("without `codings` nothing is done".to_owned());
    }
    match codings.iter().find(|encoding| !is_built(**encoding)) {
        Some(missing) => Err(format!("this build has no {}: build it with the feature", missing.name())),
        None => Ok(codings),
    }
}

/// The running filter.
struct Compress {
    codings: Vec<Encoding>,
    types: Types,
    size_min: u64,
    levels: Levels,
    window_bits: u8,
    statuses: Vec<u16>,
    vary: bool,
    clients: Clients,
}

impl Compress {
    /// Whether the answer is one to compress, whoever gets it.
    fn fits(&self, req: &RequestHead, res: &Response) -> bool {
        let head = &res.head;
        let has_status = self.statuses.is_empty() || self.statuses.contains(&head.status);
        if !has_status || !head::is_whole(head) || head::codings(&head.headers).is_some() {
            return false;
        }
        match head::length(req, res) {
            // A body of no bytes would become one of some.
            Some(0) => return false,
            Some(len) if len < self.size_min => return false,
            _ => {}
        }
        self.types.have(&head.headers)
    }

    /// Whether it is a part of what would be compressed as a whole.
    fn is_part(&self, head: &ResponseHead) -> bool {
        head.status == 206
            && head::codings(&head.headers).is_none()
            && !head.headers.lists(Name::CacheControl, "no-transform")
            && self.types.have(&head.headers)
    }
}

impl Filter for Compress {
    fn takes_requests(&self) -> bool {
        false
    }

    fn codes(&self) -> bool {
        true
    }

    fn whole(&self, cx: &mut ReqCx, req: &RequestHead, res: &mut Response) -> FlowResult<()> {
        // RFC 9110 15.3.7: a part has the `Vary` that the whole would have.
        if self.vary && self.is_part(&res.head) {
            head::vary(&mut res.head.headers);
        }
        if matches!(res.body, Body::Tunnel(_)) || !self.fits(req, res) {
            return Ok(());
        }
        if self.vary {
            head::vary(&mut res.head.headers);
        }
        let Some(encoding) = self.clients.choose(req, &res.head, &self.codings) else { return Ok(()) };
        if req.method() == Method::Head {
            head::recoded(&mut res.head.headers);
            res.head.headers.append_as("Content-Encoding", encoding.name().as_bytes());
            // Else its length would be told, which is the plain one's.
            res.body = Body::Empty;
            return Ok(());
        }
        let stored = cx.coded_store.as_ref().filter(|store| store.is_of(&res.body));
        let how =
            stored.map(|_| format!("{} {} {}", encoding.name(), self.levels.of(encoding), self.window_bits));
        if let (Some(store), Some(how)) = (stored, &how)
            && let Some(body) = store.find(how)
        {
            let counts = cx.coded.insert(encoding);
            counts.plain.set(res.body.length().unwrap_or(0));
            counts.coded.set(body.length().unwrap_or(0));
            head::recoded(&mut res.head.headers);
            res.head.headers.append_as("Content-Encoding", encoding.name().as_bytes());
            res.body = body;
            return Ok(());
        }
        let quality = Quality { encoding, level: self.levels.of(encoding), window_bits: self.window_bits };
        let encoder = Encoder::new(quality, res.body.length())
            .map_err(|failed| Error::local(Kind::Internal, format!("compressing: {failed}")))?;
        head::recoded(&mut res.head.headers);
        res.head.headers.append_as("Content-Encoding", encoding.name().as_bytes());
        let counts = cx.coded.insert(encoding);
        res.body = std::mem::take(&mut res.body).changed_by(Box::new(encode::Encode::new(encoder, counts)));
        if let (Some(store), Some(how)) = (&cx.coded_store, &how) {
            res.body = store.keep(how, std::mem::take(&mut res.body));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
