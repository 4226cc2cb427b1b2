//! Read buffers that a worker uses again, so that a request costs no trip to the allocator for them.

use bytes::{Bytes, BytesMut};
use std::cell::RefCell;

/// 16 KiB: a head and a small body in one read, and what one TLS record holds.
pub const ROOM_MIN: usize = 16 * 1024;
/// 64 spare buffers a worker, 1 MiB: as many as are full at the same moment in one turn of its loop.
const SPARE_MAX: usize = 64;

/// 16 spare buffers a worker for what is written: as many as wait for a peer to take bytes are made anew.
const SCRATCH_MAX: usize = 16;
/// 1 KiB holds a head; one that grew beyond 32 KiB is not kept.
const SCRATCH_BYTES: usize = 1024;
const SCRATCH_BYTES_MAX: usize = 32 * 1024;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
    static SCRATCH: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer for what is about to be written; goes back when it is dropped.
pub struct Scratch(Vec<u8>);

impl Scratch {
    /// An empty one.
    pub fn new() -> Self {
        let spare = SCRATCH.with_borrow_mut(Vec::pop);
        Self(spare.unwrap_or_else(|| Vec::with_capacity(SCRATCH_BYTES)))
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl std::ops::Deref for Scratch {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl std::ops::DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut buf = std::mem::take(&mut self.0);
        if buf.capacity() == 0 || buf.capacity() > SCRATCH_BYTES_MAX {
            return;
        }
        buf.clear();
        // None is kept while the thread itself is going.
        let _ = SCRATCH.try_with(|spare| {
            let Ok(mut spare) = spare.try_borrow_mut() else { return };
            if spare.len() < SCRATCH_MAX {
                spare.push(buf);
            }
        });
    }
}

/// An empty buffer with room for `room` bytes.
pub fn take(room: usize) -> BytesMut {
    let spare = if room <= ROOM_MIN { SPARE.with_borrow_mut(Vec::pop) } else { None };
    spare.unwrap_or_else(|| BytesMut::with_capacity(room.max(ROOM_MIN)))
}

/// Gives a buffer back; kept if it is whole, of the usual size and nobody else reads from it.
pub fn give(mut buf: BytesMut) {
    buf.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_MAX && buf.try_reclaim(ROOM_MIN) && buf.capacity() <= 2 * ROOM_MIN {
            spare.push(buf);
        }
    });
}

/// The same for bytes that were split off a buffer.
pub fn give_bytes(bytes: Bytes) {
    if let Ok(buf) = bytes.try_into_mut() {
        give(buf);
    }
}
