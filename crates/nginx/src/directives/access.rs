//! Who may: `allow`, `deny`, `auth_basic`, `satisfy`, `limit_except`.

use super::super::settings::settings;
use crate::context::{Ctx, split_help};
use crate::directive::{Args, Contexts, Spec};
use crate::level::Level;
use crate::tree::Directive;
use crate::values::{self, Invalid};
use bifrons_config::units::Dur;
use bifrons_config::{Problem, Template};
use bifrons_filters::access::Rule;
use bifrons_filters::{FilterConfig, access, basic_auth, satisfy_any};
use bifrons_route::condition::{Condition, Method};
use bifrons_route::ipset::parse_cidr;

const LEVELS: Contexts = Contexts::LEVELS;
const RULES: Contexts = LEVELS.or(Contexts::LIMIT_EXCEPT);

settings! {
    /// Who may.
    AccessSettings {
        rules: Vec<Rule>,
        /// `off` asks nothing.
        realm: Template,
        users: Template,
        any: bool,
        delay: Dur,
    }
}

/// A `limit_except` block: what holds for all other methods.
#[derive(Clone, Debug)]
pub(crate) struct LimitExcept {
    methods: Vec<Method>,
    pub(crate) level: Box<Level>,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "allow",
        RULES.or(Contexts::STREAMS),
        Args::Exact(1),
        "Lets clients of an address, a CIDR block, `unix:` or `all` in. The first of `allow` and `deny` that \
         fits decides; a block that has any takes none from the enclosing one.",
        |cx, d| rule(cx, d, Rule::Allow),
    ),
    Spec::new("deny", RULES.or(Contexts::STREAMS), Args::Exact(1), "Refuses them, with 403.", |cx, d| {
        rule(cx, d, Rule::Deny)
    }),
    Spec::new(
        "auth_basic",
        RULES,
        Args::Exact(1),
        "Asks for a name and a password; the text is the realm, with variables, and `off` asks nothing.",
        |cx, d| {
            let realm = cx.template(&d.args[0]);
            if let Some(realm) = realm {
                cx.put(d, realm, |cx| &mut cx.level.access.realm);
            }
        },
    )
    .default("off"),
    Spec::new(
        "auth_basic_user_file",
        RULES,
        Args::Exact(1),
        "The file of names and hashed passwords, `name:hash` a line: bcrypt, SHA-crypt, MD5 (`$apr1$`, `$1$`), \
         `{SSHA}`, `{SHA}`, `{PLAIN}`. Relative paths begin at the main file's directory.",
        user_file,
    ),
    Spec::new(
        "auth_delay",
        LEVELS,
        Args::Exact(1),
        "How long the refusal of a wrong password is held back.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.access.delay),
    )
    .default("0s"),
    Spec::new(
        "satisfy",
        LEVELS,
        Args::Exact(1),
        "Whether addresses and passwords must both be right, `all`, or one of them, `any`.",
        |cx, d| {
            cx.once(
                d,
                |word| match &*word.text {
                    "all" => Ok(false),
                    "any" => Ok(true),
                    _ => Err(Invalid::Choice("all or any")),
                },
                |cx| &mut cx.level.access.any,
            );
        },
    )
    .default("all"),
    Spec::new(
        "limit_except",
        Contexts::LOCATION,
        Args::Block(1, 15),
        "Settings for all methods but these; GET includes HEAD.",
        limit_except,
    ),
];

fn rule(cx: &mut Ctx, directive: &Directive, make: fn(bifrons_config::OneOrMany<String>) -> Rule) {
    let word = &directive.args[0];
    if !matches!(&*word.text, "all" | "unix:") {
        match parse_cidr(&word.text) {
            Ok(net) if net.trunc() != net => {
                let message = format!("low address bits of {} are meaningless", word.text);
                cx.notes.warn(Problem::at(word.place.clone(), message));
            }
            Ok(_) => {}
            Err(err) => {
                let (_, help) = split_help(&err.to_string());
                let message = format!("invalid parameter \"{}\"", word.text);
                return cx.invalid(directive, word, Invalid::Other(message, help));
            }
        }
    }
    let rule = make(bifrons_config::OneOrMany::one(word.text.clone()));
    cx.level.access.rules.get_or_insert_default().push(rule);
}

fn user_file(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    let text = match &cx.defaults.conf_dir {
        Some(directory) if !word.text.starts_with(['/', '$']) => {
            directory.join(&word.text).display().to_string()
        }
        _ => word.text.clone(),
    };
    if let Some(file) = cx.template_of(word, &text) {
        cx.put(directive, file, |cx| &mut cx.level.access.users);
    }
}

fn limit_except(cx: &mut Ctx, directive: &Directive) {
    const METHODS: [&str; 15] = [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "MKCOL",
        "COPY",
        "MOVE",
        "OPTIONS",
        "PROPFIND",
        "PROPPATCH",
        "LOCK",
        "UNLOCK",
        "PATCH",
        "TRACE",
    ];
    let mut methods = Vec::new();
    for word in &directive.args {
        let upper = word.text.to_ascii_uppercase();
        match upper.parse::<Method>() {
            Ok(method) if METHODS.contains(&&*upper) => methods.push(method),
            _ => return cx.problem(word, format!("invalid method \"{}\"", word.text)),
        }
    }
    let has = |methods: &[Method], name: &str| methods.iter().any(|method| method.as_str() == name);
    if has(&methods, "GET") && !has(&methods, "HEAD") {
        methods.extend("HEAD".parse());
    }
    if cx.level.limit_except.is_some() {
        return cx.problem(&directive.name, "\"limit_except\" directive is duplicate");
    }
    let inner = Level { matcher: cx.level.matcher.clone(), ..Level::default() };
    let level = cx.level(Contexts::LIMIT_EXCEPT, inner, directive);
    cx.level.limit_except = Some(LimitExcept { methods, level: Box::new(level) });
}

impl LimitExcept {
    /// The requests it is for, of those for which `condition` holds.
    pub(crate) fn condition(&self, condition: Option<&Condition>) -> Condition {
        let named = Condition { method: self.methods.clone(), ..Condition::default() };
        let others = Condition { not: Some(Box::new(named)), ..Condition::default() };
        match condition {
            None => others,
            Some(condition) => Condition { all: vec![condition.clone(), others], ..Condition::default() },
        }
    }
}

impl AccessSettings {
    /// The filters that do it: addresses first, as in nginx.
    pub(crate) fn emit(&self) -> Vec<FilterConfig> {
        let mut filters = Vec::new();
        if let Some(rules) = self.rules.as_ref().filter(|rules| !rules.is_empty()) {
            filters.push(FilterConfig::Access(access::Config { rules: rules.clone() }));
        }
        let realm = self.realm.as_ref().filter(|realm| realm.as_text() != Some("off"));
        // Without a file nginx asks nothing.
        if let (Some(realm), Some(file)) = (realm, &self.users) {
            filters.push(FilterConfig::BasicAuth(basic_auth::Config {
                realm: realm.clone(),
                file: Some(file.clone()),
                delay: self.delay.unwrap_or_default(),
                ..basic_auth::Config::default()
            }));
        }
        match self.any {
            Some(true) if filters.len() > 1 => {
                vec![FilterConfig::SatisfyAny(satisfy_any::Config { filters })]
            }
            _ => filters,
        }
    }
}
