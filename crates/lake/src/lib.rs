//! The embedded Iceberg lake: a SQLite catalog named `rwt` over a folder of Parquet files.
//!
//! ```text
//! <dir>/catalog.db                         SQLite, write-ahead log; the catalog that PyIceberg opens as SqlCatalog('rwt')
//! <dir>/lake.lock                          held by the one process that writes
//! <dir>/warehouse/<schema>/<table>/data      Parquet, one or more files per append
//! <dir>/warehouse/<schema>/<table>/metadata  Iceberg metadata, format version 2
//! ```
//!
//! [`Lake::open`] makes or opens a lake to write to it and removes what a killed append left behind; [`Lake::open_read_only`]
//! opens it beside the writer. [`Lake::append`] commits rows once per commit id, so that a caller that is not sure whether its
//! last append arrived simply repeats it. [`Lake::scan`] keeps the rows that it read, and after an append reads the new files only.
//!
//! Rows can only be added: iceberg 0.10 has no commit for overwrite, delete or upsert (its only data action is `fast_append`),
//! so [`Lake::change_unsupported`] is the error for them. Every path inside Iceberg's metadata is absolute: a lake that was moved
//! to another folder is refused with [`LakeError::Moved`].

mod append;
mod cleanup;
mod columns;
mod error;
mod files;
mod interval;
mod scan;
mod store;
mod tables;

pub use append::AppendOutcome;
pub use error::LakeError;
pub use scan::TableScan;
pub use store::Lake;
pub use tables::{TableName, TableStats};
