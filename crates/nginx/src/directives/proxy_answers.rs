//! What becomes of a server's answer: `proxy_redirect`, `proxy_cookie_*`, `proxy_hide_header` and their like.

use super::super::settings::settings;
use super::headers::{is_field_name, is_framing};
use super::location::Matcher;
use super::proxy_pass::ProxyPass;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values::Invalid;
use bifrons_config::Template;
use bifrons_filters::rewrite_cookies::{CookieFlag, FlagRule};
use bifrons_filters::value_rule::{Match, Rule};
use bifrons_filters::{FilterConfig, hide_fields, rewrite_cookies, rewrite_location};
use bifrons_route::{Case, Regex};

const LEVELS: Contexts = Contexts::LEVELS;

settings! {
    /// What becomes of a server's answer.
    AnswerSettings {
        redirect: Redirects,
        cookie_domain: Vec<Rule>,
        cookie_path: Vec<Rule>,
        cookie_flags: Vec<FlagRule>,
        hide_header: Vec<String>,
        pass_header: Vec<String>,
    }
}

/// The `proxy_redirect`s of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redirects {
    off: bool,
    rules: Vec<RedirectRule>,
}

#[derive(Clone, Debug)]
enum RedirectRule {
    /// From the URL of `proxy_pass` to the location.
    Default,
    Pair(Rule),
}

/// Fields that nginx keeps to itself unless `proxy_pass_header` names them.
const HIDDEN: [&str; 8] = [
    "Date",
    "Server",
    "X-Pad",
    "X-Accel-Expires",
    "X-Accel-Redirect",
    "X-Accel-Limit-Rate",
    "X-Accel-Buffering",
    "X-Accel-Charset",
];

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "proxy_redirect",
        LEVELS,
        Args::Range(1, 2),
        "Rewrites `Location` and `Refresh` of answers: `default` (from the URL of `proxy_pass` to the location), \
         `off`, or a pair of a beginning or `~regex`, `~*regex`, and what takes its place, both with variables. \
         What then begins with `/` gets scheme, host and port of the request.",
        redirect,
    )
    .default("default"),
    Spec::new(
        "proxy_cookie_domain",
        LEVELS,
        Args::Range(1, 2),
        "Rewrites the `Domain` of cookies: `off`, or a pair of a domain or `~regex` and what takes its place.",
        |cx, d| {
            if let Some(rules) = cookie_rules(cx, d, Attribute::Domain) {
                cx.level.answers.cookie_domain.get_or_insert_default().extend(rules);
            }
        },
    )
    .default("off"),
    Spec::new(
        "proxy_cookie_path",
        LEVELS,
        Args::Range(1, 2),
        "Rewrites the `Path` of cookies: `off`, or a pair of a beginning or `~regex`, `~*regex`, and what takes \
         its place.",
        |cx, d| {
            if let Some(rules) = cookie_rules(cx, d, Attribute::Path) {
                cx.level.answers.cookie_path.get_or_insert_default().extend(rules);
            }
        },
    )
    .default("off"),
    Spec::new(
        "proxy_cookie_flags",
        LEVELS,
        Args::AtLeast(1),
        "Flags that a cookie (a name or `~regex`) gets or loses: `secure`, `httponly`, `samesite=strict`, \
         `samesite=lax`, `samesite=none`, and with `no` in front; or `off`.",
        cookie_flags,
    )
    .default("off"),
    Spec::new(
        "proxy_hide_header",
        LEVELS,
        Args::Exact(1),
        "A field of the server's answer that is not passed on, besides `Date`, `Server`, `X-Pad` and `X-Accel-…`.",
        |cx, d| {
            let name = d.text(0).to_owned();
            if !is_field_name(&name) || is_framing(&name) {
                return cx.problem(&d.args[0], format!("the field \"{name}\" cannot be hidden"));
            }
            cx.level.answers.hide_header.get_or_insert_default().push(name);
        },
    ),
    Spec::new(
        "proxy_pass_header",
        LEVELS,
        Args::Exact(1),
        "A field of the server's answer that is passed on though it is one of those hidden otherwise.",
        |cx, d| cx.level.answers.pass_header.get_or_insert_default().push(d.text(0).to_owned()),
    ),
];

fn redirect(cx: &mut Ctx, directive: &Directive) {
    let rule = match (directive.text(0), directive.arg(1)) {
        ("off" | "false", None) => {
            cx.level.answers.redirect.get_or_insert_default().off = true;
            return;
        }
        ("default", None) => {
            if let Some(message) = no_default(cx) {
                return cx.problem(&directive.args[0], message);
            }
            RedirectRule::Default
        }
        (_, None) => return cx.invalid_parameter(directive, &directive.args[0]),
        (_, Some(to)) => {
            let Some(of) = matcher(cx, &directive.args[0], Attribute::Path) else { return };
            let Some(to) = cx.template(to) else { return };
            RedirectRule::Pair(Rule { of, to })
        }
    };
    cx.level.answers.redirect.get_or_insert_default().rules.push(rule);
}

/// Why `proxy_redirect default` cannot stand here.
fn no_default(cx: &Ctx) -> Option<&'static str> {
    match &cx.level.pass {
        None => Some("\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive"),
        Some(pass) if pass.is_dynamic() => {
            Some("\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables")
        }
        Some(_) => None,
    }
}

/// What a text is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attribute {
    /// A domain: case and a dot in front don't count.
    Domain,
    /// A path or an address.
    Path,
}

/// A text with variables, or with `~` in front a regex.
fn matcher(cx: &mut Ctx, word: &Word, attribute: Attribute) -> Option<Match> {
    let Some(regex) = word.text.strip_prefix('~') else {
        let text = match attribute {
            Attribute::Domain => word.text.strip_prefix('.').unwrap_or(&word.text),
            Attribute::Path => &word.text,
        };
        return cx.template_of(word, text).map(Match::Text);
    };
    let text = match (regex.strip_prefix('*'), attribute) {
        (Some(regex), Attribute::Path) => format!("(?i){regex}"),
        (_, Attribute::Domain) => format!("(?i){regex}"),
        (None, Attribute::Path) => regex.to_owned(),
    };
    match Regex::new(&text, Case::Sensitive) {
        Ok(regex) => Some(Match::Regex(regex)),
        Err(err) => {
            cx.wrong(word, &err.to_string());
            None
        }
    }
}

/// The rule of a `proxy_cookie_domain` or `_path`; none for `off`, which also ends what is inherited.
fn cookie_rules(cx: &mut Ctx, directive: &Directive, attribute: Attribute) -> Option<Option<Rule>> {
    let word = &directive.args[0];
    let Some(to) = directive.arg(1) else {
        if word.text == "off" {
            return Some(None);
        }
        cx.invalid_parameter(directive, word);
        return None;
    };
    let of = matcher(cx, word, attribute)?;
    // A regex says itself where a dot goes.
    let text = match (attribute, &of) {
        (Attribute::Domain, Match::Text(_)) => to.text.strip_prefix('.').unwrap_or(&to.text),
        _ => &to.text,
    };
    let to = cx.template_of(to, text)?;
    Some(Some(Rule { of, to }))
}

fn cookie_flags(cx: &mut Ctx, directive: &Directive) {
    if directive.args.len() == 1 {
        match directive.text(0) {
            "off" => cx.level.answers.cookie_flags = Some(Vec::new()),
            _ => cx.invalid_parameter(directive, &directive.args[0]),
        }
        return;
    }
    let Some(cookie) = matcher(cx, &directive.args[0], Attribute::Domain) else { return };
    let mut flags = Vec::new();
    for word in directive.args.iter().skip(1) {
        flags.push(match word.text.as_str() {
            "secure" => CookieFlag::Secure,
            "nosecure" => CookieFlag::Nosecure,
            "httponly" => CookieFlag::Httponly,
            "nohttponly" => CookieFlag::Nohttponly,
            "samesite=strict" => CookieFlag::SamesiteStrict,
            "samesite=lax" => CookieFlag::SamesiteLax,
            "samesite=none" => CookieFlag::SamesiteNone,
            "nosamesite" => CookieFlag::Nosamesite,
            text => {
                let message = format!("invalid parameter \"{text}\"");
                let help = "write secure, httponly, samesite=strict and the like";
                return cx.invalid(directive, word, Invalid::Other(message, Some(help.to_owned())));
            }
        });
    }
    cx.level.answers.cookie_flags.get_or_insert_default().push(FlagRule { cookie, flags });
}

impl AnswerSettings {
    /// The filters of a location with that `proxy_pass`. They come last in the list, as answers pass filters
    /// from the last to the first.
    pub(crate) fn emit(&self, pass: &ProxyPass, matcher: Option<&Matcher>) -> Vec<FilterConfig> {
        let mut filters = Vec::new();
        let rules = self.redirects(pass, matcher);
        if !rules.is_empty() {
            let config = rewrite_location::Config { rules, absolute: true };
            filters.push(FilterConfig::RewriteLocation(config));
        }
        let cookies = rewrite_cookies::Config {
            domain: self.cookie_domain.clone().unwrap_or_default(),
            path: self.cookie_path.clone().unwrap_or_default(),
            flags: self.cookie_flags.clone().unwrap_or_default(),
        };
        if cookies != rewrite_cookies::Config::default() {
            filters.push(FilterConfig::RewriteCookies(cookies));
        }
        filters.push(FilterConfig::HideFields(hide_fields::Config { names: self.hidden() }));
        filters
    }

    fn redirects(&self, pass: &ProxyPass, matcher: Option<&Matcher>) -> Vec<Rule> {
        let default = || (!pass.is_dynamic() && !pass.grpc).then(|| default_redirect(pass, matcher));
        let Some(redirects) = &self.redirect else { return default().into_iter().collect() };
        if redirects.off {
            return Vec::new();
        }
        let rule = |rule: &RedirectRule| match rule {
            RedirectRule::Default => default(),
            RedirectRule::Pair(rule) => Some(rule.clone()),
        };
        redirects.rules.iter().filter_map(rule).collect()
    }

    /// Names of the fields that clients don't get.
    fn hidden(&self) -> Vec<String> {
        let shown = self.pass_header.as_deref().unwrap_or_default();
        let is_shown = |name: &str| shown.iter().any(|shown| shown.eq_ignore_ascii_case(name));
        let mut names: Vec<String> = Vec::new();
        let own = self.hide_header.iter().flatten().map(String::as_str);
        for name in HIDDEN.into_iter().chain(own).filter(|name| !is_shown(name)) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Whether a field that is hidden otherwise is passed on.
    pub(crate) fn passes(&self, field: &str) -> bool {
        self.pass_header.iter().flatten().any(|name| name.eq_ignore_ascii_case(field))
    }
}

/// From the URL of the `proxy_pass` to the location; from its host to `/` where it has no path.
fn default_redirect(pass: &ProxyPass, matcher: Option<&Matcher>) -> Rule {
    let (from, to) = match (&pass.uri, matcher) {
        (Some(uri), Some(matcher)) if !matcher.is_regex() => {
            (format!("{}{uri}", pass.origin()), matcher.name())
        }
        _ => (format!("{}/", pass.origin()), "/".to_owned()),
    };
    Rule { of: Match::Text(Template::text(&from)), to: Template::text(&to) }
}
