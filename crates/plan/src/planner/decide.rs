//! Each object by itself and those above it: whether it is made, made anew, changed or left alone, and why.

use std::collections::BTreeSet;

use super::adopt::same_definition;
use super::compare::{Renamed, Standing, There, renamed, standing};
use super::decision::{Alteration, Decision, Treatment};
use super::known::Known;
use super::run::{SEED, what_it_does};
use crate::desired::DesiredObject;
use crate::name::{Kind, RelationName};
use crate::plan::{Action, Adopt, Blocked, Consequence, Drift, Reason};
use crate::version::Feature;

/// Decisions by unique id, in the order of the DAG; those outside of the selection are there and do nothing.
pub(crate) struct Decisions<'a> {
    pub of: indexmap::IndexMap<&'a str, Decision<'a>>,
    pub renamed: Renamed<'a>,
}

/// Decides for every object in the order of the DAG.
pub(crate) fn decide<'a>(known: &Known<'a>, selection: &BTreeSet<String>) -> Decisions<'a> {
    let renamed = renamed(known);
    let mut of: indexmap::IndexMap<&'a str, Decision<'a>> = indexmap::IndexMap::new();
    for (unique_id, object) in &known.desired.objects {
        let definition = object.definition();
        let standing = standing(known, object, &definition, &renamed);
        let mut decision = Decision::new(object, definition, standing);
        decision.outside = !selection.contains(unique_id);
        if !decision.outside {
            Deciding {
                known,
                above: &of,
                renamed: &renamed,
            }
            .decide(&mut decision);
        }
        of.insert(unique_id, decision);
    }
    Decisions { of, renamed }
}

pub(super) struct Deciding<'d, 'a> {
    pub known: &'d Known<'a>,
    pub above: &'d indexmap::IndexMap<&'a str, Decision<'a>>,
    renamed: &'d Renamed<'a>,
}

impl<'a> Deciding<'_, 'a> {
    fn decide(&self, decision: &mut Decision<'a>) {
        let object = decision.object;
        if object.imperative && !self.is_loaded(decision) {
            decision.treatment = Treatment::Run;
            decision.action = Action::Run;
            decision.reasons.push(Reason::Imperative {
                materialization: object.materialized.clone(),
            });
            let full_refresh = self.known.options.full_refresh;
            decision
                .notes
                .push(what_it_does(object, &decision.standing, full_refresh));
            return;
        }
        if object.imperative {
            return;
        }
        if let Some(blocked) = self.too_old(object) {
            let is_new = matches!(decision.standing, Standing::Missing { .. });
            if is_new {
                decision.reasons.push(Reason::New);
                return decision.block(blocked);
            }
        }
        match &decision.standing {
            Standing::Missing {
                remembered,
                in_the_way,
            } => {
                let (remembered, in_the_way) = (*remembered, *in_the_way);
                decision.reasons.push(if remembered {
                    Reason::Missing
                } else {
                    Reason::New
                });
                let taken = in_the_way
                    .filter(|(id, _)| !self.moves_away(*id, &object.relation))
                    .map(|(id, found)| Blocked::NameTaken {
                        kind: found.kind,
                        unique_id: self.known.owner(id).map(str::to_owned),
                    });
                let nothing: Vec<String> = object
                    .bound_to
                    .iter()
                    .chain(&object.writes_to)
                    .filter(|id| {
                        self.above.get(id.as_str()).is_some_and(|above| {
                            above.outside && matches!(above.standing, Standing::Missing { .. })
                        })
                    })
                    .cloned()
                    .collect();
                match taken {
                    Some(blocked) => decision.block(blocked),
                    None if !nothing.is_empty() => decision.block(Blocked::NothingToRead {
                        unique_ids: nothing,
                    }),
                    None => {
                        decision.treatment = Treatment::Create;
                        decision.action = Action::Create;
                    }
                }
            }
            Standing::Unknown { object: found, .. } => {
                let same = same_definition(found.definition.as_deref(), &object.create);
                decision.reasons.push(Reason::Unknown { same });
                decision.action = Action::Adopt;
                if self.known.options.adopt == Adopt::No {
                    decision
                        .notes
                        .push("left as it is; `rwt adopt` makes it known to rwt".to_owned());
                }
            }
            Standing::There(there) => {
                let outcome = self.there(object, there);
                outcome.into_decision(decision);
            }
        }
    }

    /// Whether a node that is run is one that has nothing to do when it is run again: a seed whose file is the same.
    fn is_loaded(&self, decision: &Decision<'_>) -> bool {
        match &decision.standing {
            Standing::There(there) => {
                decision.object.materialized == SEED
                    && there.drift.is_empty()
                    && !there.changes.create
                    && !there.changes.relation
                    && !self.known.options.full_refresh
            }
            _ => false,
        }
    }

    /// Whether the object that has this name now is about to get another one.
    pub(super) fn moves_away(&self, id: u64, relation: &RelationName) -> bool {
        let Some(owner) = self.known.owner(id) else {
            return false;
        };
        let now = self
            .renamed
            .iter()
            .find(|(_, old)| **old == owner)
            .map_or(owner, |(new, _)| new.as_str());
        self.known
            .desired
            .objects
            .get(now)
            .is_some_and(|other| other.relation != *relation)
    }

    /// What the server lacks for this object at all.
    fn too_old(&self, object: &DesiredObject) -> Option<Blocked> {
        let feature = match object.kind {
            Kind::Subscription => Feature::Subscription,
            Kind::Secret => Feature::Secret,
            Kind::MaterializedView if object.create.contains("backfill_order") => {
                Feature::BackfillOrder
            }
            _ => return None,
        };
        self.lacks(feature)
    }

    pub(super) fn lacks(&self, feature: Feature) -> Option<Blocked> {
        let has = self.known.catalog.server.version;
        (!feature.is_in(has)).then(|| Blocked::TooOld {
            feature,
            needs: feature.since(),
            has,
        })
    }

    fn there(&self, object: &DesiredObject, there: &There<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        if there.object.creating {
            outcome.blocked = Some(Blocked::Creating);
            return outcome;
        }
        if let Some(old) = there.renamed_from {
            outcome.reasons.push(Reason::Node {
                from: old.to_owned(),
            });
        }
        self.rebuild_reasons(object, there, &mut outcome);
        let blocked_above: Vec<String> = object
            .depends_on
            .iter()
            .filter(|id| {
                self.above
                    .get(id.as_str())
                    .is_some_and(|d| d.blocked.is_some())
            })
            .filter(|id| object.bound_to.contains(*id) || object.writes_to.as_ref() == Some(*id))
            .cloned()
            .collect();
        if outcome.rebuild && !blocked_above.is_empty() {
            outcome.blocked = Some(Blocked::WaitsFor {
                unique_ids: blocked_above,
            });
        } else if outcome.rebuild {
            self.rebuild(object, there, &mut outcome);
        } else {
            self.alter(object, there, &mut outcome);
        }
        outcome
    }

    /// Why the object must be another one, if it must.
    fn rebuild_reasons(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) {
        let changes = &there.changes;
        let mut rebuild = Vec::new();
        let drifted_kind = there.object.kind != there.state.kind;
        if there.object.kind != object.kind && (!drifted_kind || self.known.options.repair) {
            rebuild.push(Reason::Kind {
                from: there.object.kind,
            });
        }
        if changes.create && !self.in_place(object, there, outcome) {
            rebuild.push(Reason::Definition);
        }
        let is_elsewhere = there.object.relation != object.relation;
        if is_elsewhere && changes.relation && !object.kind.is_renamable() {
            rebuild.push(Reason::Relation {
                from: there.object.relation.clone(),
            });
        }
        let above: BTreeSet<String> = object
            .bound_to
            .iter()
            .chain(&object.writes_to)
            .filter(|id| self.is_rebuilt(id) || self.is_lost_to(object, id))
            .chain(changes.inputs.iter().filter(|id| !self.is_kept(id)))
            .cloned()
            .collect();
        let (targets, above): (Vec<String>, Vec<String>) = above
            .into_iter()
            .partition(|id| object.writes_to.as_ref() == Some(id));
        if let Some(unique_id) = targets.into_iter().next() {
            rebuild.push(Reason::Target { unique_id });
        }
        if !above.is_empty() {
            rebuild.push(Reason::Input { unique_ids: above });
        } else if !changes.stale.is_empty() && rebuild.is_empty() {
            rebuild.push(Reason::StaleInput {
                unique_ids: changes.stale.clone(),
            });
        }
        let refreshes = self.known.options.full_refresh
            && object.config.full_refresh != Some(false)
            && !matches!(
                object.kind,
                Kind::Connection | Kind::Secret | Kind::Function
            );
        if refreshes {
            rebuild.push(Reason::FullRefresh);
        }
        let replaced = there.drift.iter().any(|drift| {
            matches!(
                drift,
                Drift::Recreated { .. } | Drift::ColumnAdded { .. } | Drift::ColumnRemoved { .. }
            )
        });
        if replaced && self.known.options.repair {
            rebuild.push(Reason::Drift);
        }
        outcome.rebuild = !rebuild.is_empty();
        outcome.reasons.extend(rebuild);
    }

    pub(super) fn is_rebuilt(&self, id: &str) -> bool {
        self.above.get(id).is_some_and(Decision::is_rebuilt)
    }

    /// Whether a view would not find what it reads: it is text to the server, which follows a new name and not a new
    /// schema (risingwave#13341, #19749).
    fn is_lost_to(&self, object: &DesiredObject, id: &str) -> bool {
        object.kind == Kind::View
            && self.above.get(id).is_some_and(|above| {
                let from = match &above.standing {
                    Standing::There(there) => &there.object.relation.schema,
                    _ => return false,
                };
                above.blocked.is_none()
                    && above.alteration.rename
                    && *from != above.object.relation.schema
            })
    }

    /// Whether a node should change and is left as it is, outside of the selection or by its configuration, so that
    /// what reads it has nothing to follow.
    fn is_kept(&self, id: &str) -> bool {
        self.above
            .get(id)
            .is_some_and(|above| match &above.standing {
                Standing::There(there) => {
                    let pending = there.changes.create || !there.changes.inputs.is_empty();
                    above.keeps_old || (above.outside && pending)
                }
                _ => above.outside,
            })
    }
}

/// What comes out for an object that is there.
#[derive(Default)]
pub(super) struct Outcome {
    pub rebuild: bool,
    pub treatment: Treatment,
    pub alteration: Alteration,
    pub action: Option<Action>,
    pub reasons: Vec<Reason>,
    pub consequences: Vec<Consequence>,
    pub blocked: Option<Blocked>,
    pub notes: Vec<String>,
    pub keeps_old: bool,
    pub keeps_indexes: bool,
    pub used_indexes: Vec<String>,
}

impl Outcome {
    fn into_decision(self, decision: &mut Decision<'_>) {
        let has_drift = match &decision.standing {
            // An index more does no harm, and follows a rebuild.
            Standing::There(there) => there
                .drift
                .iter()
                .any(|drift| !matches!(drift, Drift::IndexAdded { .. })),
            _ => false,
        };
        decision.reasons = self.reasons;
        decision.consequences = self.consequences;
        decision.notes = self.notes;
        decision.keeps_old = self.keeps_old;
        decision.keeps_indexes = self.keeps_indexes;
        decision.used_indexes = self.used_indexes;
        if let Some(blocked) = self.blocked {
            return decision.block(blocked);
        }
        let renames_node = decision
            .reasons
            .iter()
            .any(|reason| matches!(reason, Reason::Node { .. }));
        let in_place = if self.alteration.is_empty() {
            if renames_node {
                Action::Rename
            } else if has_drift {
                Action::Drifted
            } else {
                Action::Unchanged
            }
        } else if self.alteration.only_names() {
            Action::Rename
        } else {
            Action::Alter
        };
        decision.treatment = self.treatment;
        if !self.rebuild && !self.alteration.is_empty() {
            decision.treatment = Treatment::Alter;
        }
        decision.alteration = self.alteration;
        decision.action = self.action.unwrap_or(in_place);
    }
}
