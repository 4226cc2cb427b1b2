//! `include`: other files merged into the tree.

use super::node::{Entry, Node, Value};
use super::{MISTAKES_MAX, Options, read};
use crate::place::{Place, Source};
use crate::problem::{Problem, Problems};
use std::collections::HashMap;
use std::collections::hash_map;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Includes within includes. Two or three levels are what people keep in their heads.
const INCLUDE_DEPTH_MAX: usize = 10;

/// Files of one configuration: a file a site on a large shared host, with room.
const FILES_MAX: usize = 100_000;

/// Bytes of one file: a million routes of generated YAML take about a fifth of it.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A merged tree and what was wrong with its files.
pub(super) struct Tree {
    pub(super) root: Node,
    pub(super) problems: Problems,
    /// In the order of reading, for the order of the problems.
    sources: Vec<Arc<Source>>,
}

impl Tree {
    /// The value, or the problems in the order of their places.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        let Self { mut problems, sources, .. } = self;
        let order: HashMap<_, _> =
            sources.iter().enumerate().map(|(at, source)| (Arc::as_ptr(source), at)).collect();
        problems.0.sort_by_key(|problem| match &problem.place {
            Some(place) => (order.get(&Arc::as_ptr(&place.source)).copied(), place.range.start),
            None => (Some(usize::MAX), 0),
        });
        // The same mistake reached through an alias twice.
        problems.0.dedup();
        if problems.0.len() > MISTAKES_MAX {
            problems.0.truncate(MISTAKES_MAX);
            problems
                .push(Problem::nowhere(format!("more than {MISTAKES_MAX} mistakes; the rest is not shown")));
        }
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ if problems.is_empty() => Err(Problem::nowhere("the configuration cannot be read").into()),
            _ => Err(problems),
        }
    }
}

/// The tree of a source and all that it includes.
///
/// # Errors
/// What makes the first source unreadable as a whole.
pub(super) fn gather(source: &Arc<Source>, options: &Options<'_>) -> Result<Tree, Problems> {
    let mut gatherer = Gatherer {
        options,
        problems: Problems::default(),
        sources: Vec::new(),
        open: Vec::new(),
        parts: Vec::new(),
    };
    let path = Path::new(&source.name);
    let is_file = path.is_file();
    let directory = options.directory.or_else(|| path.parent().filter(|_| is_file)).unwrap_or(Path::new(""));
    gatherer.open.extend(path.canonicalize().ok().filter(|_| is_file));
    let root = gatherer.source(source, directory)?;
    let Gatherer { problems, sources, parts, .. } = gatherer;
    let mut tree = Tree { root, problems, sources };
    if !parts.is_empty() {
        merge(&mut tree.root, parts, &mut tree.problems);
    }
    Ok(tree)
}

struct Gatherer<'a> {
    options: &'a Options<'a>,
    problems: Problems,
    sources: Vec<Arc<Source>>,
    /// Canonical paths of the files that are being read, outermost first.
    open: Vec<PathBuf>,
    /// Roots of included files in order.
    parts: Vec<Node>,
}

impl Gatherer<'_> {
    /// The root of a source, its own `include` taken out; what that names is added to `parts`.
    fn source(&mut self, source: &Arc<Source>, directory: &Path) -> Result<Node, Problem> {
        self.sources.push(source.clone());
        let mut root = read::tree(source, self.options.env, &mut self.problems)?;
        let Value::Map(entries) = &mut root.value else { return Ok(root) };
        let Some(at) = entries.iter().position(|entry| entry.name() == "include") else { return Ok(root) };
        let patterns = entries.remove(at).value;
        match &patterns.value {
            Value::List(items) => items.iter().for_each(|item| self.pattern(item, directory)),
            _ => self.pattern(&patterns, directory),
        }
        Ok(root)
    }

    fn pattern(&mut self, pattern: &Node, directory: &Path) {
        if pattern.marks.removed.get() {
            return;
        }
        let Some(text) = pattern.text().filter(|text| !text.is_empty()) else {
            let problem = Problem::at(pattern.place.clone(), "an include must be the path of a file");
            return self.problems.push(problem.help("such as include: [conf.d/*.yaml]"));
        };
        match expand(&directory.join(text)) {
            Ok(paths) => paths.iter().for_each(|path| self.file(path, &pattern.place)),
            Err(problem) => self.problems.push(Problem { place: Some(pattern.place.clone()), ..problem }),
        }
    }

    fn file(&mut self, path: &Path, place: &Place) {
        if let Err(problem) = self.try_file(path, place) {
            let place = problem.place.clone().or_else(|| Some(place.clone()));
            self.problems.push(Problem { place, ..problem });
        }
    }

    fn try_file(&mut self, path: &Path, place: &Place) -> Result<(), Problem> {
        let cannot = |error| Problem::nowhere(format!("cannot read \"{}\": {error}", path.display()));
        let canonical = path.canonicalize().map_err(cannot)?;
        if self.open.contains(&canonical) {
            let through = match self.open.len() {
                1 => "",
                _ => ", through the files that it includes",
            };
            let message = format!("\"{}\" includes itself{through}", path.display());
            return Err(Problem::nowhere(message).help("remove this include; each file is read once"));
        }
        if self.open.len() > INCLUDE_DEPTH_MAX {
            return Err(Problem::nowhere(format!(
                "includes nested more than {INCLUDE_DEPTH_MAX} levels deep"
            )));
        }
        if self.sources.len() >= FILES_MAX {
            return Err(Problem::nowhere(format!("more than {FILES_MAX} files")));
        }
        let source = read_source(path)?;
        self.open.push(canonical);
        // What it includes comes after itself.
        let at = self.parts.len();
        let root = self.source(&source, path.parent().unwrap_or(Path::new("")));
        self.open.pop();
        let root = root?;
        if !matches!(root.value, Value::Map(_)) {
            let problem = Problem::at(root.place, "an included file must be a map");
            let (line, column) = place.line_column();
            return Err(problem.help(format!("it is included at {}:{line}:{column}", place.source.name)));
        }
        self.parts.insert(at, root);
        Ok(())
    }
}

/// The text of a file.
pub(super) fn read_source(path: &Path) -> Result<Arc<Source>, Problem> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| Problem::nowhere(format!("cannot read \"{name}\": {error}")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Problem::nowhere(format!("\"{name}\" is larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::nowhere(format!("\"{name}\" is not UTF-8: byte {at} begins no character"))
    })?;
    Ok(Source::new(name.to_string(), text))
}

/// The files that a pattern names, sorted. A pattern with wildcards may name none.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, Problem> {
    let wild = |text: &str| text.contains(['*', '?']);
    let name = pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let directory = pattern.parent().unwrap_or(Path::new(""));
    if wild(&directory.to_string_lossy()) {
        let problem =
            Problem::nowhere(format!("wildcard before the last \"/\" in \"{}\"", pattern.display()));
        return Err(problem.help("\"*\" and \"?\" may stand in the last part of the path only"));
    }
    if !wild(&name) {
        return Ok(vec![pattern.to_owned()]);
    }
    let listed = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let cannot = |error| Problem::nowhere(format!("cannot list \"{}\": {error}", listed.display()));
    let mut paths = Vec::new();
    for entry in listed.read_dir().map_err(cannot)? {
        let file_name = entry.map_err(cannot)?.file_name();
        let text = file_name.to_string_lossy();
        // As in a shell, a wildcard at the beginning does not match hidden files.
        let hidden = text.starts_with('.') && !name.starts_with('.');
        let path = directory.join(&file_name);
        if !hidden && matches(&name, &text) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether `name` fits `pattern`: `*` stands for any characters, `?` for one.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` was and up to where it reaches; on a mismatch it takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, reach)) = star else { return false };
                star = Some((at, reach + 1));
                p = at + 1;
                n = reach + 1;
            }
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Adds the entries of `parts` to the map `root`: maps by key, lists by appending.
fn merge(root: &mut Node, parts: Vec<Node>, problems: &mut Problems) {
    let Value::Map(entries) = &mut root.value else { return };
    let mut merger = Merger { index: HashMap::new(), inner: HashMap::new(), problems };
    for (at, entry) in entries.iter().enumerate() {
        merger.index.insert(entry.name().into(), at);
    }
    for part in parts {
        let Value::Map(more) = part.value else { continue };
        for entry in more {
            merger.add(entries, entry);
        }
    }
}

struct Merger<'a> {
    /// Top-level key to its position.
    index: HashMap<Box<str>, usize>,
    /// The keys of the map at a position; made when a second file adds to it.
    inner: HashMap<usize, HashMap<Box<str>, Place>>,
    problems: &'a mut Problems,
}

impl Merger<'_> {
    fn add(&mut self, entries: &mut Vec<Entry>, entry: Entry) {
        let at = match self.index.entry(entry.name().into()) {
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(entries.len());
                return entries.push(entry);
            }
            hash_map::Entry::Occupied(occupied) => *occupied.get(),
        };
        let present = &mut entries[at];
        match (&mut present.value.value, entry.value.value) {
            (Value::List(items), Value::List(more)) => items.extend(more),
            (Value::Map(inner), Value::Map(more)) => {
                let keys = self.inner.entry(at).or_insert_with(|| {
                    inner.iter().map(|entry| (entry.name().into(), entry.key.place.clone())).collect()
                });
                for entry in more {
                    match keys.entry(entry.name().into()) {
                        hash_map::Entry::Vacant(vacant) => {
                            vacant.insert(entry.key.place.clone());
                            inner.push(entry);
                        }
                        hash_map::Entry::Occupied(first) => {
                            self.problems.push(twice(&entry, first.get()));
                        }
                    }
                }
            }
            (_, value) => {
                let again = Entry { key: entry.key, value: Node::new(entry.value.place, value) };
                self.problems.push(twice(&again, &present.key.place));
            }
        }
    }
}

/// The problem of a key that two files set.
fn twice(entry: &Entry, first: &Place) -> Problem {
    let (line, column) = first.line_column();
    let message = format!("{:?} is already set at {}:{line}:{column}", entry.name(), first.source.name);
    Problem::at(entry.key.place.clone(), message)
        .help("set it in one of the two files, or give it another name")
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards() {
        for (pattern, name) in [
            ("*.yaml", "a.yaml"),
            ("*", ""),
            ("a?c", "aüc"),
            ("*a*b*", "xxaxxbxx"),
            ("**", "x"),
            ("a*a*a", "aaaa"),
            ("x", "x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.yaml", "a.yml"), ("?", ""), ("?", "ab"), ("*ab", "aba"), ("x", "xy"), ("xy", "x")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
