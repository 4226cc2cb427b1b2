//! What a route says itself of its connections: the address they come from, `Connection` and `Upgrade`.

use crate::request::Task;
use bifrons_config::Template;
use bifrons_http::RequestHead;
use bifrons_http::h1::write::Persist;
use bifrons_http::headers::list_members;
use bifrons_http::name::is_field_value;
use bifrons_http::vars::Scope;
use bifrons_model::ConnectionFields;
use std::net::SocketAddr;

/// The address that connections of the request come from, where the text is one.
pub(super) fn address(bind: &Template, task: &Task<'_>, head: &RequestHead) -> Option<SocketAddr> {
    let mut text = Vec::new();
    bind.render(&Scope { cx: &task.cx, req: head, res: None }, &mut text);
    let text = std::str::from_utf8(&text).ok()?;
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse().ok()?, 0)))
}

/// `Connection` and `Upgrade` as the route says them.
pub(super) struct Said {
    connection: Vec<u8>,
    upgrade: Vec<u8>,
}

impl Said {
    pub(super) fn render(fields: &ConnectionFields, task: &Task<'_>, head: &RequestHead) -> Self {
        let scope = Scope { cx: &task.cx, req: head, res: None };
        let render = |template: &Template| {
            let mut value = Vec::new();
            template.render(&scope, &mut value);
            // What a client sent decoded must not become a field of its own.
            if is_field_value(&value) { value } else { Vec::new() }
        };
        Self { connection: render(&fields.connection), upgrade: render(&fields.upgrade) }
    }

    fn lists(&self, option: &[u8]) -> bool {
        list_members(&self.connection).any(|member| member.eq_ignore_ascii_case(option))
    }

    /// Whether a client that asks for it may switch protocols.
    pub(super) fn upgrades(&self) -> bool {
        !self.upgrade.is_empty() && self.lists(b"upgrade")
    }

    /// The protocols that are asked for.
    pub(super) fn upgrade(&self) -> &[u8] {
        &self.upgrade
    }

    /// Whether the endpoint is left free to keep the connection.
    pub(super) fn keeps(&self) -> bool {
        !self.lists(b"close")
    }

    /// `Upgrade` goes only with a request that may switch: one that we would not follow must not happen.
    pub(super) fn persist(&self, upgrade: bool) -> Persist<'_> {
        Persist::Said { connection: &self.connection, upgrade: if upgrade { &self.upgrade } else { b"" } }
    }
}
