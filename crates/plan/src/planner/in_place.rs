//! Changes that leave an object there: columns, indexes, rights, descriptions, settings, names.

use std::collections::BTreeSet;

use super::columns::{self, Columned};
use super::compare::There;
use super::decide::{Deciding, Outcome};
use crate::desired::{DesiredObject, OnConfigurationChange, OnSchemaChange};
use crate::name::Kind;
use crate::plan::{Blocked, Consequence, Reason};
use crate::version::Feature;

impl Deciding<'_, '_> {
    /// Whether the changed CREATE comes to statements that leave the object there.
    pub(super) fn in_place(
        &self,
        object: &DesiredObject,
        there: &There<'_>,
        outcome: &mut Outcome,
    ) -> bool {
        if there.object.kind != object.kind {
            return false;
        }
        match object.kind {
            Kind::Secret => {
                outcome.alteration.secret = true;
                outcome.reasons.push(Reason::Definition);
                true
            }
            Kind::Table | Kind::Source => self.columns(object, there, outcome),
            _ => false,
        }
    }

    fn columns(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) -> bool {
        let new = rwt_sql::redact(&object.create);
        let Columned::Adds(columns) = columns::compare(&there.state.definition.create, &new) else {
            return false;
        };
        // Written otherwise, the same to RisingWave; or columns that somebody has added already.
        let more: Vec<(String, String)> = columns
            .iter()
            .filter(|column| {
                !there
                    .object
                    .columns
                    .iter()
                    .any(|c| c.name == column.name.value())
            })
            .map(|column| (column.name.value().to_owned(), columns::definition(column)))
            .collect();
        match object.config.on_schema_change {
            Some(OnSchemaChange::Ignore) if !more.is_empty() => {
                outcome.notes.push(format!(
                    "on_schema_change: ignore leaves out {}",
                    names(&more).join(", ")
                ));
                outcome.keeps_old = true;
            }
            Some(OnSchemaChange::Fail) if !more.is_empty() => {
                outcome.blocked = Some(Blocked::Refused {
                    key: "on_schema_change".to_owned(),
                });
            }
            _ => {
                if !more.is_empty() {
                    outcome.reasons.push(Reason::Columns {
                        added: names(&more),
                    });
                }
                outcome.alteration.columns = more;
            }
        }
        true
    }

    /// Changes in place of an object that stays.
    pub(super) fn alter(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) {
        let changes = &there.changes;
        if object.kind == Kind::Secret && self.known.options.full_refresh {
            outcome.alteration.secret = true;
            outcome.reasons.push(Reason::FullRefresh);
        }
        if object.config.on_schema_change == Some(OnSchemaChange::AppendNewColumns) {
            let known: BTreeSet<String> = names(&outcome.alteration.columns).into_iter().collect();
            let more = columns::missing(&object.config.additive_columns, &there.object.columns);
            if !more.is_empty() && !there.object.columns.is_empty() {
                let mut added = names(&more);
                added.retain(|name| !known.contains(name));
                if !added.is_empty() {
                    outcome.reasons.push(Reason::Columns { added });
                }
                // The configuration may say more of a column than the statement: its default.
                let columns = &mut outcome.alteration.columns;
                for column in more {
                    match columns.iter_mut().find(|(name, _)| *name == column.0) {
                        Some(known) => *known = column,
                        None => columns.push(column),
                    }
                }
            }
        }
        let indexes = &changes.indexes;
        if !(indexes.add.is_empty() && indexes.drop.is_empty()) {
            match object.config.on_configuration_change {
                OnConfigurationChange::Apply => {}
                OnConfigurationChange::Continue => {
                    outcome.notes.push(
                        "on_configuration_change: continue leaves its indexes as they are"
                            .to_owned(),
                    );
                    outcome.keeps_indexes = true;
                }
                OnConfigurationChange::Fail => {
                    outcome.blocked = Some(Blocked::Refused {
                        key: "on_configuration_change".to_owned(),
                    });
                }
            }
        }
        let keeps = outcome.keeps_indexes;
        let changed = |names: &[String], outcome: &Outcome| -> Vec<String> {
            let is_free = |name: &&String| !outcome.used_indexes.contains(*name);
            names.iter().filter(is_free).cloned().collect()
        };
        for name in &indexes.drop {
            let readers = self
                .known
                .readers_of_index(&there.object.relation.sibling(name));
            if !readers.is_empty() && !keeps {
                let readers: Vec<String> = readers.iter().map(ToString::to_string).collect();
                outcome.notes.push(format!(
                    "the index {name} stays as it is, for RisingWave has planned {} on it; it can go when that is built anew",
                    readers.join(", ")
                ));
                outcome.used_indexes.push(name.clone());
            }
        }
        let (added, removed) = (
            changed(&indexes.add, outcome),
            changed(&indexes.drop, outcome),
        );
        if !(added.is_empty() && removed.is_empty()) {
            if !keeps {
                outcome.alteration.indexes.add.clone_from(&added);
                outcome.alteration.indexes.drop.clone_from(&removed);
            }
            outcome.reasons.push(Reason::Indexes { added, removed });
        }
        outcome
            .alteration
            .indexes
            .rename
            .clone_from(&indexes.rename);
        outcome.alteration.grants.clone_from(&changes.grants);
        outcome.alteration.comments.clone_from(&changes.comments);
        outcome.alteration.tuning.clone_from(&changes.tuning);
        if !(changes.grants.0.is_empty() && changes.grants.1.is_empty()) {
            outcome.reasons.push(Reason::Grants);
        }
        if !(changes.comments.0.is_empty() && changes.comments.1.is_empty()) {
            outcome.reasons.push(Reason::Comments);
        }
        if !changes.tuning.is_empty() {
            outcome.reasons.push(Reason::Tuning {
                settings: changes.tuning.keys().cloned().collect(),
            });
        }
        self.name_of(object, there, outcome);
    }

    /// Whether it gets another name.
    fn name_of(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) {
        let was = &there.object.relation;
        let moved_by_hand = *was != there.state.relation;
        if *was == object.relation || !object.kind.is_renamable() {
            return;
        }
        if moved_by_hand && !there.changes.relation && !self.known.options.repair {
            return;
        }
        let taken = self
            .known
            .find(&object.relation, object.kind)
            .filter(|(id, _)| *id != there.id && !self.moves_away(*id, &object.relation));
        if let Some((id, found)) = taken {
            outcome.blocked = Some(Blocked::NameTaken {
                kind: found.kind,
                unique_id: self.known.owner(id).map(str::to_owned),
            });
            return;
        }
        outcome.alteration.rename = true;
        outcome.reasons.push(Reason::Relation { from: was.clone() });
        let relation = was.clone();
        let next = self.known.desired.objects.values().find(|other| {
            other.relation == *was && other.kind.namespace() == object.kind.namespace()
        });
        let Some(next) = next else {
            outcome
                .consequences
                .push(Consequence::NameGone { relation });
            return;
        };
        let comes_from = self
            .known
            .remembered(&next.unique_id)
            .and_then(|state| self.known.object_of(state))
            .map(|(_, found)| &found.relation);
        let exchange = next.kind == object.kind
            && object.relation.schema == was.schema
            && self.lacks(Feature::Swap).is_none();
        match comes_from {
            Some(from) if *from == object.relation && exchange => {
                outcome.notes.push(format!("{} takes its name", next.name));
            }
            Some(_) => outcome
                .consequences
                .push(Consequence::NameMissingBriefly { relation }),
            None => outcome
                .consequences
                .push(Consequence::NameMissing { relation }),
        }
    }
}

fn names(columns: &[(String, String)]) -> Vec<String> {
    columns.iter().map(|(name, _)| name.clone()).collect()
}
