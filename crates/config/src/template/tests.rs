use super::*;

struct Fixed;

impl Lookup for Fixed {
    fn lookup(&self, var: &Var, out: &mut Vec<u8>) -> bool {
        let value = match var {
            Var::Host => "example.org",
            Var::Http(name) => name,
            Var::Capture(1) => "one",
            Var::User(_) => "mine",
            _ => return false,
        };
        out.extend_from_slice(value.as_bytes());
        true
    }
}

fn render(text: &str) -> String {
    let template = Template::parse_with(text, &|name| name == "mine").expect(text);
    let mut out = Vec::new();
    template.render(&Fixed, &mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn variables_are_replaced() {
    for (text, value) in [
        ("", ""),
        ("plain", "plain"),
        ("http://$host/$1", "http://example.org/one"),
        ("${host}name", "example.orgname"),
        ("$10", "one0"),
        ("${1}0", "one0"),
        ("$http_x_a-b", "x-a-b"),
        ("a${mine}b$request_uri", "amineb"),
        ("costs 5$$ $$host", "costs 5$ $host"),
        ("$$$host", "$example.org"),
        ("ü$host→", "üexample.org→"),
    ] {
        assert_eq!(render(text), value, "{text}");
    }
}

#[test]
fn a_text_without_variables_is_one_part() {
    let template = Template::parse("a $$ b").expect("template");
    assert_eq!(template.as_text(), Some("a $ b"));
    assert_eq!(template.parts().len(), 1);
    assert_eq!(Template::text("a $ b"), template);
    assert_eq!(Template::text("").as_text(), Some(""));
    assert_eq!(Template::var(Var::Host), Template::parse("$host").expect("template"));
}

#[test]
fn mistakes_name_the_variable_and_the_fix() {
    for (text, message, help, range) in [
        ("$hots", "unknown variable \"$hots\"", "did you mean \"$host\"?", 0..5),
        ("a${remote_adr}", "unknown variable \"$remote_adr\"", "did you mean \"$remote_addr\"?", 1..14),
        ("$0", "unknown variable \"$0\"", "the groups of a regular expression are $1 to $9", 0..2),
        ("${host", "the closing \"}\" of variable \"${host\" is missing", "write \"${host}\"", 0..6),
    ] {
        let error = Template::parse(text).expect_err(text);
        assert_eq!(
            (error.message.as_str(), error.help.as_deref(), error.range),
            (message, Some(help), range)
        );
    }
    for text in ["$", "a$", "$ü", "$-", "${}", "$ {host}"] {
        let error = Template::parse(text).expect_err(text);
        assert!(error.message.starts_with("invalid variable name"), "{text}: {error}");
    }
}

#[test]
fn nginx_has_no_escape() {
    assert!(Template::parse_nginx("$$", &|_| false).is_err());
    assert!(Template::parse_nginx("$host", &|_| false).is_ok());
}

#[test]
fn declared_names_reach_serde_and_end_with_the_scope() {
    let parse = || serde_json::from_str::<Template>("\"$tenant\"");
    assert!(parse().is_err());
    let template = with_declared(["tenant".to_owned()].into(), parse).expect("declared");
    assert_eq!(template.parts(), [Part::Var(Var::User("tenant".into()))]);
    assert!(parse().is_err());
}

#[test]
fn serde_goes_there_and_back() {
    let template = Template::text("5$");
    let text = serde_json::to_string(&template).expect("json");
    assert_eq!(text, "\"5$$\"");
    assert_eq!(serde_json::from_str::<Template>(&text).expect("template"), template);
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_the_source_gives_the_template_back(text in "[$a-z{}0-9_ü]{0,20}") {
        let both = [Template::parse_with(&text, &|_| true), Template::parse_nginx(&text, &|_| true)];
        for template in both.into_iter().flatten() {
            let again = Template::parse_with(template.source(), &|_| true);
            proptest::prop_assert_eq!(again, Ok(template));
        }
        let constant = Template::text(&text);
        proptest::prop_assert_eq!(constant.as_text(), Some(text.as_str()));
        proptest::prop_assert_eq!(Template::parse(constant.source()), Ok(constant));
    }
}
