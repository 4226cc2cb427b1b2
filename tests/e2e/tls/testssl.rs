//! testssl.sh has nothing to say against what a listener does where nothing is said.

use super::support::{CA, with_ca, with_pair};
use bifrons_testkit::{Authority, Proxy};
use std::process::Command;

/// A whole run takes a minute of an idle machine; what hangs is ended then.
const SECONDS_MAX: &str = "400";

/// What is no affair of the proxy's: the tester's own OpenSSL, and that a site keeps to HTTPS (HSTS).
const NOT_OURS: [&str; 2] = ["engine_problem", "HSTS"];

/// Runs those sections; no finding may be above `LOW`, and none of the named may be missing.
#[track_caller]
fn nothing_is_found(sections: &[&str], expected: &[&str]) {
    let ca = Authority::new("Test CA");
    let config = "workers: 1\n\
        listeners: { web: { bind: \"@web@\", tls: { certificates: [{ cert: site.crt, key: site.key }] } } }\n\
        hosts: [{ names: [site.test], routes: [{ path: /*, respond: hello }] }]\n";
    // Whom to ask whether a certificate is still good is told in it, as those of real authorities tell.
    let pair = ca.issue_answered_by(&["site.test"], "http://ocsp.test/");
    let proxy = with_pair(with_ca(Proxy::yaml(config), &ca), "site", &pair).start();
    let (addr, dir) = (proxy.addr("web"), proxy.dir().path());
    let found = dir.join("found.json");
    let run = Command::new("timeout")
        .args([SECONDS_MAX, "testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none"])
        .args(["--ip", &addr.ip().to_string(), "--add-ca"])
        .arg(dir.join(CA))
        .arg("--jsonfile")
        .arg(&found)
        .args(sections)
        .arg(format!("site.test:{}", addr.port()))
        .current_dir(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    if run.status.code() == Some(127) {
        println!("SKIPPED: testssl is not installed");
        return;
    }
    let json = std::fs::read_to_string(&found).unwrap_or_else(|err| panic!("{err}: {said}"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|err| panic!("{err}: {json}"));
    let findings = json.as_array().unwrap();
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    for name in expected {
        assert!(
            findings.iter().any(|finding| text(finding, "id") == *name),
            "{name} was not looked at: {said}"
        );
    }
    // Its client leaves without waiting for the ticket that it would come back with: on a busy machine it has none,
    // and says so without having asked.
    let is_unasked = |finding: &serde_json::Value| {
        text(finding, "id").starts_with("sessionresumption_")
            && text(finding, "finding") == "check failed because of connect problem"
    };
    let is_bad = |finding: &&serde_json::Value| {
        !matches!(text(finding, "severity").as_str(), "OK" | "INFO" | "LOW")
            && !NOT_OURS.contains(&text(finding, "id").as_str())
            && !is_unasked(finding)
    };
    let bad: Vec<_> = findings.iter().filter(is_bad).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn protocols_ciphers_certificate() {
    nothing_is_found(
        &["-p", "-s", "-f", "-P", "-S"],
        &["TLS1_3", "cipherlist_STRONG", "PFS", "cert_chain_of_trust"],
    );
}

#[test]
fn vulnerabilities() {
    nothing_is_found(&["-U"], &["heartbleed", "ROBOT", "secure_client_renego", "LUCKY13", "fallback_SCSV"]);
}
