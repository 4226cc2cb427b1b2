//! Fields of answers: `add_header`.

use super::super::settings::settings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use bifrons_config::Template;
use bifrons_filters::{FilterConfig, response_headers, response_trailers};

settings! {
    /// Fields that answers get.
    HeaderSettings {
        add: Vec<AddHeader>,
        trailers: Vec<AddHeader>,
        /// The `Server` field, where it is one's own.
        server: String,
    }
}

/// One `add_header`.
#[derive(Clone, Debug)]
pub(crate) struct AddHeader {
    name: String,
    value: Template,
    always: bool,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "add_header",
        Contexts::LEVELS.or(Contexts::IF),
        Args::Range(2, 3),
        "Adds a field to answers of status 200, 201, 204, 206, 301, 302, 303, 304, 307 and 308; with `always` \
         to all. A block that has any takes none from the enclosing one.",
        |cx, d| add(cx, d, |cx| &mut cx.level.headers.add),
    ),
    Spec::new(
        "add_trailer",
        Contexts::LEVELS,
        Args::Range(2, 3),
        "Adds a field behind the body of answers of those statuses, which are sent in chunks then; with `always` \
         of all. Variables are those that are known when the answer begins.",
        |cx, d| add(cx, d, |cx| &mut cx.level.headers.trailers),
    ),
    Spec::new(
        "server_tokens",
        Contexts::LEVELS,
        Args::Exact(1),
        "Whether answers tell the version: `Server` is `bifrons` with `on`, `off` and `build`, without one. Any \
         other text is what `Server` says; an empty one removes it.",
        |cx, d| {
            let text = match d.text(0) {
                "on" | "off" | "build" => "bifrons",
                text if text.contains('$') => {
                    return cx.later(d.place.clone(), "\"server_tokens\" with variables", "write a text");
                }
                text => text,
            };
            cx.put(d, text.to_owned(), |cx| &mut cx.level.headers.server);
        },
    )
    .default("on"),
];

fn add(cx: &mut Ctx, directive: &Directive, list: fn(&mut Ctx) -> &mut Option<Vec<AddHeader>>) {
    let always = match directive.arg(2) {
        None => false,
        Some(word) if word.text == "always" => true,
        Some(word) => return cx.invalid_parameter(directive, word),
    };
    let Some(value) = cx.template(&directive.args[1]) else {
        return;
    };
    let name = directive.text(0).to_owned();
    if !is_field_name(&name) {
        return cx.problem(&directive.args[0], format!("\"{name}\" is no field name"));
    }
    // The list is this block's own all the same.
    if is_framing(&name) {
        list(cx).get_or_insert_default();
        return cx.accept(directive, "the proxy itself says where a body ends (RFC 9110 8.6)");
    }
    let is_own = ["connection", "keep-alive", "proxy-connection", "te", "upgrade"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own));
    if is_own {
        list(cx).get_or_insert_default();
        return cx.accept(directive, "the field concerns one connection only and is the proxy's to say");
    }
    list(cx).get_or_insert_default().push(AddHeader { name, value, always });
}

/// Whether it is a token (RFC 9110 5.6.2).
pub(crate) fn is_field_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// Whether the field says where a message ends, which is the proxy's own to say.
pub(crate) fn is_framing(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
}

impl HeaderSettings {
    /// The filters that add fields behind bodies.
    pub(crate) fn emit_trailers(&self) -> Vec<FilterConfig> {
        let mut filters: Vec<response_trailers::Config> = Vec::new();
        for field in self.trailers.iter().flatten() {
            let statuses =
                if field.always { Vec::new() } else { response_headers::Config::NGINX_STATUSES.to_vec() };
            match filters.iter_mut().find(|filter| filter.statuses == statuses) {
                Some(filter) => {
                    filter.add.insert(field.name.clone(), field.value.clone());
                }
                None => filters.push(response_trailers::Config {
                    add: [(field.name.clone(), field.value.clone())].into(),
                    statuses,
                }),
            }
        }
        filters.into_iter().map(FilterConfig::ResponseTrailers).collect()
    }

    /// The filters that do it. Answers pass filters from the last to the first, so what was written first
    /// comes last.
    pub(crate) fn emit(&self) -> Vec<FilterConfig> {
        let mut filters: Vec<response_headers::Config> = Vec::new();
        for header in self.add.iter().flatten() {
            let statuses =
                if header.always { Vec::new() } else { response_headers::Config::NGINX_STATUSES.to_vec() };
            // nginx replaces these two where all others are added.
            let replaces =
                ["last-modified", "etag"].iter().any(|name| header.name.eq_ignore_ascii_case(name));
            let fits = |filter: &&mut response_headers::Config| {
                let named = |(name, _): (&String, &Template)| name.eq_ignore_ascii_case(&header.name);
                filter.statuses == statuses && !filter.add.iter().any(named) && !filter.set.iter().any(named)
            };
            let filter = match filters.last_mut().filter(fits) {
                Some(filter) => filter,
                None => {
                    filters.push(response_headers::Config { statuses, ..Default::default() });
                    let Some(filter) = filters.last_mut() else { continue };
                    filter
                }
            };
            let fields = if replaces { &mut filter.set } else { &mut filter.add };
            fields.insert(header.name.clone(), header.value.clone());
        }
        filters.into_iter().rev().map(FilterConfig::ResponseHeaders).collect()
    }
}
