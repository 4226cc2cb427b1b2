//! What happens to what is stored when the process is killed, its disk is full or its files are damaged: lost entries
//! at most, never a wrong body.

use super::support::{cached_in, metric, status};
use bifrons_testkit::proxy::Setup;
use bifrons_testkit::{Message, Origin, Proxy, TempDir, in_namespace, wait_until};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// The body that belongs to a path, of some bytes to some 200 KiB: its every byte depends on the path.
fn body_of(path: &str) -> Vec<u8> {
    let seed = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let len = 1 + seed % if seed.is_multiple_of(8) { 200_000 } else { 6_000 };
    (0..len).map(|at| ((seed ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32) as u8).collect()
}

fn origin() -> Origin {
    Origin::serve(|request| {
        let body = body_of(request.target());
        let head = format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nPath: {}\r\nContent-Length: {}\r\n\r\n",
            request.target(),
            body.len()
        );
        [head.into_bytes(), body].concat()
    })
}

/// Little memory, so that most is read from disk.
fn stored_in(origin: &Origin, dir: &Path) -> Setup {
    let zone = format!("{{ path: \"{}\", memory: 256k, memory_object: 16k, max_size: 64m }}", dir.display());
    cached_in(origin.addr(), &zone, "")
}

/// The answer, which is the right one.
#[track_caller]
fn get(proxy: &Proxy, path: &str) -> Message {
    let answer = proxy.client().get(path);
    assert_eq!((answer.status(), answer.field("Path")), (200, Some(path)), "{:?}", answer.start);
    assert!(answer.body == body_of(path), "{path} has the body of something else: {}", status(&answer));
    answer
}

/// The same where what is stored is damaged, which shows in the middle of a body perhaps: then it is cut off, and the
/// next answer is right.
#[track_caller]
fn get_damaged(proxy: &Proxy, path: &str) {
    let mut client = proxy.client();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
    match client.try_read(Some("GET")) {
        Ok(answer) => assert!(answer.body == body_of(path), "{path} has the body of something else"),
        Err(cut) => {
            let begun = cut.message.map(|message| message.body).unwrap_or_default();
            assert!(body_of(path).starts_with(&begun), "{path} begins like something else");
            get(proxy, path);
        }
    }
}

/// What is stored of these, as far as it is found; all of them are right.
fn hits(proxy: &Proxy, paths: &[String]) -> usize {
    paths.iter().filter(|path| status(&get(proxy, path)) == "HIT").count()
}

fn paths(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("/{name}/{at}")).collect()
}

/// Fills a zone and waits until all is on disk.
fn fill(proxy: &Proxy, paths: &[String]) {
    hits(proxy, paths);
    wait_until("all is written", || {
        metric(proxy, "bifrons_cache_waiting_bytes{zone=\"main\"}") == 0
            && metric(proxy, "bifrons_cache_written_bytes_total{zone=\"main\"}") > 0
    });
}

fn ready(proxy: &Proxy) {
    wait_until("the disk takes part", || metric(proxy, "bifrons_cache_disk_ready{zone=\"main\"}") == 1);
}

#[test]
fn killed_under_load_it_comes_back_with_what_was_written() {
    let (origin, dir) = (origin(), TempDir::new());
    let zone = dir.path().join("zone");
    let known = paths("known", 40);
    let mut proxy = stored_in(&origin, &zone).start();
    ready(&proxy);
    fill(&proxy, &known);
    for round in 0..3 {
        let (is_over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for writer in 0..4 {
                let (is_over, count, addr) = (&is_over, &count, proxy.addr("web"));
                scope.spawn(move || {
                    while !is_over.load(Ordering::SeqCst) {
                        let number = count.fetch_add(1, Ordering::SeqCst);
                        let path = format!("/load{round}/{writer}/{number}");
                        let Ok(stream) = std::net::TcpStream::connect(addr) else { return };
                        let mut wire = bifrons_testkit::Wire::over(stream);
                        if wire.try_send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).is_err() {
                            return;
                        }
                        match wire.try_read(Some("GET")) {
                            Ok(answer) => assert!(answer.body == body_of(&path), "{path}"),
                            Err(_) => return,
                        }
                    }
                });
            }
            wait_until("some hundred are stored", || count.load(Ordering::SeqCst) > 200);
            proxy.signal("KILL");
            is_over.store(true, Ordering::SeqCst);
        });
        proxy.wait_exit();
        proxy = stored_in(&origin, &zone).start();
        ready(&proxy);
        let found = hits(&proxy, &known);
        assert!(found > 0, "round {round}: nothing of what was written is there");
        for writer in 0..4 {
            let loaded: Vec<_> = (0..60).map(|number| format!("/load{round}/{writer}/{number}")).collect();
            hits(&proxy, &loaded);
        }
    }
}

/// The files of a zone that hold answers and what is known about them.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => out.extend(files(&entry.path())),
            false => out.push((entry.path(), std::fs::read(entry.path()).unwrap())),
        }
    }
    out
}

#[test]
fn flipped_bytes_are_a_miss_and_no_wrong_body() {
    let (origin, dir) = (origin(), TempDir::new());
    let zone = dir.path().join("zone");
    let known = paths("known", 60);
    let mut proxy = stored_in(&origin, &zone).start();
    ready(&proxy);
    fill(&proxy, &known);
    // While it runs: it reads what is not in memory.
    for (path, mut bytes) in files(&zone) {
        (0..bytes.len()).step_by(4099).for_each(|at| bytes[at] ^= 0x55);
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    }
    known.iter().for_each(|path| get_damaged(&proxy, path));
    let corrupt = metric(&proxy, "bifrons_cache_corrupt_total{zone=\"main\"}");
    assert!(corrupt > 0, "no damage was seen");

    // While it is down, differently: the whole, and the ends.
    for step in [997, 65_521] {
        fill(&proxy, &known);
        proxy.signal("TERM");
        proxy.wait_exit();
        for (path, mut bytes) in files(&zone) {
            (step / 2..bytes.len()).step_by(step).for_each(|at| bytes[at] ^= 0xff);
            std::fs::write(path, bytes).unwrap();
        }
        proxy = stored_in(&origin, &zone).start();
        ready(&proxy);
        known.iter().for_each(|path| get_damaged(&proxy, path));
    }
    for (path, bytes) in files(&zone) {
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }
    known.iter().for_each(|path| get_damaged(&proxy, path));
}

#[test]
fn a_full_disk_is_counted_and_told_and_answers_are_right() {
    in_namespace!();
    let (origin, dir) = (origin(), TempDir::new());
    let zone = dir.path().join("zone");
    std::fs::create_dir(&zone).unwrap();
    let mount =
        |args: &[&str]| std::process::Command::new("mount").args(args).arg(&zone).status().unwrap().success();
    if !mount(&["-t", "tmpfs", "-o", "size=1m", "none"]) {
        println!("SKIPPED: a tmpfs can't be mounted here");
        return;
    }
    let mut proxy = stored_in(&origin, &zone).start();
    let all = paths("full", 300);
    hits(&proxy, &all);
    wait_until("the disk is found full", || {
        metric(&proxy, "bifrons_cache_write_errors_total{zone=\"main\"}") > 0
    });
    hits(&proxy, &all);
    assert!(proxy.is_running());
    assert!(proxy.stderr().to_lowercase().contains("no space"), "{}", proxy.stderr());
}
