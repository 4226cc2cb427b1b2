//! `-t` and `-T`: whether the configuration would run.

use super::options::Options;
use super::say::{Say, Severity, open_failed, system_error};
use crate::load::{self, Loaded};
use crate::process;
use rustix::fs::OFlags;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Tries what a start needs: log files, the pid file, addresses. `loaded` has no mistake.
pub fn test(options: &Options, loaded: &Loaded, say: &Say) -> Result<(), ()> {
    let file = options.file();
    let file = file.display();
    if !options.quiet {
        eprintln!("nginx: the configuration file {file} syntax is ok");
    }
    try_files(loaded, say)?;
    try_addresses(loaded, say)?;
    if !options.quiet {
        eprintln!("nginx: configuration file {file} test is successful");
    }
    if options.dump {
        // Who has stopped reading has enough.
        let _ = dump(loaded);
    }
    Ok(())
}

fn try_files(loaded: &Loaded, say: &Say) -> Result<(), ()> {
    let config = &loaded.config;
    for path in process::log_files(config) {
        try_file(&path, say)?;
    }
    match &config.pid_file {
        Some(path) => try_file(Path::new(path), say),
        None => Ok(()),
    }
}

/// Opens the file to write, and leaves it as it is then, as nginx does: to remove one that was not there
/// before could take it from a process that has just opened it.
fn try_file(path: &Path, say: &Say) -> Result<(), ()> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    match OpenOptions::new().append(true).create(true).custom_flags(flags).open(path) {
        Ok(_) => Ok(()),
        // A pipe without a reader.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => Ok(()),
        Err(error) => {
            say.line(Severity::Emerg, &open_failed(&path.display().to_string(), &error));
            Err(())
        }
    }
}

/// Binds each address; one that is in use is most likely so by the proxy that runs.
fn try_addresses(loaded: &Loaded, say: &Say) -> Result<(), ()> {
    let Ok(plan) = load::dry_run(loaded) else { return Ok(()) };
    for listener in &plan.listeners {
        for addr in &listener.addrs {
            if addr.inet().is_none() {
                continue;
            }
            match process::try_bind(addr, &listener.options) {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    say.line(Severity::Emerg, &format!("bind() to {addr} failed ({})", system_error(&error)));
                    return Err(());
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// All files that were read, each once.
fn dump(loaded: &Loaded) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut shown: Vec<&str> = Vec::new();
    for source in &loaded.sources {
        if source.name == bifrons_nginx::COMMAND_LINE || shown.contains(&&*source.name) {
            continue;
        }
        shown.push(&source.name);
        writeln!(out, "# configuration file {}:", source.name)?;
        // As it is on disk: what is no UTF-8 was replaced when it was read.
        match std::fs::read(&source.name) {
            Ok(bytes) => out.write_all(&bytes)?,
            Err(_) => out.write_all(source.text.as_bytes())?,
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}
