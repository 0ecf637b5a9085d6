//! How an object stands: what the project wants of it beside what rwt remembers and what is there.

use std::collections::{BTreeMap, BTreeSet};

use rwt_sql::{Role, mentions};

use super::known::Known;
use crate::catalog::{CatalogColumn, CatalogObject, ObjectId};
use crate::desired::{DesiredObject, FINGERPRINT_FORMAT, without_if_not_exists};
use crate::name::RelationName;
use crate::plan::Drift;
use crate::state::{Definition, StateObject};

/// How an object stands.
pub(crate) enum Standing<'a> {
    /// It is not there. `remembered` is what the state knows of it.
    Missing {
        remembered: bool,
        /// What has its name and is something else.
        in_the_way: Option<(ObjectId, &'a CatalogObject)>,
    },
    /// It is there, and the state does not know it.
    Unknown {
        id: ObjectId,
        object: &'a CatalogObject,
    },
    /// It is there, and the state knows it.
    There(Box<There<'a>>),
}

/// An object that is there and known.
pub(crate) struct There<'a> {
    pub id: ObjectId,
    pub object: &'a CatalogObject,
    pub state: &'a StateObject,
    /// The unique id that the state has for it, if the node was renamed.
    pub renamed_from: Option<&'a str>,
    pub changes: Changes,
    pub drift: Vec<Drift>,
}

/// What the project wants otherwise than it was made.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub create: bool,
    /// Nodes that stand for something else than before.
    pub inputs: Vec<String>,
    /// Nodes to whose current object it is not bound.
    pub stale: Vec<String>,
    /// It has another name or schema.
    pub relation: bool,
    pub indexes: IndexChanges,
    /// GRANT statements that are new, and those that are gone.
    pub grants: (Vec<String>, Vec<String>),
    pub comments: (Vec<String>, Vec<String>),
    /// Settings with their new values; none for the default.
    pub tuning: BTreeMap<String, Option<String>>,
}

/// Indexes by name.
#[derive(Debug, Default)]
pub(crate) struct IndexChanges {
    pub add: Vec<String>,
    pub drop: Vec<String>,
    /// The same index under another name: old, new.
    pub rename: Vec<(String, String)>,
}

/// Renamed nodes: the new unique id to the old one.
pub(crate) type Renamed<'a> = BTreeMap<String, &'a str>;

/// Finds nodes that have another name now: first those whose relation is the same, then those that say exactly the same
/// as a single one that is gone.
pub(crate) fn renamed<'a>(known: &Known<'a>) -> Renamed<'a> {
    let mut found = Renamed::new();
    let mut gone: BTreeMap<&str, &StateObject> = known.removed().collect();
    let new: Vec<&DesiredObject> = known
        .desired
        .objects
        .values()
        .filter(|object| known.remembered(&object.unique_id).is_none() && !object.imperative)
        .collect();
    for object in &new {
        let same = gone.iter().find(|(_, state)| {
            state.relation == object.relation && state.kind.namespace() == object.kind.namespace()
        });
        if let Some((old, _)) = same {
            let old = *old;
            gone.remove(old);
            found.insert(object.unique_id.clone(), old);
        }
    }
    // Parents first, so that a child of a renamed node is known by its new inputs.
    for object in &new {
        if found.contains_key(&object.unique_id) {
            continue;
        }
        let alike: Vec<&str> = gone
            .iter()
            .filter(|(_, state)| {
                state.kind == object.kind
                    && state.fingerprint.create == object.fingerprint.create
                    && input_changes(object, state, &found) == InputChanges::default()
                    && known.object_of(state).is_some()
            })
            .map(|(id, _)| *id)
            .collect();
        let [old] = alike.as_slice() else { continue };
        let rivals = new
            .iter()
            .filter(|other| other.kind == object.kind && other.fingerprint == object.fingerprint);
        if rivals.count() == 1 {
            gone.remove(old);
            found.insert(object.unique_id.clone(), old);
        }
    }
    found
}

/// What an object names otherwise than when it was made.
#[derive(Debug, Default, PartialEq)]
struct InputChanges {
    /// It names other nodes, or the same in other places.
    others: bool,
    /// Nodes that stand for something else.
    changed: Vec<String>,
}

fn input_changes(
    object: &DesiredObject,
    state: &StateObject,
    renamed: &Renamed<'_>,
) -> InputChanges {
    let before = &state.fingerprint.inputs;
    let mut changes = InputChanges {
        others: before.len() != object.fingerprint.inputs.len(),
        changed: Vec::new(),
    };
    for (id, of) in &object.fingerprint.inputs {
        let was = before
            .get(id)
            .or_else(|| before.get(renamed.get(id).copied()?));
        let parts = |text: &str| {
            let (place, identity) = text.split_once(':').unwrap_or((text, ""));
            (place.to_owned(), identity.to_owned())
        };
        match was.map(|was| (parts(was), parts(of))) {
            None => changes.others = true,
            Some(((place, _), (other, _))) if place != other => changes.others = true,
            Some(((_, identity), (_, other))) if identity != other => {
                changes.changed.push(id.clone())
            }
            Some(_) => {}
        }
    }
    changes
}

/// How an object stands.
pub(crate) fn standing<'a>(
    known: &Known<'a>,
    object: &DesiredObject,
    definition: &Definition,
    renamed: &Renamed<'a>,
) -> Standing<'a> {
    let renamed_from = renamed.get(&object.unique_id).copied();
    let key = renamed_from.unwrap_or(&object.unique_id);
    let Some(state) = known.remembered(key) else {
        return match known.find(&object.relation, object.kind) {
            Some((id, found)) if found.kind == object.kind && known.owner(id).is_none() => {
                Standing::Unknown { id, object: found }
            }
            in_the_way => Standing::Missing {
                remembered: false,
                in_the_way,
            },
        };
    };
    let Some((id, found)) = known.object_of(state) else {
        return Standing::Missing {
            remembered: true,
            in_the_way: known.find(&object.relation, object.kind),
        };
    };
    Standing::There(Box::new(There {
        id,
        object: found,
        state,
        renamed_from,
        changes: changes(known, (object, definition), state, id, renamed),
        drift: drift(known, state, id, found),
    }))
}

fn changes(
    known: &Known<'_>,
    (object, definition): (&DesiredObject, &Definition),
    state: &StateObject,
    id: ObjectId,
    renamed: &Renamed<'_>,
) -> Changes {
    let comparable = state.fingerprint.format == FINGERPRINT_FORMAT;
    let inputs = if comparable {
        input_changes(object, state, renamed)
    } else {
        InputChanges::default()
    };
    let create = if comparable {
        state.fingerprint.create != object.fingerprint.create || inputs.others
    } else {
        rwt_sql::fingerprint(&state.definition.create) != rwt_sql::fingerprint(&definition.create)
    };
    let old = &state.definition;
    Changes {
        create,
        inputs: inputs.changed,
        stale: stale(known, object, (id, state), renamed),
        relation: state.relation != object.relation,
        indexes: index_changes(known, object, state, id),
        grants: two_ways(&old.grants, &definition.grants),
        comments: two_ways(&old.comments, &definition.comments),
        tuning: tuning(&old.tuning, &object.tuning),
    }
}

/// What a statement says, whatever it is about is called.
fn body(sql: &str) -> String {
    let sql = without_if_not_exists(sql);
    let mut out = String::with_capacity(sql.len());
    let mut at = 0;
    for mention in mentions(&sql) {
        out.push_str(&sql[at..mention.span.start]);
        out.push_str(match mention.role {
            Role::Subject => "subject",
            Role::Read => "read",
            Role::Target => "target",
        });
        at = mention.span.end;
    }
    out.push_str(&sql[at..]);
    rwt_sql::fingerprint(&out)
}

/// Statements that are new, and those that are gone.
fn two_ways(old: &[String], new: &[String]) -> (Vec<String>, Vec<String>) {
    let bodies = |statements: &[String]| -> BTreeSet<String> {
        statements.iter().map(|sql| body(sql)).collect()
    };
    let without = |statements: &[String], others: &BTreeSet<String>| -> Vec<String> {
        statements
            .iter()
            .filter(|sql| !others.contains(&body(sql)))
            .cloned()
            .collect()
    };
    (without(new, &bodies(old)), without(old, &bodies(new)))
}

fn tuning(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> BTreeMap<String, Option<String>> {
    let mut changed = BTreeMap::new();
    for (setting, value) in new {
        if old.get(setting) != Some(value) {
            changed.insert(setting.clone(), Some(value.clone()));
        }
    }
    for setting in old.keys().filter(|setting| !new.contains_key(*setting)) {
        changed.insert(setting.clone(), None);
    }
    changed
}

fn index_changes(
    known: &Known<'_>,
    object: &DesiredObject,
    state: &StateObject,
    id: ObjectId,
) -> IndexChanges {
    let there = known.indexes(id);
    let old = &state.definition.indexes;
    let mut changes = IndexChanges::default();
    let mut kept = BTreeSet::new();
    for (name, sql) in &object.indexes {
        let same = |old_name: &String| {
            there.contains(old_name.as_str())
                && old.get(old_name).is_some_and(|old| body(old) == body(sql))
        };
        if same(name) {
            kept.insert(name);
        } else if let Some(before) = old.keys().find(|before| {
            !object.indexes.contains_key(*before) && !kept.contains(*before) && same(before)
        }) {
            kept.insert(before);
            changes.rename.push((before.clone(), name.clone()));
        } else {
            changes.add.push(name.clone());
        }
    }
    for name in old.keys().filter(|name| !kept.contains(*name)) {
        if there.contains(name.as_str()) {
            changes.drop.push(name.clone());
        }
    }
    changes
}

/// Nodes that it reads and whose current object it does not hang on.
fn stale(
    known: &Known<'_>,
    object: &DesiredObject,
    (id, was): (ObjectId, &StateObject),
    renamed: &Renamed<'_>,
) -> Vec<String> {
    let was_bound_to = &was.fingerprint.inputs;
    let left_over: BTreeSet<ObjectId> = known.state.leftovers.iter().map(|l| l.object_id).collect();
    let mut stale = Vec::new();
    for parent in &object.bound_to {
        let key = renamed.get(parent).map_or(parent.as_str(), |old| old);
        if !was_bound_to.contains_key(key) {
            continue;
        }
        let Some(state) = known.remembered(key) else {
            continue;
        };
        let Some((current, found)) = known.object_of(state) else {
            continue;
        };
        // Some servers show what a view reads instead of the view.
        let direct =
            found.kind != crate::name::Kind::View && known.hangs_on(id, current) == Some(false);
        let old = known.reads(id).any(|read| {
            left_over.contains(&read)
                && known
                    .catalog
                    .objects
                    .get(&read)
                    .is_some_and(|object| is_shadow_of(&object.relation, &state.relation))
        });
        if direct || old {
            stale.push(parent.clone());
        }
    }
    stale
}

fn is_shadow_of(shadow: &RelationName, of: &RelationName) -> bool {
    shadow.schema == of.schema
        && shadow
            .name
            .strip_prefix(&of.name)
            .is_some_and(|rest| rest.starts_with("__rwt_"))
}

/// How an object differs from what rwt remembers.
fn drift(
    known: &Known<'_>,
    state: &StateObject,
    id: ObjectId,
    object: &CatalogObject,
) -> Vec<Drift> {
    let mut drift = Vec::new();
    if let Some(was) = state.object_id.filter(|was| *was != id) {
        drift.push(Drift::Recreated { was, is: id });
    }
    if object.kind != state.kind {
        drift.push(Drift::Kind { is: object.kind });
    }
    if object.relation != state.relation {
        drift.push(Drift::Renamed {
            is: object.relation.clone(),
        });
    }
    if !state.columns.is_empty() && !object.columns.is_empty() {
        let missing = |of: &[CatalogColumn], among: &[CatalogColumn]| -> Vec<CatalogColumn> {
            of.iter().filter(|c| !among.contains(c)).cloned().collect()
        };
        for column in missing(&object.columns, &state.columns) {
            drift.push(Drift::ColumnAdded {
                column: column.name,
                data_type: column.data_type,
            });
        }
        for column in missing(&state.columns, &object.columns) {
            drift.push(Drift::ColumnRemoved {
                column: column.name,
                data_type: column.data_type,
            });
        }
    }
    let there = known.indexes(id);
    for index in state.definition.indexes.keys() {
        if !there.contains(index.as_str()) {
            drift.push(Drift::IndexMissing {
                index: index.clone(),
            });
        }
    }
    for index in there {
        if !state.definition.indexes.contains_key(index) {
            drift.push(Drift::IndexAdded {
                index: index.to_owned(),
            });
        }
    }
    drift
}
