//! OpenSSL's language for lists of cipher suites (`ssl_ciphers`), over the suites that are there.
//!
//! What a list chooses besides them is old, and no client of today needs it; it is named, and left out.

use bifrons_tls::suites;

/// What a list comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// OpenSSL's names of suites of TLS 1.2, in the order they are preferred.
    pub(crate) suites: Vec<&'static str>,
    /// Words that choose nothing that is there.
    pub(crate) missing: Vec<String>,
    /// Words that OpenSSL does not know either.
    pub(crate) unknown: Vec<String>,
}

/// Words that choose suites which nobody should speak: known, and nothing here.
const NOTHING: &[&str] = &[
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
    "MEDIUM",
    "LOW",
    "EXP",
    "EXPORT",
    "EXPORT40",
    "EXPORT56",
    "eNULL",
    "NULL",
    "aNULL",
    "kRSA",
    "RSA",
    "kDHE",
    "kEDH",
    "DHE",
    "EDH",
    "DH",
    "kDH",
    "kDHr",
    "kDHd",
    "ADH",
    "AECDH",
    "kECDH",
    "kECDHr",
    "kECDHe",
    "aECDH",
    "aDSS",
    "DSS",
    "aDH",
    "SSLv2",
    "SSLv3",
    "TLSv1",
    "TLSv1.0",
    "AESCCM",
    "AESCCM8",
    "ARIA",
    "ARIA128",
    "ARIA256",
    "ARIAGCM",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "3DES",
    "DES",
    "RC4",
    "RC2",
    "IDEA",
    "SEED",
    "MD5",
    "SHA1",
    "SHA",
    "SHA256",
    "SHA384",
    "GOST94",
    "GOST89MAC",
    "aGOST",
    "aGOST01",
    "kGOST",
    "kGOST18",
    "PSK",
    "kPSK",
    "aPSK",
    "kECDHEPSK",
    "kDHEPSK",
    "kRSAPSK",
    "SRP",
    "kSRP",
    "aSRP",
    "CBC",
];

/// Reads a list.
pub(crate) fn read(text: &str) -> Chosen {
    let mut chosen = Chosen::default();
    let mut dead: Vec<&str> = Vec::new();
    for word in text.split([':', ',', ' ', ';']).filter(|word| !word.is_empty()) {
        if word.starts_with('@') {
            continue;
        }
        let (operator, word) = match word.split_at_checked(1) {
            Some((operator @ ("!" | "-" | "+"), rest)) => (operator, rest),
            _ => ("", word),
        };
        let all: Vec<&'static str> = suites::tls12_names().collect();
        let found: Vec<_> =
            all.iter().copied().filter(|suite| word.split('+').all(|part| is(suite, part))).collect();
        if found.is_empty() && operator.is_empty() {
            match word.split('+').all(is_known) {
                true => chosen.missing.push(word.to_owned()),
                false => chosen.unknown.push(word.to_owned()),
            }
        }
        match operator {
            "" => {
                for suite in found {
                    if !chosen.suites.contains(&suite) && !dead.contains(&suite) {
                        chosen.suites.push(suite);
                    }
                }
            }
            "+" => {
                let (moved, stay): (Vec<_>, Vec<_>) =
                    chosen.suites.iter().partition(|suite| found.contains(suite));
                chosen.suites = [stay, moved].concat();
            }
            _ => {
                chosen.suites.retain(|suite| !found.contains(suite));
                if operator == "!" {
                    dead.extend(found);
                }
            }
        }
    }
    chosen
}

/// Whether a suite is one of those that a word means.
fn is(suite: &str, word: &str) -> bool {
    match word {
        "ALL" | "DEFAULT" | "HIGH" | "TLSv1.2" | "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" | "ECDH" => true,
        "ECDSA" | "aECDSA" => suite.contains("-ECDSA-"),
        "aRSA" => suite.contains("-RSA-"),
        "AES" | "AESGCM" | "FIPS" => suite.contains("-AES"),
        "AES128" => suite.contains("-AES128-"),
        "AES256" => suite.contains("-AES256-"),
        "CHACHA20" => suite.contains("-CHACHA20-"),
        "SUITEB128" | "SUITEB128ONLY" | "SUITEB192" => suite.starts_with("ECDHE-ECDSA-AES"),
        name => suites::suite(name).is_some() && suite.eq_ignore_ascii_case(openssl_name(name)),
    }
}

fn openssl_name(name: &str) -> &str {
    suites::suite(name).map_or(name, |suite| suites::openssl_name(suite.suite()))
}

/// Whether a word may stand in a list: one of the words, or the name of a suite.
fn is_known(word: &str) -> bool {
    let is_name = || {
        word.contains('-') && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
            || word.starts_with("TLS_")
    };
    NOTHING.contains(&word) || is("", word) || suites::tls12_names().any(|suite| is(suite, word)) || is_name()
}

#[cfg(test)]
mod tests;
