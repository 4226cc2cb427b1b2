//! Requests that wait while all endpoints of a cluster have their `max_conns` under way.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, fence};
use std::time::Duration;
use tokio::sync::Notify;

/// The queue of a cluster, shared by all workers.
#[derive(Debug)]
pub struct Queue {
    waiting: AtomicU32,
    max: u32,
    /// How long each may wait.
    pub timeout: Duration,
    free: Notify,
}

/// A request's place in the queue.
#[derive(Debug)]
pub struct Place(Arc<Queue>);

/// Told when it is dropped: an endpoint has room again.
#[derive(Debug)]
pub struct Room(Arc<Queue>);

impl Queue {
    /// For so many requests, each so long.
    pub fn new(max: u32, timeout: Duration) -> Arc<Self> {
        Arc::new(Self { waiting: AtomicU32::new(0), max, timeout, free: Notify::new() })
    }

    /// A place; `None` where all are taken.
    pub fn enter(self: &Arc<Self>) -> Option<Place> {
        if self.waiting.fetch_add(1, Relaxed) >= self.max {
            self.waiting.fetch_sub(1, Relaxed);
            return None;
        }
        // Either the one who looks for an endpoint from here on finds room, or who makes room finds him here.
        fence(SeqCst);
        Some(Place(self.clone()))
    }

    /// Of a request that an endpoint works on.
    pub fn room(self: &Arc<Self>) -> Room {
        Room(self.clone())
    }
}

impl Place {
    /// Waits until an endpoint may have room. Whoever stops waiting passes the news on by
    /// [`Place::pass_on`]: several rooms may have become free with one notice.
    pub async fn wait(&self) {
        self.0.free.notified().await;
    }

    /// Tells the next one.
    pub fn pass_on(&self) {
        self.0.free.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        fence(SeqCst);
        if self.0.waiting.load(Relaxed) > 0 {
            self.0.free.notify_one();
        }
    }
}
