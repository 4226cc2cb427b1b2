//! `location`.

use crate::context::{Ctx, split_help};
use crate::directive::{Args, Contexts, Spec};
use crate::level::Level;
use crate::tree::{Directive, Word};
use bifrons_config::{Place, Problem};
use bifrons_route::path::PathRules;
use bifrons_route::pattern::PatternForm;
use bifrons_route::{Case, PathPattern, RouteTableBuilder};

/// What a location matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Matcher {
    /// `= /path`
    Exact(String),
    /// `/path`, or `^~ /path`.
    Prefix {
        /// What paths begin with.
        path: String,
        /// Whether regexes are not tried when it is the longest.
        before_regexes: bool,
    },
    /// `~ regex` or `~* regex`.
    Regex(PathPattern),
    /// `@name`, without the `@`.
    Named(String),
}

/// One `location` block.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) matcher: Matcher,
    pub(crate) level: Level,
    pub(crate) place: Place,
    /// Whether some path can match it. One that none can is read for its mistakes and then left out.
    pub(crate) matches: bool,
}

/// What locations of one block differ in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Exact(String),
    Prefix(String),
    Regex(String),
    Named(String),
}

pub(crate) const DIRECTIVES: &[Spec] = &[Spec::new(
    "location",
    Contexts::SERVER.or(Contexts::LOCATION),
    Args::Block(1, 2),
    "Settings for some paths: `= /exact`, `/prefix`, `^~ /prefix`, `~ regex`, `~* regex`. The exact one is \
     taken, else the longest prefix if it is marked `^~`, else the first regex, else the longest prefix. \
     `@name` is reached from other locations only.",
    location,
)];

fn location(cx: &mut Ctx, directive: &Directive) {
    let Some((sign, name)) = modifier(cx, directive) else {
        return;
    };
    let word = directive.args.last().unwrap_or(&directive.name);
    if sign == "@" && cx.context != Contexts::SERVER {
        return cx.problem(word, format!("named location \"@{name}\" can be on the server level only"));
    }
    let Some(matcher) = matcher(cx, word, sign, &name) else {
        return;
    };
    if let Some(message) = misplaced(cx.level.matcher.as_ref(), &matcher) {
        return cx.problem(word, message);
    }
    let is_new = cx.level.taken.insert(matcher.key());
    let matches = match &matcher {
        _ if is_new => can_match(cx, word, &matcher),
        // nginx takes it, though nothing can get there.
        Matcher::Regex(_) => unreachable_location(cx, word, "a location before it has the same regex"),
        _ => return cx.problem(word, format!("duplicate location \"{}\"", matcher.name())),
    };
    let inner = Level { matcher: Some(matcher.clone()), ..Level::default() };
    let level = cx.level(Contexts::LOCATION, inner, directive);
    cx.level.locations.push(Location { matcher, level, place: word.place.clone(), matches });
}

/// The sign and the text behind it; they may be one word.
fn modifier(cx: &mut Ctx, directive: &Directive) -> Option<(&'static str, String)> {
    const SIGNS: [&str; 4] = ["=", "^~", "~*", "~"];
    if let Some(name) = directive.arg(1) {
        let Some(sign) = SIGNS.iter().find(|sign| **sign == directive.text(0)) else {
            let message = format!("invalid location modifier \"{}\"", directive.text(0));
            cx.problem_help(&directive.args[0], message, "write =, ^~, ~ or ~*");
            return None;
        };
        return Some((sign, name.text.clone()));
    }
    let text = directive.text(0);
    let found = SIGNS.iter().find_map(|sign| Some((*sign, text.strip_prefix(sign)?)));
    let named = || text.strip_prefix('@').map_or(("", text), |name| ("@", name));
    let (sign, name) = found.unwrap_or_else(named);
    Some((sign, name.to_owned()))
}

fn matcher(cx: &mut Ctx, word: &Word, sign: &str, name: &str) -> Option<Matcher> {
    let case = match sign {
        "@" if name.is_empty() => {
            cx.problem(word, "a named location needs a name");
            return None;
        }
        "@" => return Some(Matcher::Named(name.to_owned())),
        "=" => return Some(Matcher::Exact(name.to_owned())),
        "~" => Case::Sensitive,
        "~*" => Case::Ignore,
        _ => return Some(Matcher::Prefix { path: name.to_owned(), before_regexes: sign == "^~" }),
    };
    match PathPattern::regex(name, case) {
        Ok(pattern) => Some(Matcher::Regex(pattern)),
        Err(err) => {
            cx.wrong(word, &err.to_string());
            None
        }
    }
}

/// What is wrong with a location of that matcher within one of the other.
fn misplaced(outer: Option<&Matcher>, inner: &Matcher) -> Option<String> {
    match outer? {
        Matcher::Exact(path) => {
            Some(format!("location \"{}\" cannot be inside the exact location \"{path}\"", inner.name()))
        }
        Matcher::Named(name) => {
            Some(format!("location \"{}\" cannot be inside the named location \"@{name}\"", inner.name()))
        }
        // nginx compares with the text of an outer regex too, which no path begins with.
        outer if !matches!(inner, Matcher::Regex(_)) && !inner.name().starts_with(&outer.name()) => {
            Some(format!("location \"{}\" is outside location \"{}\"", inner.name(), outer.name()))
        }
        _ => None,
    }
}

/// Whether some path can match; warns where none can.
fn can_match(cx: &mut Ctx, word: &Word, matcher: &Matcher) -> bool {
    if matches!(matcher, Matcher::Named(_)) {
        return true;
    }
    let pattern = match matcher.pattern() {
        Ok(pattern) => pattern,
        Err(message) => return unreachable_location(cx, word, &message),
    };
    if matches!(matcher, Matcher::Regex(_)) {
        return true;
    }
    // Whether slashes are merged may be said later in the file; a pattern with two of them is rare enough
    // to take the default.
    let merge_slashes = cx.level.connection.merge_slashes.unwrap_or(true);
    let mut table = RouteTableBuilder::new(PathRules { merge_slashes, ..PathRules::NGINX });
    table.add(pattern, None, ());
    match table.build() {
        Ok(_) => true,
        Err(errors) => {
            let message = errors.first().map(|err| split_help(&err.to_string()).0).unwrap_or_default();
            let (_, why) = message.split_once("can never match: ").unwrap_or(("", &message));
            unreachable_location(cx, word, why)
        }
    }
}

/// Warns of a location that is never taken; `false`, as it matches nothing.
fn unreachable_location(cx: &mut Ctx, word: &Word, why: &str) -> bool {
    let message = format!("location \"{}\" matches no path", word.text);
    cx.notes.warn(Problem::at(word.place.clone(), message).help(why));
    false
}

impl Matcher {
    /// As nginx names the location in messages: without the sign.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Exact(path) | Self::Prefix { path, .. } => path.clone(),
            Self::Regex(pattern) => match pattern.form() {
                PatternForm::Regex(regex) => regex.as_str().to_owned(),
                _ => pattern.to_string(),
            },
            Self::Named(name) => format!("@{name}"),
        }
    }

    /// Whether it is a regex.
    pub(crate) fn is_regex(&self) -> bool {
        matches!(self, Self::Regex(_))
    }

    /// What a second location of the same block may not have.
    fn key(&self) -> Key {
        match self {
            Self::Exact(path) => Key::Exact(path.clone()),
            // With `^~` and without are the same place.
            Self::Prefix { path, .. } => Key::Prefix(path.clone()),
            Self::Regex(pattern) => Key::Regex(pattern.to_string()),
            Self::Named(name) => Key::Named(name.clone()),
        }
    }

    /// The pattern of a route that matches the same.
    ///
    /// # Errors
    /// Why no path can match it.
    pub(crate) fn pattern(&self) -> Result<PathPattern, String> {
        let pattern = match self {
            Self::Exact(path) => PathPattern::exact(path),
            Self::Prefix { path, before_regexes: true } => PathPattern::prefix_no_regex(path),
            Self::Prefix { path, before_regexes: false } => PathPattern::prefix(path),
            Self::Regex(pattern) => Ok(pattern.clone()),
            Self::Named(_) => Ok(PathPattern::everything()),
        };
        pattern.map_err(|err| split_help(&err.to_string()).0)
    }
}
