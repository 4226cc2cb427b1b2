//! Servers without a configuration: the command line becomes one.

use super::Failure;
use crate::cli::{FileServerArgs, ReverseProxyArgs};
use crate::load::Origin;
use crate::process;
use bifrons_balance::{Address, EndpointConfig};
use bifrons_config::{At, OneOrMany, Template};
use bifrons_model::{Cluster, Config, Host, Listener, Proxy, Route, StaticFiles};

/// `bifrons reverse-proxy`.
pub fn reverse_proxy(args: &ReverseProxyArgs) -> Result<(), Failure> {
    let mut cluster = Cluster::default();
    for to in &args.to {
        let text = to.strip_prefix("http://").unwrap_or(to).trim_end_matches('/');
        let address: Address =
            text.parse().map_err(|error: bifrons_balance::AddressError| format!("--to {to}: {error}"))?;
        cluster.endpoints.push(EndpointConfig::new(address).into());
    }
    let route = Route { proxy: Some(Proxy::to("upstream").into()), ..everything() };
    let mut config = config(&args.listen, route);
    config.clusters.insert("upstream".into(), cluster);
    process::run(&Origin::Fixed(Box::new(config)), &args.process)
}

/// `bifrons file-server`.
pub fn file_server(args: &FileServerArgs) -> Result<(), Failure> {
    let root =
        args.root.canonicalize().map_err(|error| format!("--root {}: {error}", args.root.display()))?;
    let files = StaticFiles {
        root: Some(Template::text(&root.to_string_lossy())),
        index: OneOrMany(vec!["index.html".into()]),
        ..StaticFiles::default()
    };
    let route = Route { files: Some(files.into()), ..everything() };
    process::run(&Origin::Fixed(Box::new(config(&args.listen, route))), &args.process)
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
fn everything() -> Route {
    // `/` and all below it.
    let path = "/*".parse::<bifrons_route::PathPattern>().map(At::from).unwrap_or_default();
    Route { path, ..Route::default() }
}
