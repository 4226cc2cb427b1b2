//! Chores of the project: generated documentation, layout checks, templates for new parts.
//!
//! `cargo run -p xtask -- help` lists them. Nothing here ships.

mod docs;
mod layout;
mod new;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a chore says when it does not succeed: a message for people.
type Outcome = Result<(), String>;

const HELP: &str = "\
xtask: chores of the project

  docs                          write docs/reference from the code
  docs --check                  fail where docs/reference is not what the code says
  check                         check the layout: file sizes, unsafe, direction of dependencies
  new filter NAME               a filter from its template
  new policy NAME               a balancing policy from its template
  new directive NAME            a directive of the nginx dialect from its template
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = root();
    let outcome = match args.as_slice() {
        ["docs"] => docs::write(&root),
        ["docs", "--check"] => docs::check(&root),
        ["check"] => layout::check(&root),
        ["new", kind, name] => new::run(&root, kind, name),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("unknown chore: {}\n\n{HELP}", args.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace: that of this crate's parent.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A file's text.
fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|err| format!("cannot read {}: {err}", path.display()))
}

/// Writes a file, and the folders above it.
fn write(path: &Path, text: &str) -> Outcome {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|err| format!("cannot write {}: {err}", path.display()))
}
