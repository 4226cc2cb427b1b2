//! A copy of the purges that wait to be told, on disk: a process that ends while Redis is away tells them when it runs
//! again. It lies beside what the zones have stored; where none of them has a directory there is no copy.

use super::Node;
use super::outbox::Since;
use bifrons_flow::Shared;
use bifrons_store::Purge;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the file in a zone's directory: a purge a line.
const FILE: &str = "purges-waiting";

/// 20,000: lines of a file before it is written anew without what was told meanwhile; twice what may wait.
const LINES_MAX: usize = 20_000;

/// What an earlier process has left untold.
pub(super) fn read(shared: &Shared) -> Vec<Purge> {
    let texts =
        shared.caches.dirs().into_iter().filter_map(|dir| std::fs::read_to_string(dir.join(FILE)).ok());
    let texts: Vec<String> = texts.collect();
    // The last line may be half of one.
    texts.iter().flat_map(|text| text.lines()).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Keeps the copy for as long as the process runs.
pub(super) async fn keep(shared: Arc<Shared>, node: Arc<Node>) {
    let mut copy = Copy::default();
    loop {
        node.outbox.changed().await;
        // The first of them, wherever that is: all are read at a start.
        let dir = shared.caches.dirs().into_iter().min();
        if copy.dir != dir {
            copy.remove();
            copy = Copy { dir, ..Copy::default() };
        }
        let is_long = copy.lines > LINES_MAX;
        let since = node.outbox.since(if is_long { 0 } else { copy.known });
        let written = tokio::task::spawn_blocking(move || {
            let failed = copy.take(&since, is_long).err();
            (copy, failed)
        });
        let Ok((back, failed)) = written.await else { return };
        copy = back;
        if let Some(err) = failed {
            tracing::warn!(%err, "purges that wait for Redis are not on disk: they are lost if the process ends");
        }
    }
}

/// The file as it is.
#[derive(Default)]
struct Copy {
    dir: Option<PathBuf>,
    known: u64,
    lines: usize,
}

impl Copy {
    /// Writes what is new.
    fn take(&mut self, since: &Since, is_anew: bool) -> std::io::Result<()> {
        self.known = since.come;
        let Some(dir) = &self.dir else { return Ok(()) };
        let is_anew = is_anew || since.is_all;
        if since.purges.is_empty() && (!is_anew || self.lines == 0) {
            return Ok(());
        }
        let mut text = Vec::new();
        for purge in &since.purges {
            serde_json::to_writer(&mut text, purge)?;
            text.push(b'\n');
        }
        self.lines = if is_anew { since.purges.len() } else { self.lines + since.purges.len() };
        let path = dir.join(FILE);
        if is_anew { replace(&path, &text) } else { append(&path, &text) }
    }

    /// It is another directory's from now on.
    fn remove(&self) {
        if let Some(dir) = &self.dir {
            let _ = std::fs::remove_file(dir.join(FILE));
        }
    }
}

fn append(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text)?;
    file.sync_data()
}

fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if text.is_empty() {
        return std::fs::remove_file(path);
    }
    let new = path.with_extension("new");
    let mut file = std::fs::File::create(&new)?;
    file.write_all(text)?;
    file.sync_data()?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bifrons_store::{Mode, Scope};

    fn tags(names: &[&str]) -> Vec<Purge> {
        let tag = |name: &&str| Purge { zone: None, what: Scope::Tag((*name).to_owned()), mode: Mode::Soft };
        names.iter().map(tag).collect()
    }

    #[test]
    fn the_file_has_what_waits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let lines = || std::fs::read_to_string(&path).map_or(0, |text| text.lines().count());
        let mut copy = Copy { dir: Some(dir.path().to_owned()), ..Copy::default() };
        let mut take = |names: &[&str], is_all| {
            copy.take(&Since { purges: tags(names), come: 9, is_all }, false).unwrap();
            lines()
        };
        assert_eq!(take(&["a", "b"], true), 2);
        assert_eq!(take(&["c"], false), 3);
        assert_eq!(take(&[], false), 3);
        assert_eq!(take(&["d"], true), 1, "what was told is gone");
        assert_eq!(take(&[], true), 0);
        assert!(!path.exists());
        assert_eq!(take(&[], true), 0, "nothing twice");
    }
}
