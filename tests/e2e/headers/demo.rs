//! The demonstrations.

use bifrons_testkit::{TempDir, binary};
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// CDN → load balancer → gateway → sidecar → app. It checks itself what the app saw; here, that it has.
#[test]
fn four_hops() {
    let output = binary::run(&["demo-chain", "--once"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let told = said.lines().find_map(|line| line.trim().strip_prefix("X-Forwarded-For: ")).unwrap();
    let chain: Vec<_> = told.split(", ").collect();
    assert_eq!(chain[0], "127.0.0.1", "{said}");
    let net = chain[1].rsplit_once('.').unwrap().0;
    assert_eq!(chain[1..], [format!("{net}.1"), format!("{net}.2"), format!("{net}.3")], "{said}");
    for hop in ["cdn ", "lb ", "gateway ", "sidecar "] {
        assert!(said.lines().any(|line| line.trim().starts_with(hop) && line.contains(" added ")), "{said}");
    }
    for line in ["X-Forwarded-Proto: https", "X-Forwarded-Client-Cert: URI=spiffe://demo/gateway", "; hit"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

/// In a network of its own, since its addresses are those that the commands to try name.
#[test]
fn an_address_that_is_taken_is_told_before_anything_starts() {
    bifrons_testkit::in_namespace!();
    let taken = TcpListener::bind("127.0.7.4:8443").unwrap();
    let dir = TempDir::new();
    let output = Command::new(binary::bifrons())
        .arg("demo-chain")
        .env("TMPDIR", dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("sidecar cannot listen on 127.0.7.4:8443"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
    drop(taken);
}
