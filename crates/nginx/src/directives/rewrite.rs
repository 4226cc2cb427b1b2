//! The rewrite phase: `set`, `if`, `rewrite`, `return`, `break`.

use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::level::Level;
use crate::tree::{Directive, Word};
use crate::values;
use bifrons_config::{Place, Problem, Template, Var};
use bifrons_filters::rewrite::{Exists, If, ReplacePath, Return, Step, Then};
use bifrons_route::{Case, Regex};

/// One rule of a block, in its order.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    Step(Step),
    /// `if`, with the settings and rules of its block.
    If(Box<IfBlock>),
}

/// An `if` block.
#[derive(Clone, Debug)]
pub(crate) struct IfBlock {
    /// The test, without what is done.
    pub(crate) test: If,
    pub(crate) level: Level,
    /// Whether the block has more in it than rules.
    pub(crate) has_settings: bool,
    pub(crate) place: Place,
}

const RULES: Contexts = Contexts::SERVER.or(Contexts::LOCATION).or(Contexts::IF).or(Contexts::SERVER_IF);
const BLOCKS: Contexts = Contexts::SERVER.or(Contexts::LOCATION);

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new("set", RULES, Args::Exact(2), "Gives a variable a value. `$args` may be set too.", set),
    Spec::new(
        "if",
        BLOCKS,
        Args::BlockAtLeast(1),
        "Rules, and in a location settings, for requests for which a test holds: `($var)`, `=`, `!=`, `~`, `~*`, \
         `!~`, `!~*`, `-f`, `-d`, `-e`, `-x` and their negations. The last block that is entered is the \
         location's configuration.",
        if_,
    ),
    Spec::new(
        "rewrite",
        RULES,
        Args::Range(2, 3),
        "Replaces the path where a regular expression matches, and looks for its location, at most ten times; \
         with `last`, `break`, `redirect` or `permanent`. A `?` at the end drops the query.",
        rewrite,
    ),
    Spec::new(
        "return",
        RULES,
        Args::Range(1, 2),
        "Answers with a status, a status and a text, or a redirect. From status 400 on without a text it is an \
         error, which `error_page` may answer.",
        return_,
    ),
    Spec::new("break", RULES, Args::Exact(0), "Ends the rules of the block.", |cx, _| {
        cx.level.rules.push(Rule::Step(Step::Stop));
    }),
];

/// What `set $limit_rate` sets.
pub(crate) const RATE: &str = "limit_rate_that_was_set";

/// The name behind the `$` of a word that is a variable and nothing else.
pub(crate) fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let all = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    all.then_some(name)
}

fn set(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    let Some(name) = variable(&word.text).map(str::to_ascii_lowercase) else {
        return cx.problem(word, format!("invalid variable name \"{}\"", word.text));
    };
    // nginx's own variable that may be set, besides `$args`: it goes before `limit_rate`.
    let name = if name == "limit_rate" { RATE.to_owned() } else { name };
    match bifrons_config::vars::find(&name, &|_| true) {
        Some(Var::User(_) | Var::Args) => {}
        _ => return cx.problem(word, format!("the duplicate \"{name}\" variable")),
    }
    let name = if name == "query_string" { "args".to_owned() } else { name };
    if let Some(value) = cx.template(&directive.args[1]) {
        cx.level.rules.push(Rule::Step(Step::Set([(name, value)].into())));
    }
}

fn if_(cx: &mut Ctx, directive: &Directive) {
    let Some(test) = condition(cx, directive) else { return };
    let context = if cx.context == Contexts::SERVER { Contexts::SERVER_IF } else { Contexts::IF };
    let inner = Level { matcher: cx.level.matcher.clone(), ..Level::default() };
    let level = cx.level(context, inner, directive);
    let is_rule = |directive: &Directive| {
        let name = directive.name.text.as_str();
        matches!(name, "set" | "rewrite" | "return" | "break" | "rewrite_log" | "uninitialized_variable_warn")
    };
    let has_settings = directive.block.iter().flatten().any(|directive| !is_rule(directive));
    let place = directive.place.clone();
    cx.level.rules.push(Rule::If(Box::new(IfBlock { test, level, has_settings, place })));
}

/// The words between the parentheses.
fn inner_words(cx: &mut Ctx, directive: &Directive) -> Option<Vec<Word>> {
    let mut words = directive.args.clone();
    let opened = words.first().is_some_and(|word| !word.quoted && word.text.starts_with('('));
    let closed = words.last().is_some_and(|word| !word.quoted && word.text.ends_with(')'));
    if !opened || !closed {
        // nginx names the word that lacks its parenthesis.
        let wrong = if opened { words.last() } else { words.first() };
        let message = format!("invalid condition \"{}\"", wrong.map_or("", |word| &word.text));
        cx.notes
            .problem(Problem::at(directive.place.clone(), message).help("write \"if ($variable = text)\""));
        return None;
    }
    if let Some(first) = words.first_mut() {
        first.text.remove(0);
    }
    if let Some(last) = words.last_mut() {
        last.text.pop();
    }
    let is_there = |word: &Word| word.quoted || !word.text.is_empty();
    if !words.first().is_some_and(is_there) {
        words.remove(0);
    }
    if !words.last().is_some_and(is_there) {
        words.pop();
    }
    Some(words)
}

fn condition(cx: &mut Ctx, directive: &Directive) -> Option<If> {
    let words = inner_words(cx, directive)?;
    let (first, operator, operand) = match words.as_slice() {
        [first] => (first, None, None),
        [first, operand] => (first, None, Some(operand)),
        [first, operator, operand] => (first, Some(operator), Some(operand)),
        _ => return invalid_condition(cx, directive, ""),
    };
    if let Some(name) = first.text.strip_prefix('$') {
        if variable(&first.text).is_none() {
            return invalid_condition(cx, directive, name);
        }
        let value = cx.template(first)?;
        return match (operator, operand) {
            (None, None) => Some(If { value, ..If::default() }),
            (Some(operator), Some(operand)) => compared(cx, value, operator, operand),
            _ => invalid_condition(cx, directive, &first.text),
        };
    }
    let (sign, not) = first.text.strip_prefix('!').map_or((first.text.as_str(), false), |sign| (sign, true));
    let exists = match sign {
        "-f" => Exists::File,
        "-d" => Exists::Directory,
        "-e" => Exists::Any,
        "-x" => Exists::Executable,
        _ => return invalid_condition(cx, directive, &first.text),
    };
    let (None, Some(operand)) = (operator, operand) else {
        return invalid_condition(cx, directive, &first.text);
    };
    Some(If { value: cx.template(operand)?, exists: Some(exists), not, ..If::default() })
}

fn invalid_condition(cx: &mut Ctx, directive: &Directive, what: &str) -> Option<If> {
    let message = format!("invalid condition \"{what}\"");
    cx.notes.problem(Problem::at(directive.place.clone(), message));
    None
}

fn compared(cx: &mut Ctx, value: Template, operator: &Word, operand: &Word) -> Option<If> {
    let (sign, not) = match operator.text.strip_prefix('!') {
        Some(sign) => (sign, true),
        None => (operator.text.as_str(), false),
    };
    match sign {
        "=" => Some(If { value, is: Some(cx.template(operand)?), not, ..If::default() }),
        "~" | "~*" => {
            let regex = regex(cx, operand, sign == "~*")?;
            Some(If { value, matches: Some(regex), not, ..If::default() })
        }
        _ => {
            cx.problem(operator, format!("unexpected \"{}\" in condition", operator.text));
            None
        }
    }
}

/// A regular expression whose text says all about it.
fn regex(cx: &mut Ctx, word: &Word, ignore_case: bool) -> Option<Regex> {
    let text = if ignore_case { format!("(?i){}", word.text) } else { word.text.clone() };
    match Regex::new(&text, Case::Sensitive) {
        Ok(regex) => Some(regex),
        Err(err) => {
            cx.wrong(word, &err.to_string());
            None
        }
    }
}

fn rewrite(cx: &mut Ctx, directive: &Directive) {
    let [pattern, to, flag @ ..] = directive.args.as_slice() else { return };
    let Some(matches) = regex(cx, pattern, false) else { return };
    if to.text.is_empty() {
        return cx.problem(to, "empty replacement");
    }
    let is_url = ["http://", "https://", "$scheme"].iter().any(|start| to.text.starts_with(start));
    let (then, status) = match flag.first().map(|word| word.text.as_str()) {
        None => (Then::Next, None),
        Some("last") => (Then::Route, None),
        Some("break") => (Then::Stay, None),
        Some("redirect") => (Then::Next, Some(302)),
        Some("permanent") => (Then::Next, Some(301)),
        Some(_) => {
            let word = &directive.args[2];
            return cx.problem(word, format!("invalid parameter \"{}\"", word.text));
        }
    };
    let redirect = status.or(is_url.then_some(302));
    let (text, keep_query) = match to.text.strip_suffix('?') {
        Some(text) => (text, false),
        None => (to.text.as_str(), true),
    };
    let Some(to) = cx.template_of(to, text) else { return };
    let then = if redirect.is_some() { Then::Next } else { then };
    let step = Step::Path(ReplacePath { matches, to, keep_query, redirect, then });
    cx.level.rules.push(Rule::Step(step));
}

fn return_(cx: &mut Ctx, directive: &Directive) {
    let Some(answer) = parse_return(cx, directive) else { return };
    let is_return = |rule: &Rule| matches!(rule, Rule::Step(Step::Return(_)));
    if cx.level.rules.iter().any(is_return) {
        let message = "this \"return\" is never reached";
        let help = "the first one of a block ends the request";
        return cx.notes.warn(Problem::at(directive.place.clone(), message).help(help));
    }
    cx.level.rules.push(Rule::Step(Step::Return(answer)));
}

fn parse_return(cx: &mut Ctx, directive: &Directive) -> Option<Return> {
    let first = &directive.args[0];
    let answer = |status, to, body| Return { status, to, body, content_type: None };
    let Some(status) = values::digits(&first.text).and_then(|code| u16::try_from(code).ok()) else {
        let is_url = ["http://", "https://", "$scheme"].iter().any(|start| first.text.starts_with(start));
        if directive.args.len() == 1 && is_url {
            return Some(answer(302, Some(cx.template(first)?), Template::default()));
        }
        cx.problem(first, format!("invalid return code \"{}\"", first.text));
        return None;
    };
    if status > 999 {
        cx.problem(first, format!("invalid return code \"{}\"", first.text));
        return None;
    }
    if !(200..=599).contains(&status) {
        cx.later(first.place.clone(), &format!("return code \"{status}\""), "write one from 200 to 599");
        return None;
    }
    let text = match directive.arg(1) {
        Some(word) => cx.template(word)?,
        None => Template::default(),
    };
    Some(match status {
        301 | 302 | 303 | 307 | 308 if !text.is_empty() => answer(status, Some(text), Template::default()),
        _ => answer(status, None, text),
    })
}
