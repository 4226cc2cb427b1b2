use super::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

struct Ca {
    params: CertificateParams,
    key: KeyPair,
    cert: CertificateDer<'static>,
}

/// An authority of that name, by the one above it.
fn authority(name: &str, above: Option<&Ca>) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let cert = match above {
        Some(above) => params.signed_by(&key, &Issuer::from_params(&above.params, &above.key)),
        None => params.self_signed(&key),
    };
    let cert = cert.unwrap().der().clone();
    Ca { params, key, cert }
}

#[test]
fn certificates_between_are_counted() {
    let root = authority("root", None);
    let upper = authority("upper", Some(&root));
    let lower = authority("lower", Some(&upper));
    let own = authority("own", Some(&lower)).cert;
    let others = [lower.cert.clone(), upper.cert.clone()];
    let anchors = [root.cert.clone()];
    let within = |own: &CertificateDer<'static>, others: &[CertificateDer<'static>], depth| {
        check_depth(&Chain { own, others, anchors: &anchors }, depth).is_ok()
    };
    assert!(within(&own, &others, 3) && within(&own, &others, 0));
    assert!(!within(&own, &others, 2));
    assert!(within(&lower.cert, &others, 2) && !within(&lower.cert, &others, 1));
    assert!(within(&upper.cert, &[], 1));
    assert!(within(&root.cert, &[], 1), "an authority itself");
    assert!(!within(&own, &[], 3), "what is between is not there");
    // Its name leads to the authority, but it has signed nothing.
    let shortcut = authority("lower", Some(&root)).cert;
    assert!(!within(&own, &[shortcut.clone(), lower.cert.clone(), upper.cert.clone()], 2));
    // Hundreds of the same name end the search.
    let many = vec![shortcut; 300];
    assert!(!within(&own, &many, 6));
}
