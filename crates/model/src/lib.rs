//! The configuration model: what every front end (YAML, nginx.conf, the command line, the admin API)
//! produces, and the only thing a snapshot is built from. Field comments are the manual.

pub mod buffering;
pub mod cluster;
mod declared;
pub mod files;
pub mod health_check;
pub mod host;
pub mod internal;
pub mod listener;
pub mod replication;
pub mod route;
mod schema;
mod shorthand;
pub mod sticky;
pub mod tcp;
pub mod udp;

pub use buffering::{
    AccelField, Bandwidth, BodyFiles, RequestBuffering, ResponseBuffering, SentRequest, Switch,
};
pub use cluster::{
    Cluster, HttpVersion, KeepAlive, NameServers, Queue, Resolver, Retry, RetryOn, UpstreamTimeouts,
};
pub use declared::declared;
pub use files::{
    Browse, BrowseFormat, Builtin, FileCache, FileLinks, IfModifiedSince, Negotiation, PrecompressedCoding,
    StaticFiles, VaryField,
};
pub use health_check::{Expect, ExpectField, HealthCheck, StatusRule};
pub use host::Host;
pub use internal::{ErrorPage, MediaTypes, OwnRedirects, PageStatus, TryFiles};
pub use listener::{
    Allowance, CdnLoop, ClientAddress, ConnectionLimits, Http2, Listener, LoneLf, MessageLimits, NameRule,
    PlainHttp2, ServerField, Timeouts,
};
pub use replication::Replication;
pub use route::{
    ClientAbort, ConnectionFields, ExpectContinue, ForwardedField, HostField, Proxy, Redirect, Respond, Route,
};
pub use schema::schema;
pub use sticky::{Sticky, StickyCookie, StickyLearn};
pub use tcp::{ProxyHeaderIn, ProxyHeaderOut, ProxyHeaderWord, StartTls, Tcp, TcpProtocol, TcpRoute};
pub use udp::{Udp, UdpRoute};

use bifrons_config::At;
use bifrons_config::units::Dur;
use bifrons_observe::config::{AccessLogs, LogFormat};
use bifrons_store::ZoneConfig;
use bifrons_variables::Variable;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Worker threads; `auto` is one a core.
    pub workers: Workers,
    /// User to run as once the sockets are bound; only root can change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Group to run as; the user's own by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// File that holds the process id while the proxy runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_file: Option<String>,
    /// Addresses the proxy listens on, by name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub listeners: IndexMap<String, Listener>,
    /// Virtual hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Host>,
    /// Groups of endpoints, by name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub clusters: IndexMap<String, Cluster>,
    /// Zones of stored answers, by name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub caches: IndexMap<String, At<ZoneConfig>>,
    /// What nodes tell each other of their caches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<Replication>,
    /// Variables of one's own, by name (without `$`): every template may use them. Computed when something
    /// first asks for them.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub variables: IndexMap<String, At<Variable>>,
    /// Formats of the access log, by name; `json`, `combined` and `common` are there already.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub log_formats: IndexMap<String, LogFormat>,
    /// Access log of hosts and routes that name none; `[]` writes none. JSON lines to standard output
    /// where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLogs>,
    /// The proxy's own log.
    pub error_log: ErrorLog,
    /// The admin listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<Admin>,
    /// How the proxy stops.
    pub shutdown: Shutdown,
    /// What the process asks of the system.
    #[serde(skip_serializing_if = "Process::is_default")]
    pub process: Process,
}

/// What the process asks of the system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Process {
    /// Most files and connections that may be open (`ulimit -n`); as many as the system allows where nothing
    /// is said. More than its hard limit takes root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// Priority of the worker threads as `nice` has it, from -20, which goes first, to 19. Less than 0 takes
    /// root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i8>,
    /// Processors that the worker threads run on; the system's choice where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
}

impl Process {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Processors that worker threads run on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cpus {
    /// Each worker on one of its own, as long as there are enough.
    Auto,
    /// For each worker a list of processors, counted from 0; workers that are more have the last list.
    Each(Vec<Vec<u16>>),
}

/// How many worker threads there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workers {
    /// One a core.
    #[default]
    Auto,
    /// That many, at least 1.
    Count(u16),
}

impl Workers {
    /// The number of threads on this machine.
    pub fn count(self) -> usize {
        match self {
            Self::Auto => std::thread::available_parallelism().map_or(1, usize::from),
            Self::Count(count) => usize::from(count.max(1)),
        }
    }
}

/// The proxy's own log: what it did and what went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ErrorLog {
    /// A path, `stderr` or `stdout`. Opened again on SIGUSR1.
    pub to: String,
    /// The least severity written.
    pub level: Level,
    /// Whether a line is JSON.
    pub json: bool,
    /// Whether a line has the form of nginx's error log, for what reads those.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nginx: bool,
}

impl Default for ErrorLog {
    fn default() -> Self {
        Self { to: "stderr".into(), level: Level::Info, json: false, nginx: false }
    }
}

/// Severity of the proxy's own log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words say it")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// The admin listener: health, metrics, the running configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address and port. Anyone who reaches it may read the configuration: keep it on loopback.
    pub bind: String,
    /// File with a token. With it, whatever changes something (a reload, a purge) must bring it as
    /// `Authorization: Bearer TOKEN`. It is read for each such request, so a new token needs no reload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { bind: "127.0.0.1:9901".into(), token_file: None }
    }
}

/// How the proxy stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long requests that run may go on after SIGTERM, SIGQUIT or an upgrade (SIGUSR2).
    pub timeout: Dur,
}

impl Default for Shutdown {
    fn default() -> Self {
        // 30 s: what Kubernetes grants a pod by default.
        Self { timeout: Dur(std::time::Duration::from_secs(30)) }
    }
}
