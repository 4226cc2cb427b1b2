use super::*;
use crate::endpoint::Active;
use crate::policies::Balance;
use crate::testing::{Table, counts, group_of, weighted};

fn table(inflight: bool, len: u32) -> Table {
    Table::new(&Balance::LeastTime(Config { inflight, ..Config::default() }), group_of(len))
}

fn measure(table: &Table, index: usize, us: u64) {
    table.set.endpoints()[index].state().times().note(Measure::Header, us, table.now_ms);
}

#[test]
fn the_fastest_takes_requests_until_it_is_as_busy_as_it_is_fast() {
    let table = table(false, 3);
    for (index, us) in [(0, 30_000), (1, 10_000), (2, 30_000)] {
        measure(&table, index, us);
    }
    assert_eq!(table.picks(5), [1; 5]);
    let busy: Vec<_> = (0..3).filter_map(|_| Active::begin(&table.set.endpoints()[1], None)).collect();
    assert_eq!(busy.len(), 3);
    assert!(table.picks(4).iter().all(|pick| *pick != 1), "10 ms × 4 are more than 30 ms");
}

#[test]
fn what_was_never_measured_counts_as_average_and_equals_take_turns() {
    let table = table(false, 4);
    assert_eq!(counts(&table.picks(40)).len(), 4, "nothing is known");
    measure(&table, 0, 50_000);
    let counts = counts(&table.picks(40));
    assert_eq!(counts.len(), 4, "{counts:?}");
}

#[test]
fn slowness_is_forgotten() {
    let mut table = table(false, 2);
    measure(&table, 0, 400_000);
    measure(&table, 1, 10_000);
    assert_eq!(table.picks(1), [1]);
    // The fast one goes on being measured.
    table.now_ms = 120_000;
    measure(&table, 1, 10_000);
    assert_eq!(table.picks(1), [0], "tried again");
}

#[test]
fn an_endpoint_that_hangs_is_seen_before_it_answers() {
    let mut table = table(true, 2);
    measure(&table, 0, 10_000);
    measure(&table, 1, 15_000);
    let mut hanging = Active::begin(&table.set.endpoints()[0], None).expect("free");
    hanging.start_at(table.now_ms);
    table.now_ms += 1_000;
    assert_eq!(table.picks(1), [1]);
    assert!(table.policy.wants_starts());
    drop(hanging);
    assert_eq!(table.picks(1), [0]);
}

#[test]
fn weights_divide_the_cost() {
    let table = Table::new(&Balance::LeastTime(Config::default()), weighted(&[1, 3]));
    for index in [0, 1] {
        measure(&table, index, 10_000);
    }
    assert_eq!(table.picks(1), [1]);
}
