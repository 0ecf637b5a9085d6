//! What all connections of a broker share.

use std::fs::{File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use crate::config::Config;
use crate::error::BrokerError;
use crate::files;
use crate::group::Groups;
use crate::topics::Topics;

/// The id of the only node.
pub const NODE_ID: i32 = 1;
/// Producer ids taken from the disk at a time.
const PRODUCER_IDS: i64 = 1_000;
const IDENTITY_FILE: &str = "broker.json";

/// The state of a running broker.
#[derive(Debug)]
pub struct Node {
    /// The caller's settings.
    pub config: Config,
    /// Identity of the cluster, made at the first start.
    pub cluster_id: String,
    /// Host that clients are told.
    pub host: String,
    /// Port that clients are told.
    pub port: u16,
    /// Topics and their logs.
    pub topics: Topics,
    /// Consumer groups.
    pub groups: Groups,
    /// Counts appends; waiting fetches look again when it moves.
    pub appends: watch::Sender<u64>,
    /// Turns true when the broker stops.
    pub stopping: watch::Sender<bool>,
    /// Bytes of large requests that may be in memory at a time.
    pub request_memory: Semaphore,
    identity_path: PathBuf,
    producer_ids: Mutex<ProducerIds>,
    /// Locked as long as the broker lives.
    _lock: File,
}

#[derive(Debug)]
struct ProducerIds {
    next: i64,
    /// Ids below this one are reserved on disk.
    reserved: i64,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    cluster_id: String,
    /// No id from here on was ever handed out.
    next_producer_id: i64,
}

impl Node {
    /// Opens the data directory.
    pub fn open(config: Config, bound: SocketAddr) -> Result<Self, BrokerError> {
        let dir = config.data_dir.clone();
        std::fs::create_dir_all(&dir).map_err(BrokerError::storage(&dir))?;
        let lock = lock(&dir)?;
        let identity_path = dir.join(IDENTITY_FILE);
        let identity: Option<Identity> =
            files::read_json(&identity_path).map_err(BrokerError::storage(&identity_path))?;
        let topics = Topics::open(&dir, config.topic_defaults.clone(), config.max_partitions)?;
        let groups = Groups::open(&dir.join("groups"), &config)
            .map_err(BrokerError::storage(dir.join("groups")))?;
        let partitions = topics
            .all()
            .into_iter()
            .flat_map(|topic| topic.partitions());
        let seen = partitions
            .filter_map(|partition| partition.log().largest_producer_id())
            .max();
        let identity = identity.unwrap_or_else(|| Identity {
            cluster_id: Uuid::new_v4().simple().to_string(),
            next_producer_id: 0,
        });
        let next = identity
            .next_producer_id
            .max(seen.map_or(0, |seen| seen.saturating_add(1)));
        let node = Self {
            host: config
                .advertised_host
                .clone()
                .unwrap_or_else(|| reachable(bound)),
            port: config.advertised_port.unwrap_or(bound.port()),
            cluster_id: identity.cluster_id,
            topics,
            groups,
            appends: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
            request_memory: Semaphore::new(
                config
                    .max_request_bytes
                    .saturating_mul(2)
                    .min(Semaphore::MAX_PERMITS),
            ),
            producer_ids: Mutex::new(ProducerIds {
                next,
                reserved: next,
            }),
            identity_path,
            _lock: lock,
            config,
        };
        node.save_identity(next)
            .map_err(BrokerError::storage(&node.identity_path))?;
        Ok(node)
    }

    /// Waits until the broker stops.
    pub async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as the node, so this ends only when it turns true.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }

    /// A producer id that nobody has had.
    pub fn new_producer_id(&self) -> io::Result<i64> {
        let mut ids = self
            .producer_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if ids.next >= ids.reserved {
            let reserved = ids
                .next
                .checked_add(PRODUCER_IDS)
                .ok_or(io::ErrorKind::Other)?;
            self.save_identity(reserved)?;
            ids.reserved = reserved;
        }
        ids.next += 1;
        Ok(ids.next - 1)
    }

    fn save_identity(&self, next_producer_id: i64) -> io::Result<()> {
        files::write_json(
            &self.identity_path,
            &Identity {
                cluster_id: self.cluster_id.clone(),
                next_producer_id,
            },
        )
    }

    /// Brings everything written so far to disk. Blocks.
    pub fn flush(&self) {
        for topic in self.topics.all() {
            for (index, partition) in topic.partitions().into_iter().enumerate() {
                let pending = partition.log().take_unflushed();
                if let Some(Err(error)) = pending.map(|pending| pending.run()) {
                    partition.log().flush_failed();
                    tracing::error!(topic = topic.name, partition = index, %error, "cannot bring records to disk");
                }
            }
        }
        if let Err(error) = self.groups.flush() {
            tracing::error!(%error, "cannot bring group offsets to disk");
        }
    }

    /// Deletes segments that the topics' retention settings give up, and forgets silent producers. Blocks.
    pub fn retain(&self, now_ms: i64) {
        for topic in self.topics.all() {
            let config = topic.config();
            for (index, partition) in topic.partitions().into_iter().enumerate() {
                let mut log = partition.log();
                log.expire_producers(now_ms);
                if let Err(error) = log.retain(now_ms, config.retention_ms, config.retention_bytes)
                {
                    tracing::error!(topic = topic.name, partition = index, %error, "cannot delete old segments");
                }
            }
        }
    }
}

/// The host of a bound address as a client on this machine can use it.
fn reachable(bound: SocketAddr) -> String {
    if bound.ip().is_unspecified() {
        "localhost".to_owned()
    } else {
        bound.ip().to_string()
    }
}

fn lock(dir: &Path) -> Result<File, BrokerError> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(BrokerError::storage(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BrokerError::DirectoryInUse {
            path: dir.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(BrokerError::Storage { path, source }),
    }
}
