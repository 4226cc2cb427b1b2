//! The same configuration in the proxy and in a real nginx, asked the same.

use bifrons_testkit::addr::free_addr;
use bifrons_testkit::proxy::listens;
use bifrons_testkit::wait::wait_until;
use bifrons_testkit::{Message, Proxy, TempDir, Wire};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// The proxy, and an nginx where one is installed.
pub(super) struct Beside {
    pub(super) ours: Proxy,
    nginx: Option<Nginx>,
}

struct Nginx {
    child: Child,
    addr: SocketAddr,
    dir: TempDir,
}

/// Fields of answers that a configuration sets, and so must be the same.
const FIELDS: [&str; 6] = ["Location", "WWW-Authenticate", "X-A", "X-B", "X-C", "X-D"];

impl Beside {
    /// With that `http` block, in which `@web@` is where it listens and `@dir@` a directory with `files`.
    #[track_caller]
    pub(super) fn with(http: &str, files: &[(&str, &str)]) -> Self {
        let mut setup = Proxy::nginx(&format!("events {{ }}\nhttp {{\n{http}\n}}\n"));
        for (name, content) in files {
            setup = setup.file(name, content);
        }
        Self { ours: setup.start(), nginx: Nginx::start(http, files) }
    }

    /// Without files.
    #[track_caller]
    pub(super) fn start(http: &str) -> Self {
        Self::with(http, &[])
    }

    /// The proxy's answer to a request on a connection of its own, once it was compared with nginx's: status,
    /// fields that a configuration sets, and the body where it is none of an error page.
    #[track_caller]
    pub(super) fn ask(&self, request: &str) -> Message {
        let ours = self.ours.client().ask(request);
        if let Some(nginx) = &self.nginx {
            let theirs = Wire::connect(nginx.addr).ask(request);
            assert_eq!(told(&ours), told(&theirs), "ours and nginx's answer to {request:?}");
        }
        ours
    }

    /// As [`Self::ask`] for a GET to the host `a.example`: the body.
    #[track_caller]
    pub(super) fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")).text().to_owned()
    }
}

impl Beside {
    /// A connection to the nginx, where there is one.
    pub(super) fn nginx_client(&self) -> Option<Wire> {
        self.nginx.as_ref().map(|nginx| Wire::connect(nginx.addr))
    }

    /// The lines of a file below `@dir@`, once there are `count` of them, compared with nginx's.
    #[track_caller]
    pub(super) fn lines(&self, name: &str, count: usize) -> Vec<String> {
        let read = |dir: &TempDir| dir.read(name).lines().map(str::to_owned).collect::<Vec<_>>();
        wait_until("the log is written", || read(self.ours.dir()).len() >= count);
        if let Some(nginx) = &self.nginx {
            wait_until("nginx's log is written", || read(&nginx.dir).len() >= count);
            assert_eq!(read(self.ours.dir()), read(&nginx.dir), "ours and nginx's {name}");
        }
        read(self.ours.dir())
    }
}

/// What must be the same.
fn told(answer: &Message) -> (u16, Vec<Option<String>>, String) {
    let fields = FIELDS.iter().map(|name| answer.field(name).map(str::to_owned)).collect();
    let body = if answer.status() < 300 { answer.text().to_owned() } else { String::new() };
    (answer.status(), fields, body)
}

impl Nginx {
    #[track_caller]
    fn start(http: &str, files: &[(&str, &str)]) -> Option<Self> {
        let (dir, addr) = (TempDir::new(), free_addr());
        for (name, content) in files {
            dir.write(name, content);
        }
        let root = dir.path().display().to_string();
        let http = http.replace("@web@", &addr.to_string()).replace("@dir@", &root);
        let conf = format!(
            "daemon off; master_process off; pid {root}/pid; error_log {root}/error.log; events {{ }}\n\
             http {{ client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;\n\
             uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;\n{}{http}\n}}\n",
            if http.contains("access_log") { "" } else { "access_log off;\n" },
        );
        let path = dir.write("nginx.conf", conf);
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&path).arg("-p").arg(dir.path()).stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else {
            println!("nginx is not installed: compared with nothing");
            return None;
        };
        wait_until("nginx listens", || {
            if let Ok(Some(_)) = child.try_wait() {
                panic!("nginx ended: {}", dir.read("error.log"));
            }
            listens(addr)
        });
        Some(Self { child, addr, dir })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
