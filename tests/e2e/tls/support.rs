//! What tests of TLS start from: clients that others wrote.

use bifrons_testkit::proxy::Setup;
use bifrons_testkit::{Authority, Pair, Proxy};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// What a client said, and whether it was content.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The file of the authority's certificate beside the configuration.
pub(crate) const CA: &str = "ca.crt";

/// With the files of a certificate, `name.crt` and `name.key`.
pub(crate) fn with_pair(setup: Setup, name: &str, pair: &Pair) -> Setup {
    setup.file(&format!("{name}.crt"), &pair.cert).file(&format!("{name}.key"), &pair.key)
}

/// curl's arguments by which a client shows the pair of that name.
pub(crate) fn shows(name: &str) -> [String; 4] {
    ["--cert".to_owned(), format!("@dir@/{name}.crt"), "--key".to_owned(), format!("@dir@/{name}.key")]
}

/// With the authority's certificate.
pub(crate) fn with_ca(setup: Setup, authority: &Authority) -> Setup {
    setup.file(CA, &authority.pem)
}

/// curl's answer for that URL, whose host lies at `addr`, with the authority that is beside the configuration.
pub(crate) fn curl(proxy: &Proxy, addr: SocketAddr, host: &str, args: &[&str]) -> Said {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20", "--http1.1", "--cacert"])
        .arg(proxy.dir().path().join(CA))
        .args(["--connect-to", &format!("{host}:443:{addr}")])
        .args(args.iter().map(|arg| arg.replace("@dir@", &proxy.dir().path().display().to_string())))
        .output()
        .unwrap();
    said(output)
}

/// `openssl s_client` with these arguments, to which `input` is typed.
pub(crate) fn s_client(addr: SocketAddr, args: &[&str], input: &str) -> Said {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &addr.to_string(), "-ign_eof"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A handshake that fails closes it first.
    let _ = stdin.write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    said(output)
}

/// A request after whose answer the connection closes.
pub(crate) fn request(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

fn said(output: std::process::Output) -> Said {
    Said {
        ok: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
