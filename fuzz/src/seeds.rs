//! What fuzzing begins with: seeds/TARGET/, the smuggling corpus, and the configurations of the project.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../crates/http/tests/smuggling/corpus.rs"]
#[allow(dead_code, reason = "what a case should lead to is for the tests of the crate")]
mod corpus;

/// Reads the seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".."));
    let mut seeds = Vec::new();
    take(&root.join("fuzz/seeds").join(target), &[], &mut seeds);
    let smuggling = root.join("crates/http/tests/smuggling");
    match target {
        "request_head" => {
            seeds.extend(cases(&smuggling.join("requests.txt"), 4, 0));
            seeds.extend(cases(&smuggling.join("lone_lf.txt"), 4, 1));
        }
        "response_head" => seeds.extend(cases(&smuggling.join("responses.txt"), 5, 0)),
        "chunked" => {
            for case in cases(&smuggling.join("requests.txt"), 4, 3) {
                let body = case.windows(4).position(|window| window == b"\r\n\r\n");
                seeds.extend(body.map(|at| [&[3], &case[at + 4..]].concat()));
            }
        }
        "nginx_conf" => {
            take(&root.join("conf"), &["conf"], &mut seeds);
            take(&root.join("crates/nginx/tests"), &["conf"], &mut seeds);
        }
        "yaml_config" => take(&root.join("conf"), &["yaml", "json"], &mut seeds),
        _ => {}
    }
    seeds
}

/// The cases of a corpus, each behind the byte that a target reads first.
fn cases(file: &Path, columns: usize, first: u8) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let name = file.display().to_string();
    let cases = corpus::read(&name, &text, columns);
    cases.into_iter().map(|case| [&[first], &case.bytes[..]].concat()).collect()
}

/// All files below a folder, those with one of the endings if any are given.
fn take(folder: &Path, endings: &[&str], seeds: &mut Vec<Vec<u8>>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            take(&path, endings, seeds);
        } else if endings.is_empty()
            || endings.iter().any(|ending| path.extension().is_some_and(|e| e == *ending))
        {
            seeds.extend(fs::read(&path).ok());
        }
    }
}
