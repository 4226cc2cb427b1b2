//! `demo`: three origins and a proxy on `conf/demo.yaml` in front of them, all in this process.

use super::Failure;
use crate::cli::ProcessArgs;
use crate::load::Origin;
use crate::origin::Socket;
use crate::process::{self, Launch, Style};
use bifrons_net::Addr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

const CONFIG: &str = include_str!("../../../../conf/demo.yaml");
const PAGE: &str = include_str!("../../../../conf/demo/index.html");
/// As conf/demo.yaml has them.
const ORIGINS: [(&str, &str); 3] =
    [("app1", "127.0.0.1:3001"), ("app2", "127.0.0.1:3002"), ("app3", "127.0.0.1:3003")];

const GREETING: &str = "
bifrons serves http://127.0.0.1:8080 in front of app1, app2 and app3 (127.0.0.1:3001-3003).
Try, in another terminal:

  curl -s http://127.0.0.1:8080/hello                       one of the three tells what it received; again, the next
  curl -si http://127.0.0.1:8080/static/                    a page from a directory, with ETag and Last-Modified
  curl -si http://127.0.0.1:8080/old/path                   a redirect
  curl -s http://127.0.0.1:8080/api/x -H 'X-Canary: yes'    always app3, because the header says so
  curl -s http://127.0.0.1:9901/clusters                    the endpoints as the proxy sees them; /metrics too

Each request is a JSON line here. Ctrl-C ends everything.
";

/// The configuration in a directory of its own, for as long as it is needed.
struct Dir(PathBuf);

impl Dir {
    fn write() -> std::io::Result<Self> {
        let dir = Self(std::env::temp_dir().join(format!("bifrons-demo-{}", std::process::id())));
        std::fs::create_dir(&dir.0)?;
        std::fs::create_dir(dir.0.join("demo"))?;
        std::fs::write(dir.0.join("demo/index.html"), PAGE)?;
        std::fs::write(dir.0.join("demo.yaml"), CONFIG)?;
        Ok(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // What is left of it is in the temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `bifrons demo`.
pub fn demo(args: ProcessArgs) -> Result<(), Failure> {
    let dir = Dir::write().map_err(|error| format!("cannot write the demo's files: {error}"))?;
    start_origins()?;
    let origin = Origin::Yaml(vec![dir.0.join("demo.yaml")]);
    process::run(Launch { origin, args, service: false, greeting: Some(GREETING.into()), style: Style::Own })
}

/// All three on one thread, which ends with the process. Returns when they listen.
fn start_origins() -> Result<(), Failure> {
    let (listening, listens) = mpsc::channel();
    thread::Builder::new()
        .name("origins".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(serve_origins(&listening)),
                // Who waits is told by the channel's end too.
                Err(error) => drop(listening.send(Err(error.to_string()))),
            }
        })
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    let outcome = listens.recv().unwrap_or_else(|_| Err("the origins ended".into()));
    outcome.map_err(Failure::from)
}

async fn serve_origins(listening: &mpsc::Sender<Result<(), String>>) {
    let mut tasks = tokio::task::JoinSet::new();
    for (name, addr) in ORIGINS {
        let bound = match addr.parse::<Addr>() {
            Ok(addr) => Socket::bind(&addr).await,
            Err(error) => Err(error),
        };
        match bound {
            Ok((socket, _)) => drop(tasks.spawn(socket.serve(name.into()))),
            Err(error) => return drop(listening.send(Err(error))),
        }
    }
    if listening.send(Ok(())).is_ok() {
        tasks.join_all().await;
    }
}
