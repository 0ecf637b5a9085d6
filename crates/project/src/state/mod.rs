//! What a project was: a saved `manifest.json` ([`Snapshot`]), what has changed since ([`Changes`]), and what selectors
//! like `state:modified` and `result:error` look at ([`Past`]). The manifest may be rwt's or dbt's.

mod changes;
mod past;
mod snapshot;

pub use changes::{Change, Changes, changes};
pub(crate) use past::STATES;
pub use past::{Needs, Past, PastError};
pub use snapshot::{Checksum, Contract, Snapshot, SnapshotColumn, SnapshotMacro, SnapshotNode};
