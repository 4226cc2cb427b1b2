use super::*;
use crate::place::Source;
use std::collections::HashSet;

#[test]
fn the_place_takes_no_part_in_comparing() {
    let source = Source::new("a.yaml", "app");
    let placed = At::new("app".to_owned(), Place::new(&source, 0..3));
    let made = At::from("app");
    assert_eq!(placed, made);
    assert_eq!(placed.cmp(&made), Ordering::Equal);
    assert!(HashSet::from([made]).contains("app") && placed.len() == 3);
}

#[test]
fn other_deserializers_see_the_value_alone() {
    let read: Vec<At<u16>> = serde_json::from_str("[1, 2]").expect("numbers");
    assert_eq!(read, [At::from(1), At::from(2)]);
    assert!(read.iter().all(|at| at.place.is_none()));
    assert_eq!(serde_json::to_string(&read).expect("json"), "[1,2]");
}
