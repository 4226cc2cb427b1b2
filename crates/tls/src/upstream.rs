//! TLS towards endpoints: what they must prove, and what we show them.

use crate::certificate::Certificate;
use crate::config::{CertificateFiles, UpstreamTls, Verify};
use crate::files;
use crate::san::NameRule;
use crate::server::{Cx, Wrong, certificate, suites_of, versions};
use crate::verify::{self, Chain};
use aws_lc_rs::digest;
use bifrons_config::problem::HELP_MARK;
use bifrons_config::{At, Template};
use bifrons_net::tls::Session;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, UnbufferedClientConnection, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// 256: names of endpoints whose sessions are kept, for all workers together.
const SESSIONS: usize = 256;

/// TLS towards the endpoints of a cluster, ready.
pub struct UpstreamPlan {
    config: Arc<ClientConfig>,
    /// Tells connections of one way of talking from those of another; the same after a reload.
    pub number: u64,
    /// The name that is demanded; the endpoint's own where there is none.
    pub name: Option<Template>,
    verifies: bool,
    /// Makes keys that clients, who may have a say in names, can't foresee.
    random: RandomState,
}

impl fmt::Debug for UpstreamPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamPlan").field("number", &self.number).finish_non_exhaustive()
    }
}

impl UpstreamPlan {
    /// Tells connections to one endpoint under one name, in one way of talking, from all others.
    pub fn key(&self, endpoint: u64, name: &str) -> u64 {
        self.random.hash_one((self.number, endpoint, name))
    }

    /// A session with the endpoint of that name: a host, with or without a port; by ALPN `protocols` are offered.
    ///
    /// # Errors
    /// Where it is no name that a certificate can have.
    pub fn session(&self, name: &str, protocols: &[&[u8]]) -> Result<Session, String> {
        let (config, server) = self.client(name)?;
        // Only a new connection that may be one of HTTP/2 pays for the copy; sessions are kept together all the same.
        let config = match protocols {
            [] => config,
            protocols => {
                let mut config = (*config).clone();
                config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
                Arc::new(config)
            }
        };
        let conn = UnbufferedClientConnection::new(config, server);
        conn.map(|conn| Session::Client(Box::new(conn))).map_err(|err| err.to_string())
    }

    /// What rustls goes by with the endpoint of that name, and whom it demands.
    ///
    /// # Errors
    /// Where it is no name that a certificate can have.
    pub fn client(&self, name: &str) -> Result<(Arc<ClientConfig>, ServerName<'static>), String> {
        let host = bare_host(name);
        let server = match ServerName::try_from(host.to_owned()) {
            Ok(server) => server,
            // Any name will do, and an address is not sent.
            Err(_) if !self.verifies => ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()),
            Err(_) => {
                let help = "`tls.name` says another";
                return Err(format!("\"{host}\" is no name that a certificate can have; {help}"));
            }
        };
        Ok((self.config.clone(), server))
    }
}

/// The certificate that is shown to endpoints.
fn own(files: &CertificateFiles, cx: Cx<'_>) -> Result<Arc<Certificate>, Wrong> {
    if files.ocsp.is_some() || files.fetch_ocsp.is_some() {
        let help = "remove `ocsp` and `fetch_ocsp` here; they belong to a listener's certificates";
        let message = format!("endpoints are sent no OCSP answer{HELP_MARK}{help}");
        return Err(Wrong::at(files.ocsp.as_ref().unwrap_or(&files.cert), message));
    }
    certificate(files, cx)
}

/// A host without its port and brackets.
pub fn bare_host(name: &str) -> &str {
    if let Some(rest) = name.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(host, _)| host);
    }
    match name.split_once(':') {
        // Two colons and no brackets: an IPv6 address.
        Some((host, port)) if !port.contains(':') => host,
        _ => name,
    }
}

impl UpstreamTls {
    /// Builds it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn build(&self, cx: Cx<'_>) -> Result<UpstreamPlan, Wrong> {
        let versions = versions(Some(self.min_version), Some(self.max_version))?;
        let cipher_suites = suites_of(self.ciphers.as_deref(), &versions)?;
        let own = self.certificate.as_ref().map(|files| own(files, cx)).transpose()?;
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(format!("{self:?}{}", cx.base.display()).as_bytes());
        let mut authorities = Authorities::default();
        if self.verify == Verify::On {
            authorities = self.authorities(cx, &mut hash)?;
        }
        let names = NameRule::parse_all(&self.names)?;
        let digest: [u8; 32] = hash.finish().as_ref().try_into().unwrap_or_default();
        let build = || {
            let crypto = Arc::new(CryptoProvider { cipher_suites, ..provider::default_provider() });
            let verifier = self.verifier(authorities, names, &crypto)?;
            let builder = ClientConfig::builder_with_provider(crypto)
                .with_protocol_versions(&versions)
                .map_err(|err| Wrong::nowhere(format!("TLS: {err}")))?
                .dangerous()
                .with_custom_certificate_verifier(verifier);
            let mut config = match own {
                Some(own) => builder.with_client_cert_resolver(Arc::new(OwnCertificate(own))),
                None => builder.with_no_client_auth(),
            };
            config.enable_sni = self.sni;
            config.resumption = match self.resume {
                true => Resumption::in_memory_sessions(SESSIONS),
                false => Resumption::disabled(),
            };
            Ok(config)
        };
        let (number, config) = cx.store.client(digest, build)?;
        Ok(UpstreamPlan {
            verifies: self.verify == Verify::On,
            config,
            number,
            name: self.name.clone(),
            random: cx.store.random.clone(),
        })
    }

    fn authorities(&self, cx: Cx<'_>, hash: &mut digest::Context) -> Result<Authorities, Wrong> {
        let mut read = |path: &At<String>| {
            let content = cx.store.file(&cx.base.join(&path.value)).map_err(|err| Wrong::at(path, err))?;
            hash.update(&content);
            Ok::<_, Wrong>(content)
        };
        let mut found = Authorities::default();
        match &self.ca {
            Some(path) => {
                let pem = read(path)?;
                for cert in files::certificates(&pem).map_err(|err| Wrong::at(path, err))? {
                    let added = found.roots.add(cert.clone());
                    added.map_err(|err| Wrong::at(path, format!("\"{path}\": {err}")))?;
                    found.anchors.push(cert);
                }
            }
            None => found.roots = system_roots()?,
        }
        for path in self.crl.iter() {
            found.crls.extend(files::crls(&read(path)?).map_err(|err| Wrong::at(path, err))?);
        }
        Ok(found)
    }

    fn verifier(
        &self,
        found: Authorities,
        names: Vec<NameRule>,
        crypto: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, Wrong> {
        let inner = match self.verify {
            Verify::Off => None,
            Verify::On => {
                let builder =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(found.roots), crypto.clone());
                let builder = builder.with_crls(found.crls).allow_unknown_revocation_status();
                let built = builder.enforce_revocation_expiration().build();
                Some(built.map_err(|err| Wrong::nowhere(format!("TLS to endpoints: {err}")))?)
            }
        };
        Ok(Arc::new(Verifier {
            inner,
            anchors: found.anchors,
            depth: self.depth,
            names,
            provider: crypto.clone(),
        }))
    }
}

/// Who may vouch for endpoints.
struct Authorities {
    roots: RootCertStore,
    anchors: Vec<CertificateDer<'static>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
}

impl Default for Authorities {
    fn default() -> Self {
        Self { roots: RootCertStore::empty(), anchors: Vec::new(), crls: Vec::new() }
    }
}

fn system_roots() -> Result<RootCertStore, Wrong> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // What the library can't read is an authority less.
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let why = loaded.errors.first().map(|err| format!(" ({err})")).unwrap_or_default();
        let help = "install ca-certificates, or name a file with `tls.ca`";
        return Err(Wrong::nowhere(format!(
            "the system has no certificates of authorities{why}{HELP_MARK}{help}"
        )));
    }
    Ok(roots)
}

struct Verifier {
    /// `None`: anybody will do.
    inner: Option<Arc<WebPkiServerVerifier>>,
    anchors: Vec<CertificateDer<'static>>,
    depth: u32,
    names: Vec<NameRule>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("verifies", &self.inner.is_some()).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(inner) = &self.inner {
            if let Err(err) = inner.verify_server_cert(own, others, name, ocsp, now) {
                verify::is_trusted_itself(&err, own, &self.anchors, now)?;
                let parsed = rustls::server::ParsedCertificate::try_from(own)?;
                rustls::client::verify_server_name(&parsed, name)?;
            }
            verify::check_depth(&Chain { own, others, anchors: &self.anchors }, self.depth)?;
        }
        NameRule::check(&self.names, own)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Our certificate, as it is at the moment of a handshake.
#[derive(Debug)]
struct OwnCertificate(Arc<Certificate>);

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let key = self.0.now().key.clone();
        key.key.choose_scheme(schemes).is_some().then_some(key)
    }

    fn has_certs(&self) -> bool {
        true
    }
}
