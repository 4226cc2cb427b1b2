//! Other files merged in.

use super::*;
use std::fs;
use tempfile::TempDir;

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("directory");
        fs::write(path, text).expect("file");
    }
    directory
}

fn read(directory: &TempDir) -> Result<Config, String> {
    load_file(&directory.path().join("main.yaml")).map_err(|problems: Problems| {
        let root = format!("{}/", directory.path().display());
        problems.0.iter().map(Problem::one_line).collect::<Vec<_>>().join("\n").replace(&root, "")
    })
}

#[test]
fn maps_merge_and_lists_append() {
    let directory = directory(&[
        ("main.yaml", "include: [conf.d/*.yaml]\nworkers: 1\nhosts: [{ names: m }]\nclusters: { m: {} }"),
        ("conf.d/b.yaml", "hosts: [{ names: b }]\nclusters: { b: {} }"),
        (
            "conf.d/a.yaml",
            "include: deeper/x.yaml\nhosts: [{ names: a }]\nclusters: { a: {} }\nverbose: true",
        ),
        ("conf.d/deeper/x.yaml", "hosts: [{ names: x }]"),
        ("conf.d/.hidden.yaml", "nonsense: 1"),
        ("conf.d/empty.yaml", ""),
        ("conf.d/note.txt", "nonsense: 1"),
    ]);
    let config = read(&directory).expect("config");
    let names: Vec<_> = config.hosts.iter().map(|host| host.names[0].as_str()).collect();
    assert_eq!(names, ["m", "a", "x", "b"]);
    assert_eq!(config.clusters.keys().collect::<Vec<_>>(), ["m", "a", "b"]);
    assert!(config.verbose);
}

#[test]
fn mistakes_name_the_file_they_are_in() {
    let directory = directory(&[
        ("main.yaml", "include: [a.yaml, b.yaml]\nclusters: { one: {} }\nworkers: x"),
        ("a.yaml", "clusters: { one: {} }\nhosts: [{ nmes: a }]\nworkers: 2"),
        ("b.yaml", "hosts: ["),
    ]);
    let told = read(&directory).expect_err("mistakes");
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    assert!(lines[0].starts_with("main.yaml:3:10: expected"), "{told}");
    assert_eq!(lines[1], "a.yaml:1:13: \"one\" is already set at main.yaml:2:13");
    assert_eq!(lines[2], "a.yaml:2:11: unknown key \"nmes\"");
    assert_eq!(lines[3], "a.yaml:3:1: \"workers\" is already set at main.yaml:3:1");
    assert!(lines[4].starts_with("b.yaml:1:8: not valid YAML"), "{told}");
}

#[test]
fn what_cannot_be_included_is_told_at_the_pattern() {
    for (text, told) in [
        ("include: none.yaml", "main.yaml:1:10: cannot read \"none.yaml\": No such file"),
        ("include: [main.yaml]", "main.yaml:1:11: \"main.yaml\" includes itself"),
        ("include: [back.yaml]", "back.yaml:1:10: \"main.yaml\" includes itself"),
        ("include: ['*/x.yaml']", "main.yaml:1:11: wildcard before the last \"/\""),
        ("include: [list.yaml]", "list.yaml:1:1: an included file must be a map"),
        ("include: [[]]", "main.yaml:1:11: an include must be the path of a file"),
        ("include:", "main.yaml:1:1: an include must be the path of a file"),
        ("include: binary.yaml", "main.yaml:1:10: \"binary.yaml\" is not UTF-8: byte 0"),
    ] {
        let directory =
            directory(&[("main.yaml", text), ("back.yaml", "include: main.yaml"), ("list.yaml", "[1]")]);
        fs::write(directory.path().join("binary.yaml"), [0xff]).expect("file");
        let found = read(&directory).expect_err(text);
        assert!(found.starts_with(told), "{text}: {found}");
    }
    let none = directory(&[("main.yaml", "include: ['*.none']")]);
    assert_eq!(read(&none), Ok(Config::default()));
}

#[test]
fn includes_are_not_followed_without_end() {
    let mut files: Vec<(String, String)> =
        (0..20).map(|at| (format!("f{at}.yaml"), format!("include: f{}.yaml", at + 1))).collect();
    files.push(("main.yaml".to_owned(), "include: f0.yaml".to_owned()));
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let told = read(&directory(&files)).expect_err("too deep");
    assert!(told.contains("includes nested more than 10 levels deep"), "{told}");
}

#[test]
fn a_file_that_is_not_there() {
    let problems = load_file::<Config>(Path::new("/nonexistent/a.yaml")).expect_err("no file");
    assert!(problems.to_string().starts_with("error: cannot read \"/nonexistent/a.yaml\""), "{problems}");
}
