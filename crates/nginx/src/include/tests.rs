use super::*;
use crate::notes::Notes;
use bifrons_config::Problems;
use tempfile::TempDir;

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
    directory
}

/// The names of the directives of `main.conf`, blocks opened, and what is wrong.
fn names(files: &[(&str, &str)]) -> (Vec<String>, Problems) {
    fn collect(block: &[Directive], names: &mut Vec<String>) {
        for directive in block {
            names.push(directive.name.text.clone());
            collect(directive.block.as_deref().unwrap_or_default(), names);
        }
    }
    let directory = directory(files);
    let text = read_main(&directory.path().join("main.conf")).expect("main.conf");
    let source = Source::new("main.conf", text);
    let mut notes = Notes::default();
    let tree = parser::parse(&source, &mut notes);
    let tree = Includer::new(Includes::FromDisk, directory.path()).expand(tree, &mut notes);
    let mut names = Vec::new();
    collect(&tree, &mut names);
    (names, notes.problems)
}

#[test]
fn files_take_the_place_of_their_include() {
    let (found, problems) = names(&[
        ("main.conf", "a; include sub/b.conf; http { include sites/*; z; }"),
        ("sub/b.conf", "b; include c.conf;"),
        ("c.conf", "c;"),
        ("sites/2", "s2;"),
        ("sites/10", "s10;"),
        ("sites/.hidden", "never;"),
    ]);
    assert_eq!(found, ["a", "b", "c", "http", "s10", "s2", "z"]);
    assert!(problems.is_empty());
}

#[test]
fn a_pattern_may_find_nothing_a_name_may_not() {
    let (found, problems) = names(&[("main.conf", "include none/*.conf;\n  include none.conf;\n a;")]);
    assert_eq!(found, ["a"]);
    let [problem] = &*problems.0 else { panic!("{problems}") };
    assert!(problem.message.starts_with("open() \""), "{problem:?}");
    assert!(problem.message.ends_with("none.conf\" failed (2: No such file or directory)"), "{problem:?}");
    assert_eq!(problem.place.as_ref().expect("a place").line_column(), (2, 3));
}

#[test]
fn loops_end() {
    let (_, problems) = names(&[("main.conf", "include main.conf;")]);
    assert_eq!(problems.0[0].message, "more than 16 files include each other");
    // Twice in each file would be 2^16 files.
    let (_, problems) = names(&[("main.conf", "include main.conf; include main.conf;")]);
    assert!(!problems.is_empty());
}

#[test]
fn a_directory_and_old_encodings() {
    let (_, problems) = names(&[("main.conf", "include sub;"), ("sub/x", "")]);
    assert!(problems.0[0].message.ends_with("failed (21: Is a directory)"));

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("latin1");
    std::fs::write(&path, b"# gr\xfc\xdfe\na;").expect("a file");
    assert!(read_main(&path).expect("text").ends_with("\na;"));
}
