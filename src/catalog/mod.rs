//! What exists in the database: one snapshot in six queries whatever the project's size ([`read`]), and the names of
//! relations as a materialization that runs meanwhile changes them ([`Names`]). [`comments()`] is for documentation alone.
//!
//! Everything is read from `rw_catalog`, alike on RisingWave 2.8 and on the embedded engine. The schema `rwt`, which
//! holds rwt's own state, is no part of it.

mod comments;
mod names;
mod read;

pub use comments::{Comments, comments};
pub use names::{Names, ids};
pub use read::{QUERIES, STATE_SCHEMA, creating_jobs, read, source_lags};
