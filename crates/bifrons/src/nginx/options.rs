//! nginx's command line, read as `ngx_get_options` does: letters may be combined (`-tq`), and the value of one
//! stands behind it (`-c/path`) or in the next argument (`-tc /path`).

use super::{CONF, PREFIX};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-v`
    pub version: bool,
    /// `-V`
    pub configure: bool,
    /// `-h`, `-?`
    pub help: bool,
    /// `-t`
    pub test: bool,
    /// `-T`
    pub dump: bool,
    /// `-q`
    pub quiet: bool,
    /// `-s`
    pub signal: Option<Signal>,
    /// `-e`
    pub error_log: Option<String>,
    /// `-g`
    pub globals: Option<String>,
    /// All of it, as it came.
    pub args: Vec<OsString>,
    prefix: Option<String>,
    conf: Option<String>,
}

/// What `-s` sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: end at once.
    Stop,
    /// SIGQUIT: finish what runs.
    Quit,
    /// SIGUSR1: open log files again.
    Reopen,
    /// SIGHUP: take the configuration again.
    Reload,
}

impl Options {
    /// By the arguments behind the program's name.
    ///
    /// # Errors
    /// In nginx's words, the first that is wrong.
    pub fn parse(args: &[OsString]) -> Result<Self, String> {
        let mut options = Self { args: args.to_vec(), ..Self::default() };
        let mut args = args.iter().map(|arg| arg.to_string_lossy().into_owned());
        while let Some(arg) = args.next() {
            let Some(letters) = arg.strip_prefix('-') else {
                return Err(format!("invalid option: \"{arg}\""));
            };
            for (at, letter) in letters.char_indices() {
                let behind = &letters[at + letter.len_utf8()..];
                let mut value = |what: &str| {
                    let value = if behind.is_empty() { args.next() } else { Some(behind.to_owned()) };
                    value.ok_or_else(|| format!("option \"-{letter}\" requires {what}"))
                };
                match letter {
                    '?' | 'h' => options.help = true,
                    'v' => options.version = true,
                    'V' => options.configure = true,
                    't' => options.test = true,
                    'T' => (options.test, options.dump) = (true, true),
                    'q' => options.quiet = true,
                    'p' => options.prefix = Some(value("directory name")?),
                    'e' => options.error_log = Some(value("file name")?),
                    'c' => options.conf = Some(value("file name")?),
                    'g' => options.globals = Some(value("parameter")?),
                    's' => options.signal = Some(Signal::parse(&value("parameter")?)?),
                    other => return Err(format!("invalid option: \"{other}\"")),
                }
                if matches!(letter, 'p' | 'e' | 'c' | 'g' | 's') {
                    break;
                }
            }
        }
        Ok(options)
    }

    /// Whether anything of the version is to be shown.
    pub fn shows(&self) -> bool {
        self.version || self.configure || self.help
    }

    /// Where relative paths begin, with a `/` at its end as nginx has it.
    pub fn prefix(&self) -> PathBuf {
        match &self.prefix {
            Some(prefix) if prefix.ends_with('/') || prefix.is_empty() => PathBuf::from(prefix),
            Some(prefix) => PathBuf::from(format!("{prefix}/")),
            None => PathBuf::from(PREFIX),
        }
    }

    /// The configuration; one that is relative begins at the prefix.
    pub fn file(&self) -> PathBuf {
        self.prefix().join(Path::new(self.conf.as_deref().unwrap_or(CONF)))
    }
}

impl Signal {
    fn parse(word: &str) -> Result<Self, String> {
        match word {
            "stop" => Ok(Self::Stop),
            "quit" => Ok(Self::Quit),
            "reopen" => Ok(Self::Reopen),
            "reload" => Ok(Self::Reload),
            _ => Err(format!("invalid option: \"-s {word}\"")),
        }
    }
}

#[cfg(test)]
mod tests;
