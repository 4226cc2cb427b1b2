//! How a pair is written:
//!
//! ```text
//! === what it is about
//! the nginx.conf; without `http {` it is what stands in `http`, without `server {` what stands in the server
//! --- answers
//! name: what an endpoint says, escaped; the request asks for it by `a=name` in its query or `X-Answer: name`
//! --- client
//! GET /path | Field: value ;; Field: value :: body
//! --- log NAME COUNT
//! --- differs ROW, where it is not an answer that differs but what endpoints got or logs
//! ```
//!
//! A step opens a connection of its own. `later` before it waits until what was good for a second is so no more,
//! `+` takes the connection of the step before, `to NAME` another address than `@web@`. `raw N BYTES` sends
//! escaped bytes and reads N answers. `HTTP/1.0` may stand behind the path, and `!Host` among the fields leaves
//! `Host` out. `begin NAME STEP` sends and reads nothing: `end NAME` reads the answer, and what stands between goes on
//! beside it. It waits until an endpoint has the request, which `wait NAME STEP` does not. `websocket /path | fields :: text ;; text` opens a WebSocket, says the texts one after the other,
//! waits for each to come back, and closes. `[row] STEP` is a step whose answers differ, as the row of that name
//! in docs/guide/nginx.md says.
//!
//! In all of it `@web@` and other names are addresses, of which those that begin with `app` are endpoints,
//! `@site@` is the directory of [`super::site`], `@dir@` one of the server's own. `log` compares the lines of
//! `@dir@/NAME`, of which there is one for each request unless COUNT says otherwise; steps close their
//! connections then.

use std::collections::BTreeMap;

const TABLE: &str = include_str!("../../../docs/guide/nginx.md");

/// The end of the head of a request for a WebSocket (RFC 6455 1.3).
const OPENING: &[u8] = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A configuration and the script of its client.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) conf: String,
    pub(super) answers: BTreeMap<&'static str, Vec<u8>>,
    pub(super) steps: Vec<Step>,
    /// Name and how many lines; one for each request where no number is given.
    pub(super) logs: Vec<(&'static str, Option<usize>)>,
    /// Whether what endpoints got, or logs, differ.
    pub(super) others_differ: bool,
}

/// What a client does.
#[derive(Clone)]
pub(super) struct Step {
    /// As it is written.
    pub(super) text: &'static str,
    /// Whether nginx and we differ in it.
    pub(super) differs: bool,
    /// Whether time passes before.
    pub(super) is_later: bool,
    pub(super) part: Part,
    pub(super) same_connection: bool,
    /// The placeholder of the address.
    pub(super) to: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Methods of the requests in it, in order.
    pub(super) methods: Vec<String>,
    /// What is said once the connection has become a WebSocket.
    pub(super) messages: Option<Vec<Vec<u8>>>,
}

/// How much of a step is done at its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Its request is sent, and has come to an endpoint.
    Begin(&'static str),
    /// Its request is sent.
    Wait(&'static str),
    /// The answer to the one of that name is read.
    End(&'static str),
}

/// All of a file; what stands before the first case is for people.
pub(super) fn parse(text: &'static str) -> Vec<Case> {
    let start = text.find("=== ").expect("a case");
    text[start..].split("\n=== ").map(|text| one(text.trim_start_matches("=== "))).collect()
}

fn one(text: &'static str) -> Case {
    let mut sections = text.split("\n--- ");
    let first = sections.next().unwrap_or_default();
    let (name, conf) = first.split_once('\n').unwrap_or((first, ""));
    let mut case = Case {
        name,
        conf: whole(conf),
        answers: BTreeMap::new(),
        steps: Vec::new(),
        logs: Vec::new(),
        others_differ: false,
    };
    let sections: Vec<_> =
        sections.map(|section| section.split_once('\n').unwrap_or((section, ""))).collect();
    let closes = sections.iter().any(|(title, _)| title.starts_with("log "));
    for (title, rest) in sections {
        let lines = rest.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("# "));
        match title.split_once(' ').unwrap_or((title, "")) {
            ("answers", _) => case.answers.extend(lines.map(|line| {
                let (name, answer) = line.split_once(':').expect("name: answer");
                (name, unescape(answer.trim_start()))
            })),
            ("client", _) => case.steps.extend(lines.map(|line| step(line, closes))),
            ("log", file) => case.logs.push(match file.split_once(' ') {
                Some((file, count)) => (file, Some(count.parse().expect("a number of lines"))),
                None => (file, None),
            }),
            ("differs", row) => {
                known(row);
                case.others_differ = true;
            }
            (other, _) => panic!("{name}: section {other:?}"),
        }
    }
    assert!(!case.steps.is_empty(), "{name}: no steps");
    case
}

impl Case {
    /// The same where nothing may differ: both sides are ours.
    pub(super) fn without_marks(&self) -> Self {
        let mut case = self.clone();
        case.steps.iter_mut().for_each(|step| step.differs = false);
        case.others_differ = false;
        case
    }
}

/// The configuration with the blocks around it that every file has.
fn whole(conf: &str) -> String {
    let begins = |line: &str, block: &str| {
        line.trim_start().strip_prefix(block).is_some_and(|rest| rest.trim_start().starts_with('{'))
    };
    let has = |block: &str| conf.lines().any(|line| begins(line, block));
    let server = match has("server") || has("http") {
        true => conf.to_owned(),
        false => format!("server {{\nlisten @web@;\nserver_name h.test;\nroot @site@;\n{conf}\n}}"),
    };
    match has("http") {
        true => server,
        false => format!("events {{ }}\nhttp {{\n{server}\n}}\n"),
    }
}

/// What differs must be told.
fn known(row: &str) {
    assert!(TABLE.contains(&format!("\n| {row} |")), "no row {row:?} in docs/guide/nginx.md");
}

fn step(text: &'static str, closes: bool) -> Step {
    let (differs, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((row, rest)) => {
            known(row);
            (true, rest)
        }
        None => (false, text),
    };
    let (is_later, rest) = match rest.strip_prefix("later ") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    let (part, rest) = match (word, behind.split_once(' ')) {
        ("begin", Some((name, rest))) => (Part::Begin(name), rest),
        ("wait", Some((name, rest))) => (Part::Wait(name), rest),
        ("end", _) => (Part::End(behind), "/"),
        _ => (Part::Whole, rest),
    };
    let (same_connection, rest) = match rest.strip_prefix("+ ") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (to, rest) = match rest.strip_prefix("to ") {
        Some(rest) => rest.split_once(' ').expect("to NAME STEP"),
        None => ("web", rest),
    };
    let asked = |bytes, methods, messages| Step {
        text,
        differs,
        is_later,
        part,
        same_connection,
        to,
        bytes,
        methods,
        messages,
    };
    if let Some(raw) = rest.strip_prefix("raw ") {
        let (count, bytes) = raw.split_once(' ').expect("raw N BYTES");
        let count = count.parse().expect("a number of answers");
        // What is not whole or not HTTP is answered as a GET is.
        let method = match bytes.split_once(' ') {
            Some(("HEAD", _)) => "HEAD",
            _ => "GET",
        };
        return asked(unescape(bytes), vec![method.to_owned(); count], None);
    }
    let (is_websocket, rest) = match rest.strip_prefix("websocket ") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (line, more) = rest.split_once(" | ").unwrap_or((rest, ""));
    let (fields, body) = match more.strip_prefix(":: ") {
        Some(body) => ("", body),
        None => more.split_once(" :: ").unwrap_or((more, "")),
    };
    let mut words = line.splitn(2, ' ');
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let (method, target) = match second {
        Some(target) if !first.starts_with('/') => (first, target),
        _ => ("GET", line),
    };
    let (target, version) = match target.strip_suffix(" HTTP/1.0") {
        Some(target) => (target, "HTTP/1.0"),
        None => (target, "HTTP/1.1"),
    };
    let mut head = format!("{method} {target} {version}\r\n").into_bytes();
    let fields: Vec<_> = fields.split(" ;; ").filter(|field| !field.is_empty()).collect();
    let has = |name: &str| fields.iter().any(|field| field.starts_with(name));
    if !has("Host:") && !has("!Host") {
        head.extend_from_slice(b"Host: h.test\r\n");
    }
    for field in fields.iter().filter(|field| !field.starts_with('!')) {
        head.extend(unescape(field));
        head.extend_from_slice(b"\r\n");
    }
    if is_websocket {
        head.extend_from_slice(OPENING);
        let messages = body.split(" ;; ").filter(|text| !text.is_empty()).map(unescape).collect();
        return asked(head, vec![method.to_owned()], Some(messages));
    }
    let body = unescape(body);
    if !body.is_empty() && !has("Transfer-Encoding:") && !has("Content-Length:") {
        head.extend(format!("Content-Length: {}\r\n", body.len()).into_bytes());
    }
    if closes && !has("Connection:") {
        head.extend_from_slice(b"Connection: close\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.extend(body);
    asked(head, vec![method.to_owned()], None)
}

/// `\r`, `\n`, `\t`, `\\`, `\0`, `\xNN`, and `\{N*TEXT}` for a text N times.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        let kind = after.chars().next().expect("something behind a backslash");
        rest = &after[kind.len_utf8()..];
        match kind {
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            '0' => out.push(0),
            'x' => {
                out.push(u8::from_str_radix(&rest[..2], 16).expect("two hexadecimal digits"));
                rest = &rest[2..];
            }
            '{' => {
                let (inner, behind) = rest.split_once('}').expect("a closing brace");
                let (count, text) = inner.split_once('*').expect("N*TEXT");
                out.extend_from_slice(text.repeat(count.parse().expect("a number")).as_bytes());
                rest = behind;
            }
            other => out.extend_from_slice(other.to_string().as_bytes()),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}
