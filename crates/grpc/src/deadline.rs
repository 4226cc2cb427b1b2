//! A call's own deadline: `grpc-timeout`, and an answer that ends with it.

use crate::status::Code;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::message::Source;
use bifrons_http::{Body, Headers};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// 8: digits of `grpc-timeout` at the most.
const DIGITS_MAX: usize = 8;

/// The time of a `grpc-timeout`: up to eight digits and a unit, `H`, `M`, `S`, `m`, `u` or `n`. `None` for what is
/// none.
pub fn timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Eight digits fit.
    let number = digits.iter().fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// The error of a call whose deadline is over.
#[cold]
pub fn over() -> Error {
    Error::upstream(Kind::Deadline, "the time of grpc-timeout is over")
}

/// The body of an answer to a call with a deadline. When that is over, the answer ends with the status that says so,
/// and where it comes from is given up.
pub struct Bounded {
    inner: Body,
    until: Pin<Box<Sleep>>,
    is_over: bool,
}

impl Bounded {
    /// That body until then.
    pub fn new(inner: Body, until: Instant) -> Self {
        Self { inner, until: Box::pin(tokio::time::sleep_until(until)), is_over: false }
    }
}

impl Source for Bounded {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let polled = self.inner.poll_next(cx);
        if polled.is_ready() || self.until.as_mut().poll(cx).is_pending() {
            return polled;
        }
        if self.inner.length().is_some() {
            // As long as it was said to be it will not become.
            return Poll::Ready(Err(over()));
        }
        self.inner = Body::Empty;
        self.is_over = true;
        Poll::Ready(Ok(None))
    }

    fn length(&self) -> Option<u64> {
        // Behind the end come trailers.
        if self.is_over { None } else { self.inner.length() }
    }

    fn is_pumping(&self) -> bool {
        self.inner.is_pumping()
    }

    fn poll_pump(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.inner.poll_pump(cx)
    }

    fn take_trailers(&mut self) -> Option<Headers> {
        if !std::mem::take(&mut self.is_over) {
            return self.inner.take_trailers();
        }
        let mut trailers = Headers::new();
        trailers.append_as("grpc-status", (Code::DeadlineExceeded as u8).to_string().as_bytes());
        trailers.append_as("grpc-message", b"Deadline Exceeded");
        Some(trailers)
    }
}

#[cfg(test)]
mod tests;
