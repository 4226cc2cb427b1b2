//! The proxy as a child process.

use crate::temp::TempDir;
use crate::wait::{wait_for, wait_until};
use crate::wire::Wire;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is set up before a proxy starts.
#[derive(Debug, Default)]
pub struct Setup {
    config: String,
    file: String,
    /// A file that is there already, in place of one with `config`.
    unchanged: Option<PathBuf>,
    values: BTreeMap<String, String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    ready_at: Option<SocketAddr>,
    own_binary: bool,
    dir: TempDir,
}

/// A running `bifrons run FILE`. Killed when dropped, with all it started; a panic in its log fails the test.
#[derive(Debug)]
pub struct Proxy {
    child: Child,
    dir: TempDir,
    file: PathBuf,
    values: BTreeMap<String, String>,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: [thread::JoinHandle<()>; 2],
}

impl Setup {
    /// What `@name@` in the configuration stands for. Names that are not set stand for a free address.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.values.insert(name.to_owned(), value.to_string());
        self
    }

    /// Further arguments.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where it listens, if no `@name@` says so.
    #[must_use]
    pub fn ready_at(mut self, addr: SocketAddr) -> Self {
        self.ready_at = Some(addr);
        self
    }

    /// Runs a copy of the binary beside the configuration, for users who may not look into the directory it
    /// was built in.
    #[must_use]
    pub fn own_binary(mut self) -> Self {
        self.own_binary = true;
        self
    }

    /// A file beside the configuration.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.dir.write(name, content);
        self
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Proxy {
        let mut proxy = self.launch();
        proxy.wait_ready();
        proxy
    }

    /// Runs it to its end: a configuration that should not start.
    #[track_caller]
    pub fn fail(self) -> (ExitStatus, String) {
        let mut proxy = self.launch();
        let status = proxy.wait_exit();
        let ended = || proxy.readers.iter().all(thread::JoinHandle::is_finished);
        wait_until("its streams end", ended);
        (status, proxy.stderr())
    }

    #[track_caller]
    fn launch(mut self) -> Proxy {
        self.values.entry("dir".to_owned()).or_insert_with(|| self.dir.path().display().to_string());
        let config = fill(&self.config, &mut self.values);
        let file = self.unchanged.unwrap_or_else(|| self.dir.write(&self.file, config));
        if let Some(addr) = self.ready_at {
            self.values.insert("ready".to_owned(), addr.to_string());
        }
        let mut binary = crate::binary::bifrons().to_owned();
        if self.own_binary {
            let copy = self.dir.path().join("bifrons");
            std::fs::copy(&binary, &copy).unwrap();
            binary = copy;
        }
        let mut child = Command::new(binary)
            .arg("run")
            .arg(&file)
            .arg("--pid-file")
            .arg(self.dir.path().join("pid"))
            .args(&self.args)
            .envs(self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, out) = collect(child.stdout.take().unwrap());
        let (stderr, err) = collect(child.stderr.take().unwrap());
        let readers = [out, err];
        Proxy { child, dir: self.dir, file, values: self.values, stdout, stderr, readers }
    }
}

impl Proxy {
    /// With that YAML, in which `@web@` is where it listens and every other `@name@` a free address, unless
    /// [`Setup::with`] says otherwise; `@dir@` is its directory.
    pub fn yaml(config: &str) -> Setup {
        Setup { config: config.to_owned(), file: "bifrons.yaml".to_owned(), ..Setup::default() }
    }

    /// With that nginx configuration, placeholders as in [`Proxy::yaml`].
    pub fn nginx(config: &str) -> Setup {
        Setup { config: config.to_owned(), file: "nginx.conf".to_owned(), ..Setup::default() }
    }

    /// With a file where it lies; [`Setup::ready_at`] says where it listens.
    pub fn of_file(path: &Path) -> Setup {
        Setup { unchanged: Some(path.to_owned()), ..Setup::default() }
    }

    #[track_caller]
    fn wait_ready(&mut self) {
        let addr = match self.values.get("ready") {
            Some(addr) => addr.parse().unwrap(),
            None => self.addr("web"),
        };
        let stderr = self.stderr.clone();
        let mut before = Vec::new();
        wait_until("the proxy listens", || {
            if let Ok(Some(status)) = self.child.try_wait() {
                wait_until("its streams end", || self.readers.iter().all(thread::JoinHandle::is_finished));
                panic!("the proxy ended ({status}):\n{}", text(&stderr));
            }
            // Twice the same socket: one that only tries whether the address is free is gone again at once.
            let now = listeners(addr);
            let is_there = now.iter().any(|inode| before.contains(inode));
            before = now;
            is_there
        });
    }

    /// What a placeholder stands for.
    #[track_caller]
    pub fn value(&self, name: &str) -> &str {
        self.values.get(name).unwrap_or_else(|| panic!("no @{name}@ in the configuration"))
    }

    /// The address that a placeholder stands for.
    #[track_caller]
    pub fn addr(&self, name: &str) -> SocketAddr {
        self.value(name).parse().unwrap()
    }

    /// A connection to `@web@`.
    #[track_caller]
    pub fn client(&self) -> Wire {
        Wire::connect(self.addr("web"))
    }

    /// A connection to that listener.
    #[track_caller]
    pub fn client_to(&self, name: &str) -> Wire {
        Wire::connect(self.addr(name))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory it holds, in bytes (`VmRSS`).
    #[track_caller]
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Its directory.
    pub fn dir(&self) -> &TempDir {
        &self.dir
    }

    /// Its configuration file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Writes another configuration, with the same placeholders. Takes effect with the next reload.
    pub fn rewrite(&mut self, config: &str) {
        std::fs::write(&self.file, fill(config, &mut self.values)).unwrap();
    }

    /// Sends a signal by its name, such as `HUP`.
    #[track_caller]
    pub fn signal(&self, signal: &str) {
        signal_to(self.pid(), signal);
    }

    /// The process that serves now, by its pid file: itself, or its successor after an upgrade.
    pub fn serving_pid(&self) -> Option<u32> {
        self.dir.read("pid").trim().parse().ok()
    }

    /// What it wrote to standard output so far: access records.
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it wrote to standard error so far: its own log.
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Waits until its own log has `part`.
    #[track_caller]
    pub fn wait_log(&self, part: &str) {
        wait_until(&format!("the log says {part:?}"), || self.stderr().contains(part));
    }

    /// Access records once there are that many.
    #[track_caller]
    pub fn wait_records(&self, count: usize) -> Vec<String> {
        wait_for(&format!("{count} access records in\n{}", self.stdout()), || {
            let text = self.stdout();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let lines: Vec<_> = whole.lines().map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        wait_for("the proxy ends", || self.child.try_wait().unwrap())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The processes that run with its configuration file: itself, and after an upgrade its successor.
    pub fn processes(&self) -> Vec<u32> {
        let file = self.file.display().to_string();
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let runs = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let name = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let is_zombie = name.contains(") Z ");
            !is_zombie && line.split(|&b| b == 0).any(|arg| arg == file.as_bytes())
        };
        pids.filter(runs).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for pid in self.processes() {
            signal_to(pid, "KILL");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.stderr();
        if thread::panicking() {
            eprintln!("--- log of the proxy ---\n{log}\n--- its standard output ---\n{}", self.stdout());
            return;
        }
        let panicked = log.contains("panicked at") || log.contains("a mistake in the proxy itself");
        assert!(!panicked, "the proxy panicked:\n{log}");
        wait_until("no process of the proxy is left", || self.processes().is_empty());
    }
}

/// Sends a signal, by its name without `SIG`, to a process of ours. A machine as Debian installs it at the least
/// has no program `kill`.
#[track_caller]
pub fn signal_to(pid: u32, signal: &str) {
    let signal = match signal {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "QUIT" => Signal::QUIT,
        "KILL" => Signal::KILL,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        "TERM" => Signal::TERM,
        "CONT" => Signal::CONT,
        "STOP" => Signal::STOP,
        "WINCH" => Signal::WINCH,
        other => panic!("no test has sent {other} yet: name it here"),
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process's number");
    // Fails only if it has ended.
    let _ = kill_process(pid, signal);
}

/// Whether a socket of this machine (of this network namespace) listens there.
pub fn listens(addr: SocketAddr) -> bool {
    !listeners(addr).is_empty()
}

/// The sockets that listen there, by their inode. Asking the kernel costs the proxy no connection.
fn listeners(addr: SocketAddr) -> Vec<String> {
    let (table, ip) = match addr.ip() {
        // As the kernel prints it: a number in the machine's byte order.
        IpAddr::V4(ip) => ("tcp", format!("{:08X}", u32::from_ne_bytes(ip.octets()))),
        IpAddr::V6(ip) => {
            let octets = ip.octets();
            let words = octets.as_chunks::<4>().0.iter().map(|word| u32::from_ne_bytes(*word));
            ("tcp6", words.map(|word| format!("{word:08X}")).collect())
        }
    };
    let local = format!("{ip}:{:04X}", addr.port());
    let any = format!("00000000:{:04X}", addr.port());
    let sockets = std::fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
    let listening =
        sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|columns| {
            columns.get(3) == Some(&"0A") && columns.get(1).is_some_and(|at| *at == local || *at == any)
        });
    listening.filter_map(|columns| columns.get(9).map(|inode| (*inode).to_owned())).collect()
}

/// Replaces `@name@`; names without a value get a free address.
fn fill(config: &str, values: &mut BTreeMap<String, String>) -> String {
    let mut parts = config.split('@');
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut is_name = true;
    for part in parts {
        let fits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if is_name && fits {
            let free = || crate::addr::free_addr().to_string();
            out.push_str(values.entry(part.to_owned()).or_insert_with(free));
            is_name = false;
        } else {
            if is_name {
                out.push('@');
            }
            out.push_str(part);
            is_name = true;
        }
    }
    out
}

/// Reads a stream to its end in a thread of its own.
fn collect(stream: impl Read + Send + 'static) -> (Arc<Mutex<String>>, thread::JoinHandle<()>) {
    let all = Arc::new(Mutex::new(String::new()));
    let into = all.clone();
    let reader = thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
            into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    (all, reader)
}

fn text(all: &Mutex<String>) -> String {
    all.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
