//! The data directory: lock, snapshot, logs, recovery, rotation.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::StorageError;
use super::encode::{decode, encode};
use super::file::{RecordFile, io, read};
use super::state::{Change, State};

/// A log is rotated when it is this large and larger than the snapshot before it.
const ROTATE_BYTES: u64 = 64 * 1024 * 1024;

/// The data directory of one engine.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// Held for the life of the process.
    _lock: File,
    log: RecordFile,
    number: u64,
    snapshot_bytes: u64,
    rotate_bytes: u64,
}

impl Store {
    /// Opens or begins a data directory and recovers what it holds.
    pub fn open(dir: &Path) -> Result<(Self, State), StorageError> {
        fs::create_dir_all(dir).map_err(io("create", dir))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
                .map_err(io("protect", dir))?;
        }
        let lock = lock(dir)?;
        let mut snapshots = numbered(dir, "snap")?;
        let logs = numbered(dir, "log")?;
        let mut state = State::default();
        let mut first = 0;
        let mut snapshot_bytes = 0;
        if let Some(number) = snapshots.pop() {
            let path = file_name(dir, number, "snap");
            let contents = read(&path)?;
            if !contents.tail().is_empty() || contents.records().next().is_none() {
                return Err(StorageError::Damaged {
                    path,
                    offset: contents.end(),
                    reason: "the snapshot is incomplete".into(),
                });
            }
            for record in contents.records() {
                replay(&mut state, record, &path)?;
            }
            first = number;
            snapshot_bytes = contents.end();
        }
        let live: Vec<u64> = logs.into_iter().filter(|n| *n >= first).collect();
        let mut last = None;
        for (i, number) in live.iter().enumerate() {
            let path = file_name(dir, *number, "log");
            let contents = read(&path)?;
            let is_last = i + 1 == live.len();
            if !contents.tail().is_empty() && !is_last {
                return Err(StorageError::Damaged {
                    path,
                    offset: contents.end(),
                    reason: "a record is cut off, and a later log follows".into(),
                });
            }
            for record in contents.records() {
                replay(&mut state, record, &path)?;
            }
            if is_last {
                if !contents.tail().is_empty() {
                    let aside = path.with_extension(format!("torn-{}", contents.end()));
                    fs::write(&aside, contents.tail()).map_err(io("write", &aside))?;
                    tracing::warn!(
                        path = %path.display(),
                        bytes = contents.tail().len(),
                        "dropped a write that was cut off"
                    );
                }
                last = Some((*number, path, contents.end()));
            }
        }
        let (number, log) = match last {
            Some((number, path, 0)) => (number, RecordFile::create(&path)?),
            Some((number, path, end)) => (number, RecordFile::append_to(&path, end)?),
            None => (first, RecordFile::create(&file_name(dir, first, "log"))?),
        };
        sync_dir(dir)?;
        let store = Self {
            dir: dir.to_owned(),
            _lock: lock,
            log,
            number,
            snapshot_bytes,
            rotate_bytes: ROTATE_BYTES,
        };
        store.remove_before(first);
        Ok((store, state))
    }

    /// Writes a checkpoint. When this returns, it survives a crash.
    pub fn commit(&mut self, checkpoint: u64, changes: &[Change]) -> Result<(), StorageError> {
        self.log.append(&encode(checkpoint, changes)?)?;
        self.log.sync()
    }

    /// True when the log has grown so far that a snapshot pays.
    pub fn wants_snapshot(&self) -> bool {
        self.log.length() > self.rotate_bytes.max(self.snapshot_bytes)
    }

    /// Begins a new log. The snapshot of the state at this moment can then be written beside the running engine; until
    /// it is complete, recovery uses the older files.
    pub fn rotate(&mut self) -> Result<SnapshotJob, StorageError> {
        let number = self.number + 1;
        self.log = RecordFile::create(&file_name(&self.dir, number, "log"))?;
        sync_dir(&self.dir)?;
        self.number = number;
        Ok(SnapshotJob {
            dir: self.dir.clone(),
            number,
        })
    }

    /// Takes over a finished snapshot: older files go.
    pub fn finish(&mut self, job: &SnapshotJob, bytes: u64) {
        self.snapshot_bytes = bytes;
        self.remove_before(job.number);
    }

    fn remove_before(&self, number: u64) {
        for extension in ["snap", "log"] {
            for old in numbered(&self.dir, extension).unwrap_or_default() {
                if old < number {
                    let _ = fs::remove_file(file_name(&self.dir, old, extension));
                }
            }
        }
    }
}

/// A snapshot to be written.
#[derive(Debug, Clone)]
pub struct SnapshotJob {
    dir: PathBuf,
    number: u64,
}

impl SnapshotJob {
    /// Writes the snapshot and returns its size. It counts only when it is whole: it gets its name last.
    pub fn write(&self, state: &State) -> Result<u64, StorageError> {
        let partial = file_name(&self.dir, self.number, "snap.partial");
        let mut file = RecordFile::create(&partial)?;
        for change in state.dump()? {
            file.append(&encode(state.checkpoint, &[change])?)?;
        }
        file.sync()?;
        let path = file_name(&self.dir, self.number, "snap");
        fs::rename(&partial, &path).map_err(io("rename", &partial))?;
        sync_dir(&self.dir)?;
        Ok(file.length())
    }
}

fn replay(state: &mut State, record: &[u8], path: &Path) -> Result<(), StorageError> {
    let apply = |state: &mut State| -> Result<(), StorageError> {
        let (checkpoint, changes) = decode(record)?;
        for change in &changes {
            state.apply(change)?;
        }
        state.checkpoint = checkpoint;
        Ok(())
    };
    let after = state.checkpoint;
    apply(state).map_err(|error| StorageError::Damaged {
        path: path.to_owned(),
        offset: 0,
        reason: format!("a record behind checkpoint {after} cannot be applied: {error}"),
    })
}

fn lock(dir: &Path) -> Result<File, StorageError> {
    let path = dir.join("LOCK");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(io("lock", &path)(error)),
    }
}

fn file_name(dir: &Path, number: u64, extension: &str) -> PathBuf {
    dir.join(format!("{number:08}.{extension}"))
}

/// The numbers of the files `<n>.<extension>`, ascending.
fn numbered(dir: &Path, extension: &str) -> Result<Vec<u64>, StorageError> {
    let mut numbers: Vec<u64> = fs::read_dir(dir)
        .map_err(io("read", dir))?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let (number, ext) = name.to_str()?.split_once('.')?;
            (ext == extension).then(|| number.parse().ok()).flatten()
        })
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn sync_dir(dir: &Path) -> Result<(), StorageError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(io("sync", dir))
}

#[cfg(test)]
mod tests;
