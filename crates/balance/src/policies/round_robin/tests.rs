use crate::health::Outcome;
use crate::policies::Balance;
use crate::testing::{Table, counts, group_of, weighted};

fn table(weights: &[u32]) -> Table {
    Table::new(&Balance::default(), weighted(weights))
}

#[test]
fn equals_take_turns_in_configured_order() {
    assert_eq!(Table::new(&Balance::default(), group_of(3)).picks(7), [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn workers_begin_one_turn_apart() {
    for (worker, first) in [(0, 0), (1, 1), (2, 2), (3, 0)] {
        assert_eq!(Table::on_worker(&Balance::default(), group_of(3), worker).picks(1), [first]);
    }
    assert_eq!(Table::on_worker(&Balance::default(), weighted(&[5, 1, 1]), 2).picks(3), [1, 0, 2]);
    let many: Vec<u32> = (0..20).map(|at| at % 2 + 1).collect();
    assert_ne!(Table::on_worker(&Balance::default(), weighted(&many), 1).picks(1), table(&many).picks(1));
}

#[test]
fn few_with_weights_have_the_order_of_nginx() {
    assert_eq!(table(&[5, 1, 1]).picks(14), [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn many_with_weights_have_exactly_their_share_of_each_period() {
    let weights: Vec<u32> = (0..100).map(|at| at % 7 + 1).collect();
    let period: usize = weights.iter().map(|&weight| weight as usize).sum();
    let table = table(&weights);
    for _ in 0..3 {
        let counts = counts(&table.picks(period));
        for (at, &weight) in weights.iter().enumerate() {
            assert_eq!(counts[&at], weight as usize, "endpoint {at}");
        }
    }
}

#[test]
fn many_with_weights_are_smooth() {
    // One that has a third of the weight never comes much more often than every third time.
    let mut weights = vec![1; 20];
    weights[0] = 10;
    let picks = table(&weights).picks(300);
    for window in picks.windows(9) {
        let heavy = window.iter().filter(|&&index| index == 0).count();
        assert!((1..=5).contains(&heavy), "{window:?}");
    }
}

#[test]
fn huge_weights_do_not_overflow() {
    for len in [3, 20] {
        let mut weights = vec![u32::MAX; len];
        weights[0] = 1;
        let counts = counts(&table(&weights).picks(1_000));
        assert!(counts.get(&0).is_none_or(|&count| count <= 1), "{counts:?}");
    }
}

#[test]
fn the_others_share_evenly_while_one_is_out() {
    for weights in [vec![1; 4], vec![2, 2, 2, 1], (0..20).map(|at| at / 19 + 1).collect()] {
        let table = table(&weights);
        table.set.endpoints()[1].report(Outcome::Failure, table.now_ms);
        let served: u32 = weights.iter().sum::<u32>() - weights[1];
        let counts = counts(&table.picks(served as usize * 12));
        for (at, &weight) in weights.iter().enumerate().filter(|(at, _)| *at != 1) {
            let share = counts[&at] as f64 / f64::from(weight * 12);
            assert!((0.8..1.2).contains(&share), "{at} of {weights:?}: {share}");
        }
    }
}
