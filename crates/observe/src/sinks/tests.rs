use super::*;
use crate::config::{GzipFile, Syslog};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, SystemTime};

fn records(lines: &[&str]) -> Records {
    let mut records = Records::default();
    for line in lines {
        records.push_with(|out| {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        });
    }
    records
}

fn message(to: &Destination) -> String {
    open(to).err().unwrap().to_string()
}

fn syslog(server: String) -> Syslog {
    Syslog { server, ..Syslog::default() }
}

fn open_syslog(config: Syslog) -> Box<dyn Sink> {
    open(&Destination::Syslog(config)).unwrap()
}

fn udp_server() -> (UdpSocket, String) {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = server.local_addr().unwrap().to_string();
    (server, address)
}

fn receive(server: &UdpSocket) -> String {
    let mut buf = [0; 2048];
    let count = server.recv(&mut buf).unwrap();
    String::from_utf8(buf[..count].to_vec()).unwrap()
}

#[test]
fn records_know_their_edges() {
    let records = records(&["one", "two\nlines", ""]);
    assert_eq!(records.iter().collect::<Vec<_>>(), [&b"one"[..], b"two\nlines", b""]);
    assert_eq!((records.count_after(0), records.count_after(3), records.count_after(4)), (3, 3, 2));
    assert!(!records.is_torn_at(0) && records.is_torn_at(3) && !records.is_torn_at(4));
}

#[test]
fn files_are_appended_to_and_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
    std::fs::write(&path, "before\n").unwrap();
    let mut sink = open(&Destination::File(path.to_str().unwrap().to_owned())).unwrap();
    sink.write(&records(&["1"])).unwrap();
    std::fs::rename(&path, &old).unwrap();
    sink.write(&records(&["2"])).unwrap();
    sink.reopen().unwrap();
    sink.write(&records(&["3"])).unwrap();
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "before\n1\n2\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "3\n");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o133, 0);
}

fn gzip(path: &std::path::Path, level: u32) -> Destination {
    Destination::Gzip(GzipFile { file: path.to_str().unwrap().to_owned(), level })
}

fn unzipped(path: &std::path::Path) -> String {
    let mut text = String::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap());
    io::Read::read_to_string(&mut decoder, &mut text).unwrap();
    text
}

#[test]
fn compressed_files_can_be_read_at_any_time() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("a.gz"), dir.path().join("a.gz.1"));
    let mut sink = open(&gzip(&path, 5)).unwrap();
    sink.write(&records(&["1", "2"])).unwrap();
    assert_eq!(unzipped(&path), "1\n2\n");
    sink.write(&records(&["3"])).unwrap();
    assert_eq!(unzipped(&path), "1\n2\n3\n");
    std::fs::rename(&path, &old).unwrap();
    sink.reopen().unwrap();
    sink.write(&records(&["4"])).unwrap();
    assert_eq!((unzipped(&old), unzipped(&path)), ("1\n2\n3\n".to_owned(), "4\n".to_owned()));
}

#[test]
fn a_compressed_file_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gz");
    assert!(message(&gzip(&path, 10)).ends_with("must be 1 to 9, not 10"));
    assert!(message(&gzip(&dir.path().join("no/a.gz"), 1)).ends_with("/no\" does not exist"));
    let mut sink = open(&gzip(std::path::Path::new("/dev/full"), 1)).unwrap();
    assert_eq!(sink.write(&records(&["1", "2"])).unwrap_err().records, 2);
}

#[test]
fn a_missing_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no/where.log").to_str().unwrap().to_owned();
    let message = message(&Destination::File(path));
    assert!(message.ends_with("/no\" does not exist"), "{message}");
}

#[test]
fn a_full_disk_loses_the_batch_and_nothing_else() {
    let mut sink = open(&Destination::File("/dev/full".into())).unwrap();
    let lost = sink.write(&records(&["1", "2"])).unwrap_err();
    assert_eq!((lost.records, lost.error.kind()), (2, io::ErrorKind::StorageFull));
    assert_eq!(sink.write(&records(&["3"])).unwrap_err().records, 1);
}

#[test]
fn a_named_pipe_never_hangs_and_records_stay_apart() {
    use rustix::fs::{CWD, FileType, Mode, OFlags};
    use std::os::unix::fs::OpenOptionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let to = Destination::File(path.to_str().unwrap().to_owned());
    assert!(message(&to).contains("cannot open access log"), "no one reads");

    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let mut reader = std::fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(&path).unwrap();
    let mut sink = open(&to).unwrap();
    // No multiple of it fills the pipe, so the last record that begins to fit is torn.
    let line = "x".repeat(9_999);
    let lost = sink.write(&records(&vec![line.as_str(); 20])).unwrap_err();
    assert_eq!(lost.error.kind(), io::ErrorKind::TimedOut);

    let mut buf = vec![0; 1 << 20];
    let got = io::Read::read(&mut reader, &mut buf).unwrap();
    assert_eq!(lost.records as usize, 20 - got / 10_000);
    assert_ne!(got % 10_000, 0);
    sink.write(&records(&["next"])).unwrap();
    let got = io::Read::read(&mut reader, &mut buf).unwrap();
    assert_eq!(&buf[..got], b"\nnext\n");
}

#[test]
fn syslog_messages_are_those_of_nginx() {
    let (server, address) = udp_server();
    let mut config = syslog(address);
    config.tag = "nginx".into();
    let mut sink = open_syslog(config.clone());
    sink.write(&records(&["GET / 200", "second"])).unwrap();
    let first = receive(&server);
    let (time, rest) = first.strip_prefix("<190>").unwrap().split_at(15);
    assert_eq!(rest, format!(" {} nginx: GET / 200", crate::hostname()));
    let mut now = Vec::new();
    time_syslog_now(&mut now);
    assert_eq!(time.as_bytes()[..12], now[..12], "the same minute (or this test ran over its end)");
    assert!(receive(&server).ends_with(" nginx: second"));

    config.hostname = false;
    (config.facility, config.severity) = ("daemon".into(), "error".into());
    open_syslog(config).write(&records(&["x"])).unwrap();
    let bare = receive(&server);
    assert_eq!((&bare[..4], &bare[19..]), ("<27>", " nginx: x"));
}

fn time_syslog_now(out: &mut Vec<u8>) {
    crate::time::time_syslog(SystemTime::now(), out);
}

#[test]
fn a_restarted_syslog_daemon_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut sink = open_syslog(syslog(format!("unix:{}", path.display())));
    assert_eq!(sink.write(&records(&["early", "lost too"])).unwrap_err().records, 2);

    let first = UnixDatagram::bind(&path).unwrap();
    sink.write(&records(&["one"])).unwrap();
    drop(first);
    std::fs::remove_file(&path).unwrap();
    let second = UnixDatagram::bind(&path).unwrap();
    sink.write(&records(&["two"])).unwrap();
    let mut buf = [0; 512];
    let count = second.recv(&mut buf).unwrap();
    assert!(buf[..count].ends_with(b" bifrons: two"));
}

#[test]
fn a_stuck_syslog_daemon_costs_its_batch_only_a_moment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let _never_read = UnixDatagram::bind(&path).unwrap();
    let mut sink = open_syslog(syslog(format!("unix:{}", path.display())));
    let line = "x".repeat(1000);
    let lost = sink.write(&records(&vec![line.as_str(); 2000])).unwrap_err();
    assert!(lost.records > 0 && lost.records < 2000, "{lost:?}");
}

#[test]
fn a_record_too_large_for_a_datagram_is_lost_alone() {
    let (server, address) = udp_server();
    let mut sink = open_syslog(syslog(address));
    let large = "x".repeat(70_000);
    assert_eq!(sink.write(&records(&["a", &large, "b"])).unwrap_err().records, 1);
    assert!(receive(&server).ends_with(": a") && receive(&server).ends_with(": b"));
}

#[test]
fn wrong_syslog_settings_are_said() {
    let wrong = |change: fn(&mut Syslog)| {
        let mut config = syslog("127.0.0.1:514".into());
        change(&mut config);
        message(&Destination::Syslog(config))
    };
    assert!(wrong(|c| c.facility = "local8".into()).starts_with("unknown syslog facility \"local8\""));
    assert!(wrong(|c| c.severity = "fatal".into()).contains("emerg, alert, crit"));
    assert!(wrong(|c| c.tag = "a-b".into()).contains("1 to 32 letters"));
    assert!(wrong(|c| c.tag = "x".repeat(33)).contains("1 to 32 letters"));
    assert!(wrong(|c| c.server = "127.0.0.1:port".into()).contains("write it as 127.0.0.1:514"));
    for server in ["127.0.0.1", "::1", "[::1]:5514", "localhost"] {
        assert!(open(&Destination::Syslog(syslog(server.into()))).is_ok(), "{server}");
    }
}
