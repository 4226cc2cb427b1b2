//! The demo's client: one request over TLS, and what its answer tells. Independent of the proxy's own engine, as
//! the origin is.

use super::FORGED;
use crate::command::Failure;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Loopback: what takes longer hangs.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The app's JSON is some hundred bytes long.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Who believes the demo's authority, and nobody else.
pub(super) struct Client(TlsConnector);

/// What came.
pub(super) struct Answer {
    pub(super) status: u16,
    fields: Vec<(String, String)>,
    pub(super) body: String,
    /// From before connecting until the end.
    pub(super) took: Duration,
}

impl Client {
    /// With the authority's certificate in PEM.
    pub(super) fn new(authority: &str) -> Result<Self, Failure> {
        let wrong = |error: &dyn std::fmt::Display| format!("the demo's authority: {error}");
        let mut roots = RootCertStore::empty();
        let authority =
            CertificateDer::from_pem_slice(authority.as_bytes()).map_err(|error| wrong(&error))?;
        roots.add(authority).map_err(|error| wrong(&error))?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Asks `addr`, which must prove to be `name`.
    pub(super) async fn get(
        &self,
        addr: SocketAddr,
        name: &'static str,
        path: &str,
    ) -> Result<Answer, Failure> {
        let asked = tokio::time::timeout(ANSWER_MAX, self.ask(addr, name, path)).await;
        let outcome = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let (text, took) = outcome.map_err(|error| format!("GET https://{name}{path} at {addr}: {error}"))?;
        Answer::parse(&text, took)
            .ok_or_else(|| format!("GET https://{name}{path}: no answer of HTTP").into())
    }

    async fn ask(&self, addr: SocketAddr, name: &'static str, path: &str) -> io::Result<(String, Duration)> {
        let began = Instant::now();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let host = name.to_str().into_owned();
        let mut stream = self.0.connect(name, TcpStream::connect(addr).await?).await?;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}:{}\r\nX-Forwarded-For: {FORGED}\r\nConnection: close\r\n\r\n",
            addr.port()
        );
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        Ok((String::from_utf8_lossy(&answer).into_owned(), began.elapsed()))
    }
}

impl Answer {
    fn parse(text: &str, took: Duration) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let pair =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Some(Self { status, fields: lines.filter_map(pair).collect(), body: body.to_owned(), took })
    }

    /// The first field of that name.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.next().map(|(_, value)| value.as_str())
    }

    /// All entries of `Server-Timing`.
    pub(super) fn timings(&self) -> Vec<&str> {
        let fields = self.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("server-timing"));
        fields.flat_map(|(_, value)| value.split(',')).map(str::trim).collect()
    }

    /// How long the hop of that name says in `Server-Timing` that it took, with all that is behind it.
    pub(super) fn took_ms(&self, hop: &str) -> Option<f64> {
        let of = |entry: &&str| entry.split(';').next() == Some(hop);
        let entry = self.timings().into_iter().find(of)?;
        entry.split(';').find_map(|part| part.trim().strip_prefix("dur=")?.parse().ok())
    }

    /// A field of the request as the app received it.
    pub(super) fn received(&self, name: &str) -> Option<String> {
        let json: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        let fields = json.get("headers")?.as_array()?;
        let is_it = |field: &&serde_json::Value| {
            field
                .get(0)
                .and_then(|field| field.as_str())
                .is_some_and(|field| field.eq_ignore_ascii_case(name))
        };
        let values: Vec<&str> =
            fields.iter().filter(is_it).filter_map(|field| field.get(1)?.as_str()).collect();
        (!values.is_empty()).then(|| values.join(" | "))
    }
}
