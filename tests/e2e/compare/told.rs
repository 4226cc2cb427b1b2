//! What of an answer is compared: status and version, all fields but for `Date` and `Server` in no order,
//! the body, decompressed, and what becomes of the connection. What is left out besides has its row in the table of
//! docs/guide/nginx.md.

use super::case::Case;
use super::script::Outcome;
use super::servers::Values;
use bifrons_codec::Decoder;
use bifrons_http::Encoding;
use bifrons_testkit::{Cut, End, Message};

/// Fields that are not compared. `Connection` is: by what becomes of the connection.
const LEFT_OUT: &[&str] = &["date", "server", "connection"];

/// Years of dates that don't depend on the clock.
const FIXED_YEARS: &[&str] = &[" 1970 ", " 2020 ", " 2037 "];

/// No body is longer.
const PLAIN_BYTES_MAX: usize = 1 << 20;

/// An answer as text.
pub(super) fn answer(message: &Message, method: &str, values: &Values) -> String {
    let status = message.status();
    let plain = plain(message);
    let body = String::from_utf8_lossy(&plain).into_owned();
    // The page of an error or a redirect is each server's own.
    let is_page = status >= 300 && (body.contains("<center>nginx") || body.contains("<hr><p>bifrons</p>"));
    let is_empty_page =
        method == "HEAD" && status >= 300 && message.field("Content-Type") == Some("text/html");
    let mut fields = Vec::new();
    let mut boundary = None;
    for (name, value) in &message.fields {
        let name = name.to_ascii_lowercase();
        let is_length = name == "content-length";
        if LEFT_OUT.contains(&&*name) || is_length && (is_page || is_empty_page) {
            continue;
        }
        if let Some(own) = value.strip_prefix("multipart/byteranges; boundary=") {
            boundary = Some(own.to_owned());
        }
        // What is counted from now on; how much it is stands in `Cache-Control`.
        let is_soon = name == "expires" && !FIXED_YEARS.iter().any(|year| value.contains(year));
        fields.push(format!("{name}: {}", if is_soon { "SOON" } else { value }));
    }
    fields.sort();
    let reason = message.start.split(' ').next().unwrap_or_default();
    let mut text = format!("{reason} {status}\n{}\n", fields.join("\n"));
    let mut trailers: Vec<_> = message
        .trailers
        .iter()
        .map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase()))
        .collect();
    trailers.sort();
    if !trailers.is_empty() {
        text += &format!("trailers {}\n", trailers.join(" ;; "));
    }
    text += &match body {
        _ if is_page => "[PAGE]\n".to_owned(),
        body if body.len() > 4000 => format!("[{} bytes, sum {}]\n", body.len(), sum(&plain)),
        body => format!("[{body}]\n"),
    };
    if let Some(boundary) = boundary {
        text = text.replace(&boundary, "BOUNDARY");
    }
    places(&text, values)
}

/// The body without its coding, if that can be undone: what is broken is compared as it is.
fn plain(message: &Message) -> Vec<u8> {
    let undone = |encoding| {
        let mut out = Vec::with_capacity(PLAIN_BYTES_MAX);
        let mut decoder = Decoder::new(encoding).ok()?;
        let taken = decoder.read(&message.body, &mut out).ok()?;
        (taken == message.body.len() && decoder.finish().is_ok()).then_some(out)
    };
    let encoding = message.all("Content-Encoding").first().and_then(|name| Encoding::named(name.as_bytes()));
    encoding.and_then(undone).unwrap_or_else(|| message.body.clone())
}

/// What came of an answer that did not come to its end.
pub(super) fn cut(cut: &Cut, method: &str, values: &Values) -> String {
    let how = match cut.end {
        End::Closed => "in order",
        End::Reset => "by a reset",
    };
    match &cut.message {
        Some(message) => format!("{}cut {how}\n", answer(message, method, values)),
        None => format!("nothing: {} {how}\n", cut.rest.escape_ascii()),
    }
}

/// A text with names in place of what differs from server to server.
pub(super) fn places(text: &str, values: &Values) -> String {
    let mut text = text.to_owned();
    for (name, value) in values {
        text = text.replace(value, &format!("@{name}@"));
        if let Some((_, port)) = value.rsplit_once(':') {
            text = replace_number(&text, port, &format!("@{name}.port@"));
        }
    }
    text
}

/// Replaces a number where it is no part of a longer one.
fn replace_number(text: &str, number: &str, by: &str) -> String {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let (mut out, mut done) = (String::new(), 0);
    for (at, found) in text.match_indices(number) {
        let around =
            (at.checked_sub(1).and_then(|at| text.as_bytes().get(at)), text.as_bytes().get(at + found.len()));
        if !is_digit(around.0) && !is_digit(around.1) {
            out += &text[done..at];
            out += by;
            done = at + found.len();
        }
    }
    out + &text[done..]
}

/// Where two servers differ, and where they don't though it is marked.
pub(super) fn differences(
    case: &Case,
    (first, one): (&str, &Outcome),
    (second, other): (&str, &Outcome),
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, step) in case.steps.iter().enumerate() {
        let (one, other) = (&one.steps[at], &other.steps[at]);
        if (one != other) != step.differs {
            let what = if step.differs { "no difference any more" } else { "differs" };
            wrong.push(format!(
                "{} | {what} | {}\n{}",
                case.name,
                step.text,
                beside(first, one, second, other)
            ));
        }
    }
    let others: Vec<_> = one.others.iter().zip(&other.others).filter(|(one, other)| one != other).collect();
    match case.others_differ {
        true if others.is_empty() => wrong.push(format!("{} | no difference any more", case.name)),
        true => {}
        false => wrong.extend(others.iter().map(|((what, one), (_, other))| {
            format!("{} | {what}\n{}", case.name, beside(first, one, second, other))
        })),
    }
    wrong
}

fn beside(first: &str, one: &str, second: &str, other: &str) -> String {
    let only = |from: &str, not_in: &str, name: &str| -> String {
        let lines = from.lines().filter(|line| !not_in.lines().any(|other| other == *line));
        lines.map(|line| format!("    {name:>12}: {line}\n")).collect()
    };
    let text = only(one, other, first) + &only(other, one, second);
    if text.is_empty() { format!("    {first}:\n{one}\n    {second}:\n{other}\n") } else { text }
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}
