//! What has been read to the model: defaults of nginx are written out, inheritance is carried out.

mod clusters;
mod hosts;
mod listeners;
mod routes;
mod rules;
mod stream;

use crate::context::Ctx;
use crate::directives::rewrite::Rule;
use crate::level::Level;
use bifrons_model::Config;
use clusters::Clusters;

/// The configuration. Mistakes that only show here go to the notes.
pub(crate) fn translate(cx: &mut Ctx) -> Config {
    let mut config = Config::default();
    cx.main.emit(&cx.defaults, &mut config);
    let mut http = std::mem::take(&mut cx.http);
    // Routes ask for them where they are made.
    cx.http.zones = std::mem::take(&mut http.zones);
    let mut servers = http.servers;
    for server in &mut servers {
        server.level.inherit(&http.level);
        inherit_down(&mut server.level);
    }
    config.access_log = Some(http.level.log.emit().unwrap_or_else(|| cx.defaults.access_log.clone()));
    config.variables = http.variables;
    config.caches = http.caches;
    config.log_formats = http.formats;
    let bindings = listeners::bind(cx, &servers);
    config.listeners = listeners::emit(cx, &servers, &bindings);
    let mut clusters = Clusters::new(http.upstreams, http.level.resolver.clone(), http.matches);
    config.hosts = hosts::emit(cx, &http.level, &servers, &bindings, &mut clusters);
    config.clusters = clusters.finish();
    stream::emit(cx, &mut config);
    config
}

/// Hands the settings of a block down to the blocks within.
fn inherit_down(level: &mut Level) {
    let mut locations = std::mem::take(&mut level.locations);
    for location in &mut locations {
        location.level.inherit(level);
        inherit_down(&mut location.level);
        if let Some(mut limit) = location.level.limit_except.take() {
            limit.level.inherit(&location.level);
            // What answers is the location's, unless the block has another.
            if limit.level.pass.is_none() {
                limit.level.pass.clone_from(&location.level.pass);
            }
            location.level.limit_except = Some(limit);
        }
    }
    level.locations = locations;
    let mut rules = std::mem::take(&mut level.rules);
    for rule in &mut rules {
        let Rule::If(block) = rule else { continue };
        block.level.inherit(level);
        // An `if` block answers as its location does, unless it says otherwise.
        if block.level.pass.is_none() {
            block.level.pass.clone_from(&level.pass);
        }
    }
    level.rules = rules;
}
