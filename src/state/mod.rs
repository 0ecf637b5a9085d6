//! What rwt remembers in the database itself, in the schema `rwt`, so that no file can be lost: the objects that it has
//! made, the deployments with their plans, the journal of their steps, and the lock.
//!
//! ```text
//! tables    the tables, their creation, their format
//! snapshot  the objects, as a plan needs them; their records
//! journal   deployments and their steps, written before and after
//! lock      one deployment at a time
//! ```
//!
//! RisingWave has no transactions. A write is one or more INSERTs, UPDATEs or DELETEs followed by FLUSH: it is durable
//! when FLUSH returns, and a crash in between leaves some of it. The order of writes is chosen so that every such
//! remainder is read as something that has happened: a journal's `begin` comes before the step and its `done` after it,
//! and objects are recorded after the steps that complete them. What a lost `done` leaves open, the catalog decides.

mod journal;
mod lock;
mod snapshot;
mod store;
mod tables;

pub(crate) use journal::now;
pub use journal::{Deployment, DeploymentStatus, Entry, Event, Journal, Unfinished};
pub use lock::{Held, Holder, Lock, LockError, Who};
pub use snapshot::ObjectChange;
pub use store::Store;
