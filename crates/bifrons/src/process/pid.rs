//! The pid file, by which `reload` and `stop` find the process, and beside it the status file
//! (`bifrons.status` for `bifrons.pid`), by which they learn how a reload went.

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, geteuid, test_kill_process};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Part of the message when another process has the file.
pub const RUNNING: &str = "is already running";

/// Where it is by default: `/run/bifrons.pid` as root, else in the user's runtime directory.
pub fn default_path() -> PathBuf {
    if geteuid().is_root() {
        return "/run/bifrons.pid".into();
    }
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => Path::new(&dir).join("bifrons.pid"),
        None => format!("/tmp/bifrons-{}.pid", geteuid().as_raw()).into(),
    }
}

/// Where the outcome of reloads is.
pub fn status_path(pid_file: &Path) -> PathBuf {
    pid_file.with_extension("status")
}

/// The process that a pid file names, if it runs.
///
/// # Errors
/// No file, or no number in it.
pub fn running(path: &Path) -> Result<Option<Pid>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("no bifrons runs here: there is no pid file {}", path.display()),
        _ => format!("cannot read the pid file {}: {error}", path.display()),
    })?;
    Ok(number(&text).filter(|pid| is_ours(*pid)))
}

/// The process that a pid file names, whether it runs or not.
fn named(path: &Path) -> Option<Pid> {
    std::fs::read_to_string(path).ok().and_then(|text| number(&text))
}

fn number(text: &str) -> Option<Pid> {
    let pid: Option<i32> = text.trim().parse().ok();
    pid.filter(|pid| *pid > 0).and_then(Pid::from_raw)
}

/// Whether the process lives and has our name: ids are used again.
fn is_ours(pid: Pid) -> bool {
    if matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH)) {
        return false;
    }
    let name = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    match (name(&pid.as_raw_nonzero().to_string()), name("self")) {
        (Some(theirs), Some(ours)) => theirs == ours,
        // Without /proc, the id alone must do.
        _ => true,
    }
}

/// How the last reload went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Reloads so far, whatever came of them.
    pub count: u64,
    /// What there is to say.
    pub outcome: Result<String, String>,
}

impl Status {
    /// What the status file says, if it is whole.
    pub fn read(path: &Path) -> Option<Self> {
        let value: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let message = value.get("message")?.as_str()?.to_owned();
        let outcome = if value.get("result")? == "ok" { Ok(message) } else { Err(message) };
        Some(Self { count: value.get("reloads")?.as_u64()?, outcome })
    }

    fn to_text(&self) -> String {
        let (result, message) = match &self.outcome {
            Ok(message) => ("ok", message),
            Err(message) => ("failed", message),
        };
        let pid = std::process::id();
        format!("{:#}\n", json!({ "pid": pid, "reloads": self.count, "result": result, "message": message }))
    }
}

/// The two files of this process; both open from the start, as a user without privileges may not be able to
/// open them later.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    pid: File,
    /// None in nginx's place, where nobody would know what it is.
    status: Option<File>,
}

impl PidFile {
    /// Opens both files. Nothing is written yet.
    ///
    /// # Errors
    /// Another process of ours that the file names, unless it is the one we replace; what the system says.
    pub fn claim(path: &Path) -> Result<Self, String> {
        let parent = rustix::process::getppid();
        if let Ok(Some(pid)) = running(path)
            && Some(pid) != parent
            && pid != rustix::process::getpid()
        {
            return Err(format!("bifrons {RUNNING}: process {pid}, by {}", path.display()));
        }
        let open = |path: &Path| {
            open(path).map_err(|error| format!("cannot write the pid file {}: {error}", path.display()))
        };
        Ok(Self { pid: open(path)?, status: Some(open(&status_path(path))?), path: path.to_owned() })
    }

    /// Opens the pid file alone, whoever it names, as nginx does; the addresses tell whether another runs.
    ///
    /// # Errors
    /// What the system says.
    pub fn claim_alone(path: &Path) -> io::Result<Self> {
        Ok(Self { pid: open(path)?, status: None, path: path.to_owned() })
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        [&self.pid].into_iter().chain(&self.status)
    }

    /// Makes room for another process's file: from now on this one has the name with `.oldbin` behind it.
    ///
    /// # Errors
    /// The file is not ours, or the other name is a running process's; what the system says.
    pub fn step_aside(&mut self) -> io::Result<()> {
        let aside = aside(&self.path);
        self.rename(aside)
    }

    /// Takes the first name again.
    ///
    /// # Errors
    /// As [`PidFile::step_aside`].
    pub fn step_back(&mut self) -> io::Result<()> {
        let Some(path) = self.path.to_str().and_then(|path| path.strip_suffix(ASIDE)) else { return Ok(()) };
        let path = PathBuf::from(path);
        self.rename(path)
    }

    /// Neither takes another process's file along nor replaces it.
    fn rename(&mut self, to: PathBuf) -> io::Result<()> {
        let names_us = |pid: Pid| pid == rustix::process::getpid();
        let other = |message: String| Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        if !named(&self.path).is_some_and(names_us) {
            return other(format!("{} is not this process's any more", self.path.display()));
        }
        if let Ok(Some(pid)) = running(&to)
            && !names_us(pid)
        {
            return other(format!("{} is that of process {pid}", to.display()));
        }
        std::fs::rename(&self.path, &to)?;
        self.path = to;
        Ok(())
    }

    /// Writes our id: from now on we are the process.
    pub fn write(&self) -> io::Result<()> {
        rewrite(&self.pid, &format!("{}\n", std::process::id()))
    }

    /// Writes how a reload went.
    pub fn report(&self, status: &Status) -> io::Result<()> {
        self.status.as_ref().map_or(Ok(()), |file| rewrite(file, &status.to_text()))
    }
}

/// nginx's `NGX_OLDPID_EXT`.
const ASIDE: &str = ".oldbin";

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ASIDE);
    name.into()
}

impl Drop for PidFile {
    /// Removes both, unless another process has taken over.
    fn drop(&mut self) {
        let own = std::process::id().to_string();
        if std::fs::read_to_string(&self.path).is_ok_and(|text| text.trim() == own) {
            for (path, file) in [self.path.clone(), status_path(&self.path)].iter().zip(self.files()) {
                // Where the directory is not ours, an empty file says the same.
                if std::fs::remove_file(path).is_err() {
                    let _ = file.set_len(0);
                }
            }
        }
    }
}

/// Links are not followed: the directory may be /tmp.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    Ok(file)
}

fn rewrite(mut file: &File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(text.as_bytes(), 0)?;
    file.flush()
}

#[cfg(test)]
mod tests;
