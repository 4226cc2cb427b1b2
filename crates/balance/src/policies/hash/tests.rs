use super::*;
use crate::endpoint::Active;
use crate::health::Outcome;
use crate::policies::Balance;
use crate::testing::{Table, group_of, spec};
use std::collections::HashMap;

fn balance(factor: f64) -> Balance {
    let load_factor = LoadFactor::new(factor).expect("a factor");
    Balance::Hash(Config { key: Template::text("k"), load_factor })
}

fn pick(table: &mut Table, key: u64) -> usize {
    table.key = Some(key.to_le_bytes().to_vec());
    table.picks(1)[0]
}

/// Holds so many requests of one key.
fn hold(table: &mut Table, key: u64, count: usize) -> Vec<Active> {
    let mut held = Vec::new();
    for _ in 0..count {
        let index = pick(table, key);
        held.extend(Active::begin(&table.set.endpoints()[index], Some(table.set.active())));
    }
    held
}

#[test]
fn a_key_stays_where_it_is() {
    let mut table = Table::new(&balance(1.25), group_of(10));
    for key in 0..200 {
        let at = pick(&mut table, key);
        assert_eq!((pick(&mut table, key), pick(&mut table, key)), (at, at));
    }
}

#[test]
fn keys_of_one_that_is_out_go_to_several_others_and_the_rest_stay() {
    let mut table = Table::new(&balance(1.25), group_of(10));
    let before: Vec<_> = (0..5_000).map(|key| pick(&mut table, key)).collect();
    table.set.endpoints()[3].report(Outcome::Failure, 1);
    let mut heirs: HashMap<usize, usize> = HashMap::new();
    for (key, at) in (0..).zip(before) {
        let now = pick(&mut table, key);
        match at {
            3 => *heirs.entry(now).or_default() += 1,
            _ => assert_eq!(now, at, "key {key}"),
        }
    }
    assert_eq!(heirs.len(), 9, "{heirs:?}");
}

#[test]
fn a_hot_key_spills_over_at_the_bound_and_not_before() {
    let mut table = Table::new(&balance(1.25), group_of(10));
    let home = pick(&mut table, 1);
    let mut held = hold(&mut table, 1, 8);
    assert_eq!(table.set.endpoints()[home].state().active(), 8, "eight are no load");
    held.extend(hold(&mut table, 1, 392));
    for endpoint in table.set.endpoints() {
        let active = endpoint.state().active();
        assert!(active <= 51, "{active} at one, 400 × 1.25 / 10 = 50 are allowed");
    }
}

#[test]
fn the_bound_is_reckoned_among_those_that_serve() {
    let mut table = Table::new(&balance(1.25), group_of(10));
    for endpoint in &table.set.endpoints()[..8] {
        endpoint.report(Outcome::Failure, 1);
    }
    let _held = hold(&mut table, 1, 400);
    let active = table.set.endpoints()[8..].iter().map(|endpoint| endpoint.state().active());
    assert!(active.max() > Some(230), "the home of the key keeps its 5/8");
}

#[test]
fn without_bound_a_hot_key_stays() {
    let mut table = Table::new(&balance(0.0), group_of(10));
    let home = pick(&mut table, 1);
    let _held = hold(&mut table, 1, 400);
    assert_eq!(table.set.endpoints()[home].state().active(), 400);
    assert!(!table.policy.wants_total());
}

#[test]
fn without_key_requests_spread() {
    let table = Table::new(&balance(1.25), group_of(4));
    let counts = crate::testing::counts(&table.picks(4_000));
    assert!((0..4).all(|at| (850..1_150).contains(&counts[&at])), "{counts:?}");
}

#[test]
fn one_left_of_ten_thousand_is_found() {
    let mut table = Table::new(&balance(1.25), group_of(10_000));
    for endpoint in &table.set.endpoints()[1..] {
        endpoint.report(Outcome::Failure, 1);
    }
    assert_eq!(pick(&mut table, 77), 0);
    assert_eq!(table.set.endpoints()[0].address, spec(0).address);
}
