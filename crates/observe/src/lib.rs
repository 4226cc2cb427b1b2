//! Metrics, access log and its sinks.
