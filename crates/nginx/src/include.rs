//! `include`: other files' directives in its place.

use crate::Includes;
use crate::glob;
use crate::notes::Notes;
use crate::parser;
use crate::tree::Directive;
use bifrons_config::{Problem, Source};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Includes within includes. nginx stops when it runs out of file descriptors; people at three.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Files of one configuration: a file a site on a large shared host, with room.
const FILES_MAX: usize = 100_000;

/// Bytes of all files together. The largest generated configurations have some 50 MB.
const BYTES_MAX: u64 = 1 << 30;

/// Reads files into the tree.
pub(crate) struct Includer<'a> {
    includes: Includes,
    /// Where relative paths begin.
    directory: &'a Path,
    depth: usize,
    files: usize,
    bytes: u64,
}

impl<'a> Includer<'a> {
    pub(crate) fn new(includes: Includes, directory: &'a Path) -> Self {
        Self { includes, directory, depth: 0, files: 0, bytes: 0 }
    }

    /// The same directives with each `include` replaced by what its files hold.
    pub(crate) fn expand(&mut self, block: Vec<Directive>, notes: &mut Notes) -> Vec<Directive> {
        let mut out = Vec::with_capacity(block.len());
        for mut directive in block {
            if directive.name.text == "include" && directive.block.is_none() {
                match &*directive.args {
                    [_] => out.extend(self.include(&directive, notes)),
                    // Left in the tree, where its number of arguments is judged as any other's.
                    _ => out.push(directive),
                }
                continue;
            }
            directive.block = directive.block.map(|block| self.expand(block, notes));
            out.push(directive);
        }
        out
    }

    /// The directives of the files that one `include` names.
    fn include(&mut self, directive: &Directive, notes: &mut Notes) -> Vec<Directive> {
        let refuse = |message: String| Problem::at(directive.place.clone(), message);
        if self.includes == Includes::Refused {
            notes.problem(
                refuse("\"include\" directive is not allowed here".into()).help("no files are read here"),
            );
            return Vec::new();
        }
        if self.depth == INCLUDE_DEPTH_MAX {
            let message = format!("more than {INCLUDE_DEPTH_MAX} files include each other");
            notes.problem(refuse(message).help("does a file include itself?"));
            return Vec::new();
        }
        let pattern = self.directory.join(directive.text(0));
        let paths = match glob::is_pattern(directive.text(0)) {
            true => glob::find(&pattern),
            false => vec![pattern],
        };
        let mut out = Vec::new();
        for path in paths {
            match self.read(&path) {
                Ok(text) => {
                    let source = Source::new(path.display().to_string(), text);
                    let block = parser::parse(&source, notes);
                    self.depth += 1;
                    out.extend(self.expand(block, notes));
                    self.depth -= 1;
                }
                Err(message) => {
                    notes.problem(refuse(message));
                    // An exhausted bound would be told for each of the remaining files.
                    break;
                }
            }
        }
        out
    }

    fn read(&mut self, path: &Path) -> Result<String, String> {
        self.files += 1;
        if self.files > FILES_MAX {
            return Err(format!("more than {FILES_MAX} files are included"));
        }
        let text = read_text(path, BYTES_MAX - self.bytes)?;
        self.bytes += text.len() as u64;
        Ok(text)
    }
}

/// The text of the main file.
///
/// # Errors
/// In nginx's words, why it cannot be read.
pub(crate) fn read_main(path: &Path) -> Result<String, String> {
    read_text(path, BYTES_MAX)
}

/// The text of a file of at most `most` bytes. Bytes that are no UTF-8 (an old comment in Latin-1) become
/// U+FFFD; a directive that has one is refused where it is used.
fn read_text(path: &Path, most: u64) -> Result<String, String> {
    let shown = path.display();
    let failed = |what: &str, err: &io::Error| format!("{what} \"{shown}\" failed ({})", error_text(err));
    let file = File::open(path).map_err(|err| failed("open()", &err))?;
    let is_directory = file.metadata().map_err(|err| failed("fstat()", &err))?.is_dir();
    if is_directory {
        return Err(format!("pread() \"{shown}\" failed (21: Is a directory)"));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|err| failed("read()", &err))?;
    if bytes.len() as u64 > most {
        return Err(format!("\"{shown}\" is too large: more than {BYTES_MAX} bytes of configuration"));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(err) => String::from_utf8_lossy(err.as_bytes()).into_owned(),
    })
}

/// As nginx writes it: `2: No such file or directory`.
fn error_text(err: &io::Error) -> String {
    let text = err.to_string();
    match (err.raw_os_error(), text.rsplit_once(" (os error")) {
        (Some(code), Some((message, _))) => format!("{code}: {message}"),
        _ => text,
    }
}

/// Where relative includes of a file begin: its directory, as nginx's `--conf-path` and `-c` have it.
pub(crate) fn directory_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_path_buf).unwrap_or_default()
}

#[cfg(test)]
mod tests;
