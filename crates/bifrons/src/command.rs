//! One function per command of the command line.

mod cache;
mod chain;
mod check;
mod demo;
mod one_liners;
mod remote;
mod schema;

use crate::cli::{Cli, Command, RunArgs};
use crate::load::Origin;
use crate::nginx;
use crate::origin;
use crate::process::{self, BindError, Launch, Style};
use bifrons_config::Problems;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is wrong.
    Config(Problems),
    /// An address cannot be listened on.
    Bind(BindError),
    /// Anything else, in a sentence.
    Other(String),
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => problems.fmt(f),
            Self::Bind(error) => error.fmt(f),
            Self::Other(message) => f.write_str(message),
        }
    }
}

/// Runs the command; its failure goes to standard error.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Nginx(args) => return nginx::run(&args.args),
        Command::Run(args) => serve(args),
        Command::Check(args) => check::check(&args),
        Command::Show(args) => check::show(&args),
        Command::Schema => schema::print(),
        Command::Reload(args) => remote::reload(&args),
        Command::Stop(args) => remote::stop(&args),
        Command::Cache(command) => cache::run(&command),
        Command::ReverseProxy(args) => one_liners::reverse_proxy(args),
        Command::FileServer(args) => one_liners::file_server(args),
        Command::Origin(args) => origin::run(&args),
        Command::Demo(args) => demo::demo(args),
        Command::DemoChain(args) => chain::demo_chain(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::FAILURE
        }
    }
}

/// `bifrons run`.
fn serve(args: RunArgs) -> Result<(), Failure> {
    let origin = Origin::of(&args.files.files, args.files.nginx)?;
    process::run(Launch { origin, args: args.process, service: true, greeting: None, style: Style::Own })
}

fn report(failure: &Failure) {
    match failure {
        Failure::Config(problems) if std::io::stderr().is_terminal() => eprintln!("{}", problems.to_ansi()),
        Failure::Config(problems) => eprintln!("{problems}"),
        Failure::Bind(error) => eprintln!("bifrons: {error}"),
        Failure::Other(message) => eprintln!("bifrons: {message}"),
    }
}

/// Writes to standard output; who has stopped reading has enough.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}").into())
        }
        _ => Ok(()),
    }
}
