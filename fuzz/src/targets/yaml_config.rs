//! YAML: any text is a configuration or a list of mistakes, and a configuration is written as the same.

use bifrons_config::yaml::{Options, load};
use bifrons_config::{Problems, Source};
use bifrons_model::Config;

/// Words of the model and of YAML.
pub const WORDS: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "\"",
    "'",
    "#",
    "&a",
    "*a",
    "|",
    ">",
    "---",
    "~",
    "null",
    "true",
    "1",
    "1m",
    "60s",
    "5%",
    "${env:X}",
    "${env:X:-y}",
    "$$",
    "$host",
    "listeners:",
    "hosts:",
    "clusters:",
    "bind:",
    "names:",
    "routes:",
    "path:",
    "filters:",
    "proxy:",
    "redirect:",
    "respond:",
    "static:",
    "endpoints:",
    "balance:",
    "match:",
    "all:",
    "any:",
    "not:",
    "header:",
    "request_headers:",
    "set:",
    "remove:",
    "fault:",
    "replace_body:",
];

/// Runs once.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Other files are no part of the text.
    if text.contains("include") {
        return;
    }
    match read(text) {
        Ok(config) => comes_back(&config).unwrap(),
        Err(problems) => assert!(!problems.to_string().is_empty(), "refused without a word"),
    }
}

/// Writes a configuration and reads it again; gives back why it is refused, if it is.
pub fn comes_back(config: &Config) -> Result<(), String> {
    let written = printable(&serde_json::to_string(config).unwrap());
    match read(&written) {
        Ok(again) => {
            assert!(again == *config, "written as something else: {written}");
            Ok(())
        }
        Err(problems) => Err(format!("what we write is refused: {problems}\n{written}")),
    }
}

/// JSON leaves some characters as they are that our YAML parser takes only escaped (YAML 1.2.2 5.1 calls them
/// unprintable; it would allow them in quotes).
fn printable(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            char => out.push(char),
        }
    }
    out
}

fn read(text: &str) -> Result<Config, Problems> {
    let env = |name: &str| (name == "X").then(|| "x".to_owned());
    let options = Options { env: &env, directory: None, declared: Some(&bifrons_model::declared) };
    load(&Source::new("bifrons.yaml", text), &options)
}
