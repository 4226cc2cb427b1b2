//! `cut_ranges`: ranges of answers whose server knows none (as nginx's `proxy_force_ranges`).

use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_core::Result as FlowResult;
use bifrons_http::{Body, Headers, Method, Name, ReqCx, RequestHead, Response, ResponseHead, Source};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Answers a request for one range with that part (206) of a server's whole answer (200) whose length is known,
/// and says of others that ranges are served. Of a request for several ranges the whole answer comes. What lies
/// outside of the range is read from the server and left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Spec for Config {
    const NAME: &str = "cut_ranges";
    const EXAMPLE: &str = "{}";

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        Ok(Arc::new(CutRanges))
    }
}

struct CutRanges;

impl Filter for CutRanges {
    fn takes_requests(&self) -> bool {
        false
    }

    fn whole(&self, _cx: &mut ReqCx, req: &RequestHead, res: &mut Response) -> FlowResult<()> {
        // What the server says of ranges is not true any more.
        res.head.headers.remove(Name::AcceptRanges);
        let Some(len) = length(res).filter(|_| res.head.status == 200) else { return Ok(()) };
        let asked = match req.method() {
            Method::Get if fits(req, &res.head) => req.headers.get(Name::Range),
            _ => None,
        };
        match asked.and_then(|value| range(value, len)) {
            None => res.head.headers.set("Accept-Ranges", b"bytes"),
            Some(Asked::Part(part)) => cut(res, part, len),
            Some(Asked::Nothing) => {
                res.head.status = 416;
                for name in [Name::ContentType, Name::ContentLength, Name::ContentEncoding] {
                    res.head.headers.remove(name);
                }
                res.head.headers.set("Content-Range", format!("bytes */{len}").as_bytes());
                res.body = Body::Empty;
            }
        }
        Ok(())
    }
}

/// Bytes of the answer, where they are known; of one to a HEAD by what it says.
fn length(res: &Response) -> Option<u64> {
    match (&res.body, res.head.headers.get(Name::ContentLength)) {
        (Body::Empty, Some(told)) => std::str::from_utf8(told).ok()?.parse().ok(),
        (body, _) => body.length(),
    }
}

/// Whether `If-Range` lets a part be sent (RFC 9110 13.1.5), as nginx compares it: the same tag, or date.
fn fits(req: &RequestHead, have: &ResponseHead) -> bool {
    let Some(wanted) = req.headers.get(Name::IfRange) else { return true };
    let name = if wanted.ends_with(b"\"") { Name::Etag } else { Name::LastModified };
    !wanted.starts_with(b"W/") && have.headers.get(name) == Some(wanted)
}

/// What a request for one range asks of so many bytes.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Part(Range<u64>),
    /// None of the bytes.
    Nothing,
}

/// `None` for what is no range, or several. One that ends before it begins is none of the bytes, as in nginx.
fn range(value: &[u8], len: u64) -> Option<Asked> {
    let (unit, spec) = value.split_at_checked(6)?;
    let (first, last) = std::str::from_utf8(spec).ok()?.trim().split_once('-')?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let part = match (first, last) {
        ("", last) => len.saturating_sub(number(last)?)..len,
        (first, "") => number(first)?..len,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            first..last.saturating_add(1).min(len)
        }
    };
    Some(if part.start < part.end { Asked::Part(part) } else { Asked::Nothing })
}

/// Makes the answer that part of itself.
fn cut(res: &mut Response, part: Range<u64>, len: u64) {
    res.head.status = 206;
    let range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
    res.head.headers.set("Content-Range", range.as_bytes());
    res.head
        .headers
        .set(Name::ContentLength.spelt("Content-Length"), (part.end - part.start).to_string().as_bytes());
    let inner = std::mem::take(&mut res.body);
    res.body = Body::Source(Box::new(Cut { inner, skip: part.start, left: part.end - part.start }));
}

/// A part of a body.
struct Cut {
    inner: Body,
    /// Bytes before it that are still to come.
    skip: u64,
    /// Its own.
    left: u64,
}

impl Source for Cut {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<FlowResult<Option<Bytes>>> {
        // Bounded: every turn takes a piece of the inner body, which ends.
        while let Some(mut piece) = ready!(self.inner.poll_next(cx))? {
            let before = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
            self.skip -= before as u64;
            piece = piece.split_off(before);
            piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= piece.len() as u64;
            if !piece.is_empty() {
                return Poll::Ready(Ok(Some(piece)));
            }
        }
        Poll::Ready(Ok(None))
    }

    fn length(&self) -> Option<u64> {
        Some(self.left)
    }

    fn is_pumping(&self) -> bool {
        self.inner.is_pumping()
    }

    fn poll_pump(&mut self, cx: &mut Context<'_>) -> FlowResult<()> {
        self.inner.poll_pump(cx)
    }

    fn take_trailers(&mut self) -> Option<Headers> {
        self.inner.take_trailers()
    }
}

#[cfg(test)]
mod tests;
