//! Where a piece of configuration stands: the file it was read from and a range of its bytes.

use std::ops::Range;
use std::sync::Arc;

/// A file (or a string given on the command line) that configuration was read from.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's path as the user named it, or a word such as `<command line>`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A source of the given name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }
}

/// A range of bytes in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file it lies in.
    pub source: Arc<Source>,
    /// Bytes of `source.text`; may be empty, never reversed.
    pub range: Range<usize>,
}

impl Place {
    /// A place in `source`; a range past the end of the text is cut to it.
    pub fn new(source: &Arc<Source>, range: Range<usize>) -> Self {
        let len = source.text.len();
        let start = range.start.min(len);
        Self { source: source.clone(), range: start..range.end.clamp(start, len) }
    }

    /// Line and column of the first byte, both from 1; the column counts characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.range.start).unwrap_or(&self.source.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}
