//! What serde's complaints say to the person who wrote the file.

use super::node::Node;
use crate::place::Place;
use crate::problem::{HELP_MARK, Problem};
use crate::suggest::nearest;
use serde::de::{self, Expected, Unexpected};
use std::fmt;

/// A complaint on its way up; boxed to keep results small.
#[derive(Debug)]
pub(super) struct Error(Box<Fault>);

#[derive(Debug)]
struct Fault {
    what: What,
    help: Option<String>,
    place: Option<Place>,
    /// Follows from a mistake already noted; not told.
    follows: bool,
}

#[derive(Debug)]
enum What {
    Told(String),
    /// Of a struct's keys or an enum's names; which word it is depends on where it stands.
    UnknownName {
        name: String,
        known: &'static [&'static str],
    },
    DuplicateField(&'static str),
}

/// What a node is to the one that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Key,
    Value,
}

impl Error {
    pub(super) fn told(message: impl Into<String>) -> Self {
        Self::new(What::Told(message.into()))
    }

    fn new(what: What) -> Self {
        Self(Box::new(Fault { what, help: None, place: None, follows: false }))
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Not to be told, because something in `node` is already.
    pub(super) fn follow_up() -> Self {
        let mut error = Self::told("");
        error.0.follows = true;
        error
    }

    /// Whether a key came twice under two of its names.
    pub(super) fn is_duplicate_field(&self) -> bool {
        self.0.place.is_none() && matches!(self.0.what, What::DuplicateField(_))
    }

    /// Lays the complaint on `node`, unless it already lies on one within, and takes that node out.
    pub(super) fn settle(mut self, node: &Node, role: Role) -> Self {
        let fault = &mut *self.0;
        if fault.place.is_some() {
            return self;
        }
        fault.place = Some(node.place.clone());
        fault.follows |= node.marks.lacking.get();
        node.marks.removed.set(true);
        if let What::UnknownName { name, known } = &fault.what {
            let word = if role == Role::Key { "key" } else { "value" };
            fault.help = Some(known_names(name, known));
            fault.what = What::Told(format!("unknown {word} {}", quoted(name)));
        }
        self
    }

    /// The problem; `None` for one that only follows from another.
    pub(super) fn into_problem(self) -> Option<Problem> {
        let fault = *self.0;
        if fault.follows {
            return None;
        }
        let message = match fault.what {
            What::Told(message) => message,
            What::UnknownName { name, .. } => format!("unknown name {}", quoted(&name)),
            What::DuplicateField(name) => format!("key \"{name}\" is set twice, under two of its names"),
        };
        Some(Problem { place: fault.place, message, help: fault.help })
    }
}

/// Which name was meant, or which there are.
fn known_names(name: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean \"{near}\"?");
    }
    if known.is_empty() {
        return "nothing may stand here".to_owned();
    }
    format!("known here: {}", known.join(", "))
}

/// A value in quotes, cut to what fits a line.
pub(super) fn quoted(text: &str) -> String {
    /// Enough to find it again.
    const CHARS_MAX: usize = 60;
    if text.chars().count() <= CHARS_MAX {
        return format!("{text:?}");
    }
    format!("{:?}…", text.chars().take(CHARS_MAX).collect::<String>())
}

/// What was found, in the words of a file's writer.
fn found(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Str(text) => quoted(text),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        Unexpected::UnitVariant => "a name alone".to_owned(),
        other => other.to_string(),
    }
}

/// What serde's own visitors expect, in the words of a file's writer; other phrases stay as they are.
fn wanted(expected: &dyn Expected) -> String {
    let phrase = expected.to_string();
    let whole = |max: u64| format!("a whole number from 0 to {max}");
    match phrase.as_str() {
        "a sequence" => "a list".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "path string" => "a path".to_owned(),
        "unit" => "nothing".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "u8" => whole(u8::MAX.into()),
        "u16" => whole(u16::MAX.into()),
        "u32" => whole(u32::MAX.into()),
        "u64" | "usize" => "a whole number, not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        other if other.starts_with("a nonzero ") => "a whole number, not 0".to_owned(),
        other if other.starts_with("struct ") => "a map".to_owned(),
        other if other.starts_with("enum ") => "a name or a map with one key".to_owned(),
        other if other.starts_with("tuple ") => "a list".to_owned(),
        other if other.starts_with("a tuple of size ") => other.replace("tuple of size", "list of"),
        _ => phrase,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.what {
            What::Told(message) => f.write_str(message),
            What::UnknownName { name, .. } => write!(f, "unknown name {}", quoted(name)),
            What::DuplicateField(name) => write!(f, "key \"{name}\" is set twice"),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let text = message.to_string();
        match text.split_once(HELP_MARK) {
            Some((message, help)) => Self::told(message).help(help),
            None => Self::told(text),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wanted(expected);
        let error = Self::told(format!("expected {wanted}, found {}", found(unexpected)));
        match (unexpected, wanted.as_str()) {
            (Unexpected::Unit | Unexpected::Option, _) => error.help("give a value, or remove the key"),
            (Unexpected::Map, "a list") => {
                error.help("begin each of its members with \"- \", or write [ … ] around")
            }
            (Unexpected::Seq, "a list") => error,
            (_, "a list") => error.help("write it in brackets: [ … ]"),
            (Unexpected::Str("yes" | "on" | "Yes" | "On" | "YES" | "ON"), "true or false") => {
                error.help("write true")
            }
            (Unexpected::Str("no" | "off" | "No" | "Off" | "NO" | "OFF"), "true or false") => {
                error.help("write false")
            }
            _ => error,
        }
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::told(format!("expected {}, found {}", wanted(expected), found(unexpected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::told(format!("expected {}, found {length}", wanted(expected)))
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownName { name: name.to_owned(), known })
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownName { name: name.to_owned(), known })
    }

    fn missing_field(name: &'static str) -> Self {
        Self::told(format!("key \"{name}\" is missing")).help(format!("add \"{name}: …\""))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(What::DuplicateField(name))
    }
}
