//! Prometheus's text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::{Display, Write as _};

/// The `Content-Type` of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of a histogram's buckets in microseconds: 100 µs, what a hop costs at least, to 60 s, the
/// default of nginx's timeouts; two or three a decade, for every bucket is a series to whoever stores them.
pub(super) const BUCKETS_US: [u64; 18] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// The buckets, the one without bound, and the sum.
pub(super) const HISTOGRAM_SLOTS: usize = BUCKETS_US.len() + 2;

/// What the values of a family mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket, with their sum.
    Histogram,
}

impl Type {
    /// How many values a series has.
    pub(super) fn slots(self) -> u32 {
        match self {
            Self::Counter | Self::Gauge => 1,
            Self::Histogram => HISTOGRAM_SLOTS as u32,
        }
    }
}

/// The text as it is written. Writing to a `String` cannot fail.
#[derive(Debug, Default)]
pub struct Exposition {
    out: String,
}

impl Exposition {
    /// Begins a family, whose samples follow at once. A counter's name ends in `_total`.
    pub fn family(&mut self, name: &str, help: &str, kind: Type) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes one value.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.line(name, "", &self::labels(labels), value);
    }

    /// Writes one value; `labels` as [`labels`] makes them.
    pub(super) fn line(&mut self, name: &str, suffix: &str, labels: &str, value: impl Display) {
        let _ = if labels.is_empty() {
            writeln!(self.out, "{name}{suffix} {value}")
        } else {
            writeln!(self.out, "{name}{suffix}{{{labels}}} {value}")
        };
    }

    /// Writes a histogram from its [`HISTOGRAM_SLOTS`] values. The count is that of the last bucket, so the two
    /// agree though workers go on counting.
    pub(super) fn histogram(&mut self, name: &str, labels: &str, slots: &[u64]) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut count = 0_u64;
        for (bound, value) in BUCKETS_US.iter().zip(slots) {
            count = count.wrapping_add(*value);
            let bound = *bound as f64 / 1e6;
            let _ = writeln!(self.out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
        }
        count = count.wrapping_add(slots.get(BUCKETS_US.len()).copied().unwrap_or_default());
        let _ = writeln!(self.out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
        let sum_us = slots.last().copied().unwrap_or_default();
        let sum = format_args!("{}.{:06}", sum_us / 1_000_000, sum_us % 1_000_000);
        self.line(name, "_sum", labels, sum);
        self.line(name, "_count", labels, count);
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.out
    }
}

/// `name="value"` with commas between; `\`, `"` and line ends in values are escaped.
pub(super) fn labels(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push(',');
        }
        let _ = write!(out, "{name}=\"");
        for char in value.chars() {
            match char {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                _ => out.push(char),
            }
        }
        out.push('"');
    }
    out
}
