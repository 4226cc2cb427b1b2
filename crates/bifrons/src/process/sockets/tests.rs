use super::*;

#[test]
fn every_worker_has_a_socket_and_every_socket_a_worker() {
    for (workers, sockets) in [(1, 1), (4, 4), (4, 1), (1, 4), (3, 2), (2, 3)] {
        let dealt = deal(workers, sockets);
        assert!((0..workers).all(|worker| dealt.iter().any(|(w, _)| *w == worker)), "{workers} {sockets}");
        assert!((0..sockets).all(|socket| dealt.iter().any(|(_, s)| *s == socket)), "{workers} {sockets}");
        assert_eq!(dealt.len(), workers.max(sockets));
    }
}

#[test]
fn one_socket_a_worker_all_at_one_port() {
    let addr: Addr = "127.0.0.1:0".parse().unwrap();
    let sockets = bind(&addr, &ListenOptions::default(), 3).unwrap();
    let bound: Vec<Addr> = sockets.iter().map(|socket| socket.bound().unwrap()).collect();
    assert_eq!(bound.len(), 3);
    assert!(bound.iter().all(|addr| *addr == bound[0]));
    assert!(sockets.iter().all(|socket| *socket.addr() == addr));
}

#[test]
fn a_taken_port_names_who_has_it() {
    let addr: Addr = "127.0.0.1:0".parse().unwrap();
    let ours = bind(&addr, &ListenOptions::default(), 2).unwrap();
    let taken = ours[0].bound().unwrap();
    let error = bind(&taken, &ListenOptions::default(), 2).unwrap_err();
    let message = explain(&taken, &error);
    assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");
}
