//! What leads from one route to another: rewriting, error pages, files that are tried; and where files lie.

use super::Cx;
use crate::snapshot::{Action, ErrorPages, Otherwise, TryFilesPlan, Wanted};
use bifrons_config::suggest::nearest;
use bifrons_config::{At, Place, Template, Var};
use bifrons_files::Types;
use bifrons_filters::FilterConfig;
use bifrons_filters::rewrite::{Config, Program};
use bifrons_http::{DocumentRoot, Strip};
use bifrons_model::{ErrorPage, Host, MediaTypes, Route, TryFiles};
use bifrons_route::PathPattern;
use bifrons_route::pattern::PatternForm;
use std::sync::Arc;

/// The host's own rewriting.
pub(super) fn host_rewrite(cx: &mut Cx<'_>, host: &Host) -> Option<Box<Program>> {
    let place = host.names.first().and_then(|name| name.place.clone());
    if host.rewrite.is_empty() {
        return None;
    }
    if let Some(name) = Config(host.rewrite.clone()).uses().first() {
        let help = Some("write it in a filter `rewrite` of a route".to_owned());
        cx.problem(&place, format!("`rewrite` of a host can't use the route \"{name}\""), help);
    }
    match Program::build(&host.rewrite) {
        Ok(program) => Some(Box::new(program)),
        Err(message) => {
            cx.problem_text(&place, &format!("`rewrite`: {message}"));
            None
        }
    }
}

/// The named routes that a route leads to must be there.
pub(super) fn check_names(cx: &mut Cx<'_>, host: &Host, route: &Route) {
    for filter in &route.filters {
        let FilterConfig::Rewrite(config) = &filter.value else { continue };
        for name in config.uses() {
            check_name(cx, &filter.place, name, host);
        }
    }
    if let Some(target) = &route.reroute {
        check_target(cx, &target.place, &target.value, host);
    }
}

/// The name of a constant `@name` must be there.
fn check_target(cx: &mut Cx<'_>, place: &Option<Place>, target: &Template, host: &Host) {
    if let Some(name) = target.as_text().and_then(|text| text.strip_prefix('@')) {
        check_name(cx, place, name, host);
    }
}

fn check_name(cx: &mut Cx<'_>, place: &Option<Place>, name: &str, host: &Host) {
    if !host.named_routes.contains_key(name) {
        unknown_route(cx, place, name, host);
    }
}

pub(super) fn unknown_route(cx: &mut Cx<'_>, place: &Option<Place>, name: &str, host: &Host) {
    let help = nearest(name, host.named_routes.keys().map(String::as_str))
        .map(|near| format!("did you mean \"{near}\"?"))
        .or_else(|| Some("define it under `named_routes:` of the host".to_owned()));
    cx.problem(place, format!("unknown route \"@{name}\""), help);
}

/// The host's error pages.
pub(super) fn host_pages(cx: &mut Cx<'_>, host: &Host) -> Option<Arc<ErrorPages>> {
    let place = host.names.first().and_then(|name| name.place.clone());
    pages(cx, &place, host, &host.error_pages, host.recursive_error_pages)
}

/// A route's error pages: its own, or the host's.
pub(super) fn route_pages(
    cx: &mut Cx<'_>,
    host: &Host,
    route: &Route,
    of_host: &Option<Arc<ErrorPages>>,
) -> Option<Arc<ErrorPages>> {
    let recursive = route.recursive_error_pages.unwrap_or(host.recursive_error_pages);
    match &route.error_pages {
        None if recursive == host.recursive_error_pages => of_host.clone(),
        own => {
            let own = own.as_deref().unwrap_or(&host.error_pages);
            pages(cx, &route.path.place, host, own, recursive)
        }
    }
}

fn pages(
    cx: &mut Cx<'_>,
    place: &Option<Place>,
    host: &Host,
    pages: &[ErrorPage],
    recursive: bool,
) -> Option<Arc<ErrorPages>> {
    for page in pages {
        if let Some(status) = page.on.iter().find(|status| !(300..=599).contains(*status)) {
            cx.problem(place, format!("an error page for {status}, which is not from 300 to 599"), None);
        }
        check_target(cx, place, &page.to, host);
    }
    (!pages.is_empty()).then(|| Arc::new(ErrorPages { pages: pages.to_vec(), recursive }))
}

/// Files that a route looks for.
pub(super) fn try_files(
    cx: &mut Cx<'_>,
    host: &Host,
    route: &Route,
    has_document: bool,
) -> Option<Box<TryFilesPlan>> {
    let At { value: TryFiles { files, otherwise }, place } = route.try_files.as_ref()?;
    if !has_document {
        let help = Some("add `root`".to_owned());
        cx.problem(place, "`try_files` needs a directory", help);
    }
    check_target(cx, place, otherwise, host);
    let mut wanted = Vec::new();
    for file in files {
        match file.source().strip_suffix('/') {
            Some(directory) => match reparsed(directory, file) {
                Ok(template) => wanted.push((template, Wanted::Directory)),
                Err(message) => cx.problem_text(place, &message),
            },
            None => wanted.push((file.clone(), Wanted::File)),
        }
    }
    let otherwise = match otherwise.as_text().and_then(|text| text.strip_prefix('=')) {
        None => Otherwise::Target(otherwise.clone()),
        Some(text) => match text.parse() {
            Ok(status @ 200..=599) => Otherwise::Status(status),
            _ => {
                cx.problem(place, format!("\"={text}\" is no status from 200 to 599"), None);
                return None;
            }
        },
    };
    Some(Box::new(TryFilesPlan { files: wanted.into(), otherwise }))
}

/// A part of a template's source, compiled.
fn reparsed(text: &str, of: &Template) -> Result<Template, String> {
    let declared = |name: &str| of.vars().any(|var| matches!(var, Var::User(known) if **known == *name));
    Template::parse_with(text, &declared).map_err(|err| err.to_string())
}

/// Where a route's files lie.
pub(super) fn route_document(cx: &mut Cx<'_>, route: &Route, action: &Action) -> Option<Arc<DocumentRoot>> {
    match (&route.root, &route.alias, action) {
        (Some(_), Some(_), _) => {
            let help = Some("name one of them".to_owned());
            cx.problem(&route.path.place, "a route has either `root` or `alias`", help);
            None
        }
        (Some(root), None, _) => document(cx, root, Strip::Nothing),
        (None, Some(alias), _) => document(cx, alias, strip_of(&route.path.value)),
        (None, None, Action::Files(plan)) => Some(plan.document.clone()),
        (None, None, _) => None,
    }
}

/// What of the path an alias stands for.
pub(super) fn strip_of(pattern: &PathPattern) -> Strip {
    match pattern.form() {
        PatternForm::Prefix(path) | PatternForm::PrefixNoRegex(path) | PatternForm::Exact(path) => {
            Strip::Prefix(path.len())
        }
        PatternForm::Regex(_) => Strip::All,
    }
}

/// A directory. Relative ones begin where the configuration does.
pub(super) fn document(cx: &mut Cx<'_>, dir: &Template, strip: Strip) -> Option<Arc<DocumentRoot>> {
    let circular = |var: &&Var| matches!(var, Var::DocumentRoot | Var::RealpathRoot | Var::RequestFilename);
    if let Some(var) = dir.vars().find(circular) {
        cx.problem(&None, format!("a directory can't be told by \"${var}\", which is told by it"), None);
        return None;
    }
    let dir = match dir.as_text() {
        Some(text) if !text.starts_with('/') => {
            let path = cx.options.base.join(text);
            Template::text(&path.to_string_lossy())
        }
        _ => dir.clone(),
    };
    Some(Arc::new(DocumentRoot { dir, strip }))
}

/// Media types of a route's own texts.
pub(super) fn media(config: &MediaTypes) -> Arc<Types> {
    let types: Vec<_> = config.types.clone().into_iter().collect();
    let default = config.default_type.clone().or_else(|| Some("text/plain; charset=utf-8".to_owned()));
    Arc::new(Types::new(&types, config.only_types, default))
}
