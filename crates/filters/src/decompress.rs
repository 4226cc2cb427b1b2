//! `decompress`: bodies that a server compressed go plain to clients that don't accept them so (nginx's
//! `gunzip`), or to all.

use crate::compress::clients::Clients;
use crate::compress::{Coding, built, head};
use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_codec::{Decoder, Failed};
use bifrons_config::units::Size;
use bifrons_core::{Error, Kind, Result as FlowResult};
use bifrons_http::{Body, Encoding, Method, ReqCx, RequestHead, Response, Transform};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Decompresses bodies for clients that do not accept them compressed. What is partial (206), marked
/// `no-transform` or compressed more than once passes as it is. A body that is broken, or that grows beyond its
/// bounds, is cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Codings that are undone.
    #[serde(skip_serializing_if = "is_all")]
    pub codings: Vec<Coding>,
    /// Whether they are undone for all clients: for filters behind (that is, before) this one that change
    /// bodies.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
    /// The most bytes that a body may become.
    #[serde(skip_serializing_if = "is_size_usual")]
    pub size_max: Size,
    /// How many times its size a body may become, from 1m on.
    #[serde(skip_serializing_if = "is_ratio_usual")]
    pub ratio_max: u32,
    /// Whether answers say `Vary: Accept-Encoding`.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub vary: bool,
    /// Which clients get compressed bodies.
    #[serde(skip_serializing_if = "is_usual")]
    pub clients: Clients,
}

/// 1 GiB: more than any page or answer of an API, less than a client's disk.
const SIZE_MAX: Size = Size(1 << 30);
/// 1032 times is the most that gzip can do (zlib's documentation), with zeros: what brotli and zstd do beyond
/// that is no content.
const RATIO_MAX: u32 = 1032;
/// 1 MiB: below that nobody is harmed, and short texts of one letter are allowed.
const RATIO_BYTES_MIN: u64 = 1 << 20;
/// 64 KiB: what is decoded at a time.
const PIECE_BYTES: usize = 64 * 1024;

impl Default for Config {
    fn default() -> Self {
        Self {
            codings: vec![Coding::Gzip, Coding::Br, Coding::Zstd],
            always: false,
            size_max: SIZE_MAX,
            ratio_max: RATIO_MAX,
            vary: true,
            clients: Clients::default(),
        }
    }
}

fn is_all(codings: &[Coding]) -> bool {
    codings == Config::default().codings
}

fn is_size_usual(size: &Size) -> bool {
    *size == SIZE_MAX
}

fn is_ratio_usual(ratio: &u32) -> bool {
    *ratio == RATIO_MAX
}

fn is_usual(clients: &Clients) -> bool {
    *clients == Clients::default()
}

impl Spec for Config {
    const NAME: &str = "decompress";
    const EXAMPLE: &str = r#"{ codings: [gzip], size_max: 100m }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        if self.ratio_max == 0 || self.size_max.is_zero() {
            return Err("with `size_max` or `ratio_max` of 0 no body would pass".to_owned());
        }
        let bounds = Bounds { bytes: self.size_max.0, ratio: u64::from(self.ratio_max) };
        let codings = built(&self.codings)?;
        let Config { always, vary, clients, .. } = self.clone();
        Ok(Arc::new(Decompress { codings, always, bounds, vary, clients }))
    }
}

/// The running filter.
struct Decompress {
    codings: Vec<Encoding>,
    always: bool,
    bounds: Bounds,
    vary: bool,
    clients: Clients,
}

#[derive(Clone, Copy)]
struct Bounds {
    bytes: u64,
    ratio: u64,
}

impl Filter for Decompress {
    fn takes_requests(&self) -> bool {
        false
    }

    fn whole(&self, _cx: &mut ReqCx, req: &RequestHead, res: &mut Response) -> FlowResult<()> {
        if matches!(res.body, Body::Tunnel(_)) || !head::is_whole(&res.head) {
            return Ok(());
        }
        let coding = head::only_coding(&res.head.headers).and_then(Encoding::named);
        let Some(encoding) = coding.filter(|encoding| self.codings.contains(encoding)) else { return Ok(()) };
        if self.vary && !self.always {
            head::vary(&mut res.head.headers);
        }
        if !self.always && self.clients.choose(req, &res.head, &[encoding]).is_some() {
            return Ok(());
        }
        let is_head = req.method() == Method::Head;
        if !is_head && res.body.is_empty() {
            return Ok(());
        }
        head::recoded(&mut res.head.headers);
        if is_head {
            res.body = Body::Empty;
            return Ok(());
        }
        let decode = Decode {
            decoder: Decoder::new(encoding).map_err(failed)?,
            input: Bytes::new(),
            taken: 0,
            made: 0,
            bounds: self.bounds,
        };
        res.body = std::mem::take(&mut res.body).changed_by(Box::new(decode));
        Ok(())
    }
}

/// Decompresses one body, some at a time.
struct Decode {
    decoder: Decoder,
    /// What was not decoded yet.
    input: Bytes,
    taken: u64,
    made: u64,
    bounds: Bounds,
}

impl Decode {
    fn check(&self) -> FlowResult<()> {
        let Bounds { bytes, ratio } = self.bounds;
        if self.made > bytes {
            let reason = format!("a compressed body becomes more than {bytes} bytes (size_max)");
            return Err(Error::upstream(Kind::BodyTooLarge, reason));
        }
        if self.made > RATIO_BYTES_MIN && self.made / ratio > self.taken {
            let reason = format!("a compressed body becomes more than {ratio} times its size (ratio_max)");
            return Err(Error::upstream(Kind::BodyTooLarge, reason));
        }
        Ok(())
    }
}

impl Transform for Decode {
    fn piece(&mut self, piece: Bytes) -> FlowResult<Bytes> {
        self.input = piece;
        self.more()
    }

    fn more(&mut self) -> FlowResult<Bytes> {
        let mut out = Vec::with_capacity(PIECE_BYTES.min(1024 + 8 * self.input.len()));
        let taken = self.decoder.read(&self.input, &mut out).map_err(failed)?;
        let _ = self.input.split_to(taken.min(self.input.len()));
        self.taken += taken as u64;
        self.made += out.len() as u64;
        self.check()?;
        Ok(out.into())
    }

    fn end(&mut self) -> FlowResult<Bytes> {
        self.decoder.finish().map_err(failed)?;
        Ok(Bytes::new())
    }
}

#[cold]
fn failed(failed: Failed) -> Error {
    match failed {
        Failed::Encode(_) | Failed::NotBuilt(_) => {
            Error::local(Kind::Internal, format!("decompressing: {failed}"))
        }
        Failed::Malformed(_) => Error::upstream(Kind::Malformed, format!("a body's bytes: {failed}")),
        Failed::Truncated(_) => Error::upstream(Kind::Closed, format!("a body's bytes: {failed}")),
    }
}

#[cfg(test)]
mod tests;
