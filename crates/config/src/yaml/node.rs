//! A tree of YAML in which everything knows its place.

use crate::place::Place;
use std::cell::Cell;

/// A value in a file.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands. A value that is missing after its key has the key's place.
    pub place: Place,
    /// What it is.
    pub value: Value,
    pub(super) marks: Marks,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`, `~`, or nothing at all after the key.
    Null {
        /// Whether the file says so in a word.
        written: bool,
    },
    /// Text, a number, a truth value: which one is decided by what is wanted.
    Scalar(Scalar),
    /// `[…]` or lines with `-`.
    List(Vec<Node>),
    /// `{…}` or lines with `key:`; keys are unique.
    Map(Vec<Entry>),
}

/// A word or text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// After escapes and the environment.
    pub text: Box<str>,
    /// Without quotes, so that it may be a number or a truth value.
    pub plain: bool,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Always a scalar.
    pub key: Node,
    /// The value.
    pub value: Node,
}

/// What earlier tries found out about a node; see [`super`].
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// Its mistake is noted; it counts as absent.
    pub(super) removed: Cell<bool>,
    /// It has been read without mistake and need not be looked at again where lists and open maps allow it.
    pub(super) done: Cell<bool>,
    /// Some of its children are passed over, so what it misses itself is no mistake of the file.
    pub(super) lacking: Cell<bool>,
}

impl Node {
    pub(super) fn new(place: Place, value: Value) -> Self {
        Self { place, value, marks: Marks::default() }
    }

    /// The value under a key of a map.
    pub fn entry(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.name() == key).map(|entry| &entry.value)
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// Shows every node of the tree, this one first, to `look`.
    pub fn walk<'t>(&'t self, look: &mut dyn FnMut(&'t Self)) {
        look(self);
        for item in self.items() {
            item.walk(look);
        }
        for entry in self.entries() {
            entry.value.walk(look);
        }
    }
}

impl Entry {
    /// The key's text.
    pub fn name(&self) -> &str {
        self.key.text().unwrap_or_default()
    }

    pub(super) fn removed(&self) -> bool {
        self.key.marks.removed.get() || self.value.marks.removed.get()
    }
}

/// What a plain word means where nothing particular is wanted: YAML 1.2's core schema (section 10.3.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Word {
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text,
}

impl Scalar {
    pub(super) fn word(&self) -> Word {
        if self.plain { word(&self.text) } else { Word::Text }
    }
}

/// The meaning of a plain word.
pub(super) fn word(text: &str) -> Word {
    match text {
        "true" | "True" | "TRUE" => return Word::Bool(true),
        "false" | "False" | "FALSE" => return Word::Bool(false),
        _ => {}
    }
    let radix = [("0x", 16), ("0o", 8)].into_iter().find_map(|(prefix, radix)| {
        let digits = text.strip_prefix(prefix)?;
        digits.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some((digits, radix))
    });
    if let Some((digits, radix)) = radix {
        return u64::from_str_radix(digits, radix).map_or(Word::Text, Word::Unsigned);
    }
    // A number begins with a digit, a sign or a dot; this also keeps `inf`, `nan` and `e5` words.
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Word::Text;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        if let Ok(number) = text.parse() {
            return Word::Unsigned(number);
        }
        if let Ok(number) = text.parse() {
            return Word::Negative(number);
        }
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Word::Float(number),
        _ => Word::Text,
    }
}

/// Whether a plain word is null.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
