//! What TLS keeps over snapshots: files, certificates, ticket keys, sessions, by what they are.

use crate::certificate::{Certificate, LoadError, Paths};
use crate::files::FileCache;
use crate::resolver::Resolver;
use crate::tickets::TicketKeys;
use rustls::ClientConfig;
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

/// A digest of everything that a session's rights depend on.
pub type Context = [u8; 32];

/// What rustls goes by towards endpoints, and its number.
type Numbered = (u64, Arc<ClientConfig>);

/// The store; one a process.
pub struct Store {
    /// Files.
    pub files: FileCache,
    /// Keys of tickets that the process makes.
    pub tickets: Arc<TicketKeys>,
    /// For keys that clients have a say in.
    pub(crate) random: RandomState,
    certificates: Mutex<HashMap<Paths, Arc<Certificate>>>,
    resolvers: Mutex<Vec<Weak<Resolver>>>,
    caches: Mutex<HashMap<Context, Weak<ServerSessionMemoryCache>>>,
    /// The last number, and what has one.
    clients: Mutex<(u64, HashMap<Context, Numbered>)>,
    /// Files whose change asks for a new snapshot.
    others: Mutex<HashSet<PathBuf>>,
}

/// What a look at the files came to.
#[derive(Debug, Default)]
pub struct Refresh {
    /// Certificates that were replaced.
    pub renewed: usize,
    /// Whether something changed that only a new snapshot takes up (authorities, lists, ticket keys).
    pub is_stale: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            files: FileCache::default(),
            tickets: Arc::new(TicketKeys::made()),
            random: RandomState::new(),
            certificates: Mutex::default(),
            resolvers: Mutex::default(),
            caches: Mutex::default(),
            clients: Mutex::default(),
            others: Mutex::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// The certificate that lies there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn certificate(&self, paths: Paths) -> Result<Arc<Certificate>, LoadError> {
        let known = lock(&self.certificates).get(&paths).cloned();
        if let Some(known) = known {
            if known.is_outdated() || paths.all().any(|path| self.files.has_changed(path)) {
                known.renew(&self.files)?;
            }
            return Ok(known);
        }
        let fresh = Arc::new(Certificate::load(paths.clone(), &self.files)?);
        lock(&self.certificates).insert(paths, fresh.clone());
        Ok(fresh)
    }

    /// A file that is needed as it is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn file(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        lock(&self.others).insert(path.to_owned());
        self.files.read(path)
    }

    pub(crate) fn register(&self, resolver: &Arc<Resolver>) {
        let mut resolvers = lock(&self.resolvers);
        resolvers.retain(|known| known.strong_count() > 0);
        resolvers.push(Arc::downgrade(resolver));
    }

    /// The sessions of all configurations with that context.
    pub(crate) fn sessions(&self, context: Context, size: u32) -> Arc<dyn StoresServerSessions> {
        let mut caches = lock(&self.caches);
        caches.retain(|_, cache| cache.strong_count() > 0);
        if let Some(cache) = caches.get(&context).and_then(Weak::upgrade) {
            return cache;
        }
        let cache = ServerSessionMemoryCache::new(size as usize);
        caches.insert(context, Arc::downgrade(&cache));
        cache
    }

    /// What rustls goes by towards endpoints, and its number; the same after a reload, so that sessions are.
    pub(crate) fn client<E>(
        &self,
        context: Context,
        build: impl FnOnce() -> Result<ClientConfig, E>,
    ) -> Result<(u64, Arc<ClientConfig>), E> {
        let mut clients = lock(&self.clients);
        if let Some((number, config)) = clients.1.get(&context) {
            return Ok((*number, config.clone()));
        }
        let config = Arc::new(build()?);
        clients.0 += 1;
        let number = clients.0;
        clients.1.retain(|_, (_, config)| Arc::strong_count(config) > 1);
        clients.1.insert(context, (number, config.clone()));
        Ok((number, config))
    }

    /// Looks at all files, and loads certificates anew that have changed.
    pub fn refresh(&self) -> Refresh {
        let certificates: Vec<_> = lock(&self.certificates).values().cloned().collect();
        let mut refresh = Refresh::default();
        for certificate in certificates {
            if !certificate.paths.all().any(|path| self.files.has_changed(path)) {
                continue;
            }
            let cert = certificate.paths.cert.display();
            match certificate.renew(&self.files) {
                Ok(()) => {
                    tracing::info!(%cert, "certificate loaded anew");
                    refresh.renewed += 1;
                }
                Err(err) => {
                    // Written in parts, mostly: the next look finds it whole.
                    tracing::warn!(%cert, problem = err.message, "a certificate has changed and is of no use; the one before serves on");
                }
            }
        }
        if refresh.renewed > 0 {
            let resolvers: Vec<_> = lock(&self.resolvers).iter().filter_map(Weak::upgrade).collect();
            resolvers.iter().for_each(|resolver| resolver.index());
        }
        refresh.is_stale = lock(&self.others).iter().filter(|path| self.files.has_news(path)).count() > 0;
        refresh
    }

    /// Certificates for which an OCSP answer is to be fetched now, each said once.
    pub fn take_due_staples(&self, now: SystemTime) -> Vec<Arc<Certificate>> {
        lock(&self.certificates).values().filter(|certificate| certificate.take_due(now)).cloned().collect()
    }

    /// Forgets certificates that no snapshot uses any more.
    pub fn sweep(&self) {
        lock(&self.certificates).retain(|_, certificate| Arc::strong_count(certificate) > 1);
    }

    /// All certificates in use: their files, and when they end in seconds of Unix time.
    pub fn expiries(&self) -> Vec<(String, i64)> {
        let certificates = lock(&self.certificates);
        let shown = |certificate: &Arc<Certificate>| {
            (certificate.paths.cert.display().to_string(), certificate.now().not_after)
        };
        let mut found: Vec<_> = certificates.values().map(shown).collect();
        found.sort_unstable();
        found
    }
}
