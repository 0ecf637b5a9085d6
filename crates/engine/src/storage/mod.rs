//! Rows and how they survive: tables in memory ([`TableData`]), the state as a whole ([`State`]) and the log on disk
//! ([`Store`]).
//!
//! Every checkpoint that changes something is one record of the log: catalog, rows, deleted row ids, source positions
//! and lake commits stand or fall together. A data directory holds `LOCK`, a snapshot `<n>.snap` and the logs `<n>.log`
//! from the snapshot's number on. Recovery reads the newest complete snapshot, then the logs; bytes behind the last
//! complete record of the last log are a write that was cut off, and are put aside in a file of their own.

mod encode;
mod file;
mod key;
mod state;
mod store;
mod table;

use std::path::PathBuf;

use thiserror::Error;

pub use key::KeyIndex;
pub use state::{Change, LakeProgress, OpenCommit, Problem, SourceProgress, State, stored_schema};
pub use store::Store;
pub use table::TableData;

/// Why the state cannot be read or written. Nothing on disk is changed by a refusal.
#[derive(Debug, Error)]
pub enum StorageError {
    /// Another process has the data directory.
    #[error(
        "the data directory {0} is in use by another process; stop that one first, or choose another directory"
    )]
    InUse(PathBuf),
    /// The files were written by a newer rwt.
    #[error(
        "{path} has format {found}, and this rwt reads formats up to {known}; use the rwt that wrote it, or a newer one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known format.
        known: u32,
    },
    /// A file is not ours, or a record in its middle is damaged.
    #[error(
        "{path} is damaged at byte {offset}: {reason}; nothing was changed. Restore the file from a copy, or move the data directory away to begin anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The operating system refused.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// A record does not fit the state it is applied to.
    #[error("a change to the unknown table {0}")]
    UnknownTable(u32),
    /// A record cannot be written or read.
    #[error("encoding: {0}")]
    Encoding(String),
    /// Rows cannot be worked on.
    #[error("rows: {0}")]
    Rows(#[from] arrow::error::ArrowError),
}
