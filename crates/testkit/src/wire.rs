//! One end of a TCP connection, byte for byte: a client, or what a scripted origin accepted.

use crate::message::{Framing, Message, find, parse_field};
use crate::wait::DEADLINE;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// A connection. Reads have a deadline; what came is in every message of a failure.
#[derive(Debug)]
pub struct Wire {
    stream: Arc<TcpStream>,
    /// What was read and not looked at yet.
    ahead: Vec<u8>,
    received: Arc<Mutex<Vec<u8>>>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In order (FIN).
    Closed,
    /// By a reset.
    Reset,
}

/// A message that came to no good end.
#[derive(Debug)]
pub struct Cut {
    /// What came of it, if at least the head did.
    pub message: Option<Message>,
    /// The bytes that make no message.
    pub rest: Vec<u8>,
    /// How the connection ended.
    pub end: End,
}

impl Wire {
    /// A connection to that address.
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).unwrap_or_else(|err| panic!("connecting to {addr}: {err}")))
    }

    /// A connection from that address to that address.
    #[track_caller]
    pub fn connect_from(from: IpAddr, to: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap_or_else(|err| panic!("binding {from}: {err}"));
        socket.connect(&to.into()).unwrap_or_else(|err| panic!("connecting to {to}: {err}"));
        Self::over(socket.into())
    }

    /// A connection with a small window, whose reader the sender soon has to wait for.
    #[track_caller]
    pub fn connect_narrow(to: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&to.into()).unwrap_or_else(|err| panic!("connecting to {to}: {err}"));
        Self::over(socket.into())
    }

    /// Over an open connection.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self { stream: Arc::new(stream), ahead: Vec::new(), received: Arc::default() }
    }

    /// Our address.
    pub fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// The other end's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.stream.peer_addr().unwrap()
    }

    /// All bytes that ever came, kept up to date.
    pub fn record(&self) -> Arc<Mutex<Vec<u8>>> {
        self.received.clone()
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).unwrap_or_else(|err| panic!("sending: {err}"));
        self
    }

    /// Sends bytes as they are; the other end may be gone.
    ///
    /// # Errors
    /// The socket's.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        (&*self.stream).write_all(bytes.as_ref())
    }

    /// Sends bytes in pieces with pauses. False when the other end stopped taking them.
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>, piece: usize, pause: Duration) -> bool {
        for part in bytes.as_ref().chunks(piece) {
            if self.try_send(part).is_err() {
                return false;
            }
            std::thread::sleep(pause);
        }
        true
    }

    /// Sends `GET path` to host `test` and reads the answer.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Message {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
    }

    /// Sends a request as it is written and reads the answer.
    #[track_caller]
    pub fn ask(&mut self, request: &str) -> Message {
        self.send(request);
        self.read_response_to(request.split(' ').next().unwrap_or_default())
    }

    /// Ends our direction; the other goes on.
    pub fn half_close(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// Ends the connection with a reset once it is dropped, or its script ends.
    pub fn reset(&mut self) {
        SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The socket, for as long as the connection lives.
    pub(crate) fn socket(&self) -> Weak<TcpStream> {
        Arc::downgrade(&self.stream)
    }

    /// How long a read waits from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).unwrap();
    }

    /// How long a write waits from now on.
    pub fn set_write_patience(&mut self, patience: Duration) {
        self.stream.set_write_timeout(Some(patience)).unwrap();
    }

    /// The same connection once more, for a thread of its own that writes.
    pub fn twin(&self) -> Self {
        Self { stream: self.stream.clone(), ahead: Vec::new(), received: self.received.clone() }
    }

    /// Up to that many bytes, as many as one read gives.
    ///
    /// # Errors
    /// `UnexpectedEof` at the end, else the socket's.
    pub fn read_some(&mut self, len: usize) -> std::io::Result<Vec<u8>> {
        let mut piece = vec![0; len];
        match (&*self.stream).read(&mut piece)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            len => Ok(piece[..len].to_vec()),
        }
    }

    /// Whether a byte can be read within the patience; without it nothing has come and nothing ended.
    pub fn is_quiet(&mut self) -> bool {
        if !self.ahead.is_empty() {
            return false;
        }
        let mut byte = [0];
        matches!(self.stream.peek(&mut byte),
            Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Exactly that many bytes.
    #[track_caller]
    pub fn read_exact(&mut self, len: usize) -> Vec<u8> {
        while self.ahead.len() < len {
            self.fill_or_panic("bytes");
        }
        self.ahead.drain(..len).collect()
    }

    /// Exactly that many bytes.
    ///
    /// # Errors
    /// How the connection ended, where it did before.
    #[track_caller]
    pub fn try_read_exact(&mut self, len: usize) -> Result<Vec<u8>, End> {
        while self.ahead.len() < len {
            if let Some(end) = self.fill() {
                return Err(end);
            }
        }
        Ok(self.ahead.drain(..len).collect())
    }

    /// Up to and including `needle`.
    #[track_caller]
    pub fn read_to(&mut self, needle: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = find(&self.ahead, needle) {
                return self.ahead.drain(..at + needle.len()).collect();
            }
            self.fill_or_panic(&needle.escape_ascii().to_string());
        }
    }

    /// Everything up to the end of the connection, and how it ended.
    #[track_caller]
    pub fn read_to_end(&mut self) -> (Vec<u8>, End) {
        loop {
            if let Some(end) = self.fill() {
                return (std::mem::take(&mut self.ahead), end);
            }
        }
    }

    /// The connection ends, and nothing comes before that.
    #[track_caller]
    pub fn read_end(&mut self) -> End {
        let (rest, end) = self.read_to_end();
        assert!(rest.is_empty(), "bytes before the end: {}", rest.escape_ascii());
        end
    }

    /// A head with its empty line, body untouched.
    #[track_caller]
    pub fn read_head(&mut self) -> Message {
        Message::parse_head(&self.read_to(b"\r\n\r\n"))
    }

    /// A whole response to a GET.
    #[track_caller]
    pub fn read_response(&mut self) -> Message {
        self.read_response_to("GET")
    }

    /// A whole response to a request of that method.
    #[track_caller]
    pub fn read_response_to(&mut self, method: &str) -> Message {
        self.try_read(Some(method)).unwrap_or_else(|cut| panic!("no whole response: {cut:?}"))
    }

    /// A response to a GET that does not come to its end.
    #[track_caller]
    pub fn read_cut_response(&mut self) -> Cut {
        match self.try_read(Some("GET")) {
            Ok(message) => panic!("a whole response: {message:?}"),
            Err(cut) => cut,
        }
    }

    /// A whole request; `None` when the connection ended before one began.
    #[track_caller]
    pub fn read_request(&mut self) -> Option<Message> {
        match self.try_read(None) {
            Ok(message) => Some(message),
            Err(Cut { message: None, rest, .. }) if rest.is_empty() => None,
            Err(cut) => panic!("no whole request: {cut:?}"),
        }
    }

    /// A message. `method` is that of the request it answers; `None` reads a request.
    ///
    /// # Errors
    /// What came of it when the connection ended first.
    #[allow(clippy::result_large_err, reason = "what a failed test shows may be large")]
    #[track_caller]
    pub fn try_read(&mut self, method: Option<&str>) -> Result<Message, Cut> {
        let head = self.take_to(b"\r\n\r\n").map_err(|end| self.cut(None, end))?;
        let mut message = Message::parse_head(&head);
        let outcome = match message.framing(method) {
            Framing::None => Ok(()),
            Framing::Length(len) => self.take_body(&mut message, len),
            Framing::Chunked => self.take_chunks(&mut message),
            Framing::UntilEnd => {
                let (body, end) = self.read_to_end();
                message.body = body;
                if end == End::Closed { Ok(()) } else { Err(end) }
            }
        };
        match outcome {
            Ok(()) => Ok(message),
            Err(end) => Err(self.cut(Some(message), end)),
        }
    }

    fn cut(&mut self, message: Option<Message>, end: End) -> Cut {
        Cut { message, rest: std::mem::take(&mut self.ahead), end }
    }

    fn take_body(&mut self, message: &mut Message, len: usize) -> Result<(), End> {
        let mut left = len;
        while left > 0 {
            if self.ahead.is_empty()
                && let Some(end) = self.fill()
            {
                return Err(end);
            }
            let take = left.min(self.ahead.len());
            message.body.extend(self.ahead.drain(..take));
            left -= take;
        }
        Ok(())
    }

    fn take_chunks(&mut self, message: &mut Message) -> Result<(), End> {
        loop {
            let line = self.take_to(b"\r\n")?;
            let line = String::from_utf8(line).unwrap();
            let size =
                usize::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("chunk {line:?}"));
            if size == 0 {
                break;
            }
            message.chunks.push(size);
            self.take_body(message, size)?;
            let end = self.take_to(b"\r\n")?;
            assert_eq!(end, b"\r\n", "chunk data must end here: {}", end.escape_ascii());
        }
        loop {
            let line = String::from_utf8(self.take_to(b"\r\n")?).unwrap();
            match line.trim_end() {
                "" => return Ok(()),
                line => message.trailers.push(parse_field(line)),
            }
        }
    }

    fn take_to(&mut self, needle: &[u8]) -> Result<Vec<u8>, End> {
        loop {
            if let Some(at) = find(&self.ahead, needle) {
                return Ok(self.ahead.drain(..at + needle.len()).collect());
            }
            if let Some(end) = self.fill() {
                return Err(end);
            }
        }
    }

    #[track_caller]
    fn fill_or_panic(&mut self, what: &str) {
        if let Some(end) = self.fill() {
            panic!("connection ended ({end:?}) before {what}; came: {}", self.ahead.escape_ascii());
        }
    }

    /// Reads once. The end, if it is that.
    #[track_caller]
    fn fill(&mut self) -> Option<End> {
        let mut piece = [0; 64 * 1024];
        match (&*self.stream).read(&mut piece) {
            Ok(0) => Some(End::Closed),
            Ok(len) => {
                self.ahead.extend_from_slice(&piece[..len]);
                self.received.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..len]);
                None
            }
            Err(err) if matches!(err.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                Some(End::Reset)
            }
            Err(err) if err.kind() == ErrorKind::Interrupted => None,
            Err(err) => panic!("nothing came ({err}); before: {}", self.ahead.escape_ascii()),
        }
    }
}
