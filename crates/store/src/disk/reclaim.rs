//! Room on the disk: the oldest segment goes, what of it was used of late is kept.
//!
//! A second chance, as CLOCK gives it, by whole files: what was asked for since it was last looked at is
//! copied to the front, the rest is forgotten, and the file is deleted.

use super::format::framed_len;
use super::segment::{Place, Segment};
use super::writer::Writer;
use crate::index::{Entry, Placed};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Of a segment at most half is kept: else a store of popular answers would do nothing but copy.
const KEPT_SHARE: u64 = 2;

/// Files looked at in one go: the writer has other work.
const FILES_MAX: usize = 16;

/// Keeps the store within its bound.
pub(super) fn run(writer: &mut Writer<'_>) {
    let disk = writer.disk;
    for _ in 0..FILES_MAX {
        // Room for what is being written next.
        let max = disk.size_max.load(Relaxed).saturating_sub(disk.segment_size());
        let is_short = disk.is_short();
        // Where there is no room for what is written, there is none for what is copied.
        if disk.segments.size() <= max && !is_short || !reclaim(writer, !is_short) {
            return;
        }
    }
}

/// The disk is full: something goes, whatever the bound.
pub(super) fn make_room(writer: &mut Writer<'_>) {
    // Nothing is copied: there is no room for it.
    reclaim(writer, false);
}

/// Gives the oldest file up. False where there is none.
fn reclaim(writer: &mut Writer<'_>, keep: bool) -> bool {
    let Some(segment) = writer.disk.segments.oldest() else { return false };
    let mut entries = Vec::new();
    if segment.live.load(Relaxed) > 0 {
        let number = segment.number;
        writer.zone.index.each(|entry| {
            let in_it = |placed: Placed| {
                placed.record.segment == number || placed.update.is_some_and(|at| at.segment == number)
            };
            if entry.placed().is_some_and(in_it) {
                entries.push(Arc::clone(entry));
            }
        });
    }
    if segment.own && keep && entries.iter().any(|entry| entry.used.swap(false, Relaxed)) {
        writer.disk.segments.spare(&segment);
        return true;
    }
    let mut room = if keep { segment.size.load(Relaxed) / KEPT_SHARE } else { 0 };
    for entry in entries {
        let used = entry.used.swap(false, Relaxed);
        let kept = used && room > 0 && !segment.own && keep_entry(writer, &entry, &segment, &mut room);
        if !kept {
            writer.zone.stats.disk_evictions.one();
            writer.zone.evict(&entry);
        }
    }
    writer.disk.segments.delete(&segment);
    true
}

/// Copies what of an entry is in a segment.
fn keep_entry(writer: &mut Writer<'_>, entry: &Arc<Entry>, segment: &Segment, room: &mut u64) -> bool {
    let Some(before) = entry.placed() else { return false };
    let mut placed = before;
    for place in [Some(&mut placed.record), placed.update.as_mut()].into_iter().flatten() {
        if place.segment != segment.number {
            continue;
        }
        let Some(left) = room.checked_sub(place.len()) else { return false };
        match copy(writer, segment, *place) {
            Ok(moved) => *place = moved,
            Err(error) => {
                writer.failed(&error);
                return false;
            }
        }
        *room = left;
    }
    // It may have been renewed or removed since: then it has another entry.
    if entry.dead.load(Relaxed) {
        return false;
    }
    writer.moved(entry, before, placed);
    true
}

/// As it is: its sums say later whether it was whole.
fn copy(writer: &mut Writer<'_>, segment: &Segment, place: Place) -> io::Result<Place> {
    let len = u64::from(place.head_len) + framed_len(place.body_len);
    let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    segment.file()?.read_exact_at(&mut bytes, place.offset.into())?;
    let (segment, offset) = writer.append(&bytes)?;
    Ok(Place { segment, offset, ..place })
}
