//! The command line: what `--help` says is written here.

use bifrons_net::Addr;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// One proxy for both sides of a connection: reverse proxy, load balancer, web server.
#[derive(Debug, Parser)]
#[command(name = "bifrons", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  bifrons run proxy.yaml                 serve by a configuration
  bifrons run /etc/nginx/nginx.conf      serve by an nginx configuration, as it is
  bifrons check proxy.yaml               show all that is wrong with it
  bifrons reverse-proxy --listen 127.0.0.1:8080 --to 127.0.0.1:3000
  bifrons file-server --root .           no configuration at all
  bifrons demo                           see it work";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve by a configuration, in the foreground, until a signal ends it
    Run(RunArgs),
    /// Look for mistakes in a configuration; exits with 1 where there are any
    Check(CheckArgs),
    /// Print a configuration as it runs: defaults filled in, as YAML (also from nginx.conf)
    Show(FileArgs),
    /// Print the JSON Schema of the YAML configuration, for editors
    Schema,
    /// Have the running proxy take its configuration again; waits for the outcome
    Reload(PidArgs),
    /// Have the running proxy finish what it serves and end; waits until it has
    Stop(StopArgs),
    /// Purge what the running proxy has in its caches, or look into them
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Forward HTTP to one or more servers, without a configuration
    ReverseProxy(ReverseProxyArgs),
    /// Serve the files of a directory, without a configuration
    FileServer(FileServerArgs),
    /// Stand in for nginx: its options, its words, its signals (`bifrons nginx -h`)
    #[command(disable_help_flag = true)]
    Nginx(NginxArgs),
    /// A small web server to try and test proxies with: it tells what it received
    Origin(OriginArgs),
    /// See it work: three origins and a proxy in front of them, with five commands to try
    Demo(ProcessArgs),
    /// See four proxies in a row: CDN, load balancer, gateway, sidecar, and what each adds to a request
    DemoChain(ChainArgs),
}

const SIGNALS: &str = "\
Signals:
  SIGHUP                    take the configuration again (`bifrons reload` waits for the outcome)
  SIGTERM, SIGINT, SIGQUIT  finish what runs, at most `shutdown.timeout`, and end; again: end at once
  SIGUSR1                   open log files again
  SIGUSR2                   start the binary as it is on disk now, give it the sockets, finish what runs

Relative paths in a YAML configuration begin at its own directory.
The process id is in --pid-file, or the configuration's `pid_file`, or /run/bifrons.pid as root, else
$XDG_RUNTIME_DIR/bifrons.pid or /tmp/bifrons-UID.pid; how the last reload went is beside it (.status).";

#[derive(Args, Debug)]
pub struct FileArgs {
    /// YAML, or nginx's dialect where the name ends in `.conf`. Several YAML files are merged.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read the file as nginx.conf whatever its name
    #[arg(long)]
    pub nginx: bool,
}

#[derive(Args, Debug)]
#[command(after_help = SIGNALS)]
pub struct RunArgs {
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub process: ProcessArgs,
}

/// What holds for every command that serves.
#[derive(Args, Clone, Debug, Default)]
pub struct ProcessArgs {
    /// Worker threads, instead of what the configuration says, or one a core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Least severe lines of the error log: error, warn, info, debug, trace, or a filter as in
    /// `info,bifrons_flow=debug`. Before `RUST_LOG`, which is before the configuration.
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Where the process id is written, instead of what the configuration says
    #[arg(long, value_name = "PATH")]
    pub pid_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    pub files: FileArgs,
    /// Also list nginx directives that are accepted and have no effect here
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Args, Debug)]
pub struct NginxArgs {
    /// As nginx has them. A link of the name `nginx` to the program does the same
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    pub args: Vec<OsString>,
}

#[derive(Args, Debug)]
pub struct PidArgs {
    /// Where the running proxy wrote its process id
    /// [default: /run/bifrons.pid as root, else $XDG_RUNTIME_DIR/bifrons.pid or /tmp/bifrons-UID.pid]
    #[arg(long, value_name = "PATH")]
    pub pid_file: Option<PathBuf>,
    /// Configuration that says where the process id is (`pid_file`)
    #[arg(value_name = "FILE", conflicts_with = "pid_file")]
    pub file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct StopArgs {
    #[command(flatten)]
    pub pid: PidArgs,
    /// Cut what runs instead of finishing it
    #[arg(long)]
    pub now: bool,
}

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Purge stored answers: by URL, prefix, host, tag, or all. Takes effect at once, whatever their number
    Purge(PurgeArgs),
    /// Show what is stored under a URL
    Inspect(InspectArgs),
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct PurgeArgs {
    /// One URL with all its variants: `https://example.com/path?query`
    #[arg(long, value_name = "URL", group = "what")]
    pub url: Option<String>,
    /// All URLs that begin so: `example.com/static/`, or `/static/` for all hosts
    #[arg(long, value_name = "PREFIX", group = "what")]
    pub prefix: Option<String>,
    /// All of a host
    #[arg(long, value_name = "HOST", group = "what")]
    pub host: Option<String>,
    /// All with a tag (`Surrogate-Key`, `Cache-Tag`, `xkey`)
    #[arg(long, value_name = "TAG", group = "what")]
    pub tag: Option<String>,
    /// Everything
    #[arg(long, group = "what")]
    pub all: bool,
    /// Mark as stale instead of removing
    #[arg(long)]
    pub soft: bool,
    #[command(flatten)]
    pub admin: AdminArgs,
}

#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The URL: `https://example.com/path?query`
    #[arg(value_name = "URL")]
    pub url: String,
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// Where the running proxy is asked.
#[derive(Args, Debug)]
pub struct AdminArgs {
    /// Name of the cache; without it all are meant
    #[arg(long, value_name = "NAME")]
    pub zone: Option<String>,
    /// Address of the admin listener
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    pub admin: String,
    /// File with the admin listener's token
    #[arg(long, value_name = "PATH")]
    pub token_file: Option<PathBuf>,
    /// Configuration that says where the admin listener and its token are (`admin`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["admin", "token_file"])]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct ReverseProxyArgs {
    /// Address to listen on: `127.0.0.1:8080`, `:80`, `[::]:80`, `unix:/path`; may be repeated
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: Vec<String>,
    /// Server to forward to: `127.0.0.1:3000`, `app.local:3000`, `unix:/path`; repeated, requests are balanced
    #[arg(long, value_name = "ADDRESS", required = true)]
    pub to: Vec<String>,
    #[command(flatten)]
    pub process: ProcessArgs,
}

#[derive(Args, Debug)]
pub struct FileServerArgs {
    /// Address to listen on; may be repeated
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: Vec<String>,
    /// Directory to serve
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub root: PathBuf,
    /// List directories that have no index.html
    #[arg(long)]
    pub browse: bool,
    #[command(flatten)]
    pub process: ProcessArgs,
}

#[derive(Args, Debug)]
pub struct ChainArgs {
    /// Send one request, check what the app saw of it, tell it, and end; on addresses of its own
    #[arg(long)]
    pub once: bool,
}

#[derive(Args, Debug)]
#[command(after_help = ORIGIN_PATHS)]
pub struct OriginArgs {
    /// Address to listen on; may be repeated
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    pub listen: Vec<Addr>,
    /// Name it answers with; repeated, the names go to the addresses in order [default: the address]
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
}

const ORIGIN_PATHS: &str = "\
Paths:
  /bytes/N         a body of N bytes (64k, 1m) with Content-Length
  /chunked/N       the same in chunks
  /status/CODE     that status
  /delay/MS        answers after MS milliseconds
  /drip/N/MS       N bytes, one every MS milliseconds
  /close           promises 1000 bytes, sends 100 and closes
  /echo            the body of the request
  /sse             an event a second (?n=5 of them, ?ms=200 apart)
  /ws              WebSocket, echoes messages
  anything else    what it received, as JSON: method, target, headers in order, body, client";
