use super::*;
use crate::config::{Geo, Map, Share, Split};
use bifrons_config::Lookup;
use bifrons_core::Limits;
use bifrons_http::h1::parse::{self, Parsed};
use bifrons_http::{ConnFacts, ReqCx, RequestHead};
use std::cell::{Cell, OnceCell};
use std::rc::{Rc, Weak};
use tokio::time::Instant;

fn cx(set: VariableSet) -> ReqCx {
    let facts = ConnFacts {
        listener: "web".into(),
        peer: Some("203.0.113.5:4711".parse().unwrap()),
        peer_text: "203.0.113.5".into(),
        local: OnceCell::from(None),
        socket: Weak::new(),
        told: None,
        layer4: None,
        tls: None,
        serial: 1,
        accepted: Instant::now(),
        requests: Cell::new(1),
    };
    let mut cx = ReqCx::new(Rc::new(facts), Instant::now());
    cx.computed = Some(Rc::new(set));
    cx
}

fn head(target: &str, fields: &str) -> RequestHead {
    let text = format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
    match parse::request(text.as_bytes(), &Limits::default()).unwrap() {
        Parsed::Head(head, _) => head,
        Parsed::Partial => panic!("partial"),
    }
}

const NAMES: [&str; 6] = ["a", "b", "c", "id", "net", "part"];

fn template(text: &str) -> Template {
    Template::parse_with(text, &|name| NAMES.contains(&name)).unwrap()
}

fn map(of: &str, values: &[(&str, &str)], default: &str) -> Map {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), template(value))).collect();
    Map { of: template(of), values, default: template(default), ..Map::default() }
}

fn set(variables: Vec<(&str, Variable)>) -> Result<VariableSet, Vec<String>> {
    let config =
        variables.into_iter().map(|(name, variable)| (name.to_owned(), At::from(variable))).collect();
    VariableSet::build(&config)
        .map_err(|problems| problems.into_iter().map(|problem| problem.message).collect())
}

fn value(cx: &ReqCx, head: &RequestHead, text: &str) -> String {
    let mut out = Vec::new();
    template(text).render(&Scope { cx, req: head, res: None }, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn texts_go_before_regexes_and_names_with_a_star() {
    let values = [
        ("~^a", "regex"),
        ("A.Example", "exact"),
        ("*.example", "leading"),
        ("*.b.example", "longer"),
        ("www.*", "trailing"),
        ("", "empty"),
    ];
    let map = Map { hostnames: true, ..map("$arg_h", &values, "none") };
    let cases = [
        ("a.example", "exact"),
        ("a.example.", "exact"),
        ("x.A.EXAMPLE", "leading"),
        ("x.b.example", "longer"),
        ("www.a.test", "trailing"),
        ("a.test", "regex"),
        ("b.test", "none"),
        ("", "empty"),
    ];
    for (host, want) in cases {
        let cx = cx(set(vec![("a", Variable::Map(map.clone()))]).unwrap());
        assert_eq!(value(&cx, &head(&format!("/?h={host}"), ""), "$a"), want, "{host}");
    }
}

#[test]
fn an_empty_value_matches_no_regex() {
    let cx = cx(set(vec![("a", Variable::Map(map("$arg_h", &[("~", "regex")], "none")))]).unwrap());
    assert_eq!(value(&cx, &head("/", ""), "$a"), "none");
}

#[test]
fn groups_stand_in_values_and_named_ones_are_variables_from_then_on() {
    let values = [("~^/(?<id>[0-9]+)/(x)?", "[$id $1 $2 $arg_q]")];
    let cx = cx(set(vec![("a", Variable::Map(map("$uri", &values, "")))]).unwrap());
    let head = head("/42/?q=1", "");
    assert_eq!(value(&cx, &head, "<$id>"), "<>");
    assert_eq!(value(&cx, &head, "$a $id"), "[42 42  1] 42");
}

#[test]
fn a_value_is_kept_unless_it_is_volatile() {
    for (volatile, want) in [(false, "1 1"), (true, "1 2")] {
        let map = Map { volatile, ..map("$arg_v", &[("1", "1"), ("2", "2")], "") };
        let cx = cx(set(vec![("a", Variable::Map(map))]).unwrap());
        let first = value(&cx, &head("/?v=1", ""), "$a");
        assert_eq!(format!("{first} {}", value(&cx, &head("/?v=2", ""), "$a")), want);
    }
}

#[test]
fn what_was_set_goes_before_what_is_computed() {
    let mut cx = cx(set(vec![("a", Variable::Map(map("$uri", &[], "map")))]).unwrap());
    cx.variables.push(("a".into(), b"set".to_vec()));
    assert_eq!(value(&cx, &head("/", ""), "$a"), "set");
}

#[test]
fn one_may_need_another_but_none_itself() {
    let chain = vec![
        ("a", Variable::Map(map("$b", &[("x", "$c")], "no"))),
        ("b", Variable::Map(map("$uri", &[("/", "x")], ""))),
        ("c", Variable::Map(map("$uri", &[("~^(?<id>.)", "$id")], ""))),
    ];
    let cx = cx(set(chain).unwrap());
    assert_eq!(value(&cx, &head("/", ""), "$a"), "/");

    let loops = vec![
        ("a", Variable::Map(map("$uri", &[("x", "$b")], ""))),
        ("b", Variable::Split(Split { of: template("$c"), shares: Vec::new() })),
        ("c", Variable::Geo(Geo { of: template("$a"), ..Geo::default() })),
        ("id", Variable::Map(map("$id", &[], ""))),
    ];
    let problems = set(loops).unwrap_err();
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems[0].contains("$a -> $b -> $c -> $a"), "{problems:?}");
}

#[test]
fn names_are_none_of_nginxs() {
    let one = |name| set(vec![(name, Variable::Map(map("$uri", &[], "")))]);
    assert!(one("host").unwrap_err()[0].contains("own variables"));
    assert!(one("a-b").is_err());
    assert!(one("http_mine").is_ok() && one("route").is_ok());
}

#[test]
fn the_smallest_network_counts_and_trusted_proxies_tell_the_client() {
    let networks =
        [("0.0.0.0/0", "v4"), ("203.0.113.0/24", "net"), ("203.0.113.5", "one"), ("2001:db8::/32", "v6")];
    let networks = networks.iter().map(|(net, value)| ((*net).to_owned(), Template::text(value)));
    let geo = Geo { networks: networks.collect(), default: Template::text("else"), ..Geo::default() };
    let of = |geo: Geo, fields: &str| {
        let cx = cx(set(vec![("net", Variable::Geo(geo))]).unwrap());
        value(&cx, &head("/?a=203.0.113.9&b=2001:db8::1&c=nothing&d=::1", fields), "$net")
    };
    let by = |text: &str| Geo { of: template(text), ..geo.clone() };
    let wanted =
        [("$remote_addr", "one"), ("$arg_a", "net"), ("$arg_b", "v6"), ("$arg_c", "v4"), ("$arg_d", "else")];
    for (text, want) in wanted {
        assert_eq!(of(by(text), ""), want, "{text}");
    }
    let field = "X-Forwarded-For: 2001:db8::7, 10.0.0.1, 203.0.113.77\r\n";
    assert_eq!(of(geo.clone(), field), "one");
    let trusted = Geo { trusted: vec!["203.0.113.0/24".into(), "10.0.0.0/8".into()], ..geo };
    assert_eq!(of(trusted.clone(), field), "net");
    assert_eq!(of(Geo { recursive: true, ..trusted }, field), "v6");
}

#[test]
fn shares_are_by_the_hash() {
    let share = |percent, text: &str| Share { percent, value: Template::text(text) };
    let split = Split { of: template("$arg_v"), shares: vec![share(Some(50.0), "low"), share(None, "high")] };
    let set = set(vec![("part", Variable::Split(split))]).unwrap();
    let cx = cx(set);
    let want = if crate::split::murmur2(b"abcd") < u32::MAX / 2 { "low" } else { "high" };
    assert_eq!(value(&cx, &head("/?v=abcd", ""), "$part"), want);
    let mut out = Vec::new();
    let head = head("/?v=abcd", "");
    assert!(Scope { cx: &cx, req: &head, res: None }.lookup(&Var::User("part".into()), &mut out));
}
