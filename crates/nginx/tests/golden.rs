//! nginx.conf in, model out: `golden/*.conf` each hold a family of directives, `broken/*.conf` mistakes.

use bifrons_config::{Problem, Source};
use bifrons_nginx::{Defaults, Loaded, load, parse};
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = std::fs::read_dir(directory).expect("the directory");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    files
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).expect("a name")
}

fn said(problem: &Problem) -> String {
    let mut text = String::new();
    if let Some(place) = &problem.place {
        let (line, column) = place.line_column();
        let under = place.source.text.get(place.range.clone()).unwrap_or_default();
        let file = Path::new(&place.source.name).file_name().and_then(|name| name.to_str()).unwrap_or("");
        let _ = write!(text, "{file}:{line}:{column} [{under}] ");
    }
    text.push_str(&problem.message);
    if let Some(help) = &problem.help {
        let _ = write!(text, "\n    {help}");
    }
    text + "\n"
}

/// The model as YAML, then warnings and what was accepted. Where the project lies is left out.
fn shown(loaded: &Loaded) -> String {
    let text = serde_saphyr::to_string(&loaded.config).expect("YAML");
    let mut text = text.replace(concat!(env!("CARGO_MANIFEST_DIR"), "/../../"), "@project@/");
    for warning in &loaded.warnings {
        let _ = write!(text, "# warning: {}", said(warning).replace("\n    ", "\n#     "));
    }
    for (place, why) in &loaded.accepted {
        let _ = writeln!(text, "# accepted: {}: {why}", place.line_column().0);
    }
    text
}

#[test]
fn golden() {
    for path in files("tests/golden") {
        match load(&path, &Defaults::default()) {
            Ok(loaded) => insta::assert_snapshot!(stem(&path), shown(&loaded)),
            Err(problems) => panic!("{problems}"),
        }
    }
}

#[test]
fn broken() {
    for path in files("tests/broken") {
        match load(&path, &Defaults::default()) {
            Ok(loaded) => panic!("{} loads:\n{}", path.display(), shown(&loaded)),
            Err(problems) => {
                let text: String = problems.0.iter().map(said).collect();
                insta::assert_snapshot!(format!("broken-{}", stem(&path)), text);
            }
        }
    }
}

/// The files that people are shown run as they are.
#[test]
fn shipped() {
    for path in files("../../conf/nginx") {
        match load(&path, &Defaults::default()) {
            Ok(loaded) => insta::assert_snapshot!(format!("conf-{}", stem(&path)), shown(&loaded)),
            Err(problems) => panic!("{problems}"),
        }
    }
}

/// What `show` prints is the same configuration.
#[test]
fn the_yaml_reads_back() {
    for path in files("tests/golden").into_iter().chain(files("../../conf/nginx")) {
        let config = load(&path, &Defaults::default()).expect("loads").config;
        let yaml = serde_saphyr::to_string(&config).expect("YAML");
        let source = Source::new("shown.yaml", yaml);
        let options =
            bifrons_config::yaml::Options { declared: Some(&bifrons_model::declared), ..Default::default() };
        let back: bifrons_model::Config = bifrons_config::yaml::load(&source, &options)
            .unwrap_or_else(|problems| panic!("{}: {problems}\n{}", path.display(), source.text));
        assert_eq!(back, config, "{}", path.display());
    }
}

proptest::proptest! {
    #[test]
    fn never_panics(text in r#"(http|server|location|upstream|listen|return|proxy_pass|root|types|alias|if|access_log|log_format|[a$"'\\{};#~=/ \n0-9]){0,60}"#) {
        let defaults = Defaults { includes: bifrons_nginx::Includes::Refused, ..Defaults::default() };
        let _ = parse(Source::new("t.conf", text.clone()), &defaults);
        let _ = parse(Source::new("t.conf", format!("http {{ server {{ {text} }} {text} }}")), &defaults);
    }
}
