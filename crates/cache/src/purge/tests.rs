use super::*;

#[test]
fn a_star_at_the_end_means_all_paths_that_begin_so() {
    for (key, expected) in [
        ("httpapp_servers/static/*", Some(Ok("/static/"))),
        ("https://example.com/static/a*", Some(Ok("/static/a"))),
        ("/*", Some(Ok("/"))),
        ("httpapp_servers/static/a", None),
        ("httpapp_servers/static/*?a", None),
        ("*", Some(Err(NoPath))),
        ("https://*", Some(Err(NoPath))),
    ] {
        assert_eq!(prefix_of(key.as_bytes()), expected.map(|path| path.map(str::to_owned)), "{key}");
    }
}

#[test]
fn nobody_may_purge_unless_told() {
    let said = PurgePlan::build(&PurgeConfig::default()).unwrap_err();
    assert!(said.contains("name addresses"), "{said}");
    let wrong = PurgeConfig { allow: vec!["10.0.0.0/33".into()], ..PurgeConfig::default() };
    assert!(PurgePlan::build(&wrong).is_err());
}
