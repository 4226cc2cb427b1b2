use super::*;
use std::collections::HashMap;

/// Variables by name.
pub(crate) struct Vars(pub(crate) HashMap<String, Vec<u8>>);

impl Lookup for Vars {
    fn lookup(&self, var: &Var, out: &mut Vec<u8>) -> bool {
        match self.0.get(&var.to_string()) {
            Some(value) => out.extend_from_slice(value),
            None => return false,
        }
        true
    }
}

pub(crate) fn vars(pairs: &[(&str, &str)]) -> Vars {
    Vars(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect())
}

fn request() -> Vars {
    vars(&[
        ("remote_addr", "203.0.113.9"),
        ("time_local", "24/Nov/2026:03:20:10 +0000"),
        ("time_iso8601", "2026-11-24T03:20:10+00:00"),
        ("request", "GET /a\"b HTTP/1.1"),
        ("request_method", "GET"),
        ("host", "myapp.com"),
        ("request_uri", "/a\"b"),
        ("server_protocol", "HTTP/1.1"),
        ("status", "200"),
        ("request_length", "321"),
        ("body_bytes_sent", "66"),
        ("bytes_sent", "266"),
        ("http_user_agent", "curl/8.5 (\u{fc})"),
        ("request_id", "00112233445566778899aabbccddeeff"),
        ("listener", "web"),
        ("route", "app"),
        ("cluster", "app_servers"),
        ("upstream_addr", "10.0.1.10:3000"),
        ("attempts", "1"),
        ("request_time", "0.012"),
        ("upstream_connect_time", "-"),
        ("upstream_header_time", "0.011"),
        ("upstream_response_time", "0.004, 0.011"),
    ])
}

fn line(format: &CompiledFormat, vars: &Vars) -> String {
    let mut out = Vec::new();
    format.write(vars, &mut out);
    String::from_utf8(out).unwrap()
}

fn text_format(template: &str, escape: Escape) -> CompiledFormat {
    CompiledFormat::build(&LogFormat::Text { template: Template::parse(template).unwrap(), escape })
}

fn json_format(members: &[(&str, &str)]) -> CompiledFormat {
    let members = members.iter().map(|(key, text)| ((*key).to_owned(), Template::parse(text).unwrap()));
    CompiledFormat::build(&LogFormat::Json(members.collect()))
}

#[test]
fn combined_is_as_nginx_writes_it() {
    let format = CompiledFormat::builtin("combined").unwrap();
    let want = concat!(
        r#"203.0.113.9 - - [24/Nov/2026:03:20:10 +0000] "GET /a\x22b HTTP/1.1" 200 66 "-" "#,
        r#""curl/8.5 (\xC3\xBC)""#,
        "\n"
    );
    assert_eq!(line(&format, &request()), want);
}

#[test]
fn common_is_combined_without_its_end() {
    let format = CompiledFormat::builtin("common").unwrap();
    let want = "203.0.113.9 - - [24/Nov/2026:03:20:10 +0000] \"GET /a\\x22b HTTP/1.1\" 200 66\n";
    assert_eq!(line(&format, &request()), want);
}

#[test]
fn json_leaves_out_what_has_no_value() {
    let format = CompiledFormat::builtin("json").unwrap();
    let want = concat!(
        r#"{"time":"2026-11-24T03:20:10+00:00","client":"203.0.113.9","method":"GET","host":"myapp.com","#,
        r#""target":"/a\"b","protocol":"HTTP/1.1","status":200,"bytes_in":321,"bytes_out":266,"#,
        r#""user_agent":"curl/8.5 (ü)","request_id":"00112233445566778899aabbccddeeff","listener":"web","#,
        r#""route":"app","cluster":"app_servers","endpoint":"10.0.1.10:3000","attempts":1,"#,
        r#""request_time":0.012,"upstream_header_time":0.011,"upstream_response_time":"0.004, 0.011"}"#,
        "\n"
    );
    let got = line(&format, &request());
    assert_eq!(got, want);
    assert!(serde_json::from_str::<serde_json::Value>(&got).is_ok());
    assert_eq!(line(&format, &vars(&[])), "{}\n");
}

#[test]
fn every_builtin_name_has_a_format() {
    for name in BUILTIN {
        assert!(CompiledFormat::builtin(name).is_some(), "{name}");
    }
    assert!(CompiledFormat::builtin("main").is_none());
}

#[test]
fn escapes_differ_in_missing_values_and_bytes() {
    let vars = vars(&[("host", "a\"\n"), ("args", "")]);
    let template = "[$host|$remote_user|$args]";
    assert_eq!(line(&text_format(template, Escape::Default), &vars), "[a\\x22\\x0A|-|]\n");
    assert_eq!(line(&text_format(template, Escape::Json), &vars), "[a\\\"\\n||]\n");
    assert_eq!(line(&text_format(template, Escape::None), &vars), "[a\"\n||]\n");
}

#[test]
fn json_values_of_every_kind() {
    let format = json_format(&[
        ("k\"ey", "const\"ant"),
        ("empty", ""),
        ("mixed", "\"$host\" $status"),
        ("status", "$status"),
        ("length", "$content_length"),
    ]);
    let got = line(&format, &vars(&[("host", "h\\"), ("status", "404"), ("content_length", "1\"5")]));
    assert_eq!(
        got,
        "{\"k\\\"ey\":\"const\\\"ant\",\"empty\":\"\",\"mixed\":\"\\\"h\\\\\\\" 404\",\"status\":404,\"length\":\"1\\\"5\"}\n"
    );
}

#[test]
fn numbers_are_those_of_json() {
    for (value, number) in [
        ("0", true),
        ("200", true),
        ("0.005", true),
        ("18446744073709551615.9", true),
        ("", false),
        ("007", false),
        ("1.", false),
        (".5", false),
        ("-1", false),
        ("1e5", false),
        ("1, 2", false),
        ("1.2.3", false),
        ("9999999999999999999999999", false),
    ] {
        assert_eq!(is_number(value.as_bytes()), number, "{value:?}");
    }
}

/// `CARGO_PROFILE_TEST_OPT_LEVEL=3 cargo test -p bifrons-observe -- --ignored --nocapture cost`
#[test]
#[ignore = "prints a measurement"]
fn cost_of_a_record() {
    struct Fixed;
    impl Lookup for Fixed {
        fn lookup(&self, var: &Var, out: &mut Vec<u8>) -> bool {
            let value: &[u8] = match var {
                Var::Status => b"200",
                Var::Http(_) => b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
                Var::RequestTime => b"0.012",
                Var::Termination => return false,
                _ => b"some/ordinary/value",
            };
            out.extend_from_slice(value);
            true
        }
    }
    for name in BUILTIN {
        let format = CompiledFormat::builtin(name).unwrap();
        let mut out = Vec::with_capacity(1024);
        let start = std::time::Instant::now();
        for _ in 0..1_000_000 {
            out.clear();
            format.write(&Fixed, &mut out);
        }
        println!("{name}: {} ns for {} bytes", start.elapsed().as_millis(), out.len());
    }
}
