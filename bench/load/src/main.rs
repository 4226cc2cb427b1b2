//! A constant-rate HTTP/1 client: sends by the clock, not by the answers, so that a slow answer does not
//! hide the wait of the requests behind it (coordinated omission). One thread with epoll, because it shares
//! a core with the origin. Prints one line of JSON. Beside it, load and origin for datagrams.

#![forbid(unsafe_code)]

mod conn;
mod datagrams;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conn::{Conn, Progress};
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

/// An answer that takes longer is an error, not a latency; also the longest wait at the end of a run.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Events taken from the kernel at once: as many as there are connections in the rows of the benchmark.
const EVENTS_MAX: usize = 64;

/// What the command line asks for.
struct Options {
    addr: SocketAddr,
    path: String,
    rate: f64,
    conns: usize,
    warmup: Duration,
    duration: Duration,
}

/// What was seen after the warm-up, in nanoseconds.
#[derive(Default)]
struct Seen {
    /// From the instant the request was due to the end of its answer.
    from_due: Vec<u64>,
    /// From the instant it was really sent.
    from_sent: Vec<u64>,
    errors: u64,
    /// Answers in all, those of the warm-up included: what the proxy's CPU time is divided by.
    total: u64,
}

/// All connections, and which of them carry no request.
struct Client {
    epoll: OwnedFd,
    conns: Vec<Conn>,
    idle: Vec<usize>,
    request: Vec<u8>,
    measured_from: Instant,
    seen: Seen,
}

const USAGE: &str = "\
usage: bifrons-load rate ADDR PATH RATE CONNS WARMUP_SECONDS SECONDS
       bifrons-load udp ADDR CLIENTS SECONDS
       bifrons-load echo ADDR";

fn main() {
    // Wake-ups to the nanosecond instead of 50 µs late. Without it the numbers are only coarser, on both
    // sides of the comparison.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
    let mut args = std::env::args().skip(1);
    let done = match args.next().as_deref() {
        Some("rate") => Options::parse(args).map(|options| rate(&options)),
        Some("udp") => udp(args),
        Some("echo") => args.next().ok_or_else(|| "missing ADDR".to_owned()).and_then(|addr| {
            let addr = parsed(&addr)?;
            Ok(datagrams::echo(addr))
        }),
        _ => Err("rate, udp or echo?".into()),
    };
    match done {
        Ok(Ok(())) => {}
        Ok(Err(err)) => {
            eprintln!("bifrons-load: {err}");
            std::process::exit(1);
        }
        Err(message) => {
            eprintln!("bifrons-load: {message}\n{USAGE}");
            std::process::exit(2);
        }
    }
}

fn rate(options: &Options) -> std::io::Result<()> {
    print_result(options, run(options)?);
    Ok(())
}

/// The outer error is a wrong command line, the inner one what the system says.
fn udp(mut args: impl Iterator<Item = String>) -> Result<std::io::Result<()>, String> {
    let mut next = |name: &str| args.next().ok_or_else(|| format!("missing {name}"));
    let (addr, clients) = (parsed(&next("ADDR")?)?, parsed(&next("CLIENTS")?)?);
    let length = seconds(&next("SECONDS")?)?;
    Ok(datagrams::ask(addr, clients, length).map(|mut seen| {
        seen.took.sort_unstable();
        println!(
            "RESULT {{\"requests\":{},\"seconds\":{},\"errors\":{},\"p50_us\":{:.1},\"p90_us\":{:.1},\"p99_us\":{:.1}}}",
            seen.took.len(),
            seen.seconds,
            seen.errors,
            percentile(&seen.took, 0.50),
            percentile(&seen.took, 0.90),
            percentile(&seen.took, 0.99),
        );
    }))
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut next = |name: &str| args.next().ok_or_else(|| format!("missing {name}"));
        let options = Self {
            addr: parsed(&next("ADDR")?)?,
            path: next("PATH")?,
            rate: parsed(&next("RATE")?)?,
            conns: parsed(&next("CONNS")?)?,
            warmup: seconds(&next("WARMUP_SECONDS")?)?,
            duration: seconds(&next("SECONDS")?)?,
        };
        if options.conns == 0 || !options.rate.is_finite() || options.rate <= 0.0 {
            return Err("RATE and CONNS must be above zero".into());
        }
        Ok(options)
    }
}

fn parsed<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("cannot read {word:?}"))
}

fn seconds(word: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(parsed(word)?).map_err(|err| err.to_string())
}

/// Sends at the rate until the time is over, then waits for the last answers.
fn run(options: &Options) -> std::io::Result<Seen> {
    let mut client = Client::connect(options)?;
    let interval = Duration::from_secs_f64(1.0 / options.rate);
    let start = Instant::now();
    client.measured_from = start + options.warmup;
    let end = client.measured_from + options.duration;
    let mut due = start;
    loop {
        let now = Instant::now();
        // When every connection is busy the request waits, and its wait counts: `due` stays.
        while due <= now && due < end && client.send(due)? {
            due += interval;
        }
        let busy = client.idle.len() < client.conns.len();
        let sending = due < end;
        if !sending && (!busy || now > end + ANSWER_TIMEOUT) {
            return Ok(client.finish());
        }
        let wake = if sending && !client.idle.is_empty() { due } else { end + ANSWER_TIMEOUT };
        client.receive(wake.saturating_duration_since(Instant::now()))?;
        if sending && now > due + ANSWER_TIMEOUT {
            return Err(std::io::Error::other("the rate is far above what the other side can do"));
        }
    }
}

impl Client {
    fn connect(options: &Options) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let conns =
            (0..options.conns).map(|_| Conn::open(options.addr)).collect::<std::io::Result<Vec<_>>>()?;
        for (index, conn) in conns.iter().enumerate() {
            watch(&epoll, conn, index)?;
        }
        Ok(Self {
            epoll,
            idle: (0..conns.len()).collect(),
            conns,
            request: format!(
                "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: bifrons-load\r\n\r\n",
                options.path, options.addr
            )
            .into_bytes(),
            measured_from: Instant::now(),
            seen: Seen::default(),
        })
    }

    /// Sends the request that was due at `due`; false when no connection is free.
    fn send(&mut self, due: Instant) -> std::io::Result<bool> {
        let Some(index) = self.idle.pop() else {
            return Ok(false);
        };
        let sent = self.conns.get_mut(index).map(|conn| conn.send(&self.request, due));
        if matches!(sent, Some(Err(_))) {
            self.failed(index, due)?;
        }
        Ok(true)
    }

    /// Waits up to `wait` for answers and takes in what came.
    fn receive(&mut self, wait: Duration) -> std::io::Result<()> {
        let timeout = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        let mut events = Vec::with_capacity(EVENTS_MAX);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(err) => return Err(err.into()),
        }
        for event in &events {
            let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            let Some(conn) = self.conns.get_mut(index) else { continue };
            let due = conn.due;
            match conn.receive() {
                Ok(Progress::Partial) => {}
                Ok(Progress::Whole) => self.answered(index),
                Err(_) => self.failed(index, due)?,
            }
        }
        Ok(())
    }

    fn answered(&mut self, index: usize) {
        let now = Instant::now();
        self.seen.total += 1;
        if let Some(conn) = self.conns.get(index)
            && conn.due >= self.measured_from
        {
            self.seen.from_due.push(nanos(now - conn.due));
            self.seen.from_sent.push(nanos(now - conn.sent));
        }
        self.idle.push(index);
    }

    /// Counts the error and puts a new connection in the place of the broken one.
    fn failed(&mut self, index: usize, due: Instant) -> std::io::Result<()> {
        if due >= self.measured_from {
            self.seen.errors += 1;
        }
        if let Some(conn) = self.conns.get_mut(index) {
            let fresh = Conn::open(conn.addr)?;
            watch(&self.epoll, &fresh, index)?;
            *conn = fresh;
        }
        self.idle.retain(|one| *one != index);
        self.idle.push(index);
        Ok(())
    }

    /// Requests still without an answer are errors.
    fn finish(mut self) -> Seen {
        self.seen.errors += (self.conns.len() - self.idle.len()) as u64;
        self.seen
    }
}

fn watch(epoll: &OwnedFd, conn: &Conn, index: usize) -> std::io::Result<()> {
    let data = epoll::EventData::new_u64(index as u64);
    Ok(epoll::add(epoll, conn.stream(), data, epoll::EventFlags::IN)?)
}

fn print_result(options: &Options, mut seen: Seen) {
    seen.from_due.sort_unstable();
    seen.from_sent.sort_unstable();
    let requests = seen.from_due.len();
    println!(
        "RESULT {{\"requests\":{requests},\"total\":{},\"seconds\":{},\"errors\":{},\"p50_us\":{:.1},\
         \"p90_us\":{:.1},\"p99_us\":{:.1},\"max_us\":{:.1},\"sent_p50_us\":{:.1},\"sent_p99_us\":{:.1}}}",
        seen.total,
        options.duration.as_secs_f64(),
        seen.errors,
        percentile(&seen.from_due, 0.50),
        percentile(&seen.from_due, 0.90),
        percentile(&seen.from_due, 0.99),
        percentile(&seen.from_due, 1.0),
        percentile(&seen.from_sent, 0.50),
        percentile(&seen.from_sent, 0.99),
    );
}

/// The value below which `part` of the sorted samples lie, in microseconds; 0 without samples.
fn percentile(sorted: &[u64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * part).round() as usize;
    sorted.get(index).map_or(0.0, |ns| *ns as f64 / 1000.0)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
