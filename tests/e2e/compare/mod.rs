//! The same nginx.conf and the same client script against Debian's nginx, against the proxy, and against the
//! proxy with the YAML that `bifrons show` makes of that file: all three must say the same.
//!
//! `cases/*.txt` hold the pairs, a file a topic; [`case`] says how they are written, [`told`] what of an
//! answer is compared. What differs on purpose is marked in the script, and must stand in the table of
//! docs/guide/nginx.md.

mod case;
mod endpoint;
mod script;
mod servers;
mod site;
mod told;
mod worlds;

use case::Case;
use servers::Nginx;

/// A test for each topic, and the list of all of them, so that no pair is counted that is not run.
macro_rules! topics {
    ($($topic:ident)*) => {
        const TOPICS: &[(&str, &str)] = &[$((stringify!($topic), include_str!(concat!("cases/", stringify!($topic), ".txt")))),*];
        $(#[test]
        fn $topic() {
            compare(stringify!($topic));
        })*
    };
}

topics! {
    access
    attempts
    balancing
    bodies
    cache
    compression
    connections
    curious
    destinations
    error_pages
    fields
    files
    hosts
    inheritance
    locations
    logs
    proxying
    redirects
    replacing
    rewriting
    tried_files
    upstreams
    variables
    x_accel
}

/// Pairs there must be at least.
const PAIRS_MIN: usize = 250;

/// Each pair is run by the test of its topic, which fails if one of them was not compared with nginx.
#[test]
fn there_are_enough_pairs() {
    let count: usize = TOPICS.iter().map(|(_, text)| case::parse(text).len()).sum();
    assert!(count >= PAIRS_MIN, "{count} pairs of a configuration and a script");
}

fn compare(topic: &str) {
    let (_, text) = TOPICS.iter().find(|(name, _)| *name == topic).unwrap();
    let only = std::env::var("BIFRONS_COMPARE").unwrap_or_default();
    let cases: Vec<Case> = case::parse(text).into_iter().filter(|case| case.name.contains(&only)).collect();
    let site = site::site();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for case in &cases {
        let (nginx, ours, shown) = script::run_all(case, &site);
        match nginx {
            Some(nginx) => {
                compared += 1;
                wrong.extend(told::differences(case, ("nginx", &nginx), ("ours", &ours)));
            }
            None => println!("nginx is not installed: {} is compared with nothing", case.name),
        }
        let without_marks = case.without_marks();
        wrong.extend(told::differences(&without_marks, ("of nginx.conf", &ours), ("of its YAML", &shown)));
    }
    assert!(wrong.is_empty(), "{topic}: {} differences:\n{}", wrong.len(), wrong.join("\n"));
    let wanted = if Nginx::is_installed() { cases.len() } else { 0 };
    assert_eq!(compared, wanted, "pairs that were compared with nginx");
}
