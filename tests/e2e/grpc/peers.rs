//! grpcio from PyPI as server and client, by `peer.py`.

use bifrons_testkit::proxy::signal_to;
use bifrons_testkit::{TempDir, wait_for, wait_until};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

const PEER: &str = include_str!("peer.py");

/// The Python that has grpcio: where the installer of the tests' programs puts it (`xtask/tools.sh`), or the
/// machine's own. `None`, said so, where neither has it.
fn python() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let ours = cache.map(|dir| dir.join("bifrons-tests/bin/python"));
    let has_it = |python: &PathBuf| {
        let tried = Command::new(python).args(["-c", "import grpc"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let found = ours.into_iter().chain([PathBuf::from("python3")]).find(has_it);
    if found.is_none() {
        println!("SKIPPED: no Python with grpcio (`make tools` installs it, where it has a network)");
    }
    found
}

/// A server of gRPC, killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    _dir: TempDir,
}

impl Server {
    /// In plain text.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// With these arguments: `health=FILE`, the files of a certificate and its key.
    pub(crate) fn with(args: &[&str]) -> Option<Self> {
        let (python, dir) = (python()?, TempDir::new());
        let file = dir.write("peer.py", PEER);
        let mut command = Command::new(python);
        command.arg(file).arg("serve").args(args).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (out, said) = (child.stdout.take().unwrap(), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                said.lock().unwrap().push(line);
            }
        });
        let port = wait_for("the gRPC server listens", || {
            lines.lock().unwrap().iter().find_map(|line| line.strip_prefix("port ")?.parse::<u16>().ok())
        });
        Some(Self { child, addr: ([127, 0, 0, 1], port).into(), lines, _dir: dir })
    }

    /// What it said so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits until it says that line.
    #[track_caller]
    pub(crate) fn wait_line(&self, line: &str) {
        wait_until(&format!("the server says {line:?}"), || self.lines().iter().any(|said| said == line));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        signal_to(self.child.id(), "KILL");
        let _ = self.child.wait();
    }
}

/// What a client sees of that case through `addr`. `secure`: the file of an authority, and the name that the
/// certificate must have.
#[track_caller]
pub(crate) fn call(case: &str, addr: SocketAddr, secure: Option<(&str, &str)>) -> String {
    let dir = TempDir::new();
    let file = dir.write("peer.py", PEER);
    let mut command = Command::new(python().unwrap());
    command.arg(file).args(["call", case, &addr.to_string()]);
    if let Some((ca, name)) = secure {
        command.args([ca, name]);
    }
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{case}: {out}{err}");
    out.into_owned()
}
