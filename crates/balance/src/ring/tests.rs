use super::*;
use crate::endpoint::EndpointSpec;
use crate::set::{EndpointSet, Rank};
use crate::testing::{group_of, spec};

const KEYS: u64 = 20_000;

/// The address each key is at.
fn owners(set: &EndpointSet) -> Vec<String> {
    let group = set.group(Rank::Primary);
    let owner = |key: u64| {
        let index = group.ring().walk(hash(&key.to_le_bytes())).next().expect("a point");
        group.endpoint(index).address.to_string()
    };
    (0..KEYS).map(owner).collect()
}

#[test]
fn removing_one_of_n_moves_its_keys_only() {
    let ten = owners(&group_of(10));
    let nine = owners(&EndpointSet::new((0..9).map(spec).collect()));
    let gone = spec(9).address.to_string();
    let mut moved = 0;
    for (before, after) in ten.iter().zip(&nine) {
        if before != after {
            assert_eq!(*before, gone, "only keys of the one that left may move");
            moved += 1;
        }
    }
    let share = f64::from(moved) / KEYS as f64;
    assert!((0.07..0.13).contains(&share), "{share} of the keys moved");
}

#[test]
fn shares_follow_the_weights() {
    let set = EndpointSet::new((0..4).map(|at| EndpointSpec { weight: at + 1, ..spec(at) }).collect());
    let owners = owners(&set);
    for (at, endpoint) in set.endpoints().iter().enumerate() {
        let address = endpoint.address.to_string();
        let share = owners.iter().filter(|owner| **owner == address).count() as f64 / KEYS as f64;
        let fair = (at + 1) as f64 / 10.0;
        assert!((share / fair - 1.0).abs() < 0.25, "weight {}: {share} instead of {fair}", at + 1);
    }
}

#[test]
fn order_and_names_do_not_matter() {
    let backwards = (0..10).rev().map(|at| EndpointSpec { name: "app:80".into(), ..spec(at) }).collect();
    assert_eq!(owners(&group_of(10)), owners(&EndpointSet::new(backwards)));
}

#[test]
fn the_number_of_points_is_bounded() {
    for set in [
        group_of(10_000),
        EndpointSet::new((0..3).map(|at| EndpointSpec { weight: u32::MAX, ..spec(at) }).collect()),
    ] {
        let points = set.group(Rank::Primary).ring().points.len() as u64;
        assert!(points > POINTS_MAX / 4 && points <= POINTS_MAX + set.len() as u64, "{points}");
    }
}

#[test]
fn a_walk_meets_everybody() {
    let set = group_of(10);
    let mut met: Vec<_> = set.group(Rank::Primary).ring().walk(u64::MAX).collect();
    met.sort_unstable();
    met.dedup();
    assert_eq!(met.len(), 10);
}
