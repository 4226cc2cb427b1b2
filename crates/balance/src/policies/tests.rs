//! The contract that every policy in [`POLICIES`] keeps, and the configuration that names them.

use super::*;
use crate::cluster::{Cluster, NoEndpoint, SharedEndpoints};
use crate::endpoint::{Active, EndpointSpec};
use crate::health::Outcome;
use crate::policy::{PickCx, Rng, TriedSet};
use crate::set::EndpointSet;
use crate::testing::{Table, spec};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Sizes on both sides of where policies change their way.
const SIZES: [u32; 6] = [1, 2, 3, 16, 17, 300];

fn parse(yaml: &str) -> Result<Balance, String> {
    serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
}

/// Every policy at every size, with equal and with different weights.
fn everywhere(test: impl Fn(&str, &Balance, Vec<EndpointSpec>)) {
    for kind in POLICIES {
        let balance = parse(kind.example).expect(kind.name);
        for size in SIZES {
            for heaviest in [1, 3] {
                let weigh = |at| EndpointSpec { weight: at % heaviest + 1, ..spec(at) };
                test(&format!("{} of {size}", kind.name), &balance, (0..size).map(weigh).collect());
            }
        }
    }
}

/// The table, picking for client and key number `turn`.
fn pick(table: &mut Table, turn: u64) -> Option<usize> {
    table.key = Some(turn.to_le_bytes().to_vec());
    table.client = Ipv4Addr::from((turn as u32) << 8).into();
    table.pick()
}

#[test]
fn examples_parse_and_are_what_is_written_back() {
    for kind in POLICIES {
        let balance = parse(kind.example).expect(kind.name);
        assert_eq!(balance.name(), kind.name);
        assert_eq!(kind.plain, kind.example == kind.name);
        let written = serde_json::to_string(&balance).expect("JSON");
        assert_eq!(parse(&written).expect("written form"), balance);
        assert!(!kind.doc.contains("  "), "{}", kind.doc);
    }
}

#[test]
fn never_picks_what_is_down_tried_out_or_full_and_always_the_one_left() {
    everywhere(|name, balance, mut specs| {
        let left = specs.len() * 2 / 3;
        for (index, spec) in specs.iter_mut().enumerate().filter(|(index, _)| *index != left) {
            match index % 4 {
                0 => spec.down = true,
                1 => spec.max_conns = 1,
                _ => {}
            }
        }
        let mut table = Table::new(balance, EndpointSet::new(specs));
        let mut active = Vec::new();
        for (index, endpoint) in table.set.endpoints().iter().enumerate().filter(|(at, _)| *at != left) {
            match index % 4 {
                1 => active.push(Active::begin(endpoint, None)),
                2 => table.tried.insert(1, index),
                3 => drop(endpoint.report(Outcome::Failure, 1)),
                _ => {}
            }
        }
        for turn in 0..40 {
            assert_eq!(pick(&mut table, turn), Some(left), "{name}, turn {turn}");
        }
        table.tried.insert(1, left);
        assert_eq!(pick(&mut table, 0), None, "{name}: nothing left");
    });
}

#[test]
fn tries_reach_every_endpoint_once() {
    everywhere(|name, balance, specs| {
        let len = specs.len();
        let mut table = Table::new(balance, EndpointSet::new(specs));
        for attempt in 0..len {
            let index = pick(&mut table, 5).unwrap_or_else(|| panic!("{name}: none at attempt {attempt}"));
            assert!(!table.tried.contains(1, index), "{name}: {index} twice");
            table.tried.insert(1, index);
        }
        assert_eq!(pick(&mut table, 5), None, "{name}");
    });
}

#[test]
fn an_empty_group_has_nothing() {
    for kind in POLICIES {
        let mut table = Table::new(&parse(kind.example).expect(kind.name), EndpointSet::new(Vec::new()));
        assert_eq!(pick(&mut table, 1), None, "{}", kind.name);
    }
}

#[test]
fn backups_serve_only_when_no_primary_can() {
    everywhere(|name, balance, mut specs| {
        let primaries = specs.len();
        specs.push(EndpointSpec { backup: true, ..spec(9_999) });
        let shared = Arc::new(SharedEndpoints::new(EndpointSet::new(specs)));
        let cluster = Cluster::new(shared.clone(), Arc::new(balance.clone()), 0);
        let rng = Rng::seeded(1);
        let pick = |turn: u64, tried: &TriedSet| {
            let client = Ipv4Addr::from((turn as u32) << 8).into();
            let key = turn.to_le_bytes();
            cluster.pick(&PickCx { key: Some(&key), preferred: None, client, tried, now_ms: 1, rng: &rng })
        };
        let mut tried = TriedSet::default();
        for turn in 0..40 {
            assert!(pick(turn, &tried).expect(name).index() < primaries, "{name}");
        }
        for endpoint in &shared.load().endpoints()[..primaries] {
            cluster.report(endpoint, Outcome::Failure, 1);
        }
        let backup = pick(0, &tried).expect(name);
        assert_eq!(backup.index(), primaries, "{name}");
        tried.mark(&backup);
        assert_eq!(pick(0, &tried).expect_err(name), NoEndpoint::AllTried, "{name}");
    });
}

#[test]
fn a_policy_is_a_name_or_a_map_of_one() {
    assert_eq!(parse("least_request"), parse("{ least_request: {} }"));
    assert_eq!(
        parse("hash: { key: $host }").expect("no load factor").key().expect("a key").source(),
        "$host"
    );
    assert_eq!(serde_json::to_string(&Balance::default()).expect("JSON"), "\"round_robin\"");
    let hash = serde_json::to_string(&parse("hash: { key: $host }").expect("hash")).expect("JSON");
    assert_eq!(hash, r#"{"hash":{"key":"$host"}}"#);
}

#[test]
fn mistakes_say_how_to_mend_them() {
    for (yaml, parts) in [
        ("round-robin", &["unknown balancing policy \"round-robin\"", "did you mean \"round_robin\"?"][..]),
        ("{ zzz: {} }", &["\"zzz\"", "there are round_robin, least_request"]),
        ("hash", &["needs settings", "{ hash: { key: $request_uri"]),
        ("{ hash: { key: $host, faktor: 2 } }", &["faktor"]),
        ("{ hash: { key: $host, load_factor: 0.5 } }", &["load factor 0.5", "1.25"]),
        ("{ hash: { key: $host, load_factor: -1 } }", &["load factor -1"]),
        ("{ random: {}, hash: { key: a } }", &["two balancing policies"]),
        ("{}", &["missing"]),
        ("3", &["a balancing policy"]),
    ] {
        let message = parse(yaml).expect_err(yaml);
        for part in parts {
            assert!(message.contains(part), "{yaml}: {message}");
        }
    }
}

#[test]
fn load_factor_is_nothing_or_from_one_up() {
    for (factor, is_good) in [
        (0.0, true),
        (0.999, false),
        (1.0, true),
        (1000.0, true),
        (1000.1, false),
        (-1.0, false),
        (f64::NAN, false),
    ] {
        assert_eq!(hash::LoadFactor::new(factor).is_some(), is_good, "{factor}");
    }
}

#[test]
fn the_schema_has_every_policy() {
    let schema = serde_json::to_string(&schemars::schema_for!(Balance)).expect("JSON");
    for kind in POLICIES {
        assert!(schema.contains(&format!("\"{}\"", kind.name)), "{}", kind.name);
    }
}
