//! The binary: command line, signals, workers.
fn main() {}
