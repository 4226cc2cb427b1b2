//! Chores of the project: checks, generated documentation, templates for new parts.
fn main() {}
