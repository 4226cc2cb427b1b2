//! Writing: one thread a store, which alone adds to its files.

use super::format::{Kind, encode_frames, encode_record, framed_len};
use super::journal::{Sync, encode_put, encode_removed};
use super::queue::Job;
use super::segment::{Place, Segment};
use super::{Disk, reclaim, recover};
use crate::body::Body;
use crate::index::{Entry, Placed};
use crate::object::Object;
use crate::zone::Inner;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How long an event of the index may wait for its journal: what a kill of the process loses.
const FLUSH: Duration = Duration::from_millis(100);

/// How long nothing is written after the disk has failed: one line in the log, not thousands.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread's state.
pub(super) struct Writer<'a> {
    pub(super) zone: &'a Inner,
    pub(super) disk: &'a Disk,
    /// Where small answers go.
    active: Option<(Arc<Segment>, u64)>,
    paused_until: Option<Instant>,
    flushed: Instant,
}

/// Writes until the queue is stopped and empty.
pub(super) fn run(zone: &Inner) {
    let Some(disk) = &zone.disk else { return };
    if !recover::run(zone, disk) {
        return drain(disk);
    }
    let mut writer = Writer { zone, disk, active: None, paused_until: None, flushed: Instant::now() };
    loop {
        match disk.queue.next(FLUSH) {
            Some(Job::Release) => break,
            Some(job) => writer.job(job),
            None if disk.queue.is_stopped() => break,
            None => {}
        }
        writer.tidy();
    }
    disk.ready.store(false, Relaxed);
    recover::snapshot(zone, disk).unwrap_or_else(|error| {
        zone.complain("the index of the cache could not be written", Some(&error));
    });
    disk.journal.close();
    disk.unlock();
    drain(disk);
}

/// Answers those that wait; nothing is written any more.
fn drain(disk: &Disk) {
    loop {
        match disk.queue.next(Duration::from_secs(1)) {
            Some(Job::Flush(done)) => {
                let _ = done.send(());
            }
            Some(_) => {}
            None if disk.queue.is_stopped() => return,
            None => {}
        }
    }
}

impl Writer<'_> {
    fn job(&mut self, job: Job) {
        match job {
            Job::Store(object) => self.store(&object),
            Job::Update(object) => self.update(&object),
            Job::Append { segment, offset, bytes, growing, body } => {
                if segment.failed.load(Relaxed) {
                    return;
                }
                match self.write(&segment, &bytes, offset) {
                    Ok(()) => growing.written(body),
                    Err(error) => {
                        segment.failed.store(true, Relaxed);
                        growing.forsake();
                        self.failed(&error);
                    }
                }
            }
            Job::Seal { segment, object, head_len, body_len } => {
                segment.open.store(false, Relaxed);
                if segment.failed.load(Relaxed) {
                    self.disk.segments.delete(&segment);
                    return self.zone.unwritten(&object.entry);
                }
                let record = Place { segment: segment.number, offset: 0, head_len, body_len };
                self.placed(&object.entry, Placed { record, update: None });
                self.zone.sealed(
                    &object,
                    super::DiskBody::new(&self.disk.pool, &segment, object.id(), head_len.into(), body_len),
                );
            }
            Job::Abandon(segment) => self.disk.segments.delete(&segment),
            Job::Flush(done) => {
                self.flush(Sync::Disk);
                let _ = done.send(());
            }
            Job::Release => {}
        }
    }

    /// What is due after a job.
    fn tidy(&mut self) {
        if self.disk.urgent.swap(false, Relaxed) {
            self.flush(Sync::Disk);
        } else if self.flushed.elapsed() >= FLUSH {
            self.flush(Sync::Kernel);
            for segment in self.disk.segments.empty() {
                self.disk.segments.delete(&segment);
            }
        }
        reclaim::run(self);
    }

    fn flush(&mut self, sync: Sync) {
        self.flushed = Instant::now();
        if let Err(error) = self.disk.journal.flush(sync) {
            self.failed(&error);
        }
    }

    fn store(&mut self, object: &Arc<Object>) {
        let entry = &object.entry;
        let Body::Whole(body) = object.body() else { return };
        if entry.dead.load(Relaxed) || self.is_paused() {
            return self.zone.unwritten(entry);
        }
        let mut bytes = encode_record(Kind::Answer, entry.id, entry.hash, object.meta());
        let head_len = bytes.len() as u32;
        bytes.reserve(framed_len(body.len() as u64) as usize);
        encode_frames(entry.id, body, &mut bytes);
        match self.append(&bytes) {
            Ok((segment, offset)) => {
                let record = Place { segment, offset, head_len, body_len: body.len() as u64 };
                self.placed(entry, Placed { record, update: None });
                self.zone.written(object);
            }
            Err(error) => {
                self.failed(&error);
                self.zone.unwritten(entry);
            }
        }
    }

    fn update(&mut self, object: &Arc<Object>) {
        let entry = &object.entry;
        let Some(before) = entry.placed() else { return };
        if entry.dead.load(Relaxed) || self.is_paused() {
            return;
        }
        let bytes = encode_record(Kind::Update, entry.id, entry.hash, object.meta());
        match self.append(&bytes) {
            Ok((segment, offset)) => {
                let update = Place { segment, offset, head_len: bytes.len() as u32, body_len: 0 };
                self.disk.uncount(before);
                self.placed(entry, Placed { record: before.record, update: Some(update) });
            }
            Err(error) => self.failed(&error),
        }
    }

    /// An entry is on disk.
    fn placed(&self, entry: &Arc<Entry>, placed: Placed) {
        self.disk.count(placed);
        entry.set_placed(Some(placed));
        // One that was removed meanwhile did not know its place.
        if entry.dead.load(Relaxed) {
            entry.set_placed(None);
            return self.disk.uncount(placed);
        }
        self.disk.journal.note(|out| encode_put(entry, placed, out));
        // Removed since the question above: that must be the last word about it.
        if entry.dead.load(Relaxed) {
            self.disk.journal.note(|out| encode_removed(entry.id, out));
        }
    }

    /// An entry's records are elsewhere now.
    pub(super) fn moved(&self, entry: &Arc<Entry>, before: Placed, placed: Placed) {
        self.disk.uncount(before);
        self.placed(entry, placed);
    }

    /// Writes a record into the shared segment, or into a file of its own if it is large; says where it is.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<(u32, u32)> {
        let size = self.disk.segment_size();
        let len = bytes.len() as u64;
        if len > size / 4 {
            let segment = self.disk.segments.make(true);
            let wrote = self.write(&segment, bytes, 0);
            segment.open.store(false, Relaxed);
            if wrote.is_err() {
                self.disk.segments.delete(&segment);
            }
            return wrote.map(|()| (segment.number, 0));
        }
        let (segment, offset) = match self.active.take() {
            Some((segment, offset)) if offset + len <= size => (segment, offset),
            full => {
                self.close_active(full);
                (self.disk.segments.make(false), 0)
            }
        };
        let wrote = self.write(&segment, bytes, offset);
        let number = segment.number;
        // What a failed write has left is written over by the next.
        let next = if wrote.is_ok() { offset + len } else { offset };
        self.active = Some((segment, next));
        wrote.map(|()| (number, offset as u32))
    }

    fn close_active(&self, active: Option<(Arc<Segment>, u64)>) {
        if let Some((segment, _)) = active {
            segment.open.store(false, Relaxed);
        }
    }

    fn write(&self, segment: &Segment, bytes: &[u8], offset: u64) -> io::Result<()> {
        segment.create()?.write_all_at(bytes, offset)?;
        self.disk.segments.grown(segment, offset + bytes.len() as u64);
        self.zone.stats.written_bytes.add(bytes.len() as u64);
        Ok(())
    }

    /// After an error of the disk: counted, told, and a moment's rest.
    pub(super) fn failed(&mut self, error: &io::Error) {
        self.zone.stats.write_errors.one();
        self.zone.complain("writing to the cache failed: answers are not stored on disk", Some(error));
        self.paused_until = Some(Instant::now() + PAUSE);
        if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
            reclaim::make_room(self);
        }
    }

    fn is_paused(&mut self) -> bool {
        let paused = self.paused_until.is_some_and(|until| Instant::now() < until);
        if !paused {
            self.paused_until = None;
        }
        paused
    }
}
