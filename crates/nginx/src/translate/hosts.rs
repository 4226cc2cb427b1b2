//! Hosts: a server as it is reached by its listeners.
//!
//! A server may be the default of one address and not of another, and lose a name on an address where an
//! earlier server has it. The model's host is the same on all its listeners, so such a server becomes
//! several hosts.

use super::clusters::Clusters;
use super::listeners::Binding;
use super::routes::{self, OfListener, Routes};
use crate::context::Ctx;
use crate::directives::server::Server;
use crate::level::Level;
use bifrons_config::{At, Problem};
use bifrons_model::Host;
use bifrons_route::path::PathRules;
use bifrons_tls::ServerTls;
use std::collections::HashSet;

/// How a server is reached: names, whether it is the default, listeners.
struct Reach {
    names: Vec<At<String>>,
    default: bool,
    listeners: Vec<At<String>>,
}

/// The hosts of all servers, in their order.
pub(super) fn emit(
    cx: &mut Ctx,
    http: &Level,
    servers: &[Server],
    bindings: &[Binding],
    clusters: &mut Clusters,
) -> Vec<Host> {
    let mut reached: Vec<Vec<Reach>> = servers.iter().map(|_| Vec::new()).collect();
    for binding in bindings {
        reach(cx, servers, binding, &mut reached);
    }
    let mut hosts = Vec::new();
    for (at, (server, reached)) in servers.iter().zip(reached).enumerate() {
        let defaults = listened_by(at, bindings, servers);
        let of_listener = OfListener {
            server: same(defaults.iter().map(|l| l.server_field())),
            times: same(defaults.iter().map(|l| l.connection.times())),
        };
        let Routes { routes, named, rewrite, fallback, root } =
            routes::emit(cx, server, clusters, of_listener);
        let client = server.level.realip.emit();
        let level = &server.level;
        let max_body = level.connection.max_body();
        let tls = tls(cx, servers, at, bindings);
        let host = Host {
            tls,
            path: PathRules {
                merge_slashes: level.connection.merge_slashes.unwrap_or(true),
                ..PathRules::NGINX
            },
            max_body: (max_body != http.connection.max_body()).then_some(max_body),
            rewrite,
            routes,
            client: (same(defaults.iter().map(|l| l.realip.emit())).as_ref() != Some(&client))
                .then_some(client),
            named_routes: named,
            fallback,
            error_pages: level.internal.error_pages(),
            recursive_error_pages: level.internal.is_recursive(),
            own_redirects: level.internal.redirects(),
            root,
            access_log: level.log.emit().filter(|log| Some(log) != http.log.emit().as_ref()),
            error_log: level.log.errors().filter(|log| log.0 != cx.main.error_logs()),
            ..Host::default()
        };
        hosts.extend(reached.into_iter().map(|Reach { names, default, listeners }| Host {
            names,
            default,
            listeners,
            ..host.clone()
        }));
    }
    hosts
}

/// How connections are encrypted for clients that name the server, where its addresses' default servers say
/// otherwise.
fn tls(cx: &mut Ctx, servers: &[Server], at: usize, bindings: &[Binding]) -> Option<ServerTls> {
    let own = &servers.get(at)?.level.ssl;
    let is_on = |binding: &&Binding| binding.ssl && binding.servers.iter().any(|(server, _)| *server == at);
    let others: Vec<usize> = bindings.iter().filter(is_on).map(|binding| binding.default).collect();
    if !own.is_there() || others.iter().all(|default| *default == at) {
        return None;
    }
    let own = own.emit(cx);
    let mut same = others.iter().filter_map(|default| servers.get(*default));
    // Mistakes of the other are told where it is written.
    let count = cx.notes.problems.0.len();
    let is_same = same.all(|other| other.level.ssl.emit(cx) == own);
    cx.notes.problems.0.truncate(count);
    (!is_same).then_some(own)
}

/// The default servers of the addresses that a server listens on: what connections there go by.
fn listened_by<'a>(server: usize, bindings: &[Binding], servers: &'a [Server]) -> Vec<&'a Level> {
    let listens = |binding: &&Binding| binding.servers.iter().any(|(at, _)| *at == server);
    bindings
        .iter()
        .filter(listens)
        .filter_map(|binding| servers.get(binding.default).map(|default| &default.level))
        .collect()
}

/// The value that all have.
fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// Adds to `reached` how the servers of one address are.
fn reach(cx: &mut Ctx, servers: &[Server], binding: &Binding, reached: &mut [Vec<Reach>]) {
    let mut taken: HashSet<String> = HashSet::new();
    for (at, _) in &binding.servers {
        let (Some(server), Some(reached)) = (servers.get(*at), reached.get_mut(*at)) else { continue };
        let default = *at == binding.default;
        let unnamed = [At { value: String::new(), place: server.place.clone() }];
        let all = if server.names.is_empty() { &unnamed[..] } else { &server.names };
        let mut names = Vec::new();
        for name in all {
            if taken.insert(name.value.clone()) {
                names.push(name.clone());
                continue;
            }
            let message = format!("conflicting server name \"{name}\" on {}, ignored", binding.address);
            cx.notes.warn(Problem { place: name.place.clone(), ..Problem::nowhere(message) });
        }
        if names.is_empty() && !default {
            continue;
        }
        let listener = At::from(binding.address.clone());
        match reached.iter_mut().find(|reach| reach.default == default && reach.names == names) {
            Some(reach) => reach.listeners.push(listener),
            None => reached.push(Reach { names, default, listeners: vec![listener] }),
        }
    }
}
