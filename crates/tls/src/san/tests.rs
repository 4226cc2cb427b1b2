#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use super::*;
use rcgen::{CertificateParams, KeyPair, SanType};

fn fits(rule: &str, names: &[SanType]) -> bool {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_vec();
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    let rules = NameRule::parse_all(&[At::from(rule.to_owned())]).unwrap();
    NameRule::check(&rules, cert.der()).is_ok()
}

#[test]
fn names_fit_as_they_are_or_by_a_star() {
    let names = [
        SanType::DnsName("app.example".try_into().unwrap()),
        SanType::URI("spiffe://cluster/ns/app".try_into().unwrap()),
        SanType::Rfc822Name("anna@example.com".try_into().unwrap()),
    ];
    for rule in [
        "dns:app.example",
        "dns:APP.example",
        "dns:*.example",
        "uri:spiffe://cluster/ns/app",
        "uri:spiffe://cluster/*",
        "email:anna@example.com",
    ] {
        assert!(fits(rule, &names), "{rule}");
    }
    for rule in
        ["dns:example", "dns:*.app.example", "uri:spiffe://cluster", "uri:app.example", "email:b@example.com"]
    {
        assert!(!fits(rule, &names), "{rule}");
    }
    assert!(!fits("dns:app.example", &[]));
}

#[test]
fn what_is_no_name_is_told() {
    for name in ["app.example", "dns:", "ip:1.2.3.4"] {
        let wrong = NameRule::parse_all(&[At::from(name.to_owned())]).unwrap_err();
        assert!(wrong.message.contains("is no name of a certificate"), "{name}");
    }
}
