//! What coding a body means for the head: which answers can be coded, and how fields change.

use bifrons_http::headers::list_members;
use bifrons_http::message::forget_length;
use bifrons_http::status::is_bodiless;
use bifrons_http::{Body, Headers, Method, Name, RequestHead, Response, ResponseHead};

/// Digests of the body as it was sent (RFC 9530, and what came before it).
const DIGESTS: [&[u8]; 4] = [b"content-digest", b"repr-digest", b"digest", b"content-md5"];

/// Whether the answer has a whole body that a proxy may change.
pub(crate) fn is_whole(head: &ResponseHead) -> bool {
    head.status >= 200
        && head.status != 206
        && !is_bodiless(head.status)
        && !head.headers.has(Name::ContentRange)
        // RFC 9110 7.7: a proxy must not transform what says so.
        && !head.headers.lists(Name::CacheControl, "no-transform")
}

/// The value of `Content-Encoding`, if there is one.
pub(crate) fn codings(headers: &Headers) -> Option<&[u8]> {
    headers.get_all(Name::ContentEncoding).find(|value| !value.is_empty())
}

/// How long the body is, as far as that is known; for HEAD, how long it would be.
pub(crate) fn length(req: &RequestHead, res: &Response) -> Option<u64> {
    match res.body {
        Body::Empty if req.method() == Method::Head => {
            let value = res.head.headers.get(Name::ContentLength)?;
            std::str::from_utf8(value).ok()?.trim().parse().ok()
        }
        _ => res.body.length(),
    }
}

/// Says that another client may get another body (RFC 9110 12.5.5), once.
pub(crate) fn vary(headers: &mut Headers) {
    if !headers.lists(Name::Vary, "accept-encoding") && !headers.lists(Name::Vary, "*") {
        headers.append_as("Vary", b"Accept-Encoding");
    }
}

/// Takes out and changes what would be wrong for the body once it is coded otherwise.
pub(crate) fn recoded(headers: &mut Headers) {
    forget_length(headers);
    headers.remove_where(|id, name| {
        id == Name::ContentEncoding
            || id == Name::Other && DIGESTS.iter().any(|digest| name.eq_ignore_ascii_case(digest))
    });
    weaken(headers);
}

/// Another coding is another representation, of which a strong tag must not be the same (RFC 9110 8.8.3.3).
pub(crate) fn weaken(headers: &mut Headers) {
    match headers.get(Name::Etag) {
        None | Some([b'W', b'/', ..]) => {}
        Some(tag) if tag.starts_with(b"\"") => {
            let weak = [b"W/", tag].concat();
            headers.set(Name::Etag.spelt("ETag"), &weak);
        }
        // What is no tag can't be made a weak one.
        Some(_) => {
            headers.remove(Name::Etag);
        }
    }
}

/// The one coding of a body; `None` where there are none or several.
pub(crate) fn only_coding(headers: &Headers) -> Option<&[u8]> {
    let mut all = headers.get_all(Name::ContentEncoding).flat_map(list_members);
    let only = all.next()?;
    all.next().is_none().then_some(only)
}
