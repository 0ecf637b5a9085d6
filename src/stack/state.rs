//! What the data directory says of a running stack.
//!
//! The process holds a lock on `stack.lock` as long as it lives, so that neither a crash nor a reused process id can
//! pass for a running stack. `stack.json` is written when everything listens.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

/// A stack that runs and listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// When it began to listen.
    pub started_at: DateTime<Utc>,
    /// rwt's version that runs it.
    pub version: String,
    /// Where the engine listens.
    pub engine: SocketAddr,
    /// Where the broker listens.
    pub kafka: SocketAddr,
    /// The data directory, absolute.
    pub data_dir: PathBuf,
}

impl Running {
    /// Where the lake is.
    pub fn lake_dir(&self) -> PathBuf {
        lake_dir(&self.data_dir)
    }
}

/// The lake's folder in a data directory.
pub fn lake_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("lake")
}

/// The log of the background process.
pub fn log_file(data_dir: &Path) -> PathBuf {
    data_dir.join("logs").join("stack.log")
}

fn state_file(data_dir: &Path) -> PathBuf {
    data_dir.join("stack.json")
}

/// The right to be the one process on a data directory; given up when dropped or when the process dies.
#[derive(Debug)]
pub struct Hold(#[allow(dead_code, reason = "held for its lock")] Flock<File>);

/// Takes the data directory, or says that another process has it.
///
/// # Errors
/// The directory cannot be made or its lock file not opened.
pub fn hold(data_dir: &Path) -> io::Result<Option<Hold>> {
    fs::create_dir_all(data_dir)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(data_dir.join("stack.lock"))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(Hold(lock))),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// Whether a process has the data directory, listening or not yet.
///
/// # Errors
/// The lock file cannot be opened.
pub fn is_held(data_dir: &Path) -> io::Result<bool> {
    if !data_dir.join("stack.lock").exists() {
        return Ok(false);
    }
    Ok(hold(data_dir)?.is_none())
}

/// The stack that runs and listens on this data directory.
///
/// # Errors
/// The lock or the state cannot be read.
pub fn running(data_dir: &Path) -> io::Result<Option<Running>> {
    if !is_held(data_dir)? {
        return Ok(None);
    }
    match fs::read(state_file(data_dir)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a stack keeps in its data directory.
const CONTENTS: [&str; 5] = ["engine", "kafka", "lake", "logs", "stack.lock"];

/// Deletes what a stack keeps in its data directory, and the directory if nothing else is in it.
///
/// # Errors
/// Something cannot be deleted.
pub fn delete(data_dir: &Path) -> io::Result<()> {
    for name in CONTENTS {
        let path = data_dir.join(name);
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if path.exists() {
            fs::remove_file(&path)?;
        }
    }
    match fs::remove_dir(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        result => result,
    }
}

/// Publishes that everything listens.
///
/// # Errors
/// The file cannot be written.
pub(super) fn publish(state: &Running) -> io::Result<()> {
    let path = state_file(&state.data_dir);
    let draft = path.with_extension("json.new");
    fs::write(&draft, serde_json::to_vec_pretty(state)?)?;
    fs::rename(draft, path)
}

/// Takes the publication back.
pub(super) fn withdraw(data_dir: &Path) {
    let _ = fs::remove_file(state_file(data_dir));
}
