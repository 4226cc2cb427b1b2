use super::*;

const LONG: &[u8] = b"a much longer password than sixteen bytes";

/// By `openssl passwd`, `crypt(3)` and Apache's `htpasswd`.
#[test]
fn hashes_of_others_are_verified() {
    let rows: [(&str, &[u8]); 14] = [
        ("{PLAIN}secret", b"secret"),
        ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", b"secret"),
        ("{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", b"secret"),
        ("$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", b"secret"),
        ("$1$abcdefgh$fW3178yKPY70TFejaM1Fv.", LONG),
        ("$apr1$r31.....$G/cElGhD0cboYkZN5h5Ne/", b"secret"),
        ("$apr1$r31.....$C4udfKBIZ0gl57ECzUX.w/", LONG),
        ("$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.", b"secret"),
        ("$5$saltstring$W9GxW3aoa.Pm0HjR.Af1t6MrsyYZQ7W8h8hDED/cZK7", LONG),
        (
            "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
            b"secret",
        ),
        (
            "$6$saltstring$Kx5w0Kj2.yCniM9.duzHz1irsyHYGEd8TM7oxJau/vFphMkh1FJRXoYcAAzaYLG7BLZJ7lh68DM5oWQ2yZvdm.",
            LONG,
        ),
        (
            "$6$rounds=1000$saltstring$2BkAo106CG84raQcWpAlhyy6TSSkAsL1nfvBCoezLYyerUzY2l8axTvq6NynEt7SQAx3/cdop9ds0po8uaeHq0",
            b"secret",
        ),
        ("$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", b"secret"),
        ("$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", b"secret"),
    ];
    for (hash, password) in rows {
        let scheme = Scheme::of(hash).unwrap();
        assert!(scheme.verify(hash, password), "{hash}");
        for wrong in [&b"Secret"[..], b"", b"secre", b"secret\0"] {
            assert!(!scheme.verify(hash, wrong), "{hash} with {wrong:?}");
        }
    }
}

#[test]
fn what_is_malformed_is_never_right() {
    for hash in
        ["{SHA}", "{SHA}?", "{SSHA}AAAA", "$1$", "$apr1$salt", "$5$x", "$6$rounds=x$a$b", "$2y$", "$2y$99$x"]
    {
        assert!(!Scheme::of(hash).unwrap().verify(hash, b"secret"), "{hash}");
    }
    assert_eq!(Scheme::of("rqXexS6ZhobKA"), None);
}
