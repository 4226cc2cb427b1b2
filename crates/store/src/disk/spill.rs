//! A large answer on its way to a file of its own.

use super::format::{FRAME, Kind, SUM, encode_record, frame_sum};
use super::pool::DiskBody;
use super::segment::Segment;
use super::{Disk, Job};
use crate::growing::Growing;
use crate::object::Object;
use crate::zone::Inner;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Frames are gathered here and written when they are full.
pub(crate) struct Spill {
    zone: Arc<Inner>,
    segment: Arc<Segment>,
    growing: Arc<Growing>,
    body: DiskBody,
    id: u64,
    head_len: u32,
    /// What the next write begins with: the head at first, then a frame's sum and data.
    buffer: Vec<u8>,
    /// Where the open frame's sum is in `buffer`.
    frame: usize,
    offset: u64,
    received: u64,
    max: u64,
    sealed: bool,
}

impl Spill {
    pub(super) fn begin(
        zone: &Arc<Inner>,
        disk: &Disk,
        object: &Arc<Object>,
        growing: &Arc<Growing>,
        max: u64,
    ) -> Self {
        let entry = &object.entry;
        let mut buffer = encode_record(Kind::Answer, entry.id, entry.hash, object.meta());
        let head_len = buffer.len() as u32;
        let segment = disk.segments.make(true);
        let body = DiskBody::new(&disk.pool, &segment, entry.id, head_len.into(), 0);
        let frame = buffer.len();
        buffer.extend_from_slice(&[0; SUM as usize]);
        Self {
            zone: Arc::clone(zone),
            segment,
            growing: Arc::clone(growing),
            body,
            id: entry.id,
            head_len,
            buffer,
            frame,
            offset: 0,
            received: 0,
            max,
            sealed: false,
        }
    }

    /// The body as it is read from the file.
    pub(crate) fn body(&self) -> &DiskBody {
        &self.body
    }

    /// Takes the next bytes. False where they cannot be written: the answer will not be stored.
    pub(crate) fn push(&mut self, mut piece: &[u8]) -> bool {
        if self.segment.failed.load(Relaxed) || self.received + piece.len() as u64 > self.max {
            return false;
        }
        while !piece.is_empty() {
            let filled = self.buffer.len() - self.frame - SUM as usize;
            let (now, later) = piece.split_at(piece.len().min(FRAME as usize - filled));
            self.buffer.extend_from_slice(now);
            self.received += now.len() as u64;
            piece = later;
            if filled + now.len() == FRAME as usize && !self.write() {
                return false;
            }
        }
        true
    }

    /// All is there.
    pub(crate) fn seal(mut self, object: Arc<Object>) {
        if !self.received.is_multiple_of(FRAME) && !self.write() {
            return;
        }
        let (segment, head_len) = (Arc::clone(&self.segment), self.head_len);
        let seal = Job::Seal { segment, object, head_len, body_len: self.received };
        self.sealed = self.push_job(seal);
    }

    /// Has the open frame written.
    fn write(&mut self) -> bool {
        let data = self.frame + SUM as usize;
        let index = (self.received - 1) / FRAME;
        let sum = frame_sum(self.id, index, &self.buffer[data..]);
        self.buffer[self.frame..data].copy_from_slice(&sum.to_le_bytes());
        let mut bytes = Vec::with_capacity((FRAME + SUM) as usize);
        bytes.extend_from_slice(&[0; SUM as usize]);
        let bytes = std::mem::replace(&mut self.buffer, bytes);
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        self.frame = 0;
        let (segment, growing) = (Arc::clone(&self.segment), Arc::clone(&self.growing));
        self.push_job(Job::Append { segment, offset, bytes, growing, body: self.received })
    }

    fn push_job(&self, job: Job) -> bool {
        self.zone.disk.as_ref().is_some_and(|disk| disk.queue.push(job).is_ok())
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if !self.sealed {
            self.push_job(Job::Abandon(Arc::clone(&self.segment)));
        }
    }
}
