//! The way of a request, one file per step.
