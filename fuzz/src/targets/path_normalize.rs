//! Normal paths. The first byte chooses the policy.

use bifrons_route::path::{PathPolicy, PathRules, escape_path, normalize};

/// Words of paths.
pub const WORDS: &[&str] = &[
    "/", "//", ".", "..", "/.", "/..", "/./", "/../", "%2e", "%2E", "%2f", "%2F", "%5c", "\\", "%00", "%",
    "%zz", "%25", "%252e", ";", ";/", "%41", "%c3%a9", "%e9", " ", "?", "#", "~", "a", "{", "|", "\0",
    "\r\n",
];

/// Runs once.
pub fn run(data: &[u8]) {
    let Some((&choice, path)) = data.split_first() else { return };
    let policy = [PathPolicy::Standard, PathPolicy::Strict, PathPolicy::Nginx, PathPolicy::Off]
        [usize::from(choice & 3)];
    let rules = PathRules { policy, merge_slashes: choice & 4 != 0 };
    let Ok(normal) = normalize(&rules, path) else { return };
    if policy == PathPolicy::Off {
        assert!(&*normal == path || path.is_empty());
        return;
    }
    assert!(normal.starts_with(b"/"));
    assert!(
        !normal.split(|byte| *byte == b'/').any(|part| part == b"." || part == b".."),
        "{:?}",
        text(&normal)
    );
    if rules.merge_slashes && policy != PathPolicy::Strict {
        assert!(!normal.windows(2).any(|pair| pair == b"//"));
    }
    if policy == PathPolicy::Nginx {
        let mut escaped = Vec::new();
        escape_path(&normal, &mut escaped);
        assert!(escaped.iter().all(|byte| (0x21..0x7f).contains(byte) && *byte != b'#' && *byte != b'?'));
        assert_eq!(&*normalize(&rules, &escaped).unwrap(), &*normal, "escaped: {:?}", text(&escaped));
        return;
    }
    assert!(normal.iter().all(|byte| (0x21..0x7f).contains(byte) && *byte != b'#' && *byte != b'?'));
    assert_eq!(&*normalize(&rules, &normal).unwrap(), &*normal, "a second time: {:?}", text(&normal));
    // What `strict` takes, `standard` reads as the same.
    if policy == PathPolicy::Strict {
        let standard = PathRules { policy: PathPolicy::Standard, merge_slashes: false };
        assert_eq!(normalize(&standard, path).unwrap(), normal);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
