//! What a cache did, and how much smaller a body became by a coding.

use crate::cx::ReqCx;
use crate::encoding::Encoding;
use bifrons_config::Var;
use std::io::Write;

/// The cache's key, or its word.
pub(super) fn cache<'a>(cx: &'a ReqCx, var: &Var) -> Option<&'a [u8]> {
    match var {
        Var::CacheKey => cx.cache_key.as_deref(),
        _ => cx.cache_status.map(str::as_bytes),
    }
}

/// How many times smaller the body became, with two places.
pub(super) fn ratio(cx: &ReqCx, of: Encoding, out: &mut Vec<u8>) -> bool {
    cx.coded.ratio(of).is_some_and(|ratio| write!(out, "{}.{:02}", ratio / 100, ratio % 100).is_ok())
}
