//! Servers without a configuration: the command line becomes one.

use super::Failure;
use crate::cli::{FileServerArgs, ProcessArgs, ReverseProxyArgs};
use crate::load::Origin;
use crate::process::{self, Launch, Style};
use bifrons_balance::{Address, AddressError, EndpointConfig};
use bifrons_config::{At, OneOrMany, Template};
use bifrons_model::{Cluster, Config, Host, Listener, Proxy, Route, StaticFiles};
use bifrons_route::PathPattern;

/// `bifrons reverse-proxy`.
pub fn reverse_proxy(args: ReverseProxyArgs) -> Result<(), Failure> {
    let mut cluster = Cluster::default();
    for to in &args.to {
        let text = to.strip_prefix("http://").unwrap_or(to).trim_end_matches('/');
        let address: Address = text.parse().map_err(|error: AddressError| format!("--to {to}: {error}"))?;
        cluster.endpoints.push(EndpointConfig::new(address).into());
    }
    let route = Route { proxy: Some(Proxy::to("upstream").into()), ..everything()? };
    let mut config = config(&args.listen, route);
    config.clusters.insert("upstream".into(), cluster);
    let greeting = format!("{} -> {}   (Ctrl-C ends it)", urls(&args.listen), args.to.join(", "));
    serve(config, args.process, greeting)
}

/// `bifrons file-server`.
pub fn file_server(args: FileServerArgs) -> Result<(), Failure> {
    let root =
        args.root.canonicalize().map_err(|error| format!("--root {}: {error}", args.root.display()))?;
    if !root.is_dir() {
        return Err(format!("--root {}: it is no directory", args.root.display()).into());
    }
    let files = StaticFiles {
        root: Some(Template::text(&root.to_string_lossy())),
        index: OneOrMany(vec!["index.html".into()]),
        ..StaticFiles::default()
    };
    let route = Route { files: Some(files.into()), ..everything()? };
    let greeting = format!("{} serves {}   (Ctrl-C ends it)", urls(&args.listen), root.display());
    serve(config(&args.listen, route), args.process, greeting)
}

fn serve(config: Config, args: ProcessArgs, greeting: String) -> Result<(), Failure> {
    let origin = Origin::Fixed(Box::new(config));
    process::run(Launch { origin, args, service: false, greeting: Some(greeting), style: Style::Own })
}

/// A configuration of one route.
fn config(listen: &[String], route: Route) -> Config {
    let bind = OneOrMany(listen.iter().map(|listen| At::from(listen.as_str())).collect());
    let mut config = Config::default();
    config.listeners.insert("web".into(), Listener { bind, ..Listener::default() });
    config.hosts.push(Host { default: true, routes: vec![route], ..Host::default() });
    config
}

/// A route for every path.
fn everything() -> Result<Route, Failure> {
    let path: PathPattern = "/*".parse().map_err(|error| format!("{error}"))?;
    Ok(Route { path: path.into(), ..Route::default() })
}

/// Addresses to open in a browser.
fn urls(listen: &[String]) -> String {
    let url = |listen: &String| match listen.as_str() {
        unix if unix.starts_with("unix:") => unix.to_owned(),
        port if !port.contains(':') => format!("http://127.0.0.1:{port}"),
        addr => match addr
            .strip_prefix("0.0.0.0:")
            .or_else(|| addr.strip_prefix("*:"))
            .or_else(|| addr.strip_prefix(':'))
        {
            Some(port) => format!("http://127.0.0.1:{port}"),
            None => format!("http://{addr}"),
        },
    };
    listen.iter().map(url).collect::<Vec<_>>().join(", ")
}
