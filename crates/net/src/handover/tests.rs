use super::*;
use crate::ListenOptions;
use std::process::Stdio;

fn socket() -> Listening {
    Listening::bind(&"127.0.0.1:0".parse().unwrap(), &ListenOptions::default()).unwrap()
}

#[test]
fn paths_with_separators_come_back() {
    for text in ["unix:/run/a;b.sock", "unix:/run/100%3B", "127.0.0.1:80"] {
        assert_eq!(unescape(&escape(text)), text);
    }
}

#[test]
fn a_child_gets_the_sockets_and_the_parent_keeps_them_to_itself() {
    let sockets = [socket(), socket()];
    let (read, write) = std::io::pipe().unwrap();
    let pipe = write.as_raw_fd();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ls /proc/$$/fd; echo $BIFRONS_LISTEN_FDS; echo $BIFRONS_READY_FD"])
        .stdout(Stdio::piped());
    let output = start(command, &sockets, write.into()).unwrap().wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for fd in [sockets[0].as_raw_fd(), sockets[1].as_raw_fd(), pipe] {
        assert!(text.lines().any(|line| line == fd.to_string()), "{fd} in {text}");
    }
    assert!(text.contains(&format!("{}=127.0.0.1:", sockets[1].as_raw_fd())), "{text}");
    for socket in &sockets {
        assert_eq!(rustix::io::fcntl_getfd(socket).unwrap(), FdFlags::CLOEXEC);
    }
    drop(read);
}

#[test]
fn an_adopted_socket_serves_the_address_it_is_told() {
    let socket = socket();
    let fd = rustix::io::fcntl_dupfd_cloexec(&socket, 3).unwrap();
    let listen = format!("{}=127.0.0.1:0", fd.as_raw_fd());
    std::mem::forget(fd);
    let inherited = Inherited::from_old(Some(&listen), None).unwrap();
    assert_eq!(inherited.sockets[0].addr().to_string(), "127.0.0.1:0");
}

#[test]
fn what_is_no_descriptor_is_refused() {
    for text in ["x", "1=127.0.0.1:80", "99999=127.0.0.1:80", "-1=127.0.0.1:80"] {
        assert!(Inherited::from_old(Some(text), None).is_err(), "{text}");
    }
}
