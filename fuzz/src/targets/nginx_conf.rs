//! nginx's dialect: any text is a configuration or a list of mistakes, and a configuration is written in
//! YAML as the same.

use bifrons_config::Source;
use bifrons_nginx::{Defaults, Includes};

/// Words of the dialect.
pub const WORDS: &[&str] = &[
    ";",
    "{",
    "}",
    "\n",
    " ",
    "\"",
    "'",
    "\\",
    "#",
    "$",
    "${",
    "~",
    "~*",
    "^~",
    "=",
    "@",
    "http",
    "server",
    "location",
    "upstream",
    "events",
    "listen",
    "server_name",
    "proxy_pass",
    "proxy_set_header",
    "return",
    "root",
    "add_header",
    "include",
    "access_log",
    "log_format",
    "80",
    "443 ssl",
    "default_server",
    "http://",
    "unix:/",
    "10m",
    "1h",
    "off",
    "on",
    "$host",
    "$remote_addr",
    "$uri",
    "$1",
    "always",
    "weight=2",
    "max_fails=0",
    "backup",
    "301",
    "/",
    "*.",
    "_",
];

/// What the dialect takes and our YAML refuses: a variable whose declaring name was left out with a warning.
const KNOWN: &[&str] = &["unknown variable"];

/// Runs once.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let source = Source::new("nginx.conf", text);
    if let Err(problems) = bifrons_nginx::parse_tree(&source) {
        let _ = problems.to_string();
    }
    let defaults = Defaults { includes: Includes::Refused, ..Defaults::default() };
    match bifrons_nginx::parse(source, &defaults) {
        Ok(loaded) => {
            if let Err(refusal) = super::yaml_config::comes_back(&loaded.config) {
                assert!(KNOWN.iter().any(|known| refusal.contains(known)), "{refusal}");
            }
        }
        Err(problems) => assert!(!problems.to_string().is_empty(), "refused without a word"),
    }
}
