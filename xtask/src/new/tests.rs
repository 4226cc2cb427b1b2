use super::*;

const FILTERS: &str = "\
//! Filters.

pub mod chain;
pub mod deny_path;
pub mod spec;

pub use chain::Chain;

spec::filters! {
    /// Answers 403.
    DenyPath(deny_path::Config),
}
";

fn kind(word: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.word == word).unwrap()
}

#[test]
fn module_and_entry_find_their_places() {
    let text = enter(FILTERS, kind("filter"), "rate_limit").unwrap();
    assert!(text.contains("pub mod deny_path;\npub mod rate_limit;\npub mod spec;\n"), "{text}");
    assert!(text.ends_with("    RateLimit(rate_limit::Config),\n}\n"), "{text}");
}

#[test]
fn a_name_behind_all_others_comes_last() {
    let text = enter(FILTERS, kind("filter"), "zip").unwrap();
    assert!(text.contains("pub mod spec;\npub mod zip;\n\npub use"), "{text}");
}

#[test]
fn lists_in_brackets_are_entered_too() {
    let list = "pub(crate) mod core;\n\nconst LISTS: &[(&str, &[Spec])] = &[\n    (\"Process\", core::DIRECTIVES),\n];\n";
    let text = enter(list, kind("directive"), "gzip").unwrap();
    assert!(text.contains("pub(crate) mod core;\npub(crate) mod gzip;\n"), "{text}");
    assert!(
        text.ends_with("(\"Process\", core::DIRECTIVES),\n    (\"Gzip\", gzip::DIRECTIVES),\n];\n"),
        "{text}"
    );
}

#[test]
fn the_real_lists_can_be_entered() {
    let root = crate::root();
    for kind in KINDS {
        let text = read(&root.join(kind.list)).unwrap();
        let entered = enter(&text, kind, "a_new_one").unwrap();
        assert!(entered.len() > text.len(), "{}", kind.word);
    }
}

#[test]
fn names_are_modules() {
    assert!(check_name("deny_path2").is_ok());
    for name in ["", "Deny", "2fast", "a-b", "a/b"] {
        assert!(check_name(name).is_err(), "{name}");
    }
}
