use super::*;
use std::io::Write;
use std::os::unix::net::UnixStream;
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
