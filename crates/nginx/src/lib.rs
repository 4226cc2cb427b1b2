//! The nginx.conf dialect: text to [`bifrons_model::Config`], with nginx's semantics and its words.
//!
//! The way of a file: [`lexer`] cuts it into tokens, [`parser`] makes a tree of directives, [`include`] puts
//! other files into it, [`context`] walks it by the table of [`directives`], each of which notes in the
//! drafts ([`level`]) what it says, and [`translate`] writes the drafts as the model. All mistakes are found
//! in one go, each with its place.

mod ciphers;
mod context;
mod directive;
mod directives;
mod glob;
mod include;
mod level;
mod lexer;
mod notes;
mod parser;
mod reference;
mod settings;
mod translate;
mod tree;
mod values;

pub use directive::{Args, Contexts, Spec, Status};
pub use directives::{knows, supports, supports_in_stream};
pub use reference::reference;
pub use tree::{Directive, Word};

use bifrons_config::units::Dur;
use bifrons_config::{At, OneOrMany, Place, Problem, Problems, Source};
use bifrons_model::{Config, ErrorLog};
use bifrons_observe::config::{AccessLog, AccessLogs, Destination};
use context::Ctx;
use include::Includer;
use notes::Notes;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The nginx whose words and ways these are, and what tools that ask for its version are told.
pub const VERSION: &str = bifrons_config::vars::NGINX_VERSION;

/// The name of the source that [`Defaults::globals`] is.
pub const COMMAND_LINE: &str = "command line";

/// What a configuration does not say and nginx has compiled in.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// Where relative `root`, log and pid paths begin (nginx's `--prefix` and `-p`).
    pub prefix: PathBuf,
    /// Where relative `include` paths begin; the main file's directory where nothing is said.
    pub conf_dir: Option<PathBuf>,
    /// The access log where no `access_log` is given. nginx has a file below its prefix; ours is standard
    /// output, which a service manager keeps.
    pub access_log: AccessLogs,
    /// The proxy's own log where no `error_log` is given.
    pub error_log: ErrorLog,
    /// Whether `include` may read files.
    pub includes: Includes,
    /// Whether a host name of an upstream exists. nginx asks the resolver when it starts and refuses a name
    /// that is unknown at that time; by default every name is taken, and resolved while serving.
    pub host_exists: fn(&str) -> bool,
    /// Directives outside of all blocks that come before the file's (nginx's `-g`).
    pub globals: Option<String>,
    /// The file of the process id where no `pid` is given; none is written by default.
    pub pid: Option<String>,
    /// The user to become where no `user` is given; by default the process stays who it is.
    pub user: Option<(String, Option<String>)>,
    /// Whether there is such a user, and group, and whether we can become it: a warning where it is nobody's to
    /// change, in nginx's words. By default every name is taken.
    pub judge_user: fn(&str, Option<&str>) -> Result<Option<String>, String>,
    /// How long requests may go on where no `worker_shutdown_timeout` is given.
    pub shutdown: Dur,
    /// Whether we are called as nginx, which carries out `daemon` and `env`, and to which a file without
    /// `events` is a mistake.
    pub as_nginx: bool,
}

/// Whether `include` may read files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Includes {
    /// Any file that the process can read, as nginx.
    #[default]
    FromDisk,
    /// None: for text that comes from elsewhere than the machine's own disk.
    Refused,
}

impl Default for Defaults {
    /// Debian's `--prefix`, combined access log on standard output, errors on standard error.
    fn default() -> Self {
        let access_log = AccessLog { format: At::from("combined"), ..AccessLog::new(Destination::Stdout) };
        Self {
            prefix: PathBuf::from("/usr/share/nginx"),
            conf_dir: None,
            access_log: OneOrMany::one(access_log),
            error_log: ErrorLog::default(),
            includes: Includes::default(),
            host_exists: |_| true,
            globals: None,
            pid: None,
            user: None,
            judge_user: |_, _| Ok(None),
            shutdown: bifrons_model::Shutdown::default().timeout,
            as_nginx: false,
        }
    }
}

impl Defaults {
    /// The path itself where it is absolute, else below the prefix.
    pub(crate) fn full_path(&self, path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { self.prefix.join(path).display().to_string() }
    }
}

/// A configuration that was read without a mistake.
#[derive(Debug)]
pub struct Loaded {
    /// The model.
    pub config: Config,
    /// Directives that were accepted without effect, and why none is needed; for `check -v`.
    pub accepted: Vec<(Place, String)>,
    /// What works otherwise than it may look.
    pub warnings: Vec<Problem>,
    /// All texts that were read, in their order; the main file's is the first but for [`Defaults::globals`].
    pub sources: Vec<Arc<Source>>,
    /// What is said of the process that only whoever starts it can carry out.
    pub start: Start,
}

/// How the process is to be started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// `daemon`.
    pub daemon: Option<bool>,
    /// `env`: variables by name, with a value where one is given.
    pub env: Vec<(String, Option<String>)>,
}

/// Reads an nginx.conf and the files it includes.
///
/// # Errors
/// All mistakes, in the order of their places.
pub fn load(path: &Path, defaults: &Defaults) -> Result<Loaded, Problems> {
    let text = include::read_main(path).map_err(|message| Problems::from(Problem::nowhere(message)))?;
    parse(Source::new(path.display().to_string(), text), defaults)
}

/// Reads the text of an nginx.conf, and the files it includes. The source's name is taken as its path.
///
/// # Errors
/// All mistakes, in the order of their places.
pub fn parse(source: Arc<Source>, defaults: &Defaults) -> Result<Loaded, Problems> {
    let mut notes = Notes::default();
    let directory =
        defaults.conf_dir.clone().unwrap_or_else(|| include::directory_of(Path::new(&source.name)));
    let globals = defaults.globals.as_deref().map(|text| Source::new(COMMAND_LINE, text));
    let mut tree = Vec::new();
    for source in globals.iter().chain([&source]) {
        let block = parser::parse(source, &mut notes);
        tree.extend(Includer::new(defaults.includes, &directory).expand(block, &mut notes));
    }
    let defaults = &Defaults { conf_dir: Some(directory), ..defaults.clone() };
    let mut declared = HashSet::new();
    context::declared(&tree, &mut declared);
    let mut cx = Ctx::new(defaults.clone(), notes, declared);
    cx.names_files = context::names_files(&tree);
    cx.run(&tree);
    cx.demand_events();
    let config = translate::translate(&mut cx);
    let start = std::mem::take(&mut cx.main.start);
    let Notes { problems, warnings, accepted, sources } = {
        cx.notes.sort();
        cx.notes
    };
    problems.into_result(Loaded { config, accepted, warnings, sources, start })
}

/// The directives of a text, without what they mean; for tools and for testing the parser alone.
///
/// # Errors
/// All mistakes of the syntax.
pub fn parse_tree(source: &Arc<Source>) -> Result<Vec<Directive>, Problems> {
    let mut notes = Notes::default();
    let tree = parser::parse(source, &mut notes);
    notes.sort();
    notes.problems.into_result(tree)
}
