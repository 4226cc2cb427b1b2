//! `$ssl_…`: what is known about the client's TLS. All of them are nothing on a plain connection.

use super::{number, some};
use crate::cx::ReqCx;
use crate::tls_facts::{ClientCert, TlsFacts};
use bifrons_config::Var;
use bifrons_net::Tls;
use std::time::SystemTime;

pub(super) fn value(cx: &ReqCx, var: &Var, out: &mut Vec<u8>) -> bool {
    let Some(tls) = &cx.conn.tls else { return false };
    match var {
        Var::SslProtocol => some(Some(tls.protocol.as_bytes()), out),
        Var::SslCipher => some(Some(tls.cipher.as_bytes()), out),
        Var::SslCurve => some(Some(tls.curve.as_bytes()), out),
        Var::SslServerName => some(tls.server_name.as_deref().map(str::as_bytes), out),
        Var::SslAlpnProtocol => some(tls.alpn.as_deref(), out),
        Var::SslSessionReused => some(Some(if tls.is_resumed { b"r" } else { b"." }), out),
        Var::SslCiphers => {
            tls.suites_text(out);
            true
        }
        Var::SslCurves => {
            tls.groups_text(out);
            true
        }
        Var::SslEarlyData => some(is_early(cx).then_some(b"1"), out),
        Var::SslClientVerify => some(Some(tls.verify.as_bytes()), out),
        _ => client(tls, var, out),
    }
}

/// Whether the handshake of a client that has sent early data is not over yet.
fn is_early(cx: &ReqCx) -> bool {
    cx.conn.socket.upgrade().is_some_and(|conn| conn.tls().is_some_and(Tls::is_early))
}

fn client(tls: &TlsFacts, var: &Var, out: &mut Vec<u8>) -> bool {
    let Some(cert) = &tls.client else { return false };
    let text: &str = match var {
        Var::SslClientFingerprint => &cert.fingerprint,
        Var::SslClientIDn => &cert.issuer,
        Var::SslClientIDnLegacy => &cert.issuer_legacy,
        Var::SslClientSDn => &cert.subject,
        Var::SslClientSDnLegacy => &cert.subject_legacy,
        Var::SslClientSerial => &cert.serial,
        Var::SslClientVStart => &cert.begins,
        Var::SslClientVEnd => &cert.ends,
        Var::SslClientVRemain => return number(Some(cert.days_left(seconds())), out),
        _ => return pem(cert, var, out),
    };
    some(Some(text.as_bytes()), out)
}

fn pem(cert: &ClientCert, var: &Var, out: &mut Vec<u8>) -> bool {
    let pem = cert.pem();
    match var {
        Var::SslClientRawCert => out.extend_from_slice(&pem),
        Var::SslClientCert => {
            // A field could go over several lines once, and each began with white space.
            for (at, line) in pem.trim_ascii_end().split(|&b| b == b'\n').enumerate() {
                out.extend_from_slice(if at > 0 { b"\n\t" } else { b"" });
                out.extend_from_slice(line);
            }
        }
        Var::SslClientEscapedCert => {
            for &byte in &pem {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
                    _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                }
            }
        }
        _ => return false,
    }
    true
}

fn seconds() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
