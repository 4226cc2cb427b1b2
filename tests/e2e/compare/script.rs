//! The script of a client, and what came of it.

use super::case::{Case, Part, Step};
use super::endpoint::{self, Endpoint};
use super::servers::{Server, Values, addr};
use super::told;
use crate::websocket;
use bifrons_testkit::{Message, TempDir, Wire, free_addr, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// What a server made of a case: an entry for each step, for each endpoint, for each log.
pub(super) struct Outcome {
    pub(super) steps: Vec<String>,
    pub(super) others: Vec<(String, String)>,
}

/// More than nginx, whose clock has whole seconds, makes of one.
const LATER: Duration = Duration::from_secs(3);

/// What bytes a request is that no server takes, to see whether a connection is still open.
const PROBE: &[u8] = b"PROBE\r\n\r\n";

/// nginx, where it is installed, ours, and ours with the YAML that is shown.
pub(super) fn run_all(case: &Case, site: &TempDir) -> (Option<Outcome>, Outcome, Outcome) {
    let run = |start: &(dyn Fn(&str, &Values) -> Option<Server> + Sync)| run(case, site, start);
    std::thread::scope(|scope| {
        let nginx = scope.spawn(|| run(&Server::nginx));
        let ours = scope.spawn(|| run(&|conf, values| Some(Server::of_conf(conf, values))));
        let shown = run(&|conf, values| Some(Server::of_yaml(conf, values)));
        let name = case.name;
        let nginx = nginx.join().unwrap_or_else(|_| panic!("{name}: with nginx"));
        let ours = ours.join().unwrap_or_else(|_| panic!("{name}: with nginx.conf"));
        (nginx, ours.expect("it always runs"), shown.expect("it always runs"))
    })
}

fn run(case: &Case, site: &TempDir, start: impl Fn(&str, &Values) -> Option<Server>) -> Option<Outcome> {
    let dir = TempDir::new();
    let mut values = Values::new();
    values.insert("dir".to_owned(), dir.path().display().to_string());
    values.insert("site".to_owned(), site.path().display().to_string());
    let mut endpoints = Vec::new();
    for name in names(&case.conf) {
        let value = if name.starts_with("app") {
            let endpoint = Endpoint::start(&name, &case.answers);
            let addr = endpoint.addr();
            endpoints.push((name.clone(), endpoint));
            addr
        } else {
            free_addr()
        };
        values.entry(name).or_insert_with(|| value.to_string());
    }
    let server = start(&case.conf, &values)?;
    let outcome = play(case, &values, &endpoints, dir.path());
    drop(server);
    Some(outcome)
}

/// Takes the steps with a server that runs; logs are in that directory.
pub(super) fn play(case: &Case, values: &Values, endpoints: &[(String, Endpoint)], logs: &Path) -> Outcome {
    let mut steps = Vec::new();
    let mut kept: Option<Wire> = None;
    let mut begun: BTreeMap<&str, (Wire, &Step)> = BTreeMap::new();
    let got = || endpoints.iter().map(|(_, endpoint)| endpoint.got().len()).sum::<usize>();
    for (at, step) in case.steps.iter().enumerate() {
        if step.is_later {
            std::thread::sleep(LATER);
        }
        if let Part::Begin(name) | Part::Wait(name) = step.part {
            let (before, mut wire) = (got(), Wire::connect(addr(values, step.to)));
            wire.send(&step.bytes);
            if matches!(step.part, Part::Begin(_)) {
                wait_until(&format!("{}: {} is at an endpoint", case.name, step.text), || got() > before);
            }
            begun.insert(name, (wire, step));
            steps.push(String::new());
            continue;
        }
        if let Part::End(name) = step.part {
            let (mut wire, of) = begun.remove(name).unwrap_or_else(|| panic!("{}: {}", case.name, step.text));
            let (said, is_open) = answers(&mut wire, of, values);
            steps.push(said + if is_open { "" } else { "closed" });
            continue;
        }
        let goes_on = case.steps.get(at + 1).is_some_and(|next| next.same_connection);
        let mut wire = match (step.same_connection, kept.take()) {
            (true, Some(wire)) => wire,
            _ => Wire::connect(addr(values, step.to)),
        };
        let (mut said, is_open) = ask(&mut wire, step, values);
        match (is_open, goes_on) {
            (true, true) => kept = Some(wire),
            (true, false) if case.logs.is_empty() => said += &fate(&mut wire),
            (true, false) => {}
            (false, _) => said += "closed",
        }
        steps.push(said);
    }
    let mut others: Vec<_> = endpoints
        .iter()
        .map(|(name, endpoint)| {
            (format!("what {name} got"), told::places(&endpoint.got().join("\n"), values))
        })
        .collect();
    let requests = case.steps.iter().map(|step| step.methods.len()).sum();
    for (log, count) in &case.logs {
        let count = count.unwrap_or(requests);
        // Not all bytes in them need be text.
        let read = || std::fs::read(logs.join(log)).unwrap_or_default();
        let is_whole = || read().iter().filter(|byte| **byte == b'\n').count() >= count;
        wait_until(&format!("{}: {log} is written", case.name), is_whole);
        others.push((
            format!("the log {log}"),
            sorted(&told::places(&String::from_utf8_lossy(&read()), values)),
        ));
    }
    Outcome { steps, others }
}

/// The lines in order: each worker writes those of its connections.
fn sorted(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The names between two `@` of a configuration.
fn names(conf: &str) -> BTreeSet<String> {
    let parts: Vec<_> = conf.split('@').collect();
    let is_name = |part: &&&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let inner = parts.get(1..parts.len() - 1).unwrap_or_default();
    inner.iter().filter(is_name).map(|part| (*part).to_owned()).collect()
}

/// Sends a step and reads its answers; whether the connection may still be open.
fn ask(wire: &mut Wire, step: &Step, values: &Values) -> (String, bool) {
    // The other end may refuse before all is sent.
    let mut writer = wire.twin();
    let names = values.iter().map(|(name, value)| (format!("@{name}@"), value));
    let bytes = names.fold(step.bytes.clone(), |bytes, (name, value)| {
        endpoint::replace(&bytes, name.as_bytes(), value.as_bytes())
    });
    let sending = std::thread::spawn(move || writer.try_send(bytes).is_ok());
    let (said, is_open) = answers(wire, step, values);
    let _ = sending.join();
    (said, is_open)
}

/// Reads the answers to a step that was sent; whether the connection may still be open.
fn answers(wire: &mut Wire, step: &Step, values: &Values) -> (String, bool) {
    let mut said = String::new();
    let mut is_open = true;
    'requests: for method in &step.methods {
        loop {
            match wire.try_read(Some(method)) {
                Ok(message) => {
                    said += &told::answer(&message, method, values);
                    is_open = stays_open(&message, method);
                    if let (101, Some(messages)) = (message.status(), &step.messages) {
                        said += &websocket::talk(wire, messages);
                        is_open = false;
                    }
                    if message.status() >= 200 || message.status() == 101 {
                        break;
                    }
                }
                Err(cut) => {
                    said += &told::cut(&cut, method, values);
                    is_open = false;
                    break 'requests;
                }
            }
        }
    }
    if !is_open {
        // The end must come, whether asked for or not.
        let (rest, _) = wire.read_to_end();
        if !rest.is_empty() {
            said += &format!("and more: {}\n", rest.escape_ascii());
        }
    }
    (said, is_open)
}

/// Whether the head says that more may follow on the connection.
fn stays_open(message: &Message, method: &str) -> bool {
    let says = |word: &str| message.all("Connection").iter().any(|value| value.eq_ignore_ascii_case(word));
    let has_end = method == "HEAD"
        || message.has("Content-Length")
        || message.has("Transfer-Encoding")
        || [204, 304].contains(&message.status())
        || message.status() < 200;
    has_end && !says("close") && (message.start.starts_with("HTTP/1.1") || says("keep-alive"))
}

/// Whether a connection that was not said to end is open.
fn fate(wire: &mut Wire) -> String {
    let is_open = wire.try_send(PROBE).is_ok() && wire.try_read(Some("GET")).is_ok();
    if is_open { "kept" } else { "closed without a word" }.to_owned()
}
