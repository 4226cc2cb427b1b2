use super::*;
use crate::testing::{cx, head, response};

fn typed(config: &Config, query: &str, content_type: &str) -> String {
    let field =
        if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
    let mut res = response("HTTP/1.1 200 OK", &field);
    let req = head(&format!("GET /?c={query} HTTP/1.1"), "");
    config.build().unwrap().response(&mut cx(), &req, &mut res).unwrap();
    String::from_utf8(res.headers.get(Name::ContentType).unwrap_or_default().to_vec()).unwrap()
}

fn config(types: &[&str], replace: bool) -> Config {
    let types = types.iter().map(|&media| media.to_owned()).collect();
    Config { charset: Template::text("utf-8"), types, replace }
}

#[test]
fn texts_without_charset_get_it() {
    let config = Config { types: texts(), ..config(&[], false) };
    for (before, after) in [
        ("text/html", "text/html; charset=utf-8"),
        ("TEXT/HTML", "TEXT/HTML; charset=utf-8"),
        ("text/plain; format=flowed", "text/plain; format=flowed; charset=utf-8"),
        ("text/html; charset=koi8-r", "text/html; charset=koi8-r"),
        ("text/html;Charset=koi8-r", "text/html;Charset=koi8-r"),
        ("image/png", "image/png"),
        ("multipart/byteranges; boundary=1", "multipart/byteranges; boundary=1"),
        ("", ""),
    ] {
        assert_eq!(typed(&config, "", before), after, "{before}");
    }
}

#[test]
fn types_are_named_or_all() {
    assert_eq!(typed(&config(&["image/png"], false), "", "text/html"), "text/html");
    assert_eq!(typed(&config(&["*"], false), "", "image/png"), "image/png; charset=utf-8");
}

#[test]
fn another_charset_is_replaced_where_told() {
    let config = config(&["text/html"], true);
    assert_eq!(typed(&config, "", "text/html; charset=koi8-r; a=b"), "text/html; a=b; charset=utf-8");
    assert_eq!(typed(&config, "", "image/x; charset=koi8-r"), "image/x; charset=utf-8");
}

#[test]
fn a_variable_says_which_or_none() {
    let config = Config { charset: Template::parse("$arg_c").unwrap(), ..config(&["*"], false) };
    for (query, after) in [("koi8-r", "a/b; charset=koi8-r"), ("off", "a/b"), ("", "a/b"), ("a;b", "a/b")] {
        assert_eq!(typed(&config, query, "a/b"), after, "{query}");
    }
    assert!(Config { charset: Template::text("utf 8"), ..config }.build().is_err());
}
