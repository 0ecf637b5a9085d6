//! What is known of the database, ready for many lookups.

use std::collections::{BTreeSet, HashMap};

use crate::catalog::{CatalogObject, CatalogSnapshot, ObjectId};
use crate::desired::Desired;
use crate::name::{Kind, RelationName};
use crate::plan::Options;
use crate::state::{StateObject, StateSnapshot};

/// The arguments of a plan, and where to find what in them.
pub(crate) struct Known<'a> {
    pub desired: &'a Desired,
    pub state: &'a StateSnapshot,
    pub catalog: &'a CatalogSnapshot,
    pub options: &'a Options,
    names: HashMap<(&'a RelationName, Kind), ObjectId>,
    /// What hangs on an object, indexes and hidden helpers left out.
    readers: HashMap<ObjectId, BTreeSet<ObjectId>>,
    /// Sinks that write into a table, hidden ones left out.
    writers: HashMap<ObjectId, BTreeSet<ObjectId>>,
    /// What an object hangs on; a hidden helper stands for its table, an index for what it is on.
    reads: HashMap<ObjectId, BTreeSet<ObjectId>>,
    indexes: HashMap<ObjectId, Vec<ObjectId>>,
    owners: HashMap<ObjectId, &'a str>,
}

impl<'a> Known<'a> {
    pub fn new(
        desired: &'a Desired,
        state: &'a StateSnapshot,
        catalog: &'a CatalogSnapshot,
        options: &'a Options,
    ) -> Self {
        let names: HashMap<(&RelationName, Kind), ObjectId> = catalog
            .objects
            .iter()
            .map(|(id, object)| ((&object.relation, object.kind.namespace()), *id))
            .collect();
        let helpers = helpers(catalog, &names);
        let mut known = Self {
            desired,
            state,
            catalog,
            options,
            names,
            readers: HashMap::new(),
            writers: HashMap::new(),
            reads: HashMap::new(),
            indexes: HashMap::new(),
            owners: HashMap::new(),
        };
        known.edges(&helpers);
        for (id, object) in &catalog.objects {
            if let Some(target) = object.sink_into.filter(|_| !object.relation.is_hidden()) {
                known.writers.entry(target).or_default().insert(*id);
            }
        }
        for (id, index) in &catalog.indexes {
            known.indexes.entry(index.on).or_default().push(*id);
        }
        for (unique_id, object) in &state.objects {
            if let Some(id) = object.object_id {
                known.owners.insert(id, unique_id);
            }
        }
        known
    }

    fn edges(&mut self, helpers: &HashMap<ObjectId, ObjectId>) {
        for (reader, read) in &self.catalog.dependencies {
            let Some(object) = self.catalog.objects.get(reader) else {
                continue;
            };
            // RisingWave may plan a view on an index of what it reads, and then shows the index alone.
            let index = self.catalog.indexes.get(read).map(|index| index.on);
            let read = index
                .or_else(|| helpers.get(read).copied())
                .unwrap_or(*read);
            let is_target = self
                .catalog
                .objects
                .get(&read)
                .is_some_and(|sink| sink.sink_into == Some(*reader));
            if object.relation.is_hidden() || read == *reader || is_target {
                continue;
            }
            self.readers.entry(read).or_default().insert(*reader);
            self.reads.entry(*reader).or_default().insert(read);
        }
    }

    /// The object of this name in the kind's namespace.
    pub fn find(
        &self,
        relation: &RelationName,
        kind: Kind,
    ) -> Option<(ObjectId, &'a CatalogObject)> {
        let id = *self.names.get(&(relation, kind.namespace()))?;
        Some((id, self.catalog.objects.get(&id)?))
    }

    /// What hangs on an object: what reads it, and the sinks that write into it, which RisingWave drops with it without
    /// a word.
    pub fn readers(&self, id: ObjectId) -> impl Iterator<Item = ObjectId> {
        let readers = self.readers.get(&id).into_iter().flatten();
        let writers = self.writers.get(&id).into_iter().flatten();
        readers.chain(writers).copied()
    }

    /// Whether an object hangs on another one; none where the catalog shows nothing that it hangs on.
    pub fn hangs_on(&self, id: ObjectId, other: ObjectId) -> Option<bool> {
        self.reads.get(&id).map(|reads| reads.contains(&other))
    }

    /// What an object hangs on.
    pub fn reads(&self, id: ObjectId) -> impl Iterator<Item = ObjectId> {
        self.reads.get(&id).into_iter().flatten().copied()
    }

    /// Names of the indexes on an object.
    pub fn indexes(&self, id: ObjectId) -> BTreeSet<&'a str> {
        let ids = self.indexes.get(&id).into_iter().flatten();
        ids.filter_map(|id| self.catalog.indexes.get(id))
            .map(|index| index.relation.name.as_str())
            .collect()
    }

    /// The objects that were planned on an index, which keeps it from being dropped.
    pub fn readers_of_index(&self, relation: &RelationName) -> Vec<&'a RelationName> {
        let catalog = self.catalog;
        let Some((index, _)) = catalog.find_index(relation) else {
            return Vec::new();
        };
        let readers = catalog.dependencies.iter().filter(|(_, on)| *on == index);
        readers
            .filter_map(|(reader, _)| Some(&catalog.objects.get(reader)?.relation))
            .collect()
    }

    /// The node that the state knows an object as.
    pub fn owner(&self, id: ObjectId) -> Option<&'a str> {
        self.owners.get(&id).copied()
    }

    /// The object that the state means: by its id, and where that is gone, by its name.
    pub fn object_of(&self, state: &StateObject) -> Option<(ObjectId, &'a CatalogObject)> {
        let by_id = state
            .object_id
            .and_then(|id| Some((id, self.catalog.objects.get(&id)?)));
        by_id.or_else(|| self.find(&state.relation, state.kind))
    }

    /// What rwt remembers of a node of this project and of this target's schema.
    pub fn remembered(&self, unique_id: &str) -> Option<&'a StateObject> {
        let found = self.state.objects.get(unique_id);
        found.filter(|object| is_of(self.desired, object))
    }

    /// Nodes that the state has and the project has no more, in the order of their ids.
    pub fn removed(&self) -> impl Iterator<Item = (&'a str, &'a StateObject)> {
        let (state, desired) = (self.state, self.desired);
        state
            .objects
            .iter()
            .filter(|(id, object)| is_of(desired, object) && !desired.objects.contains_key(*id))
            .map(|(id, object)| (id.as_str(), object))
    }
}

/// Whether an object was made for this project and this target's schema.
fn is_of(desired: &Desired, object: &StateObject) -> bool {
    object.project == desired.project && object.fingerprint.schema == desired.schema
}

/// The table of each hidden helper.
fn helpers(
    catalog: &CatalogSnapshot,
    names: &HashMap<(&RelationName, Kind), ObjectId>,
) -> HashMap<ObjectId, ObjectId> {
    let hidden = catalog
        .objects
        .iter()
        .filter(|(_, object)| object.relation.is_hidden());
    hidden
        .filter_map(|(id, object)| {
            let name = &object.relation.name;
            let table = name
                .strip_prefix("__iceberg_source_")
                .or_else(|| name.strip_prefix("__iceberg_sink_"))?;
            let table = object.relation.sibling(table);
            Some((*id, *names.get(&(&table, Kind::Table))?))
        })
        .collect()
}
