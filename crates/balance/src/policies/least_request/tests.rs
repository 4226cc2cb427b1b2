use crate::endpoint::Active;
use crate::policies::Balance;
use crate::policies::least_request::Config;
use crate::testing::{Table, counts, group_of, weighted};

fn balance() -> Balance {
    Balance::LeastRequest(Config {})
}

#[test]
fn equals_take_turns() {
    assert_eq!(Table::new(&balance(), group_of(3)).picks(6), [0, 1, 2, 0, 1, 2]);
    let counts = counts(&Table::new(&balance(), weighted(&[3, 1])).picks(400));
    assert_eq!((counts[&0], counts[&1]), (300, 100));
}

#[test]
fn the_least_busy_for_its_weight_takes_it() {
    let table = Table::new(&balance(), weighted(&[1, 2, 4]));
    let endpoints = table.set.endpoints();
    // 1/1, 1/2, 3/4 under way.
    let _active: Vec<_> = [0, 1, 2, 2, 2].map(|at: usize| Active::begin(&endpoints[at], None)).into();
    assert_eq!(table.picks(3), [1, 1, 1]);
}

#[test]
fn held_requests_spread_by_weight() {
    for (len, most_apart) in [(8, 0.01), (100, 0.5)] {
        let weights: Vec<u32> = (0..len).map(|at| at % 3 + 1).collect();
        let total: u32 = weights.iter().sum();
        let table = Table::new(&balance(), weighted(&weights));
        let held: Vec<_> = (0..total * 10)
            .map(|_| Active::begin(&table.set.endpoints()[table.picks(1)[0]], None).expect("no limit"))
            .collect();
        for (at, &weight) in weights.iter().enumerate() {
            let share = f64::from(table.set.endpoints()[at].state().active()) / f64::from(weight * 10);
            assert!((share - 1.0).abs() <= most_apart, "{at} of {len}: {share}");
        }
        drop(held);
    }
}

#[test]
fn an_idle_sample_shares_by_weight() {
    let weights: Vec<u32> = (0..20).map(|at| at % 2 * 2 + 1).collect();
    let counts = counts(&Table::new(&balance(), weighted(&weights)).picks(40_000));
    for (at, &weight) in weights.iter().enumerate() {
        let share = counts[&at] as f64 / f64::from(weight * 1_000);
        assert!((0.85..1.15).contains(&share), "{at}: {share}");
    }
}
