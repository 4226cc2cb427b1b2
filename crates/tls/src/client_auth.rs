//! Certificates of clients: who may vouch for them, and what one that was shown is worth.
//!
//! A client that is refused in the handshake learns no more than an alert. Where the configuration wants an
//! answer instead, as nginx gives it, or leaves the judgement to others, the handshake takes any certificate
//! whose key the client has, and what it is worth is found afterwards.

use crate::config::{ClientCertificates, ClientMode, Refusal};
use crate::files;
use crate::san::NameRule;
use crate::server::{Cx, Wrong};
use crate::verify::{self, Chain};
use aws_lc_rs::digest;
use bifrons_config::At;
use bifrons_config::problem::HELP_MARK;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::fmt;
use std::sync::Arc;

/// What is asked of clients, ready.
pub struct ClientAuth {
    /// What rustls asks.
    pub verifier: Arc<dyn ClientCertVerifier>,
    /// Whether clients must have one.
    pub mode: ClientMode,
    /// How they are refused.
    pub refusal: Refusal,
    /// A digest of all of it, files included.
    pub digest: [u8; 32],
    judge: Arc<Judge>,
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuth").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// What a client's certificate is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worth {
    /// There is none.
    None,
    /// It is good.
    Good,
    /// It is not.
    Bad(String),
}

impl ClientAuth {
    /// Builds it; `None` where nothing is asked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn build(
        config: &ClientCertificates,
        cx: Cx<'_>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Self>, Wrong> {
        if config.mode == ClientMode::Off {
            return Ok(None);
        }
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(format!("{config:?}").as_bytes());
        let mut read = |path: &At<String>| {
            let content = cx.store.file(&cx.base.join(&path.value)).map_err(|err| Wrong::at(path, err))?;
            hash.update(&content);
            Ok::<_, Wrong>(content)
        };
        let mut roots = RootCertStore::empty();
        let (mut anchors, mut hinted) = (Vec::new(), 0);
        for path in [&config.ca, &config.trusted].into_iter().flatten() {
            let pem = read(path)?;
            for cert in files::certificates(&pem).map_err(|err| Wrong::at(path, err))? {
                roots.add(cert.clone()).map_err(|err| Wrong::at(path, format!("\"{path}\": {err}")))?;
                anchors.push(cert);
            }
            if config.ca.as_ref() == Some(path) {
                hinted = roots.len();
            }
        }
        if roots.is_empty() && config.mode != ClientMode::Unverified {
            let help = "add `ca: clients-ca.crt`, the authorities that may vouch for clients";
            return Err(Wrong::nowhere(format!("client certificates without an authority{HELP_MARK}{help}")));
        }
        let mut crls = Vec::new();
        for path in config.crl.iter() {
            crls.extend(files::crls(&read(path)?).map_err(|err| Wrong::at(path, err))?);
        }
        let names = NameRule::parse_all(&config.names)?;
        let hints: Vec<_> = roots.subjects().into_iter().take(hinted).collect();
        let inner = match roots.is_empty() {
            true => None,
            false => {
                let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                    .with_crls(crls);
                // A list says nothing of certificates of other authorities, as in nginx and everywhere else.
                let built = builder.allow_unknown_revocation_status().enforce_revocation_expiration().build();
                Some(built.map_err(|err| Wrong::nowhere(format!("client certificates: {err}")))?)
            }
        };
        let judge = Arc::new(Judge { inner, anchors, depth: config.depth, names });
        let is_lenient = config.mode == ClientMode::Unverified || config.refusal == Refusal::Answer;
        let verifier = Verifier {
            judge: judge.clone(),
            hints,
            is_required: config.mode == ClientMode::Required && !is_lenient,
            is_lenient,
            provider: provider.clone(),
        };
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(hash.finish().as_ref()) {
            *to = *from;
        }
        let verifier = Arc::new(verifier);
        Ok(Some(Self { verifier, mode: config.mode, refusal: config.refusal, digest, judge }))
    }

    /// What the certificates are worth that a client has shown, its own first.
    pub fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Worth {
        match chain.split_first() {
            None => Worth::None,
            Some((own, others)) => match self.judge.verify(own, others, now) {
                Ok(()) => Worth::Good,
                Err(err) => Worth::Bad(verify::openssl_reason(&err)),
            },
        }
    }
}

/// Who knows what a certificate is worth.
struct Judge {
    inner: Option<Arc<dyn ClientCertVerifier>>,
    anchors: Vec<CertificateDer<'static>>,
    depth: u32,
    names: Vec<NameRule>,
}

impl Judge {
    fn verify(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let unknown = || Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let inner = self.inner.as_ref().ok_or_else(unknown)?;
        if let Err(err) = inner.verify_client_cert(own, others, now) {
            // An authority's own certificate, or one that vouches for itself and is trusted as it is.
            verify::is_trusted_itself(&err, own, &self.anchors, now)?;
        }
        let chain = Chain { own, others, anchors: &self.anchors };
        verify::check_depth(&chain, self.depth)?;
        NameRule::check(&self.names, own)
    }
}

struct Verifier {
    judge: Arc<Judge>,
    hints: Vec<DistinguishedName>,
    is_required: bool,
    is_lenient: bool,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("is_lenient", &self.is_lenient).finish_non_exhaustive()
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !self.is_lenient {
            self.judge.verify(own, others, now)?;
        }
        Ok(ClientCertVerified::assertion())
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
