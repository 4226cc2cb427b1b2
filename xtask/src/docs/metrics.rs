//! metrics.md: what `/metrics` of the admin listener tells.

use super::markdown::{NOTICE, code, table};
use bifrons_control::{caches, replication};
use bifrons_observe::access::AccessLogger;
use bifrons_observe::config::{AccessLog, Destination};
use bifrons_observe::metrics::{FAMILIES, Registry, Type};
use bifrons_store::{ZoneConfig, Zones};
use std::sync::Arc;
use std::time::SystemTime;

const INTRO: &str = "\
# Metrics

`GET /metrics` of the admin listener, in Prometheus's text format. All counts begin at the process's start and \
survive reloads. Durations are in seconds, sizes in bytes. Histograms have buckets from 100 µs to 60 s. Past \
100,000 series whatever is new is counted in one series a family, whose labels say `other`.

";

/// The page.
pub(super) fn page() -> Result<String, String> {
    let rows = FAMILIES.iter().map(|family| {
        let kind = match family.kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        let labels: Vec<_> = family.labels.iter().map(|label| code(label)).collect();
        vec![code(family.name), kind.to_owned(), labels.join(", "), family.help.to_owned()]
    });
    let rows: Vec<_> = rows.chain(others()?).collect();
    Ok(format!("{NOTICE}{INTRO}{}", table(&["metric", "type", "labels", "meaning"], rows)))
}

/// The families that are in no table, read from what a registry writes.
fn others() -> Result<Vec<Vec<String>>, String> {
    let logger = AccessLogger::start().map_err(|err| err.to_string())?;
    let format = bifrons_observe::CompiledFormat::builtin("json").ok_or("there is no format json")?;
    let log = AccessLog::new(Destination::Stdout);
    let _open = logger.open(&log, Arc::new(format)).map_err(|err| err.to_string())?;
    let registry = Registry::new(SystemTime::UNIX_EPOCH);
    registry.reloaded("0", SystemTime::UNIX_EPOCH);
    registry.on_render(move |out| logger.expose(out));
    let zones = Zones::default();
    let cache = zones.open("my_cache", &ZoneConfig::default()).map_err(|err| err.to_string())?;
    registry.on_render(move |out| caches::expose(&zones, out));
    registry.on_render(|out| replication::expose(&replication::Counts::default(), 0, out));
    let text = registry.render();
    drop(cache);
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let others = helps.filter(|(name, _)| FAMILIES.iter().all(|family| family.name != *name));
    Ok(others.map(|(name, help)| row(&text, name, help)).collect())
}

/// A family's row by its lines in the text format.
fn row(text: &str, name: &str, help: &str) -> Vec<String> {
    let kind =
        text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap_or_default();
    let sample = text.lines().find_map(|line| line.strip_prefix(&format!("{name}{{"))).unwrap_or_default();
    let labels = sample.split(',').filter_map(|pair| pair.split_once('=')).map(|(label, _)| code(label));
    vec![code(name), kind.to_owned(), labels.collect::<Vec<_>>().join(", "), help.to_owned()]
}
