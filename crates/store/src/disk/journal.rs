//! What happens to the index, on disk: a snapshot of it (`index-N`) and a journal of what came after
//! (`journal-N`, and later ones). A record is its length, its sum, and an event.

use super::format::{Damaged, Input, put, put_u32};
use super::segment::Place;
use crate::index::{Entry, Placed, slot};
use crate::purge::{Mode, Scope};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Events that wait to be written: 16 MiB, some 100,000. What a disk that hangs lets run over is made up for
/// by a snapshot.
const WAITING_MAX: usize = 16 * 1024 * 1024;

/// Length and sum.
const FRAME_HEAD: usize = 12;

/// Longer than any event: see [`super::format::META_MAX`].
const EVENT_MAX: u32 = 1024 * 1024;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// An answer is on disk, or elsewhere there, or renewed.
    Put(Box<Entry>),
    /// One is no more.
    Removed(u64),
    /// A purge that may not have been swept.
    Purged { number: u64, mode: Mode, scope: Scope },
    /// The snapshot is complete.
    End,
}

pub(crate) fn encode_put(entry: &Entry, placed: Placed, out: &mut Vec<u8>) {
    framed(out, |out| {
        out.push(1);
        out.extend_from_slice(&entry.id.to_le_bytes());
        out.extend_from_slice(&entry.hash.to_le_bytes());
        out.extend_from_slice(&entry.keep_until_s.to_le_bytes());
        out.extend_from_slice(&entry.checked.load(Relaxed).to_le_bytes());
        out.extend_from_slice(&entry.used_s.load(Relaxed).to_le_bytes());
        out.push(entry.soft.load(Relaxed).into());
        put_place(placed.record, out);
        out.push(placed.update.is_some().into());
        if let Some(update) = placed.update {
            put_place(update, out);
        }
        put(out, entry.host.as_bytes());
        put(out, entry.path.as_bytes());
        put(out, &entry.vary);
        put_u32(out, entry.tags.len());
        entry.tags.iter().for_each(|tag| out.extend_from_slice(&tag.to_le_bytes()));
    });
}

fn put_place(place: Place, out: &mut Vec<u8>) {
    for part in [place.segment, place.offset, place.head_len] {
        out.extend_from_slice(&part.to_le_bytes());
    }
    out.extend_from_slice(&place.body_len.to_le_bytes());
}

pub(crate) fn encode_removed(id: u64, out: &mut Vec<u8>) {
    framed(out, |out| {
        out.push(2);
        out.extend_from_slice(&id.to_le_bytes());
    });
}

pub(crate) fn encode_purged(number: u64, mode: Mode, scope: &Scope, out: &mut Vec<u8>) {
    let (kind, text) = match scope {
        Scope::All => (0, ""),
        Scope::Host(text) => (1, text.as_str()),
        Scope::Tag(text) => (2, text.as_str()),
        Scope::Url(text) => (3, text.as_str()),
        Scope::Prefix(text) => (4, text.as_str()),
        // No zone takes one.
        Scope::Request(_) => return,
    };
    framed(out, |out| {
        out.push(3);
        out.extend_from_slice(&number.to_le_bytes());
        out.push((mode == Mode::Soft).into());
        out.push(kind);
        put(out, text.as_bytes());
    });
}

pub(crate) fn encode_end(out: &mut Vec<u8>) {
    framed(out, |out| out.push(4));
}

fn framed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD]);
    write(out);
    let len = (out.len() - start - FRAME_HEAD) as u32;
    let sum = xxh3_64_with_seed(&out[start + FRAME_HEAD..], u64::from(len));
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    out[start + 4..start + FRAME_HEAD].copy_from_slice(&sum.to_le_bytes());
}

/// What is at the front of a journal.
pub(crate) enum Next {
    Event(Event),
    /// The record is damaged, but where it ends is known.
    Skipped,
    /// Nothing more can be read: a record that was never completed, if it is `torn`, or damage.
    Lost {
        torn: bool,
    },
    /// Nothing more is there.
    Done,
}

/// Takes an event off the front.
pub(crate) fn next_event(input: &mut Input<'_>) -> Next {
    if input.0.is_empty() {
        return Next::Done;
    }
    let whole = input.0.len();
    let (Ok(len), Ok(sum)) = (input.u32(), input.u64()) else {
        return Next::Lost { torn: true };
    };
    if len > EVENT_MAX {
        return Next::Lost { torn: false };
    }
    let Ok(payload) = input.take(len as usize) else {
        return Next::Lost { torn: whole < EVENT_MAX as usize };
    };
    if xxh3_64_with_seed(payload, u64::from(len)) != sum {
        return Next::Skipped;
    }
    decode(payload).map_or(Next::Skipped, Next::Event)
}

fn decode(payload: &[u8]) -> Result<Event, Damaged> {
    let mut input = Input(payload);
    match input.u8()? {
        1 => Ok(Event::Put(Box::new(entry(&mut input)?))),
        2 => Ok(Event::Removed(input.u64()?)),
        3 => {
            let number = input.u64()?;
            let mode = if input.u8()? == 1 { Mode::Soft } else { Mode::Hard };
            let kind = input.u8()?;
            let text = input.text()?.to_owned();
            let scope = match kind {
                0 => Scope::All,
                1 => Scope::Host(text),
                2 => Scope::Tag(text),
                3 => Scope::Url(text),
                4 => Scope::Prefix(text),
                _ => return Err(Damaged),
            };
            Ok(Event::Purged { number, mode, scope })
        }
        4 => Ok(Event::End),
        _ => Err(Damaged),
    }
}

fn entry(input: &mut Input<'_>) -> Result<Entry, Damaged> {
    let (id, hash, keep_until_s) = (input.u64()?, input.u128()?, input.u64()?);
    let (checked, used_s, soft) = (input.u64()?, input.u32()?, input.u8()? == 1);
    let record = place(input)?;
    let update = if input.u8()? == 1 { Some(place(input)?) } else { None };
    let (host, path) = (input.text()?.into(), input.text()?.into());
    let vary: Box<[u8]> = input.part()?.into();
    Ok(Entry {
        id,
        hash,
        slot: slot(hash, &vary),
        host,
        path,
        vary,
        tags: input.hashes()?,
        keep_until_s,
        checked: AtomicU64::new(checked),
        soft: AtomicBool::new(soft),
        used_s: AtomicU32::new(used_s),
        used: AtomicBool::new(false),
        dead: AtomicBool::new(false),
        pending: AtomicBool::new(false),
        place: Mutex::new(Some(Placed { record, update })),
    })
}

fn place(input: &mut Input<'_>) -> Result<Place, Damaged> {
    let (segment, offset, head_len) = (input.u32()?, input.u32()?, input.u32()?);
    Ok(Place { segment, offset, head_len, body_len: input.u64()? })
}

/// The journal that is being written. Events are noted by anybody and written by the store's threads: who
/// notes never waits for the disk.
pub(crate) struct Journal {
    dir: PathBuf,
    waiting: Mutex<Waiting>,
    /// Locked before `waiting`, where both are.
    file: Mutex<Option<Writing>>,
    written: AtomicU64,
    /// Events are missing: only a snapshot helps.
    broken: AtomicBool,
}

type Waiting = Vec<u8>;

struct Writing {
    file: File,
    number: u32,
}

impl Journal {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            waiting: Mutex::default(),
            file: Mutex::default(),
            written: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Notes an event.
    pub(crate) fn note(&self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = lock(&self.waiting);
        if waiting.len() > WAITING_MAX {
            self.broken.store(true, Relaxed);
            waiting.clear();
        }
        encode(&mut waiting);
    }

    /// Writes what was noted, and to the disk itself if that is asked for.
    pub(crate) fn flush(&self, sync: Sync) -> io::Result<()> {
        let mut writing = lock(&self.file);
        let Some(writing) = &mut *writing else { return Ok(()) };
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        if !waiting.is_empty() {
            let wrote = writing.file.write_all(&waiting);
            self.written.fetch_add(waiting.len() as u64, Relaxed);
            if wrote.is_err() {
                // Half a record may be there, and what follows it would be lost.
                self.broken.store(true, Relaxed);
            }
            wrote?;
        }
        if sync == Sync::Disk { writing.file.sync_data() } else { Ok(()) }
    }

    /// Goes on in a new file, of that number or a later one; says which it is.
    pub(crate) fn rotate(&self, at_least: u32, head: &[u8]) -> io::Result<u32> {
        let mut writing = lock(&self.file);
        let number = at_least.max(writing.as_ref().map_or(0, |writing| writing.number + 1));
        let mut file = File::create(self.dir.join(journal_name(number)))?;
        file.write_all(head)?;
        if let Some(old) = &mut *writing {
            let waiting = std::mem::take(&mut *lock(&self.waiting));
            // Best effort: where it fails, the snapshot that follows has it all.
            let _ = old.file.write_all(&waiting);
        }
        *writing = Some(Writing { file, number });
        self.written.store(0, Relaxed);
        Ok(number)
    }

    /// A snapshot has all that was missing.
    pub(crate) fn mended(&self) {
        self.broken.store(false, Relaxed);
    }

    /// Writes no more.
    pub(crate) fn close(&self) {
        *lock(&self.file) = None;
    }

    /// Bytes since the last snapshot.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far a flush goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// To the kernel: it survives the process.
    Kernel,
    /// To the disk: it survives the machine's fall.
    Disk,
}

pub(crate) fn journal_name(number: u32) -> String {
    format!("journal-{number:08x}")
}

pub(crate) fn index_name(number: u32) -> String {
    format!("index-{number:08x}")
}
