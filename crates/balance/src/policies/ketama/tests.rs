use super::*;
use crate::endpoint::EndpointSpec;
use crate::policies::Balance;
use crate::set::EndpointSet;
use crate::testing::{Table, counts, spec};

fn balance() -> Balance {
    Balance::Ketama(Config { key: Template::text("k") })
}

fn named(names: &[(&str, u32)]) -> EndpointSet {
    let specs = names.iter().enumerate().map(|(at, (name, weight))| {
        let (hash_name, weight) = (Some((*name).into()), *weight);
        EndpointSpec { hash_name, weight, ..spec(at as u32) }
    });
    EndpointSet::new(specs.collect())
}

fn pick(table: &mut Table, key: &str) -> usize {
    table.key = Some(key.as_bytes().to_vec());
    table.picks(1)[0]
}

#[test]
fn names_split_at_a_port_only() {
    for (name, want) in [
        ("10.0.0.1:80", ("10.0.0.1", "80")),
        ("10.0.0.1", ("10.0.0.1", "")),
        ("[::1]:80", ("[::1]", "80")),
        ("[::1]", ("[::1]", "")),
        ("unix:/run/a:1", ("/run/a:1", "")),
        ("app", ("app", "")),
    ] {
        assert_eq!(host_and_port(name), want);
    }
}

#[test]
fn one_server_more_takes_its_share_and_moves_nothing_else() {
    let names = [("10.0.0.1:80", 1), ("10.0.0.2:80", 1), ("10.0.0.3:80", 1), ("10.0.0.4:80", 1)];
    let (mut three, mut four) =
        (Table::new(&balance(), named(&names[..3])), Table::new(&balance(), named(&names)));
    let mut moved = 0;
    for key in 0..4_000 {
        let key = key.to_string();
        let (before, now) = (pick(&mut three, &key), pick(&mut four, &key));
        if before != now {
            assert_eq!(now, 3);
            moved += 1;
        }
    }
    assert!((700..1_300).contains(&moved), "{moved} of 4000");
}

#[test]
fn addresses_of_one_name_take_turns() {
    let mut table = Table::new(&balance(), named(&[("app:80", 1), ("app:80", 1)]));
    table.key = Some(b"x".to_vec());
    assert_eq!(counts(&table.picks(10)), [(0, 5), (1, 5)].into());
}

#[test]
fn weights_are_shares_of_the_circle() {
    let mut table = Table::new(&balance(), named(&[("a:1", 3), ("b:1", 1)]));
    let at_a = (0..4_000).filter(|key| pick(&mut table, &key.to_string()) == 0).count();
    assert!((2_700..3_300).contains(&at_a), "{at_a}");
}
