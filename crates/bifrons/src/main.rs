//! The binary: command line, signals, workers.
#![allow(
    unreachable_pub,
    reason = "nothing of a binary is reachable; `pub` says what a module offers the others"
)]

mod cli;
mod command;
mod load;
mod nginx;
mod origin;
mod process;

use clap::Parser;
use std::process::ExitCode;

/// Small blocks that come and go by the thousand on one thread: what it is best at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match nginx::called() {
        Some(args) => nginx::run(&args),
        None => command::run(cli::Cli::parse()),
    }
}
