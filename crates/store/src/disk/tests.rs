use super::SIZE_MIN;
use crate::testing::*;
use crate::*;
use bifrons_config::units::{Dur, Size};
use bytes::Bytes;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Name and length of what a test stores; the body follows from the name.
fn body_of(path: &str) -> Vec<u8> {
    let number: u64 = path.trim_start_matches('/').parse().unwrap();
    pattern(number, [10, 3_000, 70_000, 200_000, 700_000][number as usize % 5])
}

fn files(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix)).collect();
    files.sort();
    files
}

#[test]
fn answers_survive_a_restart_small_and_large() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_config(dir.path());
    let zone = disk_zone(&config);
    let paths: Vec<String> = (0..20).map(|number| format!("/{number}")).collect();
    for path in &paths {
        store(&zone, path, &body_of(path));
        assert_eq!(find(&zone, path), Some(body_of(path)), "{path} at once");
    }
    let renewed = find_object(&zone, "/3").unwrap();
    flush(&zone);
    zone.renew(&zone.ticket(), &renewed, Meta { head: Bytes::from("renewed"), ..renewed.meta().clone() });
    zone.remove(&zone.key(b"example.com/7"));
    close(zone);
    for _ in 0..2 {
        let zone = disk_zone(&config);
        for path in &paths {
            assert_eq!(find(&zone, path), (path != "/7").then(|| body_of(path)), "{path} after a restart");
        }
        let object = find_object(&zone, "/3").unwrap();
        assert_eq!(object.meta().head, "renewed");
        assert_eq!(find_object(&zone, "/2").unwrap().meta().head, "200 /2");
        assert!(on_disk(find_object(&zone, "/4").unwrap().body()), "a large one is read from its file");
        assert!(find_object(&zone, "/1").unwrap().body().whole().is_some(), "a small one is in memory");
        assert_eq!(zone.stats().corrupt.value(), 0);
        close(zone);
    }
}

#[test]
fn ranges_of_a_large_answer_are_read_without_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let zone = disk_zone(&disk_config(dir.path()));
    let body = body_of("/4");
    store(&zone, "/4", &body);
    flush(&zone);
    let object = find_object(&zone, "/4").unwrap();
    assert!(on_disk(object.body()));
    for (start, end) in [
        (0, 1),
        (65_535, 65_537),
        (131_072, 131_073),
        (100, 600_000),
        (699_999, 1 << 40),
        (700_000, 1 << 40),
        (0, u64::MAX),
    ] {
        let expected = &body[start as usize..(end as usize).min(body.len())];
        assert!(read(&object, start..end).unwrap() == expected, "{start}..{end}");
    }
    let before = zone.stats().read_bytes.value();
    read(&object, 300_000..300_010).unwrap();
    assert!(zone.stats().read_bytes.value() - before < 140_000);
}

#[test]
fn a_large_answer_is_never_whole_in_memory_and_readers_get_it_all() {
    let dir = tempfile::tempdir().unwrap();
    let zone = disk_zone(&ZoneConfig { max_size: Size::mib(256), ..disk_config(dir.path()) });
    let body = pattern(1, 40 << 20);
    let key = zone.key(b"example.com/big");
    let mut fill = zone.begin(zone.ticket(), &key, meta("example.com", "/big", &[]), None);
    let object = fill.object().clone();
    let mut early = object.body().reader(0..u64::MAX).unwrap();
    let mut got = Vec::new();
    for (number, piece) in body.chunks(100_000).enumerate() {
        // As fast as the disk: what waits is bounded.
        eventually("the disk", || zone.usage().waiting_bytes < 1 << 20);
        fill.push(Bytes::copy_from_slice(piece));
        if number == 200 {
            got.extend_from_slice(&block_on(early.next()).unwrap().unwrap());
        }
        let Body::Growing(growing) = object.body() else { panic!() };
        assert!(growing.held() <= 4 << 20, "{} are held", growing.held());
    }
    let late = read(&object, 0..10 << 20).unwrap();
    assert!(late == body[..10 << 20]);
    assert!(fill.is_storing());
    fill.finish();
    block_on(async {
        while let Some(piece) = early.next().await {
            got.extend_from_slice(&piece.unwrap());
        }
    });
    assert!(got == body);
    flush(&zone);
    assert!(find(&zone, "/big").unwrap() == body);
}

#[test]
fn the_store_keeps_within_its_bound_and_keeps_what_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let config = ZoneConfig { max_size: Size(SIZE_MIN), memory: Size::mib(1), ..disk_config(dir.path()) };
    let zone = disk_zone(&config);
    for number in 0..600 {
        store(&zone, &format!("/n{number}"), &pattern(number, 60_000));
        find(&zone, "/n0");
        if number % 20 == 0 {
            flush(&zone);
        }
    }
    flush(&zone);
    let on_disk: u64 =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= SIZE_MIN + (1 << 20), "{on_disk} bytes");
    assert!(zone.stats().disk_evictions.value() > 300);
    assert_eq!(find(&zone, "/n0"), Some(pattern(0, 60_000)), "it was asked for all the time");
    let found = (0..600).filter(|number| find(&zone, &format!("/n{number}")).is_some()).count();
    assert!(found > 60, "{found} are left");
    assert_eq!(zone.stats().corrupt.value(), 0);
}

#[test]
fn a_purge_is_still_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_config(dir.path());
    let zone = disk_zone(&config);
    store_meta(&zone, meta("example.com", "/a", &["red"]), b"a");
    store_meta(&zone, meta("example.com", "/b", &["blue"]), b"b");
    flush(&zone);
    // No sweep comes between: an older request is under way.
    let open = zone.ticket();
    zone.purge(&Purge { zone: None, what: Scope::Tag("red".into()), mode: Mode::Hard }).unwrap();
    zone.purge(&Purge { zone: None, what: Scope::Tag("blue".into()), mode: Mode::Soft }).unwrap();
    drop(open);
    close(zone);
    let zone = disk_zone(&config);
    assert_eq!(find(&zone, "/a"), None);
    assert!(find_object(&zone, "/b").unwrap().is_marked_stale());
}

#[test]
fn a_directory_belongs_to_one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_config(dir.path());
    let first = disk_zone(&config);
    store(&first, "/1", &body_of("/1"));
    let second = Zone::open("second", &config).unwrap();
    store(&second, "/2", b"in memory only");
    assert!(!second.usage().disk_ready);
    first.release();
    eventually("the other one", || second.usage().disk_ready);
    assert_eq!(find(&second, "/1"), Some(body_of("/1")));
    assert_eq!(find(&second, "/2").unwrap(), b"in memory only");
    store(&first, "/5", b"still works");
    assert_eq!(find(&first, "/5").unwrap(), b"still works");
}

#[test]
fn flipped_bits_give_no_wrong_body_whatever_they_are_in() {
    let dir = tempfile::tempdir().unwrap();
    let config = ZoneConfig { inactive: Dur(Duration::from_secs(1_000_000)), ..disk_config(dir.path()) };
    let zone = disk_zone(&config);
    let paths: Vec<String> = (0..15).map(|number| format!("/{number}")).collect();
    for path in &paths {
        store(&zone, path, &body_of(path));
    }
    close(zone);
    let saved: Vec<(PathBuf, Vec<u8>)> =
        files(dir.path(), "").into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    let (mut lost, mut random) = (0, fastrand::Rng::with_seed(5));
    for (damaged, bytes) in saved.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        // The beginning, the end, and places all over.
        let mut places = vec![0, 4, 9, 20, 33, 41, 50, 60, bytes.len() - 1, bytes.len() / 2];
        places.extend((0..10).map(|_| random.usize(0..bytes.len())));
        for at in places.into_iter().filter(|at| *at < bytes.len()) {
            for file in files(dir.path(), "") {
                fs::remove_file(file).unwrap();
            }
            for (path, bytes) in &saved {
                fs::write(path, bytes).unwrap();
            }
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << random.u8(0..8);
            fs::write(damaged, &bytes).unwrap();
            let zone = disk_zone(&config);
            for path in &paths {
                match find(&zone, path) {
                    None => lost += 1,
                    Some(body) => assert!(body == body_of(path), "{path} is wrong: {damaged:?} at {at}"),
                }
            }
            close(zone);
        }
    }
    assert!(lost > 0);
}

#[test]
fn a_file_that_is_cut_off_or_gone_is_a_miss() {
    let dir = tempfile::tempdir().unwrap();
    let config = disk_config(dir.path());
    let zone = disk_zone(&config);
    let paths: Vec<String> = (0..10).map(|number| format!("/{number}")).collect();
    for path in &paths {
        store(&zone, path, &body_of(path));
    }
    close(zone);
    for file in
        files(dir.path(), "segment-").into_iter().chain(files(dir.path(), "object-").into_iter().take(1))
    {
        let len = fs::metadata(&file).unwrap().len();
        OpenOptions::new().write(true).open(&file).unwrap().set_len(len - 10).unwrap();
    }
    fs::remove_file(files(dir.path(), "object-").pop().unwrap()).unwrap();
    let zone = disk_zone(&config);
    let found: Vec<&String> = paths
        .iter()
        .filter(|path| match find(&zone, path) {
            None => false,
            Some(body) => body == body_of(path) || panic!("{path} is wrong"),
        })
        .collect();
    assert!((6..9).contains(&found.len()), "{found:?}");
    assert!(zone.stats().corrupt.value() >= 1);
    // Found out once, then forgotten.
    let before = zone.stats().corrupt.value();
    paths.iter().for_each(|path| drop(find(&zone, path)));
    assert_eq!(zone.stats().corrupt.value(), before);
}

#[test]
fn records_that_changed_places_are_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let config = ZoneConfig { memory: Size::kib(64), ..disk_config(dir.path()) };
    let zone = disk_zone(&config);
    store(&zone, "/a", &[1; 5000]);
    store(&zone, "/b", &[2; 5000]);
    close(zone);
    let path = files(dir.path(), "segment-").pop().unwrap();
    let bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    let swapped = [&bytes[half..], &bytes[..half]].concat();
    OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&swapped, 0).unwrap();
    let zone = disk_zone(&config);
    assert_eq!((find(&zone, "/a"), find(&zone, "/b")), (None, None));
}

const CHILD: &str = "BIFRONS_STORE_TEST_DIR";

fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("disk::tests::{test}"), "--ignored", "--nocapture"]);
    command.env(CHILD, dir).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Stores until it is killed.
#[test]
#[ignore = "a part of another test"]
fn writes_without_end() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let config = ZoneConfig { max_size: Size::mib(16), ..disk_config(Path::new(&dir)) };
    let zone = disk_zone(&config);
    let mut random = fastrand::Rng::new();
    loop {
        let path = format!("/{}", random.u64(0..300));
        match random.u8(0..10) {
            0 => drop(zone.remove(&zone.key(format!("example.com{path}").as_bytes()))),
            1 => {
                if let Some(object) = find_object(&zone, &path) {
                    zone.renew(&zone.ticket(), &object, object.meta().clone());
                }
            }
            _ => drop(store(&zone, &path, &body_of(&path))),
        }
    }
}

#[test]
fn a_kill_under_write_load_loses_answers_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let mut found = 0;
    for round in 0..8_u64 {
        let mut writer = child("writes_without_end", dir.path()).spawn().unwrap();
        eventually("files", || !files(dir.path(), "segment-").is_empty());
        std::thread::sleep(Duration::from_millis(150 + round * 37));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let zone = disk_zone(&ZoneConfig { max_size: Size::mib(16), ..disk_config(dir.path()) });
        for number in 0..300 {
            let path = format!("/{number}");
            if let Some(body) = find(&zone, &path) {
                assert!(body == body_of(&path), "{path} is wrong after {round} kills");
                found += 1;
            }
        }
        close(zone);
    }
    assert!(found > 50, "{found}");
}

/// Stores more than the file system holds, then checks all.
#[test]
#[ignore = "a part of another test"]
fn fills_its_disk() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let zone = disk_zone(&disk_config(Path::new(&dir)));
    for round in 0..3 {
        for number in 0..100 {
            let path = format!("/{number}");
            store(&zone, &path, &body_of(&path));
            if number % 10 == 0 {
                flush(&zone);
            }
        }
        for number in 0..100 {
            let path = format!("/{number}");
            if let Some(body) = find(&zone, &path) {
                assert!(body == body_of(&path), "{path} in round {round}");
            }
        }
    }
    assert!(zone.stats().write_errors.value() > 0, "the disk was not full");
    assert_eq!(zone.stats().corrupt.value(), 0);
    std::process::exit(77);
}

#[test]
fn a_full_disk_gives_misses() {
    let dir = tempfile::tempdir().unwrap();
    let inner = child("fills_its_disk", dir.path());
    let script = "mount -t tmpfs -o size=4m none \"$0\" && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script]).arg(dir.path());
    command.arg(inner.get_program()).args(inner.get_args()).env(CHILD, dir.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare:") || said.contains("mount:") {
        println!("no namespaces here: {said}");
        return;
    }
    assert_eq!(output.status.code(), Some(77), "{said}{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn answers_go_where_the_file_system_has_less_room_than_is_to_stay_free() {
    let dir = tempfile::tempdir().unwrap();
    let config = ZoneConfig { min_free: Size(1), ..disk_config(dir.path()) };
    let zone = disk_zone(&config);
    store(&zone, "/4", &body_of("/4"));
    flush(&zone);
    assert_eq!((files(dir.path(), "object-").len(), zone.stats().disk_evictions.value()), (1, 0));

    // As much as no file system has.
    zone.reconfigure(&ZoneConfig { min_free: Size(1 << 60), ..config });
    eventually("it goes", || files(dir.path(), "object-").is_empty());
    assert_eq!((find(&zone, "/4"), zone.stats().disk_evictions.value()), (None, 1));
    close(zone);
}
