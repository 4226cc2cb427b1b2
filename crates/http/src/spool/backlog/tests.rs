use super::super::tests::{Dir, run};
use super::*;
use std::future::poll_fn;

fn backlog(dir: &Dir, memory: usize, file: u64, write: usize) -> Backlog {
    Backlog::new(Arc::new(HoldRules { memory, file, write, dir: dir.0.clone() }))
}

/// Takes up to `most` bytes as a client does.
async fn take(backlog: &mut Backlog, most: usize, got: &mut Vec<u8>) {
    if matches!(backlog.front(), Front::Writing) {
        poll_fn(|cx| backlog.poll_written(cx)).await;
    }
    let len = match backlog.front() {
        Front::Memory(bytes) => {
            let len = bytes.len().min(most);
            got.extend_from_slice(&bytes[..len]);
            len
        }
        Front::File { file, offset, len } => {
            let mut bytes = vec![0; most.min(len as usize)];
            file.read_exact_at(&mut bytes, offset).unwrap();
            got.extend_from_slice(&bytes);
            bytes.len()
        }
        Front::Empty | Front::Writing => 0,
    };
    backlog.advance(len);
}

#[test]
fn bytes_come_out_as_they_went_in_however_reads_and_writes_alternate() {
    run(async || {
        let dir = Dir::new("order");
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..60 {
            let mut backlog = backlog(&dir, random.usize(0..300), random.u64(0..2000), random.usize(1..400));
            let (mut sent, mut got) = (Vec::new(), Vec::new());
            let mut most = 0;
            for _ in 0..400 {
                if backlog.has_room() && random.bool() {
                    let piece: Vec<u8> = (0..random.usize(1..200)).map(|_| random.u8(..)).collect();
                    backlog.push(&piece);
                    sent.extend_from_slice(&piece);
                } else if random.bool() {
                    take(&mut backlog, random.usize(1..150), &mut got).await;
                } else if random.bool() {
                    poll_fn(|cx| backlog.poll_written(cx)).await;
                }
                most = most.max(backlog.len());
                assert_eq!(backlog.len(), (sent.len() - got.len()) as u64);
            }
            if random.bool() {
                backlog.seal();
            }
            // Bounded: each turn takes something or waits for the write under way.
            while !backlog.is_empty() {
                take(&mut backlog, 1000, &mut got).await;
            }
            assert!(sent == got);
            // 300 + 2000 + a write under way, one gathered and a piece.
            assert!(most <= 300 + 2000 + 2 * 600, "{most}");
        }
        assert_eq!(dir.files(), 0);
    });
}

#[test]
fn without_a_file_the_room_ends_with_the_memory() {
    run(async || {
        let dir = Dir::new("memory");
        let mut backlog = backlog(&dir, 100, 0, 10);
        backlog.push(&[1; 99]);
        assert!(backlog.has_room());
        backlog.push(&[2; 1]);
        assert!(!backlog.has_room());
        backlog.advance(1);
        assert!(backlog.has_room());
    });
}

#[test]
fn a_file_that_has_been_emptied_is_used_anew() {
    run(async || {
        let dir = Dir::new("anew");
        let mut backlog = backlog(&dir, 10, 1000, 100);
        let mut got = Vec::new();
        for round in 0..5 {
            backlog.push(&[round; 10]);
            while backlog.has_room() {
                backlog.push(&[round; 100]);
                poll_fn(|cx| backlog.poll_written(cx)).await;
            }
            assert_eq!(backlog.len(), 1010, "as much as the file may hold");
            while !backlog.is_empty() {
                take(&mut backlog, 77, &mut got).await;
            }
        }
        let file = backlog.file.as_ref().unwrap();
        assert_eq!((got.len(), file.file().metadata().unwrap().len()), (5050, 1000));
    });
}

#[test]
fn where_nothing_can_be_written_nothing_is_lost() {
    run(async || {
        let dir = Dir::new("full");
        let no = Arc::new(SpoolDir { path: dir.0.path.join("no"), levels: vec![] });
        let mut backlog = Backlog::new(Arc::new(HoldRules { memory: 10, file: 1000, write: 50, dir: no }));
        backlog.push(&[1; 10]);
        backlog.push(&[2; 50]);
        assert!(!backlog.has_room());
        poll_fn(|cx| backlog.poll_written(cx)).await;
        assert!(!backlog.has_room(), "memory has its bound");
        let mut got = Vec::new();
        while !backlog.is_empty() {
            take(&mut backlog, 7, &mut got).await;
        }
        assert_eq!(got, [vec![1; 10], vec![2; 50]].concat());
        backlog.push(&[3; 9]);
        assert!(backlog.has_room());
    });
}
