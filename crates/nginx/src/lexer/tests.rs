use super::*;
use proptest::prelude::*;

/// The tokens of a text: words as they are, signs as themselves, `!` for what is broken.
fn tokens(text: &str) -> (Vec<String>, Vec<String>) {
    let source = Source::new("t.conf", text);
    let mut notes = Notes::default();
    let mut lexer = Lexer::new(&source);
    let mut found = Vec::new();
    while let Some(token) = lexer.next(&mut notes) {
        found.push(match token {
            Token::Word(word) => format!("{}{}", if word.quoted { "q:" } else { "" }, word.text),
            Token::Semicolon(_) => ";".into(),
            Token::Open(_) => "{".into(),
            Token::Close(_) => "}".into(),
            Token::Broken => "!".into(),
        });
    }
    (found, notes.problems.0.into_iter().map(|problem| problem.message).collect())
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (found, problems) = tokens(text);
    assert_eq!(found, expected);
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn words_end_at_blanks_and_signs() {
    check("listen 80;", &["listen", "80", ";"]);
    check("a{b}", &["a", "{", "b}"]);
    check("a {b;}", &["a", "{", "b", ";", "}"]);
    check("\u{feff}a\r\n\tb;", &["a", "b", ";"]);
}

#[test]
fn a_comment_begins_between_words_only() {
    check("a # b;\nc#d;", &["a", "c#d", ";"]);
    check("# only", &[]);
}

#[test]
fn braces_of_variables_end_no_word() {
    check("root /srv/${host}/x;", &["root", "/srv/${host}/x", ";"]);
    check("${a}{", &["${a}", "{"]);
    check("$a{", &["$a", "{"]);
    check("a$;", &["a$", ";"]);
}

#[test]
fn quotes_hold_everything() {
    check(r#"a "b; {c} # d" 'e"f';"#, &["a", "q:b; {c} # d", "q:e\"f", ";"]);
    check("a \"b\nc\";", &["a", "q:b\nc", ";"]);
    check(r#"a"b" c;"#, &["a\"b\"", "c", ";"]);
    check(r#"a "";"#, &["a", "q:", ";"]);
    check(r#"("a")"#, &[r#"("a")"#]);
    check(r#"( "a") {"#, &["(", "q:a", ")", "{"]);
}

#[test]
fn escapes() {
    check(
        r#"a "x\"y\'\\z" b\ c \; \.php$ '\t|\n|\r|\d';"#,
        &["a", "q:x\"y'\\z", r"b\ c", r"\;", r"\.php$", "q:\t|\n|\r|\\d", ";"],
    );
    check("\\", &["\\"]);
    check("a\\é b", &["a\\é", "b"]);
}

#[test]
fn a_word_may_not_follow_a_quote_at_once() {
    let (found, problems) = tokens("a \"b\"c;\nd;");
    assert_eq!(found, ["a", "!", "d", ";"]);
    assert_eq!(problems, ["unexpected \"c\""]);
}

#[test]
fn a_quote_that_nothing_closes_costs_its_line() {
    let (found, problems) = tokens("a 'b;\nc;");
    assert_eq!(found, ["a", "!", "c", ";"]);
    assert_eq!(problems, ["unexpected end of file, expecting \";\" or \"}\""]);

    let (found, problems) = tokens(&format!("a \"b;\nc;{}", " x;\n".repeat(2000)));
    assert_eq!(found[..4], ["a", "!", "c", ";"]);
    assert_eq!(problems, ["too long parameter, probably missing terminating \"\"\" character"]);
}

#[test]
fn the_longest_word() {
    let longest = "x".repeat(WORD_BYTES_MAX - 1);
    check(&longest, &[&longest]);
    let (found, problems) = tokens(&format!("{longest}x y;\nz;"));
    assert_eq!(found, ["!", "z", ";"]);
    assert_eq!(problems, ["too long parameter \"xxxxxxxxxx...\" started"]);
}

#[test]
fn places() {
    let source = Source::new("t.conf", "a 'b c';\n  d;");
    let (mut lexer, mut notes) = (Lexer::new(&source), Notes::default());
    let mut places = Vec::new();
    while let Some(Token::Word(Word { place, .. }) | Token::Semicolon(place)) = lexer.next(&mut notes) {
        places.push((place.line_column(), &source.text[place.range]));
    }
    assert_eq!(places, [((1, 1), "a"), ((1, 3), "'b c'"), ((1, 8), ";"), ((2, 3), "d"), ((2, 4), ";")]);
}

proptest! {
    #[test]
    fn lexing_is_total(text in r#"[ -~éß\n]{0,200}|([a$"'\\{};# \n]){0,200}"#) {
        let source = Source::new("t.conf", text.as_str());
        let (mut lexer, mut notes) = (Lexer::new(&source), Notes::default());
        let mut count = 0;
        while lexer.next(&mut notes).is_some() {
            count += 1;
            prop_assert!(count <= text.len());
        }
    }
}
