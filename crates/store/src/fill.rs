//! Storing an answer while it arrives.

use crate::body::Body;
use crate::disk::Spill;
use crate::growing::{Growing, UNWRITTEN_MAX};
use crate::index::Entry;
use crate::object::{Meta, Object};
use crate::ticket::Ticket;
use crate::zone::Inner;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

/// An answer that is being stored. Others read it meanwhile ([`Fill::object`]); look-ups find it once it is
/// complete. Dropped before [`Fill::finish`], it is not stored, and those that read it get
/// [`crate::ReadError::Aborted`].
#[must_use = "an answer is stored by `finish`"]
pub struct Fill {
    zone: Arc<Inner>,
    ticket: Ticket,
    object: Arc<Object>,
    growing: Arc<Growing>,
    length: Option<u64>,
    received: u64,
    to: To,
}

/// Where it goes.
enum To {
    /// To memory, and from there to disk.
    Memory,
    /// To a file.
    File(Spill),
    /// Nowhere: only those that wait for it read it.
    Nowhere,
}

impl Fill {
    pub(crate) fn begin(
        zone: &Arc<Inner>,
        ticket: Ticket,
        hash: u128,
        meta: Meta,
        length: Option<u64>,
    ) -> Self {
        let entry = Arc::new(Entry::new(zone.numbers.next(), hash, &meta, ticket.number, zone.now_s()));
        let growing = Growing::new(length);
        let object = Object::new(meta, Body::Growing(Arc::clone(&growing)), entry);
        let mut fill = Self {
            zone: Arc::clone(zone),
            ticket,
            object: Arc::new(object),
            growing,
            length,
            received: 0,
            to: To::Memory,
        };
        if fill.object.meta().tags.len() > fill.zone.bounds.tags_max() {
            fill.forsake();
        } else if length.is_some_and(|length| length > fill.zone.bounds.whole_max()) {
            fill.spill();
        }
        fill
    }

    /// The answer as those that wait for it read it.
    pub fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// Whether it will be stored, as far as is known.
    pub fn is_storing(&self) -> bool {
        !matches!(self.to, To::Nowhere)
    }

    /// Ready when there is room for another piece. Pending only for one that is too large to be stored, while
    /// a reader is more than 4 MiB behind.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.growing.poll_room(cx)
    }

    /// The same as a future.
    pub async fn ready(&self) {
        std::future::poll_fn(|cx| self.poll_ready(cx)).await;
    }

    /// Adds a piece of the body.
    pub fn push(&mut self, piece: Bytes) {
        self.received += piece.len() as u64;
        if matches!(self.to, To::Memory) && self.received > self.zone.bounds.whole_max() {
            self.spill();
        }
        if let To::File(spill) = &mut self.to {
            let fits = spill.push(&piece);
            if !fits || self.growing.held() > UNWRITTEN_MAX {
                self.zone.stats.dropped.one();
                self.forsake();
            }
        }
        self.growing.push(piece);
    }

    /// All is there: it is stored, and look-ups find it. One of another length than was said is not.
    pub fn finish(mut self) -> Arc<Object> {
        if self.length.is_some_and(|length| length != self.received) {
            return Arc::clone(&self.object);
        }
        let to = std::mem::replace(&mut self.to, To::Nowhere);
        match to {
            To::Memory => {
                if let Some(body) = self.growing.gather() {
                    let (meta, entry) = (self.object.meta().clone(), Arc::clone(&self.object.entry));
                    self.object = Arc::new(Object::new(meta, Body::Whole(body), entry));
                    self.growing.finish();
                    self.zone.store(&self.object, self.ticket.number);
                }
            }
            To::File(spill) => {
                self.growing.finish();
                self.object.entry.pending.store(true, Relaxed);
                if self.zone.put(&self.object, self.ticket.number) {
                    spill.seal(Arc::clone(&self.object));
                }
            }
            To::Nowhere => {}
        }
        self.growing.finish();
        Arc::clone(&self.object)
    }

    /// It is too large for memory.
    fn spill(&mut self) {
        let disk = self.zone.disk.as_ref();
        let spill = disk.and_then(|disk| disk.spill(&self.zone, &self.object, &self.growing, self.length));
        let Some(mut spill) = spill else {
            return self.forsake();
        };
        if let Some(so_far) = self.growing.gather().filter(|bytes| !bytes.is_empty()) {
            spill.push(&so_far);
        }
        self.growing.spill(spill.body().clone());
        self.to = To::File(spill);
    }

    fn forsake(&mut self) {
        self.to = To::Nowhere;
        self.growing.forsake();
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        // After `finish` that says nothing.
        self.growing.abort();
    }
}
