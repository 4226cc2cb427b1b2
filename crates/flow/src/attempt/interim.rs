//! Interim answers of endpoints, on their way to the client.

use crate::relay;
use crate::request::Task;
use crate::snapshot::Action;
use bifrons_core::Result;
use bifrons_http::h1::write;
use bifrons_http::h2::ToClient;
use bifrons_http::vars::Scope;
use bifrons_http::{RequestHead, ResponseHead, Version};

/// Passes an interim answer on (RFC 9110 15.2), which clients of HTTP/1.0 know nothing of.
pub(crate) async fn relay_interim(task: &Task<'_>, req: &RequestHead, head: &ResponseHead) -> Result<()> {
    if head.status == 103 && !hints(task, req) {
        return Ok(());
    }
    if task.conn.is_alone() {
        task.conn.pass_on(head);
        return Ok(());
    }
    if req.version == Version::Http10 {
        return Ok(());
    }
    let server = relay::server_of(&task.route, task.listener);
    if let Some(exchange) = &task.conn.exchange {
        return exchange.interim(head, &ToClient { server, len: None, keeps_length: false });
    }
    let mut out = Vec::new();
    write::interim(&mut out, head, server);
    task.conn.http.write([&out, b"", b""], task.send_timeout()).await
}

/// Whether the client is to have early hints.
fn hints(task: &Task<'_>, req: &RequestHead) -> bool {
    let Action::Proxy(plan) = &task.route.action else { return true };
    let scope = Scope { cx: &task.cx, req, res: None };
    plan.early_hints.as_ref().is_none_or(|texts| {
        texts.iter().any(|text| {
            let mut value = Vec::new();
            text.render(&scope, &mut value);
            !value.is_empty() && value != b"0"
        })
    })
}
