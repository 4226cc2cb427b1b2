//! The index after a start, and its snapshots.
//!
//! A snapshot is taken while others change the index: first a new journal begins, then all entries are
//! written. What happens meanwhile is in the journal, and perhaps in the snapshot as well, which says the
//! same.

use super::Disk;
use super::format::Input;
use super::journal::{
    Event, Next, encode_end, encode_purged, encode_put, index_name, journal_name, next_event,
};
use crate::index::Entry;
use crate::purge::{Mode, Scope};
use crate::zone::Inner;
use rustix::fs::{FlockOperation, flock};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// A snapshot is due when the journal has so many bytes: half a second of reading at a start.
const JOURNAL_MAX: u64 = 64 * 1024 * 1024;

/// 100 ms: how often a directory is tried that another process holds. One call of the system, so that a start
/// after it is late by no more.
const RETRY: Duration = Duration::from_millis(100);

/// What is in front of an index or a journal.
const FORM: &[u8; 8] = b"BFRIDX1\n";

/// Waits for the directory and reads its index. False where the store ended before, or cannot be used.
pub(super) fn run(zone: &Inner, disk: &Disk) -> bool {
    let began = Instant::now();
    if !lock(zone, disk) {
        return false;
    }
    match restore(zone, disk) {
        Ok(count) => {
            disk.ready.store(true, Relaxed);
            let ms = began.elapsed().as_millis() as u64;
            tracing::info!(zone = %zone.name(), entries = count, bytes = disk.segments.size(), ms, "cache is ready");
            true
        }
        Err(error) => {
            zone.stats.read_errors.one();
            zone.complain("the index of the cache could not be read: its disk is not used", Some(&error));
            disk.unlock();
            false
        }
    }
}

/// Waits until no other process has the directory.
fn lock(zone: &Inner, disk: &Disk) -> bool {
    let mut told = false;
    loop {
        let path = disk.dir.join("lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let locked = opened.and_then(|file| {
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            Ok(file)
        });
        match locked {
            Ok(file) => {
                *disk.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
                return true;
            }
            Err(error) if !std::mem::replace(&mut told, true) => {
                let wait = error.kind() == io::ErrorKind::WouldBlock;
                let why = if wait {
                    "another process has it, or a zone that is about to end"
                } else {
                    "it cannot be locked"
                };
                tracing::warn!(zone = %zone.name(), path = %disk.dir.display(), %error, why, "the cache's disk is not used yet");
            }
            Err(_) => {}
        }
        if disk.queue.is_stopped() {
            return false;
        }
        std::thread::sleep(RETRY);
    }
}

/// What was read.
#[derive(Default)]
struct Restored {
    entries: HashMap<u64, Box<Entry>>,
    purges: Vec<(u64, Mode, Scope)>,
    newest: u64,
    /// Something could not be read: what it said is not known.
    damaged: bool,
    complete: bool,
}

fn restore(zone: &Inner, disk: &Disk) -> io::Result<usize> {
    disk.segments.scan()?;
    let (mut indexes, mut journals) = numbers(disk)?;
    indexes.sort_unstable();
    journals.sort_unstable();
    let head = head(zone.seed);
    let mut all = Restored::default();
    let newest = indexes.iter().chain(&journals).max().copied().unwrap_or(0);
    let base = indexes.last().copied();
    if let Some(number) = base {
        all.read(&std::fs::read(disk.dir.join(index_name(number)))?, &head, true);
        all.damaged |= !all.complete;
    }
    for number in journals.iter().filter(|number| Some(**number) >= base) {
        all.read(&std::fs::read(disk.dir.join(journal_name(*number)))?, &head, false);
    }
    if all.damaged {
        zone.stats.corrupt.one();
        zone.complain("the index of the cache is damaged: what is left of it counts as stale", None);
    }
    let count = apply(zone, disk, all);
    disk.journal.rotate(newest + 1, &head)?;
    snapshot(zone, disk)?;
    Ok(count)
}

/// Takes what was read into the index.
fn apply(zone: &Inner, disk: &Disk, all: Restored) -> usize {
    zone.numbers.at_least(all.newest);
    for (number, mode, scope) in &all.purges {
        // More than fit were swept before; only those of the last moments were not.
        if zone.purges.add(scope, *mode, *number).is_err() {
            let _ = zone.purges.add(&Scope::All, Mode::Soft, *number);
        }
    }
    let mut count = 0;
    for entry in all.entries.into_values() {
        let Some(placed) = entry.placed() else { continue };
        let known = |segment| disk.segments.find(segment).is_some();
        let there = known(placed.record.segment) && placed.update.is_none_or(|update| known(update.segment));
        disk.segments.skip_to(placed.record.segment);
        if all.damaged {
            entry.soft.store(true, Relaxed);
        }
        let entry = Arc::new(*entry);
        if there && zone.index.restore(&entry, zone.bounds.variants_max()) {
            disk.count(placed);
            count += 1;
        }
    }
    for segment in disk.segments.empty() {
        disk.segments.delete(&segment);
    }
    count
}

impl Restored {
    fn read(&mut self, bytes: &[u8], head: &[u8], is_index: bool) {
        let Some(rest) = bytes.strip_prefix(head) else {
            // A journal whose head was not written has nothing either.
            self.damaged |= is_index || bytes.len() >= head.len();
            return;
        };
        let mut input = Input(rest);
        loop {
            match next_event(&mut input) {
                Next::Event(event) => self.event(event),
                Next::Skipped => self.damaged = true,
                Next::Lost { torn } => {
                    self.damaged |= is_index || !torn;
                    return;
                }
                Next::Done => return,
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Put(entry) => {
                self.newest = self.newest.max(entry.id).max(entry.checked.load(Relaxed));
                self.entries.insert(entry.id, entry);
            }
            Event::Removed(id) => {
                self.entries.remove(&id);
            }
            Event::Purged { number, mode, scope } => {
                self.newest = self.newest.max(number);
                self.purges.push((number, mode, scope));
            }
            Event::End => self.complete = true,
        }
    }
}

/// Writes a snapshot of the index; older files are then of no use.
pub(crate) fn snapshot(zone: &Inner, disk: &Disk) -> io::Result<()> {
    let _one = disk.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
    let head = head(zone.seed);
    let number = disk.journal.rotate(0, &head)?;
    let temporary = disk.dir.join("index.new");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&temporary)?);
    file.write_all(&head)?;
    let mut buffer = Vec::new();
    for (number, mode, scope) in zone.pending_purges() {
        encode_purged(number, mode, &scope, &mut buffer);
    }
    for shard in 0..zone.index.shards() {
        // Gathered while the shard is shut against changes, written when it is open again.
        zone.index.each_of(shard, |entry| {
            if let Some(placed) = entry.placed() {
                encode_put(entry, placed, &mut buffer);
            }
        });
        file.write_all(&buffer)?;
        buffer.clear();
    }
    encode_end(&mut buffer);
    file.write_all(&buffer)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    std::fs::rename(&temporary, disk.dir.join(index_name(number)))?;
    File::open(&disk.dir)?.sync_all()?;
    disk.journal.mended();
    let (indexes, journals) = numbers(disk)?;
    let old = |old: &&u32| **old < number;
    let names = indexes.iter().filter(old).map(|old| index_name(*old));
    let names = names.chain(journals.iter().filter(old).map(|old| journal_name(*old)));
    for name in names {
        std::fs::remove_file(disk.dir.join(name))?;
    }
    Ok(())
}

/// Whether a snapshot is due.
pub(crate) fn is_due(disk: &Disk) -> bool {
    disk.is_ready() && (disk.journal.written() > JOURNAL_MAX || disk.journal.is_broken())
}

/// Another secret means other hashes: an index of one is of no use with the other.
fn head(seed: u64) -> Vec<u8> {
    let mut head = FORM.to_vec();
    head.extend_from_slice(&seed.to_le_bytes());
    head
}

/// Numbers of indexes and journals in the directory.
fn numbers(disk: &Disk) -> io::Result<(Vec<u32>, Vec<u32>)> {
    let (mut indexes, mut journals) = (Vec::new(), Vec::new());
    for file in std::fs::read_dir(&disk.dir)? {
        let name = file?.file_name();
        let Some((kind, number)) = name.to_str().and_then(|name| name.split_once('-')) else { continue };
        let Ok(number) = u32::from_str_radix(number, 16) else { continue };
        match kind {
            "index" => indexes.push(number),
            "journal" => journals.push(number),
            _ => {}
        }
    }
    Ok((indexes, journals))
}

impl Disk {
    pub(super) fn unlock(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
