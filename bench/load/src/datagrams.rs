//! Datagrams: an origin that sends each back, and clients that ask again as soon as they have their answer.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

/// As long as a question of DNS with its options.
const QUESTION_BYTES: usize = 64;
/// A question whose answer does not come is lost: an error, and asked anew.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);
/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 64;

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// From each question to its answer, in nanoseconds.
    pub(crate) took: Vec<u64>,
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
}

/// A client: its number stands in its questions, so that no answer is taken for another's.
struct Asker {
    socket: UdpSocket,
    asked: Instant,
    serial: u64,
}

/// Sends each datagram back until the process is ended.
pub(crate) fn echo(addr: SocketAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind(addr)?;
    let mut bytes = [0; 2048];
    loop {
        // Who is gone gets no answer; ICMP's word of that is the next call's error.
        let Ok((len, from)) = socket.recv_from(&mut bytes) else { continue };
        let _ = socket.send_to(bytes.get(..len).unwrap_or_default(), from);
    }
}

/// So many clients for so long.
pub(crate) fn ask(addr: SocketAddr, clients: usize, length: Duration) -> std::io::Result<Seen> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut askers = Vec::with_capacity(clients);
    for index in 0..clients {
        let socket = UdpSocket::bind((if addr.is_ipv4() { "0.0.0.0" } else { "::" }, 0))?;
        socket.connect(addr)?;
        socket.set_nonblocking(true)?;
        epoll::add(&epoll, &socket, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        askers.push(Asker { socket, asked: Instant::now(), serial: 0 });
    }
    let mut seen = Seen::default();
    let start = Instant::now();
    for asker in &mut askers {
        asker.ask();
    }
    let mut looked = start;
    while start.elapsed() < length {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let timeout = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        match epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(err) => return Err(err.into()),
        }
        for event in &events {
            let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            if let Some(asker) = askers.get_mut(index) {
                asker.take(&mut seen);
            }
        }
        if looked.elapsed() > ANSWER_TIMEOUT {
            looked = Instant::now();
            for asker in askers.iter_mut().filter(|asker| asker.asked.elapsed() > ANSWER_TIMEOUT) {
                seen.errors += 1;
                asker.ask();
            }
        }
    }
    seen.seconds = start.elapsed().as_secs_f64();
    Ok(seen)
}

impl Asker {
    fn ask(&mut self) {
        self.serial += 1;
        let mut question = [0; QUESTION_BYTES];
        if let Some(place) = question.first_chunk_mut::<8>() {
            *place = self.serial.to_be_bytes();
        }
        self.asked = Instant::now();
        // What cannot be sent is lost like what does not arrive.
        let _ = self.socket.send(&question);
    }

    /// Takes in what came; asks again once it is the answer.
    fn take(&mut self, seen: &mut Seen) {
        let mut answer = [0; 2048];
        loop {
            match self.socket.recv(&mut answer) {
                Ok(QUESTION_BYTES) if answer.first_chunk::<8>() == Some(&self.serial.to_be_bytes()) => {
                    seen.took.push(u64::try_from(self.asked.elapsed().as_nanos()).unwrap_or(u64::MAX));
                    self.ask();
                }
                // One that comes after its time.
                Ok(_) => {}
                Err(err) if err.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    seen.errors += 1;
                    return;
                }
            }
        }
    }
}
