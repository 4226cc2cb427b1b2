//! Beside step 6: connections to endpoints that are one client's own.
//!
//! With NTLM and Negotiate (RFC 4559) it is the connection that is authenticated, not the request: whatever
//! comes over it later is taken for that user's. Such a connection never goes to the shared pool. It stays with
//! the client's connection, serves its next requests to the same endpoint, and ends with it.

use bifrons_balance::Endpoint;
use bifrons_http::h1::Conn;
use bifrons_http::headers::list_members;
use bifrons_http::pool::{EndpointKey, Pin};
use bifrons_http::{Name, RequestHead, ResponseHead};
use std::cell::RefCell;
use std::rc::Rc;

/// The one connection a client's connection may have for its own.
#[derive(Default)]
pub(crate) struct Pinned(RefCell<Option<Own>>);

struct Own {
    key: EndpointKey,
    /// What sticky sessions know the endpoint by.
    endpoint: Box<str>,
    pin: Rc<Pin>,
}

impl Pinned {
    /// The connection to that endpoint, if it still lives.
    pub(crate) fn take(&self, key: EndpointKey) -> Option<Rc<Conn>> {
        let own = self.0.borrow();
        own.as_ref().filter(|own| own.key == key)?.pin.take()
    }

    /// Which endpoint there is a connection to.
    pub(crate) fn endpoint(&self) -> Option<Box<str>> {
        let own = self.0.borrow();
        own.as_ref().filter(|own| !own.pin.is_empty()).map(|own| own.endpoint.clone())
    }

    /// Where a connection to that endpoint is kept; one to another is given up.
    pub(crate) fn place(&self, key: EndpointKey, endpoint: &Endpoint) -> Rc<Pin> {
        let mut own = self.0.borrow_mut();
        match &*own {
            Some(own) if own.key == key => own.pin.clone(),
            _ => {
                let pin = Rc::new(Pin::default());
                *own = Some(Own { key, endpoint: endpoint.sticky_id().into(), pin: pin.clone() });
                pin
            }
        }
    }
}

/// Whether the exchange authenticates the connection, or begins to.
pub(crate) fn authenticates(req: &RequestHead, res: &ResponseHead) -> bool {
    let names = Name::Authorization.bit() | Name::ProxyAuthorization.bit();
    let asks = req.headers.saw_any(names)
        && [Name::Authorization, Name::ProxyAuthorization]
            .iter()
            .any(|name| req.headers.get_all(*name).any(is_of_connection));
    let is_asked = || {
        [Name::WwwAuthenticate, Name::ProxyAuthenticate]
            .iter()
            .any(|name| res.headers.get_all(*name).flat_map(list_members).any(is_of_connection))
    };
    asks || matches!(res.status, 401 | 407) && is_asked()
}

/// Whether credentials or a challenge are of a scheme that authenticates connections.
fn is_of_connection(value: &[u8]) -> bool {
    let scheme = value.split(|&b| b == b' ').next().unwrap_or_default();
    [&b"NTLM"[..], b"Negotiate"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_of_connections_are_told_from_those_of_requests() {
        for value in ["NTLM", "ntlm TlRMTVNTUAAB", "Negotiate", "NEGOTIATE YII="] {
            assert!(is_of_connection(value.as_bytes()), "{value}");
        }
        for value in ["", "Basic TlRM", "NTLMv2 x", "Bearer NTLM", "Digest realm=\"Negotiate\""] {
            assert!(!is_of_connection(value.as_bytes()), "{value}");
        }
    }
}
