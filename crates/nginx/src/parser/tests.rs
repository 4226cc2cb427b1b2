use super::*;
use proptest::prelude::*;

/// The tree as text, and what is wrong.
fn tree(text: &str) -> (String, Vec<String>) {
    let source = Source::new("t.conf", text);
    let mut notes = Notes::default();
    let tree = parse(&source, &mut notes);
    let shown = |problem: Problem| {
        let (line, column) = problem.place.map(|place| place.line_column()).unwrap_or_default();
        let help = problem.help.map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{line}:{column} {}{help}", problem.message)
    };
    (show(&tree), notes.problems.0.into_iter().map(shown).collect())
}

fn show(block: &[Directive]) -> String {
    let one = |directive: &Directive| {
        let words: Vec<_> =
            std::iter::once(&directive.name).chain(&directive.args).map(|w| w.text.as_str()).collect();
        match &directive.block {
            Some(block) => format!("{}{{{}}}", words.join(" "), show(block)),
            None => format!("{};", words.join(" ")),
        }
    };
    block.iter().map(one).collect()
}

#[track_caller]
fn check(text: &str, expected: &str, problems: &[&str]) {
    assert_eq!(
        tree(text),
        (expected.to_owned(), problems.iter().map(|&problem| problem.to_owned()).collect())
    );
}

#[test]
fn blocks_and_directives() {
    check("a; b c { d e; f{} } g;", "a;b c{d e;f{}}g;", &[]);
    check("", "", &[]);
}

#[test]
fn all_mistakes_are_found() {
    check("a;;b;", "a;b;", &["1:3 unexpected \";\""]);
    check("}\na;}", "a;", &["1:1 unexpected \"}\"", "2:3 unexpected \"}\""]);
    check("{a;} b;", "b;", &["1:1 unexpected \"{\""]);
    check("a { b c }\nd;", "a{b c;}d;", &["1:9 unexpected \"}\" (is a \";\" missing after \"c\"?)"]);
    check(
        "a;\nb c",
        "a;",
        &["2:3 unexpected end of file, expecting \";\" or \"}\" (is a \";\" missing after \"c\"?)"],
    );
    check(
        "a;\nb {\nc;\n",
        "a;b{c;}",
        &["3:2 unexpected end of file, expecting \"}\" (\"b\" in line 2 is not closed)"],
    );
    check(
        "a 'b;\nc;",
        "c;",
        &["1:3 unexpected end of file, expecting \";\" or \"}\" (nothing closes this ')"],
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth| format!("{}{} z;", "a{".repeat(depth), "}".repeat(depth));
    assert!(tree(&nested(DEPTH_MAX)).1.is_empty());
    let (shown, problems) = tree(&nested(DEPTH_MAX + 2));
    assert!(shown.ends_with("z;"));
    assert_eq!(problems, ["1:130 more than 64 blocks within each other"]);
}

proptest! {
    #[test]
    fn never_panics(text in r#"([a$"'\\{};# \n]|include |location |server ){0,200}"#) {
        tree(&text);
    }
}
