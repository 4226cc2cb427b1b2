//! From the settings of a server to the model.

use super::{CIPHERS, SslSettings};
use crate::ciphers;
use crate::context::Ctx;
use bifrons_config::units::{Dur, Size};
use bifrons_config::{At, OneOrMany, Problem};
use bifrons_tls::config::{
    CertificateFiles, CipherOrder, ClientCertificates, ClientMode, FetchOcsp, OtherHosts, Refusal, ServerTls,
    Sessions, TlsVersion, UnknownNames,
};
use bifrons_tls::suites;

impl SslSettings {
    /// Whether a server has what it takes.
    pub(crate) fn is_there(&self) -> bool {
        self.certificates.is_some() || self.reject == Some(true)
    }

    /// Certificates with their keys.
    fn certificates(&self, cx: &mut Ctx) -> Vec<CertificateFiles> {
        let empty = Vec::new();
        let (certs, keys) =
            (self.certificates.as_ref().unwrap_or(&empty), self.keys.as_ref().unwrap_or(&empty));
        if let Some(cert) = certs.get(keys.len()) {
            let message = format!("no \"ssl_certificate_key\" is defined for certificate \"{cert}\"");
            cx.notes.problem(Problem { place: cert.place.clone(), ..Problem::nowhere(message) });
        }
        let fetches = self.stapling == Some(true) && self.ocsp.is_none();
        let ocsp = |at: usize| self.ocsp.clone().filter(|_| at == 0);
        let pairs = certs.iter().zip(keys).enumerate();
        pairs
            .map(|(at, (cert, key))| CertificateFiles {
                cert: cert.clone(),
                key: key.clone(),
                ocsp: ocsp(at),
                fetch_ocsp: fetches
                    .then(|| FetchOcsp { responder: self.responder.clone(), issuer: self.trusted.clone() }),
            })
            .collect()
    }

    /// All of it written out: what a server does not say is nginx's default, never its listener's.
    pub(crate) fn emit(&self, cx: &mut Ctx) -> ServerTls {
        let (min, max) = self.protocols.unwrap_or((TlsVersion::V1_2, TlsVersion::V1_3));
        let named = |names: &mut dyn Iterator<Item = &'static str>| {
            names.map(|name| At::from(name.to_owned())).collect()
        };
        let tls12 =
            self.ciphers.clone().unwrap_or_else(|| named(&mut ciphers::read(CIPHERS).suites.into_iter()));
        let tls13 = self.tls13.clone().unwrap_or_else(|| named(&mut suites::tls13_names()));
        let groups =
            || ["X25519MLKEM768", "X25519", "P-256", "P-384"].map(|name| At::from(name.to_owned())).to_vec();
        let rejects = self.reject == Some(true);
        let early_data = self.early_data == Some(true);
        let mut sessions = Sessions {
            tickets: self.tickets.unwrap_or(true),
            ticket_keys: self.ticket_keys.clone().unwrap_or_default(),
            cache: self.cache.unwrap_or(0),
            timeout: self.timeout.unwrap_or(Dur::secs(300)),
        };
        if early_data {
            sessions.ticket_keys.clear();
            sessions.cache = self.cache.filter(|size| *size > 0).unwrap_or(Sessions::default().cache);
        }
        ServerTls {
            certificates: if rejects { Vec::new() } else { self.certificates(cx) },
            unknown_names: Some(if rejects { UnknownNames::Reject } else { UnknownNames::Default }),
            min_version: Some(min),
            max_version: Some(max),
            ciphers: Some([tls13, tls12].concat()),
            cipher_order: Some(match self.prefer_server {
                Some(true) => CipherOrder::Server,
                _ => CipherOrder::Client,
            }),
            groups: Some(self.curves.clone().unwrap_or_else(groups)),
            client: Some(self.client(cx)),
            sessions: Some(sessions),
            early_data: early_data.then_some(true),
            other_hosts: Some(OtherHosts::Allow),
            record: Some(self.record.unwrap_or(Size::kib(16))),
        }
    }

    fn client(&self, cx: &mut Ctx) -> ClientCertificates {
        let mode = self.verify.as_ref().map_or(ClientMode::Off, |mode| mode.value);
        if mode == ClientMode::Off {
            return ClientCertificates { mode, ..ClientCertificates::default() };
        }
        if self.client_ca.is_none() && self.trusted.is_none() && mode != ClientMode::Unverified {
            let place = self.verify.as_ref().and_then(|mode| mode.place.clone());
            let message = "no ssl_client_certificate for ssl_verify_client";
            cx.notes.problem(Problem { place, ..Problem::nowhere(message) });
        }
        ClientCertificates {
            mode,
            ca: self.client_ca.clone(),
            trusted: self.trusted.clone(),
            crl: OneOrMany(self.crl.iter().cloned().collect()),
            depth: self.depth.unwrap_or(1),
            names: Vec::new(),
            refusal: Refusal::Answer,
        }
    }
}
