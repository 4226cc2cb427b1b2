//! Whether the answer to a check is a good one. Pure: bytes in, a verdict out.

use bifrons_model::{Expect, ExpectField, StatusRule};
use bifrons_route::{Captures, Regex};

/// What an answer must be, compiled.
#[derive(Debug)]
pub(super) struct Rules {
    status: StatusRule,
    headers: Vec<(String, ExpectField)>,
    body: Option<Regex>,
    body_not: Option<Regex>,
}

/// An answer as far as it has come.
struct Answer<'a> {
    status: u16,
    fields: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

impl Rules {
    pub(super) fn new(expect: &Expect) -> Self {
        let texts = expect.status.iter().map(|status| status.value.as_str());
        // The configuration was checked when it was built.
        let status = StatusRule::read(texts).or_else(|_| StatusRule::read(["200-399"]));
        Self {
            status: status.unwrap_or_else(|_| unreachable!("invariant: a constant range")),
            headers: expect.headers.iter().map(|(name, field)| (name.clone(), field.clone())).collect(),
            body: expect.body.clone(),
            body_not: expect.body_not.clone(),
        }
    }

    /// Whether more than the head is looked at.
    pub(super) fn want_body(&self) -> bool {
        self.body.is_some() || self.body_not.is_some()
    }

    /// The verdict; `None` where more bytes are needed.
    pub(super) fn judge(&self, bytes: &[u8], is_all: bool) -> Option<Result<(), String>> {
        let answer = match parse(bytes)? {
            Ok(answer) => answer,
            Err(why) => return Some(Err(why)),
        };
        if let Err(why) = self.head(&answer) {
            return Some(Err(why));
        }
        if !self.want_body() {
            return Some(Ok(()));
        }
        let body = answer.body();
        if self.body.as_ref().is_some_and(|regex| is_match(regex, &body)) && self.body_not.is_none() {
            return Some(Ok(()));
        }
        (is_all || answer.is_whole()).then(|| self.body(&body))
    }

    fn head(&self, answer: &Answer<'_>) -> Result<(), String> {
        if !self.status.allows(answer.status) {
            return Err(format!("status {}", answer.status));
        }
        for (name, expected) in &self.headers {
            let value = answer.field(name);
            let fits = match expected {
                ExpectField::Present(present) => value.is_some() == *present,
                ExpectField::Is(text) => value == Some(text),
                ExpectField::Not(text) => value != Some(text),
                ExpectField::Matches(regex) => value.is_some_and(|value| is_match(regex, value.as_bytes())),
                ExpectField::MatchesNot(regex) => {
                    !value.is_some_and(|value| is_match(regex, value.as_bytes()))
                }
            };
            if !fits {
                return Err(format!("field \"{name}\" is {}", value.unwrap_or("not there")));
            }
        }
        Ok(())
    }

    fn body(&self, body: &[u8]) -> Result<(), String> {
        if self.body.as_ref().is_some_and(|regex| !is_match(regex, body)) {
            return Err("the body does not match".into());
        }
        if self.body_not.as_ref().is_some_and(|regex| is_match(regex, body)) {
            return Err("the body matches what it must not".into());
        }
        Ok(())
    }
}

fn is_match(regex: &Regex, text: &[u8]) -> bool {
    regex.captures(text, &mut Captures::new())
}

/// The head and what has come behind it; `None` where the head is not whole.
fn parse(bytes: &[u8]) -> Option<Result<Answer<'_>, String>> {
    let (end, gap) = match bytes.windows(4).position(|part| part == b"\r\n\r\n") {
        Some(end) => (end, 4),
        None => (bytes.windows(2).position(|part| part == b"\n\n")?, 2),
    };
    let body = bytes.get(end + gap..).unwrap_or_default();
    let Ok(head) = std::str::from_utf8(bytes.get(..end).unwrap_or_default()) else {
        return Some(Err("the head is no text".into()));
    };
    let mut lines = head.lines();
    let status = lines.next().filter(|line| line.starts_with("HTTP/1."));
    let Some(status) = status.and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok())
    else {
        return Some(Err("the answer is no HTTP".into()));
    };
    // An interim answer: the real one follows.
    if (100..200).contains(&status) && status != 101 {
        return parse(body);
    }
    let fields =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()));
    Some(Ok(Answer { status, fields: fields.collect(), body }))
}

impl Answer<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    fn is_chunked(&self) -> bool {
        self.field("transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().ends_with("chunked"))
    }

    /// Whether all of the body has come, as far as the head says so.
    fn is_whole(&self) -> bool {
        match self.field("content-length").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => self.body.len() >= length,
            None => self.is_chunked() && self.body.ends_with(b"0\r\n\r\n"),
        }
    }

    /// The body without its chunks' sizes.
    fn body(&self) -> Vec<u8> {
        if !self.is_chunked() {
            return self.body.to_vec();
        }
        let (mut rest, mut body) = (self.body, Vec::new());
        // Bounded: every turn consumes a line.
        while let Some(end) = rest.windows(2).position(|part| part == b"\r\n") {
            let line = std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default();
            let size = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(size, 16) else { break };
            let data = rest.get(end + 2..).unwrap_or_default();
            body.extend_from_slice(data.get(..size.min(data.len())).unwrap_or_default());
            match data.get(size.saturating_add(2)..) {
                Some(next) if size > 0 => rest = next,
                _ => break,
            }
        }
        body
    }
}

#[cfg(test)]
mod tests;
