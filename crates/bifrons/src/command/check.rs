//! `check` and `show`: what a configuration says, without running it.

use super::{Failure, print};
use crate::cli::{CheckArgs, FileArgs};
use crate::load::{self, Loaded, Origin};
use bifrons_config::Problem;
use bifrons_control::dump;
use std::io::IsTerminal;

/// `bifrons check`.
pub fn check(args: &CheckArgs) -> Result<(), Failure> {
    let loaded = good(&args.files)?;
    for warning in &loaded.warnings {
        warn(warning);
    }
    if args.verbose {
        for (place, why) in &loaded.accepted {
            let (line, column) = place.line_column();
            print(&format!("{}:{line}:{column}: {why}\n", place.source.name))?;
        }
    }
    let files: Vec<String> = args.files.files.iter().map(|file| file.display().to_string()).collect();
    let config = &loaded.config;
    let counts = [
        (config.listeners.len(), "listener"),
        (config.hosts.len(), "host"),
        (config.hosts.iter().map(|host| host.routes.len()).sum(), "route"),
        (config.clusters.len(), "cluster"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .map(|(count, word)| format!("{count} {word}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    print(&format!("{}: good ({})\n", files.join(", "), counts.join(", ")))
}

/// `bifrons show`.
pub fn show(args: &FileArgs) -> Result<(), Failure> {
    print(&dump::to_yaml(&good(args)?.config)?)
}

/// A configuration without mistakes.
fn good(args: &FileArgs) -> Result<Loaded, Failure> {
    let loaded = Origin::of(&args.files, args.nginx)?.load()?.finish();
    load::dry_run(&loaded)?;
    Ok(loaded)
}

/// In the same form as a mistake, but for the first word.
fn warn(warning: &Problem) {
    let text = if std::io::stderr().is_terminal() { warning.to_ansi() } else { warning.to_string() };
    eprintln!("{}\n", text.replacen("error", "warning", 1));
}
