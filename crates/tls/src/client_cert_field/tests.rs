use super::*;
use bifrons_http::Name;

fn cert() -> ClientCert {
    ClientCert {
        chain: vec![vec![0xff; 3].into(), vec![0xfb; 3].into()],
        fingerprint: "".into(),
        sha256: "ab12".into(),
        subject: "CN=a\\, b,O=\\\"c\\\"".into(),
        issuer: "".into(),
        subject_legacy: "".into(),
        issuer_legacy: "".into(),
        serial: "".into(),
        begins: "".into(),
        ends: "".into(),
        not_after: 0,
        uris: vec!["spiffe://a/b".into(), "http://x/?q=1,2".into()],
        dns: vec!["a.test".into(), "b.test".into()],
        shown_uris: vec!["spiffe://us".into()],
    }
}

fn facts(verify: &str) -> TlsFacts {
    TlsFacts {
        protocol: "TLSv1.3",
        cipher: "",
        curve: "".into(),
        server_name: None,
        alpn: None,
        is_resumed: false,
        suites: [].into(),
        groups: [].into(),
        suite_name: |_| None,
        group_name: |_| String::new(),
        verify: verify.into(),
        client: Some(Box::new(cert())),
    }
}

/// What becomes of two fields that came, one of them in disguise.
fn sent(mode: ForwardMode, tls: Option<&TlsFacts>) -> Vec<String> {
    let mut headers = Headers::new();
    headers.append("X-Forwarded-Client-Cert", b"Hash=old");
    headers.append("X_Forwarded-Client_Cert", b"Hash=false");
    headers.append("X-Other", b"o");
    let rule = ForwardClientCert { mode, details: vec![CertDetail::Hash] };
    headers.remove_where(|_, name| rule.drops(tls, name));
    rule.write(tls, &mut headers);
    let text = |(_, name, value): (Name, &[u8], &[u8])| {
        format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
    };
    headers.iter().map(text).filter(|line| !line.starts_with("X-Other")).collect()
}

#[test]
fn five_modes() {
    let (good, bad) = (facts("SUCCESS"), facts("FAILED:certificate has expired"));
    let none: [&str; 0] = [];
    let both = ["X-Forwarded-Client-Cert: Hash=old", "X_Forwarded-Client_Cert: Hash=false"];
    let with_old = ["X-Forwarded-Client-Cert: Hash=old"];
    let appended = ["X-Forwarded-Client-Cert: Hash=old,Hash=ab12"];
    let own = ["X-Forwarded-Client-Cert: Hash=ab12"];
    for (mode, of_good) in [
        (ForwardMode::Sanitize, &none[..]),
        (ForwardMode::ForwardOnly, &with_old),
        (ForwardMode::AppendForward, &appended),
        (ForwardMode::SanitizeSet, &own),
    ] {
        assert_eq!(sent(mode, Some(&good)), of_good, "{mode:?}");
        assert_eq!(sent(mode, Some(&bad)), none, "{mode:?}");
        assert_eq!(sent(mode, None), none, "{mode:?}");
    }
    for tls in [Some(&good), Some(&bad), None] {
        assert_eq!(sent(ForwardMode::AlwaysForwardOnly, tls), both);
    }
}

#[test]
fn details_have_their_order_and_their_quotes() {
    let of = |details: &[CertDetail]| {
        ForwardClientCert { mode: ForwardMode::SanitizeSet, details: details.to_vec() }.element(&cert())
    };
    assert_eq!(
        of(&[CertDetail::Dns, CertDetail::Uri, CertDetail::Subject, CertDetail::Hash, CertDetail::By]),
        "By=spiffe://us;Hash=ab12;Subject=\"CN=a\\, b,O=\\\"c\\\"\";URI=spiffe://a/b;URI=\"http://x/?q=1,2\";\
         DNS=a.test;DNS=b.test"
    );
    let pem = |body: &str| format!("-----BEGIN%20CERTIFICATE-----%0A{body}%0A-----END%20CERTIFICATE-----%0A");
    assert_eq!(of(&[CertDetail::Cert]), format!("Cert=\"{}\"", pem("%2F%2F%2F%2F")));
    assert_eq!(of(&[CertDetail::Chain]), format!("Chain=\"{}{}\"", pem("%2F%2F%2F%2F"), pem("%2B%2Fv7")));
    let bare = ClientCert { uris: Vec::new(), dns: Vec::new(), shown_uris: Vec::new(), ..cert() };
    let rule = ForwardClientCert::default();
    assert_eq!(rule.element(&bare), "Hash=ab12;Subject=\"CN=a\\, b,O=\\\"c\\\"\";URI=");
}

#[test]
fn nothing_ends_the_field_or_the_quotes() {
    assert_eq!(quoted("a\r\nX: y"), "a%0D%0AX:%20y");
    assert_eq!(quoted("a\";By=x\\"), "\"a%22;By=x%5C\"");
}
