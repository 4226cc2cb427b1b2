//! Pages that may lead here: `valid_referers`.
//!
//! What nginx computes in a module of its own is a `map` of the field `Referer` here, a variable for each
//! `valid_referers`; `$invalid_referer` means that of the innermost block.

use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use bifrons_config::{At, Template};
use bifrons_variables::{Map, Variable};
use std::fmt::Write;

const SERVERS: Contexts = Contexts::SERVER.or(Contexts::LOCATION);
const NO_TABLE: &str = "tables grow with what they hold";

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "valid_referers",
        SERVERS,
        Args::AtLeast(1),
        "Pages from which links may lead here, for `$invalid_referer`, which is `1` for all others: `none`, `blocked`, \
         `server_names`, names with `*` at either end and a beginning of the path, `~` regexes of what follows \
         `http://`. It stands before what asks.",
        valid_referers,
    ),
    Spec::accepted("referer_hash_bucket_size", SERVERS, Args::Exact(1), NO_TABLE),
    Spec::accepted("referer_hash_max_size", SERVERS, Args::Exact(1), NO_TABLE),
];

/// The beginning of a `Referer` that nginx looks into.
const SCHEME: &str = "(?i:https?://)";

fn valid_referers(cx: &mut Ctx, directive: &Directive) {
    let (mut none, mut blocked) = (false, false);
    let mut patterns = Vec::new();
    for word in &directive.args {
        match &*word.text {
            "none" => none = true,
            "blocked" => blocked = true,
            "server_names" => {
                let names: Vec<_> = cx.server.names.iter().map(|name| name.value.clone()).collect();
                if names.iter().any(|name| name.starts_with('~')) {
                    let what = "a \"server_name\" with a regular expression among \"server_names\"";
                    return cx.later(
                        word.place.clone(),
                        what,
                        "write the expression here, without \"^\" and \"$\"",
                    );
                }
                patterns.extend(names.iter().filter(|name| !name.is_empty()).map(|name| of_name(name)));
            }
            text => match of_word(text) {
                Some(pattern) => patterns.push(pattern),
                None => return cx.problem(word, format!("invalid parameter \"{text}\"")),
            },
        }
    }
    let right = Template::default;
    let wrong = || Template::text("1");
    let mut map = Map { of: referer(), ..Map::default() };
    if patterns.is_empty() {
        let message = "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive \
                       without any valid referer";
        return cx.problem(&directive.name, message);
    }
    map.values.insert(String::new(), if none { right() } else { wrong() });
    map.values.extend(patterns.into_iter().map(|pattern| (format!("~{pattern}"), right())));
    if blocked {
        // A scheme with nothing behind it is as good as none.
        map.values.insert(format!("~^{SCHEME}."), wrong());
    }
    map.default = if blocked { right() } else { wrong() };
    let name = format!("invalid_referer_{}", cx.http.variables.len());
    cx.declared.insert(name.clone());
    cx.http.variables.insert(name.clone(), At::new(Variable::Map(map), directive.place.clone()));
    cx.invalid_referer = Some(name);
}

fn referer() -> Template {
    Template::parse("$http_referer").unwrap_or_default()
}

/// A name with or without a path, or a regular expression.
fn of_word(text: &str) -> Option<String> {
    if let Some(pattern) = text.strip_prefix('~') {
        // It is matched against what follows the scheme, wherever it fits there.
        return Some(match pattern.strip_prefix('^') {
            Some(pattern) => format!("^{SCHEME}(?i:{pattern})"),
            None => format!("^{SCHEME}.*(?i:{pattern})"),
        });
    }
    let name = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or(text);
    (!name.is_empty() && !name.starts_with('/')).then(|| of_name(name))
}

/// `example.com`, `*.example.com`, `.example.com`, `www.example.*`, each with a path behind it or without.
fn of_name(name: &str) -> String {
    let (host, path) = name.find('/').map_or((name, ""), |at| name.split_at(at));
    let mut pattern = format!("^{SCHEME}(?i:");
    let host = if let Some(domain) = host.strip_prefix("*.") {
        pattern.push_str("[^/:]+\\.");
        domain
    } else if let Some(domain) = host.strip_prefix('.') {
        pattern.push_str("(?:[^/:]+\\.)?");
        domain
    } else {
        host
    };
    match host.strip_suffix(".*") {
        Some(start) => {
            push_plain(&mut pattern, start);
            pattern.push_str("\\.[^/:]+");
        }
        None => push_plain(&mut pattern, host),
    }
    pattern.push(')');
    match path {
        "" => pattern.push_str("(?:[:/]|$)"),
        path => {
            pattern.push_str("(?::[^/]*)?");
            push_plain(&mut pattern, path);
        }
    }
    pattern
}

/// A text that stands for itself.
fn push_plain(pattern: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || !c.is_ascii() {
            pattern.push(c);
        } else {
            let _ = write!(pattern, "\\{c}");
        }
    }
}

/// The text with the variable that `$invalid_referer` means where it stands.
pub(crate) fn resolve(cx: &Ctx, word: &Word, text: &str) -> Option<String> {
    const NAME: &str = "$invalid_referer";
    let is_request = cx.context.meets(SERVERS.or(Contexts::IF).or(Contexts::SERVER_IF));
    if !is_request || word.text.starts_with("$invalid_referer_") {
        return None;
    }
    let plain = text.replace("${invalid_referer}", NAME);
    let variable = cx.invalid_referer.as_ref().map_or_else(String::new, |name| format!("${{{name}}}"));
    let mut out = String::new();
    let mut rest = &*plain;
    while let Some((before, after)) = rest.split_once(NAME) {
        out.push_str(before);
        // A longer name is another's.
        let is_longer = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(if is_longer { NAME } else { &variable });
        rest = after;
    }
    (rest.len() < plain.len()).then(|| out + rest)
}
