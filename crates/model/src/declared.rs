//! The variables that a YAML configuration declares itself: those under `variables:`, what its rewriting sets,
//! and the named groups of its regular expressions.

use bifrons_config::yaml::Node;
use std::collections::HashSet;

/// The names, without `$` and in lower case; for [`bifrons_config::yaml::Options::declared`].
pub fn declared(root: &Node) -> HashSet<String> {
    let mut names = HashSet::new();
    let hosts = root.entry("hosts").map(Node::items).unwrap_or_default();
    for host in hosts {
        host.entry("names").into_iter().for_each(|name| take(name, &mut names));
        let routes = host.entry("routes").map(Node::items).unwrap_or_default();
        routes.iter().filter_map(|route| route.entry("path")).for_each(|path| take(path, &mut names));
        let named = host.entry("named_routes").map(Node::entries).unwrap_or_default();
        let named = named.iter().map(|entry| &entry.value);
        for filters in routes.iter().chain(named).chain([host]).filter_map(|part| part.entry("filters")) {
            let rewrites = filters.items().iter().filter_map(|filter| filter.entry("rewrite"));
            rewrites.for_each(|steps| take_steps(steps, &mut names));
        }
        host.entry("rewrite").into_iter().for_each(|steps| take_steps(steps, &mut names));
    }
    for listener in root.entry("listeners").map(Node::entries).unwrap_or_default() {
        for kind in ["tcp", "udp"].into_iter().filter_map(|kind| listener.value.entry(kind)) {
            let routes = kind.entry("routes").map(Node::items).unwrap_or_default();
            routes.iter().filter_map(|route| route.entry("set")).for_each(|set| take_names(set, &mut names));
        }
    }
    for entry in root.entry("variables").map(Node::entries).unwrap_or_default() {
        names.extend(Some(entry.name()).filter(|name| is_name(name)).map(str::to_ascii_lowercase));
        let values = entry.value.entry("map").and_then(|map| map.entry("values"));
        for value in values.map(Node::entries).unwrap_or_default() {
            take_pattern(value.name(), &mut names);
        }
    }
    names
}

/// What the steps of a rewriting set, and the named groups of what they match.
fn take_steps(steps: &Node, names: &mut HashSet<String>) {
    for step in steps.items() {
        step.entry("set").into_iter().for_each(|set| take_names(set, names));
        for part in ["if", "path"].into_iter().filter_map(|key| step.entry(key)) {
            part.entry("matches").and_then(Node::text).into_iter().for_each(|text| take_groups(text, names));
            part.entry("then").into_iter().for_each(|steps| take_steps(steps, names));
        }
    }
}

/// The names of a map, or of a list of such.
fn take_names(maps: &Node, names: &mut HashSet<String>) {
    let set = maps.items().iter().chain([maps]).flat_map(Node::entries).map(|entry| entry.name());
    names.extend(set.filter(|name| is_name(name)).map(str::to_ascii_lowercase));
}

/// The named groups of all patterns of a tree that are regular expressions.
fn take(patterns: &Node, names: &mut HashSet<String>) {
    patterns.walk(&mut |node| {
        node.text().into_iter().for_each(|text| take_pattern(text, names));
    });
}

/// The named groups of a text that is a regular expression: one that begins with `~`.
fn take_pattern(pattern: &str, names: &mut HashSet<String>) {
    if pattern.starts_with('~') {
        take_groups(pattern, names);
    }
}

/// The named groups of a regular expression.
fn take_groups(pattern: &str, names: &mut HashSet<String>) {
    // `(?<name>…)` and `(?P<name>…)`. What is no regular expression is told when the value is read.
    for (at, _) in pattern.match_indices("(?") {
        let rest = pattern.get(at + 2..).unwrap_or_default();
        let rest = rest.strip_prefix('P').unwrap_or(rest);
        let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(name, _)| name);
        names.extend(name.filter(|name| is_name(name)).map(str::to_ascii_lowercase));
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests;
