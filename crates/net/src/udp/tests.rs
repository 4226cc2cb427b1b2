use super::*;
use crate::{Addr, ListenOptions};
use std::net::UdpSocket;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn bound(addr: &str) -> (Udp, SocketAddr) {
    let addr: SocketAddr = addr.parse().unwrap();
    let options = ListenOptions { reuse_port: false, ipv6_only: false, ..ListenOptions::default() };
    let listening = Listening::bind(&Addr::Udp(addr), &options).unwrap();
    let at = listening.bound().unwrap().inet().unwrap();
    (Udp::bound(listening).unwrap(), at)
}

/// Reads until so many datagrams have come; each with who sent it and where to.
async fn collect(socket: &Udp, count: usize) -> Vec<(Vec<u8>, SocketAddr, Option<Via>)> {
    let batch = RefCell::default();
    let mut all = Vec::new();
    while all.len() < count {
        socket.receive(&batch).await.unwrap();
        for got in batch.borrow().iter() {
            let len = got.piece.segment.map_or(got.piece.bytes.len(), usize::from).max(1);
            match got.piece.bytes {
                [] => all.push((Vec::new(), got.peer.unwrap(), got.via)),
                bytes => {
                    all.extend(bytes.chunks(len).map(|one| (one.to_vec(), got.peer.unwrap(), got.via)));
                }
            }
        }
    }
    all
}

#[test]
fn many_go_with_a_call_and_come_with_one() {
    runtime().block_on(async {
        let (socket, at) = bound("127.0.0.1:0");
        let client = Udp::connected(at, None).unwrap();
        let texts: Vec<Vec<u8>> = (0..70u8).map(|number| vec![number; usize::from(number)]).collect();
        let pieces: Vec<_> = texts.iter().map(|bytes| Piece { bytes, segment: None }).collect();
        assert_eq!(client.send(None, &pieces).datagrams, 70);
        let got = collect(&socket, 70).await;
        assert!(got.iter().map(|(bytes, ..)| bytes).eq(&texts));
        assert!(got.iter().all(|(_, peer, via)| Some(*peer) == client.local_addr() && via.is_none()));
    });
}

#[test]
fn a_bundle_is_as_many_datagrams_as_it_has_segments() {
    runtime().block_on(async {
        let (socket, at) = bound("127.0.0.1:0");
        let client = Udp::connected(at, None).unwrap();
        let bytes: Vec<u8> = (0..5_050u16).map(|at| (at / 1000) as u8).collect();
        let piece = Piece { bytes: &bytes, segment: Some(1000) };
        assert_eq!(piece.count(), 6);
        assert_eq!(client.send(None, &[piece]).datagrams, 6);
        let got = collect(&socket, 6).await;
        assert_eq!(
            got.iter().map(|(bytes, ..)| bytes.len()).collect::<Vec<_>>(),
            [1000, 1000, 1000, 1000, 1000, 50]
        );
        assert!(got.iter().enumerate().all(|(at, (bytes, ..))| bytes.iter().all(|byte| *byte == at as u8)));
        // One that nothing on the way can carry whole goes one by one.
        let big = vec![7; 15_000];
        assert_eq!(client.send(None, &[Piece { bytes: &big, segment: Some(100) }]).datagrams, 150);
        assert_eq!(collect(&socket, 150).await.len(), 150);
    });
}

#[test]
fn the_longest_datagram_passes() {
    runtime().block_on(async {
        let (socket, at) = bound("[::1]:0");
        let client = Udp::connected(at, None).unwrap();
        let bytes = vec![9; 65_507];
        assert!(client.send(None, &[Piece { bytes: &bytes, segment: None }]).failed.is_none());
        assert_eq!(collect(&socket, 1).await[0].0.len(), 65_507);
    });
}

#[test]
fn one_that_is_refused_keeps_no_other_back() {
    runtime().block_on(async {
        let (socket, at) = bound("127.0.0.1:0");
        let client = Udp::connected(at, None).unwrap();
        let long = vec![9; 65_508];
        let pieces = [&b"first"[..], &long, b"second", &long, b"third"];
        let pieces = pieces.map(|bytes| Piece { bytes, segment: None });
        let sent = client.send(None, &pieces);
        assert_eq!((sent.datagrams, sent.bytes), (3, 16));
        assert_eq!(sent.failed.unwrap().raw_os_error(), Some(libc::EMSGSIZE));
        let got = collect(&socket, 3).await;
        assert!(got.iter().map(|(bytes, ..)| &bytes[..]).eq([&b"first"[..], b"second", b"third"]));
    });
}

#[test]
fn an_answer_comes_from_the_address_that_was_asked() {
    runtime().block_on(async {
        for (listen, asked) in [("0.0.0.0:0", "127.0.0.77"), ("[::]:0", "::1"), ("[::]:0", "127.0.0.77")] {
            let (socket, at) = bound(listen);
            let asked = SocketAddr::new(asked.parse().unwrap(), at.port());
            let client = UdpSocket::bind(if asked.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).unwrap();
            client.send_to(b"who", asked).unwrap();
            let got = collect(&socket, 1).await;
            let (_, peer, via) = &got[0];
            assert_eq!(via.unwrap().ip.to_canonical(), asked.ip());
            let to = To { peer: *peer, via: *via };
            assert_eq!(socket.send(Some(to), &[Piece { bytes: b"me", segment: None }]).bytes, 2);
            client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            assert_eq!(client.recv_from(&mut [0; 9]).unwrap(), (2, asked));
        }
    });
}

#[test]
fn a_connected_socket_learns_that_nobody_is_there() {
    runtime().block_on(async {
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = Udp::connected(nobody, None).unwrap();
        client.send(None, &[Piece { bytes: b"hello", segment: None }]);
        let err = client.receive(&RefCell::default()).await.unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::ConnectionRefused);
    });
}
