//! Mistakes are told as `line:column message | help`, one a line.

mod includes;
mod mistakes;
mod random;
mod values;

use super::*;
use crate::at::At;
use crate::one_or_many::OneOrMany;
use crate::template::Template;
use crate::units::{Dur, Size};
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use std::fmt;

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Config {
    listeners: IndexMap<At<String>, Listener>,
    hosts: Vec<Host>,
    clusters: IndexMap<String, Cluster>,
    workers: Option<u16>,
    verbose: bool,
    share: f64,
    pair: Option<(u8, u8)>,
    statuses: IndexMap<u16, Dur>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Listener {
    bind: OneOrMany<At<String>>,
    #[serde(default)]
    tls: Option<Tls>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Tls {
    cert: String,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Host {
    names: OneOrMany<String>,
    routes: Vec<Route>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Route {
    path: String,
    proxy: Option<At<String>>,
    #[serde(default)]
    filters: Vec<At<Filter>>,
    #[serde(default, alias = "wait")]
    timeout: Dur,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Filter {
    Gzip,
    Cache(Cache),
    Headers { set: IndexMap<String, Template> },
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Cache {
    size: Size,
    zone: At<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Cluster {
    balance: Balance,
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Balance {
    #[default]
    RoundRobin,
    LeastRequest,
}

/// `"10.0.0.1:80"` or `{ address: …, weight: … }`, read by a visitor of its own.
#[derive(Debug, PartialEq)]
struct Endpoint {
    address: At<String>,
    weight: u32,
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            address: At<String>,
            weight: u32,
        }
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Endpoint;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address or a map")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Endpoint, E> {
                Ok(Endpoint { address: text.into(), weight: 1 })
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Endpoint, A::Error> {
                let long = Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Endpoint { address: long.address, weight: long.weight })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn read(text: &str) -> Result<Config, Problems> {
    let env = |name: &str| (name == "PORT").then(|| "8080".to_owned());
    load(&Source::new("a.yaml", text), &Options { env: &env, ..Options::default() })
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The mistakes of a text in short form.
fn mistakes(text: &str) -> String {
    told(&read(text).expect_err(text))
}

fn told(problems: &Problems) -> String {
    let lines = problems.0.iter().map(|problem| {
        let place = problem.place.as_ref().map(|place| {
            let (line, column) = place.line_column();
            let marked = place.source.text[place.range.clone()].lines().next().unwrap_or_default();
            format!("{line}:{column} <{marked}> ")
        });
        let help = problem.help.as_ref().map(|help| format!(" | {help}"));
        format!("{}{}{}", place.unwrap_or_default(), problem.message, help.unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}
