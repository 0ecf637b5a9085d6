//! The offsets that groups have committed, on disk in `groups/offsets.log`.
//!
//! One line per change: CRC-32C in hex, a space, JSON. A commit is written before it is answered; a line that was being written
//! when the process died is cut off. When the file has grown to four times what is alive it is written anew.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::files;

/// A file below this size is never rewritten.
const REWRITE_ABOVE: u64 = 1 << 20;
const REWRITE_FACTOR: u64 = 4;

/// A committed position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Offset of the next record to read.
    pub offset: i64,
    /// Leader epoch of the last record read, -1 if the client did not say.
    pub leader_epoch: i32,
    /// The client's own note.
    pub metadata: String,
}

/// Positions of one group by topic and partition.
pub type Positions = BTreeMap<(String, i32), Committed>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Commit {
        group: String,
        offsets: Vec<(String, i32, Committed)>,
    },
    Forget {
        group: String,
        offsets: Vec<(String, i32)>,
    },
    ForgetGroup {
        group: String,
    },
    ForgetTopic {
        topic: String,
    },
}

/// All committed offsets, in memory and in the file.
#[derive(Debug)]
pub struct Offsets {
    path: PathBuf,
    file: Arc<File>,
    size: u64,
    /// Size after the last rewrite.
    alive: u64,
    unflushed: bool,
    groups: BTreeMap<String, Positions>,
}

impl Offsets {
    /// Opens the file in `dir`, which is created if missing.
    pub fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join("offsets.log");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let text = std::fs::read(&path)?;
        let mut groups = BTreeMap::new();
        let mut size = 0;
        while let Some(end) = text[size..].iter().position(|&byte| byte == b'\n') {
            let Some(line) = decode(&text[size..size + end]) else {
                break;
            };
            apply(&mut groups, line);
            size += end + 1;
        }
        if size < text.len() {
            tracing::warn!(file = %path.display(), bytes = text.len() - size, "cut off a commit that was being written");
            if text[size..].contains(&b'\n') {
                std::fs::write(path.with_extension("damaged"), &text[size..])?;
            }
            file.set_len(size as u64)?;
        }
        let size = size as u64;
        let mut offsets = Self {
            path,
            file: Arc::new(file),
            size,
            alive: 0,
            unflushed: false,
            groups,
        };
        offsets.rewrite_if_large()?;
        Ok(offsets)
    }

    /// The positions of a group; `None` if it has none.
    pub fn of(&self, group: &str) -> Option<&Positions> {
        self.groups.get(group)
    }

    /// Names of all groups that have positions.
    pub fn groups(&self) -> impl Iterator<Item = &String> {
        self.groups.keys()
    }

    /// Keeps new positions of a group.
    pub fn commit(
        &mut self,
        group: &str,
        offsets: Vec<(String, i32, Committed)>,
    ) -> io::Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.write(Line::Commit {
            group: group.to_owned(),
            offsets,
        })
    }

    /// Forgets some positions of a group.
    pub fn forget(&mut self, group: &str, offsets: Vec<(String, i32)>) -> io::Result<()> {
        self.write(Line::Forget {
            group: group.to_owned(),
            offsets,
        })
    }

    /// Forgets a group.
    pub fn forget_group(&mut self, group: &str) -> io::Result<()> {
        self.write(Line::ForgetGroup {
            group: group.to_owned(),
        })
    }

    /// Forgets all positions in a topic.
    pub fn forget_topic(&mut self, topic: &str) -> io::Result<()> {
        let known = self
            .groups
            .values()
            .any(|positions| positions.keys().any(|(name, _)| name == topic));
        if known {
            self.write(Line::ForgetTopic {
                topic: topic.to_owned(),
            })
        } else {
            Ok(())
        }
    }

    fn write(&mut self, line: Line) -> io::Result<()> {
        let text = encode(&line)?;
        if let Err(error) = self.file.write_all_at(&text, self.size) {
            // Whatever part was written is overwritten by the next line, or cut off at the next start.
            let _ = self.file.set_len(self.size);
            return Err(error);
        }
        self.size += text.len() as u64;
        self.unflushed = true;
        apply(&mut self.groups, line);
        if let Err(error) = self.rewrite_if_large() {
            tracing::warn!(file = %self.path.display(), %error, "cannot shorten the file of group offsets");
        }
        Ok(())
    }

    fn rewrite_if_large(&mut self) -> io::Result<()> {
        if self.size < REWRITE_ABOVE || self.size < self.alive.saturating_mul(REWRITE_FACTOR) {
            return Ok(());
        }
        let mut text = Vec::new();
        for (group, positions) in &self.groups {
            let offsets = positions
                .iter()
                .map(|((topic, index), committed)| (topic.clone(), *index, committed.clone()));
            text.extend(encode(&Line::Commit {
                group: group.clone(),
                offsets: offsets.collect(),
            })?);
        }
        files::write_atomically(&self.path, &text)?;
        self.file = Arc::new(OpenOptions::new().read(true).write(true).open(&self.path)?);
        self.size = text.len() as u64;
        self.alive = self.size;
        Ok(())
    }

    /// The file if it holds lines that may not be on disk yet.
    pub fn take_unflushed(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.unflushed).then(|| self.file.clone())
    }
}

fn apply(groups: &mut BTreeMap<String, Positions>, line: Line) {
    let forgets = !matches!(line, Line::Commit { .. });
    match line {
        Line::Commit { group, offsets } => {
            let positions = groups.entry(group).or_default();
            positions.extend(
                offsets
                    .into_iter()
                    .map(|(topic, index, committed)| ((topic, index), committed)),
            );
        }
        Line::Forget { group, offsets } => {
            if let Some(positions) = groups.get_mut(&group) {
                for place in offsets {
                    positions.remove(&place);
                }
            }
        }
        Line::ForgetGroup { group } => drop(groups.remove(&group)),
        Line::ForgetTopic { topic } => {
            for positions in groups.values_mut() {
                positions.retain(|(name, _), _| *name != topic);
            }
        }
    }
    if forgets {
        groups.retain(|_, positions| !positions.is_empty());
    }
}

fn encode(line: &Line) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(line)?;
    let mut text = format!("{:08x} ", crc32c::crc32c(&json)).into_bytes();
    text.extend(json);
    text.push(b'\n');
    Ok(text)
}

fn decode(line: &[u8]) -> Option<Line> {
    let (crc, json) = line.split_at_checked(9)?;
    let crc = u32::from_str_radix(std::str::from_utf8(&crc[..8]).ok()?, 16).ok()?;
    if crc32c::crc32c(json) != crc {
        return None;
    }
    serde_json::from_slice(json).ok()
}
