//! Certificates of a serving process: their files are looked at, new ones are put to work, and who is about to
//! end is told of in the log and in metrics.

use bifrons_flow::Shared;
use bifrons_observe::metrics::Metric;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};
use tokio::time::{Interval, MissedTickBehavior};

/// 5 seconds: a handful of calls each time, and soon enough for whoever waits for a new certificate.
const LOOK: Duration = Duration::from_secs(5);
/// 30 days before its end a certificate should have been replaced by whatever does that.
const WARN_SECONDS: i64 = 30 * DAY;
/// A day, which is also how often one is warned of.
const DAY: i64 = 86_400;

/// The watch over certificates.
pub struct Certificates {
    ticks: Interval,
    /// How many days were left when the certificate was warned of last.
    warned: HashMap<String, i64>,
    /// Files that metrics show.
    shown: BTreeSet<String>,
}

impl Certificates {
    /// Looks at once, and then at intervals.
    pub fn new() -> Self {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, warned: HashMap::new(), shown: BTreeSet::new() }
    }

    /// Waits for the next look. Cancel-safe.
    pub async fn next(&mut self) {
        self.ticks.tick().await;
    }

    /// Loads certificates that have changed; whether something else has, so that the configuration must be taken
    /// again.
    pub fn look(&mut self, shared: &Shared) -> bool {
        let refresh = shared.tls.refresh();
        shared.tls.sweep();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64);
        let expiries = shared.tls.expiries();
        let is_known = |file: &String| expiries.iter().any(|(known, _)| known == file);
        for file in self.shown.extract_if(.., |file| !is_known(file)) {
            // A series of 0 is not shown.
            shared.metrics.set(shared.metrics.gauge(Metric::CertificateExpiry, &[&file]), 0);
        }
        self.warned.retain(|file, _| is_known(file));
        for (file, end) in expiries {
            shared.metrics.set(shared.metrics.gauge(Metric::CertificateExpiry, &[&file]), end);
            self.shown.insert(file.clone());
            let left = end - now;
            let days = left.div_euclid(DAY);
            if left > WARN_SECONDS {
                self.warned.remove(&file);
            } else if self.warned.insert(file.clone(), days) != Some(days) {
                match left > 0 {
                    true => tracing::warn!(file, days, "a certificate is about to end"),
                    false => tracing::error!(file, "a certificate has ended: clients refuse it"),
                }
            }
        }
        refresh.is_stale
    }
}
