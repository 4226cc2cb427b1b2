//! The walk over the tree: each directive is found in the table, checked, and applied to what has been
//! read so far.

use crate::Defaults;
use crate::directive::{Args, Contexts, Spec, Status};
use crate::directives;
use crate::directives::core::Main;
use crate::directives::http::Http;
use crate::directives::referer;
use crate::directives::rewrite;
use crate::directives::server::Server;
use crate::directives::stream::Stream;
use crate::directives::upstream::Upstream;
use crate::directives::variables;
use crate::level::Level;
use crate::notes::Notes;
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid, Parse};
use bifrons_config::problem::HELP_MARK;
use bifrons_config::suggest::nearest;
use bifrons_config::{Place, Problem, Template};
use std::collections::HashSet;

/// What has been read so far, and where the walk is.
pub(crate) struct Ctx {
    pub(crate) defaults: Defaults,
    pub(crate) notes: Notes,
    /// Variables that the configuration declares, without `$`.
    pub(crate) declared: HashSet<String>,
    /// Whether it names the directory or the file of requests.
    pub(crate) names_files: bool,
    pub(crate) main: Main,
    pub(crate) http: Http,
    pub(crate) stream: Stream,
    /// The `upstream` block that is being read.
    pub(crate) upstream: Upstream,
    /// The `server` block that is being read.
    pub(crate) server: Server,
    /// The innermost `http`, `server` or `location` block.
    pub(crate) level: Level,
    /// The variable that `$invalid_referer` means, once the block or one around it has `valid_referers`.
    pub(crate) invalid_referer: Option<String>,
    /// The block that is being read.
    pub(crate) context: Contexts,
}

impl Ctx {
    pub(crate) fn new(defaults: Defaults, notes: Notes, declared: HashSet<String>) -> Self {
        Self {
            defaults,
            notes,
            declared,
            names_files: false,
            main: Main::default(),
            http: Http::default(),
            stream: Stream::default(),
            upstream: Upstream::default(),
            server: Server::default(),
            level: Level::default(),
            invalid_referer: None,
            context: Contexts::MAIN,
        }
    }

    /// Reads the directives of a block.
    pub(crate) fn run(&mut self, block: &[Directive]) {
        for directive in block {
            self.directive(directive);
        }
    }

    /// The whole has been read: nginx wants to be told how it waits.
    pub(crate) fn demand_events(&mut self) {
        if self.defaults.as_nginx && self.main.events.is_none() {
            let problem = Problem::nowhere("no \"events\" section in configuration");
            self.notes.problem(problem.help("add \"events { }\""));
        }
    }

    /// Reads the block of `directive` as a `context`.
    pub(crate) fn inside(&mut self, context: Contexts, directive: &Directive) {
        let outer = (std::mem::replace(&mut self.context, context), self.invalid_referer.clone());
        self.run(directive.block.as_deref().unwrap_or_default());
        (self.context, self.invalid_referer) = outer;
    }

    /// Reads the block of `directive` as a `context` with settings of its own, which are returned.
    pub(crate) fn level(&mut self, context: Contexts, level: Level, directive: &Directive) -> Level {
        let outer = std::mem::replace(&mut self.level, level);
        self.inside(context, directive);
        std::mem::replace(&mut self.level, outer)
    }

    fn directive(&mut self, directive: &Directive) {
        if self.notes.is_full() {
            return;
        }
        let words = std::iter::once(&directive.name).chain(&directive.args);
        for word in words.filter(|word| word.text.contains(char::REPLACEMENT_CHARACTER)) {
            let message = format!("\"{}\" has bytes that are no UTF-8", word.text);
            self.notes.problem(Problem::at(word.place.clone(), message));
        }
        let Some(spec) = self.find(directive) else {
            return;
        };
        match spec.status {
            Status::Later { off: true, .. } if matches!(&*directive.args, [only] if only.text == "off") => {}
            Status::Later { instead, .. } => {
                let what = format!("directive \"{}\"", spec.name);
                self.later(directive.name.place.clone(), &what, instead);
            }
            _ if !self.fits(directive, spec) => {}
            Status::Accepted(why) => {
                if let (Args::Flag, Some(word)) = (spec.args, directive.arg(0))
                    && let Err(invalid) = values::flag(word)
                {
                    return self.invalid(directive, word, invalid);
                }
                (spec.apply)(self, directive);
                self.accept(directive, why);
            }
            Status::Supported => (spec.apply)(self, directive),
        }
    }

    /// The row of the table, or a message that there is none.
    fn find(&mut self, directive: &Directive) -> Option<&'static Spec> {
        let name = &*directive.name.text;
        let rows = directives::named(name);
        if let Some(row) = rows.iter().find(|row| row.contexts.meets(self.context)) {
            return Some(row);
        }
        let place = directive.name.place.clone();
        if rows.is_empty() {
            let mut problem = Problem::at(place, format!("unknown directive \"{name}\""));
            if let Some(instead) = directives::later::instead_of_module(name) {
                problem = problem.help(instead);
            } else if let Some(near) = self.nearest(name) {
                problem = problem.help(format!("did you mean \"{near}\"?"));
            }
            self.notes.problem(problem);
        } else {
            let message = format!("\"{name}\" directive is not allowed here");
            let places: Vec<_> = rows.iter().map(|row| row.contexts.to_string()).collect();
            let help = format!("it belongs to: {}", places.join(", "));
            self.notes.problem(Problem::at(place, message).help(help));
        }
        None
    }

    /// The directive that most likely was meant; one that may stand here goes first.
    fn nearest(&self, name: &str) -> Option<&'static str> {
        let here = directives::all().filter(|row| row.contexts.meets(self.context)).map(|row| row.name);
        nearest(name, here).or_else(|| nearest(name, directives::all().map(|row| row.name)))
    }

    /// Whether arguments and block are as declared.
    fn fits(&mut self, directive: &Directive, spec: &Spec) -> bool {
        let name = spec.name;
        let wants_block = matches!(spec.args, Args::Block(..) | Args::BlockAtLeast(_));
        let message = match &directive.block {
            None if wants_block => format!("directive \"{name}\" has no opening \"{{\""),
            Some(_) if !wants_block && spec.args != Args::Any => {
                format!("directive \"{name}\" is not terminated by \";\"")
            }
            _ if !spec.args.fit(directive.args.len()) => {
                format!("invalid number of arguments in \"{name}\" directive")
            }
            _ => return true,
        };
        let mut problem = Problem::at(directive.place.clone(), message);
        if let Some(help) = missing_semicolon(directive) {
            problem = problem.help(help);
        }
        self.notes.problem(problem);
        false
    }

    /// Sets a value that may be set once in a block, from the first argument.
    pub(crate) fn once<T>(
        &mut self,
        directive: &Directive,
        parse: Parse<T>,
        field: fn(&mut Self) -> &mut Option<T>,
    ) {
        let Some(word) = directive.arg(0) else {
            return;
        };
        match parse(word) {
            Ok(value) => self.put(directive, value, field),
            Err(invalid) => self.invalid(directive, word, invalid),
        }
    }

    /// Sets a value that may be set once in a block.
    pub(crate) fn put<T>(&mut self, directive: &Directive, value: T, field: fn(&mut Self) -> &mut Option<T>) {
        if field(self).is_some() {
            let message = format!("\"{}\" directive is duplicate", directive.name.text);
            self.problem(&directive.name, message);
        } else {
            *field(self) = Some(value);
        }
    }

    /// Notes a mistake in a word.
    pub(crate) fn problem(&mut self, word: &Word, message: impl Into<String>) {
        self.notes.problem(Problem::at(word.place.clone(), message));
    }

    /// Notes a mistake in a word and how to mend it.
    pub(crate) fn problem_help(&mut self, word: &Word, message: impl Into<String>, help: impl Into<String>) {
        self.notes.problem(Problem::at(word.place.clone(), message).help(help));
    }

    /// Notes that an argument is wrong.
    pub(crate) fn invalid(&mut self, directive: &Directive, word: &Word, invalid: Invalid) {
        let (name, value) = (&directive.name.text, &word.text);
        let (message, help) = match invalid {
            Invalid::Value => (format!("\"{name}\" directive invalid value"), None),
            Invalid::Number => (format!("\"{name}\" directive invalid number"), None),
            Invalid::Flag => {
                let must = "it must be \"on\" or \"off\"";
                (format!("invalid value \"{value}\" in \"{name}\" directive, {must}"), None)
            }
            Invalid::Choice(right) => (format!("invalid value \"{value}\""), Some(format!("write {right}"))),
            Invalid::Other(message, help) => (message, help),
        };
        let mut problem = Problem::at(word.place.clone(), message);
        let missing = help.is_none().then(|| missing_semicolon(directive)).flatten();
        // The words of a swallowed directive are one mistake.
        if missing.is_some() && self.notes.problems.0.last().is_some_and(|last| last.help == missing) {
            return;
        }
        problem.help = help.or(missing);
        self.notes.problem(problem);
    }

    /// Notes that a directive has no such parameter.
    pub(crate) fn invalid_parameter(&mut self, directive: &Directive, word: &Word) {
        let message = format!("invalid parameter \"{}\"", word.text);
        self.invalid(directive, word, Invalid::Other(message, None));
    }

    /// Notes what a message says of a word, with the help that it may have.
    pub(crate) fn wrong(&mut self, word: &Word, message: &str) {
        let (message, help) = split_help(message);
        let mut problem = Problem::at(word.place.clone(), message);
        problem.help = help;
        self.notes.problem(problem);
    }

    /// Notes that nginx knows something and we don't yet. `instead` may be empty.
    pub(crate) fn later(&mut self, place: Place, what: &str, instead: &str) {
        let mut problem = Problem::at(place, format!("{what} is not supported yet"));
        if !instead.is_empty() {
            problem = problem.help(instead);
        }
        self.notes.problem(problem);
    }

    /// Notes that a directive needs no equivalent here.
    pub(crate) fn accept(&mut self, directive: &Directive, why: &str) {
        let text = format!("\"{}\": {why}", directive.name.text);
        self.notes.accepted.push((directive.place.clone(), text));
    }

    /// Compiles a text with variables.
    pub(crate) fn template(&mut self, word: &Word) -> Option<Template> {
        self.template_of(word, &word.text)
    }

    /// Compiles a text with variables that comes from a word.
    pub(crate) fn template_of(&mut self, word: &Word, text: &str) -> Option<Template> {
        let resolved = text.contains("invalid_referer").then(|| referer::resolve(self, word, text)).flatten();
        let text = resolved.as_deref().unwrap_or(text);
        match Template::parse_nginx(text, &|name| self.declared.contains(name)) {
            Ok(template) => Some(template),
            Err(err) => {
                let place = if text == word.text { word.part(err.range.clone()) } else { word.place.clone() };
                // nginx's words where there are such.
                let unclosed = err.message.strip_prefix("the closing \"}\" of variable \"${");
                let message = match (err.message.strip_prefix("unknown variable \"$"), unclosed) {
                    (Some(name), _) => format!("unknown \"{name} variable"),
                    (None, Some(rest)) => {
                        let name = rest.split('"').next().unwrap_or_default();
                        format!("the closing bracket in \"{name}\" variable is missing")
                    }
                    (None, None) => err.message,
                };
                let mut problem = Problem::at(place, message);
                problem.help = err.help;
                self.notes.problem(problem);
                None
            }
        }
    }
}

/// Help where an argument stands in a later line and has a directive's name.
fn missing_semicolon(directive: &Directive) -> Option<String> {
    let line = |word: &Word| word.place.line_column().0;
    let first = line(&directive.name);
    let next = directive
        .args
        .iter()
        .find(|word| !word.quoted && line(word) > first && !directives::named(&word.text).is_empty())?;
    Some(format!("is a \";\" missing before \"{}\" in line {}?", next.text, line(next)))
}

/// The variables that a tree declares by `set` and by named groups of regular expressions, without `$`.
pub(crate) fn declared(block: &[Directive], names: &mut HashSet<String>) {
    for directive in block {
        names.extend(variables::defines(directive).map(str::to_ascii_lowercase));
        if directive.name.text == "set"
            && let Some(name) = rewrite::variable(directive.text(0))
        {
            if name.eq_ignore_ascii_case("limit_rate") {
                names.insert(rewrite::RATE.to_owned());
            }
            names.insert(name.to_ascii_lowercase());
        }
        for word in std::iter::once(&directive.name).chain(&directive.args) {
            // `(?<name>…)`, `(?P<name>…)`, `(?'name'…)`; `(?<=` and `(?<!` look behind.
            for (at, _) in word.text.match_indices("(?") {
                let rest = &word.text[at + 2..];
                let rest = rest.strip_prefix('P').unwrap_or(rest);
                let between = |open, close| Some(rest.strip_prefix(open)?.split_once(close)?.0);
                let name = between('<', '>').or_else(|| between('\'', '\''));
                let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                names.extend(name.filter(is_name).map(str::to_ascii_lowercase));
            }
        }
        declared(directive.block.as_deref().unwrap_or_default(), names);
    }
}

/// Whether a tree names a variable that follows from the directory of a location.
pub(crate) fn names_files(block: &[Directive]) -> bool {
    const NAMES: [&str; 3] = ["document_root", "realpath_root", "request_filename"];
    let named = |word: &Word| NAMES.iter().any(|name| word.text.contains(name));
    block.iter().any(|directive| {
        directive.args.iter().any(named) || names_files(directive.block.as_deref().unwrap_or_default())
    })
}

/// What is wrong and how to mend it, of a message that may have both.
pub(crate) fn split_help(message: &str) -> (String, Option<String>) {
    match message.split_once(HELP_MARK) {
        Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
        None => (message.to_owned(), None),
    }
}
