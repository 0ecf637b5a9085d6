//! What a plan rests on, as a hash.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{CatalogSnapshot, ObjectId};
use crate::desired::{Desired, hash};
use crate::name::RelationName;
use crate::plan::Base;
use crate::state::StateSnapshot;

/// The base of a plan for these objects.
pub(crate) fn base(desired: &Desired, state: &StateSnapshot, catalog: &CatalogSnapshot) -> Base {
    let wanted = desired
        .objects
        .values()
        .map(|object| object.relation.clone());
    let remembered = state.objects.values().map(|object| object.relation.clone());
    let left = state
        .leftovers
        .iter()
        .map(|leftover| leftover.relation.clone());
    let relations: BTreeSet<RelationName> = wanted.chain(remembered).chain(left).collect();
    let relations: Vec<RelationName> = relations.into_iter().collect();
    Base {
        hash: hash_of(&relations, state, catalog),
        relations,
    }
}

impl Base {
    /// Whether state and catalog are still what the plan rests on.
    pub fn is_current(&self, state: &StateSnapshot, catalog: &CatalogSnapshot) -> bool {
        self.hash == hash_of(&self.relations, state, catalog)
    }
}

fn hash_of(relations: &[RelationName], state: &StateSnapshot, catalog: &CatalogSnapshot) -> String {
    let mut by_name: BTreeMap<&RelationName, Vec<ObjectId>> = BTreeMap::new();
    for (id, object) in &catalog.objects {
        by_name.entry(&object.relation).or_default().push(*id);
    }
    let mut readers: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
    for (reader, read) in &catalog.dependencies {
        readers.entry(*read).or_default().push(*reader);
    }
    let mut indexes: BTreeMap<ObjectId, Vec<&str>> = BTreeMap::new();
    for index in catalog.indexes.values() {
        indexes
            .entry(index.on)
            .or_default()
            .push(&index.relation.name);
    }
    let mut facts = vec![format!("{} {}", catalog.server.version, catalog.user)];
    for relation in relations {
        for id in by_name.get(relation).into_iter().flatten() {
            let object = &catalog.objects[id];
            facts.push(format!(
                "{relation} {id} {} {} {}",
                object.kind, object.creating, object.owner
            ));
            facts.extend(
                object
                    .columns
                    .iter()
                    .map(|c| format!("{} {}", c.name, c.data_type)),
            );
            facts.extend(object.acl.iter().cloned());
            let readers = readers.get(id).into_iter().flatten();
            // RisingWave's own helpers come and go.
            let visible = readers.filter_map(|reader| catalog.objects.get(reader));
            for reader in visible.filter(|reader| !reader.relation.is_hidden()) {
                facts.push(format!("read by {} {}", reader.kind, reader.relation));
            }
            let mut indexes = indexes.get(id).cloned().unwrap_or_default();
            indexes.sort_unstable();
            facts.extend(indexes.into_iter().map(|index| format!("index {index}")));
        }
    }
    for (unique_id, object) in &state.objects {
        facts.push(format!(
            "{unique_id} {} {} {:?} {} {}",
            object.relation,
            object.kind,
            object.object_id,
            object.fingerprint.identity,
            object.fingerprint.create
        ));
    }
    for leftover in &state.leftovers {
        facts.push(format!("left {} {}", leftover.relation, leftover.object_id));
    }
    hash(facts.iter().map(String::as_str))
}

/// What other plans cannot have the same of: the base and what is wanted.
pub(crate) fn deployment(base: &Base, desired: &Desired, selection: &BTreeSet<String>) -> String {
    let wanted = desired.objects.values().flat_map(|object| {
        [
            object.unique_id.as_str(),
            object.fingerprint.identity.as_str(),
        ]
    });
    let chosen = selection.iter().map(String::as_str);
    let all = std::iter::once(base.hash.as_str())
        .chain(wanted)
        .chain(chosen);
    hash(all).chars().take(8).collect()
}
