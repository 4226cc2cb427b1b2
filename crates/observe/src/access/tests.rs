use super::*;
use crate::format::tests::vars;
use crate::sinks::{Lost, Records};
use bifrons_config::units::{Dur, Size};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

const LIMIT: Duration = Duration::from_secs(10);

/// A sink that stands still until it is let go, and then keeps what it gets.
struct Stuck {
    go: Receiver<()>,
    got: Arc<Mutex<Vec<u8>>>,
}

impl Sink for Stuck {
    fn write(&mut self, records: &Records) -> Result<(), Lost> {
        // An error means that the gate is open for good.
        let _ = self.go.recv();
        lock(&self.got).extend_from_slice(records.bytes());
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        lock(&self.got).extend_from_slice(b"reopened\n");
        Ok(())
    }
}

/// What opens the gate, what came through it, and the sink behind it.
type Gated = (Sender<()>, Arc<Mutex<Vec<u8>>>, Box<dyn Sink>);

fn stuck() -> Gated {
    let (gate, go) = channel();
    let got = Arc::new(Mutex::new(Vec::new()));
    (gate, Arc::clone(&got), Box::new(Stuck { go, got }))
}

fn line_format() -> Arc<CompiledFormat> {
    let template = Template::parse("$host").unwrap();
    Arc::new(CompiledFormat::build(&crate::config::LogFormat::Text {
        template,
        escape: crate::config::Escape::Default,
    }))
}

fn log_into(logger: &AccessLogger, name: &str, sink: Box<dyn Sink>, queue: Size) -> Log {
    let output = logger.output(&Destination::File(name.into()), || Ok(sink)).unwrap();
    let queue_bytes = queue.0 as usize;
    Log { output, format: line_format(), path: None, when: None, queue_bytes, flush: AccessLog::FLUSH.0 }
}

fn file_log(path: &Path) -> AccessLog {
    AccessLog::new(Destination::File(path.to_str().unwrap().into()))
}

fn host(name: &str) -> impl bifrons_config::Lookup {
    vars(&[("host", name)])
}

fn wait_for(what: impl Fn() -> bool) {
    let until = Instant::now() + LIMIT;
    while !what() {
        assert!(Instant::now() < until, "waited in vain");
        thread::yield_now();
    }
}

#[test]
fn records_reach_the_file_by_flush_and_by_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let logger = AccessLogger::start().unwrap();
    let log = logger.open(&file_log(&path), line_format()).unwrap();
    let buffer = logger.buffer();
    buffer.record(&log, &host("flushed"));
    buffer.flush();
    wait_for(|| std::fs::read(&path).unwrap() == b"flushed\n");

    let long = "x".repeat(1023);
    for _ in 0..40 {
        buffer.record(&log, &host(&long));
    }
    wait_for(|| logger.totals().written == 33);
    drop(buffer);
    assert!(logger.close(LIMIT));
    assert_eq!(logger.totals(), LogTotals { written: 41, bytes: 8 + 40 * 1024, dropped: 0, errors: 0 });
    assert_eq!(std::fs::read(&path).unwrap().len(), 8 + 40 * 1024);
}

#[test]
fn a_stuck_sink_never_blocks_and_drops_are_counted() {
    let logger = AccessLogger::start().unwrap();
    let (gate, got, sink) = stuck();
    let log = log_into(&logger, "stuck", sink, Size::kib(64));
    let buffer = logger.buffer();
    let kib = "y".repeat(1023);
    // 32 KiB go at once whatever waits, 32 more fit into the queue, and the rest does not.
    for _ in 0..1000 {
        buffer.record(&log, &host(&kib));
    }
    buffer.flush();
    let dropped = logger.totals().dropped;
    assert_eq!(dropped, 1000 - 64);
    drop(gate);
    wait_for(|| logger.totals().written == 64);
    buffer.record(&log, &host("again"));
    drop(buffer);
    assert!(logger.close(LIMIT));
    assert_eq!(lock(&got).len(), 64 * 1024 + 6);
    assert_eq!(logger.totals().dropped, dropped);
}

#[test]
fn a_channel_full_of_small_buffers_drops_too() {
    let logger = AccessLogger::start().unwrap();
    let (gate, _got, sink) = stuck();
    let log = log_into(&logger, "stuck", sink, Size::kib(1024));
    let buffer = logger.buffer();
    let sent = CHANNEL_BUFFERS as u64 + 100;
    for _ in 0..sent {
        buffer.record(&log, &host("a"));
        buffer.flush();
    }
    let dropped = logger.totals().dropped;
    assert!((99..=100).contains(&dropped), "{dropped}");
    logger.reopen();
    assert!(!logger.close(Duration::ZERO), "it is stuck");
    drop(gate);
    assert!(logger.close(LIMIT));
    assert_eq!(logger.totals().written, sent - dropped);
}

#[test]
fn reopen_lets_a_renamed_file_go_after_the_records_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
    let logger = AccessLogger::start().unwrap();
    let log = logger.open(&file_log(&path), line_format()).unwrap();
    let buffer = logger.buffer();
    std::fs::rename(&path, &old).unwrap();
    buffer.record(&log, &host("before"));
    buffer.flush();
    logger.reopen();
    buffer.record(&log, &host("after"));
    buffer.flush();
    assert!(logger.close(LIMIT));
    assert_eq!(std::fs::read(&old).unwrap(), b"before\n");
    assert_eq!(std::fs::read(&path).unwrap(), b"after\n");
}

#[test]
fn a_destination_is_open_once_and_closed_when_no_one_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = file_log(&dir.path().join("access.log"));
    let logger = AccessLogger::start().unwrap();
    let first = logger.open(&config, line_format()).unwrap();
    let second = logger.open(&config, line_format()).unwrap();
    assert!(Arc::ptr_eq(&first.output, &second.output));
    let weak = Arc::downgrade(&first.output);
    let buffer = logger.buffer();
    buffer.record(&first, &host("x"));
    drop((first, second));
    buffer.flush();
    wait_for(|| logger.totals().written == 1);
    wait_for(|| {
        buffer.flush();
        weak.strong_count() == 0
    });
    let third = logger.open(&config, line_format()).unwrap();
    buffer.record(&third, &host("y"));
    drop(buffer);
    assert!(logger.close(LIMIT));
    assert_eq!(logger.totals().written, 2, "counts go on");
}

#[test]
fn records_wait_as_long_as_their_log_lets_them() {
    let dir = tempfile::tempdir().unwrap();
    let (soon, late) = (dir.path().join("soon.log"), dir.path().join("late.log"));
    let logger = AccessLogger::start().unwrap();
    let patient = AccessLog { flush: Dur::secs(1), ..file_log(&late) };
    let logs = [file_log(&soon), patient].map(|config| logger.open(&config, line_format()).unwrap());
    let buffer = logger.buffer();
    for log in &logs {
        buffer.record(log, &host("x"));
    }
    buffer.tick(AccessLog::FLUSH.0);
    wait_for(|| logger.totals().written == 1);
    assert_eq!(std::fs::read(&soon).unwrap(), b"x\n");
    for _ in 0..3 {
        buffer.tick(AccessLog::FLUSH.0);
    }
    assert_eq!(std::fs::read(&late).unwrap(), b"", "a second is five ticks");
    buffer.tick(AccessLog::FLUSH.0);
    wait_for(|| std::fs::read(&late).unwrap() == b"x\n");
    drop(buffer);
    assert!(logger.close(LIMIT));
}

#[test]
fn when_chooses_records() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let logger = AccessLogger::start().unwrap();
    let mut config = file_log(&path);
    config.when = Some(Template::parse("$status").unwrap());
    let log = logger.open(&config, line_format()).unwrap();
    let buffer = logger.buffer();
    for (host, status) in [("a", "200"), ("b", "0"), ("c", ""), ("d", "00")] {
        buffer.record(&log, &vars(&[("host", host), ("status", status)]));
    }
    drop(buffer);
    assert!(logger.close(LIMIT));
    assert_eq!(std::fs::read(&path).unwrap(), b"a\nd\n");
}

#[test]
fn a_full_disk_is_counted() {
    let logger = AccessLogger::start().unwrap();
    let log = logger.open(&file_log(Path::new("/dev/full")), line_format()).unwrap();
    let buffer = logger.buffer();
    for _ in 0..3 {
        buffer.record(&log, &host("x"));
        buffer.flush();
    }
    assert!(logger.close(LIMIT));
    assert_eq!(logger.totals(), LogTotals { dropped: 3, errors: 3, ..LogTotals::default() });
    buffer.record(&log, &host("late"));
    buffer.flush();
    assert_eq!(logger.totals().dropped, 4, "after the end nothing is written, and that is counted");
}

#[test]
fn counts_are_metrics() {
    let logger = AccessLogger::start().unwrap();
    let log = logger.open(&file_log(Path::new("/dev/null")), line_format()).unwrap();
    let buffer = logger.buffer();
    buffer.record(&log, &host("x"));
    drop(buffer);
    assert!(logger.close(LIMIT));
    let mut out = Exposition::default();
    logger.expose(&mut out);
    let text = out.finish();
    assert!(text.contains("bifrons_access_log_records_total{destination=\"/dev/null\"} 1\n"), "{text}");
    assert!(text.contains("# TYPE bifrons_access_log_dropped_total counter\n"), "{text}");
}
