//! Tests that need addresses and ports which are not theirs: in a network namespace of their own.

use std::process::Command;
use std::sync::OnceLock;

/// Set for a test that runs inside.
const INSIDE: &str = "BIFRONS_E2E_NAMESPACE";

/// Whether the calling test has to leave the work to itself inside a namespace.
///
/// Outside: runs the test `name` again in a new network namespace, with `addrs` (such as `10.0.1.10`) on its
/// loopback device and all ports free, fails if that fails, and gives `false`. Inside: gives `true`. Where
/// namespaces are not to be had it says so and gives `false`.
#[track_caller]
pub fn enter(name: &str, addrs: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = match unshare() {
        Ok(unshare) => unshare,
        Err(why) => {
            println!("SKIPPED {name}: {why}");
            return false;
        }
    };
    // The binary is built while the network is still there.
    crate::binary::bifrons();
    let mut script = "ip link set lo up".to_owned();
    for addr in addrs {
        script.push_str(&format!(" && ip addr add {addr}/32 dev lo"));
    }
    script.push_str(" && exec \"$0\" --exact \"$1\" --nocapture");
    let output = Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(INSIDE, "1")
        .env("BIFRONS_BIN", crate::binary::bifrons())
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "in its namespace {name} failed:\n{text}");
    assert!(text.contains("1 passed"), "in its namespace no test {name} ran:\n{text}");
    text.lines().filter(|line| line.starts_with("SKIPPED")).for_each(|line| println!("{line}"));
    false
}

/// The way into a namespace that this machine allows, or why there is none.
fn unshare() -> Result<&'static [&'static str], &'static str> {
    static FOUND: OnceLock<Option<&[&str]>> = OnceLock::new();
    // As root in the machine itself, or as root of a user namespace only.
    let ways: [&[&str]; 2] = [&["--net", "--mount"], &["--user", "--map-root-user", "--net", "--mount"]];
    let works = |way: &&&[&str]| {
        let tried = Command::new("unshare").args(**way).args(["sh", "-c", "ip link set lo up"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    FOUND.get_or_init(|| ways.iter().find(works).copied()).ok_or(
        "network namespaces are not allowed here (unshare --user --map-root-user --net), or `ip` is missing",
    )
}

/// Leaves the test unless it runs in a network namespace with these addresses on its loopback device.
#[macro_export]
macro_rules! in_namespace {
    ($($addr:expr),* $(,)?) => {
        fn here() {}
        let name = std::any::type_name_of_val(&here);
        let name = name.strip_suffix("::here").unwrap_or(name);
        let name = name.split_once("::").map_or(name, |(_, name)| name);
        if !$crate::namespace::enter(name, &[$($addr),*]) {
            return;
        }
    };
}
