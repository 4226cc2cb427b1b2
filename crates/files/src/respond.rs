//! A file to a response.

use crate::conditions::{self, Only, Validators, Verdict, only};
use crate::open::{Content, Representation};
use crate::options::IfModifiedSince;
use bifrons_http::Encoding as Coding;
use bifrons_http::range::{self, Asked, content_range};
use bifrons_http::{Body, FileBody, Headers, Method, Name, RequestHead, Response};
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

/// How conditions and ranges are dealt with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) etag: bool,
    pub(crate) if_modified_since: IfModifiedSince,
    pub(crate) ranges_max: u32,
}

/// What of a file is sent, besides its bytes.
pub(crate) struct Sent<'a> {
    /// None where it is empty.
    pub(crate) media_type: &'a str,
    /// What the bytes are compressed with.
    pub(crate) coding: Option<Coding>,
    /// Whether another client may get other bytes.
    pub(crate) vary: bool,
}

/// Answers a GET or HEAD with the file, a part of it, or why not.
pub(crate) fn with(req: &RequestHead, file: &Representation, sent: &Sent<'_>, rules: Rules) -> Response {
    match conditions::evaluate(&req.headers, file.validators(rules), rules.if_modified_since) {
        Verdict::Send => {}
        Verdict::NotModified => {
            let mut response = Response::empty(304);
            file.write_validators(&mut response.head.headers, rules);
            write_vary(&mut response.head.headers, sent);
            return response;
        }
        Verdict::Failed => return Response::empty(412),
    }
    match asked(req, file, sent, rules) {
        Asked::Whole => whole(req.method(), file, sent, rules),
        Asked::Part(part) => partial(part, file, sent, rules),
        Asked::Parts(parts) => multipart(&parts, file, sent, rules),
        Asked::Unsatisfiable => {
            let mut response = Response::empty(416);
            let content_range = content_range(None, file.facts.len);
            response.head.headers.append_as("Content-Range", &content_range);
            response
        }
    }
}

/// `Range` means something with GET only (RFC 9110 14.2). As in nginx compressed files have no ranges.
fn asked(req: &RequestHead, file: &Representation, sent: &Sent<'_>, rules: Rules) -> Asked {
    if !has_ranges(sent, rules) || req.method() != Method::Get {
        return Asked::Whole;
    }
    match only(&req.headers, Name::Range) {
        Only::One(value) if conditions::if_range_holds(&req.headers, file.validators(rules)) => {
            range::asked(value, file.facts.len, rules.ranges_max)
        }
        _ => Asked::Whole,
    }
}

fn has_ranges(sent: &Sent<'_>, rules: Rules) -> bool {
    rules.ranges_max > 0 && sent.coding.is_none()
}

fn whole(method: Method, file: &Representation, sent: &Sent<'_>, rules: Rules) -> Response {
    let len = file.facts.len;
    let mut response = Response::empty(200);
    let headers = &mut response.head.headers;
    write_type(headers, sent.media_type);
    if method == Method::Head {
        // There is no body to tell the writer; what a GET would have had (RFC 9110 9.3.2).
        headers.append_as("Content-Length", itoa::Buffer::new().format(len).as_bytes());
    }
    file.write_validators(headers, rules);
    write_vary(headers, sent);
    if let Some(coding) = sent.coding {
        headers.append_as("Content-Encoding", coding.name().as_bytes());
    }
    if has_ranges(sent, rules) {
        headers.append_as("Accept-Ranges", b"bytes");
    }
    if method == Method::Get {
        response.body = file.body(0..len);
    }
    response
}

fn partial(part: Range<u64>, file: &Representation, sent: &Sent<'_>, rules: Rules) -> Response {
    let mut response = Response::empty(206);
    let headers = &mut response.head.headers;
    write_type(headers, sent.media_type);
    file.write_validators(headers, rules);
    write_vary(headers, sent);
    headers.append_as("Content-Range", &content_range(Some(&part), file.facts.len));
    response.body = file.body(part);
    response
}

fn multipart(parts: &[Range<u64>], file: &Representation, sent: &Sent<'_>, rules: Rules) -> Response {
    let body = |part| Ok::<_, Infallible>(file.body(part));
    let Ok((media_type, body)) = range::multipart((parts, file.facts.len), sent.media_type.as_bytes(), body);
    let mut response = Response { body, ..Response::empty(206) };
    let headers = &mut response.head.headers;
    write_type(headers, &media_type);
    file.write_validators(headers, rules);
    write_vary(headers, sent);
    response
}

fn write_type(headers: &mut Headers, media_type: &str) {
    if !media_type.is_empty() {
        headers.append_as("Content-Type", media_type.as_bytes());
    }
}

fn write_vary(headers: &mut Headers, sent: &Sent<'_>) {
    if sent.vary {
        headers.append_as("Vary", b"Accept-Encoding");
    }
}

impl Representation {
    fn validators(&self, rules: Rules) -> Validators<'_> {
        let modified_s = self.modified.as_ref().map(|modified| modified.unix_s);
        Validators { etag: rules.etag.then_some(self.etag.as_str()), modified_s }
    }

    fn write_validators(&self, headers: &mut Headers, rules: Rules) {
        if let Some(modified) = &self.modified {
            headers.append_as("Last-Modified", modified.text.as_bytes());
        }
        if rules.etag {
            headers.append_as("ETag", self.etag.as_bytes());
        }
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
