//! Times in milliseconds, as `Server-Timing` has them.

use crate::cx::ReqCx;
use bifrons_config::Var;
use std::io::Write;
use std::time::Duration;
use tokio::time::Instant;

/// `$elapsed_ms` and `$upstream_ms`, with microseconds behind the point: `0.215`.
pub(super) fn value(cx: &ReqCx, var: &Var, out: &mut Vec<u8>) -> bool {
    let now = cx.finished.unwrap_or_else(Instant::now);
    let span = match var {
        Var::UpstreamMs if cx.attempts.is_empty() => return false,
        Var::UpstreamMs => waited(cx, now),
        _ => now.saturating_duration_since(cx.started),
    };
    let us = span.as_micros();
    write!(out, "{}.{:03}", us / 1000, us % 1000).is_ok()
}

/// How long endpoints were waited for, connecting included. An attempt without an answer lasted until the next.
fn waited(cx: &ReqCx, now: Instant) -> Duration {
    let ends = cx.attempts.iter().skip(1).map(|next| next.began).chain([now]);
    let spans = cx.attempts.iter().zip(ends).map(|(attempt, end)| match attempt.header_us {
        Some(us) => Duration::from_micros(us.into()),
        None => end.saturating_duration_since(attempt.began),
    });
    spans.sum()
}
