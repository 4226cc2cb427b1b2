//! What checking a chain of certificates means beyond what webpki checks: depth, certificates that are trusted
//! as they are, and what nginx calls a failure.

use crate::ocsp;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, Error};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A chain as the peer sent it, and who is trusted.
pub(crate) struct Chain<'a> {
    pub(crate) own: &'a CertificateDer<'a>,
    pub(crate) others: &'a [CertificateDer<'a>],
    pub(crate) anchors: &'a [CertificateDer<'static>],
}

/// Where webpki found no authority for it: whether the certificate itself is among those that are trusted, and
/// in its time. Gives webpki's error back where it is not.
pub(crate) fn is_trusted_itself(
    err: &Error,
    own: &CertificateDer<'_>,
    anchors: &[CertificateDer<'static>],
    now: UnixTime,
) -> Result<(), Error> {
    let may_be = match err {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        // webpki knows no authority that is its own client.
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.to_string().contains("CaUsedAsEndEntity")
        }
        _ => false,
    };
    if !may_be || !anchors.iter().any(|anchor| anchor == own) {
        return Err(err.clone());
    }
    let (_, cert) = parse(own)?;
    let seconds = now.as_secs() as i64;
    let validity = cert.validity();
    if seconds < validity.not_before.timestamp() {
        return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
    }
    if seconds > validity.not_after.timestamp() {
        return Err(Error::InvalidCertificate(CertificateError::Expired));
    }
    Ok(())
}

/// 100 signatures are looked at for one chain, as in webpki: a peer that sends hundreds of certificates of one
/// name costs no more.
const SIGNATURES_MAX: u32 = 100;

/// Whether no more certificates stand between the peer's and an authority's than are allowed; 0: any number. A
/// name proves nothing: each must have signed the one before.
pub(crate) fn check_depth(chain: &Chain<'_>, depth: u32) -> Result<(), Error> {
    if depth == 0 || chain.anchors.iter().any(|anchor| anchor == chain.own) {
        return Ok(());
    }
    let mut left = SIGNATURES_MAX;
    let mut vouches = |by: &CertificateDer<'_>, reached: &[&CertificateDer<'_>]| {
        reached.iter().any(|cert| {
            if !ocsp::may_have_issued(by, cert) || left == 0 {
                return false;
            }
            left -= 1;
            ocsp::signed_parts(cert).is_some_and(|signed| ocsp::is_signed(by, signed))
        })
    };
    // What OpenSSL counts: certificates from the peer's, which is 0, to the authority's.
    let mut reached = vec![chain.own];
    for _ in 0..depth {
        if chain.anchors.iter().any(|anchor| vouches(anchor, &reached)) {
            return Ok(());
        }
        reached = chain.others.iter().filter(|other| vouches(other, &reached)).collect();
        if reached.is_empty() {
            break;
        }
    }
    Err(Error::General("certificate chain too long".into()))
}

pub(crate) fn parse<'a>(der: &'a [u8]) -> Result<(&'a [u8], X509Certificate<'a>), Error> {
    X509Certificate::from_der(der).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
}

/// What is wrong with a certificate in the words that `$ssl_client_verify` has them in.
pub(crate) fn openssl_reason(err: &Error) -> String {
    match err {
        Error::InvalidCertificate(reason) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "certificate is not yet valid".to_owned()
            }
            CertificateError::Revoked => "certificate revoked".to_owned(),
            CertificateError::UnknownIssuer => "unable to get local issuer certificate".to_owned(),
            CertificateError::BadSignature => "certificate signature failure".to_owned(),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                "unsuitable certificate purpose".to_owned()
            }
            CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => "CRL has expired".to_owned(),
            other => format!("{other:?}"),
        },
        other => other.to_string().trim_start_matches("unexpected error: ").to_owned(),
    }
}

#[cfg(test)]
mod tests;
