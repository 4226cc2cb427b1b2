use super::*;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SigningKey};

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
    assert!(about(std::slice::from_ref(&ca), Some("http://o test")).unwrap_err().contains("visible ASCII"));
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

#[test]
fn addresses_of_responders() {
    let is = |url, host, addr: &str, path| {
        assert_eq!(Address::of(url), Ok(Address { host, addr: addr.to_owned(), path }), "{url}");
    };
    is("http://o.test", "o.test", "o.test:80", "/");
    is("http://o.test?b", "o.test", "o.test:80", "/");
    is("http://o.test:8080/a?b#c", "o.test:8080", "o.test:8080", "/a?b");
    is("http://[::1]:80/", "[::1]:80", "[::1]:80", "/");
    is("http://[::1]/", "[::1]", "[::1]:80", "/");
    for (wrong, why) in [
        ("https://o.test/", "over http://"),
        ("o.test", "over http://"),
        ("http:///x", "its host"),
        ("http://[::1/", "its host"),
        ("http://::1/", "its host"),
        ("http://a@b/", "logs in"),
        ("http://o.test/\r\nX: y", "visible ASCII"),
        ("http://o t/", "visible ASCII"),
        ("http://o.test:0/", "its port"),
        ("http://o.test:65536/", "its port"),
        ("http://o.test:+80/", "its port"),
        ("http://o.test:/", "its port"),
    ] {
        let said = Address::of(wrong).unwrap_err();
        assert!(said.contains(why), "{wrong}: {said}");
    }
}

/// An authority of that name with its key.
struct Ca {
    params: CertificateParams,
    key: KeyPair,
    cert: CertificateDer<'static>,
}

impl Ca {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "CA");
        let cert = params.self_signed(&key).unwrap().der().clone();
        Self { params, key, cert }
    }

    fn issue(&self, change: impl Fn(&mut CertificateParams)) -> (KeyPair, CertificateDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        change(&mut params);
        let cert = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        (key, cert.der().clone())
    }
}

/// What an answer says of a certificate (RFC 6960 4.2.1), in DER.
struct Said<'a> {
    status: &'a [u8],
    begins: &'a str,
    ends: Option<&'a str>,
}

const GOOD: &[u8] = &[0x80, 0];
const REVOKED: &[u8] = b"\xa1\x1120200101000000Z";

impl Default for Said<'_> {
    fn default() -> Self {
        Self { status: GOOD, begins: "20200101000000Z", ends: Some("20990101000000Z") }
    }
}

/// An answer to that question, signed by that key, with those certificates.
fn answer(question: &Question, said: &Said<'_>, key: &KeyPair, certs: &[&[u8]]) -> Vec<u8> {
    let id = [SHA1, &tlv(4, &question.name_hash), &tlv(4, &question.key_hash), &tlv(2, &question.serial)];
    let ends = said.ends.map(|ends| tlv(0xa0, &tlv(0x18, ends.as_bytes()))).unwrap_or_default();
    let single = [&tlv(0x30, &id.concat()), said.status, &tlv(0x18, said.begins.as_bytes()), &ends].concat();
    let responder = tlv(0xa2, &tlv(4, &[7; 20]));
    let list = tlv(0x30, &tlv(0x30, &single));
    let data = tlv(0x30, &[responder, tlv(0x18, b"20200101000000Z"), list].concat());
    // ecdsa-with-SHA256 (RFC 5758 3.2).
    let algorithm = tlv(0x30, &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
    let signature = tlv(3, &[&[0], &*key.sign(&data).unwrap()].concat());
    let basic = tlv(0x30, &[data, algorithm, signature, tlv(0xa0, &tlv(0x30, &certs.concat()))].concat());
    let bytes = tlv(0xa0, &tlv(0x30, &[tlv(6, ID_BASIC), tlv(4, &basic)].concat()));
    tlv(0x30, &[tlv(0x0a, &[0]), bytes].concat())
}

/// RFC 6960 4.2.2.2: the authority itself, or whom it has made for that, and nobody else.
#[test]
fn only_who_may_answers() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    let (own_key, own) = ca.issue(|_| {});
    let question = Question::about(&own, std::slice::from_ref(&ca.cert), Some("http://o.test")).unwrap();
    let signs = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    };
    let (helper_key, helper) = ca.issue(signs);
    let (old_key, old) = ca.issue(|params| {
        signs(params);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let (server_key, server) = ca.issue(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let (foreign_key, foreign) = stranger.issue(signs);
    let judge = |key: &KeyPair, certs: &[&[u8]]| {
        question.judge(&answer(&question, &Said::default(), key, certs), SystemTime::now())
    };
    for (who, key, certs) in [
        ("the authority", &ca.key, &[][..]),
        ("the authority, with its certificate", &ca.key, &[&*ca.cert]),
        ("whom it has made for that", &helper_key, &[&*helper]),
        ("the same behind others", &helper_key, &[&*foreign, &*helper]),
    ] {
        let good = judge(key, certs);
        assert!(good.is_ok(), "{who}: {good:?}");
    }
    for (who, key, certs) in [
        ("a stranger of the same name", &stranger.key, &[][..]),
        ("a stranger, with its certificate", &stranger.key, &[&*stranger.cert]),
        ("whom a stranger has made for that", &foreign_key, &[&*foreign]),
        ("whom nobody shows", &helper_key, &[]),
        ("whom another certificate is shown for", &foreign_key, &[&*helper]),
        ("whose certificate has ended", &old_key, &[&*old]),
        ("who is made for something else", &server_key, &[&*server]),
        ("the certificate itself", &own_key, &[&*own]),
    ] {
        let said = judge(key, certs).unwrap_err();
        assert_eq!(said, "nobody has signed the answer who may", "{who}");
    }
    let mut changed = answer(&question, &Said::default(), &ca.key, &[]);
    let at = changed.windows(2).position(|pair| pair == GOOD).unwrap();
    changed[at] = 0x82;
    assert!(question.judge(&changed, SystemTime::now()).is_err(), "a byte was changed on the way");
}

#[test]
fn an_answer_holds_in_its_time_for_its_certificate() {
    let ca = Ca::new();
    let about = |own: &CertificateDer<'static>| {
        Question::about(own, std::slice::from_ref(&ca.cert), Some("http://o.test")).unwrap()
    };
    let (question, other) = (about(&ca.issue(|_| {}).1), about(&ca.issue(|_| {}).1));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_537_056);
    let judge = |said: Said<'_>| question.judge(&answer(&question, &said, &ca.key, &[]), now);
    let staple = judge(Said::default()).unwrap();
    assert_eq!(staple.begins, SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800));
    assert!(staple.ends.is_some_and(|ends| ends > now));
    assert_eq!(judge(Said { ends: None, ..Said::default() }).unwrap().ends, None);
    // 20261124161736Z, and five minutes that clocks may differ by.
    assert!(judge(Said { begins: "20261124162236Z", ..Said::default() }).is_ok());
    for (said, why) in [
        (Said { begins: "20261124162237Z", ..Said::default() }, "of the future"),
        (Said { ends: Some("20261124161736Z"), ..Said::default() }, "out of date"),
        (Said { begins: "20261324162236Z", ..Said::default() }, "no good DER"),
        (Said { status: REVOKED, ..Said::default() }, "was revoked"),
        (Said { status: &[0x82, 0], ..Said::default() }, "does not know the certificate"),
    ] {
        let problem = judge(said).unwrap_err();
        assert!(problem.contains(why), "{why}: {problem}");
    }
    let about_other = answer(&other, &Said::default(), &ca.key, &[]);
    assert!(question.judge(&about_other, now).unwrap_err().contains("about another certificate"));
}

/// An authority with a new key keeps its name: who has really signed is asked for.
#[test]
fn the_issuer_is_who_has_signed() {
    let (old, new) = (Ca::new(), Ca::new());
    let (_, own) = new.issue(|_| {});
    let question = Question::about(&own, &[old.cert, new.cert.clone()], Some("http://o.test")).unwrap();
    assert_eq!(question.issuer, new.cert);
}
