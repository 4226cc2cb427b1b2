#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use crate::Config;
use bifrons_config::{Source, yaml};

fn load(text: &str) -> Result<Config, String> {
    let options = yaml::Options { declared: Some(&super::declared), ..yaml::Options::default() };
    yaml::load(&Source::new("test.yaml", text), &options).map_err(|problems| problems.to_string())
}

#[test]
fn named_groups_of_hosts_and_paths_are_variables() {
    let text = r#"
hosts:
  - names: ['~^(?<tenant>[a-z]+)\.example\.com$']
    filters: [{ request_headers: { set: { X-Tenant: $tenant } } }]
    routes:
      - path: '~ ^/v(?P<version>[0-9]+)/'
        respond: "$version of ${tenant}"
"#;
    load(text).unwrap();
}

#[test]
fn other_names_stay_unknown() {
    let message =
        load("hosts: [{ names: ['a(?<no>x)'], routes: [{ path: /*, respond: $no }] }]").unwrap_err();
    assert!(message.contains("unknown variable \"$no\""), "{message}");
}
