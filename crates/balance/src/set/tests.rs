use super::*;
use crate::endpoint::Active;
use crate::health::Outcome;
use crate::testing::spec;

#[test]
fn primaries_come_first_in_configured_order() {
    let backup = EndpointSpec { backup: true, ..spec(1) };
    let set = EndpointSet::new(vec![backup, spec(2), spec(3)]);
    let names: Vec<_> = set.specs().map(|spec| &*spec.name).collect();
    assert_eq!(names, ["10.0.0.2:80", "10.0.0.3:80", "10.0.0.1:80"]);
    assert_eq!((set.group(Rank::Primary).len(), set.group(Rank::Backup).len()), (2, 1));
    assert_eq!(set.group(Rank::Backup).set_index(0), 2);
}

#[test]
fn rebuilding_keeps_what_was_counted() {
    let old = EndpointSet::new(vec![spec(1), spec(2), spec(3)]);
    let active = Active::begin(&old.endpoints()[1], None);
    old.endpoints()[2].report(Outcome::Failure, 7);

    let heavier = EndpointSpec { weight: 5, ..spec(2) };
    let new = EndpointSet::rebuild(&old, vec![spec(3), heavier, spec(4)]);

    assert_eq!(new.generation(), 2);
    assert!(Arc::ptr_eq(&new.endpoints()[0], &old.endpoints()[2]), "unchanged: the same");
    assert_eq!((new.endpoints()[1].weight, new.endpoints()[1].state().active()), (5, 1));
    drop(active);
    assert_eq!(new.endpoints()[1].state().active(), 0, "what began before counts down here too");
    assert_eq!(new.endpoints()[2].state().requests(), 0);
}

#[test]
fn the_same_address_under_another_name_is_another_endpoint() {
    let old = EndpointSet::new(vec![spec(1)]);
    let renamed = EndpointSpec { name: "app.local:80".into(), ..spec(1) };
    let new = EndpointSet::rebuild(&old, vec![renamed]);
    assert!(!Arc::ptr_eq(new.endpoints()[0].state(), old.endpoints()[0].state()));
}

#[test]
fn endpoints_configured_twice_keep_their_own_counters() {
    let old = EndpointSet::new(vec![spec(1), spec(1)]);
    let new = EndpointSet::rebuild(&old, vec![spec(1), spec(1), spec(1)]);
    for index in 0..2 {
        assert!(Arc::ptr_eq(&new.endpoints()[index], &old.endpoints()[index]));
    }
    assert!(!Arc::ptr_eq(new.endpoints()[2].state(), old.endpoints()[0].state()));
}
