use super::*;

#[test]
fn a_later_range_lies_over_the_earlier_ones() {
    let mut ranges = Ranges::new();
    for (at, (first, last)) in
        [(10, 30), (15, 20), (25, 40), (1, 5), (30, 30), (0, 2)].into_iter().enumerate()
    {
        paint(&mut ranges, first, last, at);
    }
    let all: Vec<_> = ranges.into_iter().map(|(first, (last, at))| (first, last, at)).collect();
    assert_eq!(
        all,
        [(0, 2, 5), (3, 5, 3), (10, 14, 0), (15, 20, 1), (21, 24, 0), (25, 29, 2), (30, 30, 4), (31, 40, 2)]
    );
}

#[test]
fn ends_of_all_addresses_do_no_harm() {
    let mut ranges = Ranges::new();
    paint(&mut ranges, 0, u32::MAX, 0);
    paint(&mut ranges, 0, 0, 1);
    paint(&mut ranges, u32::MAX, u32::MAX, 2);
    assert_eq!(ranges.get(&1), Some(&(u32::MAX - 1, 0)));
}

#[test]
fn networks_and_ranges_do_not_mix() {
    let config = |keys: &[&str]| config::Geo {
        networks: keys.iter().map(|key| ((*key).to_owned(), Template::text("x"))).collect(),
        ..config::Geo::default()
    };
    assert!(Geo::build(&config(&["10.0.0.0/8", "::/0", "1.2.3.4"])).is_ok());
    assert!(Geo::build(&config(&["10.0.0.1-10.0.0.2"])).is_ok());
    assert!(Geo::build(&config(&["10.0.0.0/8", "10.0.0.1-10.0.0.2"])).is_err());
    assert!(Geo::build(&config(&["10.0.0.9-10.0.0.2"])).is_err());
    assert!(Geo::build(&config(&["10.0.0.0/33"])).is_err());
}
