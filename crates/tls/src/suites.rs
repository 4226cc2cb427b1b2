//! Names of cipher suites, groups and versions, ours and OpenSSL's.

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::{ALL_CIPHER_SUITES, ALL_KX_GROUPS};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SupportedCipherSuite};

/// A suite's names: IANA's and OpenSSL's.
struct Names {
    suite: CipherSuite,
    iana: &'static str,
    openssl: &'static str,
}

const NAMES: &[Names] = &[
    of(CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
    of(CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    of(
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
    ),
    of(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    of(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ),
    of(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ),
    of(
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
    ),
    of(
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
    ),
    of(
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ),
];

const fn of(suite: CipherSuite, iana: &'static str, openssl: &'static str) -> Names {
    Names { suite, iana, openssl }
}

/// The suite of that name, whoever gave it.
pub fn suite(name: &str) -> Option<SupportedCipherSuite> {
    let names = NAMES
        .iter()
        .find(|names| names.iana.eq_ignore_ascii_case(name) || names.openssl.eq_ignore_ascii_case(name))?;
    ALL_CIPHER_SUITES.iter().find(|suite| suite.suite() == names.suite).copied()
}

/// All names by which suites may be asked for.
pub fn suite_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|names| names.openssl)
}

/// OpenSSL's names of all suites of TLS 1.2, in the order they are preferred.
pub fn tls12_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|names| names.openssl).filter(|name| !name.starts_with("TLS_"))
}

/// OpenSSL's names of all suites of TLS 1.3.
pub fn tls13_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|names| names.openssl).filter(|name| name.starts_with("TLS_"))
}

/// OpenSSL's name of a suite, as `$ssl_cipher` has it.
pub fn openssl_name(suite: CipherSuite) -> &'static str {
    NAMES.iter().find(|names| names.suite == suite).map_or("", |names| names.openssl)
}

/// A group by its usual names.
pub fn group(name: &str) -> Option<&'static dyn SupportedKxGroup> {
    let wanted = match name.to_ascii_lowercase().as_str() {
        "x25519mlkem768" => NamedGroup::X25519MLKEM768,
        "secp256r1mlkem768" => NamedGroup::secp256r1MLKEM768,
        "x25519" => NamedGroup::X25519,
        "p-256" | "prime256v1" | "secp256r1" => NamedGroup::secp256r1,
        "p-384" | "secp384r1" => NamedGroup::secp384r1,
        _ => return None,
    };
    ALL_KX_GROUPS.iter().find(|group| group.name() == wanted).copied()
}

/// Names by which groups may be asked for.
pub const GROUPS: &[&str] = &["X25519MLKEM768", "SecP256r1MLKEM768", "X25519", "P-256", "P-384"];

/// OpenSSL's name of a group, as `$ssl_curve` has it.
pub fn group_name(group: NamedGroup) -> String {
    match group {
        NamedGroup::secp256r1 => "prime256v1".to_owned(),
        NamedGroup::secp384r1 => "secp384r1".to_owned(),
        NamedGroup::secp521r1 => "secp521r1".to_owned(),
        NamedGroup::X25519 => "X25519".to_owned(),
        NamedGroup::X448 => "X448".to_owned(),
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768".to_owned(),
        NamedGroup::secp256r1MLKEM768 => "SecP256r1MLKEM768".to_owned(),
        other => format!("0x{:04x}", u16::from(other)),
    }
}

/// A version as `$ssl_protocol` has it.
pub fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => "",
    }
}
