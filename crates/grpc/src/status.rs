//! The status that a call ends with, where the proxy itself ends it.

use bifrons_http::message::Body;
use bifrons_http::{Name, Response};

/// 1,024 bytes of a message: what fits into a head beside everything else.
const MESSAGE_BYTES_MAX: usize = 1024;

/// The codes that a proxy has use for (grpc/doc/statuscodes.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// What nothing else fits.
    Unknown = 2,
    /// The call's own deadline is over.
    DeadlineExceeded = 4,
    /// Refused.
    PermissionDenied = 7,
    /// There is no such method.
    Unimplemented = 12,
    /// What came made no sense.
    Internal = 13,
    /// Nobody there who could answer; it may be tried again.
    Unavailable = 14,
    /// Nobody has said who asks.
    Unauthenticated = 16,
}

impl Code {
    /// What an answer of HTTP with that status means for a call (grpc/doc/http-grpc-status-mapping.md).
    pub fn of_http(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }
}

/// Makes an answer one to a call that ends with its head (Trailers-Only): status 200, the code and a message in
/// fields, no body. Other fields stay.
pub fn answer(res: &mut Response, code: Code, message: &[u8]) {
    let fields = &mut res.head.headers;
    for name in ["grpc-status", "grpc-message"] {
        fields.remove(name);
    }
    fields.remove(Name::ContentLength);
    fields.set(Name::ContentType.spelt("Content-Type"), b"application/grpc");
    fields.append_as("grpc-status", (code as u8).to_string().as_bytes());
    if !message.is_empty() {
        fields.append_as("grpc-message", &escaped(message));
    }
    res.head.set_status(200);
    res.body = Body::Empty;
}

/// A message as its field carries it: what is not printable ASCII, and `%`, as `%XX`. Cut where it is too long.
fn escaped(message: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(message.len());
    for &byte in message.iter().take(MESSAGE_BYTES_MAX) {
        match byte {
            b'%' | 0..0x20 | 0x7f.. => {
                out.extend_from_slice(&[
                    b'%',
                    DIGITS[usize::from(byte >> 4)],
                    DIGITS[usize::from(byte & 15)],
                ]);
            }
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests;
