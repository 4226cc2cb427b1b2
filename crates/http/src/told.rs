//! What a header of the PROXY protocol has told about a connection
//! (<https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>).

use std::io::Write;
use std::net::SocketAddr;

/// `PP2_TYPE_SSL` (2.2.6): flags of the client, four bytes of its certificate's verdict, and facts of their own.
pub const SSL: u8 = 0x20;
/// The bytes before those facts.
const SSL_FIXED: usize = 5;

/// Facts by nginx's names.
const NAMES: &[(&str, u8)] =
    &[("alpn", 0x01), ("authority", 0x02), ("unique_id", 0x05), ("ssl", SSL), ("netns", 0x30)];
/// Those within `PP2_TYPE_SSL`.
const SSL_NAMES: &[(&str, u8)] =
    &[("version", 0x21), ("cn", 0x22), ("cipher", 0x23), ("sig_alg", 0x24), ("key_alg", 0x25)];

/// Who the client is and where it meant to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The client.
    pub source: SocketAddr,
    /// Where it had connected to.
    pub destination: SocketAddr,
    /// What is said besides.
    pub tlvs: Tlvs,
}

/// Facts: a type, a length of two bytes, a value, each (2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tlvs(Box<[u8]>);

impl Tlvs {
    /// Of the bytes behind the addresses; `None` where one is longer than what there is.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut facts = Facts(bytes);
        facts.by_ref().for_each(drop);
        facts.0.is_empty().then(|| Self(bytes.into()))
    }

    /// The value of the first one of that type.
    pub fn first(&self, kind: u8) -> Option<&[u8]> {
        first(&self.0, kind)
    }

    /// Writes the value of `$proxy_protocol_tlv_name`; false where there is none. A name is one of nginx's, or a
    /// number such as `0xea`; with `ssl_` before it, it is one within `PP2_TYPE_SSL`.
    pub fn write(&self, name: &str, out: &mut Vec<u8>) -> bool {
        let value = match name.strip_prefix("ssl_") {
            None => number(name, NAMES).and_then(|kind| self.first(kind)),
            Some(rest) => {
                let Some((fixed, facts)) = self.first(SSL).and_then(|ssl| ssl.split_at_checked(SSL_FIXED))
                else {
                    return false;
                };
                if let ("verify", [_, verdict @ ..]) = (rest, fixed) {
                    let verdict = verdict.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
                    let _ = write!(out, "{verdict}");
                    return true;
                }
                number(rest, SSL_NAMES).and_then(|kind| first(facts, kind))
            }
        };
        value.is_some_and(|value| {
            out.extend_from_slice(value);
            true
        })
    }
}

/// The type that a name stands for.
fn number(name: &str, names: &[(&str, u8)]) -> Option<u8> {
    match name.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u8::from_str_radix(digits, 16).ok()
        }
        _ => names.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind),
    }
}

fn first(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    Facts(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// Fact after fact; what is left at the end is none.
struct Facts<'a>(&'a [u8]);

impl<'a> Iterator for Facts<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [kind, high, low, rest @ ..] = self.0 else { return None };
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        self.0 = rest;
        Some((*kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tlvs: &Tlvs, name: &str) -> Option<String> {
        let mut out = Vec::new();
        tlvs.write(name, &mut out).then(|| String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn facts_by_name_and_number() {
        let tlvs = Tlvs::parse(
            b"\x01\0\x02h2\x02\0\x06a.test\x20\0\x15\x01\0\0\x01\x02\x21\0\x07TLSv1.3\x22\0\x03ann\xea\0\x03vpc\x02\0\x01b",
        )
        .unwrap();
        let expected = [
            ("alpn", Some("h2")),
            ("authority", Some("a.test")),
            ("0x02", Some("a.test")),
            ("ssl_version", Some("TLSv1.3")),
            ("ssl_0x21", Some("TLSv1.3")),
            ("ssl_cn", Some("ann")),
            ("ssl_verify", Some("258")),
            ("0xea", Some("vpc")),
            ("0xEA", Some("vpc")),
            ("ssl_cipher", None),
            ("unique_id", None),
            ("0x1ea", None),
            ("0x+1", None),
            ("ssl_alpn", None),
            ("none", None),
        ];
        for (name, text) in expected {
            assert_eq!(value(&tlvs, name).as_deref(), text, "{name}");
        }
    }

    #[test]
    fn what_is_cut_off_is_none() {
        for (bytes, is_whole) in [
            (&b""[..], true),
            (b"\x04\0\0", true),
            (b"\x04\0", false),
            (b"\x04", false),
            (b"\x04\0\x02a", false),
        ] {
            assert_eq!(Tlvs::parse(bytes).is_some(), is_whole, "{bytes:?}");
        }
        // One about TLS that is too short says nothing.
        let tlvs = Tlvs::parse(b"\x20\0\x04\x01\0\0\0").unwrap();
        assert_eq!(value(&tlvs, "ssl_verify"), None);
    }
}
