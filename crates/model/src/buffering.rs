//! Bodies on their way: what is collected or held back, what is sent in place of the client's, how fast
//! answers go.

use crate::shorthand::string_or_map;
use bifrons_config::units::Size;
use bifrons_config::{At, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a message is buffered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// It is.
    #[default]
    On,
    /// It streams.
    Off,
}

/// What becomes of files with request bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyFiles {
    /// They hold what is too large for memory, and have no name.
    #[default]
    Spill,
    /// Every body goes to one, which has a name (`$request_body_file`) and is removed after the request.
    Clean,
    /// Every body goes to one, which stays: for debugging, or when somebody else takes it away.
    Keep,
}

/// Whether a request's body is collected before an endpoint is picked. The short form is `on` or `off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestBuffering {
    /// `on`; `off` collects only what must be: a body without length for an endpoint that speaks HTTP/1.0.
    pub mode: Switch,
    /// Bytes kept in memory; a larger body goes to a temporary file.
    pub memory: Size,
    /// Directory of temporary files.
    pub path: Option<At<String>>,
    /// Digits of a file's number that name the directories between, at most three times 1 or 2.
    pub levels: Vec<u8>,
    /// What becomes of the files.
    pub files: BodyFiles,
}

impl Default for RequestBuffering {
    fn default() -> Self {
        Self { mode: Switch::Off, memory: memory(), path: None, levels: Vec::new(), files: BodyFiles::Spill }
    }
}

/// 16 KiB: nginx's `client_body_buffer_size` on 64-bit machines.
fn memory() -> Size {
    Size::kib(16)
}

/// Whether a request's body is collected before an endpoint is picked. The short form is `on` or `off`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "RequestBuffering")]
struct RequestBufferingMap {
    /// `on`; `off` collects only what must be: a body without length for an endpoint that speaks HTTP/1.0.
    #[serde(default)]
    mode: Switch,
    /// Bytes kept in memory; a larger body goes to a temporary file.
    #[serde(default = "memory")]
    memory: Size,
    /// Directory of temporary files, made where it is missing; `/var/tmp` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<At<String>>,
    /// Digits of a file's number that name the directories between, at most three times 1 or 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    levels: Vec<u8>,
    /// What becomes of the files.
    #[serde(default, skip_serializing_if = "BodyFiles::is_default")]
    files: BodyFiles,
}

impl BodyFiles {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether an answer is held back for a client that is slower than the endpoint, so that the endpoint is free
/// as soon as it has sent everything. The short form is `on` or `off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseBuffering {
    /// `on`, or `off`: the endpoint waits for the client.
    pub mode: Switch,
    /// Bytes held in memory.
    pub memory: Size,
    /// Bytes held in a temporary file beyond that; 0: none. Beyond these the endpoint waits.
    pub file: Size,
    /// Bytes gathered for one write to the file.
    pub write: Size,
    /// Directory of temporary files.
    pub path: Option<At<String>>,
    /// Bytes a second that are read of an answer; 0 or nothing: any.
    pub rate: Option<Template>,
}

impl Default for ResponseBuffering {
    fn default() -> Self {
        Self {
            mode: Switch::Off,
            memory: held_memory(),
            file: held_file(),
            write: held_write(),
            path: None,
            rate: None,
        }
    }
}

/// 64 KiB: what most pages have; nginx's 8 buffers of 8 KiB.
fn held_memory() -> Size {
    Size::kib(64)
}

/// 1 GiB: nginx's `proxy_max_temp_file_size`.
fn held_file() -> Size {
    Size::mib(1024)
}

/// 128 KiB: as much as one big read brings, so that a write costs little more than the read.
fn held_write() -> Size {
    Size::kib(128)
}

/// Whether an answer is held back for a client that is slower than the endpoint, so that the endpoint is free
/// as soon as it has sent everything. The short form is `on` or `off`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "ResponseBuffering")]
struct ResponseBufferingMap {
    /// `on`, or `off`: the endpoint waits for the client.
    #[serde(default)]
    mode: Switch,
    /// Bytes held in memory.
    #[serde(default = "held_memory")]
    memory: Size,
    /// Bytes held in a temporary file beyond that; 0: none. Beyond these the endpoint waits.
    #[serde(default = "held_file")]
    file: Size,
    /// Bytes gathered for one write to the file.
    #[serde(default = "held_write")]
    write: Size,
    /// Directory of temporary files, made where it is missing; `/var/tmp` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<At<String>>,
    /// Bytes a second that are read of an answer; 0 or nothing: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<Template>,
}

/// `on` or `off` for a type that has a `mode`.
fn switch<T>(text: &str, with: impl Fn(Switch) -> T) -> Result<T, String> {
    match text {
        "on" => Ok(with(Switch::On)),
        "off" => Ok(with(Switch::Off)),
        _ => Err(format!("\"{text}\" is neither \"on\" nor \"off\"")),
    }
}

fn word(mode: Switch) -> String {
    match mode {
        Switch::On => "on".to_owned(),
        Switch::Off => "off".to_owned(),
    }
}

crate::shorthand::same_fields!(RequestBuffering, RequestBufferingMap, { mode, memory, path, levels, files });

string_or_map!(
    RequestBuffering,
    RequestBufferingMap,
    "`on`, `off`, or a map with `memory`",
    |text| switch(text, |mode| RequestBuffering { mode, ..RequestBuffering::default() }),
    |own| (*own == RequestBuffering { mode: own.mode, ..RequestBuffering::default() })
        .then(|| word(own.mode))
);

crate::shorthand::same_fields!(ResponseBuffering, ResponseBufferingMap, { mode, memory, file, write, path, rate });

string_or_map!(
    ResponseBuffering,
    ResponseBufferingMap,
    "`on`, `off`, or a map with `memory`",
    |text| switch(text, |mode| ResponseBuffering { mode, ..ResponseBuffering::default() }),
    |own| (*own == ResponseBuffering { mode: own.mode, ..ResponseBuffering::default() })
        .then(|| word(own.mode))
);

impl RequestBuffering {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl ResponseBuffering {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What is sent to the endpoint in place of the client's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SentRequest {
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Template>,
    /// The body; `$request_body` is the client's, as far as it lies in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Template>,
    /// Whether the client's body is left out.
    pub no_body: bool,
    /// Whether the client's fields are left out; those of `headers` and `forwarded` are sent.
    pub no_headers: bool,
}

impl SentRequest {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A field of an endpoint's answer that tells the proxy what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccelField {
    /// `X-Accel-Buffering`: `yes` holds the answer back for a slow client, `no` doesn't.
    Buffering,
    /// `X-Accel-Limit-Rate`: bytes a second to the client; 0: any.
    LimitRate,
    /// `X-Accel-Charset`: which characters the answer is written in, where it does not say so itself.
    Charset,
}

/// How fast answers go to a client. The short form is `rate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes a second for one answer, such as `100k`; 0 or nothing: any.
    pub rate: Template,
    /// Bytes that go at full speed first.
    pub after: Template,
    /// Goes before `rate` where it is not empty.
    pub first: Template,
}

/// How fast answers go to a client. The short form is `rate`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Bandwidth")]
struct BandwidthMap {
    /// Bytes a second for one answer, such as `100k`; 0 or nothing: any.
    rate: Template,
    /// Bytes that go at full speed first, such as `1m`.
    #[serde(default, skip_serializing_if = "Template::is_empty")]
    after: Template,
    /// Goes before `rate` where it is not empty.
    #[serde(default, skip_serializing_if = "Template::is_empty")]
    first: Template,
}

crate::shorthand::same_fields!(Bandwidth, BandwidthMap, { rate, after, first });

string_or_map!(
    Bandwidth,
    BandwidthMap,
    "bytes a second such as `100k`, or a map with `rate` and `after`",
    |text| Template::parse(text)
        .map(|rate| Bandwidth { rate, after: Template::default(), first: Template::default() })
        .map_err(|err| err.told()),
    |own| (own.after.is_empty() && own.first.is_empty()).then(|| own.rate.source().to_owned())
);
