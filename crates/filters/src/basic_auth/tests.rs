use super::*;
use crate::testing::{cx, request, run};

/// `$2b$` of "secret", at the least cost.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

fn config(users: &[(&str, &str)]) -> Config {
    let users = users.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect();
    Config { realm: Template::text("the office"), users, ..Config::default() }
}

fn basic(pair: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for piece in pair.as_bytes().chunks(3) {
        let bits = piece.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - piece.len()));
        for at in 0..4 {
            let digit = char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]);
            text.push(if at <= piece.len() { digit } else { '=' });
        }
    }
    format!("Authorization: Basic {text}\r\n")
}

/// The status and question it is answered with; `None` where it passes.
fn ask(filter: &dyn Filter, fields: &str) -> Option<(u16, Option<String>)> {
    run(async || {
        let (mut cx, mut req) = (cx(), request(fields));
        let answer = match filter.request(&mut cx, &mut req) {
            Step::Next | Step::Turn(_) => None,
            Step::Reply(answer) => Some(*answer),
            Step::Wait(waiting) => waiting.await.unwrap_or_else(|_| Some(Response::empty(500))),
        }?;
        let question = answer.head.headers.get("www-authenticate");
        Some((answer.head.status, question.map(|value| String::from_utf8_lossy(value).into_owned())))
    })
}

fn refused() -> Option<(u16, Option<String>)> {
    Some((401, Some("Basic realm=\"the office\"".to_owned())))
}

#[test]
fn who_knows_a_name_and_its_password_passes() {
    let filter = config(&[("anna", "{PLAIN}se:cret"), ("bert", BCRYPT)]).build().unwrap();
    assert_eq!(ask(&*filter, &basic("anna:se:cret")), None);
    // Twice: hashed, and remembered.
    assert_eq!(ask(&*filter, &basic("bert:secret")), None);
    assert_eq!(ask(&*filter, &basic("bert:secret")), None);
    let rows = [
        String::new(),
        basic("anna:secret"),
        basic("bert:se:cret"),
        basic("carl:secret"),
        basic("anna"),
        basic(":secret"),
        "Authorization: Bearer YW5uYTpzZWNyZXQ=\r\n".to_owned(),
        "Authorization: Basic ?\r\n".to_owned(),
    ];
    for fields in rows {
        assert_eq!(ask(&*filter, &fields), refused(), "{fields}");
    }
}

#[test]
fn a_realm_called_off_asks_nothing() {
    let config = Config { realm: Template::parse("$arg_realm").unwrap(), ..config(&[("anna", "{PLAIN}x")]) };
    let filter = config.build().unwrap();
    assert_eq!(ask(&*filter, "").map(|(status, _)| status), Some(401));
    let off = Config { realm: Template::text("off"), ..config };
    assert_eq!(ask(&*off.build().unwrap(), ""), None);
}

#[test]
fn without_a_file_nobody_comes_in() {
    let file =
        |path: &str| Config { users: IndexMap::new(), file: Some(Template::text(path)), ..config(&[]) };
    let missing = file("/nowhere/at/all").build().unwrap();
    assert_eq!(ask(&*missing, &basic("anna:x")), Some((403, None)));
    assert_eq!(ask(&*missing, ""), refused());
    assert_eq!(ask(&*file("/").build().unwrap(), &basic("anna:x")), Some((500, None)));
}

#[test]
fn a_refusal_is_held_back() {
    let filter =
        Config { delay: Dur(Duration::from_millis(30)), ..config(&[("anna", "{PLAIN}x")]) }.build().unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(ask(&*filter, &basic("anna:y")), refused());
    assert_eq!(ask(&*filter, ""), refused());
    assert!(begun.elapsed() >= Duration::from_millis(60));
}

#[test]
fn mistakes_are_told() {
    assert!(config(&[]).build().is_err());
    assert!(config(&[("an:na", "{PLAIN}x")]).build().is_err());
    assert!(config(&[("anna", "plain")]).build().err().is_some_and(|problem| problem.contains("anna")));
    let both = Config { file: Some(Template::text("/f")), ..config(&[("anna", "{PLAIN}x")]) };
    assert!(both.build().is_err());
}
