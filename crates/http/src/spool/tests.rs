use super::*;
use crate::message::Body;
use bifrons_core::Kind;
use bytes::Bytes;
use std::io::Read;
use std::os::unix::fs::FileExt;

/// A directory that goes with the test.
pub(super) struct Dir(pub(super) Arc<SpoolDir>);

impl Dir {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bifrons-spool-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(Arc::new(SpoolDir { path, levels: Vec::new() }))
    }

    pub(super) fn files(&self) -> usize {
        std::fs::read_dir(&self.0.path).unwrap().count()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0.path);
    }
}

pub(super) fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test());
}

/// A body of several pieces.
fn body(dir: &Dir, bytes: &[u8]) -> Body {
    let path = dir.0.path.join("source");
    std::fs::write(&path, bytes).unwrap();
    let file = Arc::new(File::open(&path).unwrap());
    std::fs::remove_file(path).unwrap();
    Body::File(crate::FileBody { file, offset: 0, len: bytes.len() as u64 })
}

fn rules(dir: &Dir, memory: usize, keep: Keep) -> Rules {
    Rules { memory, keep, dir: dir.0.clone() }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

async fn whole(mut body: Body) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = body.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    all
}

#[test]
fn up_to_the_bound_a_body_stays_in_memory_and_beyond_it_goes_to_a_file() {
    run(async || {
        let dir = Dir::new("bound");
        for (len, in_file) in [(0, false), (1, false), (100_000, false), (100_001, true), (3_000_001, true)] {
            let sent = pattern(len);
            let rules = rules(&dir, 100_000, Keep::Anonymous);
            let got = collect(&rules, body(&dir, &sent)).await.unwrap();
            assert_eq!(matches!(got.body, Body::File(_)), in_file, "{len}");
            assert_eq!((got.body.length(), dir.files()), (Some(len as u64), 0));
            assert!(whole(got.body).await == sent, "{len}");
        }
    });
}

#[test]
fn a_named_file_holds_even_a_small_body_and_goes_with_the_request_or_stays() {
    run(async || {
        let dir = Dir::new("named");
        for (keep, left) in [(Keep::Clean, 0), (Keep::Forever, 1)] {
            let got =
                collect(&rules(&dir, 100, keep), Body::Full(Bytes::from_static(b"small"))).await.unwrap();
            let path = got.file.as_ref().unwrap().path().unwrap().to_owned();
            let mut text = String::new();
            File::open(&path).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), whole(got.body).await.as_slice()), ("small", b"small".as_slice()));
            drop(got.file);
            assert_eq!(dir.files(), left, "{keep:?}");
        }
    });
}

#[test]
fn levels_are_taken_from_the_end_of_the_number() {
    let dir = Dir::new("levels");
    let spool = SpoolDir { path: dir.0.path.clone(), levels: vec![1, 2] };
    let path = spool.path_of(123_456_789).unwrap();
    assert_eq!(path, dir.0.path.join("9/78/0123456789"));
    let file = spool.create(Keep::Clean).unwrap();
    file.file().write_all_at(b"x", 0).unwrap();
    assert!(file.path().unwrap().is_file());
}

#[test]
fn a_directory_that_is_not_there_is_an_error_of_ours() {
    run(async || {
        let dir = Dir::new("gone");
        let rules = Rules {
            memory: 1,
            keep: Keep::Anonymous,
            dir: Arc::new(SpoolDir { path: dir.0.path.join("no"), levels: vec![] }),
        };
        let err = collect(&rules, body(&dir, b"long")).await.err().unwrap();
        assert_eq!(err.kind(), Kind::Internal);
        assert!(err.reason().contains("/no: "), "{err}");
    });
}
