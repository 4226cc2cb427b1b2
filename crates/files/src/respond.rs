//! A file to a response.

use crate::conditions::{self, Only, Validators, Verdict, only};
use crate::open::{Content, Representation};
use crate::range::{self, Asked};
use bifrons_http::{Body, FileBody, Headers, Method, Name, RequestHead, Response};
use std::ops::Range;
use std::sync::Arc;

/// Answers a GET or HEAD with the file, a part of it, or why not.
pub(crate) fn with(req: &RequestHead, file: &Representation, media_type: &str) -> Response {
    match conditions::evaluate(&req.headers, file.validators()) {
        Verdict::Send => {}
        Verdict::NotModified => {
            let mut response = Response::empty(304);
            file.write_validators(&mut response.head.headers);
            return response;
        }
        Verdict::Failed => return Response::empty(412),
    }
    match asked(req, file) {
        Asked::Whole => whole(req.method(), file, media_type),
        Asked::Part(part) => partial(part, file, media_type),
        Asked::Unsatisfiable => {
            let mut response = Response::empty(416);
            let content_range = content_range(None, file.facts.len);
            response.head.headers.append_as("Content-Range", &content_range);
            response
        }
    }
}

/// `Range` means something with GET only (RFC 9110 14.2).
fn asked(req: &RequestHead, file: &Representation) -> Asked {
    match only(&req.headers, Name::Range) {
        Only::One(value)
            if req.method() == Method::Get && conditions::if_range_holds(&req.headers, file.validators()) =>
        {
            range::asked(value, file.facts.len)
        }
        _ => Asked::Whole,
    }
}

fn whole(method: Method, file: &Representation, media_type: &str) -> Response {
    let len = file.facts.len;
    let mut response = Response::empty(200);
    let headers = &mut response.head.headers;
    write_type(headers, media_type);
    if method == Method::Head {
        // There is no body to tell the writer; what a GET would have had (RFC 9110 9.3.2).
        headers.append_as("Content-Length", itoa::Buffer::new().format(len).as_bytes());
    }
    file.write_validators(headers);
    headers.append_as("Accept-Ranges", b"bytes");
    if method == Method::Get {
        response.body = file.body(0..len);
    }
    response
}

fn partial(part: Range<u64>, file: &Representation, media_type: &str) -> Response {
    let mut response = Response::empty(206);
    let headers = &mut response.head.headers;
    write_type(headers, media_type);
    file.write_validators(headers);
    headers.append_as("Content-Range", &content_range(Some(&part), file.facts.len));
    response.body = file.body(part);
    response
}

fn write_type(headers: &mut Headers, media_type: &str) {
    if !media_type.is_empty() {
        headers.append_as("Content-Type", media_type.as_bytes());
    }
}

/// RFC 9110 14.4; without a part, what stands in a 416.
fn content_range(part: Option<&Range<u64>>, len: u64) -> Vec<u8> {
    match part {
        Some(part) => format!("bytes {}-{}/{len}", part.start, part.end.saturating_sub(1)),
        None => format!("bytes */{len}"),
    }
    .into_bytes()
}

impl Representation {
    fn validators(&self) -> Validators<'_> {
        let modified_s = self.modified.as_ref().map(|modified| modified.unix_s);
        Validators { etag: &self.etag, modified_s }
    }

    fn write_validators(&self, headers: &mut Headers) {
        if let Some(modified) = &self.modified {
            headers.append_as("Last-Modified", modified.text.as_bytes());
        }
        headers.append_as("ETag", self.etag.as_bytes());
    }

    fn body(&self, part: Range<u64>) -> Body {
        if part.is_empty() {
            return Body::Empty;
        }
        match &self.content {
            // A part lies within `len`, and `len` is that of the bytes.
            Content::Bytes(bytes) => Body::Full(bytes.slice(part.start as usize..part.end as usize)),
            Content::File(file) => Body::File(FileBody {
                file: Arc::clone(file),
                offset: part.start,
                len: part.end - part.start,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
