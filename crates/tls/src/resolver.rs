//! Which certificate a client is shown: by the name it asks for, then by the kinds of keys it can check.

use crate::certificate::{Certificate, Fit};
use crate::config::UnknownNames;
use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// The certificates of a listener or a host.
#[derive(Debug)]
pub struct Resolver {
    certificates: Vec<Arc<Certificate>>,
    unknown: UnknownNames,
    index: ArcSwap<Index>,
}

/// Certificates by their names, in their order.
#[derive(Debug, Default)]
struct Index {
    exact: HashMap<String, Vec<usize>>,
    wildcard: HashMap<String, Vec<usize>>,
    /// Those for clients that ask for no name of ours: the first one, and those that have the same names.
    fallback: Vec<usize>,
}

impl Index {
    fn named(&self, name: &str) -> Option<&Vec<usize>> {
        let parent = || name.split_once('.').and_then(|(_, parent)| self.wildcard.get(parent));
        self.exact.get(name).or_else(parent)
    }
}

impl Resolver {
    pub(crate) fn new(certificates: Vec<Arc<Certificate>>, unknown: UnknownNames) -> Self {
        let this = Self { certificates, unknown, index: ArcSwap::default() };
        this.index();
        this
    }

    /// Looks at the certificates' names again.
    pub(crate) fn index(&self) {
        let mut index = Index::default();
        let first = self.certificates.first().map(|certificate| certificate.now().names.clone());
        for (at, certificate) in self.certificates.iter().enumerate() {
            let loaded = certificate.now();
            for name in &loaded.names {
                match name.strip_prefix("*.") {
                    Some(parent) => index.wildcard.entry(parent.to_owned()).or_default().push(at),
                    None => index.exact.entry(name.clone()).or_default().push(at),
                }
            }
            if first.as_ref() == Some(&loaded.names) {
                index.fallback.push(at);
            }
        }
        self.index.store(Arc::new(index));
    }

    /// Whether one of the certificates is for that name.
    pub fn covers(&self, name: &str) -> Option<Fit> {
        let index = self.index.load();
        if index.exact.contains_key(name) {
            return Some(Fit::Exact);
        }
        let (_, parent) = name.split_once('.')?;
        index.wildcard.contains_key(parent).then_some(Fit::Wildcard)
    }

    /// Names that are URIs of the certificate for a name; of several kinds of keys, of the first one.
    pub(crate) fn uris(&self, name: Option<&str>) -> Vec<Box<str>> {
        let index = self.index.load();
        let at = name.and_then(|name| index.named(name)).unwrap_or(&index.fallback).first();
        let certificate = self.certificates.get(at.copied().unwrap_or_default());
        certificate.map(|certificate| certificate.now().uris.clone()).unwrap_or_default()
    }

    /// The certificate for a name, among those whose keys `suits` likes.
    fn choose(&self, name: Option<&str>, suits: impl Fn(&CertifiedKey) -> bool) -> Option<Arc<CertifiedKey>> {
        let index = self.index.load();
        let fitting = name.and_then(|name| index.named(name));
        if fitting.is_none() && self.unknown == UnknownNames::Reject {
            return None;
        }
        let usable = |at: &usize| {
            let key = self.certificates.get(*at)?.now().key.clone();
            suits(&key).then_some(key)
        };
        let by_name = fitting.into_iter().flatten().find_map(usable);
        let by_name = by_name.or_else(|| index.fallback.iter().find_map(usable));
        // Some certificate: a client that can't check it says so better than a handshake that just fails.
        by_name.or_else(|| self.certificates.first().map(|certificate| certificate.now().key.clone()))
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let schemes = hello.signature_schemes();
        self.choose(name.as_deref(), |key| key.key.choose_scheme(schemes).is_some())
    }
}
