use super::*;

fn of_file(krate: &str, path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    file(krate, path, text, &mut problems);
    problems
}

#[test]
fn what_a_file_must_not_hold_is_found() {
    assert_eq!(of_file("flow", "crates/flow/src/a.rs", "//! A.\nfn a() { unsafe { b() } }\n").len(), 1);
    assert_eq!(of_file("net", "crates/net/src/a.rs", "//! A.\nfn a() { unsafe { b() } }\n").len(), 0);
    assert_eq!(of_file("flow", "crates/flow/src/a.rs", "fn a() { todo!() }\n").len(), 2);
    assert_eq!(
        of_file("flow", "crates/flow/src/a.rs", "//! A.\n// unsafe { } would do, todo!() too\n").len(),
        0
    );
}

#[test]
fn long_files_are_found_but_for_tests() {
    let text = format!("//! A.\n{}", "\n".repeat(FILE_LINES_MAX));
    assert_eq!(of_file("flow", "crates/flow/src/a.rs", &text).len(), 1);
    assert_eq!(of_file("flow", "crates/flow/src/a/tests.rs", &text).len(), 0);
}

#[test]
fn crates_use_only_what_lies_below() {
    let manifest = "[dependencies]\nbifrons-core.workspace = true\nbifrons-flow = { path = \"x\" }\n\n[dev-dependencies]\nbifrons-control.workspace = true\n";
    let mut problems = Vec::new();
    layers("filters", manifest, &mut problems);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("bifrons-flow"), "{problems:?}");
    layers("unheard_of", "", &mut problems);
    assert_eq!(problems.len(), 2, "{problems:?}");
}
