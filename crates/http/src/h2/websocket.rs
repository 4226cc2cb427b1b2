//! WebSockets over a stream (RFC 8441): the client opens one by CONNECT, endpoints of HTTP/1.1 are asked by
//! `Upgrade`, with a key of ours whose echo proves that they understood (RFC 6455 4).

use crate::base64;
use sha1::{Digest, Sha1};

/// RFC 6455 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The protocol as `:protocol` names it.
pub const PROTOCOL: &str = "websocket";

/// The field of a key.
pub const KEY: &str = "sec-websocket-key";
/// The field of its answer.
pub const ACCEPT: &str = "Sec-WebSocket-Accept";

/// The value that answers a key (RFC 6455 4.2.2).
pub fn accept(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    base64::encode(&hash.finalize())
}

/// What an endpoint is asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A new one.
    pub(super) fn made() -> Self {
        Self(base64::encode(&fastrand::u128(..).to_ne_bytes()))
    }

    /// The value of `Sec-WebSocket-Key`.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether that `Sec-WebSocket-Accept` answers it.
    pub fn is_answered_by(&self, accept: &[u8]) -> bool {
        self::accept(self.as_bytes()).as_bytes() == accept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 1.3.
    #[test]
    fn the_example() {
        let key = Key("dGhlIHNhbXBsZSBub25jZQ==".to_owned());
        assert!(key.is_answered_by(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(!key.is_answered_by(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOp="));
        assert_ne!(Key::made(), Key::made());
    }
}
