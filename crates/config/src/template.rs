//! Strings that vary: text with nginx's variables (`$host`, `${host}`), compiled once.
//!
//! In YAML `$$` is a literal dollar. nginx has no such escape (there `$$` is an error), so a template
//! that came from nginx.conf reads the same in YAML and [`Template::source`] always speaks YAML's way.

use crate::problem::HELP_MARK;
use crate::suggest::nearest;
use crate::vars::{self, Var};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// A compiled string with variables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    /// Never two texts in a row, never an empty text.
    parts: Box<[Part]>,
    source: Box<str>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text to copy; not empty.
    Text(Box<str>),
    /// A variable to look up.
    Var(Var),
}

/// Gives the values of variables.
pub trait Lookup {
    /// Appends the value of `var` to `out`; `false` (and nothing appended) where it has no value.
    fn lookup(&self, var: &Var, out: &mut Vec<u8>) -> bool;
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, naming the variable.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// The bytes of the text that are wrong.
    pub range: Range<usize>,
}

impl TemplateError {
    /// The message, with the help that it may have behind it, for what passes texts on.
    pub fn told(&self) -> String {
        match &self.help {
            Some(help) => format!("{}{HELP_MARK}{help}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Whether `$$` is a literal dollar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Yaml,
    Nginx,
}

impl Template {
    /// Compiles YAML's dialect: `$$` is a dollar. Names that the configuration declares are those of the
    /// enclosing [`with_declared`], if any.
    ///
    /// # Errors
    /// An unknown variable, an unclosed `${`, or a `$` that begins no name.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let declared = DECLARED.with_borrow(Clone::clone);
        compile(text, Dialect::Yaml, &|name| declared.as_ref().is_some_and(|names| names.contains(name)))
    }

    /// Compiles YAML's dialect; names for which `known` holds become [`Var::User`].
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn parse_with(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Self, TemplateError> {
        compile(text, Dialect::Yaml, known)
    }

    /// Compiles nginx's dialect: no escape, a `$` always begins a variable.
    ///
    /// # Errors
    /// As [`Template::parse`]; `$$` too.
    pub fn parse_nginx(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Self, TemplateError> {
        compile(text, Dialect::Nginx, known)
    }

    /// A constant; dollars in it are dollars.
    pub fn text(text: &str) -> Self {
        let parts: Box<[Part]> =
            if text.is_empty() { Box::new([]) } else { Box::new([Part::Text(text.into())]) };
        Self { parts, source: text.replace('$', "$$").into() }
    }

    /// A single variable.
    pub fn var(var: Var) -> Self {
        let source = format!("${var}").into();
        Self { parts: Box::new([Part::Var(var)]), source }
    }

    /// The whole value where no variable occurs.
    pub fn as_text(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The pieces in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The variables in order, with repetitions.
    pub fn vars(&self) -> impl Iterator<Item = &Var> {
        self.parts.iter().filter_map(|part| match part {
            Part::Var(var) => Some(var),
            Part::Text(_) => None,
        })
    }

    /// The text it was compiled from, in YAML's dialect: [`Template::parse_with`] of it gives it back.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it always renders as nothing.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Appends the value to `out`; a variable without value renders as nothing. A constant is one copy.
    pub fn render(&self, vars: &dyn Lookup, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Var(var) => {
                    vars.lookup(var, out);
                }
            }
        }
    }
}

thread_local! {
    /// Names that the configuration being read declares.
    static DECLARED: RefCell<Option<Rc<HashSet<String>>>> = const { RefCell::new(None) };
}

/// Runs `work` with `names` accepted by [`Template::parse`] (and so by serde) as declared variables.
///
/// The names live in a thread-local because serde hands no context down to a field's type.
pub fn with_declared<T>(names: HashSet<String>, work: impl FnOnce() -> T) -> T {
    /// Puts the former names back, also when `work` unwinds.
    struct Restore(Option<Rc<HashSet<String>>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            DECLARED.set(self.0.take());
        }
    }
    let _restore = Restore(DECLARED.replace(Some(Rc::new(names))));
    work()
}

/// Compiles `text`.
fn compile(text: &str, dialect: Dialect, known: &dyn Fn(&str) -> bool) -> Result<Template, TemplateError> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(offset) = text[at..].find('$') {
        let dollar = at + offset;
        literal.push_str(&text[at..dollar]);
        if dialect == Dialect::Yaml && text[dollar + 1..].starts_with('$') {
            literal.push('$');
            at = dollar + 2;
            continue;
        }
        let (name, end) = name_at(text, dollar)?;
        let var = resolve(name, dollar..end, known)?;
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal).into()));
        }
        parts.push(Part::Var(var));
        at = end;
    }
    literal.push_str(&text[at..]);
    if !literal.is_empty() {
        parts.push(Part::Text(literal.into()));
    }
    Ok(Template { parts: parts.into(), source: text.into() })
}

/// The name that begins with the `$` at `dollar`, and where the variable ends.
fn name_at(text: &str, dollar: usize) -> Result<(&str, usize), TemplateError> {
    let start = dollar + 1;
    let rest = &text[start..];
    // `$1` takes one digit, as in nginx: `$10` is `$1` and a zero.
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok((&rest[..1], start + 1));
    }
    let (inner, braces) = match rest.strip_prefix('{') {
        Some(inner) => (inner, 1),
        None => (rest, 0),
    };
    let length = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let end = start + braces + length;
    if braces == 1 && !inner[length..].starts_with('}') {
        return Err(TemplateError {
            message: format!("the closing \"}}\" of variable \"${{{}\" is missing", &inner[..length]),
            help: Some(format!("write \"${{{}}}\"", if length == 0 { "host" } else { &inner[..length] })),
            range: dollar..end,
        });
    }
    if length == 0 {
        let shown = rest.chars().next().map_or_else(|| "$".to_owned(), |next| format!("${next}"));
        let end = start + rest.chars().next().map_or(0, char::len_utf8);
        return Err(TemplateError {
            message: format!("invalid variable name in \"{shown}\""),
            help: Some(
                "a \"$\" begins a variable, such as $host; in YAML write \"$$\" for a dollar".to_owned(),
            ),
            range: dollar..end,
        });
    }
    Ok((&inner[..length], end + braces))
}

/// The variable of that name.
fn resolve(name: &str, range: Range<usize>, known: &dyn Fn(&str) -> bool) -> Result<Var, TemplateError> {
    if let &[digit @ b'1'..=b'9'] = name.as_bytes() {
        return Ok(Var::Capture(digit - b'0'));
    }
    vars::find(name, known).ok_or_else(|| {
        let help = if name.starts_with(|c: char| c.is_ascii_digit()) {
            Some("the groups of a regular expression are $1 to $9".to_owned())
        } else if name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
            Some(format!("the environment's variable is \"${{env:{name}}}\""))
        } else {
            let names = vars::table().iter().filter(|entry| matches!(entry.make, vars::Make::One(_)));
            nearest(name, names.map(|entry| entry.name)).map(|near| format!("did you mean \"${near}\"?"))
        };
        TemplateError { message: format!("unknown variable \"${name}\""), help, range }
    })
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl std::str::FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text)
    }
}

impl Default for Template {
    fn default() -> Self {
        Self::text("")
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Takes scalars of any kind, so that `X-Version: 2` needs no quotes.
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Template;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, which may name variables such as $host")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Template, E> {
                Template::parse(text).map_err(|error| E::custom(error.told()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Template, E> {
                Ok(Template::text(&number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Template, E> {
                Ok(Template::text(&number.to_string()))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Text that may name variables: `$remote_addr`, `${host}`, `$http_user_agent`, `$1`. `$$` is a dollar.",
        })
    }
}

#[cfg(test)]
mod tests;
