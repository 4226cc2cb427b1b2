//! Step 2 of an encrypted connection: whom the client names, what holds for that name, the handshake. At the end
//! the handshakes with endpoints, which are simpler.

use crate::request::Task;
use crate::snapshot::{ClusterPlan, HostPlan, ListenerPlan};
use crate::worker::Worker;
use bifrons_balance::Endpoint;
use bifrons_config::Template;
use bifrons_core::{Error, Kind, Result, Retry, Side};
use bifrons_http::h1::Conn;
use bifrons_http::vars::Scope;
use bifrons_http::{RequestHead, TlsFacts};
use bifrons_net::tls::HandshakeError;
use bifrons_net::{Stream, Tls};
use bifrons_observe::metrics::{Handshake, Refusal};
use bifrons_route::Captures;
use bifrons_tls::config::{ClientMode, OtherHosts, UnknownNames};
use bifrons_tls::hello::{self, First, Hello};
use bifrons_tls::{TlsPlan, facts};
use bytes::BytesMut;
use std::borrow::Cow;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// 2 KiB: most clients' first message in one read.
const FIRST_BYTES: usize = 2048;
/// A fatal alert `unrecognized_name`, as it is sent before any keys are there (RFC 8446 6, RFC 6066 3).
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];
/// What ALPN calls it (RFC 9113 3.2).
const HTTP2: &[u8] = b"h2";

thread_local! {
    /// Scratch of the search for a host; kept so that it allocates nothing.
    static CAPTURES: RefCell<Captures> = RefCell::new(Captures::new());
}

/// A connection that is ready for requests.
pub struct Line {
    /// It.
    pub conn: Conn,
    /// What is known about its TLS.
    pub facts: Option<Box<TlsFacts>>,
    /// What it was secured by.
    pub secured: Option<Arc<TlsPlan>>,
    /// Whether plain text came where TLS was expected.
    pub is_misplaced: bool,
}

impl Line {
    /// One that is not encrypted.
    pub fn plain(conn: Conn) -> Self {
        Self { conn, facts: None, secured: None, is_misplaced: false }
    }
}

/// Carries out the handshake, behind what was read `ahead` of it; `None` where it came to nothing. `is_raw`
/// where what is within goes on byte for byte.
pub async fn accept(
    worker: &Rc<Worker>,
    listener: &Arc<ListenerPlan>,
    (stream, ahead): (Stream, BytesMut),
    is_raw: bool,
) -> Option<Line> {
    let stats = &listener.stats;
    let Some(_share) = listener.state.begin_handshake(listener.handshakes_max, listener.handshake_rate)
    else {
        stats.refuse(&worker.shard, Refusal::Handshakes);
        return None;
    };
    let outcome =
        tokio::time::timeout(listener.handshake_timeout, secure(listener, (stream, ahead), is_raw)).await;
    let outcome = match outcome {
        Ok(Ok(line)) => {
            let result = match &line.facts {
                Some(facts) if facts.is_resumed => Handshake::Resumed,
                Some(_) => Handshake::Full,
                None => Handshake::PlainText,
            };
            stats.handshake(&worker.shard, result);
            return Some(line);
        }
        Ok(Err(outcome)) => outcome,
        Err(_) => Failure { result: Handshake::Timeout, why: "the client took too long".to_owned() },
    };
    stats.handshake(&worker.shard, outcome.result);
    tracing::debug!(listener = &*listener.name, why = outcome.why, "no TLS connection came about");
    None
}

/// Why no connection came about.
struct Failure {
    result: Handshake,
    why: String,
}

async fn secure(
    listener: &Arc<ListenerPlan>,
    (stream, ahead): (Stream, BytesMut),
    is_raw: bool,
) -> std::result::Result<Line, Failure> {
    let (first, bytes) = first_message(&stream, ahead).await?;
    let hello = match first {
        First::Hello(hello) => hello,
        _ if looks_like_http(&bytes) => {
            let conn = Conn::with_read_ahead(stream, Side::Downstream, bytes);
            return Ok(Line { is_misplaced: true, ..Line::plain(conn) });
        }
        _ => return Err(Failure { result: Handshake::Failed, why: "no TLS".to_owned() }),
    };
    let Some(plan) = plan_for(listener, &hello) else {
        let _ = stream.try_write(UNRECOGNIZED_NAME);
        let why = format!("unknown name {:?}", hello.server_name);
        return Err(Failure { result: Handshake::UnknownName, why });
    };
    let failed = |why: String| Failure { result: Handshake::Failed, why };
    let session = plan.session(is_raw).map_err(failed)?;
    let done = Tls::handshake(&stream, session, bytes).await;
    let (tls, plain) = done.map_err(|err: HandshakeError| failed(err.to_string()))?;
    let facts = facts::of(&tls.agreed(), hello, &plan);
    let conn = Conn::with_tls(stream, Side::Downstream, tls, plain);
    Ok(Line { conn, facts: Some(Box::new(facts)), secured: Some(plan), is_misplaced: false })
}

/// Reads until the client's first message is whole, or is none of TLS.
async fn first_message(
    stream: &Stream,
    mut bytes: BytesMut,
) -> std::result::Result<(First, BytesMut), Failure> {
    // It has mostly come with the connection, if it was not read already.
    let mut read = match bytes.is_empty() {
        true => {
            bytes.reserve(FIRST_BYTES);
            stream.try_read(&mut bytes)
        }
        false => Ok(bytes.len()),
    };
    // Bounded: every turn reads bytes, and of a message that does not end only so many are looked at.
    loop {
        match read {
            Ok(0) => {
                return Err(Failure { result: Handshake::Failed, why: "closed before a word".to_owned() });
            }
            Err(err) if err.kind() != io::ErrorKind::WouldBlock => {
                return Err(Failure { result: Handshake::Failed, why: err.to_string() });
            }
            _ => {}
        }
        match hello::read(&bytes) {
            First::Partial => {
                let provide = |bytes: &mut BytesMut| bytes.reserve(FIRST_BYTES);
                read = poll_fn(|cx| stream.poll_read(cx, &mut bytes, provide)).await;
            }
            first => return Ok((first, bytes)),
        }
    }
}

/// A method, or the beginning of HTTP/2 by prior knowledge.
fn looks_like_http(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_uppercase)
}

/// What holds for the name that the client gives: its host's, or the listener's. `None` where it is refused.
fn plan_for(listener: &Arc<ListenerPlan>, hello: &Hello) -> Option<Arc<TlsPlan>> {
    let name = hello.server_name.as_deref();
    let of_host = CAPTURES.with_borrow_mut(|captures| {
        let found = listener.hosts.find(name.unwrap_or_default().as_bytes(), captures)?;
        found.value.tls.clone()
    });
    let plan = of_host.or_else(|| listener.tls.clone())?;
    let is_refused =
        plan.unknown == UnknownNames::Reject && name.is_none_or(|name| plan.resolver.covers(name).is_none());
    (!is_refused).then_some(plan)
}

/// The name that an endpoint must prove for this request; `None` where connections are plain.
pub(crate) fn upstream_name<'a>(
    cluster: &'a ClusterPlan,
    task: &Task<'_>,
    head: &RequestHead,
    endpoint: &'a Endpoint,
) -> Option<Cow<'a, str>> {
    match cluster.tls.as_ref()?.name.as_ref() {
        Some(template) if template.as_text().is_none() => {
            let mut name = Vec::new();
            template.render(&Scope { cx: &task.cx, req: head, res: None }, &mut name);
            Some(Cow::Owned(String::from_utf8_lossy(&name).into_owned()))
        }
        _ => own_name(cluster, endpoint).map(Cow::Borrowed),
    }
}

/// The same as far as no request has a say in it.
pub(crate) fn own_name<'a>(cluster: &'a ClusterPlan, endpoint: &'a Endpoint) -> Option<&'a str> {
    let tls = cluster.tls.as_ref()?;
    Some(tls.name.as_ref().and_then(Template::as_text).unwrap_or(&endpoint.spec().name))
}

/// What is offered to an endpoint by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Nothing: it is HTTP/1 then.
    Nothing,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, or else HTTP/1.1.
    Either,
    /// HTTP/2 and nothing else; in plain text it is spoken unasked.
    Http2,
}

impl Offer {
    fn protocols(self) -> &'static [&'static [u8]] {
        match self {
            Self::Nothing => &[],
            Self::Http1 => &[b"http/1.1"],
            Self::Either => &[HTTP2, b"http/1.1"],
            Self::Http2 => &[HTTP2],
        }
    }
}

/// The handshake with an endpoint, and whether it has chosen HTTP/2.
///
/// # Errors
/// `Connect` or `Timeout`; nothing of a request was sent.
pub(crate) async fn upstream(
    cluster: &ClusterPlan,
    stream: Stream,
    name: &str,
    (limit, offer): (Duration, Offer),
) -> Result<(Conn, bool)> {
    let failed = |kind, why: &dyn std::fmt::Display| {
        Error::upstream(kind, format!("TLS with {name}: {why}")).retry(Retry::Safe)
    };
    let missing = || Error::local(Kind::Internal, "invariant: only a cluster with TLS has names");
    let session = cluster.tls.as_ref().ok_or_else(missing)?.session(name, offer.protocols());
    let session = session.map_err(|why| failed(Kind::Connect, &why))?;
    let handshake = Tls::handshake(&stream, session, BytesMut::new());
    match tokio::time::timeout(limit, handshake).await {
        Ok(Ok((tls, plain))) => {
            let is_http2 =
                matches!(offer, Offer::Either | Offer::Http2) && tls.agreed().alpn.as_deref() == Some(HTTP2);
            if offer == Offer::Http2 && !is_http2 {
                return Err(failed(Kind::Connect, &"it does not speak HTTP/2"));
            }
            Ok((Conn::with_tls(stream, Side::Upstream, tls, plain), is_http2))
        }
        Ok(Err(err)) => Err(failed(Kind::Connect, &err)),
        Err(_) => Err(failed(Kind::Timeout, &"the handshake took too long")),
    }
}

/// Whether a host may be asked for on a connection whose handshake was for another name: its clients must show
/// it no other certificates; and where the other name leads to another host, one of the connection's own
/// certificates must be for this one (RFC 9110 15.5.20, 7.4).
pub(crate) fn check_direction(task: &Task<'_>, host: &[u8], plan: &Arc<HostPlan>) -> Result<()> {
    let (Some(shown), Some(facts)) = (&task.conn.secured, &task.conn.facts.tls) else { return Ok(()) };
    let name = facts.server_name.as_deref().unwrap_or_default();
    if name.as_bytes().eq_ignore_ascii_case(host) {
        return Ok(());
    }
    let wanted = plan.tls.as_ref().or(task.listener.tls.as_ref());
    // A host that asks for nothing may be reached with what another one has seen.
    let is_other = wanted.is_some_and(|wanted| wanted.client.is_some() && wanted.context != shown.context);
    let is_named = !name.is_empty() && !host.is_empty() && shown.other_hosts == OtherHosts::Refuse;
    if is_other || is_named && is_foreign(task, shown, (name, host), plan) {
        return Err(Error::downstream(Kind::Misdirected, "the handshake was for another host"));
    }
    Ok(())
}

/// Whether the two names lead to different hosts, and no certificate that could be shown is for this one.
fn is_foreign(task: &Task<'_>, shown: &TlsPlan, (name, host): (&str, &[u8]), plan: &Arc<HostPlan>) -> bool {
    let host = String::from_utf8_lossy(host).to_ascii_lowercase();
    if shown.resolver.covers(&host).is_some() {
        return false;
    }
    let named = task.listener.hosts.find(name.as_bytes(), &mut Captures::new());
    !named.is_some_and(|named| Arc::ptr_eq(named.value, plan))
}

/// Whether a request that came before the end of its handshake may be answered now: whoever repeats the bytes of
/// another asks for it too. Endpoints are told (RFC 8470 5.1); what a hop before us told them stays.
///
/// # Errors
/// `TooEarly`.
pub(crate) fn check_early(task: &Task<'_>, head: &mut RequestHead) -> Result<()> {
    if !task.conn.http.tls().is_some_and(Tls::is_early) {
        return Ok(());
    }
    if !head.method().is_safe() {
        return Err(Error::downstream(Kind::TooEarly, "a request that may change something, as early data"));
    }
    head.headers.set("Early-Data", b"1");
    Ok(())
}

/// Whether the client has the certificate it must have, where it is told so in an answer.
///
/// # Errors
/// `ClientCertificate`.
pub(crate) fn check_client(task: &Task<'_>) -> Result<()> {
    let Some(client) = task.conn.secured.as_ref().and_then(|plan| plan.client.as_ref()) else {
        return Ok(());
    };
    let Some(facts) = &task.conn.facts.tls else { return Ok(()) };
    if client.mode == ClientMode::Unverified {
        return Ok(());
    }
    let refused = |why: String| Err(Error::downstream(Kind::ClientCertificate, why));
    match facts.verify.strip_prefix("FAILED:") {
        Some(why) => refused(format!("client SSL certificate verify error: {why}")),
        None if client.mode == ClientMode::Required && facts.client.is_none() => {
            refused("client sent no required SSL certificate".to_owned())
        }
        None => Ok(()),
    }
}
