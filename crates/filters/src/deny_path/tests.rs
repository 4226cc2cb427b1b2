use super::*;
use crate::testing::{cx, request};

fn denies(path: Option<&[u8]>, target: &[u8]) -> bool {
    let filter = Config { prefixes: vec!["/.git".into(), "/internal/".into()] }.build().unwrap();
    let (mut cx, mut req) = (cx(), request(""));
    cx.path = path.map(<[u8]>::to_vec);
    req.head.set_target(target);
    matches!(filter.request(&mut cx, &mut req), Step::Reply(res) if res.head.status == 403)
}

#[test]
fn whole_segments_below_a_prefix() {
    for target in [&b"/.git"[..], b"/.git/", b"/.git/config", b"/.git?x", b"/internal/", b"/internal/a"] {
        assert!(denies(None, target), "{}", String::from_utf8_lossy(target));
    }
    for target in [&b"/.github"[..], b"/", b"/a/.git", b"/internal", b"/?/.git"] {
        assert!(!denies(None, target), "{}", String::from_utf8_lossy(target));
    }
}

/// What counts is the path after normalisation.
#[test]
fn the_normalised_path_counts() {
    assert!(denies(Some(b"/.git/config"), b"/%2egit/config"));
    assert!(!denies(Some(b"/public"), b"/.git/../public"));
}

#[test]
fn prefixes_begin_with_a_slash() {
    let problem = Config { prefixes: vec!["/a".into(), "b".into()] }.build().err().unwrap();
    assert!(problem.contains("\"b\""));
}
