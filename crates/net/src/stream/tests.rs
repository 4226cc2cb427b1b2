use super::*;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::time::Duration;

/// A stream whose peer has spoken and gone.
async fn stirred() -> Stream {
    let (mut peer, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let stream = Stream::new(ours.into()).unwrap();
    peer.write_all(b"x").unwrap();
    drop(peer);
    tokio::time::sleep(Duration::from_millis(1)).await;
    stream
}

/// A task that has used up its budget is told "pending" by everything it waits for; what is only asked in
/// passing must be told the truth, or a dead connection passes for a quiet one.
#[test]
fn news_shows_without_a_budget_left() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = stirred().await;
        poll_fn(|cx| {
            // Bounded: tokio's budget is some hundred.
            while tokio::task::coop::has_budget_remaining() {
                assert!(stream.poll_readable(cx).is_ready());
            }
            assert!(stream.poll_readable(cx).is_pending(), "the budget is used up");
            assert!(stream.has_stirred() && stream.is_read_closed() && stream.is_hung_up());
            stream.clear_readable();
            Poll::Ready(())
        })
        .await;
    });
}

/// Whether somebody was woken.
struct Woken(AtomicBool);

impl Woken {
    fn flag() -> (Arc<Self>, Waker) {
        let flag = Arc::new(Self(AtomicBool::new(false)));
        (flag.clone(), flag.into())
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A stream that is not registered, and its peer.
fn just_accepted() -> (Stream, UnixStream) {
    let (peer, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Stream::just_accepted(ours.into()), peer)
}

#[tokio::test]
async fn news_of_a_stream_nobody_has_waited_for_come_once_it_is_looked_after() {
    let (stream, peer) = just_accepted();
    let (woken, waker) = Woken::flag();
    drop(peer);
    assert!(stream.poll_news(&mut Context::from_waker(&waker)).is_pending() && !woken.is_set());

    look_after();

    assert!(woken.is_set());
    poll_fn(|cx| stream.poll_news(cx)).await.unwrap();
    assert!(stream.is_read_closed() && stream.is_hung_up());
}

#[tokio::test]
async fn who_reads_is_on_no_list_of_watchers() {
    let (stream, mut peer) = just_accepted();
    let (woken, waker) = Woken::flag();
    assert!(stream.poll_news(&mut Context::from_waker(&waker)).is_pending());
    peer.write_all(b"x").unwrap();
    let mut buf = BytesMut::new();
    assert_eq!(poll_fn(|cx| stream.poll_read(cx, &mut buf, |buf| buf.reserve(16))).await.unwrap(), 1);

    look_after();

    assert!(!woken.is_set());
}

#[test]
fn a_stream_that_the_reactor_does_not_know_may_have_stirred() {
    let (stream, mut peer) = just_accepted();
    assert!(stream.has_stirred() && !stream.has_unread());
    peer.write_all(b"x").unwrap();
    assert!(stream.has_unread());
    drop(stream.into_fd());
}
