use super::*;
use crate::testing::{cx, head};
use bifrons_config::Source;
use bifrons_config::yaml::{Node, Options, load};
use bifrons_http::{Body, RequestHead, Response};

/// What came of a request for `target`: verdict, path as rules see it, target as it is sent.
struct Done {
    verdict: Verdict,
    cx: ReqCx,
    head: RequestHead,
}

impl Done {
    fn said(&self) -> String {
        let name = match &self.verdict {
            Verdict::Next => "next".to_owned(),
            Verdict::Route => "route".to_owned(),
            Verdict::Use(name) => format!("use {name}"),
            Verdict::Reply(res, as_route) => format!("{}{}", reply(res), as_route.as_deref().unwrap_or("")),
        };
        let target = String::from_utf8_lossy(self.head.target()).into_owned();
        format!("{name} {target}")
    }

    fn uri(&self) -> &[u8] {
        path::of(&self.cx, &self.head)
    }
}

fn reply(res: &Response) -> String {
    let location = res.head.headers.get("Location").unwrap_or_default();
    let body = match &res.body {
        Body::Full(bytes) => bytes.as_ref(),
        _ => b"",
    };
    let text = [location, body].concat();
    format!("{} {}", res.head.status, String::from_utf8_lossy(&text))
}

fn config(steps: &str) -> Config {
    let names = |_: &Node| ["a", "b", "id"].map(str::to_owned).into();
    let options = Options { declared: Some(&names), ..Options::default() };
    match load(&Source::new("steps.yaml", steps), &options) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}"),
    }
}

/// As nginx: the path is decoded.
fn run(steps: &str, target: &str) -> Done {
    let program = Program::build(&config(steps).0).unwrap();
    let mut head = head(&format!("GET {target} HTTP/1.1"), "User-Agent: curl/8\r\n");
    let mut cx = cx();
    cx.is_decoded = true;
    let decoded = head.path().windows(3).any(|part| part[0] == b'%').then(|| {
        bifrons_route::normalize(&bifrons_route::PathRules::NGINX, head.path()).unwrap().into_owned()
    });
    cx.path = decoded;
    let verdict = program.run(&mut cx, &mut head);
    Done { verdict, cx, head }
}

#[track_caller]
fn check(rows: &[(&str, &str, &str)]) {
    for (steps, target, want) in rows {
        assert_eq!(run(steps, target).said(), *want, "{steps} {target}");
    }
}

#[test]
fn a_path_is_replaced_and_routed_again_unless_it_stays() {
    check(&[
        ("[{ path: { matches: ^/old/(.*)$, to: /new/$1 } }]", "/old/a", "route /new/a"),
        ("[{ path: { matches: ^/old/(.*)$, to: /new/$1, then: route } }, stop]", "/old/a", "route /new/a"),
        ("[{ path: { matches: ^/old/(.*)$, to: /new/$1, then: stay } }]", "/old/a", "next /new/a"),
        ("[{ path: { matches: ^/old/(.*)$, to: /new/$1 } }, stop]", "/old/a", "next /new/a"),
        ("[{ path: { matches: ^/old, to: /new } }]", "/other", "next /other"),
        ("[{ path: { matches: ^/a, to: /b } }, { path: { matches: ^/b, to: /c } }]", "/a", "route /c"),
        ("[{ path: { matches: '^/(?<id>\\d+)', to: '/i/$id' } }]", "/42", "route /i/42"),
        ("[{ path: { matches: '.', to: '$arg_none' } }]", "/a", "500  /a"),
    ]);
}

#[test]
fn queries_are_kept_prefixed_or_dropped() {
    check(&[
        ("[{ path: { matches: ^/a, to: /b } }]", "/a?x=1", "route /b?x=1"),
        ("[{ path: { matches: ^/a, to: '/b?y=2' } }]", "/a?x=1", "route /b?y=2&x=1"),
        ("[{ path: { matches: ^/a, to: '/b?y=2' } }]", "/a", "route /b?y=2"),
        ("[{ path: { matches: ^/a, to: /b, keep_query: false } }]", "/a?x=1", "route /b"),
        ("[{ path: { matches: ^/a, to: '/b?y', keep_query: false } }]", "/a?x=1", "route /b?y"),
        ("[{ set: { args: 'n=1' } }]", "/a?x=1", "next /a?n=1"),
        ("[{ set: { args: '' } }]", "/a?x=1", "next /a"),
    ]);
}

#[test]
fn escapes_are_those_of_nginx() {
    check(&[
        // The path is decoded for the rule and escaped again for who gets it.
        ("[{ path: { matches: '^/(.*)', to: '/n/$1' } }]", "/a%20b%3f", "route /n/a%20b%3F"),
        // In a query, groups of a path with escapes get theirs back, those of a plain one don't need any.
        ("[{ path: { matches: '^/(.*)', to: '/n?p=$1' } }]", "/a%26b", "route /n?p=a%26b"),
        ("[{ path: { matches: '^/(.*)', to: '/n?p=$1' } }]", "/a&b", "route /n?p=a&b"),
        (
            "[{ path: { matches: '^/(.*)', to: 'https://h/$1', redirect: 301 } }]",
            "/a%20b",
            "301 https://h/a%20b /a%20b",
        ),
        (
            "[{ path: { matches: '^/(.*)', to: 'https://h/$1', redirect: 301 } }]",
            "/a%2Bb",
            "301 https://h/a+b /a%2Bb",
        ),
    ]);
    assert_eq!(run("[{ path: { matches: '^/(.*)', to: '/n/$1' } }]", "/a%20b").uri(), b"/n/a b");
}

#[test]
fn tests_hold_or_not() {
    let when =
        |test: &str| format!("[{{ if: {{ {test}, then: [{{ return: {{ status: 200, body: yes }} }}] }} }}]");
    let rows = [
        ("value: $arg_x", "/?x=1", true),
        ("value: $arg_x", "/?x=0", false),
        ("value: $arg_x", "/", false),
        ("value: $arg_x, not: true", "/?x=0", true),
        ("value: $arg_x, is: a$arg_y", "/?x=ab&y=b", true),
        ("value: $arg_x, is: a, not: true", "/?x=b", true),
        ("value: $http_user_agent, matches: '^curl'", "/", true),
        ("value: $http_user_agent, matches: '(?i)^CURL/9', not: true", "/", true),
        ("value: /etc/passwd, exists: file", "/", true),
        ("value: /etc/passwd, exists: directory", "/", false),
        ("value: /etc, exists: any", "/", true),
        ("value: /etc, exists: directory", "/", true),
        ("value: /bin/sh, exists: executable", "/", true),
        ("value: /etc/passwd, exists: executable", "/", false),
        ("value: /no/such, exists: any, not: true", "/", true),
        ("value: '', exists: any", "/", false),
    ];
    for (test, target, holds) in rows {
        let said = run(&when(test), target).said();
        assert_eq!(said.starts_with("200 yes"), holds, "{test} {target}: {said}");
    }
}

#[test]
fn variables_and_groups_are_kept() {
    let done = run(
        "[{ set: { a: '1$arg_x' } }, { if: { value: $arg_x, matches: '(.)(.)', then: [{ set: { b: '$2$1' } }] } }, { set: { a: '$a!' } }]",
        "/?x=zy",
    );
    let value = |name: &str| {
        done.cx.variables.iter().find(|(known, _)| &**known == name).map(|(_, value)| value.as_slice())
    };
    assert_eq!((value("a"), value("b")), (Some(b"1zy!".as_slice()), Some(b"yz".as_slice())));
    assert_eq!(done.cx.variables.len(), 2, "a second value replaces the first");
}

#[test]
fn the_last_route_named_takes_over_and_gives_its_answers() {
    check(&[
        ("[{ use: one }, { use: two }]", "/", "use two /"),
        ("[{ use: one }, stop, { use: two }]", "/", "use one /"),
        ("[{ use: one }, { return: { status: 403 } }]", "/", "403 one /"),
        ("[{ use: one }, { path: { matches: ., to: /b } }]", "/", "route /b"),
    ]);
}

#[test]
fn answers_are_what_they_were_told() {
    check(&[
        ("[{ return: { status: 404 } }]", "/", "404  /"),
        ("[{ return: { status: 200, body: 'hi $uri' } }]", "/a", "200 hi /a /a"),
        ("[{ return: { status: 301, to: 'https://h$uri' } }]", "/a", "301 https://h/a /a"),
        ("[{ return: { status: 302, to: 'https://h$uri' } }]", "/a%0d%0aX:%20y", "400  /a%0d%0aX:%20y"),
        ("[{ return: { status: 204, body: x } }]", "/", "204  /"),
    ]);
}

#[test]
fn nothing_grows_without_bound() {
    let doubling = format!("[{}]", vec!["{ set: { a: 'x$a$a' } }"; 20].join(", "));
    assert_eq!(run(&doubling, "/").said(), "500  /");
    let doubling = format!("[{}]", vec!["{ path: { matches: '^(.*)$', to: '$1$1' } }"; 20].join(", "));
    assert!(run(&doubling, "/abc").said().starts_with("500"));
}

#[test]
fn mistakes_are_told() {
    let rows = [
        ("[{ set: { host: x } }]", "can't be set"),
        ("[{ if: { value: x, is: a, matches: b } }]", "keep one"),
        ("[{ path: { matches: a, to: /b, redirect: 200 } }]", "200 is no redirect"),
        ("[{ return: { status: 100 } }]", "not from 200 to 599"),
        ("[{ return: { status: 200, to: /x } }]", "200 is no redirect"),
        ("[{ return: { status: 301, to: /x, body: y } }]", "no text of one's own"),
    ];
    for (steps, want) in rows {
        let problem = Program::build(&config(steps).0).err().unwrap_or_default();
        assert!(problem.contains(want), "{steps}: {problem}");
    }
    let unknown = load::<Config>(
        &Source::new("x.yaml", "[{ return: { status: 200, no_such_key: 1 } }]"),
        &Options::default(),
    );
    assert!(unknown.unwrap_err().to_string().contains("no_such_key"));
}
