//! Origins that do exactly what a test says.

use crate::message::Message;
use crate::wire::Wire;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

/// A server on a loopback address, a thread a connection. Stops listening when dropped; a script that
/// panicked fails the test then.
#[derive(Debug)]
pub struct Origin {
    addr: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_stopped: AtomicBool,
    /// What each connection received, in the order of accepting.
    received: Mutex<Vec<Arc<Mutex<Vec<u8>>>>>,
    /// Where each connection came from.
    peers: Mutex<Vec<SocketAddr>>,
    requests: Mutex<Vec<Message>>,
    failures: Mutex<Vec<String>>,
    /// To end connections from outside.
    sockets: Mutex<Vec<Weak<TcpStream>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Origin {
    /// Runs `script` with every connection, which closes when the script ends.
    pub fn script(script: impl Fn(&mut Wire) + Send + Sync + 'static) -> Self {
        Self::start(any(), move |wire, _, _| script(wire))
    }

    /// As [`Origin::script`], at that address.
    #[track_caller]
    pub fn script_at(addr: SocketAddr, script: impl Fn(&mut Wire) + Send + Sync + 'static) -> Self {
        Self::start(addr, move |wire, _, _| script(wire))
    }

    /// Runs `script` with every connection and its number, from 0.
    pub fn numbered(script: impl Fn(&mut Wire, usize) + Send + Sync + 'static) -> Self {
        Self::start(any(), move |wire, number, _| script(wire, number))
    }

    /// Answers every request of every connection with what `answer` makes of it.
    pub fn serve(answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serve_at(any(), answer)
    }

    /// As [`Origin::serve`], at that address.
    #[track_caller]
    pub fn serve_at(addr: SocketAddr, answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(addr, move |wire, _, state| {
            while let Some(request) = wire.read_request() {
                let bytes = answer(&request);
                lock(&state.requests).push(request);
                if wire.try_send(bytes).is_err() {
                    break;
                }
            }
        })
    }

    #[track_caller]
    fn start(addr: SocketAddr, script: impl Fn(&mut Wire, usize, &State) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(addr).unwrap_or_else(|err| panic!("origin at {addr}: {err}"));
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = state.clone();
        let script = Arc::new(script);
        thread::spawn(move || accept(&listener, &shared, &script));
        Self { addr, state }
    }

    /// Answers every request with these bytes.
    pub fn answering(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        Self::serve(move |_| bytes.clone())
    }

    /// Answers every request with 200 and this text.
    pub fn saying(text: &str) -> Self {
        Self::answering(ok(text))
    }

    /// Answers with the request's body.
    pub fn mirror() -> Self {
        Self::serve(|request| {
            let mut answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len()).into_bytes();
            answer.extend_from_slice(&request.body);
            answer
        })
    }

    /// Answers with the request itself as the body: start line, fields, body (decoded).
    pub fn echo() -> Self {
        Self::serve(|request| {
            let mut body = format!("{}\r\n", request.start).into_bytes();
            for (name, value) in &request.fields {
                body.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
            body.extend_from_slice(b"\r\n");
            body.extend_from_slice(&request.body);
            let mut answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
            if request.method() != "HEAD" {
                answer.extend_from_slice(&body);
            }
            answer
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        lock(&self.state.received).len()
    }

    /// Where its connections came from.
    pub fn peers(&self) -> Vec<SocketAddr> {
        lock(&self.state.peers).clone()
    }

    /// What the connection of that number has received, byte for byte.
    pub fn received(&self, connection: usize) -> Vec<u8> {
        let record = lock(&self.state.received).get(connection).cloned();
        record.map(|record| lock(&record).clone()).unwrap_or_default()
    }

    /// What all its connections have received, one after the other.
    pub fn received_all(&self) -> Vec<u8> {
        (0..self.connections()).flat_map(|number| self.received(number)).collect()
    }

    /// The whole requests it has answered ([`Origin::serve`] and what is built on it).
    pub fn requests(&self) -> Vec<Message> {
        lock(&self.state.requests).clone()
    }

    /// Stops listening and ends all connections.
    pub fn stop(&self) {
        self.stop_listening();
        self.end_connections();
    }

    /// Ends all connections in order, and goes on listening.
    pub fn end_connections(&self) {
        for socket in lock(&self.state.sockets).drain(..).filter_map(|socket| socket.upgrade()) {
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }

    fn stop_listening(&self) {
        if !self.state.is_stopped.swap(true, Ordering::SeqCst) {
            // Wakes the accept, which then sees that it is over.
            let _ = TcpStream::connect(self.addr);
            crate::wait::wait_until("the origin stops listening", || TcpStream::connect(self.addr).is_err());
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop();
        let failures = lock(&self.state.failures);
        if !failures.is_empty() && !thread::panicking() {
            panic!("the origin's script failed: {failures:?}");
        }
    }
}

fn accept(
    listener: &TcpListener,
    state: &Arc<State>,
    script: &Arc<impl Fn(&mut Wire, usize, &State) + Send + Sync + 'static>,
) {
    while let Ok((stream, peer)) = listener.accept() {
        if state.is_stopped.load(Ordering::SeqCst) {
            return;
        }
        let mut wire = Wire::over(stream);
        lock(&state.sockets).push(wire.socket());
        lock(&state.peers).push(peer);
        let number = {
            let mut received = lock(&state.received);
            received.push(wire.record());
            received.len() - 1
        };
        let (state, script) = (state.clone(), script.clone());
        thread::spawn(move || {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| script(&mut wire, number, &state))) {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                if !state.is_stopped.load(Ordering::SeqCst) {
                    lock(&state.failures).push(text.unwrap_or_default());
                }
            }
        });
    }
}

/// Any port of this test process's address.
fn any() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(crate::addr::own_ip()), 0)
}

/// A 200 with this text.
pub fn ok(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}
