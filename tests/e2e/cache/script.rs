//! Conversations about one URL, written down: what a client asks, what the origin would say, what must come of it.
//!
//! A script is lines. `? METHOD [TARGET]` asks, `! STATUS` is what the origin says if it is asked (several: those
//! before the last are interim answers; `! close`: nothing), `> …` is what must have come of it. `~ SECONDS` lets time
//! pass. Fields and expectations stand behind, with ` | ` between them. `@` is the script's own URL, `{-60}` the date a
//! minute ago.

use bifrons_http::date;
use bifrons_testkit::{Message, Origin, Proxy, Wire};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

/// The conversations of a test: a name and a script each.
pub(super) type Rows = Vec<(&'static str, String)>;

/// The origin's side of all scripts.
#[derive(Default)]
struct Stage {
    /// What it says, by the first segment of the path.
    answers: Mutex<HashMap<String, String>>,
    asked: Mutex<HashMap<String, Vec<Message>>>,
}

/// One thing that a client asks.
#[derive(Default)]
struct Step {
    pause: Duration,
    request: String,
    answer: String,
    expected: Vec<String>,
}

/// Plays every script before a proxy whose route has these settings for its cache; fails with all that failed.
#[track_caller]
pub(super) fn play(settings: &str, rows: Rows) {
    let stage = Arc::new(Stage::default());
    let origin = {
        let stage = stage.clone();
        Origin::script(move |wire| stage.serve(wire))
    };
    let proxy = super::support::cached(&origin, settings);
    let failed: Vec<String> = thread::scope(|scope| {
        let stage = &stage;
        let proxy = &proxy;
        let running: Vec<_> = rows
            .into_iter()
            .enumerate()
            .map(|(at, (name, script))| {
                let own = format!("/c{at}");
                let run = move || stage.run(proxy, &own, &script).map_err(|why| format!("{name}: {why}"));
                scope.spawn(run)
            })
            .collect();
        running.into_iter().filter_map(|row| row.join().unwrap().err()).collect()
    });
    assert!(failed.is_empty(), "{} scripts failed:\n{}", failed.len(), failed.join("\n"));
}

/// An answer with these fields is used for a second request.
pub(super) fn reused(fields: &str) -> String {
    format!("? GET\n! 200 | {fields}\n> asked\n? GET\n> stored")
}

/// An answer with these fields is not.
pub(super) fn not_reused(fields: &str) -> String {
    format!("? GET\n! 200 | {fields}\n> asked\n? GET\n> asked")
}

impl Stage {
    fn serve(&self, wire: &mut Wire) {
        while let Some(request) = wire.read_request() {
            let own = own_of(request.target());
            let number = {
                let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                let asked = asked.entry(own.clone()).or_default();
                asked.push(request.clone());
                asked.len()
            };
            let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&own).cloned();
            let Some(bytes) = answer.and_then(|answer| answer_bytes(&answer, &request, number)) else {
                return;
            };
            if wire.try_send(bytes).is_err() {
                return;
            }
        }
    }

    fn asked(&self, own: &str) -> Vec<Message> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(own).cloned().unwrap_or_default()
    }

    fn run(&self, proxy: &Proxy, own: &str, script: &str) -> Result<(), String> {
        let mut client = proxy.client();
        for (number, step) in steps(script, own).into_iter().enumerate() {
            thread::sleep(step.pause);
            self.answers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(own.to_owned(), step.answer.clone());
            let before = self.asked(own).len();
            let method = step.request.split(' ').next().unwrap_or_default().to_owned();
            client.send(dated(&step.request));
            let mut interim = Vec::new();
            let answer = loop {
                let answer = client.read_response_to(&method);
                if answer.status() >= 200 {
                    break answer;
                }
                interim.push(answer);
            };
            if answer.field("Connection") == Some("close") {
                client = proxy.client();
            }
            let asked = self.asked(own).split_off(before);
            for expected in &step.expected {
                if let Err(why) = check(&dated(expected), &answer, &interim, &asked) {
                    return Err(format!("request {}: {why}\n  {answer:?}", number + 1));
                }
            }
            let wants_status = step.expected.iter().any(|expected| expected.parse::<u16>().is_ok());
            if !wants_status && answer.status() != 200 {
                return Err(format!("request {}: status {}", number + 1, answer.status()));
            }
        }
        Ok(())
    }
}

/// The first segment of a target.
fn own_of(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    format!("/{}", path.split('/').nth(1).unwrap_or_default())
}

fn steps(script: &str, own: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut pause = Duration::ZERO;
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (mark, rest) = line.split_once(' ').unwrap_or_else(|| panic!("line {line:?}"));
        let rest = rest.replace('@', own);
        match (mark, steps.last_mut()) {
            ("~", _) => pause = Duration::from_secs_f64(rest.parse().unwrap()),
            ("?", _) => {
                let request = request(&rest, own);
                steps.push(Step { pause: std::mem::take(&mut pause), request, ..Step::default() });
            }
            ("!", Some(step)) => step.answer.push_str(&format!("{rest}\n")),
            (">", Some(step)) => step.expected.extend(rest.split(" | ").map(str::to_owned)),
            _ => panic!("line {line:?}"),
        }
    }
    steps
}

/// `METHOD [TARGET] | Field: value`; a target that begins with no slash is behind the script's own URL.
fn request(text: &str, own: &str) -> String {
    let mut parts = text.split(" | ");
    let (method, target) = {
        let first = parts.next().unwrap_or_default();
        first.split_once(' ').unwrap_or((first, ""))
    };
    let target = if target.starts_with('/') { target.to_owned() } else { format!("{own}{target}") };
    let mut out = format!("{method} {target} HTTP/1.1\r\nHost: test\r\n");
    parts.for_each(|field| out.push_str(&format!("{field}\r\n")));
    out.push_str(if matches!(method, "GET" | "HEAD") { "\r\n" } else { "Content-Length: 0\r\n\r\n" });
    out
}

/// What the origin sends; nothing where it is to close.
fn answer_bytes(answer: &str, request: &Message, number: usize) -> Option<Vec<u8>> {
    let mut out = String::new();
    let lines: Vec<&str> = answer.lines().collect();
    for line in if lines.is_empty() { vec!["200"] } else { lines } {
        let mut parts = line.split(" | ");
        let status = parts.next().unwrap_or_default();
        if status == "close" {
            return None;
        }
        let status: u16 = status.parse().unwrap_or_else(|_| panic!("status {status:?}"));
        out.push_str(&format!("HTTP/1.1 {status} Said\r\n"));
        let mut body = format!("body {number}");
        for part in parts {
            match part.strip_prefix('=') {
                Some(text) => body = text.to_owned(),
                None => out.push_str(&format!("{}\r\n", dated(part))),
            }
        }
        if status < 200 {
            out.push_str("\r\n");
            continue;
        }
        out.push_str(&format!("Number: {number}\r\n"));
        match status {
            204 | 304 => out.push_str("\r\n"),
            _ if request.method() == "HEAD" => {
                out.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
            }
            _ => out.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len())),
        }
    }
    Some(out.into_bytes())
}

/// `{60}` is the date in a minute.
fn dated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (seconds, after) = behind.split_once('}').unwrap_or_else(|| panic!("date in {text:?}"));
        let seconds: i64 = seconds.parse().unwrap_or_else(|_| panic!("date in {text:?}"));
        let by = Duration::from_secs(seconds.unsigned_abs());
        let now = SystemTime::now();
        out.push_str(before);
        out.push_str(&date::format(if seconds < 0 { now - by } else { now + by }));
        rest = after;
    }
    out + rest
}

fn check(expected: &str, answer: &Message, interim: &[Message], asked: &[Message]) -> Result<(), String> {
    let fail = |got: &dyn std::fmt::Debug| Err(format!("expected {expected:?}, got {got:?}"));
    let (word, rest) = expected.split_once(' ').unwrap_or((expected, ""));
    match word {
        "asked" | "stored" => {
            let count = usize::from(word == "asked");
            if asked.len() == count {
                Ok(())
            } else {
                fail(&format!("{} requests at the origin", asked.len()))
            }
        }
        "asks" => {
            let Some(request) = asked.last() else { return fail(&"no request at the origin") };
            match (rest.strip_prefix("without "), rest.strip_prefix("by "), rest.split_once(": ")) {
                (Some(name), ..) if request.has(name) => fail(&request),
                (_, Some(method), _) if request.method() != method => fail(&request),
                (None, None, Some((name, value))) if request.field(name) != Some(value) => fail(&request),
                _ => Ok(()),
            }
        }
        "after" => {
            let statuses: Vec<String> = interim.iter().map(|one| one.status().to_string()).collect();
            if statuses.join(" ") == rest { Ok(()) } else { fail(&interim) }
        }
        // So many seconds ago or a little more, which no clock is in the way of.
        "dated" => {
            let at = answer.field("Date").and_then(|at| date::parse(at.as_bytes()));
            let ago = at.and_then(|at| SystemTime::now().duration_since(at).ok());
            let least = Duration::from_secs(rest.trim_start_matches('-').parse().unwrap());
            if ago.is_some_and(|ago| ago >= least) { Ok(()) } else { fail(&answer.field("Date")) }
        }
        "no" => {
            if answer.has(rest) {
                fail(&answer.all(rest))
            } else {
                Ok(())
            }
        }
        "old" => {
            let age = answer.field("Age").and_then(|age| age.parse::<u64>().ok());
            let least: u64 = rest.parse().unwrap();
            if age.is_some_and(|age| age >= least && age < least + 30) { Ok(()) } else { fail(&age) }
        }
        _ if expected.parse() == Ok(answer.status()) => Ok(()),
        _ => match (expected.strip_prefix('='), expected.split_once(": ")) {
            (Some(body), _) if answer.body == body.as_bytes() => Ok(()),
            (None, Some((name, value))) if answer.all(name).join(", ") == value => Ok(()),
            _ => fail(&answer.start),
        },
    }
}
