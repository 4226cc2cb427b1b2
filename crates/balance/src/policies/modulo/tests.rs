use super::*;
use crate::policies::Balance;
use crate::testing::{Table, counts, group_of, weighted};

fn balance() -> Balance {
    Balance::Modulo(Config { key: Template::text("k") })
}

fn pick(table: &mut Table, key: &str) -> usize {
    table.key = Some(key.as_bytes().to_vec());
    table.picks(1)[0]
}

/// What nginx 1.22 did with `hash $arg_k` over servers of weight 1, 2 and 3; see tests/e2e for a thousand.
#[test]
fn keys_are_where_nginx_has_them() {
    let mut table = Table::new(&balance(), weighted(&[1, 2, 3]));
    let at: Vec<_> = ["a", "b", "c", "/index.html", "10.0.0.1"].map(|key| pick(&mut table, key)).into();
    let share = |key: &str| match ((Crc::new().and(key.as_bytes()).sum() >> 16) & 0x7fff) % 6 {
        0 => 0,
        1 | 2 => 1,
        _ => 2,
    };
    assert_eq!(at, ["a", "b", "c", "/index.html", "10.0.0.1"].map(share));
}

#[test]
fn a_key_whose_endpoint_was_tried_goes_to_one_other() {
    let mut table = Table::new(&balance(), group_of(5));
    let first = pick(&mut table, "x");
    table.tried.insert(1, first);
    let second = pick(&mut table, "x");
    assert!(second != first);
    assert_eq!(pick(&mut table, "x"), second);
}

#[test]
fn without_a_key_endpoints_take_turns() {
    let table = Table::new(&balance(), group_of(4));
    assert!(counts(&table.picks(40)).values().all(|count| *count == 10));
}
