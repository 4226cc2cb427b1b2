//! What is written by hand is held to the code too: configurations load, limits are what they are said to be.

use bifrons_config::{Source, yaml};
use bifrons_flow::{Shared, build};
use bifrons_model::{Cluster, Config, Listener, Shutdown};
use bifrons_nginx::{Defaults, Includes};
use bifrons_observe::Registry;
use bifrons_observe::access::AccessLogger;
use bifrons_testkit::{Authority, KeyKind, TempDir};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// The pages, by name and text.
fn pages() -> Vec<(String, String)> {
    let root = crate::root();
    let guide = root.join("docs/guide");
    let mut paths: Vec<PathBuf> = guide.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.push(root.join("README.md"));
    paths.into_iter().map(|path| (path.display().to_string(), crate::read(&path).unwrap())).collect()
}

/// The blocks of code in that language.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let opening = format!("```{language}\n");
    page.split(opening.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The files of TLS that a page names, in a directory of their own.
fn tls_files(text: &str) -> TempDir {
    let (dir, ca) = (TempDir::new(), Authority::new("Guide"));
    let pair = ca.issue(&["site.example"], KeyKind::Ecdsa);
    let crl = ca.revoke(&[]);
    for (key, content) in [
        ("cert: ", &pair.cert),
        ("key: ", &pair.key),
        ("ca: ", &ca.pem),
        ("crl: ", &crl),
        ("ssl_certificate ", &pair.cert),
        ("ssl_certificate_key ", &pair.key),
        ("ssl_client_certificate ", &ca.pem),
        ("ssl_trusted_certificate ", &ca.pem),
    ] {
        for rest in text.split(key).skip(1) {
            let name = rest.trim_start().split([',', ' ', '}', ';', '\n']).next().unwrap();
            dir.write(name, content);
        }
    }
    dir
}

fn checked(config: Config, text: &str) -> Result<(), String> {
    let dir = tls_files(text);
    let access = AccessLogger::start().unwrap();
    let shared = Shared::new(Registry::new(SystemTime::now()), access, std::sync::Arc::default());
    let options = build::Options { dry_run: true, base: dir.path().to_owned(), ..build::Options::default() };
    build::build(Arc::new(config), &shared, &options).map(drop).map_err(|problems| problems.to_string())
}

#[test]
fn yaml_in_the_guide_loads_and_builds() {
    for (name, page) in pages() {
        for block in blocks(&page, "yaml") {
            // The files that the guide includes are not there.
            let text = block.replace("include: [conf.d/*.yaml]", "");
            let source = Source::new(name.as_str(), text.as_str());
            let options =
                yaml::Options { declared: Some(&bifrons_model::declared), ..yaml::Options::default() };
            let mut config: Config =
                yaml::load(&source, &options).unwrap_or_else(|problems| panic!("{problems}"));
            if config.listeners.is_empty() {
                let web = "listeners: { web: { bind: \":80\" } }";
                let web: Config = yaml::load(&Source::new("", web), &yaml::Options::default()).unwrap();
                config.listeners = web.listeners;
            }
            checked(config, &text).unwrap_or_else(|problems| panic!("{name}:\n{text}\n{problems}"));
        }
    }
}

#[test]
fn nginx_conf_in_the_guide_loads_and_builds() {
    let defaults = Defaults { includes: Includes::Refused, ..Defaults::default() };
    for (name, page) in pages() {
        for block in blocks(&page, "nginx") {
            let loaded = bifrons_nginx::parse(Source::new(name.as_str(), block), &defaults);
            let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
            checked(loaded.config, block).unwrap_or_else(|problems| panic!("{name}:\n{problems}"));
        }
    }
}

#[test]
fn limits_are_what_the_guide_says() {
    let json = |value: Result<Value, serde_json::Error>| value.unwrap();
    let mut listener = json(serde_json::to_value(Listener::default()));
    // What holds where a listener has datagrams.
    let udp: bifrons_model::Udp = serde_json::from_value("dns".into()).unwrap();
    listener["udp"] = serde_json::json!({
        "sessions": udp.sessions,
        "sessions_per_address": udp.sessions_per_address,
    });
    let cluster = json(serde_json::to_value(Cluster::default()));
    let shutdown = json(serde_json::to_value(Shutdown::default()));
    let log = serde_json::json!({
        "queue": bifrons_observe::config::AccessLog::QUEUE,
        "flush": bifrons_observe::config::AccessLog::FLUSH,
    });
    let zone = json(serde_json::to_value(bifrons_store::ZoneConfig::default()));
    let owners = [
        ("listeners.*.", &listener),
        ("clusters.*.", &cluster),
        ("shutdown.", &shutdown),
        ("access_log.", &log),
        ("caches.*.", &zone),
    ];
    let mut seen = 0;
    for (key, default) in rows() {
        let Some((rest, owner)) =
            owners.iter().find_map(|(name, owner)| Some((key.strip_prefix(name)?, owner)))
        else {
            continue;
        };
        let value = rest.split('.').try_fold(*owner, |value, part| value.get(part));
        let value = value.unwrap_or_else(|| panic!("no key {key}"));
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(value, default, "{key}");
        seen += 1;
    }
    assert!(seen > 20, "{seen} keys");
}

#[test]
fn fixed_bounds_exist_by_their_names() {
    let text = crate::read(&crate::root().join("docs/guide/limits.md")).unwrap();
    let fixed = text.split("## Fixed").nth(1).unwrap();
    let names =
        fixed.lines().filter_map(|line| line.strip_suffix("` |")?.rsplit_once('`')).map(|(_, name)| name);
    let names: Vec<_> = names.collect();
    assert!(names.len() > 20, "{names:?}");
    let code: String = crate::layout::all_sources(&crate::root()).unwrap();
    for name in names {
        assert!(code.contains(&format!("const {name}: ")), "no bound is called {name}");
    }
}

/// Key and default of the rows of limits.md.
fn rows() -> Vec<(String, String)> {
    let text = crate::read(&crate::root().join("docs/guide/limits.md")).unwrap();
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split('|');
        Some((cell(cells.next()?), cell(cells.next()?)))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn every_dependency_has_its_reason() {
    let root = crate::root();
    let manifest = crate::read(&root.join("Cargo.toml")).unwrap();
    let page = crate::read(&root.join("docs/dev/dependencies.md")).unwrap();
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let names = section.lines().filter_map(|line| Some(line.split_once(" = ")?.0));
    for name in names.filter(|name| !name.starts_with("bifrons-")) {
        let listed = page.lines().any(|line| line.starts_with('|') && line.contains(name));
        assert!(listed, "docs/dev/dependencies.md does not say what {name} is for");
    }
}
