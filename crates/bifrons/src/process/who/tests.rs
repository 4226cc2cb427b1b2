use super::*;

const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1111 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:ABCD 01 00000000:00000000 00:00000000 00000000     0        0 2222 1 0 100 0 0 10 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3333 1 0 100 0 0 10 0
";

#[test]
#[cfg(target_endian = "little")]
fn listening_sockets_are_found_by_overlap() {
    for (addr, inode) in [
        ("127.0.0.1:8080", Some(1111)),
        ("0.0.0.0:8080", Some(1111)),
        ("127.0.0.2:8080", None),
        ("127.0.0.1:8081", None),
        ("10.0.0.1:80", Some(3333)),
    ] {
        assert_eq!(inode_in(TABLE, addr.parse().unwrap()), inode, "{addr}");
    }
}

#[test]
fn our_own_socket_is_ours() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let found = listens_on(listener.local_addr().unwrap()).unwrap();
    assert!(found.contains(&format!("(process {})", std::process::id())), "{found}");
}
