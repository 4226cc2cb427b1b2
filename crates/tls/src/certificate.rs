//! A certificate with its key: loaded, checked, and replaced while it serves.

use crate::config::CertificateFiles;
use crate::files::{self, FileCache};
use crate::ocsp::{self, Question, Staple};
use arc_swap::ArcSwap;
use bifrons_config::problem::HELP_MARK;
use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Where a certificate lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Paths {
    /// The certificate.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// The OCSP answer.
    pub ocsp: Option<PathBuf>,
    /// How an OCSP answer is fetched.
    pub fetch: Option<Fetch>,
}

/// How an OCSP answer is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetch {
    /// Who is asked, in place of whom the certificate names.
    pub responder: Option<String>,
    /// Where the certificate of who vouched for it lies.
    pub issuer: Option<PathBuf>,
}

impl Paths {
    /// Of a configuration whose relative paths begin at `base`.
    pub fn of(files: &CertificateFiles, base: &Path) -> Self {
        let at = |path: &str| base.join(path);
        let fetch = files.fetch_ocsp.as_ref().map(|fetch| Fetch {
            responder: fetch.responder.as_ref().map(|url| url.value.clone()),
            issuer: fetch.issuer.as_ref().map(|path| at(path)),
        });
        Self {
            cert: at(&files.cert),
            key: at(&files.key),
            ocsp: files.ocsp.as_ref().map(|path| at(path)),
            fetch,
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        let all = [Some(&self.cert), Some(&self.key), self.ocsp.as_ref(), self.issuer()];
        all.into_iter().flatten().map(PathBuf::as_path)
    }

    fn issuer(&self) -> Option<&PathBuf> {
        self.fetch.as_ref().and_then(|fetch| fetch.issuer.as_ref())
    }
}

/// Which file a certificate failed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The certificate.
    Cert,
    /// The key.
    Key,
    /// The OCSP answer.
    Ocsp,
    /// The certificate of who vouched for it.
    Issuer,
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Which file.
    pub part: Part,
    /// What, for people, maybe with help.
    pub message: String,
}

/// A certificate at one moment.
pub struct Loaded {
    /// What rustls shows.
    pub key: Arc<CertifiedKey>,
    /// Its DNS names in lower case.
    pub names: Vec<String>,
    /// Its names that are URIs.
    pub uris: Vec<Box<str>>,
    /// When it ends, in seconds of Unix time.
    pub not_after: i64,
    /// Who may have vouched for it, from a file of their own; for questions about it.
    issuers: Arc<[CertificateDer<'static>]>,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Whether the key is of that kind.
    pub fn is(&self, algorithm: SignatureAlgorithm) -> bool {
        self.key.key.algorithm() == algorithm
    }

    /// How well a name fits: `None`, by a wildcard, or exactly.
    pub fn covers(&self, name: &str) -> Option<Fit> {
        if self.names.iter().any(|known| known == name) {
            return Some(Fit::Exact);
        }
        let (_, parent) = name.split_once('.')?;
        let is_wild = |known: &String| known.strip_prefix("*.").is_some_and(|rest| rest == parent);
        self.names.iter().any(is_wild).then_some(Fit::Wildcard)
    }
}

/// How well a name fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// By `*.example.com`.
    Wildcard,
    /// As it is.
    Exact,
}

/// A certificate that may be replaced.
pub struct Certificate {
    /// Where it lies.
    pub paths: Paths,
    current: ArcSwap<Loaded>,
    /// Whether the files hold something else that is of no use.
    is_outdated: AtomicBool,
    stapling: Mutex<Stapling>,
}

/// What there is of a fetched OCSP answer.
#[derive(Debug)]
struct Stapling {
    /// When one is to be fetched.
    due: SystemTime,
    /// When the one that is sent along ends.
    ends: Option<SystemTime>,
    /// Failures in a row.
    failures: u32,
}

impl Default for Stapling {
    fn default() -> Self {
        Self { due: SystemTime::UNIX_EPOCH, ends: None, failures: 0 }
    }
}

/// One hour: an answer that does not say when it ends is old then (RFC 6960 2.4 has newer ones at all times).
const UNTOLD: Duration = Duration::from_secs(3600);
/// A minute between two tries after a failure, twice as long after each further one, an hour at most.
const RETRY: Duration = Duration::from_secs(60);
/// An hour until it is due again where nothing is heard of who took it upon himself; a fetch takes seconds.
const TAKEN: Duration = Duration::from_secs(3600);
/// Half an hour between two answers at the least, however soon they end.
const RENEW_MIN: Duration = Duration::from_secs(1800);

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.paths).finish()
    }
}

impl Certificate {
    /// Loads it.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn load(paths: Paths, cache: &FileCache) -> Result<Self, LoadError> {
        let current = ArcSwap::from_pointee(load(&paths, cache)?);
        Ok(Self { paths, current, is_outdated: AtomicBool::new(false), stapling: Mutex::default() })
    }

    /// As it is now.
    pub fn now(&self) -> arc_swap::Guard<Arc<Loaded>> {
        self.current.load()
    }

    /// Loads it anew; what was there stays if that fails. The OCSP answer that was fetched stays if it is about
    /// the same certificate, and is fetched again only where somebody else may have vouched for it.
    ///
    /// # Errors
    /// As [`Certificate::load`].
    pub fn renew(&self, cache: &FileCache) -> Result<(), LoadError> {
        let loaded = load(&self.paths, cache);
        self.is_outdated.store(loaded.is_err(), Ordering::Relaxed);
        let mut loaded = loaded?;
        // Held until all is in its place: an answer may come just now.
        let mut stapling = self.stapling();
        let before = self.current.load();
        let is_fetched = self.paths.fetch.is_some();
        if is_fetched && loaded.key.cert.first() == before.key.cert.first() {
            let ocsp = before.key.ocsp.clone();
            loaded.key = with_ocsp(&loaded.key, ocsp);
            if loaded.key.cert != before.key.cert || loaded.issuers != before.issuers {
                *stapling = Stapling { ends: stapling.ends, ..Stapling::default() };
            }
        } else {
            *stapling = Stapling::default();
        }
        self.current.store(Arc::new(loaded));
        Ok(())
    }

    fn stapling(&self) -> MutexGuard<'_, Stapling> {
        self.stapling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an OCSP answer is to be fetched now, said once: who asks has to do it. One that has ended is sent
    /// along no more.
    pub(crate) fn take_due(&self, now: SystemTime) -> bool {
        if self.paths.fetch.is_none() {
            return false;
        }
        let mut stapling = self.stapling();
        if stapling.ends.is_some_and(|ends| ends <= now) {
            stapling.ends = None;
            self.set_ocsp(None);
        }
        let is_due = stapling.due <= now;
        if is_due {
            stapling.due = now + TAKEN;
        }
        is_due
    }

    /// What is to be asked.
    ///
    /// # Errors
    /// What is missing, for people.
    pub fn question(&self) -> Result<Question, String> {
        let Some(fetch) = &self.paths.fetch else { return Err("no answer is wanted".to_owned()) };
        let now = self.now();
        let (own, rest) = now.key.cert.split_first().ok_or("there is no certificate")?;
        let others = [rest, &now.issuers].concat();
        Question::about(own, &others, fetch.responder.as_deref())
    }

    /// Sends that answer along from now on, unless the certificate is another one since.
    pub fn staple(&self, question: &Question, staple: Staple, now: SystemTime) {
        let mut stapling = self.stapling();
        if self.now().key.cert.first() != Some(&question.own) {
            return;
        }
        let ends = staple.ends.unwrap_or(now + UNTOLD);
        // Half of its time is left for those who answer seldom, or not today.
        let half = ends.duration_since(now).unwrap_or_default() / 2;
        // The end itself still counts where it is near.
        let due = now + half.max(RENEW_MIN.min(ends.duration_since(now).unwrap_or_default()));
        *stapling = Stapling { due, ends: Some(ends), failures: 0 };
        self.set_ocsp(Some(staple.answer));
    }

    /// None was to be had; when the next try is.
    pub fn note_failure(&self, now: SystemTime) {
        let mut stapling = self.stapling();
        stapling.due = now + RETRY * (1 << stapling.failures.min(6)).min(60);
        stapling.failures += 1;
    }

    fn set_ocsp(&self, ocsp: Option<Vec<u8>>) {
        let now = self.now();
        let loaded = Loaded {
            key: with_ocsp(&now.key, ocsp),
            names: now.names.clone(),
            uris: now.uris.clone(),
            not_after: now.not_after,
            issuers: now.issuers.clone(),
        };
        self.current.store(Arc::new(loaded));
    }

    /// Whether the files hold something else that is of no use.
    pub fn is_outdated(&self) -> bool {
        self.is_outdated.load(Ordering::Relaxed)
    }
}

fn with_ocsp(key: &CertifiedKey, ocsp: Option<Vec<u8>>) -> Arc<CertifiedKey> {
    Arc::new(CertifiedKey { cert: key.cert.clone(), key: key.key.clone(), ocsp })
}

fn load(paths: &Paths, cache: &FileCache) -> Result<Loaded, LoadError> {
    let wrong = |part, path: &Path| {
        let path = path.display().to_string();
        move |message: String| {
            // What the file system says names the file already.
            let message = if message.contains(&path) { message } else { format!("\"{path}\": {message}") };
            LoadError { part, message }
        }
    };
    let chain = cache.read(&paths.cert).and_then(|pem| files::certificates(&pem));
    let chain = chain.map_err(wrong(Part::Cert, &paths.cert))?;
    let key = cache.read(&paths.key).and_then(|pem| files::private_key(&pem));
    let key = key.map_err(wrong(Part::Key, &paths.key))?;
    let first = chain.first().cloned().unwrap_or_else(|| Vec::new().into());
    let Read { names, uris, not_after } = read(&first).map_err(wrong(Part::Cert, &paths.cert))?;
    let key = aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|err| wrong(Part::Key, &paths.key)(format!("the key is of no use: {err}")))?;
    let mut certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(_) => {
            let help = "the first certificate of the file must be the one that was made for the key";
            let message = format!("the key does not belong to \"{}\"{HELP_MARK}{help}", paths.cert.display());
            return Err(wrong(Part::Key, &paths.key)(message));
        }
    }
    if let Some(path) = &paths.ocsp {
        let answer = cache.read(path).map_err(wrong(Part::Ocsp, path))?;
        // An OCSPResponse is a SEQUENCE (RFC 6960 4.2.1).
        if answer.first() != Some(&0x30) {
            return Err(wrong(Part::Ocsp, path)("it is no OCSP answer in DER".to_owned()));
        }
        certified.ocsp = Some(answer.to_vec());
    }
    let mut issuers = Vec::new();
    if let Some(path) = paths.issuer() {
        let others = cache.read(path).and_then(|pem| files::certificates(&pem));
        issuers = others.map_err(wrong(Part::Issuer, path))?;
        // The file may be a bundle of all authorities there are.
        issuers.retain(|other| ocsp::may_have_issued(other, &first));
    }
    Ok(Loaded { key: Arc::new(certified), names, uris, not_after, issuers: issuers.into() })
}

/// What a certificate says of itself.
struct Read {
    names: Vec<String>,
    uris: Vec<Box<str>>,
    not_after: i64,
}

fn read(der: &[u8]) -> Result<Read, String> {
    let (_, cert) =
        X509Certificate::from_der(der).map_err(|err| format!("it is no good certificate: {err}"))?;
    let (mut names, mut uris) = (Vec::new(), Vec::new());
    if let Ok(Some(alternatives)) = cert.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
                GeneralName::URI(uri) => uris.push(Box::from(*uri)),
                _ => {}
            }
        }
    }
    if names.is_empty() {
        // Clients don't look there any more (RFC 9525), but it says whom an old certificate was made for.
        let common = cert.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        names.extend(common.filter(|name| name.contains('.')).map(str::to_ascii_lowercase));
    }
    Ok(Read { names, uris, not_after: cert.validity().not_after.timestamp() })
}
