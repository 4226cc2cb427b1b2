//! Facts of what goes on byte for byte.

use crate::cx::ReqCx;
use bifrons_config::Var;

/// Of a request it is known that it comes by TCP.
pub(super) fn value(cx: &ReqCx, var: &Var, out: &mut Vec<u8>) -> bool {
    let layer4 = cx.conn.layer4.as_deref();
    let hello = layer4.and_then(|layer4| layer4.hello.as_ref());
    let value: Option<&[u8]> = match var {
        Var::Protocol => Some(layer4.map_or("TCP", |layer4| layer4.protocol()).as_bytes()),
        Var::SslPrereadServerName => hello.and_then(|hello| hello.server_name.as_deref()).map(str::as_bytes),
        Var::SslPrereadAlpnProtocols => hello.map(|hello| &*hello.alpn).filter(|alpn| !alpn.is_empty()),
        Var::SslPrereadProtocol => hello.map(|hello| hello.version.as_bytes()),
        _ => None,
    };
    super::some(value, out)
}
