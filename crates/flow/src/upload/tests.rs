use super::*;
use bifrons_core::{Limits, Side};
use bifrons_http::h1::framing::Framing;
use bifrons_http::h1::{H1Body, Pace};
use bifrons_net::Stream;
use std::io::Write;
use std::os::unix::net::UnixStream;

fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test());
}

fn conn(side: Side) -> (Rc<Conn>, UnixStream) {
    let (peer, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Rc::new(Conn::new(Stream::new(ours.into()).unwrap(), side)), peer)
}

/// A chunked body of which these bytes have come, behind a head `HEAD`.
async fn upload(bytes: &[u8]) -> (Upload, UnixStream) {
    let (conn, mut peer) = conn(Side::Downstream);
    peer.write_all(bytes).unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    conn.begin_body(Framing::Chunked, &Limits::default(), Pace::timeout(Duration::MAX), u64::MAX);
    let mut head = Scratch::new();
    head.extend_from_slice(b"HEAD");
    let body = Body::H1(Box::new(H1Body::new(conn, None)));
    (Upload::new(body, true, head), peer)
}

#[test]
fn a_small_body_that_is_there_goes_out_with_its_head() {
    run(async || {
        let (mut upload, _peer) = upload(b"5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n").await;
        upload.gather().await.unwrap();
        assert!(upload.is_ended());
        let text = String::from_utf8(upload.out.clone()).unwrap();
        assert_eq!(text, "HEAD5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n");
        assert!(upload.untouched().is_none());
    });
}

#[test]
fn a_head_waits_for_nothing() {
    run(async || {
        let (mut upload, _peer) = upload(b"").await;
        upload.gather().await.unwrap();
        assert_eq!((&upload.out[..], upload.is_ended()), (&b"HEAD"[..], false));
        assert!(upload.untouched().is_some(), "it may still go elsewhere");
    });
}

#[test]
fn pieces_are_gathered_up_to_a_bound_and_big_ones_are_not_copied() {
    run(async || {
        let chunk = [b"3e8\r\n", [b'x'; 1000].as_slice(), b"\r\n"].concat();
        let (mut small, _peer) = upload(&chunk.repeat(100)).await;
        small.gather().await.unwrap();
        assert!(small.out.len() >= GATHER_BYTES && small.out.len() < GATHER_BYTES + 2000);
        assert!(small.piece.is_empty());
        let big = [b"2000\r\n", [b'x'; 8192].as_slice(), b"\r\n"].concat();
        let (mut big, _peer) = upload(&big).await;
        big.gather().await.unwrap();
        assert_eq!((&big.out[..], big.piece.len()), (&b"HEAD2000\r\n"[..], 8192));
    });
}

#[test]
fn the_rest_is_sent_as_it_comes() {
    run(async || {
        let (to, mut endpoint) = conn(Side::Upstream);
        let (upload, mut client) = upload(b"1\r\na\r\n").await;
        let sends = async {
            upload.run(to.clone(), Duration::MAX).await.unwrap();
        };
        let writes = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            client.write_all(b"2000\r\n").unwrap();
            client.write_all(&[b'x'; 8192]).unwrap();
            client.write_all(b"\r\n0\r\n\r\n").unwrap();
        };
        tokio::join!(sends, writes);
        drop(to);
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut endpoint, &mut text).unwrap();
        assert!(text.starts_with(b"HEAD1\r\na\r\n") && text.ends_with(b"x\r\n0\r\n\r\n"));
        assert_eq!(text.iter().filter(|&&b| b == b'x').count(), 8192);
    });
}
