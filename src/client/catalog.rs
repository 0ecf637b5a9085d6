//! What exists in the database, read in two queries whatever the project's size.

use std::collections::{BTreeMap, BTreeSet};

use rwt_compiler::materialize::{DatabaseError, ExistingRelation};

use super::Connection;

/// An object of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogEntry {
    /// RisingWave's id; a dependency names it.
    pub id: String,
    /// Its name, schema and kind.
    pub relation: ExistingRelation,
}

/// Relations, connections and secrets by schema and name, with what hangs on what.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    entries: BTreeMap<(String, String), CatalogEntry>,
    /// id → ids of what reads it.
    dependents: BTreeMap<String, BTreeSet<String>>,
}

const OBJECTS: &str = "\
select s.name, r.name, r.relation_type, r.id \
from rw_catalog.rw_relations r join rw_catalog.rw_schemas s on r.schema_id = s.id \
where s.name not in ('rw_catalog', 'pg_catalog', 'information_schema') \
union all \
select s.name, c.name, 'connection', c.id \
from rw_catalog.rw_connections c join rw_catalog.rw_schemas s on c.schema_id = s.id \
union all \
select s.name, k.name, 'secret', k.id \
from rw_catalog.rw_secrets k join rw_catalog.rw_schemas s on k.schema_id = s.id";

const DEPENDENCIES: &str = "select objid, refobjid from rw_catalog.rw_depend";

impl Catalog {
    /// Reads the catalog. RisingWave's hidden `__iceberg_*` helpers of engine tables are left out.
    ///
    /// # Errors
    /// What the server refused.
    pub fn load(connection: &Connection, database: &str) -> Result<Self, DatabaseError> {
        let mut catalog = Self::default();
        for row in connection.query(OBJECTS)?.rows {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || cells.next().unwrap_or_default();
            let (schema, identifier, kind, id) = (next(), next(), next(), next());
            if identifier.starts_with("__iceberg_") {
                continue;
            }
            catalog.insert(
                ExistingRelation {
                    database: database.to_owned(),
                    schema,
                    identifier,
                    kind: kind.replace(' ', "_"),
                },
                id,
            );
        }
        for row in connection.query(DEPENDENCIES)?.rows {
            if let [Some(reader), Some(read)] = row.as_slice() {
                catalog
                    .dependents
                    .entry(read.clone())
                    .or_default()
                    .insert(reader.clone());
            }
        }
        Ok(catalog)
    }

    /// The object of this name.
    pub fn get(&self, schema: &str, identifier: &str) -> Option<&CatalogEntry> {
        self.entries
            .get(&(schema.to_owned(), identifier.to_owned()))
    }

    /// Notes that an object was created.
    pub fn insert(&mut self, relation: ExistingRelation, id: String) {
        let key = (relation.schema.clone(), relation.identifier.clone());
        self.entries.insert(key, CatalogEntry { id, relation });
    }

    /// Notes that an object was dropped.
    pub fn remove(&mut self, schema: &str, identifier: &str) {
        self.entries
            .remove(&(schema.to_owned(), identifier.to_owned()));
    }

    /// Objects that read this one directly. Hidden helpers and the reverse edge by which RisingWave lets the target of
    /// a sink INTO depend on the sink are left out.
    pub fn dependents(&self, entry: &CatalogEntry) -> Vec<&CatalogEntry> {
        let readers = self.dependents.get(&entry.id);
        let is_sink = entry.relation.kind == "sink";
        self.entries
            .values()
            .filter(|other| readers.is_some_and(|ids| ids.contains(&other.id)))
            .filter(|other| !(is_sink && other.relation.kind == "table"))
            .filter(|other| other.relation.kind != "index")
            .collect()
    }

    /// Sinks that write into this table; dropping the table drops them silently.
    pub fn sinks_into(&self, entry: &CatalogEntry) -> Vec<&CatalogEntry> {
        self.entries
            .values()
            .filter(|other| other.relation.kind == "sink")
            .filter(|sink| {
                let targets = self.dependents.get(&sink.id);
                targets.is_some_and(|ids| ids.contains(&entry.id))
            })
            .collect()
    }
}
