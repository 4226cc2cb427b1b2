use super::*;
use crate::testing::{cx, request, run};
use crate::{access, basic_auth};
use bifrons_config::Template;
use indexmap::IndexMap;

fn access(whom: &str) -> FilterConfig {
    let rules = vec![
        access::Rule::Allow(vec![whom.to_owned()].into()),
        access::Rule::Deny(vec!["all".to_owned()].into()),
    ];
    FilterConfig::Access(access::Config { rules })
}

fn password() -> FilterConfig {
    FilterConfig::BasicAuth(basic_auth::Config {
        realm: Template::text("office"),
        users: IndexMap::from([("anna".to_owned(), "{PLAIN}secret".to_owned())]),
        ..basic_auth::Config::default()
    })
}

fn status(filters: Vec<FilterConfig>, fields: &str) -> Option<u16> {
    let filter = Config { filters }.build().unwrap();
    run(async || match filter.request(&mut cx(), &mut request(fields)) {
        Step::Wait(waiting) => waiting.await.unwrap().map(|answer| answer.head.status),
        _ => panic!("it waits"),
    })
}

#[test]
fn one_that_lets_pass_is_enough() {
    // anna:secret
    let authorized = "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n";
    assert_eq!(status(vec![access("203.0.113.0/24"), password()], ""), None);
    assert_eq!(status(vec![access("10.0.0.0/8"), password()], authorized), None);
    assert_eq!(status(vec![password(), access("203.0.113.0/24")], ""), None);
}

#[test]
fn when_all_refuse_the_client_is_asked_for_a_password() {
    assert_eq!(status(vec![access("10.0.0.0/8"), password()], ""), Some(401));
    assert_eq!(status(vec![password(), access("10.0.0.0/8")], ""), Some(401));
    assert_eq!(status(vec![access("10.0.0.0/8")], ""), Some(403));
}

#[test]
fn who_has_no_rule_does_not_vouch_for_the_client() {
    let rules = vec![access::Rule::Deny(vec!["10.0.0.1".to_owned()].into())];
    let no_rule = || FilterConfig::Access(access::Config { rules: rules.clone() });
    assert_eq!(status(vec![no_rule(), password()], ""), Some(401));
    assert_eq!(status(vec![no_rule()], ""), None);
}

#[test]
fn only_what_decides_stands_in_it() {
    assert!(Config { filters: Vec::new() }.build().is_err());
    let other = FilterConfig::DenyPath(crate::deny_path::Config::default());
    assert!(
        Config { filters: vec![other] }.build().err().is_some_and(|problem| problem.contains("deny_path"))
    );
}
