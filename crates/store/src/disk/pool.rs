//! Reading: threads of the disk, what waits for them, and the reader of a large body.

use super::format::{Damaged, FRAME, Kind, SUM, decode_frames, decode_record, framed_len};
use super::segment::Segment;
use crate::body::{Body, ReadError};
use crate::index::{Entry, Placed};
use crate::object::Object;
use crate::zone::Inner;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// What may wait to be read: some seconds of a slow disk. What comes then is a miss.
const READS_MAX: usize = 4096;

/// 256 KiB in one read: four frames.
const FRAMES_A_READ: u64 = 4;

type Pieces = Result<Vec<Bytes>, ReadError>;

/// Where answers of a load go, by the one who asked first.
type Answer = Option<Arc<Object>>;

pub(super) enum Read {
    /// An answer: what is known, and its body if it is small.
    Object { entry: Arc<Entry>, placed: Placed, key: Box<[u8]> },
    /// Frames of a large body.
    Frames { body: DiskBody, first: u64, count: u64, reply: oneshot::Sender<Pieces> },
}

/// What waits to be read.
#[derive(Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    reads: VecDeque<Read>,
    /// Who waits for an answer that is being read, by its number.
    loading: HashMap<u64, Vec<oneshot::Sender<Answer>>>,
    stopped: bool,
}

impl Pool {
    /// Reads an answer, once for all that ask at the same time.
    pub(crate) fn load(&self, entry: &Arc<Entry>, placed: Placed, key: &[u8]) -> Option<Load> {
        let (reply, answer) = oneshot::channel();
        let mut state = self.lock();
        if let Some(waiting) = state.loading.get_mut(&entry.id) {
            waiting.push(reply);
            return Some(Load(answer));
        }
        if state.reads.len() >= READS_MAX || state.stopped {
            return None;
        }
        state.loading.insert(entry.id, vec![reply]);
        state.reads.push_back(Read::Object { entry: Arc::clone(entry), placed, key: key.into() });
        drop(state);
        self.wake.notify_one();
        Some(Load(answer))
    }

    fn frames(&self, body: &DiskBody, first: u64, count: u64) -> Option<oneshot::Receiver<Pieces>> {
        let (reply, answer) = oneshot::channel();
        let mut state = self.lock();
        if state.reads.len() >= READS_MAX || state.stopped {
            return None;
        }
        state.reads.push_back(Read::Frames { body: body.clone(), first, count, reply });
        drop(state);
        self.wake.notify_one();
        Some(answer)
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        // Whoever waits sees that nothing comes.
        state.reads.clear();
        state.loading.clear();
        drop(state);
        self.wake.notify_all();
    }

    fn next(&self) -> Option<Read> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(read) = state.reads.pop_front() {
                return Some(read);
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn loaded(&self, id: u64, object: &Answer) {
        let waiting = self.lock().loading.remove(&id);
        for reply in waiting.into_iter().flatten() {
            let _ = reply.send(object.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads until the pool is stopped.
pub(super) fn run(zone: &Inner, pool: &Pool) {
    while let Some(read) = pool.next() {
        match read {
            Read::Object { entry, placed, key } => {
                let object = load(zone, &entry, placed, &key);
                pool.loaded(entry.id, &object);
            }
            Read::Frames { body, first, count, reply } => {
                if reply.is_closed() {
                    continue;
                }
                let pieces = frames(zone, &body, first, count);
                let _ = reply.send(pieces);
            }
        }
    }
}

/// Why a record could not be had.
enum Failed {
    Io(io::Error),
    Damaged,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        // A file that ends too early is not what was written.
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Io(error),
        }
    }
}

impl From<Damaged> for Failed {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

fn load(zone: &Inner, entry: &Arc<Entry>, placed: Placed, key: &[u8]) -> Answer {
    if entry.dead.load(Relaxed) {
        return None;
    }
    match read_object(zone, entry, placed) {
        Ok(object) if *object.meta.key == *key => {
            let object = Arc::new(object);
            zone.stats.disk_hits.one();
            zone.promote(&object);
            Some(object)
        }
        // Two keys with one hash.
        Ok(_) => None,
        Err(failed) => {
            // It may have been moved meanwhile; then the new place is asked next time.
            if entry.placed() == Some(placed) && !entry.dead.load(Relaxed) {
                zone.lost(entry, failed_word(zone, &failed));
            }
            None
        }
    }
}

fn failed_word(zone: &Inner, failed: &Failed) -> &'static str {
    match failed {
        Failed::Io(error) => {
            zone.stats.read_errors.one();
            zone.complain("reading from the cache failed: the answer is dropped", Some(error));
            "io"
        }
        Failed::Damaged => {
            zone.stats.corrupt.one();
            zone.complain("an answer in the cache is damaged: it is dropped", None);
            "damaged"
        }
    }
}

fn read_object(zone: &Inner, entry: &Arc<Entry>, placed: Placed) -> Result<Object, Failed> {
    let disk = zone.disk.as_ref().ok_or(Failed::Damaged)?;
    let record = placed.record;
    let segment = disk.segments.find(record.segment).ok_or(Failed::Damaged)?;
    let small = record.body_len <= zone.bounds.whole_max();
    let len = if small { record.len() } else { u64::from(record.head_len) };
    let bytes = read(zone, &segment, record.offset.into(), len)?;
    let mut meta = decode_record(&bytes, Kind::Answer, entry.id, entry.hash)?;
    if let Some(place) = placed.update {
        let segment = disk.segments.find(place.segment).ok_or(Failed::Damaged)?;
        let bytes = read(zone, &segment, place.offset.into(), place.head_len.into())?;
        meta = decode_record(&bytes, Kind::Update, entry.id, entry.hash)?;
    }
    let start = record.head_len as usize;
    let body = if small {
        let frames = bytes.slice(start.min(bytes.len())..);
        Body::Whole(join(decode_frames(entry.id, 0, record.body_len, &frames)?, record.body_len)?)
    } else {
        let offset = u64::from(record.offset) + u64::from(record.head_len);
        Body::Disk(DiskBody::new(&disk.pool, &segment, entry.id, offset, record.body_len))
    };
    Ok(Object::new(meta, body, Arc::clone(entry)))
}

fn join(pieces: Vec<Bytes>, len: u64) -> Result<Bytes, Damaged> {
    let whole = match <[Bytes; 1]>::try_from(pieces) {
        // Copied as well: a slice would keep the head with it.
        Ok([piece]) => Bytes::copy_from_slice(&piece),
        Err(pieces) => pieces.concat().into(),
    };
    if whole.len() as u64 == len { Ok(whole) } else { Err(Damaged) }
}

fn frames(zone: &Inner, body: &DiskBody, first: u64, count: u64) -> Pieces {
    let start = first * (FRAME + SUM);
    let end = framed_len(body.len.min((first + count) * FRAME));
    let read = read(zone, &body.segment, body.offset + start, end.saturating_sub(start));
    let pieces = read.and_then(|bytes| Ok(decode_frames(body.id, first, body.len, &bytes)?));
    pieces.map_err(|failed| {
        zone.lost_id(body.id);
        match failed_word(zone, &failed) {
            "io" => ReadError::Io,
            _ => ReadError::Corrupt,
        }
    })
}

fn read(zone: &Inner, segment: &Segment, offset: u64, len: u64) -> Result<Bytes, Failed> {
    let len = usize::try_from(len).map_err(|_| Failed::Damaged)?;
    let mut bytes = vec![0; len];
    segment.file()?.read_exact_at(&mut bytes, offset)?;
    zone.stats.read_bytes.add(len as u64);
    Ok(bytes.into())
}

/// An answer that is being read.
#[derive(Debug)]
pub(crate) struct Load(oneshot::Receiver<Answer>);

impl Load {
    pub(crate) async fn wait(self) -> Answer {
        self.0.await.ok().flatten()
    }
}

/// A large body on disk.
#[derive(Clone)]
pub struct DiskBody {
    pool: Arc<Pool>,
    segment: Arc<Segment>,
    id: u64,
    /// Of its first frame.
    offset: u64,
    len: u64,
}

impl DiskBody {
    pub(super) fn new(pool: &Arc<Pool>, segment: &Arc<Segment>, id: u64, offset: u64, len: u64) -> Self {
        Self { pool: Arc::clone(pool), segment: Arc::clone(segment), id, offset, len }
    }

    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// So much of it is there: whole frames, but for the last.
    pub(crate) fn set_len(&mut self, len: u64) {
        self.len = len;
    }

    pub(crate) fn reader(&self, range: Range<u64>) -> DiskReader {
        let end = range.end.min(self.len);
        DiskReader {
            body: self.clone(),
            at: range.start,
            asked: range.start / FRAME,
            end,
            ready: VecDeque::new(),
            reading: None,
        }
    }
}

impl std::fmt::Debug for DiskBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskBody").field("id", &self.id).field("len", &self.len).finish_non_exhaustive()
    }
}

/// Reads a range of a large body, one read ahead.
#[derive(Debug)]
pub(crate) struct DiskReader {
    body: DiskBody,
    /// Offset of the next byte to give.
    at: u64,
    /// The next frame to ask for.
    asked: u64,
    end: u64,
    ready: VecDeque<Bytes>,
    reading: Option<oneshot::Receiver<Pieces>>,
}

impl DiskReader {
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReadError>>> {
        if self.at >= self.end {
            return Poll::Ready(None);
        }
        if self.ready.is_empty() {
            if !self.ask() {
                return Poll::Ready(Some(Err(ReadError::Busy)));
            }
            let Some(reading) = &mut self.reading else {
                return Poll::Ready(Some(Err(ReadError::Io)));
            };
            let pieces = std::task::ready!(Pin::new(reading).poll(cx));
            self.reading = None;
            match pieces {
                Ok(Ok(pieces)) => self.ready.extend(pieces),
                Ok(Err(error)) => return Poll::Ready(Some(Err(error))),
                Err(_) => return Poll::Ready(Some(Err(ReadError::Io))),
            }
        }
        // The next ones are read while these are sent; where that is refused, it is asked for again.
        if self.ready.len() <= 1 {
            self.ask();
        }
        let Some(piece) = self.ready.pop_front() else {
            return Poll::Ready(Some(Err(ReadError::Corrupt)));
        };
        let skip = (self.at % FRAME) as usize;
        let take = piece.len().saturating_sub(skip).min((self.end - self.at) as usize);
        if take == 0 {
            return Poll::Ready(Some(Err(ReadError::Corrupt)));
        }
        self.at += take as u64;
        Poll::Ready(Some(Ok(piece.slice(skip..skip + take))))
    }

    /// Asks for the next frames, if none are on their way. False where that was refused.
    fn ask(&mut self) -> bool {
        let last = self.end.div_ceil(FRAME);
        if self.reading.is_some() || self.asked >= last {
            return true;
        }
        let count = FRAMES_A_READ.min(last - self.asked);
        self.reading = self.body.pool.frames(&self.body, self.asked, count);
        if self.reading.is_some() {
            self.asked += count;
        }
        self.reading.is_some()
    }
}
