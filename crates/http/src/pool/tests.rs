use super::*;
use bifrons_core::{Limits, Side};
use bifrons_net::Stream;
use std::io::Write;
use std::os::unix::net::UnixStream;

const KEEP: Keep = Keep {
    idle_max: 2,
    idle_timeout: Duration::from_secs(60),
    requests_max: 100,
    age_max: Duration::from_secs(3600),
};

fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test());
}

fn conn() -> (Rc<Conn>, UnixStream) {
    let (peer, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Rc::new(Conn::new(Stream::new(ours.into()).unwrap(), Side::Upstream)), peer)
}

fn pool() -> Pool {
    Pool::new(Arc::default(), 0)
}

/// Lets the reactor see what has come.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[test]
fn the_last_one_in_is_the_first_one_out() {
    run(async || {
        let (pool, (a, _a), (b, _b)) = (pool(), conn(), conn());
        pool.put(1, a.clone(), &KEEP);
        pool.put(1, b.clone(), &KEEP);
        assert_eq!(pool.len(1), 2);
        assert!(pool.take(2).is_none());
        assert!(Rc::ptr_eq(&pool.take(1).unwrap(), &b));
        assert!(Rc::ptr_eq(&pool.take(1).unwrap(), &a));
        assert!(pool.take(1).is_none());
    });
}

#[test]
fn no_more_than_allowed_are_kept() {
    run(async || {
        let (pool, conns) = (pool(), [conn(), conn(), conn()]);
        conns.iter().for_each(|(conn, _)| pool.put(1, conn.clone(), &KEEP));
        assert_eq!(pool.len(1), 2);
        pool.put(2, conns[2].0.clone(), &Keep { idle_max: 0, ..KEEP });
        pool.put(2, conns[2].0.clone(), &Keep { requests_max: 0, ..KEEP });
        pool.put(2, conns[2].0.clone(), &Keep { age_max: Duration::ZERO, ..KEEP });
        assert_eq!(pool.len(2), 0);
    });
}

/// A connection that has closed, or said something nobody asked for, serves no other request.
#[test]
fn what_is_not_quiet_is_not_reused() {
    run(async || {
        let (pool, (closed, peer), (spoke, mut other), (good, _peer)) = (pool(), conn(), conn(), conn());
        pool.put(1, good.clone(), &KEEP);
        pool.put(1, closed, &KEEP);
        pool.put(2, spoke, &KEEP);
        drop(peer);
        other.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        settle().await;
        assert!(Rc::ptr_eq(&pool.take(1).unwrap(), &good));
        assert!(pool.take(2).is_none());
    });
}

#[test]
fn unfinished_connections_are_not_kept() {
    run(async || {
        let (pool, (sending, _a), (reading, _b)) = (pool(), conn(), conn());
        sending.set_sending(true);
        pool.put(1, sending, &KEEP);
        let pace = crate::h1::Pace::timeout(KEEP.idle_timeout);
        reading.begin_body(crate::h1::framing::Framing::Length(1), &Limits::default(), pace, 1);
        pool.put(1, reading, &KEEP);
        assert_eq!(pool.len(1), 0);
    });
}

#[test]
fn the_old_are_swept() {
    run(async || {
        let (pool, (old, _a), (new, _b)) = (pool(), conn(), conn());
        pool.put(1, old, &Keep { idle_timeout: Duration::from_secs(1), ..KEEP });
        pool.put(1, new, &KEEP);
        pool.sweep(Instant::now() + Duration::from_secs(2));
        assert_eq!(pool.len(1), 1);
        pool.sweep(Instant::now() + Duration::from_secs(61));
        assert!(pool.is_empty());
    });
}

#[test]
fn siblings_see_who_is_rich() {
    run(async || {
        let board = Arc::new(Board::default());
        let (poor, rich) = (Pool::new(board.clone(), 0), Pool::new(board.clone(), 1));
        assert_eq!(board.richest(7, 0), None);
        let conns = [conn(), conn(), conn()];
        poor.put(7, conns[0].0.clone(), &KEEP);
        let [_, (b, _b), (c, _c)] = conns;
        rich.put(7, b, &KEEP);
        rich.put(7, c, &KEEP);
        assert_eq!((board.richest(7, 0), board.richest(7, 1), board.richest(8, 0)), (Some(1), Some(0), None));
        assert!(rich.give(7).is_some() && rich.give(7).is_some() && rich.give(7).is_none());
        assert_eq!(board.richest(7, 0), None);
    });
}

#[test]
fn a_connection_that_is_given_away_takes_its_age_along() {
    run(async || {
        let pool = pool();
        let (conn, mut peer) = conn();
        peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        conn.read_response(&Limits::default(), Duration::MAX).await.unwrap();
        let born = conn.born();
        pool.put(1, conn, &KEEP);
        let given = pool.give(1).unwrap();
        assert_eq!((given.messages, given.born), (1, born));
        let stream = Stream::new(given.fd).unwrap();
        let conn = Rc::new(Conn::resumed(stream, Side::Upstream, (given.born, given.messages)));
        pool.put(1, conn, &Keep { requests_max: 1, ..KEEP });
        assert_eq!(pool.len(1), 0, "it has carried what it may");
    });
}

#[test]
fn a_pinned_connection_is_there_for_whoever_holds_the_pin() {
    run(async || {
        let (pool, pin, (conn, peer)) = (Rc::new(pool()), Rc::new(Pin::default()), conn());
        Home::pinned(pin.clone(), KEEP).send(conn.clone());
        assert!(!pin.is_empty() && pool.is_empty());
        assert!(Rc::ptr_eq(&pin.take().unwrap(), &conn));
        assert!(pin.take().is_none());
        Home::pinned(pin.clone(), Keep { age_max: Duration::ZERO, ..KEEP }).send(conn.clone());
        assert!(pin.is_empty());
        Home::pinned(pin.clone(), KEEP).send(conn);
        drop(peer);
        settle().await;
        assert!(pin.take().is_none(), "it died");
    });
}
