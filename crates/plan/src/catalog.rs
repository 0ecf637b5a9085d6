//! What exists in the database, as the executor reads it: objects by id, what hangs on what, indexes, rights, jobs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::name::{Kind, RelationName};
use crate::version::ServerVersion;

/// RisingWave's id of an object. A swap or a rename leaves it; only dropping and creating gives a new one.
pub type ObjectId = u64;

/// The database at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogSnapshot {
    /// The server.
    pub server: Server,
    /// Who is connected, and so owns what is created.
    pub user: String,
    /// Schemas that exist.
    pub schemas: BTreeSet<String>,
    /// Tables, sources, views, materialized views, sinks, subscriptions, connections, secrets and, where the executor
    /// reads them, functions, by id. Hidden `__iceberg_*` objects are among them; indexes are not.
    pub objects: BTreeMap<ObjectId, CatalogObject>,
    /// `rw_depend`: (what depends, what it depends on). Edges to and from indexes and hidden objects may be among them.
    pub dependencies: BTreeSet<(ObjectId, ObjectId)>,
    /// Indexes, by id.
    pub indexes: BTreeMap<ObjectId, CatalogIndex>,
    /// Creations that go on: `rw_ddl_progress`.
    pub jobs: Vec<Job>,
}

/// The server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its RisingWave version.
    pub version: ServerVersion,
    /// RisingWave, or the embedded engine.
    pub kind: ServerKind,
}

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ServerKind {
    Risingwave,
    Embedded,
}

/// An object of the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogObject {
    /// Its schema and name now.
    pub relation: RelationName,
    /// What it is.
    pub kind: Kind,
    /// Its owner's name.
    pub owner: String,
    /// Its definition as the server shows it, which rewrites names as objects are swapped.
    pub definition: Option<String>,
    /// It is still being built, so that nobody can read it.
    pub creating: bool,
    /// Its columns in order, hidden ones left out; empty for what has none, such as a connection.
    pub columns: Vec<CatalogColumn>,
    /// Rights as the server writes them: `alice=r/root`.
    pub acl: Vec<String>,
    /// The table that a sink INTO writes to.
    pub sink_into: Option<ObjectId>,
}

/// A column as the catalog shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogColumn {
    /// Its name.
    pub name: String,
    /// Its type in the server's words.
    pub data_type: String,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogIndex {
    /// Its schema and name.
    pub relation: RelationName,
    /// The table or materialized view that it is on.
    pub on: ObjectId,
    /// Its definition as the server shows it.
    pub definition: Option<String>,
}

/// A creation that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, which `CANCEL JOBS` takes; the object's id as well.
    pub id: ObjectId,
    /// The statement.
    pub statement: String,
    /// `2.00%`, `6133 rows consumed`, …
    pub progress: String,
    /// It goes on without the client that began it.
    pub background: bool,
}

impl CatalogSnapshot {
    /// A database without objects, whose schema `public` exists.
    pub fn empty(server: Server, user: &str) -> Self {
        Self {
            server,
            user: user.to_owned(),
            schemas: BTreeSet::from(["public".to_owned()]),
            objects: BTreeMap::new(),
            dependencies: BTreeSet::new(),
            indexes: BTreeMap::new(),
            jobs: Vec::new(),
        }
    }

    /// The object that has this name among those that share names with `kind`. It looks through all of them: for many
    /// lookups, build a map.
    pub fn find(&self, relation: &RelationName, kind: Kind) -> Option<(ObjectId, &CatalogObject)> {
        self.objects
            .iter()
            .find(|(_, object)| {
                object.relation == *relation && object.kind.namespace() == kind.namespace()
            })
            .map(|(id, object)| (*id, object))
    }

    /// The index of this name.
    pub fn find_index(&self, relation: &RelationName) -> Option<(ObjectId, &CatalogIndex)> {
        self.indexes
            .iter()
            .find(|(_, index)| index.relation == *relation)
            .map(|(id, index)| (*id, index))
    }

    /// What keeps an object from being dropped: what reads it, itself or by one of its indexes, and nothing else. Left
    /// out are indexes, which go with it, hidden helpers, and the edge by which the target of a sink INTO depends on the
    /// sink.
    pub fn dependents(&self, id: ObjectId) -> BTreeSet<ObjectId> {
        let is_its_index = |on: &ObjectId| self.indexes.get(on).is_some_and(|i| i.on == id);
        let readers = self
            .dependencies
            .iter()
            .filter(|(_, on)| *on == id || is_its_index(on));
        readers
            .map(|(reader, _)| *reader)
            .filter(|reader| *reader != id)
            .filter(|reader| {
                self.objects.get(reader).is_some_and(|object| {
                    let is_target = self
                        .objects
                        .get(&id)
                        .is_some_and(|sink| sink.sink_into == Some(*reader));
                    !object.relation.is_hidden() && !is_target
                })
            })
            .collect()
    }
}
