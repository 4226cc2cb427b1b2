//! Configuration of the access log.

use bifrons_config::units::{Dur, Size};
use bifrons_config::{At, OneOrMany, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// Where access records go: one destination or several; none writes no record.
pub type AccessLogs = OneOrMany<AccessLog>;

/// One destination of access records: a path, `stdout`, `stderr`, or a map.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "AccessLogForm")]
pub struct AccessLog {
    /// Where records are written.
    pub to: Destination,
    /// Name of a format (`json`, `combined`, `common`, or one of `log_formats`).
    pub format: At<String>,
    /// Bytes of records that may wait for the disk, per worker; more are dropped and counted.
    pub queue: Size,
    /// How long a record may wait before it is written.
    pub flush: Dur,
    /// Whether only requests are written for which this template is neither empty nor `0`.
    pub when: Option<Template>,
}

/// Where records are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Destination {
    /// Appended to a file, which is opened again on SIGUSR1.
    File(String),
    /// Appended to the file that the template names for each record: an absolute path without `..`. At most 64
    /// are open at once.
    Files(Template),
    /// Appended to a file that is compressed with gzip, some hundreds of records at a time, each time as a member of
    /// its own (RFC 1952 2.2), so that `zcat` reads the file at any time.
    Gzip(GzipFile),
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A syslog server or socket (RFC 3164 messages, as nginx sends).
    Syslog(Syslog),
}

/// A compressed file of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GzipFile {
    /// Its path; opened again on SIGUSR1.
    pub file: String,
    /// From 1, the fastest, to 9, the smallest.
    #[serde(default = "GzipFile::fastest")]
    pub level: u32,
}

impl GzipFile {
    /// As nginx where none is said.
    const fn fastest() -> u32 {
        1
    }
}

/// A syslog destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Syslog {
    /// `127.0.0.1:514`, or `unix:/dev/log`.
    pub server: String,
    /// Facility by its usual name.
    pub facility: String,
    /// Severity by its usual name.
    pub severity: String,
    /// The tag, at most 32 letters, digits and underscores.
    pub tag: String,
    /// Whether the machine's name stands in the message.
    pub hostname: bool,
}

impl Default for Syslog {
    fn default() -> Self {
        Self {
            server: "unix:/dev/log".into(),
            facility: "local7".into(),
            severity: "info".into(),
            tag: "bifrons".into(),
            hostname: true,
        }
    }
}

impl AccessLog {
    /// 1 MiB: some 5,000 records a worker while a disk hangs.
    pub const QUEUE: Size = Size(1024 * 1024);
    /// 200 ms: a person with `tail -f` sees no delay, and a busy worker still writes hundreds at once.
    pub const FLUSH: Dur = Dur(std::time::Duration::from_millis(200));
    /// One minute: what is compressed together comes out smaller the more it is.
    pub const FLUSH_GZIP: Dur = Dur(std::time::Duration::from_secs(60));

    /// JSON lines to that destination.
    pub fn new(to: Destination) -> Self {
        let flush = Self::flush_of(&to);
        Self { to, format: At::from("json".to_owned()), queue: Self::QUEUE, flush, when: None }
    }

    /// How long a record may wait where nothing is said.
    fn flush_of(to: &Destination) -> Dur {
        match to {
            Destination::Gzip(_) => Self::FLUSH_GZIP,
            _ => Self::FLUSH,
        }
    }

    /// By the short form: a path or a stream's name.
    pub fn parse(text: &str) -> Self {
        Self::new(match text {
            "stdout" | "-" => Destination::Stdout,
            "stderr" => Destination::Stderr,
            path => Destination::File(path.to_owned()),
        })
    }

    fn short(&self) -> Option<&str> {
        let text = match &self.to {
            Destination::File(path) => path.as_str(),
            Destination::Files(path) => return (*self == Self::new(self.to.clone())).then(|| path.source()),
            Destination::Stdout => "stdout",
            Destination::Stderr => "stderr",
            Destination::Syslog(_) | Destination::Gzip(_) => return None,
        };
        (*self == Self::parse(text)).then_some(text)
    }
}

/// One destination of access records, with all that can be said of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AccessLogMap {
    /// Where records are written: `{ file: PATH }`, `{ gzip: { file: PATH } }`, `stdout`, `stderr`,
    /// `{ syslog: … }`.
    to: Destination,
    /// Name of a format: `json`, `combined`, `common`, or one of `log_formats`.
    #[serde(default = "json")]
    format: At<String>,
    /// Bytes of records that may wait for the disk, per worker; more are dropped and counted.
    #[serde(default = "queue")]
    queue: Size,
    /// How long a record may wait before it is written: 200ms where nothing is said, 60s for `gzip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flush: Option<Dur>,
    /// Write only requests for which this renders as neither empty nor `0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<Template>,
}

#[allow(dead_code, reason = "only its schema is used")]
#[derive(JsonSchema)]
#[serde(untagged)]
enum AccessLogForm {
    Short(String),
    Map(AccessLogMap),
}

fn json() -> At<String> {
    At::from("json".to_owned())
}

fn queue() -> Size {
    AccessLog::QUEUE
}

impl Serialize for AccessLog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.short() {
            Some(text) => serializer.serialize_str(text),
            None => AccessLogMap {
                to: self.to.clone(),
                format: self.format.clone(),
                queue: self.queue,
                flush: Some(self.flush),
                when: self.when.clone(),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AccessLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = AccessLog;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, `stdout`, `stderr` or a map with `to` and `format`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AccessLog, E> {
                if !text.contains('$') {
                    return Ok(AccessLog::parse(text));
                }
                let path = Template::deserialize(de::value::StrDeserializer::<E>::new(text))?;
                Ok(AccessLog::new(match path.as_text() {
                    Some(path) => Destination::File(path.to_owned()),
                    None => Destination::Files(path),
                }))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<AccessLog, A::Error> {
                let map = AccessLogMap::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(AccessLog {
                    flush: map.flush.unwrap_or_else(|| AccessLog::flush_of(&map.to)),
                    to: map.to,
                    format: map.format,
                    queue: map.queue,
                    when: map.when,
                })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// How a record is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LogFormat {
    /// A line of text with variables.
    Text {
        /// The line, without its end.
        template: Template,
        /// How values are escaped.
        #[serde(default)]
        escape: Escape,
    },
    /// A JSON object a line: key to variable or template.
    Json(indexmap::IndexMap<String, Template>),
}

/// How values in a text format are escaped (nginx's `log_format … escape=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Escape {
    /// `"`, `\` and bytes outside 32..126 as `\xXX`; a missing value is `-`.
    #[default]
    Default,
    /// As inside a JSON string; a missing value is empty.
    Json,
    /// Not at all; a missing value is empty.
    None,
}
