//! From a stored answer to the one that a client gets.

use crate::conditions::{self, Outcome};
use crate::config::Standard;
use crate::range;
use crate::stored::Stored;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::range::{Asked, multipart};
use bifrons_http::{Body, Method, Name, RequestHead, Response, ResponseHead, Source};
use bifrons_store::{Object, ReadError, Reader};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What is known about a stored answer; made once of what is written down, then shared. `None` where that is damaged.
pub fn stored(object: &Object) -> Option<&Stored> {
    object.decoded(|bytes| Stored::decode(bytes))
}

/// How a stored answer is given.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whose ways.
    pub standard: Standard,
    /// Whether ranges are answered whatever the origin says of them.
    pub forces_ranges: bool,
    /// How many ranges one answer may have; with more it is the whole.
    pub parts_max: u32,
}

/// What of a body goes out, as the head says by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All of it.
    Whole,
    /// These bytes: 206.
    Part(Range<u64>),
    /// These bytes, each beside what says so: 206, of a type that is still to be named.
    Parts(Vec<Range<u64>>),
    /// None: 304, 412 or 416.
    Nothing,
}

/// Makes the head of a stored answer, whose body has `len` bytes, the one for that request: conditions, then ranges.
pub fn shape(req: &RequestHead, head: &mut ResponseHead, len: Option<u64>, manner: &Manner) -> Shape {
    let is_nginx = manner.standard == Standard::Nginx;
    // Before the answer says of itself that it has ranges: nginx heeds what the origin says.
    let has_ranges = !is_nginx || manner.forces_ranges || head.headers.has(Name::AcceptRanges);
    let is_whole = head.status == 200;
    if is_nginx {
        head.headers.remove(Name::AcceptRanges);
    }
    match conditions::evaluate(req, head, is_nginx) {
        Outcome::Send => {}
        Outcome::Failed => {
            *head = ResponseHead::new(412);
            return Shape::Nothing;
        }
        Outcome::NotModified => {
            head.set_status(304);
            // RFC 9110 15.4.5.
            for name in [Name::ContentType, Name::ContentEncoding, Name::ContentRange] {
                head.headers.remove(name);
            }
            return Shape::Nothing;
        }
    }
    let Some(len) = len.filter(|_| is_whole && has_ranges) else { return Shape::Whole };
    let asked =
        match req.method() == Method::Get && conditions::allows_range(req, &head.headers, manner.standard) {
            true => range::asked(req, len, (manner.standard, manner.parts_max)),
            false => Asked::Whole,
        };
    if !head.headers.has(Name::AcceptRanges) && (!is_nginx || asked == Asked::Whole) {
        head.headers.append_as("Accept-Ranges", b"bytes");
    }
    match asked {
        Asked::Whole => Shape::Whole,
        Asked::Unsatisfiable => {
            range::note_nothing(head, len);
            Shape::Nothing
        }
        Asked::Part(part) => {
            range::note_part(head, &part, len);
            Shape::Part(part)
        }
        Asked::Parts(parts) => {
            head.set_status(206);
            Shape::Parts(parts)
        }
    }
}

/// The answer to that request: the whole, parts, 304, 412 or 416.
///
/// # Errors
/// When the body can no longer be read from its beginning.
pub fn answer(
    req: &RequestHead,
    (object, stored): (&Arc<Object>, &Stored),
    (manner, now_s): (&Manner, u64),
) -> Result<Response> {
    let mut head = stored.head.clone();
    if manner.standard == Standard::Rfc9111 {
        // RFC 9111 5.1.
        head.headers.append_as("Age", itoa::Buffer::new().format(stored.times.age_s(now_s)).as_bytes());
    }
    let len = object.body().len();
    let body = match shape(req, &mut head, len, manner) {
        Shape::Nothing => Body::Empty,
        Shape::Part(part) => body(object, part)?,
        Shape::Parts(parts) => {
            let media_type = head.headers.get(Name::ContentType).unwrap_or_default().to_vec();
            let parts = (parts.as_slice(), len.unwrap_or_default());
            let (own_type, body) = multipart(parts, &media_type, |part| body(object, part))?;
            head.headers.set("Content-Type", own_type.as_bytes());
            body
        }
        // How long it is shows in the head, and nobody reads it.
        Shape::Whole if req.method() == Method::Head && object.body().whole().is_none() => {
            if let Some(len) = len {
                head.headers.append_as("Content-Length", len.to_string().as_bytes());
            }
            Body::Empty
        }
        Shape::Whole => body(object, 0..len.unwrap_or(u64::MAX))?,
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
