//! Configuration of a zone.

use bifrons_config::units::{Dur, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where answers are kept: in memory, and on disk if there is a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ZoneConfig {
    /// Directory of the disk tier; without it all is kept in memory only and is lost with the process. It belongs
    /// to this zone alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Bytes of answers kept in memory: heads, bodies and what is known about them.
    pub memory: Size,
    /// The largest body that is kept in memory; larger ones are read from disk piece by piece, and are not stored
    /// where there is no disk tier. At most an eighth of `memory`.
    pub memory_object: Size,
    /// Room for keys: how many answers are known at once, one for 128 bytes, as nginx counts (an answer takes
    /// some 300).
    pub keys: Size,
    /// Bytes on disk; the longest unused answers go first. At least 8 MiB.
    pub max_size: Size,
    /// Bytes of the file system that stay free, whoever takes them: with less, the longest unused answers go, all of
    /// them if need be. 0: only `max_size` counts.
    #[serde(skip_serializing_if = "is_nothing")]
    pub min_free: Size,
    /// Answers on disk that nobody asked for during this time are removed, fresh or not.
    pub inactive: Dur,
    /// Bytes that may wait to be written; what comes while they do is not stored on disk, and counted.
    pub write_queue: Size,
    /// How many variants of one key are kept; the longest unused one goes first.
    pub variants: u32,
    /// How many tags an answer may have; one with more is not stored, since a purge could miss it.
    pub tags: u32,
}

impl Default for ZoneConfig {
    fn default() -> Self {
        Self {
            path: None,
            // As much as serves the hot part of a site, and little beside what a machine has.
            memory: Size::mib(64),
            // The size from which on a read of its own a piece costs little beside the bytes.
            memory_object: Size::mib(1),
            // 80,000 answers, nginx's usual example.
            keys: Size::mib(10),
            max_size: Size::mib(1024),
            min_free: Size(0),
            // nginx's default.
            inactive: Dur(Duration::from_secs(600)),
            // A second of a disk that writes 64 MiB/s.
            write_queue: Size::mib(64),
            variants: 32,
            // Surrogate-Key of 16 KiB at Fastly holds a few hundred.
            tags: 256,
        }
    }
}

fn is_nothing(size: &Size) -> bool {
    size.0 == 0
}

impl ZoneConfig {
    /// How many answers may be known at once.
    pub fn entries_max(&self) -> usize {
        // 128 bytes a key: "One megabyte zone can store about 8 thousand keys" (nginx, proxy_cache_path).
        (self.keys.as_usize() / 128).max(64)
    }

    /// The largest body that is whole in memory.
    pub fn whole_max(&self) -> usize {
        self.memory_object.as_usize().min(self.memory.as_usize() / 8)
    }
}
