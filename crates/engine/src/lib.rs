//! The embedded stand-in for RisingWave: objects, rows, sources, sinks and the lake behind the PostgreSQL wire.
//!
//! ```text
//! session  one client's statements: settings, DDL, DML, SHOW           ── rwt-wire, rwt-sql
//! reading  what a query reads at one moment                            ── rwt-query
//! system   rw_catalog, pg_catalog, information_schema, rwt_engine
//! stream   checkpoints, Kafka sources, sinks INTO tables, lake commits ── rdkafka, rwt-lake
//! storage  rows in memory, one log record per checkpoint, recovery
//! catalog  objects, names, dependencies, definitions
//! access   who may do what, for queries that ask
//! memory   the limit of what is held
//! results  what materialized views were computed to
//! ```
//!
//! It is made for development, tests and CI on one machine. On the SQL that it accepts it gives RisingWave's answers;
//! the rest it refuses with an error that names the statement.

mod access;
mod catalog;
mod engine;
mod memory;
mod reading;
mod results;
mod session;
mod status;
mod storage;
mod stream;
mod system;

pub use engine::{Config, Engine, EngineError};
pub use memory::default_memory_limit;
pub use status::{
    LakeTableStatus, MemoryStatus, PartitionStatus, SinkStatus, SourceStatus, Status, TableStatus,
    ViewStatus,
};
pub use storage::StorageError;
