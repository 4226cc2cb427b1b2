//! How much smaller a body became by a coding.

use crate::cx::ReqCx;
use crate::encoding::Encoding;
use std::io::Write;

/// How many times smaller the body became, with two places.
pub(super) fn ratio(cx: &ReqCx, of: Encoding, out: &mut Vec<u8>) -> bool {
    cx.coded.ratio(of).is_some_and(|ratio| write!(out, "{}.{:02}", ratio / 100, ratio % 100).is_ok())
}
