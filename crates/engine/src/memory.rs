//! The limit of memory: what rows, indexes and kept results hold, who must wait or is refused when that is too much, and
//! what is left for queries.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rwt_wire::SqlError;

use crate::catalog::{Catalog, ObjectId};
use crate::engine::Inner;

/// Of this many parts of the limit, one is for queries that run, and the others for what is kept.
const PARTS: u64 = 4;
/// Of this many parts of what is for rows, one may wait in each source for the next checkpoint, but no more than that.
const WAITING: usize = 16;
const MOST_WAITING: usize = 64 << 20;
/// Relations that an error names.
const NAMED: usize = 3;
/// If the machine does not tell its memory.
const UNKNOWN: u64 = 4 << 30;

/// The limit of an engine that was told none: half of the memory that the machine, or the container, has.
pub fn default_memory_limit() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total_of(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = group_files(Path::new("/sys/fs/cgroup"), &groups)
        .into_iter()
        .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    machine.into_iter().chain(limits).min().unwrap_or(UNKNOWN) / 2
}

fn part_for_rows(limit: u64) -> usize {
    usize::try_from(limit - limit / PARTS).unwrap_or(usize::MAX)
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The files that may hold a limit of this process's control groups and of those around them. A file that is not there,
/// or that says `max`, sets none.
fn group_files(root: &Path, groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            list if list.split(',').any(|c| c == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let inner = root.join(path.trim_start_matches('/'));
        let around = inner.ancestors().take_while(|dir| dir.starts_with(&root));
        files.extend(around.map(|dir| dir.join(file)));
    }
    files
}

/// The limit, and what is held beside the rows of the state and the kept results, which know their own size.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: u64,
    /// Indexes of keyed tables, and the last results that sinks and subscriptions compare with.
    working: AtomicUsize,
    gate: Arc<Gate>,
}

/// Where sources look whether they may read on.
#[derive(Debug)]
pub struct Gate {
    /// Memory of a source's rows that may wait for the next checkpoint.
    most_waiting: usize,
    closed: RwLock<Option<String>>,
}

impl Gate {
    /// Why sources wait, while they do.
    pub fn closed(&self) -> Option<String> {
        let closed = self.closed.read();
        closed.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a source may read on, of which so many bytes wait for the next checkpoint.
    pub fn lets_in(&self, waiting: usize) -> bool {
        let closed = self.closed.read();
        let closed = closed.unwrap_or_else(PoisonError::into_inner);
        closed.is_none() && waiting < self.most_waiting
    }

    fn set(&self, reason: Option<String>) {
        *self.closed.write().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

impl Memory {
    pub fn new(limit: u64) -> Self {
        let for_rows = part_for_rows(limit);
        Self {
            limit,
            working: AtomicUsize::new(0),
            gate: Arc::new(Gate {
                most_waiting: (for_rows / WAITING).clamp(1 << 20, MOST_WAITING),
                closed: RwLock::default(),
            }),
        }
    }

    /// All that the engine may hold and use, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What indexes and last results hold.
    pub fn working(&self) -> usize {
        self.working.load(Ordering::Relaxed)
    }

    /// Notes what indexes and last results hold.
    pub fn set_working(&self, bytes: usize) {
        self.working.store(bytes, Ordering::Relaxed);
    }

    /// What all running queries may use together.
    pub fn for_queries(&self) -> usize {
        usize::try_from(self.limit / PARTS).unwrap_or(usize::MAX)
    }

    /// What rows, indexes and results may hold.
    pub fn for_rows(&self) -> usize {
        part_for_rows(self.limit)
    }

    /// The sources' gate.
    pub fn gate(&self) -> Arc<Gate> {
        self.gate.clone()
    }
}

impl Inner {
    /// What is held and cannot be dropped, in bytes.
    fn held(&self) -> usize {
        self.state().bytes() + self.memory.working() + self.waiting_bytes()
    }

    /// What results of materialized views may hold beside everything else.
    pub fn room_for_results(&self) -> usize {
        self.memory.for_rows().saturating_sub(self.held())
    }

    /// Makes room for so many more bytes of rows, by dropping kept results if need be.
    ///
    /// # Errors
    /// If the rest is too much.
    pub fn make_room(&self, bytes: usize) -> Result<(), SqlError> {
        let room = self.room_for_results();
        if bytes > room {
            return Err(SqlError::internal(self.shortage(bytes)));
        }
        self.results.shrink_to(room - bytes);
        Ok(())
    }

    /// Opens or closes the sources' gate, by what the last checkpoint left.
    pub fn set_gate(&self) {
        let room = self.room_for_results();
        self.results.shrink_to(room);
        let reason = (room == 0).then(|| format!("waits: {}", self.shortage(0)));
        self.memory.gate.set(reason);
    }

    fn shortage(&self, more: usize) -> String {
        let state = self.state();
        let mut largest: Vec<(usize, ObjectId)> = state
            .tables
            .iter()
            .map(|(id, table)| (table.bytes(), *id))
            .filter(|(bytes, _)| *bytes > 0)
            .collect();
        largest.sort_unstable_by(|a, b| b.cmp(a));
        let names: Vec<String> = largest
            .iter()
            .take(NAMED)
            .map(|(bytes, id)| format!("{} {}", name(&state.catalog, *id), size(*bytes)))
            .collect();
        let named = match names.len() {
            0 => String::new(),
            n if n < largest.len() => format!(" (most in {})", names.join(", ")),
            _ => format!(" ({})", names.join(", ")),
        };
        let wanted = match more {
            0 => String::new(),
            more => format!(", and this statement's rows need {}", size(more)),
        };
        format!(
            "the memory for rows is used up: {}{named} of {} are held{wanted}. DELETE rows or DROP relations that are not \
             needed, or raise the limit of {}: `memory_limit` below `stack` of the target in profiles.yml or \
             `rwt up --memory-limit`, then `rwt down` and `rwt up`",
            size(self.held()),
            size(self.memory.for_rows()),
            size(usize::try_from(self.memory.limit).unwrap_or(usize::MAX)),
        )
    }
}

fn name(catalog: &Catalog, id: ObjectId) -> String {
    catalog
        .get(id)
        .map_or_else(|| id.to_string(), |object| catalog.qualified(object))
}

/// Bytes for people.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} kB", bytes >> 10),
        _ => format!("{} MB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_containers_are_found() {
        let root = Path::new("/sys/fs/cgroup");
        let named = |groups| {
            let files = group_files(root, groups);
            let texts = files.iter().map(|f| f.display().to_string());
            texts.collect::<Vec<_>>()
        };
        assert_eq!(named("0::/\n"), ["/sys/fs/cgroup/memory.max"]);
        assert_eq!(
            named("0::/a.slice/b\n"),
            [
                "/sys/fs/cgroup/a.slice/b/memory.max",
                "/sys/fs/cgroup/a.slice/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(
            named("5:cpu,cpuacct:/x\n4:memory:/docker/1\n"),
            [
                "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes"
            ]
        );
        assert_eq!(
            total_of("MemTotal:       16 kB\nMemFree: 1 kB\n"),
            Some(16_384)
        );
        assert!(default_memory_limit() > 0);
    }
}
