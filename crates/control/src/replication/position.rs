//! Where a node is in the stream: an id such as `1700000000000-0`, kept beside what its zones have on disk.

use bifrons_flow::Shared;
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// Name of the file in a zone's directory.
const FILE: &str = "purges-position";

/// A place in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    ms: u64,
    number: u64,
}

impl Position {
    /// As Redis writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (ms, number) = text.trim().split_once('-')?;
        Some(Self { ms: ms.parse().ok()?, number: number.parse().ok()? })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.number)
    }
}

/// Where the zones on disk are: the earliest of them. `None` where nothing is stored that a purge could have missed.
pub(crate) fn read(shared: &Shared, stream: &str) -> Option<Position> {
    let read = |dir: PathBuf| {
        let text = std::fs::read_to_string(dir.join(FILE)).ok()?;
        let (position, of) = text.split_once(' ')?;
        // Of another stream it says nothing.
        Position::parse(position).filter(|_| of.trim_end() == stream)
    };
    shared
        .caches
        .dirs()
        .into_iter()
        .filter_map(read)
        .min_by(Position::cmp as fn(&Position, &Position) -> Ordering)
}

/// Writes it into all of them. What can't be written is read again later, which costs time and nothing else.
pub(crate) fn write(shared: &Shared, stream: &str, position: Position) {
    for dir in shared.caches.dirs() {
        if let Err(err) = replace(&dir, &format!("{position} {stream}\n")) {
            tracing::debug!(dir = %dir.display(), %err, "the place in the stream of purges was not written");
        }
    }
}

fn replace(dir: &Path, text: &str) -> std::io::Result<()> {
    let new = dir.join(format!("{FILE}.new"));
    std::fs::write(&new, text)?;
    std::fs::rename(&new, dir.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_ordered_as_redis_orders_them() {
        let at = |text| Position::parse(text).unwrap();
        assert!(at("9-1") < at("10-0") && at("10-0") < at("10-1"));
        assert_eq!(at("10-1").to_string(), "10-1");
        for text in ["", "1", "a-1", "1-", "-1", "1-2-3"] {
            assert_eq!(Position::parse(text), None, "{text:?}");
        }
    }
}
