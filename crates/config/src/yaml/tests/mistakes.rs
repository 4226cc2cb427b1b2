//! What a wrong file is told.

use super::*;

#[test]
fn each_kind_of_mistake_says_where_and_how_to_mend_it() {
    for (text, told) in [
        ("hostss: []", "1:1 <hostss> unknown key \"hostss\" | did you mean \"hosts\"?"),
        (
            "clusters: { a: { banana: 1 } }",
            "1:18 <banana> unknown key \"banana\" | known here: balance, endpoints",
        ),
        (
            "hosts: {}",
            "1:8 <{}> expected a list, found a map | begin each of its members with \"- \", or write [ … ] around",
        ),
        ("hosts: x", "1:8 <x> expected a list, found \"x\" | write it in brackets: [ … ]"),
        ("clusters: []", "1:11 <[]> expected a map, found a list"),
        ("workers: many", "1:10 <many> expected a whole number from 0 to 65535, found \"many\""),
        ("workers: 70000", "1:10 <70000> expected a whole number from 0 to 65535, found 70000"),
        ("workers: -1", "1:10 <-1> expected a whole number from 0 to 65535, found -1"),
        (
            "workers: \"4\"",
            "1:10 <\"4\"> expected a whole number from 0 to 65535, found \"4\" | write it without quotes",
        ),
        ("verbose: yes", "1:10 <yes> expected true or false, found \"yes\" | write true"),
        ("share: x", "1:8 <x> expected a number, found \"x\""),
        ("pair: [1]", "1:7 <[1]> expected a list of 2, found 1"),
        ("pair: [1, 2, 3]", "1:7 <[1, 2, 3]> 1 more than expected in this list"),
        ("pair: [1, 300]", "1:11 <300> expected a whole number from 0 to 255, found 300"),
        ("statuses: { x: 1s }", "1:13 <x> expected a whole number from 0 to 65535, found \"x\""),
        (
            "statuses: { 200: soon }",
            "1:18 <soon> \"soon\" is not a duration | write a number with ms, s, m, h, d or w, such as 500ms, 60s or 1m30s",
        ),
        ("listeners: { web: {} }", "1:19 <{}> key \"bind\" is missing | add \"bind: …\""),
        (
            "workers: 1\nworkers: 2",
            "2:1 <workers> duplicate key \"workers\" | it is already set at a.yaml:1:1",
        ),
        (
            "clusters: { a: { balance: least_requests } }",
            "1:27 <least_requests> unknown value \"least_requests\" | did you mean \"least_request\"?",
        ),
        (
            "clusters: { a: { endpoints: [{ address: x, wait: 1 }] } }",
            "1:44 <wait> unknown key \"wait\" | known here: address, weight",
        ),
        ("clusters: { a: { endpoints: [[]] } }", "1:30 <[]> expected an address or a map, found a list"),
        (
            "workers: ${env:NO}",
            "1:10 <${env:NO}> environment variable \"NO\" is not set | set it, or give a default: \"${env:NO:-default}\"",
        ),
        ("workers: !x 1", "1:13 <1> tag \"!x\" has no meaning here | remove the tag"),
        ("[]", "1:1 <[]> expected a map, found a list"),
        (
            "? [a]\n: 1",
            "1:3 <[a]> a key must be a single word or text | put text that looks like a list or map in quotes",
        ),
    ] {
        assert_eq!(mistakes(text), told, "{text}");
    }
}

#[test]
fn filters() {
    let route =
        |filter: &str| mistakes(&format!("hosts:\n- routes:\n  - path: /\n    filters:\n    - {filter}"));
    for (filter, told) in [
        ("gzipp", "5:7 <gzipp> unknown value \"gzipp\" | did you mean \"gzip\"?"),
        ("cach: {}", "5:7 <cach> unknown key \"cach\" | did you mean \"cache\"?"),
        ("cache", "5:7 <cache> \"cache\" needs a value | write \"cache: …\""),
        ("cache:", "5:7 <cache> the value is missing: expected a map | write {} for an empty one"),
        ("gzip: { level: 1 }", "5:13 <{ level: 1 }> \"gzip\" takes no value | write the name alone: gzip"),
        (
            "{ gzip: {}, cache: {} }",
            "5:7 <{ gzip: {}, cache: {} }> expected one key, found 2 | this must be just one of gzip, cache, headers",
        ),
        (
            "headers: { set: { X: $hots } }",
            "5:28 <$hots> unknown variable \"$hots\" | did you mean \"$host\"?",
        ),
        ("headers: {}", "5:16 <{}> key \"set\" is missing | add \"set: …\""),
        ("[gzip]", "5:7 <[gzip]> expected one of gzip, cache, headers, found a list"),
    ] {
        assert_eq!(route(filter), told, "{filter}");
    }
}

#[test]
fn nothing_where_something_must_stand() {
    for (text, told) in [
        ("hosts:", "1:1 <hosts> the value is missing: expected a list | write [] for an empty one"),
        ("hosts: null", "1:8 <null> null is not a list | write [] for an empty one"),
        (
            "clusters:\nworkers: 1",
            "1:1 <clusters> the value is missing: expected a map | write {} for an empty one",
        ),
        (
            "listeners: { web: { bind: a, tls: { cert: } } }",
            "1:37 <cert> the value is missing: expected a text | write \"\" for an empty one",
        ),
        (
            "listeners:\n  web:\n    bind: a\n    tls:\n",
            "4:5 <tls> the value is missing | give a value, or remove the key; null leaves it unset",
        ),
        (
            "hosts: [{ names: }]",
            "1:11 <names> the value is missing: expected a list | write [] for an empty one",
        ),
    ] {
        assert_eq!(mistakes(text), told, "{text}");
    }
}

#[test]
fn all_mistakes_come_at_once_and_none_that_only_follows() {
    let told = mistakes(
        "\
workers: lots
hosts:
- names: [a]
  routes:
  - path: /a
    proxxy: app
  - proxy: app
    timeout: soon
    filters: [gzipp, cache: { size: 10x, zonee: z }]
  - path: /b
    path: /c
listeners:
  web: { bnd: a }
  two: { bind: [a, {}] }
clusters:
  a: { balance: x, endpoints: [{ address: a, weight: heavy, bar: 1 }, 5, y] }
extra: 1
",
    );
    let expected = "\
1:10 <lots> expected a whole number from 0 to 65535, found \"lots\"
6:5 <proxxy> unknown key \"proxxy\" | did you mean \"proxy\"?
8:14 <soon> \"soon\" is not a duration | write a number with ms, s, m, h, d or w, such as 500ms, 60s or 1m30s
9:15 <gzipp> unknown value \"gzipp\" | did you mean \"gzip\"?
9:37 <10x> \"10x\" is not a size | write bytes with k, m, g or t, such as 64k, 10m or 1g
9:42 <zonee> unknown key \"zonee\" | did you mean \"zone\"?
11:5 <path> duplicate key \"path\" | it is already set at a.yaml:10:5
13:10 <bnd> unknown key \"bnd\" | did you mean \"bind\"?
14:20 <{}> the text is a map
16:17 <x> unknown value \"x\" | known here: round_robin, least_request
16:54 <heavy> expected a whole number from 0 to 4294967295, found \"heavy\"
16:61 <bar> unknown key \"bar\" | known here: address, weight
16:71 <5> expected an address or a map, found 5
17:1 <extra> unknown key \"extra\" | known here: listeners, hosts, clusters, workers, verbose, share, pair, statuses";
    let expected = expected.replace("the text is a map", "expected a string, found a map");
    assert_eq!(told, expected);
}

#[test]
fn a_missing_key_is_told_beside_other_mistakes() {
    let told = mistakes("hosts:\n- routes:\n  - proxy: a\n  - path: /\n    x: 1\n");
    assert_eq!(
        told,
        "3:5 <proxy: a> key \"path\" is missing | add \"path: …\"\n\
         5:5 <x> unknown key \"x\" | known here: path, proxy, filters, timeout, wait"
    );
}

#[test]
fn one_key_under_two_names() {
    let told = mistakes("hosts: [{ routes: [{ path: /, timeout: 1s, wait: 2s }] }]");
    assert_eq!(told, "1:44 <wait> key \"timeout\" is set twice, under two of its names");
}

#[test]
fn a_syntax_error_stands_alone() {
    for text in
        ["workers: many\nhosts: [", "a: b: c\nworkers: x", "hosts:\n\t- a", "\"a", "*nothing", "a: &x [*x]"]
    {
        let problems = read(text).expect_err(text);
        assert_eq!(problems.0.len(), 1, "{text}: {problems}");
        assert!(problems.0[0].place.is_some(), "{text}");
    }
    assert!(mistakes("hosts:\n\t- a").contains("indent with spaces"));
    assert!(mistakes("a: b: c").contains("in quotes"));
    assert!(mistakes("a: 1\n---\nb: 1").contains("one YAML document"));
}

#[test]
fn more_than_a_hundred_mistakes_are_cut_off() {
    let items = |word: &str| (0..300).map(|at| format!("{word}{at}: 1")).collect::<Vec<_>>().join(", ");
    let twice = format!("{{ clusters: {{ {}, {} }} }}", items("x"), items("x"));
    for text in [format!("{{ {} }}", items("x")), twice] {
        let problems = read(&text).expect_err("mistakes");
        assert_eq!(problems.0.len(), MISTAKES_MAX + 1);
        assert!(problems.0[MISTAKES_MAX].message.starts_with("more than 100 mistakes"));
    }
}

#[test]
fn bombs_are_refused() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    assert!(mistakes(&deep).contains("nested more than 64 levels deep"));
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = level - 1;
        let items = vec![format!("*a{below}"); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(mistakes(&laughs).contains("aliases repeat more than"));
    let mut chain = String::from("a0: &a0 [x]\n");
    for level in 1..100 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(mistakes(&chain).contains("nested more than 64 levels deep"));
}

/// What YAML itself refuses, and what people mostly mean by it.
#[test]
fn texts_that_need_quotes() {
    for (text, help) in [
        ("hosts: [{ names: [*.example.com] }]", "put a text that begins with \"*\" in quotes"),
        ("hosts: [{ names: [a: b: c] }]", "put a text that contains \": \" in quotes"),
        ("hosts: a: b", "put a text that contains \": \" in quotes"),
    ] {
        let told = mistakes(text);
        assert!(told.contains("not valid YAML") && told.ends_with(help), "{text}: {told}");
    }
}
