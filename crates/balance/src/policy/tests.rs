use super::*;

#[test]
fn tried_notes_any_index() {
    let mut tried = TriedSet::default();
    for index in [0, 63, 64, 127, 128, 9_999] {
        assert!(!tried.contains(1, index));
        tried.insert(1, index);
        assert!(tried.contains(1, index) && !tried.contains(1, index + 1));
    }
    assert_eq!(tried.len(), 6);
}

#[test]
fn tried_counts_as_empty_in_another_generation() {
    let mut tried = TriedSet::default();
    tried.insert(1, 0);
    assert!(!tried.contains(2, 0));
    tried.insert(2, 1);
    assert!(!tried.contains(2, 0) && tried.contains(2, 1));
}

#[test]
fn random_numbers_follow_from_the_seed_and_keep_below() {
    let (one, other) = (Rng::seeded(7), Rng::seeded(7));
    let drawn: Vec<_> = (0..1_000).map(|_| one.below(3)).collect();
    assert!(drawn.iter().all(|&number| number < 3 && number == other.below(3)));
    assert!((0..3).all(|number| drawn.iter().filter(|&&other| other == number).count() > 250));
    assert_eq!(one.below(0), 0);
}
