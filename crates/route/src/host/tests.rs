use super::*;
use crate::captures::Captures;
use proptest::prelude::*;

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

/// A table in which each host has the names of one text, divided by spaces, and is that text.
fn table<'t>(hosts: &[&'t str], default: Option<usize>) -> HostTable<&'t str> {
    let hosts = hosts.iter().map(|names| (names.split(' ').map(name).collect(), *names));
    HostTable::new(hosts, default).unwrap()
}

#[track_caller]
fn check(table: &HostTable<&str>, expected: &[(&str, &str)]) {
    for (host, names) in expected {
        let found = table.find(host.as_bytes(), &mut Captures::new());
        assert_eq!(found.map_or("none", |found| *found.value), *names, "{host}");
    }
}

#[test]
fn the_order_is_nginxs() {
    let hosts = [
        "example.com",
        "*.example.com",
        "*.a.example.com",
        "www.example.*",
        "www.*",
        ".example.org",
        "~^(?<user>[a-z]+)\\.users\\.net$",
        "~\\.net$",
        "_ [::1] 10.0.0.1",
    ];
    let table = table(&hosts, Some(8));
    check(
        &table,
        &[
            ("example.com", "example.com"),
            ("EXAMPLE.com.", "example.com"),
            ("www.example.com", "*.example.com"),
            ("x.a.example.com", "*.a.example.com"),
            ("a.example.com", "*.example.com"),
            ("y.x.a.EXAMPLE.com", "*.a.example.com"),
            ("www.example.net", "www.example.*"),
            ("www.example.co.uk", "www.example.*"),
            ("www.other.co.uk", "www.*"),
            ("example.org", ".example.org"),
            ("a.b.example.org", ".example.org"),
            ("Joe.users.net", "~^(?<user>[a-z]+)\\.users\\.net$"),
            ("joe1.users.net", "~\\.net$"),
            ("[::1]", "_ [::1] 10.0.0.1"),
            ("10.0.0.1", "_ [::1] 10.0.0.1"),
            ("_", "_ [::1] 10.0.0.1"),
            ("", "_ [::1] 10.0.0.1"),
            (".example.com", "_ [::1] 10.0.0.1"),
            ("notexample.com", "_ [::1] 10.0.0.1"),
        ],
    );
}

#[test]
fn without_a_default_unknown_hosts_are_not_found() {
    let table = HostTable::new([(vec![name(""), name("a")], "a")], None).unwrap();
    check(&table, &[("", "a"), ("a", "a"), ("b", "none"), (".", "a")]);
}

#[test]
fn what_matched_and_its_groups_are_told() {
    let table = table(&["~^(?<user>.+)\\.example\\.com$", "a.example.com *.b.com"], Some(0));
    let mut captures = Captures::new();

    let found = table.find(b"Joe.Example.com.", &mut captures).unwrap();
    assert_eq!(
        (found.by, found.name.map(HostName::to_string).as_deref()),
        (HostMatch::Regex, Some("~^(?<user>.+)\\.example\\.com$"))
    );
    assert_eq!(captures.named("user", b"Joe.Example.com."), Some(&b"Joe"[..]));

    let found = table.find(b"a.example.com", &mut captures).unwrap();
    assert_eq!((found.by, found.name), (HostMatch::Exact, Some(&name("a.example.com"))));
    assert!(captures.is_empty());

    assert_eq!(table.find(b"x.b.com", &mut captures).unwrap().by, HostMatch::LeadingWildcard);
    assert_eq!(table.find(b"b.com", &mut captures).unwrap().by, HostMatch::Default);
}

#[test]
fn conflicts_name_both() {
    let hosts = [
        (vec![name("a.com"), name("_")], 0),
        (vec![name("A.com"), name("_"), name(".b.com")], 1),
        (vec![name("*.b.com"), name("c.*"), name("c.*")], 2),
        (vec![name("~x"), name("~X"), name("~x")], 3),
    ];
    let conflicts = HostTable::new(hosts, None).unwrap_err();

    let pairs: Vec<_> = conflicts.iter().map(|c| (c.name.to_string(), c.first, c.second)).collect();
    let expected = [("a.com", 0, 1), ("*.b.com", 1, 2), ("c.*", 2, 2), ("~x", 3, 3)]
        .map(|(n, a, b)| (n.to_owned(), a, b));
    assert_eq!(pairs, expected);
    assert_eq!(
        conflicts[1].to_string(),
        "host name `*.b.com` of host 3 is taken already, by `.b.com` of host 2"
    );
}

#[test]
fn the_builder_lets_the_first_win() {
    let mut builder = HostTable::builder();
    let (first, second) = (builder.add_host("first"), builder.add_host("second"));
    builder.add_name(first, name("a.com")).unwrap();

    assert!(builder.add_name(second, name(".a.com")).is_err());

    check(&builder.build(), &[("a.com", "first"), ("x.a.com", "second")]);
}

#[test]
fn names_are_kept_in_one_spelling() {
    for (text, shown) in [
        ("Example.COM.", "example.com"),
        ("*.Example.com", "*.example.com"),
        (".example.com", ".example.com"),
        ("WWW.example.*", "www.example.*"),
        ("~^A", "~^A"),
        ("", ""),
        ("_", "_"),
        ("_dmarc.x-1.com", "_dmarc.x-1.com"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
    ] {
        assert_eq!(name(text).to_string(), shown);
        assert_eq!(name(shown), name(text));
    }
}

#[test]
fn errors_say_what_is_wrong_with_the_value() {
    for (text, part) in [
        ("*", "make the host the default"),
        ("w*.example.com", "may have one `*`"),
        ("*.example.*", "may have one `*`"),
        ("a.*.com", "may have one `*`"),
        ("http://example.com", "has a `/`"),
        ("example.com:80", "has a port"),
        ("[::1]:80", "has a port"),
        ("[::g]", "not an IPv6 address"),
        ("bücher.de", "punycode"),
        ("a..b", "empty label"),
        (".", "empty label"),
        ("*.", "may have one `*`"),
        ("*..com", "empty label"),
        (".example.*", "empty label"),
        ("a b", "the character ` `"),
        ("$hostname", "the character `$`"),
        ("~", "no regex"),
        ("~(", "unclosed group"),
    ] {
        let message = text.parse::<HostName>().map(|name| name.to_string()).map_err(|err| err.to_string());
        assert!(message.as_ref().is_err_and(|message| message.contains(part)), "{text}: {message:?}");
    }
    assert!("a".repeat(254).parse::<HostName>().is_err());
    assert!("a".repeat(253).parse::<HostName>().is_ok());
}

#[test]
fn authorities_are_divided_strictly() {
    use HostError::*;
    for (text, expected) in [
        ("example.com", Ok(("example.com", None))),
        ("Example.com.:8080", Ok(("Example.com.", Some(8080)))),
        ("10.0.0.1:0", Ok(("10.0.0.1", Some(0)))),
        ("[::1]", Ok(("[::1]", None))),
        ("[::ffff:1.2.3.4]:65535", Ok(("[::ffff:1.2.3.4]", Some(65535)))),
        ("a_b%C3%A9!:", Ok(("a_b%C3%A9!", None))),
        ("", Err(Empty)),
        (":80", Err(Empty)),
        (".", Err(Empty)),
        ("a:65536", Err(Port)),
        ("a:+80", Err(Port)),
        ("a:080808", Err(Port)),
        ("a:8 0", Err(Port)),
        ("a..b", Err(EmptyLabel)),
        (".a", Err(EmptyLabel)),
        ("a..", Err(EmptyLabel)),
        ("::1", Err(Byte(b':'))),
        ("[::1", Err(Ipv6)),
        ("[]", Err(Ipv6)),
        ("[::1]x", Err(Ipv6)),
        ("[fe80::1%25eth0]", Err(Ipv6)),
        ("[v1.x]", Err(Ipv6)),
        ("::1]", Err(Byte(b':'))),
        ("user@a", Err(Byte(b'@'))),
        ("a/b", Err(Byte(b'/'))),
        ("a b", Err(Byte(b' '))),
        ("a\0", Err(Byte(0))),
        ("é", Err(Byte(0xc3))),
        ("a%4", Err(Escape)),
        ("a%", Err(Escape)),
    ] {
        let expected = expected.map(|(host, port)| (host.as_bytes(), port));
        assert_eq!(split_host_port(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn serde_is_the_string() {
    let names: Vec<HostName> = serde_json::from_str(r#"["*.Example.com", ""]"#).unwrap();
    assert_eq!(serde_json::to_string(&names).unwrap(), r#"["*.example.com",""]"#);
    assert!(serde_json::from_str::<HostName>(r#""a:1""#).unwrap_err().to_string().contains("has a port"));
}

/// Exact names are one look-up in a hash map; wildcards are one for each number of labels that occurs.
#[test]
fn ten_thousand_names_cost_a_look_up_for_each_number_of_labels() {
    let hosts = (0..10_000).map(|n| {
        let names =
            [format!("h{n}.com"), format!("*.h{n}.net"), format!("*.a.b.h{n}.net"), format!("www.h{n}.*")];
        (names.iter().map(|text| name(text)).collect(), n)
    });
    let table = HostTable::new(hosts, None).unwrap();
    for (host, expected) in
        [("h77.com", 77), ("x.h9999.net", 9999), ("x.a.b.h0.net", 0), ("x.b.h0.net", 0), ("www.h5.org", 5)]
    {
        let found = table.find(host.as_bytes(), &mut Captures::new());
        assert_eq!(found.map(|found| *found.value), Some(expected), "{host}");
    }
    assert_eq!(table.label_counts(), (&[2, 4][..], &[2][..]));
}

/// The order of the module's table, followed without an index.
fn find_slowly(names: &[HostName], host: &str) -> Option<usize> {
    let exact = |name: &HostName| match name.form() {
        HostForm::Exact(text) | HostForm::Domain(text) => **text == *host,
        _ => false,
    };
    let wildcard = |leading: bool| {
        let length = |name: &HostName| match name.form() {
            HostForm::Leading(text) | HostForm::Domain(text) if leading => host
                .strip_suffix(&**text)?
                .strip_suffix('.')
                .filter(|rest| !rest.is_empty())
                .map(|_| text.len()),
            HostForm::Trailing(text) if !leading => {
                host.strip_prefix(&**text)?.strip_prefix('.').map(|_| text.len())
            }
            _ => None,
        };
        (0..names.len()).filter_map(|at| Some((length(&names[at])?, at))).max().map(|(_, at)| at)
    };
    let regex = |name: &HostName| matches!(name.form(), HostForm::Regex(regex) if regex.try_is_match(host.as_bytes()).unwrap());
    names
        .iter()
        .position(exact)
        .or_else(|| wildcard(true))
        .or_else(|| wildcard(false))
        .or_else(|| names.iter().position(regex))
}

#[test]
fn the_name_that_never_matches_may_have_a_dot() {
    assert_eq!("_.".parse::<HostName>(), "_".parse::<HostName>());
}

proptest! {
    #[test]
    fn agrees_with_the_order_followed_one_by_one(
        texts in proptest::collection::vec("(\\*\\.|\\.|~|)[ab](\\.[ab]){0,2}(|\\.\\*)", 0..16),
        host in "[ab](\\.[ab]){0,4}",
    ) {
        let mut names = Vec::new();
        let mut builder = HostTable::builder();
        for parsed in texts.iter().filter_map(|text| text.parse::<HostName>().ok()) {
            let mut probe = HostTable::builder();
            probe.add_host(());
            let clean = names.iter().chain([&parsed]).all(|name: &HostName| probe.add_name(0, name.clone()).is_ok());
            if clean {
                builder.add_host(names.len());
                builder.add_name(names.len(), parsed.clone()).unwrap();
                names.push(parsed);
            }
        }
        let table = builder.build();
        let found = table.find(host.as_bytes(), &mut Captures::new()).map(|found| *found.value);
        prop_assert_eq!(found, find_slowly(&names, &host));
    }

    #[test]
    fn any_bytes_are_survived(host in proptest::collection::vec(any::<u8>(), 0..300)) {
        let table = table(&["*.a.b", "a.*", "~a"], None);
        table.find(&host, &mut Captures::new());
        if let Ok((name, _)) = split_host_port(&host) {
            prop_assert!(!name.is_empty());
        }
    }

    #[test]
    fn no_name_panics(text in "[~*.a_\\[\\]:/ é]{0,8}") {
        if let Ok(name) = text.parse::<HostName>() {
            prop_assert_eq!(name.to_string().parse::<HostName>(), Ok(name));
        }
    }
}
