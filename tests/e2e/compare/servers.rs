//! A real nginx, and the proxy in its two ways, with the same file.

use bifrons_testkit::proxy::listens;
use bifrons_testkit::wait::wait_until;
use bifrons_testkit::{Proxy, TempDir, binary};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// What the names between two `@` stand for.
pub(super) type Values = BTreeMap<String, String>;

/// A text with values in place of names.
pub(super) fn fill(text: &str, values: &Values) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// A server that runs until it is dropped.
pub(super) enum Server {
    Nginx { _process: Nginx },
    Ours { _process: Proxy },
}

impl Server {
    /// nginx, where it is installed.
    pub(super) fn nginx(conf: &str, values: &Values) -> Option<Self> {
        Nginx::is_installed().then(|| Self::Nginx { _process: Nginx::start(conf, values) })
    }

    /// The proxy with the file.
    #[track_caller]
    pub(super) fn of_conf(conf: &str, values: &Values) -> Self {
        Self::Ours { _process: Proxy::nginx(&fill(conf, values)).ready_at(addr(values, "web")).start() }
    }

    /// The proxy with what `bifrons show` makes of the file.
    #[track_caller]
    pub(super) fn of_yaml(conf: &str, values: &Values) -> Self {
        let dir = TempDir::new();
        let file = dir.write("nginx.conf", fill(conf, values));
        Self::of_shown(&file, addr(values, "web"))
    }

    /// The same with a file as it is.
    #[track_caller]
    pub(super) fn of_shown(file: &Path, addr: SocketAddr) -> Self {
        let shown = binary::run(&["show", file.to_str().unwrap()]);
        assert!(shown.status.success(), "show: {}", String::from_utf8_lossy(&shown.stderr));
        let yaml = String::from_utf8(shown.stdout).unwrap();
        Self::Ours { _process: Proxy::yaml(&yaml).ready_at(addr).start() }
    }
}

/// The address that a name stands for.
pub(super) fn addr(values: &Values, name: &str) -> SocketAddr {
    values.get(name).unwrap_or_else(|| panic!("no @{name}@")).parse().unwrap()
}

/// A process of Debian's nginx.
pub(super) struct Nginx {
    child: Child,
}

impl Nginx {
    pub(super) fn is_installed() -> bool {
        static FOUND: OnceLock<bool> = OnceLock::new();
        *FOUND.get_or_init(|| {
            Command::new("nginx")
                .arg("-v")
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
    }

    /// With the file, and what keeps it from the directories of an nginx of this machine: the address `web`
    /// and the directory `dir` are its own.
    #[track_caller]
    fn start(conf: &str, values: &Values) -> Self {
        let dir = &values["dir"];
        let mut own = String::from("http {");
        for (directive, path) in [
            ("client_body_temp_path", "b"),
            ("proxy_temp_path", "p"),
            ("fastcgi_temp_path", "f"),
            ("uwsgi_temp_path", "u"),
            ("scgi_temp_path", "s"),
        ] {
            if !conf.contains(directive) {
                own += &format!(" {directive} {dir}/{path};");
            }
        }
        if !conf.contains("access_log") {
            own += " access_log off;";
        }
        let conf = fill(conf, values).replacen("http {", &own, 1);
        let file = format!("{dir}/nginx.conf");
        std::fs::write(&file, conf).unwrap();
        let log = format!("{dir}/nginx-error.log");
        let mut globals = format!("daemon off; master_process off; pid {dir}/nginx.pid;");
        if !std::fs::read_to_string(&file).unwrap().contains("error_log") {
            globals += &format!(" error_log {log};");
        }
        let child = Command::new("nginx")
            .args(["-c", &file, "-p", dir, "-e", &log, "-g", &globals])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Self { child };
        nginx.wait(addr(values, "web"), &log);
        nginx
    }

    /// With a file as it is.
    #[track_caller]
    pub(super) fn unchanged(file: &Path, addr: SocketAddr) -> Self {
        let log = "/run/nginx-error.log";
        let child = Command::new("nginx")
            .arg("-c")
            .arg(file)
            .args(["-e", log, "-g", "daemon off; master_process off;"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Self { child };
        nginx.wait(addr, log);
        nginx
    }

    fn wait(&mut self, addr: SocketAddr, log: &str) {
        wait_until("nginx listens", || {
            if let Ok(Some(_)) = self.child.try_wait() {
                panic!("nginx ended: {}", std::fs::read_to_string(log).unwrap_or_default());
            }
            listens(addr)
        });
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
