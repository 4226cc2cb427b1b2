use super::*;
use std::net::UdpSocket;
use std::time::Duration;

#[test]
fn a_line_has_nginxs_form_and_an_end() {
    let line = line("error", &format!("two\nlines {}", "x".repeat(3000)));
    assert!(line.contains(" [error] ") && line.contains(": two lines xxx"), "{line}");
    assert!(line.ends_with("x\n") && line.len() == LINE_BYTES_MAX, "{}", line.len());
}

#[test]
fn logs_of_one_file_share_it_and_are_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("e.log");
    let to = Destination::File(path.to_str().unwrap().to_owned());
    let outputs = ErrorOutputs::default();
    let (one, other) = (outputs.open(&to).unwrap(), outputs.open(&to).unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    one.message("error", "first");
    std::fs::rename(&path, dir.path().join("old")).unwrap();
    outputs.reopen();
    other.message("info", "second");
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(read("old").ends_with(": first\n") && read("e.log").ends_with(": second\n"));
    assert!(read("e.log").contains(" [info] "));
}

#[test]
fn a_syslog_is_told_each_severity() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let syslog = Syslog { server: server.local_addr().unwrap().to_string(), ..Syslog::default() };
    let output = ErrorOutput::open(&Destination::Syslog(syslog)).unwrap();
    // local7 is 23, error 3, info 6 (RFC 3164 4.1.1).
    for (severity, priority) in [("error", "<187>"), ("info", "<190>")] {
        output.message(severity, "what went wrong");
        let mut datagram = [0; 2048];
        let count = server.recv(&mut datagram).unwrap();
        let text = String::from_utf8_lossy(&datagram[..count]).into_owned();
        assert!(text.starts_with(priority) && text.ends_with("what went wrong"), "{text}");
        assert!(text.contains(&format!(" [{severity}] ")), "{text}");
    }
}
