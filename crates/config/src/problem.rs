//! What is wrong with a configuration, said so that it can be mended: place, value, fix.

use crate::place::Place;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

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

impl Problem {
    /// `file:line:column: message` on one line, for logs.
    pub fn one_line(&self) -> String {
        match &self.place {
            Some(place) => {
                let (line, column) = place.line_column();
                format!("{}:{line}:{column}: {}", place.source.name, self.message)
            }
            None => self.message.clone(),
        }
    }

    /// As `Display` shows it, coloured for a terminal.
    pub fn to_ansi(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(shorten(&self.message));
        let help = self.help.as_deref().map(|help| Level::HELP.message(shorten(help)));
        let report = match &self.place {
            Some(place) => {
                let (line, column) = place.line_column();
                let (text, range, cut) = excerpt(place);
                let snippet = Snippet::source(text).line_start(line);
                let snippet = snippet.annotation(AnnotationKind::Primary.span(range));
                let name = place.source.name.as_str();
                match cut {
                    Cut::No => title.element(snippet.path(name)).elements(help),
                    // The column cannot be told from the excerpt.
                    Cut::Yes => {
                        let origin = Origin::path(name).line(line).char_column(column);
                        title.element(origin).element(snippet).elements(help)
                    }
                }
            }
            None => title.elements(help),
        };
        renderer.render(&[report])
    }
}

/// A message without what a long value from the file adds to it.
fn shorten(text: &str) -> Cow<'_, str> {
    /// A message of ours is a line or two.
    const CHARS_MAX: usize = 1000;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]).into(),
        None => text.into(),
    }
}

/// Whether an excerpt begins later than its line.
enum Cut {
    No,
    Yes,
}

/// The line on which a place begins, and the part of the place that lies on it. Of a long line only what is
/// near the place, so that a file of one line (generated JSON) does not fill the screen.
fn excerpt(place: &Place) -> (String, Range<usize>, Cut) {
    /// Characters to show before the place and, from its beginning, after.
    const BEFORE_MAX: usize = 60;
    const AFTER_MAX: usize = 80;
    let text = &place.source.text;
    let (before, after) = text.split_at(text.floor_char_boundary(place.range.start));
    let before = before.rsplit('\n').next().unwrap_or_default();
    let after = after.split('\n').next().unwrap_or_default().trim_end();
    let marked = place.range.len().min(after.len());

    let first = before.char_indices().rev().nth(BEFORE_MAX).map_or(0, |(at, _)| at);
    let (head, lead) = if first == 0 { (before, "") } else { (&before[first..], "…") };
    let tail = after.char_indices().nth(AFTER_MAX).map_or(after, |(at, _)| &after[..at]);
    let trail = if tail.len() < after.len() { "…" } else { "" };
    let start = lead.len() + head.len();
    let end = start + tail.floor_char_boundary(marked);
    let cut = if lead.is_empty() { Cut::No } else { Cut::Yes };
    (format!("{lead}{head}{tail}{trail}"), start..end, cut)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl Problems {
    /// As `Display` shows them, coloured for a terminal.
    pub fn to_ansi(&self) -> String {
        self.0.iter().map(Problem::to_ansi).collect::<Vec<_>>().join("\n\n")
    }
}

/// One after the other in the form that rustc made familiar, an empty line between them.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
