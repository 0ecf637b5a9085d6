//! What rwt has put into the database, as it remembers it there: the schema `rwt`, read by the executor.

use std::collections::BTreeMap;

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::catalog::{CatalogColumn, ObjectId};
use crate::desired::Fingerprint;
use crate::name::{Kind, RelationName};

/// The format of the state that this rwt writes. A higher one belongs to a newer rwt and is refused.
pub const STATE_FORMAT: u32 = 1;

/// All of the state that a plan needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StateSnapshot {
    /// The format that the tables were written in; 0 where there is no state yet.
    pub format: u32,
    /// The version of the rwt that wrote last; empty where there is no state yet.
    pub rwt_version: String,
    /// Objects by unique id.
    pub objects: BTreeMap<String, StateObject>,
    /// Objects that a deployment has taken out of use and could not or was not to drop.
    pub leftovers: Vec<Leftover>,
}

/// An object as rwt has made or adopted it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateObject {
    /// The project whose node it is; objects of other projects are not this one's to drop.
    pub project: String,
    /// Its schema and name after the deployment.
    pub relation: RelationName,
    /// What it is.
    pub kind: Kind,
    /// Its id in the database; none for what has no id, such as what a macro did.
    pub object_id: Option<ObjectId>,
    /// Its columns after the deployment, so that a column that somebody else adds is seen.
    pub columns: Vec<CatalogColumn>,
    /// What it was made from, as hashes.
    pub fingerprint: Fingerprint,
    /// What it was made from, as text.
    pub definition: Definition,
    /// The deployment that made, changed or adopted it.
    pub deployment: String,
    /// When that was, RFC 3339.
    pub applied_at: String,
}

/// An object's statements as text, for differences. Secrets are hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The CREATE statement.
    pub create: String,
    /// Index statements by the index's name.
    pub indexes: BTreeMap<String, String>,
    /// GRANT statements.
    pub grants: Vec<String>,
    /// COMMENT statements.
    pub comments: Vec<String>,
    /// Settings that can be changed while the object lives (parallelism, rate limits), by name.
    pub tuning: BTreeMap<String, String>,
}

/// An object that was taken out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Its id.
    pub object_id: ObjectId,
    /// Its schema and name.
    pub relation: RelationName,
    /// What it is.
    pub kind: Kind,
    /// The deployment that took it out of use.
    pub deployment: String,
    /// It stays until a clean-up is asked for (`zero_downtime` without `immediate_cleanup`).
    pub keep: bool,
}

/// A state that cannot be planned with.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum StateError {
    /// A newer rwt wrote it.
    #[error(
        "the state in the database has format {found} and was written by rwt {written_by}; this rwt knows formats up to {known}"
    )]
    #[diagnostic(
        code(rwt::state::newer),
        help("use rwt {written_by} or newer; nothing has been read or changed")
    )]
    Newer {
        /// Its format.
        found: u32,
        /// The newest format that this rwt knows.
        known: u32,
        /// The version that wrote it.
        written_by: String,
    },
}

impl StateSnapshot {
    /// Whether this rwt may plan with it.
    ///
    /// # Errors
    /// A newer rwt wrote it.
    pub fn check(&self) -> Result<(), StateError> {
        if self.format > STATE_FORMAT {
            return Err(StateError::Newer {
                found: self.format,
                known: STATE_FORMAT,
                written_by: self.rwt_version.clone(),
            });
        }
        Ok(())
    }
}
