//! YAML (and so JSON) to typed values: every mistake of a file at once, each with its place.
//!
//! Text → events of serde-saphyr's parser → tree of [`Node`]s (`read`) → includes merged (`include`) →
//! serde values (`de`). Where the value's type refuses a node, the problem is noted, the node taken out
//! and the rest tried again, so that one run shows all that is wrong.
//!
//! A scalar may take text from the environment: `${env:NAME}`, or `${env:NAME:-default}` for where the
//! variable is unset or empty. The form is not shell's `${NAME}` because that is a template's variable.
//! `$${env:NAME}` is left alone (a template reads its `$$` as a dollar).
//!
//! A top-level key `include: [conf.d/*.yaml, …]` merges other files: maps by key, lists by appending.

mod de;
mod env;
mod error;
mod include;
mod node;
mod read;

pub use node::{Entry, Node, Scalar, Value};

use crate::place::Source;
use crate::problem::{Problem, Problems};
use crate::template::with_declared;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// Mistakes told at once; of what is beyond, only that it is there. Nobody mends a hundred at once.
pub const MISTAKES_MAX: usize = 100;

/// Finds the names of variables that a tree declares.
pub type Declared = dyn Fn(&Node) -> HashSet<String>;

/// What reading depends on beside the text.
pub struct Options<'a> {
    /// Looks up a variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// What relative include patterns of the first file start from; `None` for the directory of the file,
    /// or the current one where the source is no file.
    pub directory: Option<&'a Path>,
    /// Finds the template variables that a configuration itself declares (named groups, maps, …) in its tree
    /// before the values are made.
    pub declared: Option<&'a Declared>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { env: &|name| std::env::var(name).ok(), directory: None, declared: None }
    }
}

/// Reads a value of `T` from a source and the files that it includes. An empty source is an empty map.
///
/// # Errors
/// All mistakes of structure in the order of their places; a syntax error of the source stands alone.
pub fn load<T: DeserializeOwned>(source: &Arc<Source>, options: &Options<'_>) -> Result<T, Problems> {
    let mut tree = include::gather(source, options)?;
    let names = options.declared.map(|find| find(&tree.root)).unwrap_or_default();
    let value = with_declared(names, || values(&tree.root, &mut tree.problems));
    tree.finish(value)
}

/// Reads a value of `T` from a file, with the process's environment.
///
/// # Errors
/// As [`load`]; also a file that cannot be read.
pub fn load_file<T: DeserializeOwned>(path: &Path) -> Result<T, Problems> {
    load_file_with(path, &Options::default())
}

/// Reads a value of `T` from a file.
///
/// # Errors
/// As [`load_file`].
pub fn load_file_with<T: DeserializeOwned>(path: &Path, options: &Options<'_>) -> Result<T, Problems> {
    let source = read_source(path)?;
    let directory = options.directory.or_else(|| path.parent());
    load(&source, &Options { env: options.env, directory, declared: options.declared })
}

/// A file's text as a source, named by its path.
///
/// # Errors
/// A file that cannot be read, is larger than 1 GiB, or is not UTF-8.
pub fn read_source(path: &Path) -> Result<Arc<Source>, Problem> {
    include::read_source(path)
}

/// The value of a tree, or the mistakes found in it (added to `problems`).
fn values<'t, T: Deserialize<'t>>(root: &'t Node, problems: &mut Problems) -> Option<T> {
    /// Each mistake may make its surroundings fail too, once a level; the depth of trees is bounded.
    const TRIES_MAX: usize = MISTAKES_MAX * 10;
    let mut found = 0;
    for _ in 0..TRIES_MAX {
        let error = match T::deserialize(de::De::value(root)) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        if let Some(problem) = error.into_problem() {
            problems.push(problem);
            found += 1;
        }
        if root.marks.removed.get() {
            return None;
        }
        if found >= MISTAKES_MAX {
            problems
                .push(Problem::nowhere(format!("more than {MISTAKES_MAX} mistakes; the rest is not shown")));
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests;
