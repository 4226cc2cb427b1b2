//! A configuration as a tree of directives, each with its place.

use bifrons_config::Place;

/// A word of a directive: its name or an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text, without quotes and with escapes resolved.
    pub text: String,
    /// Where it stands, quotes included.
    pub place: Place,
    /// Whether it was written in quotes.
    pub quoted: bool,
}

impl Word {
    /// The place of the bytes `range` of `text`, or of the whole word where quotes or escapes moved them.
    pub fn part(&self, range: std::ops::Range<usize>) -> Place {
        let Place { source, range: whole } = &self.place;
        let as_written = source.text.get(whole.clone()).unwrap_or_default();
        match as_written.find(&self.text) {
            Some(skip) if !self.text.is_empty() => {
                let start = whole.start + skip;
                Place::new(source, start + range.start..start + range.end)
            }
            _ => self.place.clone(),
        }
    }
}

/// `name args… ;` or `name args… { block }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The first word.
    pub name: Word,
    /// The other words.
    pub args: Vec<Word>,
    /// What stands in braces; `None` for a directive that ends with `;`.
    pub block: Option<Vec<Directive>>,
    /// From the first word to the last, without what ends it.
    pub place: Place,
}

impl Directive {
    /// A directive of these words, of which there is at least one; `None` for none.
    pub(crate) fn of(words: Vec<Word>, block: Option<Vec<Directive>>) -> Option<Self> {
        let mut words = words.into_iter();
        let name = words.next()?;
        let args: Vec<Word> = words.collect();
        let end = args.last().map_or(name.place.range.end, |word| word.place.range.end);
        let place = Place::new(&name.place.source, name.place.range.start..end);
        Some(Self { name, args, block, place })
    }

    /// The argument at `index` from 0.
    pub fn arg(&self, index: usize) -> Option<&Word> {
        self.args.get(index)
    }

    /// The text of the argument at `index` from 0; empty where there is none.
    pub fn text(&self, index: usize) -> &str {
        self.args.get(index).map_or("", |word| &word.text)
    }
}
