//! The topics of a broker: names, ids and settings on disk, and the partitions' logs.
//!
//! ```text
//! <data_dir>/topics/<topic>/topic.json         id, number of partitions, settings of its own
//! <data_dir>/topics/<topic>/<partition>/…      the log (see `log`)
//! <data_dir>/staging/<uuid>/                   a topic being made; renamed when it is whole
//! <data_dir>/trash/<uuid>/                     a topic being deleted
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::now_ms;
use crate::config::{Overrides, TopicConfig};
use crate::error::BrokerError;
use crate::files;
use crate::log::Log;

const MAX_NAME: usize = 249;

/// All topics. Locks: `topics` first, then a topic's own, then a log's.
#[derive(Debug)]
pub struct Topics {
    data_dir: PathBuf,
    defaults: TopicConfig,
    max_partitions: usize,
    topics: RwLock<BTreeMap<String, Arc<Topic>>>,
    /// Held while topics are made, changed or deleted, which touches the disk.
    changing: Mutex<()>,
}

/// One topic.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id; a topic made anew under the same name has another.
    pub id: Uuid,
    dir: PathBuf,
    inner: RwLock<Inner>,
}

#[derive(Debug)]
struct Inner {
    overrides: Overrides,
    config: Arc<TopicConfig>,
    partitions: Vec<Arc<Partition>>,
}

/// One partition: its log behind a lock that is never held across a wait.
#[derive(Debug)]
pub struct Partition {
    log: Mutex<Log>,
    /// Set when the topic is deleted; those who still hold the partition must not write to it any more.
    deleted: AtomicBool,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    id: Uuid,
    partitions: usize,
    #[serde(default)]
    configs: Overrides,
}

impl Partition {
    /// The log. A panic elsewhere while it was held does not matter: every change is made after the write succeeded.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the topic is gone. Holds as long as the log is held.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    fn delete(&self) {
        let _log = self.log();
        self.deleted.store(true, Ordering::Release);
    }
}

impl Topic {
    fn open(dir: &Path, name: &str, defaults: &TopicConfig) -> io::Result<Option<Self>> {
        let Some(saved) = files::read_json::<Saved>(&dir.join("topic.json"))? else {
            return Ok(None);
        };
        let partitions = (0..saved.partitions)
            .map(|index| open_partition(dir, index))
            .collect::<io::Result<_>>()?;
        let config = Arc::new(saved.configs.over(defaults));
        let inner = RwLock::new(Inner {
            overrides: saved.configs,
            config,
            partitions,
        });
        Ok(Some(Self {
            name: name.to_owned(),
            id: saved.id,
            dir: dir.to_owned(),
            inner,
        }))
    }

    /// The partition of this index.
    pub fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        let index = usize::try_from(index).ok()?;
        self.read().partitions.get(index).cloned()
    }

    /// All partitions in order.
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        self.read().partitions.clone()
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<TopicConfig> {
        self.read().config.clone()
    }

    /// The settings that are the topic's own.
    pub fn overrides(&self) -> Overrides {
        self.read().overrides.clone()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_partition(dir: &Path, index: usize) -> io::Result<Arc<Partition>> {
    let dir = dir.join(index.to_string());
    fs::create_dir_all(&dir)?;
    Ok(Arc::new(Partition {
        log: Mutex::new(Log::open(&dir, now_ms())?),
        deleted: AtomicBool::new(false),
    }))
}

/// Whether a topic may have this name (Kafka's rule, which also keeps names from being paths).
pub fn is_valid_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits) && name != "." && name != ".."
}

impl Topics {
    /// Opens every topic under `data_dir` and empties staging and trash.
    pub fn open(
        data_dir: &Path,
        defaults: TopicConfig,
        max_partitions: usize,
    ) -> Result<Self, BrokerError> {
        for scratch in ["staging", "trash"] {
            let dir = data_dir.join(scratch);
            if dir.exists() {
                fs::remove_dir_all(&dir).map_err(BrokerError::storage(&dir))?;
            }
            fs::create_dir_all(&dir).map_err(BrokerError::storage(&dir))?;
        }
        let root = data_dir.join("topics");
        fs::create_dir_all(&root).map_err(BrokerError::storage(&root))?;
        let mut topics = BTreeMap::new();
        for entry in fs::read_dir(&root).map_err(BrokerError::storage(&root))? {
            let dir = entry.map_err(BrokerError::storage(&root))?.path();
            let Some(name) = dir
                .file_name()
                .and_then(|name| name.to_str())
                .filter(|name| is_valid_name(name))
            else {
                tracing::warn!(dir = %dir.display(), "not a topic; left alone");
                continue;
            };
            match Topic::open(&dir, name, &defaults).map_err(BrokerError::storage(&dir))? {
                Some(topic) => drop(topics.insert(name.to_owned(), Arc::new(topic))),
                None => tracing::warn!(dir = %dir.display(), "no topic.json; left alone"),
            }
        }
        let topics = RwLock::new(topics);
        Ok(Self {
            data_dir: data_dir.to_owned(),
            defaults,
            max_partitions,
            topics,
            changing: Mutex::new(()),
        })
    }

    /// The topic of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.read().get(name).cloned()
    }

    /// The topic of this id.
    pub fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.read().values().find(|topic| topic.id == id).cloned()
    }

    /// All topics by name.
    pub fn all(&self) -> Vec<Arc<Topic>> {
        self.read().values().cloned().collect()
    }

    /// The settings of topics that have none of their own.
    pub fn defaults(&self) -> &TopicConfig {
        &self.defaults
    }

    /// Checks whether [`Topics::create`] would be possible.
    pub fn check_new(&self, name: &str, partitions: i32) -> Result<(), BrokerError> {
        if !is_valid_name(name) {
            return Err(BrokerError::TopicName {
                name: name.to_owned(),
            });
        }
        if self.get(name).is_some() {
            return Err(BrokerError::TopicExists {
                name: name.to_owned(),
            });
        }
        self.check_more(partitions, partitions)
    }

    fn check_more(&self, count: i32, more: i32) -> Result<(), BrokerError> {
        let Some(more) = usize::try_from(more).ok().filter(|more| *more > 0) else {
            return Err(BrokerError::Partitions {
                count,
                reason: "a topic has at least one",
            });
        };
        let present: usize = self
            .all()
            .iter()
            .map(|topic| topic.read().partitions.len())
            .sum();
        if present.saturating_add(more) > self.max_partitions {
            return Err(BrokerError::Partitions {
                count,
                reason: "the broker's limit for all topics together is reached",
            });
        }
        Ok(())
    }

    /// Makes a topic. After a crash it is there whole or not at all.
    pub fn create(
        &self,
        name: &str,
        partitions: i32,
        configs: Overrides,
    ) -> Result<Arc<Topic>, BrokerError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_new(name, partitions)?;
        let count = usize::try_from(partitions).unwrap_or(0);
        let id = Uuid::new_v4();
        let staging = self.data_dir.join("staging").join(id.to_string());
        let dir = self.data_dir.join("topics").join(name);
        let make = || {
            for index in 0..count {
                fs::create_dir_all(staging.join(index.to_string()))?;
            }
            files::write_json(
                &staging.join("topic.json"),
                &Saved {
                    id,
                    partitions: count,
                    configs,
                },
            )?;
            fs::rename(&staging, &dir)?;
            Topic::open(&dir, name, &self.defaults)?.ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        let topic = Arc::new(make().map_err(BrokerError::storage(&dir))?);
        self.topics
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), topic.clone());
        tracing::info!(topic = name, partitions, "topic created");
        Ok(topic)
    }

    /// Deletes a topic with its records.
    pub fn delete(&self, name: &str) -> Result<(), BrokerError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = self.get(name).ok_or_else(|| BrokerError::UnknownTopic {
            name: name.to_owned(),
        })?;
        let trash = self.data_dir.join("trash").join(Uuid::new_v4().to_string());
        fs::rename(&topic.dir, &trash).map_err(BrokerError::storage(&topic.dir))?;
        self.topics
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        for partition in topic.partitions() {
            partition.delete();
        }
        if let Err(error) = fs::remove_dir_all(&trash) {
            tracing::warn!(dir = %trash.display(), %error, "the deleted topic's files are removed at the next start");
        }
        tracing::info!(topic = name, "topic deleted");
        Ok(())
    }

    /// Gives a topic more partitions, `count` in all; with `dry` it only checks.
    pub fn grow(&self, name: &str, count: i32, dry: bool) -> Result<(), BrokerError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = self.get(name).ok_or_else(|| BrokerError::UnknownTopic {
            name: name.to_owned(),
        })?;
        let present = topic.read().partitions.len();
        if usize::try_from(count).map_or(true, |count| count <= present) {
            return Err(BrokerError::Partitions {
                count,
                reason: "the topic has as many already, and never loses one",
            });
        }
        self.check_more(count, count.saturating_sub(present as i32))?;
        if dry {
            return Ok(());
        }
        let make = || {
            let new = (present..count as usize).map(|index| open_partition(&topic.dir, index));
            let new = new.collect::<io::Result<Vec<_>>>()?;
            let saved = Saved {
                id: topic.id,
                partitions: count as usize,
                configs: topic.overrides(),
            };
            files::write_json(&topic.dir.join("topic.json"), &saved)?;
            topic.write().partitions.extend(new);
            Ok(())
        };
        make().map_err(BrokerError::storage(&topic.dir))
    }

    /// Changes a topic's own settings; nothing is changed if one of them is refused. With `dry` it only checks.
    pub fn configure(
        &self,
        name: &str,
        dry: bool,
        change: impl FnOnce(&mut Overrides) -> Result<(), BrokerError>,
    ) -> Result<(), BrokerError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = self.get(name).ok_or_else(|| BrokerError::UnknownTopic {
            name: name.to_owned(),
        })?;
        let mut overrides = topic.overrides();
        change(&mut overrides)?;
        if dry {
            return Ok(());
        }
        let saved = Saved {
            id: topic.id,
            partitions: topic.read().partitions.len(),
            configs: overrides.clone(),
        };
        files::write_json(&topic.dir.join("topic.json"), &saved)
            .map_err(BrokerError::storage(&topic.dir))?;
        let mut inner = topic.write();
        inner.config = Arc::new(overrides.over(&self.defaults));
        inner.overrides = overrides;
        Ok(())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Arc<Topic>>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner)
    }
}
