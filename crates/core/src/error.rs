//! The error of the way: what went wrong, on which side, and whether trying again is safe.
//!
//! One place turns it into an answer (`flow/respond.rs`), one into a log word (`flow/record.rs`).

use std::borrow::Cow;
use std::fmt;

/// What went wrong. The status an answer gets and the word in the log follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The message breaks the protocol's syntax or framing (RFC 9112): 400, or 502 from an upstream.
    Malformed,
    /// The request target is longer than `request_line_bytes`: 414 (RFC 9110 15.5.15).
    UriTooLong,
    /// The head has too many fields or bytes: 431 (RFC 6585 5), or 502 from an upstream.
    HeadTooLarge,
    /// The body is larger than `body_bytes`: 413 (RFC 9110 15.5.14).
    BodyTooLarge,
    /// A version of HTTP we don't speak: 505 (RFC 9110 15.6.6).
    Version,
    /// A method we don't carry out here: 405 or 501.
    Method,
    /// A transfer coding we don't know: 501 (RFC 9112 6.1).
    TransferCoding,
    /// No host or route fits: 404.
    NoRoute,
    /// The request came back to us (RFC 9110 7.6.3): 508.
    Loop,
    /// Routed again more often than allowed: 500.
    TooManyReroutes,
    /// A file or directory is not there: 404.
    NotFound,
    /// Access refused: 403.
    Forbidden,
    /// The other side took longer than its limit: 408 or 504.
    Timeout,
    /// The time that the client itself gave the request is over (`grpc-timeout`): 504.
    Deadline,
    /// The other side closed before the message was whole.
    Closed,
    /// The other side reset the connection, or another error of its socket.
    Reset,
    /// The connection to an endpoint could not be made.
    Connect,
    /// No endpoint can take the request: 502, or 503 when all are busy.
    NoEndpoint,
    /// All endpoints are at their `max_conns`: 503.
    Busy,
    /// The configuration wants the connection closed without an answer: 444 in the log, as nginx has it.
    Dropped,
    /// Nothing has moved in a tunnel for as long as one may rest.
    TunnelIdle,
    /// Plain text where TLS was expected: 400 (nginx's 497).
    PlainText,
    /// The client has no certificate, or not a good one, where one is demanded: 400 (nginx's 495 and 496).
    ClientCertificate,
    /// The request is for another host than the connection's handshake: 421 (RFC 9110 15.5.20).
    Misdirected,
    /// The request came before the end of the handshake, and may not be repeated: 425 (RFC 8470 5.2).
    TooEarly,
    /// Our own disk, configuration or code failed: 500.
    Internal,
}

/// Whose doing it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's.
    Downstream,
    /// The server's behind us.
    Upstream,
    /// Ours.
    Local,
}

/// Whether the same request may be sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// No: the request may have been acted upon.
    No,
    /// Yes, for it failed on a reused connection before a byte of an answer (RFC 9110 9.2.2, 9112 9.3.1).
    Reused,
    /// Yes: nothing was sent.
    Safe,
    /// Yes, and at the same endpoint too: it says itself that it did not process the request (RFC 9113 8.7).
    Unprocessed,
}

/// An error on the way of a request.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    side: Side,
    retry: Retry,
    reason: Cow<'static, str>,
}

impl Error {
    /// An error of the client's doing; `reason` goes to the log, never into the answer.
    #[cold]
    pub fn downstream(kind: Kind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(kind, Side::Downstream, reason.into())
    }

    /// An error of the upstream's doing.
    #[cold]
    pub fn upstream(kind: Kind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(kind, Side::Upstream, reason.into())
    }

    /// An error of our own, or of the configuration's.
    #[cold]
    pub fn local(kind: Kind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(kind, Side::Local, reason.into())
    }

    /// Of the given side.
    #[cold]
    pub fn of(side: Side, kind: Kind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(kind, side, reason.into())
    }

    #[cold]
    fn new(kind: Kind, side: Side, reason: Cow<'static, str>) -> Self {
        Self(Box::new(Inner { kind, side, retry: Retry::No, reason }))
    }

    /// From an error of a socket.
    #[cold]
    pub fn io(side: Side, err: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match err.kind() {
            Io::TimedOut => Kind::Timeout,
            Io::UnexpectedEof => Kind::Closed,
            _ => Kind::Reset,
        };
        Self::new(kind, side, err.to_string().into())
    }

    /// The same error with another rule for trying again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// On which side.
    pub fn side(&self) -> Side {
        self.0.side
    }

    /// Whether the request may be sent again.
    pub fn retryable(&self) -> Retry {
        self.0.retry
    }

    /// The cause, for the log.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({:?}): {}", self.0.kind, self.0.side, self.0.reason)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
