//! Values that lie in fields: of heads, trailers, cookies and the query.

use super::{Scope, argument, cookie, separate, set_cookie, some};
use crate::headers::Headers;
use crate::name::{Key, Name};
use bifrons_config::Var;

/// The field that says how a call of gRPC has ended.
const GRPC_STATUS: &str = "grpc-status";

impl Scope<'_> {
    pub(super) fn family(&self, var: &Var, out: &mut Vec<u8>) -> bool {
        match var {
            Var::Http(name) => joined(&self.req.headers, name, true, out),
            Var::SentHttp(name) => self.res.is_some_and(|res| joined(&res.headers, name, false, out)),
            Var::UpstreamHttp(name) => self.upstream_fields().any(|fields| joined(fields, name, true, out)),
            Var::Cookie(name) => {
                let mut cookies = self.req.headers.originals(Name::Cookie);
                some(cookies.find_map(|value| cookie(value, name)), out)
            }
            Var::UpstreamCookie(name) => {
                let mut cookies = self.upstream_fields().flat_map(|fields| fields.originals(Name::SetCookie));
                some(cookies.find_map(|line| set_cookie(line, name)), out)
            }
            Var::Arg(name) => some(self.req.query().and_then(|query| argument(query, name)), out),
            Var::SentTrailer(name) => joined(&self.cx.trailers, name, false, out),
            // Those that are not passed on are not kept.
            Var::UpstreamTrailer(name) => {
                !self.cx.attempts.is_empty() && joined(&self.cx.trailers, name, false, out)
            }
            // A call that fails at once says so in its head.
            Var::GrpcStatus => {
                joined(&self.cx.trailers, GRPC_STATUS, false, out)
                    || self.res.is_some_and(|res| joined(&res.headers, GRPC_STATUS, false, out))
            }
            _ => false,
        }
    }

    /// Fields of the endpoint's answer: this one, where it is one's, else the one that has led here.
    fn upstream_fields(&self) -> impl Iterator<Item = &Headers> {
        self.res.map(|res| &res.headers).into_iter().chain(self.cx.led_by.as_deref())
    }
}

/// All values of a field, joined as nginx does: `; ` for cookies, `, ` for others.
fn joined(headers: &Headers, name: &str, original: bool, out: &mut Vec<u8>) -> bool {
    let key: Key<'_> = name.into();
    let start = out.len();
    let mut found = false;
    let glue: &[u8] = if key.id == Name::Cookie { b"; " } else { b", " };
    let mut add = |value: &[u8]| {
        if std::mem::replace(&mut found, true) {
            separate(out, start, glue);
        }
        out.extend_from_slice(value);
    };
    if original {
        headers.originals(key).for_each(&mut add);
    } else {
        headers.get_all(key).for_each(&mut add);
    }
    found
}
