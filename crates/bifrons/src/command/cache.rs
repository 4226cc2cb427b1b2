//! `cache purge` and `cache inspect`: a word to the admin listener of the running process.

use super::{Failure, print};
use crate::cli::{AdminArgs, CacheCommand, PurgeArgs};
use crate::load::Origin;
use bifrons_net::Addr;
use bifrons_store::{Mode, Purge, Scope};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// A purge is answered when it is on disk; an inspection looks at all entries.
const LIMIT: Duration = Duration::from_secs(30);

/// What the listener may say: some 100,000 stored answers.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// `bifrons cache …`.
pub fn run(command: &CacheCommand) -> Result<(), Failure> {
    match command {
        CacheCommand::Purge(args) => {
            let purge = purge(args);
            let body = serde_json::to_string(&purge).map_err(|error| error.to_string())?;
            let answer = ask(&args.admin, "POST", "/cache/purge", &body)?;
            let zones = answer["zones"].as_u64().unwrap_or_default();
            let done = if args.soft { "marked as stale" } else { "purged" };
            print(&format!("{done} in {zones} cache{}\n", if zones == 1 { "" } else { "s" }))
        }
        CacheCommand::Inspect(args) => {
            let mut path = format!("/cache?url={}", escape(&args.url));
            if let Some(zone) = &args.admin.zone {
                let _ = write!(path, "&zone={}", escape(zone));
            }
            let answer = ask(&args.admin, "GET", &path, "")?;
            match answer.as_array().filter(|rows| !rows.is_empty()) {
                Some(_) => {
                    let text = serde_json::to_string_pretty(&answer).map_err(|error| error.to_string())?;
                    print(&format!("{text}\n"))
                }
                None => print("nothing is stored under this URL\n"),
            }
        }
    }
}

fn purge(args: &PurgeArgs) -> Purge {
    let scopes = [
        args.url.clone().map(Scope::Url),
        args.prefix.clone().map(Scope::Prefix),
        args.host.clone().map(Scope::Host),
        args.tag.clone().map(Scope::Tag),
    ];
    Purge {
        zone: args.admin.zone.clone(),
        // One of them is there: see `PurgeArgs`.
        what: scopes.into_iter().flatten().next().unwrap_or(Scope::All),
        mode: if args.soft { Mode::Soft } else { Mode::Hard },
    }
}

/// Asks the admin listener; its refusal is a failure.
fn ask(args: &AdminArgs, method: &str, path: &str, body: &str) -> Result<serde_json::Value, Failure> {
    let (address, token_file) = listener(args)?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n");
    if let Some(path) = token_file {
        let token = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read the token in {}: {error}", path.display()))?;
        let _ = write!(request, "Authorization: Bearer {}\r\n", token.trim());
    }
    let _ = write!(request, "Content-Length: {}\r\n\r\n{body}", body.len());
    let answer = exchange(&address, request.as_bytes())
        .map_err(|error| format!("cannot ask the admin listener at {address}: {error}"))?;
    let odd = || format!("what answers at {address} is no admin listener");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(odd)?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(body).map_err(|_| odd())?;
    match value["error"].as_str() {
        Some(why) => Err(format!("{why} ({status})").into()),
        None if status == "200" => Ok(value),
        None => Err(odd().into()),
    }
}

/// Where the admin listener is, and its token.
fn listener(args: &AdminArgs) -> Result<(Addr, Option<PathBuf>), Failure> {
    let (bind, token) = match &args.config {
        Some(file) => {
            let loaded = Origin::of(std::slice::from_ref(file), false)?.load()?.finish();
            let admin = loaded.config.admin;
            let admin = admin.ok_or_else(|| format!("{} has no `admin`", file.display()))?;
            (admin.bind, admin.token_file.map(PathBuf::from))
        }
        None => (args.admin.clone(), args.token_file.clone()),
    };
    let address = bind.parse().map_err(|error| format!("{bind:?} is no address: {error}"))?;
    Ok((address, token))
}

fn exchange(address: &Addr, request: &[u8]) -> io::Result<String> {
    match address {
        Addr::Inet(inet) => {
            let mut stream = TcpStream::connect_timeout(inet, LIMIT)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.write_all(request)?;
            read(stream)
        }
        Addr::Unix(path) => {
            let mut stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.write_all(request)?;
            read(stream)
        }
        Addr::Udp(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "the admin listener speaks TCP")),
    }
}

fn read(stream: impl Read) -> io::Result<String> {
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

/// As a value of a query.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                out.push(byte.into());
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
