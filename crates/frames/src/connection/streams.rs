//! The streams of a connection, and what is remembered of those that are gone.

use crate::frame::Reason;
use std::collections::VecDeque;

/// 64: streams that are remembered when they are over, so that frames which were on their way are told from those
/// that break the rules (RFC 9113 5.1).
const REMEMBERED: usize = 64;

/// A stream's place; its owner's as long as it has not released it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub(super) u32);

/// Who has reset a stream, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The client.
    ByClient(Reason),
    /// We, because of what the client sent, or because our half broke off.
    ByUs(Reason),
}

/// One stream.
#[derive(Debug)]
pub struct Stream<T> {
    pub(super) id: u32,
    /// What the client still takes.
    pub(super) send_window: i64,
    /// What the client may still send.
    pub(super) recv_window: i64,
    /// What was passed on and is not yet said to be free again.
    pub(super) unannounced: u32,
    /// Bytes of the body still to come, where they were announced.
    pub(super) left: Option<u64>,
    pub(super) recv_ended: bool,
    pub(super) send_ended: bool,
    pub(super) reset: Option<Reset>,
    /// What its owner keeps with it.
    pub owner: T,
}

impl<T> Stream<T> {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Who has reset it, if somebody has.
    pub fn reset(&self) -> Option<Reset> {
        self.reset
    }

    /// Whether the client has sent all of its request.
    pub fn is_received(&self) -> bool {
        self.recv_ended
    }

    pub(super) fn is_over(&self) -> bool {
        self.reset.is_some() || self.recv_ended && self.send_ended
    }
}

/// How a stream came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// We have reset it, or passed over it: what is on its way is nobody's fault.
    Ours,
    /// The client knew.
    Known,
}

/// All streams.
#[derive(Debug)]
pub(super) struct Streams<T> {
    slots: Vec<Option<Stream<T>>>,
    free: Vec<u32>,
    /// Those the protocol knows as open or half-closed, by their numbers, which only grow.
    open: VecDeque<(u32, Key)>,
    over: VecDeque<(u32, End)>,
}

impl<T> Streams<T> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), open: VecDeque::new(), over: VecDeque::new() }
    }

    /// How many are open or half-closed.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// How many have an owner.
    pub(super) fn owned(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Those that are open, in the order of their numbers.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.open.iter().map(|(_, key)| *key)
    }

    pub(super) fn find(&self, id: u32) -> Option<Key> {
        let at = self.open.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.open.get(at).map(|(_, key)| *key)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Stream<T>> {
        self.slots.get(key.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Stream<T>> {
        self.slots.get_mut(key.0 as usize)?.as_mut()
    }

    /// Adds one whose number is larger than all before.
    pub(super) fn add(&mut self, stream: Stream<T>) -> Key {
        let id = stream.id;
        let key = match self.free.pop() {
            Some(at) => Key(at),
            None => {
                self.slots.push(None);
                Key(self.slots.len() as u32 - 1)
            }
        };
        if let Some(slot) = self.slots.get_mut(key.0 as usize) {
            *slot = Some(stream);
        }
        self.open.push_back((id, key));
        key
    }

    /// Closes a stream that is over.
    pub(super) fn settle(&mut self, key: Key) {
        let Some(stream) = self.get(key).filter(|stream| stream.is_over()) else { return };
        let end = match stream.reset {
            Some(Reset::ByUs(_)) => End::Ours,
            _ => End::Known,
        };
        let id = stream.id;
        if let Ok(at) = self.open.binary_search_by_key(&id, |(id, _)| *id) {
            self.open.remove(at);
            self.remember(id, end);
        }
    }

    pub(super) fn take(&mut self, key: Key) -> Option<Stream<T>> {
        let stream = self.slots.get_mut(key.0 as usize)?.take()?;
        self.free.push(key.0);
        Some(stream)
    }

    pub(super) fn forget_open(&mut self, id: u32) {
        if let Ok(at) = self.open.binary_search_by_key(&id, |(id, _)| *id) {
            self.open.remove(at);
        }
    }

    pub(super) fn remember(&mut self, id: u32, end: End) {
        if self.over.len() == REMEMBERED {
            self.over.pop_front();
        }
        self.over.push_back((id, end));
    }

    /// How a stream ended, as long as that is remembered.
    pub(super) fn end_of(&self, id: u32) -> Option<End> {
        self.over.iter().rev().find(|(over, _)| *over == id).map(|(_, end)| *end)
    }
}
