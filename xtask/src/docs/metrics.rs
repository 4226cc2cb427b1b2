//! metrics.md: what `/metrics` of the admin listener tells.

use super::markdown::{NOTICE, code, table};
use bifrons_observe::access::AccessLogger;
use bifrons_observe::config::{AccessLog, Destination};
use bifrons_observe::metrics::{Exposition, FAMILIES, Type};
use std::sync::Arc;

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
    let rows: Vec<_> = rows.chain(access_log()?).collect();
    Ok(format!("{NOTICE}{INTRO}{}", table(&["metric", "type", "labels", "meaning"], rows)))
}

/// The families that the access log writes itself, read from what it writes.
fn access_log() -> Result<Vec<Vec<String>>, String> {
    let logger = AccessLogger::start().map_err(|err| err.to_string())?;
    let format = bifrons_observe::CompiledFormat::builtin("json").ok_or("there is no format json")?;
    let log = AccessLog::new(Destination::Stdout);
    let _open = logger.open(&log, Arc::new(format)).map_err(|err| err.to_string())?;
    let mut text = Exposition::default();
    logger.expose(&mut text);
    let text = text.finish();
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let row = |(name, help): (&str, &str)| {
        vec![code(name), "counter".to_owned(), code("destination"), help.to_owned()]
    };
    Ok(helps.map(row).collect())
}
