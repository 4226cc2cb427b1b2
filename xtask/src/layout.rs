//! `xtask check`: what the layout promises and no compiler checks.

use crate::{Outcome, read};
use std::path::{Path, PathBuf};

/// 500 lines: more is a sign to split (STYLE.md). Tests may be longer.
const FILE_LINES_MAX: usize = 500;

/// Files that are longer, and why they stay so.
const LONG: &[(&str, &str)] = &[];

/// The only crate with unsafe code.
const UNSAFE_CRATE: &str = "net";

/// Who may use whom: a crate uses only crates of lower layers; crates of one layer don't know each other.
const LAYERS: &[&[&str]] = &[
    &["core"],
    &["config", "net", "frames"],
    &["http", "route", "balance", "observe", "store"],
    &["codec", "grpc"],
    &["filters", "files", "variables", "tls", "multiplex", "cache"],
    &["model"],
    &["flow", "nginx"],
    &["control"],
    &["bifrons"],
];

/// Crates for tests, which stand outside of the layers.
const FOR_TESTS: &[&str] = &["testkit"];

/// Fails with all that is wrong, a line each.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut problems = Vec::new();
    for krate in crates(root)? {
        let name = krate.file_name().unwrap_or_default().to_string_lossy().into_owned();
        layers(&name, &read(&krate.join("Cargo.toml"))?, &mut problems);
        for path in rust_files(&krate)? {
            let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            file(&name, &shown, &read(&path)?, &mut problems);
        }
    }
    match problems.as_slice() {
        [] => Ok(()),
        _ => Err(problems.join("\n")),
    }
}

/// The text of all Rust files.
#[cfg(test)]
pub(crate) fn all_sources(root: &Path) -> Result<String, String> {
    let mut text = String::new();
    for krate in crates(root)? {
        for path in rust_files(&krate)? {
            text.push_str(&read(&path)?);
        }
    }
    Ok(text)
}

/// Folders of all crates.
fn crates(root: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = root.join("crates");
    let entries = listed.read_dir().map_err(|err| format!("cannot list {}: {err}", listed.display()))?;
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut folders: Vec<_> = folders.filter(|path| path.join("Cargo.toml").exists()).collect();
    folders.extend([root.join("tests"), root.join("xtask")]);
    folders.sort();
    Ok(folders)
}

/// The crate's Rust files; those of the end-to-end tests lie in `e2e`.
fn rust_files(krate: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let sources = ["src", "e2e"].map(|folder| krate.join(folder));
    let mut folders: Vec<_> = sources.into_iter().filter(|folder| folder.is_dir()).collect();
    while let Some(folder) = folders.pop() {
        let entries = folder.read_dir().map_err(|err| format!("cannot list {}: {err}", folder.display()))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// One file: its first line, its length, what it must not hold.
fn file(krate: &str, path: &str, text: &str, problems: &mut Vec<String>) {
    let is_test = krate == "tests" || path.contains("/tests/") || path.ends_with("/tests.rs");
    if !is_test && !text.starts_with("//!") {
        problems.push(format!("{path}: does not begin with `//!` and what it is for"));
    }
    let lines = text.lines().count();
    if !is_test && lines > FILE_LINES_MAX && !LONG.iter().any(|(long, _)| *long == path) {
        problems.push(format!("{path}: {lines} lines, {FILE_LINES_MAX} are a sign to split"));
    }
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        // This file names what it looks for.
        if krate == "xtask" || is_comment(line) {
            continue;
        }
        if krate != UNSAFE_CRATE && has_unsafe(line) {
            problems.push(format!("{path}:{number}: unsafe code outside of crates/{UNSAFE_CRATE}"));
        }
        if line.contains("todo!(") || line.contains("unimplemented!(") {
            problems.push(format!("{path}:{number}: unfinished"));
        }
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Whether the line opens unsafe code; the word in texts and lint names is none.
fn has_unsafe(line: &str) -> bool {
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern", "#[unsafe("]
        .iter()
        .any(|form| line.contains(form))
}

/// Whether the crate uses only what lies below it.
fn layers(krate: &str, manifest: &str, problems: &mut Vec<String>) {
    let Some(own) = layer_of(krate) else {
        if !FOR_TESTS.contains(&krate) && krate != "tests" && krate != "xtask" {
            problems.push(format!("crates/{krate}: in no layer; enter it in xtask/src/layout.rs"));
        }
        return;
    };
    for used in dependencies(manifest) {
        if layer_of(used).is_none_or(|below| below >= own) {
            problems.push(format!("crates/{krate}/Cargo.toml: uses bifrons-{used}, which is not below it"));
        }
    }
}

fn layer_of(krate: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&krate))
}

/// Our own crates among the dependencies, without those for tests only.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    section.lines().filter_map(|line| line.strip_prefix("bifrons-")?.split(['.', ' ', '=']).next())
}

#[cfg(test)]
mod tests;
