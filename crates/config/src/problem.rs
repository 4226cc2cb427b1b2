//! What is wrong with a configuration, said so that it can be mended: place, value, fix.

use crate::place::Place;
use std::fmt;

/// Divides message and help in the text of a serde error, so that a hand-written visitor can give both:
/// `E::custom(format_args!("{message}{HELP_MARK}{help}"))`.
pub const HELP_MARK: &str = "\nhelp: ";

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` only for what has no place, such as a file that cannot be read.
    pub place: Option<Place>,
    /// What is wrong, naming the value: `unknown key "proxxy"`.
    pub message: String,
    /// How to mend it: `did you mean "proxy"?`.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at a place.
    pub fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), message: message.into(), help: None }
    }

    /// A problem that has no place in a file.
    pub fn nowhere(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), help: None }
    }

    /// The same problem with a way to mend it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All mistakes found in one go, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok(value)` where nothing is wrong, else the problems.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            match &problem.place {
                Some(place) => {
                    let (line, column) = place.line_column();
                    writeln!(f, "{}:{line}:{column}: {}", place.source.name, problem.message)?;
                }
                None => writeln!(f, "{}", problem.message)?,
            }
        }
        Ok(())
    }
}
