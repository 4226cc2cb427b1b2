//! Heads for tests.

use bifrons_http::{Headers, RequestHead, ResponseHead};

/// Fields, a line each.
pub(crate) fn fields(text: &str) -> Headers {
    let mut headers = Headers::new();
    for line in text.lines() {
        let (name, value) = line.split_once(':').expect("name: value");
        headers.append(name.trim(), value.trim().as_bytes());
    }
    headers
}

/// A request for `/` of example.org.
pub(crate) fn request(method: &str, text: &str) -> RequestHead {
    let mut head = RequestHead::new(method, b"/", b"example.org");
    head.headers = add(head.headers, text);
    head
}

/// A response.
pub(crate) fn response(status: u16, text: &str) -> ResponseHead {
    let mut head = ResponseHead::new(status);
    head.headers = add(head.headers, text);
    head
}

fn add(mut headers: Headers, text: &str) -> Headers {
    for (_, name, value) in fields(text).iter() {
        headers.append(name, value);
    }
    headers
}
