//! One function per command of the command line.

pub mod one_liners;

use crate::cli::{Cli, Command};
use crate::load::Origin;
use crate::{origin, process};
use bifrons_config::Problems;
use std::io::IsTerminal;
use std::process::ExitCode;

/// Why a command failed.
pub enum Failure {
    /// The configuration is wrong.
    Config(Problems),
    /// Anything else, in a sentence.
    Other(String),
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

/// Runs the command; its failure goes to standard error.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run(args) => Origin::of(&args.files.files, args.files.nginx)
            .map_err(Failure::from)
            .and_then(|origin| process::run(&origin, &args.process)),
        Command::ReverseProxy(args) => one_liners::reverse_proxy(&args),
        Command::FileServer(args) => one_liners::file_server(&args),
        Command::Origin(args) => origin::run(&args),
        _ => Err(Failure::Other("not yet".into())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::FAILURE
        }
    }
}

fn report(failure: &Failure) {
    match failure {
        Failure::Config(problems) if std::io::stderr().is_terminal() => eprintln!("{}", problems.to_ansi()),
        Failure::Config(problems) => eprintln!("{problems}"),
        Failure::Other(message) => eprintln!("bifrons: {message}"),
    }
}
