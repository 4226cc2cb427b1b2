//! How connections to a listener are encrypted: from the configuration to what rustls goes by.

use crate::certificate::{Certificate, LoadError, Part, Paths};
use crate::client_auth::ClientAuth;
use crate::config::{
    CertificateFiles, CipherOrder, OtherHosts, ServerTls, Sessions, TlsVersion, UnknownNames,
};
use crate::ocsp::Address;
use crate::resolver::Resolver;
use crate::store::{Context, Store};
use crate::suites;
use crate::tickets::{self, TicketKeys, Ticketer};
use aws_lc_rs::digest;
use bifrons_config::At;
use bifrons_config::problem::HELP_MARK;
use bifrons_config::suggest::nearest;
use bifrons_net::tls::Session;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::server::{NoServerSessionStorage, ServerConfig, UnbufferedServerConnection};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// What is wrong with a configuration: where, what, maybe with help.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// Where.
    pub place: Option<bifrons_config::Place>,
    /// What.
    pub message: String,
}

impl Wrong {
    pub(crate) fn at<T>(at: &At<T>, message: impl Into<String>) -> Self {
        Self { place: at.place.clone(), message: message.into() }
    }

    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into() }
    }
}

/// Protocols that are offered, ours first; `h2` where HTTP/2 is on. Of TLS 1.2's suites none is here that
/// RFC 9113 9.2.2 forbids: rustls has only such with ephemeral keys and AEAD.
const ALPN: &[&[u8]] = &[b"h2", b"http/1.1", b"http/1.0"];

/// 16 KiB of early data: what OpenSSL takes, and more than a request without a body has.
const EARLY_BYTES: u32 = 16 * 1024;

/// TLS of a listener, or of the names of a host: ready to serve.
pub struct TlsPlan {
    /// What rustls goes by.
    pub config: Arc<ServerConfig>,
    /// The same where no request is looked for within: no protocol is agreed upon, since only the endpoint
    /// would know which it speaks.
    raw: Arc<ServerConfig>,
    /// Which certificate is shown.
    pub resolver: Arc<Resolver>,
    /// What is asked of clients.
    pub client: Option<Arc<ClientAuth>>,
    /// A digest of what a session's rights depend on.
    pub context: Context,
    /// What becomes of clients that name nobody we know.
    pub unknown: UnknownNames,
    /// What becomes of requests for other hosts.
    pub other_hosts: OtherHosts,
    /// Whether requests may come before the end of the handshake.
    pub early_data: bool,
}

impl fmt::Debug for TlsPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsPlan").field("resolver", &self.resolver).finish_non_exhaustive()
    }
}

impl TlsPlan {
    /// The beginning of a session; `is_raw` where what is within goes on byte for byte.
    ///
    /// # Errors
    /// What the library says.
    pub fn session(&self, is_raw: bool) -> Result<Session, String> {
        let config = if is_raw { &self.raw } else { &self.config };
        let conn = UnbufferedServerConnection::new(config.clone());
        conn.map(|conn| Session::Server(Box::new(conn))).map_err(|err| err.to_string())
    }
}

/// What building goes by.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// What is kept over snapshots.
    pub store: &'a Store,
    /// Where relative paths begin.
    pub base: &'a Path,
    /// Whether HTTP/2 is spoken there.
    pub http2: bool,
}

impl ServerTls {
    /// The settings of a host, with those of its listener where it says nothing.
    #[must_use]
    pub fn over(&self, listener: &Self) -> Self {
        let rejects = self.unknown_names == Some(UnknownNames::Reject);
        let certificates = match self.certificates.is_empty() && !rejects {
            true => &listener.certificates,
            false => &self.certificates,
        };
        Self {
            certificates: certificates.clone(),
            unknown_names: self.unknown_names.or(listener.unknown_names),
            min_version: self.min_version.or(listener.min_version),
            max_version: self.max_version.or(listener.max_version),
            ciphers: self.ciphers.clone().or_else(|| listener.ciphers.clone()),
            cipher_order: self.cipher_order.or(listener.cipher_order),
            groups: self.groups.clone().or_else(|| listener.groups.clone()),
            client: self.client.clone().or_else(|| listener.client.clone()),
            sessions: self.sessions.clone().or_else(|| listener.sessions.clone()),
            early_data: self.early_data.or(listener.early_data),
            other_hosts: self.other_hosts.or(listener.other_hosts),
            record: self.record.or(listener.record),
        }
    }

    /// Builds it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn build(&self, cx: Cx<'_>) -> Result<TlsPlan, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut note = |err| wrong.push(err);
        let certificates: Vec<_> = self
            .certificates
            .iter()
            .filter_map(|files| certificate(files, cx).map_err(&mut note).ok())
            .collect();
        let rejects = self.unknown_names == Some(UnknownNames::Reject);
        if self.certificates.is_empty() && !rejects {
            let help = "add `certificates: [{ cert: site.crt, key: site.key }]`";
            note(Wrong::nowhere(format!("TLS without a certificate{HELP_MARK}{help}")));
        }
        let versions = versions(self.min_version, self.max_version).map_err(&mut note).unwrap_or_default();
        let suites = suites_of(self.ciphers.as_deref(), &versions).map_err(&mut note).unwrap_or_default();
        let groups = groups_of(self.groups.as_deref()).map_err(&mut note).unwrap_or_default();
        let provider = Arc::new(CryptoProvider {
            cipher_suites: suites,
            kx_groups: groups,
            ..provider::default_provider()
        });
        let client = match self.client.as_ref().map(|client| ClientAuth::build(client, cx, &provider)) {
            Some(Ok(client)) => client.map(Arc::new),
            Some(Err(err)) => {
                note(err);
                None
            }
            None => None,
        };
        let sessions = self.sessions.clone().unwrap_or_default();
        let keys = ticket_keys(&sessions, cx).map_err(&mut note).ok();
        let record = self.record.map_or(16 * 1024, |size| size.0);
        if !(512..=16 * 1024).contains(&record) {
            note(Wrong::nowhere(format!("tls.record is {record}, it must be from 512 to 16384 bytes")));
        }
        let early_data = self.early_data == Some(true);
        if early_data && (sessions.cache == 0 || !sessions.ticket_keys.is_empty()) {
            let help = "leave out `ticket_keys`, and `cache: 0`";
            note(Wrong::nowhere(format!("early_data needs sessions that are kept here{HELP_MARK}{help}")));
        }
        let (true, Some(keys)) = (wrong.is_empty(), keys) else { return Err(wrong) };
        let context = context(client.as_deref());
        let unknown = self.unknown_names.unwrap_or_default();
        let resolver = Arc::new(Resolver::new(certificates, unknown));
        cx.store.register(&resolver);
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|err| vec![Wrong::nowhere(format!("TLS: {err}"))])?;
        let mut config = match &client {
            Some(client) => builder.with_client_cert_verifier(client.verifier.clone()),
            None => builder.with_no_client_auth(),
        }
        .with_cert_resolver(resolver.clone());
        config.ignore_client_order = self.cipher_order.unwrap_or_default() == CipherOrder::Server;
        let alpn = ALPN.iter().filter(|name| cx.http2 || **name != b"h2");
        config.alpn_protocols = alpn.map(|name| name.to_vec()).collect();
        // The library counts the record's header as well.
        config.max_fragment_size = (record < 16 * 1024).then_some(record as usize + 5);
        config.session_storage = match sessions.cache {
            0 => Arc::new(NoServerSessionStorage {}),
            size => cx.store.sessions(context, size),
        };
        // The library takes early data only of sessions that are kept here, each of which it takes up once.
        if sessions.tickets && !early_data {
            let timeout = sessions.timeout.0.min(tickets::TIMEOUT_MAX);
            config.ticketer = Arc::new(Ticketer { keys, context, timeout });
        }
        let mut raw = config.clone();
        raw.alpn_protocols.clear();
        if early_data {
            config.max_early_data_size = EARLY_BYTES;
            // Whoever has sent some is answered before the end of the handshake.
            config.send_half_rtt_data = true;
        }
        Ok(TlsPlan {
            config: Arc::new(config),
            raw: Arc::new(raw),
            resolver,
            client,
            context,
            unknown,
            other_hosts: self.other_hosts.unwrap_or_default(),
            early_data,
        })
    }
}

pub(crate) fn certificate(files: &CertificateFiles, cx: Cx<'_>) -> Result<Arc<Certificate>, Wrong> {
    let fetch = files.fetch_ocsp.as_ref();
    if let (Some(ocsp), Some(_)) = (&files.ocsp, fetch) {
        let message = "`ocsp` and `fetch_ocsp` both say where the OCSP answer comes from";
        let help = "remove `ocsp` if it is to be fetched, else `fetch_ocsp`";
        return Err(Wrong::at(ocsp, format!("{message}{HELP_MARK}{help}")));
    }
    if let Some(url) = fetch.and_then(|fetch| fetch.responder.as_ref()) {
        Address::of(url).map_err(|message| {
            let help =
                "write it as `http://ocsp.example/`, or remove `responder` to ask whom the certificate names";
            Wrong::at(url, format!("{message}{HELP_MARK}{help}"))
        })?;
    }
    cx.store.certificate(Paths::of(files, cx.base)).map_err(|LoadError { part, message }| {
        let at = match part {
            Part::Cert => &files.cert,
            Part::Key => &files.key,
            Part::Ocsp => files.ocsp.as_ref().unwrap_or(&files.cert),
            Part::Issuer => fetch.and_then(|fetch| fetch.issuer.as_ref()).unwrap_or(&files.cert),
        };
        Wrong::at(at, message)
    })
}

pub(crate) fn versions(
    min: Option<TlsVersion>,
    max: Option<TlsVersion>,
) -> Result<Vec<&'static SupportedProtocolVersion>, Wrong> {
    let (min, max) = (min.unwrap_or(TlsVersion::V1_2), max.unwrap_or(TlsVersion::V1_3));
    if min > max {
        return Err(Wrong::nowhere("tls: min_version is newer than max_version"));
    }
    let all = [(TlsVersion::V1_3, &version::TLS13), (TlsVersion::V1_2, &version::TLS12)];
    Ok(all.into_iter().filter(|(v, _)| (min..=max).contains(v)).map(|(_, version)| version).collect())
}

pub(crate) fn suites_of(
    names: Option<&[At<String>]>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Vec<SupportedCipherSuite>, Wrong> {
    let Some(names) = names else { return Ok(provider::DEFAULT_CIPHER_SUITES.to_vec()) };
    let mut found: Vec<SupportedCipherSuite> = Vec::new();
    for name in names {
        let suite = suites::suite(name).ok_or_else(|| {
            let help = match nearest(name, suites::suite_names()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are {}", suites::suite_names().collect::<Vec<_>>().join(", ")),
            };
            Wrong::at(name, format!("there is no cipher suite \"{name}\"{HELP_MARK}{help}"))
        })?;
        if !found.contains(&suite) {
            found.push(suite);
        }
    }
    for version in versions {
        if found.iter().any(|suite| suite.version() == *version) {
            continue;
        }
        let (number, help) = match version.version {
            rustls::ProtocolVersion::TLSv1_3 => {
                ("1.3", "add TLS_AES_128_GCM_SHA256, or set `max_version: \"1.2\"`")
            }
            _ => (
                "1.2",
                "add ECDHE-ECDSA-AES128-GCM-SHA256 and ECDHE-RSA-AES128-GCM-SHA256, or set `min_version: \"1.3\"`",
            ),
        };
        let message = format!("`ciphers` has no suite of TLS {number}{HELP_MARK}{help}");
        return Err(match names.first() {
            Some(first) => Wrong::at(first, message),
            None => Wrong::nowhere(message),
        });
    }
    Ok(found)
}

fn groups_of(
    names: Option<&[At<String>]>,
) -> Result<Vec<&'static dyn rustls::crypto::SupportedKxGroup>, Wrong> {
    let Some(names) = names else { return Ok(provider::DEFAULT_KX_GROUPS.to_vec()) };
    let find = |name: &At<String>| {
        suites::group(name).ok_or_else(|| {
            let help = format!("there are {}", suites::GROUPS.join(", "));
            Wrong::at(name, format!("there is no group \"{name}\"{HELP_MARK}{help}"))
        })
    };
    match names {
        [] => Err(Wrong::nowhere("`groups` is empty")),
        names => names.iter().map(find).collect(),
    }
}

fn ticket_keys(sessions: &Sessions, cx: Cx<'_>) -> Result<Arc<TicketKeys>, Wrong> {
    if sessions.timeout.0 > tickets::TIMEOUT_MAX {
        let message = format!("sessions.timeout of {} is longer than a day", sessions.timeout);
        return Err(Wrong::nowhere(message));
    }
    if sessions.ticket_keys.is_empty() {
        return Ok(cx.store.tickets.clone());
    }
    let mut files = Vec::new();
    for path in &sessions.ticket_keys {
        files.push(cx.store.file(&cx.base.join(&path.value)).map_err(|message| Wrong::at(path, message))?);
    }
    TicketKeys::from_files(files.iter().map(|file| &**file)).map(Arc::new).map_err(|at| {
        let help = "make it with `openssl rand 80 > ticket.key`";
        let message = format!("a ticket key must have 48 or 80 bytes{HELP_MARK}{help}");
        match sessions.ticket_keys.get(at) {
            Some(path) => Wrong::at(path, message),
            None => Wrong::nowhere(message),
        }
    })
}

/// What a session's rights depend on: whose certificate the client has shown, and to whom.
fn context(client: Option<&ClientAuth>) -> Context {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"bifrons tickets 1");
    if let Some(client) = client {
        hash.update(&client.digest);
    }
    let mut context = [0; 32];
    for (to, from) in context.iter_mut().zip(hash.finish().as_ref()) {
        *to = *from;
    }
    context
}
