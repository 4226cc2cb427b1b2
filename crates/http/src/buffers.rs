//! Read buffers that a worker uses again, so that a request costs no trip to the allocator for them.

use bytes::{Bytes, BytesMut};
use std::cell::RefCell;

/// 16 KiB: a head and a small body in one read, and what one TLS record holds.
pub const ROOM_MIN: usize = 16 * 1024;
/// 64 spare buffers a worker, 1 MiB: as many as are full at the same moment in one turn of its loop.
const SPARE_MAX: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
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
