//! What stands behind the servers: endpoints that write down what they got and answer as they are asked to.

use crate::websocket;
use bifrons_testkit::addr::own_ip;
use bifrons_testkit::{Message, Origin, wait_until};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// An endpoint of that name.
pub(super) struct Endpoint {
    origin: Origin,
    got: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// With the answers that requests may ask for, in which `@me@` is its address and `@accept@` what agrees to
    /// a WebSocket; a request that asks for none gets its own start line and body back. An empty answer closes
    /// the connection, one of status 101 makes it a WebSocket that sends back what it is told. `@connection@` and
    /// `@request@` count its connections and the requests on one. An answer called `app1/busy` is given by `app1`
    /// alone, before one called `busy`. One that begins with `@after@` and a number waits until so many requests have
    /// come, and one of `@after@` alone is never given.
    pub(super) fn start(name: &str, answers: &BTreeMap<&'static str, Vec<u8>>) -> Self {
        Self::start_at(SocketAddr::from((own_ip(), 0)), name, answers)
    }

    /// The same at that address.
    pub(super) fn start_at(addr: SocketAddr, name: &str, answers: &BTreeMap<&'static str, Vec<u8>>) -> Self {
        let (name, answers) = (name.to_owned(), answers.clone());
        let got = Arc::new(Mutex::new(Vec::new()));
        let notes = got.clone();
        let connections = AtomicUsize::new(0);
        let origin = Origin::script_at(addr, move |wire| {
            let me = wire.local_addr().to_string();
            let mut connection = None;
            let mut requests = 0;
            while let Some(request) = wire.read_request() {
                // Whoever only looks whether somebody listens says nothing.
                let connection = *connection.get_or_insert_with(|| connections.fetch_add(1, Relaxed) + 1);
                requests += 1;
                let counts = [("@connection@", connection), ("@request@", requests)];
                notes.lock().unwrap_or_else(PoisonError::into_inner).push(written(&request));
                let closes = request.start.ends_with("HTTP/1.0")
                    || request.field("Connection").is_some_and(|value| value == "close");
                let own = |asked: &String| answers.get(&*format!("{name}/{asked}"));
                let answer = match asked(&request).and_then(|asked| own(&asked).or(answers.get(&*asked))) {
                    Some(answer) => filled(answer, &me, &request, &counts),
                    None => echo(&name, &request, closes),
                };
                let answer = match held(&answer) {
                    Held::No => answer,
                    Held::Until(count, answer) => {
                        let come = || notes.lock().unwrap_or_else(PoisonError::into_inner).len();
                        wait_until("the others have come", || come() >= count);
                        answer
                    }
                    Held::Forever => continue,
                };
                if answer.is_empty() || wire.try_send(&answer).is_err() {
                    break;
                }
                if answer.starts_with(b"HTTP/1.1 101") {
                    websocket::echo(wire);
                    break;
                }
                if closes {
                    break;
                }
            }
        });
        Self { origin, got }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.origin.addr()
    }

    /// The requests it got, in order.
    pub(super) fn got(&self) -> Vec<String> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How long an answer waits.
enum Held {
    No,
    Until(usize, Vec<u8>),
    Forever,
}

fn held(answer: &[u8]) -> Held {
    let Some(rest) = answer.strip_prefix(b"@after@") else { return Held::No };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match std::str::from_utf8(&rest[..digits]).unwrap().parse() {
        Ok(count) => Held::Until(count, rest[digits..].to_vec()),
        Err(_) => Held::Forever,
    }
}

/// The name of the answer that a request asks for.
fn asked(request: &Message) -> Option<String> {
    if let Some(name) = request.all("X-Answer").first() {
        return Some((*name).to_owned());
    }
    let (_, query) = request.target().split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("a=")).map(str::to_owned)
}

fn filled(answer: &[u8], me: &str, request: &Message, counts: &[(&str, usize)]) -> Vec<u8> {
    let key = request.field("Sec-WebSocket-Key").unwrap_or_default();
    let answer = replace(answer, b"@me@", me.as_bytes());
    let answer = replace(&answer, b"@accept@", websocket::accept(key).as_bytes());
    counts
        .iter()
        .fold(answer, |answer, (name, count)| replace(&answer, name.as_bytes(), count.to_string().as_bytes()))
}

/// Whoever is not told that the connection closes may send the next request on it, and it depends on the moment
/// whether that comes to anything.
fn echo(name: &str, request: &Message, closes: bool) -> Vec<u8> {
    let body = format!("{name}: {} [{}]", request.start, String::from_utf8_lossy(&request.body));
    let connection = if closes { "Connection: close\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/x-echo\r\n{connection}Content-Length: {}\r\n\r\n",
        body.len()
    );
    if request.method() == "HEAD" { head.into_bytes() } else { (head + &body).into_bytes() }
}

/// A request in one line, fields in no order.
fn written(request: &Message) -> String {
    let mut fields: Vec<_> = request
        .fields
        .iter()
        .map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase()))
        .collect();
    fields.sort();
    format!("{} | {} :: {}", request.start, fields.join(" ;; "), String::from_utf8_lossy(&request.body))
}

/// Bytes with others in place of some.
pub(super) fn replace(bytes: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    match bifrons_testkit::message::find(bytes, what) {
        Some(at) => [&bytes[..at], by, &replace(&bytes[at + what.len()..], what, by)].concat(),
        None => bytes.to_vec(),
    }
}
