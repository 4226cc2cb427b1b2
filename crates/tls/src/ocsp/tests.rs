use super::*;
use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};

fn pair() -> (CertificateDer<'static>, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "CA");
    let ca = params.self_signed(&key).unwrap().der().clone();
    let own = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    let own = own.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(params, key)).unwrap().der().clone();
    (own, ca)
}

#[test]
fn what_is_missing_is_told() {
    let (own, ca) = pair();
    let about = |others: &[CertificateDer<'static>], url| Question::about(&own, others, url);
    assert!(about(&[], Some("http://o.test")).unwrap_err().contains("put it behind it"));
    assert!(about(std::slice::from_ref(&ca), None).unwrap_err().contains("names no responder"));
    assert!(about(std::slice::from_ref(&ca), Some("https://o.test")).unwrap_err().contains("over http://"));
    assert!(about(&[own.clone(), ca.clone()], Some("http://o.test")).is_ok());
}

/// Answers of a real responder: tests/e2e/tls/ocsp.rs.
#[test]
fn nonsense_is_no_answer() {
    let (own, ca) = pair();
    let question = Question::about(&own, &[ca], Some("http://o.test/")).unwrap();
    let now = SystemTime::now();
    assert!(question.judge(&[0x30, 3, 0x0a, 1, 6], now).unwrap_err().contains("does not answer us"));
    assert!(question.judge(b"", now).is_err() && question.judge(&[0x30, 0x84, 1, 1, 1, 1], now).is_err());
    for len in 0..question.request.len() {
        assert!(question.judge(&question.request[..len], now).is_err());
    }
}

#[test]
fn times_are_read() {
    let at = |text: &str| {
        time(text.as_bytes()).map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
    };
    assert_eq!(at("19700101000000Z"), Some(0));
    assert_eq!(at("20000229235959Z"), Some(951_868_799));
    assert_eq!(at("20261124161736Z"), Some(1_795_537_056));
    for wrong in ["20261324000000Z", "2026112416173Z", "20261124161736", "-0261124161736Z", ""] {
        assert_eq!(at(wrong), None, "{wrong}");
    }
}
