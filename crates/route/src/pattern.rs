//! What a route says about the path.

use crate::regex::{Case, Regex, RegexError};
use crate::text::as_string;
use std::fmt;
use std::str::FromStr;

/// A path pattern. Five spellings in a configuration:
///
/// | text | matches | nginx |
/// |---|---|---|
/// | `/api` | exactly this path | `location = /api` |
/// | `/api/*` | every path that begins with `/api/` | `location /api/` |
/// | `^~ /static/*` | the same, before any regex is tried | `location ^~ /static/` |
/// | `~ \.php$` | where the regex matches | `location ~ \.php$` |
/// | `~* \.jpe?g$` | the same without case | `location ~* \.jpe?g$` |
///
/// A `*` that is meant as such is written `\*`, a backslash `\\` (not in regexes); `?` and `#`, which a decoded
/// path may have (`%3F`, `%23`), `\?` and `\#`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern {
    form: PatternForm,
}

/// The form of a [`PathPattern`]. Texts are literal, without the `*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PatternForm {
    /// The whole path.
    Exact(Box<str>),
    /// The start of the path.
    Prefix(Box<str>),
    /// The start of the path; when it is the longest, regexes are not tried.
    PrefixNoRegex(Box<str>),
    /// A regex, anywhere in the path.
    Regex(Regex),
}

/// Why a text is no path pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing there.
    #[error("the path pattern is empty\nhelp: write `/*` for every path")]
    Empty,
    /// Does not begin with `/`.
    #[error("path pattern `{sign}{path}` does not begin with `/`\nhelp: write `{sign}/{path}`")]
    NotAbsolute {
        /// The sign before it, with a space.
        sign: &'static str,
        /// The rest of the text.
        path: String,
    },
    /// nginx's `= /x`.
    #[error("path pattern `{given}` begins with `=`\nhelp: write `{fix}`: a path without `*` is exact")]
    Equals {
        /// The text.
        given: String,
        /// The same without the sign.
        fix: String,
    },
    /// `*` not at the end.
    #[error(
        "`*` in path pattern `{given}` stands before the end\nhelp: write `{fix}`, or `\\*` for the character itself"
    )]
    StarInside {
        /// The text.
        given: String,
        /// A regex that does what was probably meant.
        fix: String,
    },
    /// `?` or `#`.
    #[error(
        "path pattern `{0}` has a `{1}`, which never is part of a path as it comes\nhelp: conditions on the query go under \
         `query`; the character itself is written `\\{1}`"
    )]
    NotPath(String, char),
    /// A backslash before something other than `*`, `?`, `#` or `\`.
    #[error("path pattern `{0}` has a lone backslash\nhelp: write `\\\\` for a backslash, `\\*` for a star")]
    Backslash(String),
    /// The regex does not compile.
    #[error("path pattern: {0}")]
    Regex(#[from] RegexError),
}

impl Default for PathPattern {
    fn default() -> Self {
        Self::everything()
    }
}

impl PathPattern {
    /// nginx's `location = path`. Every character of `path` is literal.
    pub fn exact(path: &str) -> Result<Self, PatternError> {
        Ok(Self { form: PatternForm::Exact(absolute(path)?.into()) })
    }

    /// nginx's `location path`. Every character of `path` is literal.
    pub fn prefix(path: &str) -> Result<Self, PatternError> {
        Ok(Self { form: PatternForm::Prefix(absolute(path)?.into()) })
    }

    /// nginx's `location ^~ path`. Every character of `path` is literal.
    pub fn prefix_no_regex(path: &str) -> Result<Self, PatternError> {
        Ok(Self { form: PatternForm::PrefixNoRegex(absolute(path)?.into()) })
    }

    /// nginx's `location ~ regex` and `location ~* regex`.
    pub fn regex(regex: &str, case: Case) -> Result<Self, PatternError> {
        Ok(Self { form: PatternForm::Regex(Regex::new(regex, case)?) })
    }

    /// Every path: `/*`.
    pub fn everything() -> Self {
        Self { form: PatternForm::Prefix("/".into()) }
    }

    /// Whether it matches a normalised path, taken by itself. A regex whose search is given up does not.
    pub fn matches(&self, path: &[u8]) -> bool {
        match &self.form {
            PatternForm::Exact(text) => path == text.as_bytes(),
            PatternForm::Prefix(text) | PatternForm::PrefixNoRegex(text) => path.starts_with(text.as_bytes()),
            PatternForm::Regex(regex) => regex.try_is_match(path).unwrap_or(false),
        }
    }

    /// What it consists of.
    pub fn form(&self) -> &PatternForm {
        &self.form
    }
}

impl FromStr for PathPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if let Some(path) = text.strip_prefix("^~") {
            // The sign says prefix already, as in nginx; a `*` may stand there or not.
            let path = path.trim_start();
            let (path, _) = unescape(absolute_as(path, "^~ ")?, text)?;
            return Self::prefix_no_regex(&path);
        }
        if let Some(regex) = text.strip_prefix("~*") {
            return Self::regex(regex.trim_start_matches(' '), Case::Ignore);
        }
        if let Some(regex) = text.strip_prefix('~') {
            return Self::regex(regex.trim_start_matches(' '), Case::Sensitive);
        }
        if let Some(path) = text.strip_prefix('=') {
            let fix = path.trim_start().to_owned();
            return Err(PatternError::Equals { given: text.to_owned(), fix });
        }
        let (path, star) = unescape(absolute_as(text, "")?, text)?;
        if star { Self::prefix(&path) } else { Self::exact(&path) }
    }
}

fn absolute(path: &str) -> Result<&str, PatternError> {
    absolute_as(path, "")
}

/// The same for a text as it is written, behind that sign.
fn absolute_as<'a>(path: &'a str, sign: &'static str) -> Result<&'a str, PatternError> {
    match path {
        "" => Err(PatternError::Empty),
        _ if path.starts_with('/') => Ok(path),
        _ => Err(PatternError::NotAbsolute { sign, path: path.to_owned() }),
    }
}

/// The literal text, and whether a `*` closes the pattern. `whole` is for messages.
fn unescape(pattern: &str, whole: &str) -> Result<(String, bool), PatternError> {
    let mut path = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '*' if chars.peek().is_none() => return Ok((path, true)),
            '*' => {
                let fix = regex_for(pattern);
                return Err(PatternError::StarInside { given: whole.to_owned(), fix });
            }
            '\\' => match chars.next() {
                Some(escaped @ ('*' | '\\' | '?' | '#')) => path.push(escaped),
                _ => return Err(PatternError::Backslash(whole.to_owned())),
            },
            '?' | '#' => return Err(PatternError::NotPath(whole.to_owned(), char)),
            _ => path.push(char),
        }
    }
    Ok((path, false))
}

/// A regex in which each `*` stands for one segment, but for the last, which stands for the rest.
fn regex_for(pattern: &str) -> String {
    let (body, end) = match pattern.strip_suffix('*') {
        Some(body) => (body, ""),
        None => (pattern, "$"),
    };
    let pieces: Vec<String> = body.split('*').map(regex_syntax::escape).collect();
    format!("~ ^{}{end}", pieces.join("[^/]*"))
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            PatternForm::Exact(path) => f.write_str(&escape(path)),
            PatternForm::Prefix(path) => write!(f, "{}*", escape(path)),
            PatternForm::PrefixNoRegex(path) => write!(f, "^~ {}*", escape(path)),
            PatternForm::Regex(regex) => {
                f.write_str(if regex.case() == Case::Ignore { "~* " } else { "~ " })?;
                // Blanks behind the sign are no part of the regex, so one of its own is written otherwise.
                match regex.as_str().strip_prefix(' ') {
                    Some(rest) => write!(f, "\\x20{rest}"),
                    None => f.write_str(regex.as_str()),
                }
            }
        }
    }
}

fn escape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for char in path.chars() {
        if matches!(char, '*' | '\\' | '?' | '#') {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

as_string!(
    PathPattern,
    "PathPattern",
    "A path: `/api` exactly, `/api/*` everything that begins with `/api/`, `~ regex`, `~* regex` without case, \
     `^~ /static/*` a prefix that wins over regexes.",
    ["/api", "/api/*", "~ \\.php$", "~* \\.(png|jpe?g)$", "^~ /static/*"]
);

#[cfg(test)]
mod tests;
