use super::*;
use crate::testing::{cx, request};

fn allow(whom: &[&str]) -> Rule {
    Rule::Allow(whom.iter().map(|one| (*one).to_owned()).collect())
}

fn deny(whom: &[&str]) -> Rule {
    Rule::Deny(whom.iter().map(|one| (*one).to_owned()).collect())
}

fn lets_in(rules: &[Rule], client: Option<&str>) -> bool {
    let filter = Config { rules: rules.to_vec() }.build().unwrap();
    let mut cx = cx();
    cx.client = client.map(|client| client.parse().unwrap());
    match filter.request(&mut cx, &mut request("")) {
        Step::Next => true,
        Step::Reply(answer) => {
            assert_eq!(answer.head.status, 403);
            false
        }
        Step::Wait(_) | Step::Turn(_) => panic!("an access filter waits for nothing"),
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rules = [deny(&["10.0.0.1"]), allow(&["10.0.0.0/8", "2001:db8::/32"]), deny(&["all"])];
    let rows = [
        (Some("10.0.0.1:1"), false),
        (Some("10.0.0.2:1"), true),
        (Some("[::ffff:10.0.0.2]:1"), true),
        (Some("[2001:db8::1]:1"), true),
        (Some("[2001:db9::1]:1"), false),
        (Some("192.0.2.1:1"), false),
        (None, false),
    ];
    for (client, want) in rows {
        assert_eq!(lets_in(&rules, client), want, "{client:?}");
    }
}

#[test]
fn whom_no_rule_fits_is_let_in() {
    assert!(lets_in(&[deny(&["10.0.0.0/8"])], Some("192.0.2.1:1")));
    assert!(lets_in(&[deny(&["10.0.0.0/8"])], None));
    assert!(lets_in(&[allow(&["unix:"]), deny(&["all"])], None));
    assert!(!lets_in(&[deny(&["unix:"])], None));
}

#[test]
fn what_is_no_address_is_a_mistake() {
    assert!(Config { rules: vec![allow(&["10.0.0.0/33"])] }.build().is_err());
    assert!(Config { rules: vec![deny(&["everybody"])] }.build().is_err());
}
