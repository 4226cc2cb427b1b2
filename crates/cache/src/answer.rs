//! From a stored answer to the one that a client gets.

use crate::conditions::{self, Outcome};
use crate::config::Standard;
use crate::range::{self, Asked};
use crate::stored::Stored;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::{Body, Method, Name, RequestHead, Response, Source};
use bifrons_store::{Object, ReadError, Reader};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What is known about a stored answer; made once of what is written down, then shared. `None` where that is damaged.
pub fn stored(object: &Object) -> Option<&Stored> {
    object.decoded(|bytes| Stored::decode(bytes))
}

/// The answer to that request: the whole, a part, 304, 412 or 416.
///
/// # Errors
/// When the body can no longer be read from its beginning.
pub fn answer(
    req: &RequestHead,
    (object, stored): (&Arc<Object>, &Stored),
    (standard, now_s): (Standard, u64),
) -> Result<Response> {
    let mut head = stored.head.clone();
    if standard == Standard::Rfc9111 {
        // RFC 9111 5.1.
        head.headers.append_as("Age", stored.times.age_s(now_s).to_string().as_bytes());
    }
    match conditions::evaluate(req, &stored.head, standard == Standard::Nginx) {
        Outcome::Send => {}
        Outcome::Failed => return Ok(Response::empty(412)),
        Outcome::NotModified => {
            head.set_status(304);
            // RFC 9110 15.4.5.
            for name in [Name::ContentType, Name::ContentEncoding, Name::ContentRange] {
                head.headers.remove(name);
            }
            return Ok(Response { head, body: Body::Empty });
        }
    }
    let len = object.body().len();
    if let Some(len) = len.filter(|_| stored.head.status == 200) {
        if !head.headers.has(Name::AcceptRanges) {
            head.headers.append_as("Accept-Ranges", b"bytes");
        }
        if req.method() == Method::Get && conditions::allows_range(req, &stored.head.headers) {
            match range::asked(req, len) {
                Asked::Whole => {}
                Asked::Nothing => {
                    range::note_nothing(&mut head, len);
                    return Ok(Response { head, body: Body::Empty });
                }
                Asked::Part(part) => {
                    range::note_part(&mut head, &part, len);
                    return Ok(Response { head, body: body(object, part)? });
                }
            }
        }
    }
    let body = match req.method() {
        // How long it is shows in the head, and nobody reads it.
        Method::Head if object.body().whole().is_none() => {
            if let Some(len) = len {
                head.headers.append_as("Content-Length", len.to_string().as_bytes());
            }
            Body::Empty
        }
        _ => body(object, 0..len.unwrap_or(u64::MAX))?,
    };
    Ok(Response { head, body })
}

/// A range of the body: a piece of memory, or what reads it.
///
/// # Errors
/// When it can no longer be read from its beginning.
pub fn body(object: &Arc<Object>, part: Range<u64>) -> Result<Body> {
    if let Some(bytes) = object.body().whole() {
        let end = usize::try_from(part.end).unwrap_or(usize::MAX).min(bytes.len());
        let start = usize::try_from(part.start).unwrap_or(usize::MAX).min(end);
        return Ok(Body::Full(bytes.slice(start..end)));
    }
    let len = object.body().len();
    let left = len.map(|len| part.end.min(len).saturating_sub(part.start));
    let is_whole = part.start == 0 && part.end >= len.unwrap_or(u64::MAX);
    let reader = object.body().reader(part).map_err(broken)?;
    Ok(Body::Source(Box::new(StoredBody { reader, left, is_whole, object: object.clone() })))
}

/// Reads a body that is not in memory as a whole.
struct StoredBody {
    reader: Reader,
    left: Option<u64>,
    is_whole: bool,
    /// Who fetches it sees by this that somebody reads it.
    object: Arc<Object>,
}

impl Source for StoredBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        self.reader.poll_next(cx).map(|piece| match piece {
            None if self.left.is_some_and(|left| left > 0) => Err(broken(ReadError::Aborted)),
            None => Ok(None),
            Some(Err(err)) => Err(broken(err)),
            Some(Ok(piece)) => {
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(piece.len() as u64);
                }
                Ok(Some(piece))
            }
        })
    }

    fn length(&self) -> Option<u64> {
        self.left
    }

    fn stored_id(&self) -> Option<u64> {
        self.is_whole.then(|| self.object.id())
    }
}

fn broken(err: ReadError) -> Error {
    match err {
        ReadError::Aborted => Error::upstream(Kind::Closed, err.to_string()),
        ReadError::Gone | ReadError::Corrupt | ReadError::Io | ReadError::Busy => {
            Error::local(Kind::Internal, err.to_string())
        }
    }
}
