//! Certificates of the demo, of an authority that is made for it and forgotten.

use crate::command::Failure;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The authority's certificate.
pub(super) const CA: &str = "ca.crt";

/// Longer than a demo runs, and than the 30 days from which the end of a certificate is warned of.
const LIFETIME: Duration = Duration::from_secs(90 * 86_400);
/// Clocks differ.
const EARLIER: Duration = Duration::from_secs(3600);

/// Whom certificates are for: their file, their names; `spiffe://…` is a URI, digits are an address.
const WHO: [(&str, &[&str]); 3] = [
    ("localhost", &["localhost", "127.0.0.1"]),
    ("gateway", &["spiffe://demo/gateway"]),
    ("sidecar", &["sidecar.mesh", "spiffe://demo/sidecar"]),
];

/// Writes all of them into `dir`; gives back the authority's certificate in PEM.
pub(super) fn write(dir: &Path) -> Result<String, Failure> {
    let made = make().map_err(|error| format!("cannot make certificates: {error}"))?;
    let authority = made.first().map(|(_, pem)| pem.clone()).unwrap_or_default();
    for (name, pem) in made {
        let path = dir.join(name);
        std::fs::write(&path, pem).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(authority)
}

/// Files and what is in them, the authority's first.
fn make() -> Result<Vec<(String, String)>, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = lasting("Bifrons, demo");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let mut files = vec![(CA.to_owned(), params.self_signed(&key)?.pem())];
    let issuer = Issuer::new(params, key);
    for (who, names) in WHO {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = lasting(who);
        params.subject_alt_names = names.iter().map(|name| alternative(name)).collect::<Result<_, _>>()?;
        files.push((format!("{who}.crt"), params.signed_by(&key, &issuer)?.pem()));
        files.push((format!("{who}.key"), key.serialize_pem()));
    }
    Ok(files)
}

fn lasting(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    params.not_before = (now - EARLIER).into();
    params.not_after = (now + LIFETIME).into();
    params
}

fn alternative(name: &str) -> Result<SanType, rcgen::Error> {
    if name.contains("://") {
        return Ok(SanType::URI(name.try_into()?));
    }
    match name.parse() {
        Ok(ip) => Ok(SanType::IpAddress(ip)),
        Err(_) => Ok(SanType::DnsName(name.try_into()?)),
    }
}
