use crate::endpoint::Active;
use crate::policies::Balance;
use crate::policies::random::Config;
use crate::testing::{Table, counts, group_of, weighted};

fn balance() -> Balance {
    Balance::Random(Config {})
}

#[test]
fn an_idle_cluster_shares_by_weight() {
    let weights = [1, 2, 3, 4];
    let counts = counts(&Table::new(&balance(), weighted(&weights)).picks(50_000));
    for (at, &weight) in weights.iter().enumerate() {
        let share = counts[&at] as f64 / f64::from(weight * 5_000);
        assert!((0.95..1.05).contains(&share), "{at}: {share}");
    }
}

#[test]
fn the_less_busy_of_two_takes_it() {
    let table = Table::new(&balance(), group_of(2));
    let _active = Active::begin(&table.set.endpoints()[0], None);
    assert!(table.picks(200).iter().all(|&index| index == 1), "of two endpoints both are always drawn");
}

#[test]
fn held_requests_keep_close_to_even() {
    let table = Table::new(&balance(), group_of(50));
    let endpoints = table.set.endpoints();
    let held: Vec<_> = (0..5_000).map(|_| Active::begin(&endpoints[table.picks(1)[0]], None)).collect();
    let most = endpoints.iter().map(|endpoint| endpoint.state().active()).max();
    assert!(most <= Some(106), "{most:?} at one, 100 are fair");
    drop(held);
}
