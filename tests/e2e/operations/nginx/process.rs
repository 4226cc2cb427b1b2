//! The process: background, pid file, signals, upgrade; what Debian's unit, init script and logrotate call.

use super::{bifrons_as_nginx, link};
use bifrons_testkit::proxy::signal_to;
use bifrons_testkit::{Origin, TempDir, Wire, free_addr, wait_for, wait_until};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// A proxy in nginx's place; ended with all that it started when dropped.
struct Nginx {
    dir: TempDir,
    addr: SocketAddr,
}

impl Nginx {
    /// With that in its only server, ready to be started.
    fn new(server: &str) -> Self {
        let (dir, addr) = (TempDir::new(), free_addr());
        dir.write(
            "nginx.conf",
            format!(
                "pid run.pid;\nerror_log error.log notice;\nworker_processes 2;\nevents {{ }}\nhttp {{\n\
                 access_log access.log;\nserver {{ listen {addr}; {server} }}\n}}\n"
            ),
        );
        Self { dir, addr }
    }

    /// The program by nginx's name.
    fn command(&self) -> Command {
        let mut command = Command::new(link(&self.dir));
        command.args(["-p", self.dir.path().to_str().unwrap(), "-c", "nginx.conf"]);
        command
    }

    /// Starts it into the background.
    #[track_caller]
    fn start(server: &str) -> Self {
        let nginx = Self::new(server);
        nginx.run(&[]);
        nginx
    }

    /// Runs the program to its end, which is a good one, with these options.
    #[track_caller]
    fn run(&self, options: &[&str]) {
        let output = self.command().args(options).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{options:?}: {said}");
    }

    /// The number in one of its files.
    fn pid_in(&self, name: &str) -> Option<u32> {
        self.dir.read(name).trim().parse().ok()
    }

    #[track_caller]
    fn pid(&self) -> u32 {
        self.pid_in("run.pid").expect("a pid file")
    }

    fn get(&self) -> String {
        Wire::connect(self.addr).get("/").text().to_owned()
    }

    /// All processes that were started with its configuration.
    fn processes(&self) -> Vec<u32> {
        let path = self.dir.path().to_str().unwrap().to_owned();
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| command_of(*pid).starts_with("nginx: ") && command_of(*pid).contains(&path))
            .collect()
    }

    #[track_caller]
    fn wait_log(&self, part: &str) {
        wait_until(part, || self.dir.read("error.log").contains(part));
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        for pid in self.processes() {
            signal_to(pid, "KILL");
        }
    }
}

/// As `ps` shows it.
fn command_of(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

#[test]
fn it_goes_into_the_background_once_it_serves() {
    let nginx = Nginx::start("return 200 $pid;");
    // No waiting: whoever called it may connect at once.
    let pid = nginx.pid();
    assert_eq!(nginx.get(), pid.to_string());
    let title = format!("nginx: master process {} -p ", nginx.dir.path().join("nginx").display());
    assert!(command_of(pid).starts_with(&title), "{}", command_of(pid));
    assert_eq!(std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap(), "nginx\n");
    // Of a session of its own, with nothing of the caller's open.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert_eq!(stat.rsplit(") ").next().unwrap().split(' ').nth(3), Some(pid.to_string().as_str()), "{stat}");
    for fd in 0..3 {
        let target = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
        assert_eq!(target, Path::new("/dev/null"), "descriptor {fd}");
    }
    nginx.run(&["-s", "quit"]);
    wait_until("it has ended", || is_gone(pid));
    assert!(!nginx.dir.path().join("run.pid").exists());
}

#[test]
fn a_start_that_fails_is_told_to_who_called() {
    let first = Nginx::start("return 200 first;");
    let second = Nginx::new("return 200 second;");
    second.dir.write("nginx.conf", first.dir.read("nginx.conf"));
    let output = second.command().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = format!("nginx: [emerg] bind() to {} failed (98: Address already in use)", first.addr);
    assert!(!output.status.success() && said.starts_with(&expected), "{said}");
    assert!(second.processes().is_empty());
    assert!(
        second.dir.read("error.log").contains("[emerg]") || second.dir.read("error.log").contains("[error]")
    );
    assert_eq!(first.get(), "first");
}

#[test]
fn daemon_off_stays_in_the_foreground() {
    let nginx = Nginx::new("return 200 $pid;");
    let mut child = nginx.command().args(["-g", "daemon off;"]).stdin(Stdio::null()).spawn().unwrap();
    wait_until("it serves", || nginx.pid_in("run.pid").is_some());
    assert_eq!(nginx.get(), child.id().to_string());
    // A terminal that changes its size is no reason to rest.
    signal_to(child.id(), "WINCH");
    signal_to(child.id(), "HUP");
    nginx.wait_log("taken");
    assert_eq!(nginx.get(), child.id().to_string());
    signal_to(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!nginx.dir.path().join("run.pid").exists());
}

/// An answer of which the half has come, and the gate before the other.
fn half_an_answer() -> (Origin, std::sync::mpsc::Sender<()>) {
    let (gate, opened) = std::sync::mpsc::channel::<()>();
    let opened = std::sync::Mutex::new(opened);
    let origin = Origin::script(move |wire: &mut Wire| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        let _ = opened.lock().unwrap().recv();
        wire.send("world");
    });
    (origin, gate)
}

#[test]
fn quit_finishes_what_runs_and_stop_does_not() {
    for (signal, finishes) in [("quit", true), ("stop", false)] {
        let (origin, gate) = half_an_answer();
        let nginx = Nginx::start(&format!("location / {{ proxy_pass http://{}; }}", origin.addr()));
        let pid = nginx.pid();
        let mut client = Wire::connect(nginx.addr);
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        client.read_head();
        assert_eq!(client.read_exact(5), b"hello");
        nginx.run(&["-s", signal]);
        nginx.wait_log("draining");
        if finishes {
            assert!(!is_gone(pid));
            drop(gate);
            assert_eq!(client.read_exact(5), b"world");
        }
        wait_until("it has ended", || is_gone(pid));
    }
}

#[test]
fn reload_takes_the_configuration_and_a_wrong_one_is_not_sent() {
    let nginx = Nginx::start("return 200 old;");
    let conf = nginx.dir.read("nginx.conf");
    nginx.dir.write("nginx.conf", conf.replace("return 200 old", "return 200 new"));
    nginx.run(&["-s", "reload"]);
    wait_until("the new answer", || nginx.get() == "new");
    nginx.dir.write("nginx.conf", conf.replace("return", "retrun"));
    let output = nginx.command().args(["-s", "reload"]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("nginx: [emerg] unknown directive \"retrun\" in "), "{said}");
    // A signal that comes otherwise changes nothing either.
    signal_to(nginx.pid(), "HUP");
    nginx.wait_log("unknown directive \"retrun\"");
    assert_eq!(nginx.get(), "new");
}

#[test]
fn an_upgrade_is_nginxs_with_its_way_back() {
    let nginx = Nginx::start("return 200 $pid;");
    let old = nginx.pid();
    signal_to(old, "USR2");
    let new = wait_for("the new process serves", || nginx.pid_in("run.pid").filter(|pid| *pid != old));
    assert_eq!(nginx.pid_in("run.pid.oldbin"), Some(old));
    nginx.wait_log("serves beside this one");
    assert_eq!(command_of(new), command_of(old));
    // The old one takes no more requests.
    signal_to(old, "WINCH");
    nginx.wait_log("resting");
    for _ in 0..20 {
        assert_eq!(nginx.get(), new.to_string());
    }
    // And again, after the new one has been sent away.
    signal_to(new, "QUIT");
    wait_until("the old one has its file again", || nginx.pid_in("run.pid") == Some(old));
    wait_until("it serves", || std::net::TcpStream::connect(nginx.addr).is_ok());
    assert_eq!(nginx.get(), old.to_string());
    // The whole way forward.
    signal_to(old, "USR2");
    let new = wait_for("another serves", || nginx.pid_in("run.pid").filter(|pid| *pid != old));
    wait_until("it says so", || nginx.dir.read("error.log").matches("serves beside this one").count() == 2);
    signal_to(old, "QUIT");
    wait_until("the old one has ended", || is_gone(old));
    assert!(!nginx.dir.path().join("run.pid.oldbin").exists());
    assert_eq!(nginx.get(), new.to_string());
    assert_eq!(nginx.processes(), [new]);
}

#[test]
fn a_new_binary_that_does_not_start_changes_nothing() {
    let nginx = Nginx::start("return 200 $pid;");
    let pid = nginx.pid();
    let conf = nginx.dir.read("nginx.conf");
    nginx.dir.write("nginx.conf", "nonsense;");
    signal_to(pid, "USR2");
    nginx.wait_log("the upgrade failed");
    assert_eq!(nginx.pid(), pid);
    nginx.dir.write("nginx.conf", conf);
    assert_eq!(nginx.get(), pid.to_string());
}

#[test]
fn workers_have_the_user_and_the_control_thread_stays_root() {
    if !super::is_root() {
        println!("SKIPPED: only root can become another user");
        return;
    }
    let nginx = Nginx::new("return 200 $pid;");
    let conf = nginx.dir.read("nginx.conf");
    nginx.dir.write(
        "nginx.conf",
        format!(
            "user www-data;\nworker_rlimit_nofile 4321;\nworker_priority 5;\nworker_cpu_affinity 01;\n{conf}"
        ),
    );
    nginx.run(&[]);
    let pid = nginx.pid();
    let tasks = || std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap().path());
    let name = |task: std::path::PathBuf| std::fs::read_to_string(task.join("comm")).unwrap_or_default();
    // A thread has its name, and then its user, a moment after it began.
    wait_until("two workers", || {
        tasks().filter(|task| name(task.clone()).starts_with("worker-")).count() == 2
    });
    assert_eq!(nginx.get(), pid.to_string());
    let mut workers = 0;
    for path in tasks() {
        let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
        let line =
            |name: &str| read("status").lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        if !read("comm").starts_with("worker-") {
            assert_eq!(line("Uid:"), "Uid:\t0\t0\t0\t0");
            continue;
        }
        workers += 1;
        // www-data is 33 on every Debian.
        wait_until("it is that user", || {
            std::fs::read_to_string(path.join("status")).unwrap().contains("Uid:\t33\t33\t33\t33\n")
        });
        assert_eq!(line("CapEff:"), "CapEff:\t0000000000000000");
        assert_eq!(line("Cpus_allowed_list:"), "Cpus_allowed_list:\t0");
        assert_eq!(read("stat").rsplit(") ").next().unwrap().split(' ').nth(16), Some("5"));
    }
    assert_eq!(workers, 2);
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().nth(3), Some("4321"), "{files}");
}

#[test]
fn temporary_directories_are_the_workers_also_after_a_reload() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    if !super::is_root() {
        println!("SKIPPED: only root can become another user");
        return;
    }
    let origin = Origin::echo();
    let server = format!(
        "client_body_buffer_size 1k; client_body_temp_path there; location / {{ proxy_pass http://{}; }}",
        origin.addr()
    );
    let nginx = Nginx::new(&server);
    let conf = format!("user www-data;\n{}", nginx.dir.read("nginx.conf"));
    nginx.dir.write("nginx.conf", &conf);
    nginx.dir.write("body", "b".repeat(100_000));
    std::fs::set_permissions(nginx.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // One of root's is there already.
    std::fs::create_dir(nginx.dir.path().join("there")).unwrap();
    let upload = || {
        let body = format!("@{}", nginx.dir.path().join("body").display());
        let args = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", &body];
        let output = Command::new("curl").args(args).arg(format!("http://{}/", nginx.addr)).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    nginx.run(&[]);
    assert_eq!(upload(), "200");
    nginx.dir.write("nginx.conf", conf.replace("there", "fresh"));
    nginx.run(&["-s", "reload"]);
    // www-data is 33 on every Debian.
    let owner = |name: &str| std::fs::metadata(nginx.dir.path().join(name)).map(|meta| meta.uid()).ok();
    wait_until("the new directory is theirs", || owner("fresh") == Some(33));
    assert_eq!((upload().as_str(), owner("there")), ("200", Some(33)));
}

#[test]
fn logs_that_requests_name_are_opened_by_the_user() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    if !super::is_root() {
        println!("SKIPPED: only root can become another user");
        return;
    }
    let nginx = Nginx::new("access_log logs/$arg_to/x.log; return 200 ok;");
    let conf = nginx.dir.read("nginx.conf");
    nginx.dir.write("nginx.conf", format!("user www-data;\n{conf}"));
    let path = nginx.dir.path().to_owned();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["logs/roots", "logs/theirs"] {
        std::fs::create_dir_all(path.join(name)).unwrap();
    }
    // www-data is 33 on every Debian.
    std::os::unix::fs::chown(path.join("logs/theirs"), Some(33), Some(33)).unwrap();
    // A link that its owner has put there: what only root may write stays as it is.
    nginx.dir.write("roots.txt", "root's");
    std::os::unix::fs::symlink(path.join("roots.txt"), path.join("logs/theirs/y")).unwrap();
    nginx.run(&[]);
    let get = |to: &str| Wire::connect(nginx.addr).get(&format!("/?to={to}")).text().to_owned();
    assert_eq!((get("roots"), get("theirs")), ("ok".to_owned(), "ok".to_owned()));
    wait_until("a record", || nginx.dir.read("logs/theirs/x.log").contains("GET /?to=theirs "));
    assert_eq!(std::fs::metadata(path.join("logs/theirs/x.log")).unwrap().uid(), 33);
    assert!(!path.join("logs/roots/x.log").exists(), "root has opened it");
    std::fs::remove_file(path.join("logs/theirs/x.log")).unwrap();
    std::fs::rename(path.join("logs/theirs/y"), path.join("logs/theirs/x.log")).unwrap();
    nginx.run(&["-s", "reopen"]);
    nginx.wait_log("log files opened again");
    get("theirs");
    nginx.run(&["-s", "quit"]);
    let pid_is_gone = || !nginx.dir.path().join("run.pid").exists();
    wait_until("it has ended, and written what it had", pid_is_gone);
    assert_eq!(nginx.dir.read("roots.txt"), "root's");
}

/// What stands in Debian's nginx.service, by its own words.
#[test]
fn debians_unit_runs_unchanged() {
    const UNIT: &str = include_str!("debian.service");
    let nginx = Nginx::new("return 200 $pid;");
    let call = |key: &str| {
        let line = UNIT.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        let line = line
            .trim_start_matches('-')
            .replace(
                "/usr/sbin/nginx",
                &format!("{0}/nginx -p {0} -c nginx.conf", nginx.dir.path().display()),
            )
            .replace("/run/nginx.pid", nginx.dir.path().join("run.pid").to_str().unwrap());
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    link(&nginx.dir);
    call("ExecStartPre=");
    call("ExecStart=");
    // Type=forking: the main process is the one of PIDFile, at once.
    let pid = nginx.pid();
    assert_eq!(nginx.get(), pid.to_string());
    call("ExecReload=");
    nginx.wait_log("taken");
    if Command::new("/sbin/start-stop-daemon").arg("--version").output().is_err() {
        println!("SKIPPED the stop: start-stop-daemon is not installed");
        return;
    }
    call("ExecStop=");
    assert!(is_gone(pid));
    assert!(!nginx.dir.path().join("run.pid").exists());
}

/// What Debian's logrotate does: rename, make the file anew for the user, and the init script's `rotate`.
#[test]
fn logs_are_rotated_as_debian_does() {
    if Command::new("/sbin/start-stop-daemon").arg("--version").output().is_err() {
        println!("SKIPPED: start-stop-daemon is not installed");
        return;
    }
    let nginx = Nginx::start("return 200 $pid;");
    nginx.get();
    wait_until("a record", || nginx.dir.read("access.log").lines().count() == 1);
    for log in ["access.log", "error.log"] {
        let path = nginx.dir.path().join(log);
        std::fs::rename(&path, nginx.dir.path().join(format!("{log}.1"))).unwrap();
        nginx.dir.write(log, "");
    }
    let rotated = Command::new("/sbin/start-stop-daemon")
        .args(["--stop", "--signal", "USR1", "--quiet", "--name", "nginx", "--pidfile"])
        .arg(nginx.dir.path().join("run.pid"))
        .status()
        .unwrap();
    assert!(rotated.success());
    nginx.wait_log("log files opened again");
    nginx.get();
    wait_until("a record in the new file", || nginx.dir.read("access.log").lines().count() == 1);
    assert_eq!(nginx.dir.read("access.log.1").lines().count(), 1);
    nginx.run(&["-s", "reopen"]);
    wait_until("once more", || nginx.dir.read("error.log").matches("log files opened again").count() == 2);
    // What nginx's own package and most others do.
    let pid = nginx.dir.path().join("run.pid");
    let script = format!("[ ! -f {0} ] || kill -USR1 `cat {0}`", pid.display());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    wait_until("and again", || nginx.dir.read("error.log").matches("log files opened again").count() == 3);
}

/// What stands in the unit of nginx's own package: a file of the process id, and signals to its number.
#[test]
fn a_unit_that_sends_signals_runs_unchanged() {
    let nginx = Nginx::new("return 200 $pid;");
    nginx.run(&[]);
    let pid = nginx.pid();
    let send = |signal: &str| {
        let script =
            format!("/bin/kill -s {signal} $(/bin/cat {})", nginx.dir.path().join("run.pid").display());
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    };
    send("HUP");
    nginx.wait_log("taken");
    assert_eq!(nginx.get(), pid.to_string());
    send("TERM");
    wait_until("it has ended", || is_gone(pid));
    assert!(!nginx.dir.path().join("run.pid").exists());
}

#[test]
fn the_environment_of_the_file_is_set() {
    let nginx = Nginx::new("return 200 $pid;");
    let conf = nginx.dir.read("nginx.conf");
    nginx.dir.write("nginx.conf", format!("env TZ=XYZ-5;\nenv PATH;\n{conf}"));
    nginx.run(&[]);
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", nginx.pid())).unwrap();
    assert!(environment.split('\0').any(|variable| variable == "TZ=XYZ-5"), "{environment}");
    assert!(environment.split('\0').any(|variable| variable.starts_with("PATH=")), "{environment}");
    let mut command = bifrons_as_nginx(&nginx.dir);
    assert!(command.args(["-t", "-q", "-c", "nginx.conf"]).status().is_ok());
}
