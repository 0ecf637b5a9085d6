//! Relations by name, kept up to date while materializations run.

use std::collections::{BTreeMap, HashMap};

use rwt_compiler::materialize::ExistingRelation;
use rwt_plan::catalog::ObjectId;
use rwt_plan::{CatalogSnapshot, Kind, RelationName};

/// The ids of a snapshot's objects by namespace and name.
pub fn ids(snapshot: &CatalogSnapshot) -> HashMap<(Kind, &RelationName), ObjectId> {
    let objects = snapshot.objects.iter();
    objects
        .map(|(id, object)| ((object.kind.namespace(), &object.relation), *id))
        .collect()
}

/// Which relations, connections and secrets exist, by schema and name.
#[derive(Debug, Clone, Default)]
pub struct Names {
    relations: BTreeMap<(String, String), ExistingRelation>,
}

impl Names {
    /// Those of a snapshot, without the hidden helpers of engine tables. Objects that are still being built are among
    /// them: their names are taken.
    pub fn of(snapshot: &CatalogSnapshot, database: &str) -> Self {
        let shown = snapshot
            .objects
            .values()
            .filter(|object| !object.relation.is_hidden());
        let mut names = Self::default();
        for object in shown {
            names.insert(ExistingRelation {
                database: database.to_owned(),
                schema: object.relation.schema.clone(),
                identifier: object.relation.name.clone(),
                kind: object.kind.to_string().replace(' ', "_"),
            });
        }
        names
    }

    /// The object of this name.
    pub fn get(&self, schema: &str, identifier: &str) -> Option<&ExistingRelation> {
        self.relations
            .get(&(schema.to_owned(), identifier.to_owned()))
    }

    /// Notes that an object was created.
    pub fn insert(&mut self, relation: ExistingRelation) {
        let key = (relation.schema.clone(), relation.identifier.clone());
        self.relations.insert(key, relation);
    }

    /// Notes that an object was dropped.
    pub fn remove(&mut self, schema: &str, identifier: &str) {
        self.relations
            .remove(&(schema.to_owned(), identifier.to_owned()));
    }
}
