//! The JSON Schema of the configuration, and ways to walk it.

use super::markdown::{anchor, code};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The whole schema.
pub(super) struct Schema {
    root: Value,
    /// Defaults that the schema does not carry, by type and key: those that are left out when written.
    defaults: BTreeMap<(&'static str, &'static str), Value>,
    /// Types with a section in config.md.
    in_config: BTreeSet<String>,
    /// Types that are the map form of another and stand in its section.
    map_forms: BTreeSet<String>,
}

/// What a type is called on the pages, where its Rust name says too little there.
const NAMES: &[(&str, &str)] = &[
    ("FilterConfig", "Filter"),
    ("PathRules", "Path rules"),
    ("PathPolicy", "Path policy"),
    ("ClientAddress", "Client address"),
    ("RedirectTo", "Redirect of a listener"),
    ("LoneLf", "Lone LF"),
    ("ServerField", "Server field"),
    ("MessageLimits", "Message limits"),
    ("ConnectionLimits", "Connection limits"),
    ("FieldEdits", "Field edits"),
    ("PathPattern", "Path pattern"),
    ("MatchRule", "Match rule"),
    ("IpSet", "Address list"),
    ("HostField", "Host field"),
    ("ForwardedField", "Forwarded field"),
    ("HttpVersion", "HTTP version"),
    ("ClientAbort", "Client abort"),
    ("UpstreamTimeouts", "Upstream timeouts"),
    ("RetryOn", "Retry on"),
    ("StaticFiles", "Static files"),
    ("Browse", "Listings of directories"),
    ("Negotiation", "Who gets compressed files"),
    ("FileCache", "Cache of open files"),
    ("AccessLog", "Access log"),
    ("LoadFactor", "Load factor"),
    ("KeepAlive", "Keep-alive"),
    ("LogFormat", "Log format"),
    ("ErrorLog", "Error log"),
    ("FieldName", "Field name"),
    ("Dur", "Duration"),
];

/// Types that have a page of their own.
const PAGES: &[(&str, &str)] = &[("FilterConfig", "filters.md"), ("Balance", "balance.md")];

impl Schema {
    /// From the model.
    pub(super) fn load() -> Self {
        let root = bifrons_model::schema().to_value();
        let mut schema = Self {
            root,
            defaults: unwritten_defaults(),
            in_config: BTreeSet::new(),
            map_forms: BTreeSet::new(),
        };
        let types = schema.root["$defs"].as_object().into_iter().flatten();
        schema.map_forms =
            types.filter_map(|(_, value)| Some(schema.map_form(value)?.0.to_owned())).collect();
        let mut found = BTreeSet::new();
        schema.reach(&schema.root, &mut found);
        schema.in_config = found;
        schema
    }

    /// Adds the types that a value leads to, but for those that have a page of their own.
    fn reach(&self, value: &Value, found: &mut BTreeSet<String>) {
        for name in references(value) {
            if own_page(name).is_none()
                && found.insert(name.to_owned())
                && let Ok(definition) = self.definition(name)
            {
                self.reach(definition, found);
            }
        }
    }

    /// The page on which a type is told, seen from `page`.
    pub(super) fn home(&self, name: &str, page: &'static str) -> &'static str {
        match own_page(name) {
            Some(own) => own,
            None if self.in_config.contains(name) => "config.md",
            None => page,
        }
    }

    /// A link to a type's section, from `page`.
    pub(super) fn link(&self, name: &str, page: &'static str) -> String {
        let title = title(name);
        let home = self.home(name, page);
        if own_page(name).is_some() {
            return format!("[{title}]({home})");
        }
        format!("[{title}]({}#{})", if home == page { "" } else { home }, anchor(title))
    }

    /// Whether a type is the map form of another.
    pub(super) fn is_map_form(&self, name: &str) -> bool {
        self.map_forms.contains(name)
    }

    /// As a file.
    pub(super) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.root).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The top level.
    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// A named type.
    pub(super) fn definition(&self, name: &str) -> Result<&Value, String> {
        self.root["$defs"].get(name).ok_or_else(|| format!("the schema has no type {name}"))
    }

    /// The type behind a value that is only a reference, through as many as there are; with its name.
    pub(super) fn follow<'s>(&'s self, value: &'s Value) -> (Option<&'s str>, &'s Value) {
        let mut found = (None, value);
        // Bounded by the number of types: a circle of bare references could not be read by serde.
        while let Some(name) = found.1["$ref"].as_str().map(short) {
            let Ok(next) = self.definition(name) else { break };
            found = (Some(name), next);
        }
        found
    }

    /// The map form of a type that is also written as a string: `anyOf: [string, map]`.
    pub(super) fn map_form<'s>(&'s self, value: &'s Value) -> Option<(&'s str, &'s Value)> {
        let forms = value["anyOf"].as_array()?;
        let [text, map] = forms.as_slice() else { return None };
        let (name, map) = self.follow(map);
        (text["type"] == "string" && map["properties"].is_object()).then_some((name?, map))
    }

    /// The default of a key, as it would be written; empty where there is none.
    pub(super) fn default_of(&self, of: &str, key: &str, property: &Value) -> String {
        let known = self.defaults.iter().find(|((on, name), _)| *on == of && *name == key);
        match known.map(|(_, value)| value).or(property.get("default")) {
            Some(value) => written(value),
            None => match property["type"].as_str() {
                Some("array") => code("[]"),
                Some("object") => code("{}"),
                Some("boolean") => code("false"),
                _ => String::new(),
            },
        }
    }
}

/// The last part of a reference.
pub(super) fn short(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// What a type is called on the pages.
pub(super) fn title(name: &str) -> &str {
    let name = name.trim_end_matches(|char: char| char.is_ascii_digit());
    NAMES.iter().find(|(rust, _)| *rust == name).map_or(name, |(_, title)| title)
}

fn own_page(name: &str) -> Option<&'static str> {
    PAGES.iter().find(|(of, _)| *of == name).map(|(_, page)| *page)
}

/// Names of the types that a value names, in order, without those behind them.
pub(super) fn references(value: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

fn collect<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(short));
            map.iter().filter(|(key, _)| *key != "$defs").for_each(|(_, inner)| collect(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// A default as YAML's flow style writes it. Maps are shown in their own sections.
fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Object(map) if !map.is_empty() => "its own defaults".to_owned(),
        Value::String(text) => code(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            code(&format!("[{}]", items.join(", ")))
        }
        other => code(&other.to_string()),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Defaults of keys that are left out when the value is written, so that the schema has none for them.
fn unwritten_defaults() -> BTreeMap<(&'static str, &'static str), Value> {
    let proxy = bifrons_model::Proxy::to(String::new());
    let endpoint =
        bifrons_balance::EndpointSpec::new(std::net::SocketAddr::from(([127, 0, 0, 1], 80)).into());
    let fail_timeout = bifrons_config::Dur(endpoint.fail_timeout).to_string();
    let load_factor = bifrons_balance::policies::hash::LoadFactor::default();
    let value = |value: Result<Value, serde_json::Error>| value.unwrap_or_default();
    BTreeMap::from([
        (("Proxy", "host"), value(serde_json::to_value(&proxy.host))),
        (("Proxy", "http_version"), value(serde_json::to_value(proxy.http_version))),
        (("Proxy", "keep_alive"), proxy.keep_alive.into()),
        (("Proxy", "upgrade"), proxy.upgrade.into()),
        (("Proxy", "client_abort"), value(serde_json::to_value(proxy.client_abort))),
        (("Proxy", "headers"), json!({})),
        (("Endpoint", "weight"), endpoint.weight.into()),
        (("Endpoint", "max_conns"), endpoint.max_conns.into()),
        (("Endpoint", "max_fails"), endpoint.max_fails.into()),
        (("Endpoint", "fail_timeout"), fail_timeout.into()),
        (("Hash", "load_factor"), value(serde_json::to_value(load_factor))),
    ])
}

/// The keys of a map type.
pub(super) fn properties(value: &Value) -> Option<&Map<String, Value>> {
    value["properties"].as_object()
}

/// The description of a type or key.
pub(super) fn description(value: &Value) -> &str {
    value["description"].as_str().unwrap_or_default()
}
