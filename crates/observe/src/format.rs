//! A log format, compiled: writes one record as a line.

use crate::config::{Escape, LogFormat};
use crate::escape::{escape_default, escape_json};
use bifrons_config::{Lookup, Part, Template, Var};

/// Names of the formats that are always there.
pub const BUILTIN: [&str; 3] = ["json", "combined", "common"];

const COMMON: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#;
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// A format, ready to write. Shared by all workers.
#[derive(Debug)]
pub struct CompiledFormat {
    line: Line,
}

#[derive(Debug)]
enum Line {
    Text { template: Template, escape: Escape },
    Json(Box<[Member]>),
}

/// A member of a JSON object.
#[derive(Debug)]
struct Member {
    /// `"key":`, escaped.
    key: Box<[u8]>,
    value: Value,
}

#[derive(Debug)]
enum Value {
    /// A constant: the JSON string itself, with its quotes.
    Constant(Box<[u8]>),
    /// A variable whose values are numbers; another value becomes a string.
    Number(Var),
    /// Any other variable.
    Text(Var),
    /// Text and variables: always a string.
    Template(Box<[Piece]>),
}

#[derive(Debug)]
enum Piece {
    /// Escaped already.
    Text(Box<[u8]>),
    Var(Var),
}

impl CompiledFormat {
    /// Compiles a format.
    pub fn build(format: &LogFormat) -> Self {
        let line = match format {
            LogFormat::Text { template, escape } => {
                Line::Text { template: template.clone(), escape: *escape }
            }
            LogFormat::Json(members) => Line::Json(members.iter().map(Member::build).collect()),
        };
        Self { line }
    }

    /// One of the [`BUILTIN`] formats.
    pub fn builtin(name: &str) -> Option<Self> {
        builtin(name).map(|format| Self::build(&format))
    }

    /// Appends one record and a line end. Allocates nothing but room in `out`.
    ///
    /// In JSON a member whose only variable has no value is left out; a variable of numbers is written as a
    /// number where its value is one, and so as a string for a list of several attempts.
    pub fn write(&self, vars: &dyn Lookup, out: &mut Vec<u8>) {
        match &self.line {
            Line::Text { template, escape } => write_text(template, *escape, vars, out),
            Line::Json(members) => write_json(members, vars, out),
        }
        out.push(b'\n');
    }
}

/// The configuration that one of the [`BUILTIN`] formats stands for.
pub fn builtin(name: &str) -> Option<LogFormat> {
    match name {
        "json" => {
            let members = json_members().map(|(key, var)| (key.to_owned(), Template::var(var)));
            Some(LogFormat::Json(members.into_iter().collect()))
        }
        "combined" => Some(text(COMBINED)),
        "common" => Some(text(COMMON)),
        _ => None,
    }
}

fn text(template: &str) -> LogFormat {
    let template =
        Template::parse_with(template, &|_| false).expect("invariant: a test builds every built-in format");
    LogFormat::Text { template, escape: Escape::Default }
}

/// Keys of the `json` format in the order they are written.
fn json_members() -> [(&'static str, Var); 22] {
    [
        ("time", Var::TimeIso8601),
        ("client", Var::RemoteAddr),
        ("method", Var::Method),
        ("host", Var::Host),
        ("target", Var::RequestUri),
        ("protocol", Var::ServerProtocol),
        ("status", Var::Status),
        ("bytes_in", Var::RequestLength),
        ("bytes_out", Var::BytesSent),
        ("user_agent", Var::Http("user-agent".into())),
        ("referer", Var::Http("referer".into())),
        ("request_id", Var::RequestId),
        ("listener", Var::Listener),
        ("route", Var::Route),
        ("cluster", Var::Cluster),
        ("endpoint", Var::UpstreamAddr),
        ("attempts", Var::Attempts),
        ("request_time", Var::RequestTime),
        ("upstream_connect_time", Var::UpstreamConnectTime),
        ("upstream_header_time", Var::UpstreamHeaderTime),
        ("upstream_response_time", Var::UpstreamResponseTime),
        ("termination", Var::Termination),
    ]
}

impl Member {
    fn build((key, template): (&String, &Template)) -> Self {
        let key = [&quoted(key), ":".as_bytes()].concat().into();
        let value = match template.parts() {
            [] => Value::Constant(quoted("").into()),
            [Part::Text(text)] => Value::Constant(quoted(text).into()),
            [Part::Var(var)] if is_numeric(var) => Value::Number(var.clone()),
            [Part::Var(var)] => Value::Text(var.clone()),
            parts => Value::Template(parts.iter().map(Piece::build).collect()),
        };
        Self { key, value }
    }

    /// Appends `"key":value`; `false` where there is no value, with `out` left in any state.
    fn write(&self, vars: &dyn Lookup, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&self.key);
        match &self.value {
            Value::Constant(text) => out.extend_from_slice(text),
            Value::Number(var) => return write_number(var, vars, out),
            Value::Text(var) => {
                out.push(b'"');
                let start = out.len();
                if !vars.lookup(var, out) {
                    return false;
                }
                escape_json(out, start);
                out.push(b'"');
            }
            Value::Template(pieces) => {
                out.push(b'"');
                for piece in pieces {
                    piece.write(vars, out);
                }
                out.push(b'"');
            }
        }
        true
    }
}

impl Piece {
    fn build(part: &Part) -> Self {
        match part {
            Part::Text(text) => {
                let mut escaped = text.as_bytes().to_vec();
                escape_json(&mut escaped, 0);
                Self::Text(escaped.into())
            }
            Part::Var(var) => Self::Var(var.clone()),
        }
    }

    fn write(&self, vars: &dyn Lookup, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.extend_from_slice(text),
            Self::Var(var) => {
                let start = out.len();
                vars.lookup(var, out);
                escape_json(out, start);
            }
        }
    }
}

/// A JSON string.
fn quoted(text: &str) -> Vec<u8> {
    let mut out = [b"\"", text.as_bytes()].concat();
    escape_json(&mut out, 1);
    out.push(b'"');
    out
}

fn write_text(template: &Template, escape: Escape, vars: &dyn Lookup, out: &mut Vec<u8>) {
    for part in template.parts() {
        let var = match part {
            Part::Text(text) => {
                out.extend_from_slice(text.as_bytes());
                continue;
            }
            Part::Var(var) => var,
        };
        let start = out.len();
        let found = vars.lookup(var, out);
        match escape {
            Escape::Default if !found => out.push(b'-'),
            Escape::Default => escape_default(out, start),
            Escape::Json => escape_json(out, start),
            Escape::None => {}
        }
    }
}

fn write_json(members: &[Member], vars: &dyn Lookup, out: &mut Vec<u8>) {
    let mut before = b'{';
    for member in members {
        let start = out.len();
        out.push(before);
        if member.write(vars, out) {
            before = b',';
        } else {
            out.truncate(start);
        }
    }
    if before == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
}

/// Appends a number, or a string where the value is none. nginx's `-` for "not measured" is no value.
fn write_number(var: &Var, vars: &dyn Lookup, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    if !vars.lookup(var, out) {
        return false;
    }
    let value = out.get(start..).unwrap_or_default();
    if value == b"-" {
        return false;
    }
    if !is_number(value) {
        out.insert(start, b'"');
        escape_json(out, start + 1);
        out.push(b'"');
    }
    true
}

/// 20 digits hold every u64; a longer value (of a client's `Content-Length`, say) is no number to a reader.
const NUMBER_BYTES_MAX: usize = 24;

/// Whether the value is a JSON number of digits with or without decimals (RFC 8259 6).
fn is_number(value: &[u8]) -> bool {
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let (whole, decimals) = match value.iter().position(|&byte| byte == b'.') {
        Some(dot) => (&value[..dot], Some(&value[dot + 1..])),
        None => (value, None),
    };
    value.len() <= NUMBER_BYTES_MAX
        && digits(whole)
        && (whole == b"0" || whole[0] != b'0')
        && decimals.is_none_or(digits)
}

/// Whether the values of a variable are numbers.
fn is_numeric(var: &Var) -> bool {
    matches!(
        var,
        Var::Attempts
            | Var::BodyBytesSent
            | Var::BrotliRatio
            | Var::BytesSent
            | Var::Connection
            | Var::ConnectionRequests
            | Var::ConnectionTime
            | Var::ContentLength
            | Var::GzipRatio
            | Var::LimitRate
            | Var::Msec
            | Var::Pid
            | Var::ProxyPort
            | Var::RealipRemotePort
            | Var::RemotePort
            | Var::RequestLength
            | Var::RequestTime
            | Var::ServerPort
            | Var::Status
            | Var::TcpinfoRcvSpace
            | Var::TcpinfoRtt
            | Var::TcpinfoRttvar
            | Var::TcpinfoSndCwnd
            | Var::UpstreamBytesReceived
            | Var::UpstreamBytesSent
            | Var::UpstreamConnectTime
            | Var::UpstreamHeaderTime
            | Var::UpstreamResponseLength
            | Var::UpstreamResponseTime
            | Var::UpstreamStatus
            | Var::ZstdRatio
    )
}

#[cfg(test)]
pub(crate) mod tests;
