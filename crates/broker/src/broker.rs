//! The running broker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clock::now_ms;
use crate::config::{Config, Overrides};
use crate::error::BrokerError;
use crate::node::Node;
use crate::server::connection;

/// A broker that serves clients until it is shut down. Dropping it stops it too, without waiting and without bringing the last
/// moments to disk; nothing that was acknowledged is lost by that, unless the machine crashes.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    local_addr: SocketAddr,
    tasks: JoinSet<()>,
}

/// What a topic holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicStatus {
    /// Its name.
    pub name: String,
    /// Its partitions in order.
    pub partitions: Vec<PartitionStatus>,
}

/// What a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionStatus {
    /// First offset that can be read.
    pub low_watermark: i64,
    /// Offset that the next record gets.
    pub high_watermark: i64,
    /// Bytes on disk.
    pub bytes: u64,
}

impl TopicStatus {
    /// Number of records in all partitions.
    pub fn records(&self) -> u64 {
        let records = |partition: &PartitionStatus| {
            partition.high_watermark.abs_diff(partition.low_watermark)
        };
        self.partitions.iter().map(records).sum()
    }

    /// Bytes of all partitions.
    pub fn bytes(&self) -> u64 {
        self.partitions
            .iter()
            .map(|partition| partition.bytes)
            .sum()
    }
}

impl Broker {
    /// Opens the data directory, repairs what a crash left behind, and listens. Needs a Tokio runtime with I/O and time.
    pub async fn start(config: Config) -> Result<Self, BrokerError> {
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => BrokerError::AddressInUse { address },
                _ => BrokerError::Listen { address, source },
            })?;
        let local_addr = listener
            .local_addr()
            .map_err(|source| BrokerError::Listen { address, source })?;
        let opened = tokio::task::spawn_blocking(move || Node::open(config, local_addr)).await;
        let node = opened.map_err(|failed| BrokerError::Listen {
            address,
            source: io::Error::other(failed),
        })??;
        let node = Arc::new(node);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(node.clone(), listener));
        tasks.spawn(flush_regularly(node.clone()));
        tasks.spawn(retain_regularly(node.clone()));
        tasks.spawn({
            let node = node.clone();
            async move {
                tokio::select! {
                    () = node.groups.keep_time() => {}
                    () = node.stopped() => {}
                }
            }
        });
        tracing::info!(%local_addr, data_dir = %node.config.data_dir.display(), topics = node.topics.all().len(), "broker started");
        Ok(Self {
            node,
            local_addr,
            tasks,
        })
    }

    /// Address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// `host:port` that clients are told to connect to.
    pub fn advertised(&self) -> String {
        let (host, port) = (&self.node.host, self.node.port);
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    /// Creates a topic. [`BrokerError::TopicExists`] if there is one of this name.
    pub async fn create_topic(&self, name: &str, partitions: i32) -> Result<(), BrokerError> {
        self.create_topic_with(name, partitions, Overrides::default())
            .await
    }

    /// Creates a topic with settings of its own.
    pub async fn create_topic_with(
        &self,
        name: &str,
        partitions: i32,
        settings: Overrides,
    ) -> Result<(), BrokerError> {
        let (node, name) = (self.node.clone(), name.to_owned());
        let created = tokio::task::spawn_blocking(move || {
            node.topics.create(&name, partitions, settings).map(drop)
        });
        created.await.unwrap_or_else(|failed| {
            let path = self.node.config.data_dir.clone();
            Err(BrokerError::Storage {
                path,
                source: io::Error::other(failed),
            })
        })
    }

    /// All topics by name, with their watermarks and sizes.
    pub fn topics(&self) -> Vec<TopicStatus> {
        let status = |topic: &crate::topics::Topic| TopicStatus {
            name: topic.name.clone(),
            partitions: topic
                .partitions()
                .iter()
                .map(|partition| {
                    let log = partition.log();
                    PartitionStatus {
                        low_watermark: log.start_offset(),
                        high_watermark: log.end_offset(),
                        bytes: log.bytes(),
                    }
                })
                .collect(),
        };
        self.node
            .topics
            .all()
            .iter()
            .map(|topic| status(topic))
            .collect()
    }

    /// Stops serving, and brings everything to disk. The address and the data directory are free when it returns.
    pub async fn shutdown(mut self) {
        self.node.stopping.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        let node = self.node.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || node.flush()).await {
            tracing::error!(%error, "the last flush failed");
        }
        tracing::info!(local_addr = %self.local_addr, "broker stopped");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.node.stopping.send_replace(true);
    }
}

async fn accept(node: Arc<Node>, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(
        node.config.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    // Connections end with this task: dropping the set stops them.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = node.stopped() => break,
        };
        let (stream, address): (TcpStream, SocketAddr) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: accepting again at once would only burn time.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            tracing::warn!(%address, limit = node.config.max_connections, "too many connections; closed");
            continue;
        };
        let node = node.clone();
        connections.spawn(async move {
            connection::serve(node, stream, address).await;
            drop(slot);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn flush_regularly(node: Arc<Node>) {
    while pause(&node, node.config.flush_interval).await {
        let node = node.clone();
        let _ = tokio::task::spawn_blocking(move || node.flush()).await;
    }
}

async fn retain_regularly(node: Arc<Node>) {
    while pause(&node, node.config.retention_interval).await {
        let node = node.clone();
        let _ = tokio::task::spawn_blocking(move || node.retain(now_ms())).await;
    }
}

/// Waits; false if the broker stops meanwhile.
async fn pause(node: &Node, interval: std::time::Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(interval) => true,
        () = node.stopped() => false,
    }
}
