//! Certificates for tests, of an authority of the test's own.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, SignatureAlgorithm,
};
use std::time::{Duration, SystemTime};

/// Kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// P-256.
    Ecdsa,
    /// 2048 bits.
    Rsa,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// The key.
    pub key: String,
    /// The certificate's number.
    pub serial: u64,
}

/// An authority that vouches for certificates.
#[derive(Debug)]
pub struct Authority {
    /// Its own certificate in PEM.
    pub pem: String,
    /// Its key in PEM.
    pub key: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// One of that name.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key(KeyKind::Ecdsa);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, key: key.serialize_pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for those names, the first of which is its common name; `uri:` stands before a URI.
    pub fn issue(&self, names: &[&str], kind: KeyKind) -> Pair {
        self.issue_until(names, kind, SystemTime::now() + Duration::from_secs(90 * 86_400))
    }

    /// The same, good until then.
    pub fn issue_until(&self, names: &[&str], kind: KeyKind, end: SystemTime) -> Pair {
        self.issue_with(names, kind, end, None)
    }

    /// The same with whom to ask whether it is still good (OCSP): a URL of less than 100 bytes.
    pub fn issue_answered_by(&self, names: &[&str], url: &str) -> Pair {
        self.issue_with(
            names,
            KeyKind::Ecdsa,
            SystemTime::now() + Duration::from_secs(90 * 86_400),
            Some(url),
        )
    }

    /// A certificate by which others answer in the authority's place whether certificates are still good (RFC
    /// 6960 4.2.2.2).
    pub fn issue_responder(&self) -> Pair {
        let key = key(KeyKind::Ecdsa);
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Responder");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { cert, key: key.serialize_pem(), serial: 0 }
    }

    fn issue_with(&self, names: &[&str], kind: KeyKind, end: SystemTime, responder: Option<&str>) -> Pair {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0x1001);
        let serial = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
        params.distinguished_name = DistinguishedName::new();
        let common = names.first().copied().unwrap_or_default();
        params.distinguished_name.push(DnType::CountryName, "DE");
        params.distinguished_name.push(DnType::OrganizationName, "Bifrons, tests");
        params.distinguished_name.push(DnType::CommonName, common);
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = (SystemTime::now() - Duration::from_secs(3 * 86_400)).into();
        params.not_after = end.into();
        if let Some(url) = responder {
            // AuthorityInfoAccessSyntax with one AccessDescription, id-ad-ocsp and a URI (RFC 5280 4.2.2.1).
            let len = |len: usize| u8::try_from(len).unwrap();
            let id = [6, 8, 0x2b, 6, 1, 5, 5, 7, 48, 1];
            let inner = [&id[..], &[0x86, len(url.len())], url.as_bytes()].concat();
            let one = [&[0x30, len(inner.len())], &inner[..]].concat();
            let list = [&[0x30, len(one.len())], &one[..]].concat();
            let id = [1, 3, 6, 1, 5, 5, 7, 1, 1];
            params.custom_extensions.push(rcgen::CustomExtension::from_oid_content(&id, list));
        }
        let key = key(kind);
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { cert, key: key.serialize_pem(), serial }
    }

    /// A list that takes those certificates back, in PEM.
    pub fn revoke(&self, pairs: &[&Pair]) -> String {
        let now = SystemTime::now();
        let revoked = pairs.iter().map(|pair| RevokedCertParams {
            serial_number: SerialNumber::from(pair.serial),
            revocation_time: now.into(),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: (now - Duration::from_secs(60)).into(),
            next_update: (now + Duration::from_secs(86_400)).into(),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn alternative(name: &str) -> SanType {
    if let Some(uri) = name.strip_prefix("uri:") {
        return SanType::URI(uri.to_owned().try_into().unwrap());
    }
    match name.parse() {
        Ok(ip) => SanType::IpAddress(ip),
        Err(_) => SanType::DnsName(name.to_owned().try_into().unwrap()),
    }
}

fn key(kind: KeyKind) -> KeyPair {
    let algorithm: &'static SignatureAlgorithm = match kind {
        KeyKind::Ecdsa => &rcgen::PKCS_ECDSA_P256_SHA256,
        KeyKind::Rsa => &rcgen::PKCS_RSA_SHA256,
    };
    KeyPair::generate_for(algorithm).unwrap()
}
