//! From root to the configured user, while there is one thread only.
//!
//! What root does before: sockets are bound, log files that are missing are created, and those that root
//! owns are given to the user, so that he can open them again after a rotation (nginx's master does the
//! same). One capability is kept, CAP_NET_BIND_SERVICE, so that reloads and upgrades can bind ports below
//! 1024.

use super::accounts::{self, Identity};
use super::pid::PidFile;
use bifrons_observe::sinks::{Opener, open_file};
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities,
    set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

/// The user to become; `None` where it is not for us to change.
///
/// # Errors
/// A user or group that does not exist.
pub fn identity(user: Option<&str>, group: Option<&str>) -> Result<Option<Identity>, String> {
    let Some(user) = user else { return Ok(None) };
    let read =
        |path: &str| std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"));
    let identity = accounts::find(user, group, &read("/etc/passwd")?, &read("/etc/group")?)?;
    if is_root() {
        return Ok(Some(identity));
    }
    if rustix::process::geteuid().as_raw() != identity.uid {
        tracing::warn!(user, "only root can change the user; running on as we are");
    }
    Ok(None)
}

/// Whether there is such a user, in nginx's words; a warning where it is not for us to become it.
///
/// # Errors
/// A user or group that does not exist.
pub fn judge_user(user: &str, group: Option<&str>) -> Result<Option<String>, String> {
    if !is_root() {
        let warning = "the \"user\" directive makes sense only if the master process runs with super-user \
                       privileges, ignored";
        return Ok(Some(warning.to_owned()));
    }
    match (identity(Some(user), None), identity(Some(user), group)) {
        (Err(_), _) if group.is_none() || identity(Some("root"), group).is_ok() => {
            Err(format!("getpwnam(\"{user}\") failed"))
        }
        (_, Err(_)) => Err(format!("getgrnam(\"{}\") failed", group.unwrap_or(user))),
        _ => Ok(None),
    }
}

/// Whether we may do anything.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Becomes the user, for good.
///
/// # Errors
/// When the system refuses.
pub fn become_user(identity: Option<&Identity>) -> Result<(), String> {
    let Some(identity) = identity.filter(|identity| identity.uid != 0) else { return Ok(()) };
    let fail = |error: rustix::io::Errno| format!("cannot become user {}: {error}", identity.name);
    let groups: Vec<Gid> = identity.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    set_keep_capabilities(true).map_err(fail)?;
    set_thread_groups(&groups).map_err(fail)?;
    set_thread_res_gid(gid, gid, gid).map_err(fail)?;
    set_thread_res_uid(uid, uid, uid).map_err(fail)?;
    if let Err(error) = keep_ports() {
        tracing::info!(%error, "ports below 1024 cannot be bound by a reload");
    }
    tracing::info!(user = identity.name, uid = identity.uid, gid = identity.gid, "gave up root");
    Ok(())
}

/// Becomes the user with this thread alone, and without any capability: for workers whose control thread
/// stays root, as nginx's master does.
///
/// # Errors
/// When the system refuses.
pub fn become_user_here(identity: &Identity) -> Result<(), String> {
    if identity.uid == 0 {
        return Ok(());
    }
    let fail = |error: rustix::io::Errno| format!("cannot become user {}: {error}", identity.name);
    let groups: Vec<Gid> = identity.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    set_thread_groups(&groups).map_err(fail)?;
    set_thread_res_gid(gid, gid, gid).map_err(fail)?;
    // Takes the capabilities too (capabilities(7)).
    set_thread_res_uid(uid, uid, uid).map_err(fail)
}

/// Opens files as that user, by a thread of its own, which begins with the first of them: where root stays beside
/// workers of another user, and requests have a say in the names of logs, a link in their directory would lead its
/// owner anywhere.
pub fn opener(identity: &Identity) -> Opener {
    let identity = identity.clone();
    let thread: OnceLock<Result<SyncSender<Asked>, String>> = OnceLock::new();
    Arc::new(move |path: &Path| {
        let thread = thread
            .get_or_init(|| open_as(identity.clone()))
            .as_ref()
            .map_err(|why| io::Error::other(why.clone()))?;
        let gone = || io::Error::other("the thread that opens logs has ended");
        let (reply, opened) = sync_channel(1);
        thread.send((path.to_owned(), reply)).map_err(|_| gone())?;
        opened.recv().map_err(|_| gone())?
    })
}

/// A file, and whom to give it.
type Asked = (PathBuf, SyncSender<io::Result<File>>);

/// Starts the thread.
fn open_as(identity: Identity) -> Result<SyncSender<Asked>, String> {
    /// As many as wait: the one thread that writes access logs asks for one file at a time.
    const WAITING_MAX: usize = 1;
    let (ask, asked) = sync_channel::<Asked>(WAITING_MAX);
    let (ready, outcome) = sync_channel(1);
    let run = move || {
        let became = become_user_here(&identity);
        let goes_on = became.is_ok();
        // Whoever started us waits for it.
        let _ = ready.send(became);
        for (path, reply) in asked.iter().take_while(|_| goes_on) {
            // Who has gone does not want it any more.
            let _ = reply.send(open_file(&path));
        }
    };
    let started = std::thread::Builder::new().name("log-opener".into()).spawn(run);
    started.map_err(|error| format!("cannot start a thread: {error}"))?;
    outcome.recv().map_err(|_| "a thread ended by itself".to_owned())??;
    Ok(ask)
}

/// Keeps the one capability, also over exec, and gives up all others.
fn keep_ports() -> rustix::io::Result<()> {
    let kept = CapabilitySet::NET_BIND_SERVICE;
    let only = |set| CapabilitySets { effective: set, permitted: set, inheritable: set };
    let done =
        set_capabilities(None, only(kept)).and_then(|()| configure_capability_in_ambient_set(kept, true));
    if done.is_err() {
        // Where a container's root does not have it: then none at all.
        set_capabilities(None, only(CapabilitySet::empty()))?;
    }
    set_keep_capabilities(false)?;
    done
}

/// Creates log files that are missing and gives them, and those of root, to the user.
pub fn give_files(identity: &Identity, logs: &[PathBuf], pid: Option<&PidFile>) {
    for path in logs {
        if let Err(error) = give(path, identity) {
            tracing::warn!(path = %path.display(), %error, "cannot give the log file to the user");
        }
    }
    for file in pid.into_iter().flat_map(PidFile::files) {
        // Only an upgrade would miss it, and says so.
        let _ = change_owner(file, identity);
    }
}

/// Makes directories of temporary files that are missing and gives them to the user, as nginx does; also those
/// of root that are there, unless everybody may write in them anyway (`/tmp`).
pub fn give_dirs(identity: &Identity, dirs: &[PathBuf]) {
    for path in dirs {
        if let Err(error) = give_dir(path, identity) {
            tracing::warn!(path = %path.display(), %error, "cannot give the directory to the user");
        }
    }
}

fn give_dir(path: &Path, identity: &Identity) -> rustix::io::Result<()> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&dir)?;
    let is_public = Mode::from_raw_mode(stat.st_mode).contains(Mode::WOTH);
    if stat.st_uid != 0 || is_public {
        return Ok(());
    }
    change_owner(&dir, identity)
}

/// Without following links, and only a plain file of root under one name: a directory that somebody else may
/// write must not make us give away `/etc/shadow`.
fn give(path: &Path, identity: &Identity) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY
        | OFlags::CREATE
        | OFlags::APPEND
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::from_raw_mode(0o644)) {
        // A link, or a pipe without a reader.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Ok(()),
        other => other?,
    };
    let stat = rustix::fs::fstat(&file)?;
    let plain = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_nlink == 1;
    if plain && stat.st_uid == 0 { change_owner(&file, identity) } else { Ok(()) }
}

fn change_owner(file: impl AsFd, identity: &Identity) -> rustix::io::Result<()> {
    rustix::fs::fchown(file, Some(Uid::from_raw(identity.uid)), Some(Gid::from_raw(identity.gid)))
}
