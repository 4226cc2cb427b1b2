use super::*;

const BOUNDS: (usize, u64) = (4, 100);

#[test]
fn sessions_end_when_nobody_asks_for_them() {
    let sessions = Sessions::default();
    sessions.put(b"a", "one", 100, 4);
    assert_eq!(sessions.get(b"a", 99, BOUNDS).as_deref(), Some("one"));
    assert_eq!(sessions.get(b"a", 198, BOUNDS).as_deref(), Some("one"), "asked for, so it goes on");
    assert_eq!(sessions.get(b"a", 298, BOUNDS), None);
    assert_eq!(sessions.get(b"b", 0, BOUNDS), None);
}

#[test]
fn those_asked_for_longest_ago_are_forgotten_first() {
    let sessions = Sessions::default();
    for name in 0..100u8 {
        sessions.put(&[name], "one", 1_000, 4);
        assert!(sessions.get(&[0], 0, BOUNDS).is_some(), "asked for all the time: {name}");
    }
    let known = (0..100u8).filter(|name| sessions.get(&[*name], 0, (1_000, 100)).is_some()).count();
    assert!((2..=4).contains(&known), "{known} of at most 4");
}
