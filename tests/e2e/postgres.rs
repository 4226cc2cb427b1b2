//! PostgreSQL behind it, with psql as the client: its own way to ask for TLS.

use crate::tls::support::{with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Proxy, TempDir, free_addr, wait_until};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

/// A server with TLS, and the user `postgres` that it takes without a password.
struct Server {
    child: Child,
    addr: SocketAddr,
    _dir: TempDir,
}

/// Server programs do not run as root.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
    command.stdout(Stdio::null());
    command
}

/// Where Debian puts what is not in the path.
fn program(name: &str) -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let mut paths: Vec<_> = versions.map(|entry| entry.unwrap().path().join("bin").join(name)).collect();
    paths.sort();
    paths.pop().unwrap().display().to_string()
}

impl Server {
    fn start(ca: &Authority, name: &str) -> Self {
        let (dir, addr) = (TempDir::new(), free_addr());
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let data = dir.path().join("data").display().to_string();
        let made = as_postgres(&program("initdb"))
            .args(["-D", &data, "-A", "trust", "-N", "-U", "postgres"])
            .status();
        assert!(made.unwrap().success());
        let pair = ca.issue(&[name], KeyKind::Ecdsa);
        let owner = std::fs::metadata(&data).unwrap();
        for (file, text) in [("server.crt", &pair.cert), ("server.key", &pair.key)] {
            let path = dir.write(&format!("data/{file}"), text);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            use std::os::unix::fs::MetadataExt;
            std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        let mut command = as_postgres(&program("postgres"));
        command.args(["-D", &data, "-c", "ssl=on", "-c", "fsync=off", "-c", "unix_socket_directories="]);
        command.arg("-c").arg(format!("listen_addresses={}", addr.ip()));
        command.arg("-p").arg(addr.port().to_string());
        std::fs::write(format!("{data}/pg_hba.conf"), "host all all all trust\n").unwrap();
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        wait_until("the database serves", || psql(addr, "sslmode=require", "select 1").0 == "1\n");
        Self { child, addr, _dir: dir }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        bifrons_testkit::proxy::signal_to(self.child.id(), "INT");
        let _ = self.child.wait();
    }
}

fn psql(addr: SocketAddr, how: &str, query: &str) -> (String, String) {
    let target = format!(
        "hostaddr={} port={} user=postgres dbname=postgres connect_timeout=10 {how}",
        addr.ip(),
        addr.port()
    );
    let out = Command::new("psql").args([&target, "-XAtc", query]).output().unwrap();
    (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn its_clients_ask_for_tls_in_their_own_words() {
    let ca = Authority::new("Test CA");
    let server = Server::start(&ca, "db.test");
    let config = "workers: 1\n\
        listeners:\n  web:\n    bind: \"@web@\"\n    tls: { certificates: [{ cert: site.crt, key: site.key }] }\n\
        \x20   tcp:\n      starttls: postgres\n      routes:\n\
        \x20       - { sni: db.test, proxy: passes }\n\
        \x20       - { sni: plain.test, terminate: true, proxy: plain }\n\
        \x20       - { sni: again.test, terminate: true, proxy: again }\n\
        \x20       - { protocol: postgres, proxy: plain }\n\
        clusters:\n  passes: { endpoints: [\"@db@\"], starttls: postgres }\n  plain: { endpoints: [\"@db@\"] }\n\
        \x20 again: { endpoints: [\"@db@\"], starttls: postgres, tls: { ca: ca.crt, name: db.test } }\n";
    let setup = with_ca(Proxy::yaml(config).with("db", server.addr), &ca);
    let proxy = with_pair(setup, "site", &ca.issue(&["plain.test", "again.test"], KeyKind::Ecdsa)).start();
    let ca_file = proxy.dir().path().join("ca.crt").display().to_string();
    let ask = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    // Whom the client verifies, and whether the database sees TLS: passed through, ended here, begun again.
    for (name, seen) in [("db.test", "t\n"), ("plain.test", "f\n"), ("again.test", "t\n")] {
        let how = format!("host={name} sslmode=verify-full sslrootcert={ca_file}");
        let (out, err) = psql(proxy.addr("web"), &how, ask);
        assert_eq!(out, seen, "{name}: {err}");
    }
    let (out, err) = psql(proxy.addr("web"), "sslmode=disable", ask);
    assert_eq!(out, "f\n", "{err}");
    // More than a question is no question.
    let mut client = proxy.client();
    client.send([0, 0, 0, 8, 4, 210, 22, 47, 0]);
    assert_eq!(client.read_to_end().0, b"");
    // Behind a yes comes TLS, and not the question once more.
    let mut client = proxy.client();
    client.send([0, 0, 0, 8, 4, 210, 22, 47]);
    assert_eq!(client.read_exact(1), b"S");
    client.send([0, 0, 0, 8, 4, 210, 22, 47]);
    assert_eq!(client.read_to_end().0, b"");
}
