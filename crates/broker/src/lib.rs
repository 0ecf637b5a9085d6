//! A Kafka broker of one node, to be run inside another process: for development, tests and continuous integration.
//!
//! ```text
//! broker     start, stop, timers           server   sockets → api functions, within limits
//! node       what connections share        api      one function per Kafka request
//! topics     names, settings, partitions   log      a partition: segments of raw record batches
//! group      consumer groups and offsets   config   settings of the broker and of topics
//! ```
//!
//! It speaks the Kafka protocol as brokers of the 4.x line do (record batches v2 only) and keeps what producers send as they sent
//! it, compressed or not. What it does not do: transactions (refused with an error code), compaction, replication,
//! authentication, the `consumer` rebalance protocol of KIP-848 (clients fall back to the classic one).
//!
//! # Durability
//!
//! A record is written to its file before it is acknowledged, whatever the producer's `acks`: the death of the process, `kill -9`
//! included, loses none of them. Files are brought to disk on a timer ([`Config::flush_interval`], one second) and at
//! [`Broker::shutdown`]: a crash of the machine can lose what was acknowledged since. Batches that an idempotent producer sends
//! again, even after the broker was restarted, are kept once.

mod api;
mod broker;
mod clock;
pub mod config;
mod error;
mod files;
mod group;
mod log;
mod node;
mod server;
mod topics;

pub use broker::{Broker, PartitionStatus, TopicStatus};
pub use config::{Config, Overrides, TopicConfig};
pub use error::BrokerError;
