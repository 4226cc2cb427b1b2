//! One source to one tree.

use super::env::substitute;
use super::node::{Entry, Node, Scalar, Value, is_null};
use crate::place::{Place, Source};
use crate::problem::{Problem, Problems};
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};
use std::collections::HashMap;
use std::collections::hash_map;
use std::ops::Range;
use std::sync::Arc;

/// Nesting of a tree, aliases followed. Real configurations stay under 20; reading values recurses, and 64
/// levels of serde's frames fit the smallest stacks we run on.
const DEPTH_MAX: usize = 64;

/// Nodes that the anchors and aliases of one source copy. serde-saphyr's own bound for replayed events; it ends
/// files that multiply themselves. What a file writes out is bounded by its size.
const COPIES_MAX: usize = 1_000_000;

/// The tree of a source. Mistakes that leave the rest readable go to `problems`.
///
/// # Errors
/// A syntax error, or a source past the bounds.
pub(super) fn tree(
    source: &Arc<Source>,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> Result<Node, Problem> {
    let options = granit_parser::options! { emit_comments: false };
    let reader = Reader {
        source,
        env,
        problems,
        stack: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        copies_left: COPIES_MAX,
    };
    reader.run(Parser::new_from_str_with_options(&source.text, options))
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    env: &'a dyn Fn(&str) -> Option<String>,
    problems: &'a mut Problems,
    /// Collections that are still open, outermost first.
    stack: Vec<Frame>,
    anchors: HashMap<usize, Built>,
    root: Option<Node>,
    copies_left: usize,
}

/// A finished node with what the bounds need to know of it.
#[derive(Clone)]
struct Built {
    node: Node,
    /// Levels of collections in it; 0 for a scalar.
    height: usize,
    /// Nodes in it, itself included.
    size: usize,
}

/// An open collection.
struct Frame {
    kind: Kind,
    start: usize,
    flow: bool,
    anchor: usize,
    height: usize,
    size: usize,
    /// Some of it had to be left out.
    lacking: bool,
}

enum Kind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<Node>, merged: Vec<Node> },
}

impl Reader<'_> {
    fn run<'i>(
        mut self,
        events: impl Iterator<Item = Result<(Event<'i>, Span), ScanError>>,
    ) -> Result<Node, Problem> {
        for event in events {
            let (event, span) = event.map_err(|error| self.syntax_error(&error))?;
            let range = span.byte_range().unwrap_or_default();
            match event {
                Event::DocumentStart(..) if self.root.is_some() => {
                    let problem =
                        Problem::at(self.place(range), "a file holds one YAML document; this is a second");
                    return Err(problem.help("remove the \"---\" line, or give the part a file of its own"));
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let node = self.scalar(&text, style, tag.as_deref(), range);
                    self.finish(Built { node, height: 0, size: 1 }, anchor)?;
                }
                Event::SequenceStart(style, anchor, tag) => {
                    self.check_tag(tag.as_deref(), &range);
                    self.open(Kind::List(Vec::new()), style, anchor, range)?;
                }
                Event::MappingStart(style, anchor, tag) => {
                    self.check_tag(tag.as_deref(), &range);
                    let kind = Kind::Map { entries: Vec::new(), key: None, merged: Vec::new() };
                    self.open(kind, style, anchor, range)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(range.end)?,
                Event::Alias(id) => {
                    let Some(built) = self.anchors.get(&id).cloned() else {
                        let problem = Problem::at(self.place(range), "an alias stands inside its own anchor");
                        return Err(problem.help("write the value out"));
                    };
                    self.count_copies(&built)?;
                    self.finish(built, 0)?;
                }
                _ => {}
            }
        }
        let empty = || Node::new(self.place(0..0), Value::Map(Vec::new()));
        Ok(match self.root {
            // A file of comments alone says nothing, which is not the same as `null`.
            None => empty(),
            Some(Node { value: Value::Null { written: false }, .. }) => empty(),
            Some(root) => root,
        })
    }

    fn place(&self, range: Range<usize>) -> Place {
        Place::new(self.source, range)
    }

    fn syntax_error(&self, error: &ScanError) -> Problem {
        let at = error.marker().byte_offset().unwrap_or(self.source.text.len());
        let message = format!("not valid YAML: {}", error.info());
        let problem = Problem::at(self.place(at..at), message);
        let before = self.source.text.get(..at).unwrap_or_default();
        let tab_before = before.rsplit('\n').next().is_some_and(|line| line.contains('\t'));
        let tab_here = self.text_from(at).starts_with('\t');
        match error.info() {
            _ if tab_before || tab_here => problem.help("indent with spaces, not tabs"),
            info if info.contains("mapping values are not allowed") => {
                problem.help("put a text that contains \": \" in quotes")
            }
            info if info.contains("unknown anchor") => {
                problem.help("put a text that begins with \"*\" in quotes")
            }
            info if info.contains("did not find expected ','") && self.text_from(at).starts_with(':') => {
                problem.help("put a text that contains \": \" in quotes")
            }
            _ => problem,
        }
    }

    fn text_from(&self, at: usize) -> &str {
        self.source.text.get(at..).unwrap_or_default()
    }

    /// Tags of YAML's own say nothing new here; others have no meaning to us.
    fn check_tag(&mut self, tag: Option<&Tag>, range: &Range<usize>) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix().is_none()) {
            let message = format!("tag \"{}\" has no meaning here", tag.original());
            self.problems.push(Problem::at(self.place(range.clone()), message).help("remove the tag"));
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, range: Range<usize>) -> Node {
        self.check_tag(tag, &range);
        // The parser gives `~` where nothing stands at all.
        let written = !range.is_empty();
        let place = self.place(range);
        let is_key = matches!(self.stack.last(), Some(Frame { kind: Kind::Map { key: None, .. }, .. }));
        let mut plain = style == ScalarStyle::Plain && tag.and_then(Tag::core_suffix) != Some("str");
        if plain && !is_key && is_null(text) {
            return Node::new(place, Value::Null { written });
        }
        let (text, removed) = match if is_key { Ok(None) } else { substitute(text, self.env) } {
            Ok(None) => (text.into(), false),
            Ok(Some(replaced)) => {
                // Text from outside is a number or truth value at most, never null.
                plain = plain && !is_null(&replaced);
                (replaced.into(), false)
            }
            Err(error) => {
                let raw = &self.source.text[place.range.clone()];
                let narrow = raw.find(&error.reference).map(|at| {
                    let start = place.range.start + at;
                    Place::new(self.source, start..start + error.reference.len())
                });
                let place = narrow.unwrap_or_else(|| place.clone());
                self.problems.push(Problem::at(place, error.message).help(error.help));
                (text.into(), true)
            }
        };
        let node = Node::new(place, Value::Scalar(Scalar { text, plain }));
        node.marks.removed.set(removed);
        node
    }

    fn open(
        &mut self,
        kind: Kind,
        style: StructureStyle,
        anchor: usize,
        range: Range<usize>,
    ) -> Result<(), Problem> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(self.too_deep(range));
        }
        let flow = style == StructureStyle::Flow;
        self.stack.push(Frame { kind, start: range.start, flow, anchor, height: 1, size: 1, lacking: false });
        Ok(())
    }

    fn too_deep(&self, range: Range<usize>) -> Problem {
        Problem::at(self.place(range), format!("nested more than {DEPTH_MAX} levels deep"))
    }

    fn close(&mut self, end: usize) -> Result<(), Problem> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let (value, last) = match frame.kind {
            Kind::List(items) => {
                let last = items.last().map(|item| item.place.range.end);
                (Value::List(items), last)
            }
            Kind::Map { entries, merged, .. } => {
                let last =
                    entries.last().map(|entry| entry.value.place.range.end.max(entry.key.place.range.end));
                (Value::Map(self.unique(entries, merged)), last)
            }
        };
        // The end that the parser tells of a block is the beginning of what follows it.
        let end = if frame.flow { end } else { last.unwrap_or(frame.start) };
        let node = Node::new(self.place(frame.start..end), value);
        node.marks.lacking.set(frame.lacking);
        self.finish(Built { node, height: frame.height, size: frame.size }, frame.anchor)
    }

    fn count_copies(&mut self, built: &Built) -> Result<(), Problem> {
        let left = self.copies_left.checked_sub(built.size).ok_or_else(|| {
            let message = format!("aliases repeat more than {COPIES_MAX} values");
            Problem::at(built.node.place.clone(), message)
        })?;
        self.copies_left = left;
        Ok(())
    }

    /// Hands a finished node to the collection it belongs to.
    fn finish(&mut self, built: Built, anchor: usize) -> Result<(), Problem> {
        let range = built.node.place.range.clone();
        if self.stack.len() + built.height > DEPTH_MAX {
            return Err(self.too_deep(range));
        }
        if anchor != 0 {
            self.count_copies(&built)?;
            self.anchors.insert(anchor, built.clone());
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(built.node);
            return Ok(());
        };
        frame.height = frame.height.max(built.height + 1);
        frame.size += built.size;
        match &mut frame.kind {
            Kind::List(items) => items.push(built.node),
            Kind::Map { key: key @ None, .. } => *key = Some(built.node),
            Kind::Map { entries, key, merged } => {
                let Some(key) = key.take() else { return Ok(()) };
                let mut value = built.node;
                match &key.value {
                    Value::Scalar(scalar) if scalar.plain && &*scalar.text == "<<" => merged.push(value),
                    Value::Scalar(_) => {
                        if matches!(value.value, Value::Null { written: false }) {
                            value.place = key.place.clone();
                        }
                        entries.push(Entry { key, value });
                    }
                    _ => {
                        frame.lacking = true;
                        let problem = Problem::at(key.place, "a key must be a single word or text");
                        self.problems.push(problem.help("put text that looks like a list or map in quotes"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Entries without their repetitions, and with those of `<<` that they do not override.
    fn unique(&mut self, entries: Vec<Entry>, merged: Vec<Node>) -> Vec<Entry> {
        let mut seen: HashMap<Box<str>, Place> = HashMap::with_capacity(entries.len());
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            match seen.entry(entry.name().into()) {
                hash_map::Entry::Vacant(vacant) => {
                    vacant.insert(entry.key.place.clone());
                    kept.push(entry);
                }
                hash_map::Entry::Occupied(first) => {
                    let (line, column) = first.get().line_column();
                    let message = format!("duplicate key {:?}", entry.name());
                    let help = format!("it is already set at {}:{line}:{column}", self.source.name);
                    self.problems.push(Problem::at(entry.key.place, message).help(help));
                }
            }
        }
        for node in merged {
            let place = node.place.clone();
            let maps = match node.value {
                Value::List(items) => items,
                _ => vec![node],
            };
            for map in maps {
                let Value::Map(entries) = map.value else {
                    let problem = Problem::at(place.clone(), "\"<<\" merges a map or a list of maps");
                    self.problems.push(problem);
                    continue;
                };
                for entry in entries {
                    if !seen.contains_key(entry.name()) {
                        seen.insert(entry.name().into(), entry.key.place.clone());
                        kept.push(entry);
                    }
                }
            }
        }
        kept
    }
}
