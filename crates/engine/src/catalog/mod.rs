//! The catalog: which objects exist, what they read, and how their names change.
//!
//! A [`Catalog`] is a value. A statement that changes it works on a copy; the copy replaces the original in the same
//! log record as the rows that belong to the change. Objects refer to one another by id, so that a rename or a swap
//! changes names and shown definitions only: dependents go on reading the object that they were built on
//! (`golden/facts.md` 35).

mod change;
mod definition;
mod names;
mod object;
mod remove;
mod rewrite;
mod secrets;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use change::kind_of;
pub(crate) use definition::format_text;
pub use definition::{Definition, Part, ident, options_text};
pub use names::SearchPath;
pub(crate) use names::invalid_input;
pub use object::{
    Avro, Body, Column, Connection, Function, Index, Kind, LakeTable, MaterializedView,
    MessageFormat, Messages, Object, ObjectId, OnConflict, Origin, Secret, Sink, SinkFrom,
    SinkMode, Source, Subscription, Table, Temporal, View, Watermark,
};
pub use rewrite::{BY_ID, columns_read, references, resolve};

/// A schema.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Schema {
    /// Its number.
    pub id: ObjectId,
    /// Its name.
    pub name: String,
    /// The user who owns it.
    pub owner: u32,
}

/// A user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// May do everything.
    pub superuser: bool,
    /// May log in.
    pub login: bool,
    /// May create databases.
    pub create_db: bool,
}

/// A privilege that was given to a user on an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The object.
    pub object: ObjectId,
    /// The user who has it.
    pub user: u32,
    /// Letters of PostgreSQL's access lists, in the order in which they are shown.
    pub letters: String,
}

/// A privilege that a user gets on what another one makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultGrant {
    /// Who makes it.
    pub owner: u32,
    /// Where; `None` for everywhere.
    pub schema: Option<ObjectId>,
    /// What: `table`, `view`, `schema`, …
    pub class: String,
    /// The user who gets it.
    pub user: u32,
    /// As in [`Grant`].
    pub letters: String,
}

/// Everything with a name, and the system's parameters.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Catalog {
    /// The next free number.
    pub next_id: ObjectId,
    /// Schemas that users made, and `public`.
    pub schemas: BTreeMap<ObjectId, Schema>,
    /// Further databases: only their names exist.
    pub databases: Vec<(ObjectId, String)>,
    /// All objects by id.
    pub objects: BTreeMap<ObjectId, Object>,
    /// Users by id.
    pub users: BTreeMap<u32, User>,
    /// Privileges beyond those of owners and superusers.
    pub grants: Vec<Grant>,
    /// Privileges on what is made later.
    #[serde(default)]
    pub default_grants: Vec<DefaultGrant>,
    /// Parameters of ALTER SYSTEM that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Tells this data directory's lake commits from those of others.
    pub engine_id: String,
    /// Dropped tables that may still be in the lake: namespace and name.
    pub lake_drops: Vec<(String, String)>,
}

/// The database that exists from the start.
pub const DATABASE: &str = "dev";

/// Schemas that hold the system tables.
pub const SYSTEM_SCHEMAS: [&str; 4] = [
    "information_schema",
    "pg_catalog",
    "rw_catalog",
    "rwt_engine",
];

impl Default for Catalog {
    fn default() -> Self {
        let user = |id, name: &str| {
            let user = User {
                id,
                name: name.into(),
                superuser: true,
                login: true,
                create_db: true,
            };
            (id, user)
        };
        let public = Schema {
            id: 2,
            name: "public".into(),
            owner: 1,
        };
        Self {
            next_id: 6,
            schemas: BTreeMap::from([(2, public)]),
            databases: vec![(1, DATABASE.into())],
            objects: BTreeMap::new(),
            users: BTreeMap::from([user(1, "root"), user(2, "postgres"), user(3, "rwadmin")]),
            grants: Vec::new(),
            default_grants: Vec::new(),
            parameters: BTreeMap::new(),
            engine_id: String::new(),
            lake_drops: Vec::new(),
        }
    }
}

impl Catalog {
    /// A number that was never used.
    pub fn take_id(&mut self) -> ObjectId {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// The letters of a user's privileges on an object.
    pub fn granted(&self, object: ObjectId, user: u32) -> String {
        let mut grants = self.grants.iter();
        let found = grants.find(|g| g.object == object && g.user == user);
        found.map_or_else(String::new, |g| g.letters.clone())
    }

    /// Sets the letters of a user's privileges on an object.
    pub fn set_granted(&mut self, object: ObjectId, user: u32, letters: String) {
        let mut grants = self.grants.iter_mut();
        match grants.find(|g| g.object == object && g.user == user) {
            Some(grant) => grant.letters = letters,
            None => self.grants.push(Grant {
                object,
                user,
                letters,
            }),
        }
        self.grants.retain(|g| !g.letters.is_empty());
    }

    /// Gives the privileges that users get on what this owner makes.
    pub fn grant_defaults(
        &mut self,
        object: ObjectId,
        owner: u32,
        schema: Option<ObjectId>,
        class: &str,
    ) {
        let fits = |g: &&DefaultGrant| {
            g.owner == owner && g.class == class && g.schema.is_none_or(|s| Some(s) == schema)
        };
        let found: Vec<DefaultGrant> = self.default_grants.iter().filter(fits).cloned().collect();
        for grant in found {
            self.set_granted(object, grant.user, grant.letters);
        }
    }

    /// An object by its number.
    pub fn get(&self, id: ObjectId) -> Option<&Object> {
        self.objects.get(&id)
    }

    /// The schema of this name.
    pub fn schema(&self, name: &str) -> Option<&Schema> {
        self.schemas.values().find(|s| s.name == name)
    }

    /// The name of a schema.
    pub fn schema_name(&self, id: ObjectId) -> &str {
        self.schemas.get(&id).map_or("?", |s| s.name.as_str())
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.values().find(|u| u.name == name)
    }

    /// The relation (table, view, sink, index, …) of this name in a schema.
    pub fn relation(&self, schema: ObjectId, name: &str) -> Option<&Object> {
        self.objects
            .values()
            .find(|o| o.schema == schema && o.kind().is_relation() && o.name == name)
    }

    /// The object of this kind and name in a schema.
    pub fn object(&self, schema: ObjectId, kind: Kind, name: &str) -> Option<&Object> {
        self.objects
            .values()
            .find(|o| o.schema == schema && o.kind() == kind && o.name == name)
    }

    /// All objects of a kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.values().filter(move |o| o.kind() == kind)
    }

    /// The sinks that write into a table.
    pub fn sinks_into(&self, table: ObjectId) -> impl Iterator<Item = &Object> {
        self.objects.values().filter(move |o| {
            o.sink()
                .is_some_and(|s| s.into.as_ref().is_some_and(|(id, _)| *id == table))
        })
    }

    /// The indexes of a relation.
    pub fn indexes_of(&self, table: ObjectId) -> impl Iterator<Item = &Object> {
        self.objects
            .values()
            .filter(move |o| matches!(&o.body, Body::Index(i) if i.table == table))
    }

    /// `schema.name`
    pub fn qualified(&self, object: &Object) -> String {
        format!("{}.{}", self.schema_name(object.schema), object.name)
    }

    /// The stored relations (tables and sources) that an object reads, through views and materialized views.
    pub fn inputs(&self, id: ObjectId) -> Vec<ObjectId> {
        let mut inputs = Vec::new();
        let mut seen = vec![id];
        let mut open = self
            .get(id)
            .map(|o| o.depends_on.clone())
            .unwrap_or_default();
        while let Some(next) = open.pop() {
            if seen.contains(&next) {
                continue;
            }
            seen.push(next);
            let Some(object) = self.get(next) else {
                continue;
            };
            if object.is_stored() {
                inputs.push(next);
            } else {
                open.extend(&object.depends_on);
            }
        }
        inputs.sort_unstable();
        inputs
    }
}
