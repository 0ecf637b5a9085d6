//! What is dropped: old objects whose place was taken, objects whose node is gone, leftovers. Leaves first, and nothing
//! that anything else hangs on.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::Decisions;
use super::decision::{Cutover, Decision, Treatment};
use super::known::Known;
use super::sinks::is_lake_table;
use crate::catalog::ObjectId;
use crate::name::{Kind, RelationName};
use crate::plan::{Action, Blocked, Consequence, LeftoverPlan, ObjectPlan, Reason};
use crate::state::{Leftover, StateObject};

/// An object to be dropped.
#[derive(Debug, Clone)]
pub(crate) struct Doomed {
    pub id: ObjectId,
    /// Its name when it is dropped.
    pub relation: RelationName,
    pub kind: Kind,
    /// The node whose old object it is, or that is gone.
    pub unique_id: Option<String>,
    /// The node is gone, so that its state is to be forgotten.
    pub forgets: bool,
}

/// What is dropped, in order, and what stays.
#[derive(Default)]
pub(crate) struct Cleaning {
    pub drops: Vec<Doomed>,
    /// Old objects that are taken out of use, by node: what the swap leaves.
    pub leaves: BTreeMap<String, Leftover>,
    /// What earlier deployments have left.
    pub leftovers: Vec<LeftoverPlan>,
}

/// The name of an object's shadow.
pub(crate) fn shadow_name(relation: &RelationName, deployment: &str) -> RelationName {
    // dbt-risingwave's limit of a name's length.
    const LONGEST: usize = 1024;
    let suffix = format!("__rwt_{deployment}");
    let mut name = relation.name.clone();
    while name.len() + suffix.len() > LONGEST {
        name.pop();
    }
    relation.sibling(name + &suffix)
}

/// The name that an old object has after the cut-over.
pub(crate) fn old_name(
    decision: &Decision<'_>,
    was: &RelationName,
    deployment: &str,
) -> RelationName {
    match decision.treatment {
        Treatment::Shadow(Cutover::NewName) => was.clone(),
        Treatment::Shadow(Cutover::Renames) => {
            let shadow = shadow_name(was, deployment);
            shadow.sibling(format!("{}_old", shadow.name))
        }
        _ => shadow_name(was, deployment),
    }
}

/// Decides what is dropped. Consequences of what must stay are added to the decisions; the plans of removed nodes come
/// back as well.
pub(crate) fn clean(
    known: &Known<'_>,
    decisions: &mut Decisions<'_>,
    selection: &BTreeSet<String>,
    deployment: &str,
) -> (Cleaning, Vec<ObjectPlan>) {
    let mut cleaning = Cleaning::default();
    // What no longer hangs on anything old when cleaning begins.
    let mut gone: BTreeSet<ObjectId> = BTreeSet::new();
    let mut open: Vec<Doomed> = Vec::new();
    let mut keeps: BTreeSet<ObjectId> = BTreeSet::new();
    for (unique_id, decision) in &decisions.of {
        let Some(id) = decision.id() else { continue };
        match &decision.treatment {
            Treatment::ReplaceSink | Treatment::MoveSink { .. } | Treatment::InPlace => {
                gone.insert(id);
            }
            Treatment::Shadow(_) => {
                let Some(found) = known.catalog.objects.get(&id) else {
                    continue;
                };
                let relation = old_name(decision, &found.relation, deployment);
                let keep = decision.object.config.immediate_cleanup == Some(false);
                cleaning.leaves.insert(
                    (*unique_id).to_owned(),
                    Leftover {
                        object_id: id,
                        relation: relation.clone(),
                        kind: found.kind,
                        deployment: deployment.to_owned(),
                        keep,
                    },
                );
                if keep && !known.options.clean_up {
                    keeps.insert(id);
                }
                open.push(Doomed {
                    id,
                    relation,
                    kind: found.kind,
                    unique_id: Some((*unique_id).to_owned()),
                    forgets: false,
                });
            }
            _ => {}
        }
    }
    let (mut removed, pruned) = removed(known, decisions, selection);
    open.extend(pruned);
    for leftover in &known.state.leftovers {
        let there = known.catalog.objects.contains_key(&leftover.object_id)
            && known.owner(leftover.object_id).is_none();
        if there && (!leftover.keep || known.options.clean_up) {
            open.push(Doomed {
                id: leftover.object_id,
                relation: leftover.relation.clone(),
                kind: leftover.kind,
                unique_id: None,
                forgets: false,
            });
        }
    }
    let needed = read_by_name(known, decisions);
    // Leaves first: what nothing hangs on goes, then what hung under it.
    loop {
        let free = |doomed: &Doomed| {
            !keeps.contains(&doomed.id)
                && !needed.contains_key(&doomed.id)
                && known
                    .readers(doomed.id)
                    .all(|reader| gone.contains(&reader))
        };
        // Old objects of children stand behind those of their parents.
        let Some(next) = open.iter().rposition(free) else {
            break;
        };
        let doomed = open.remove(next);
        gone.insert(doomed.id);
        cleaning.drops.push(doomed);
    }
    let left: BTreeMap<ObjectId, RelationName> = open
        .iter()
        .map(|doomed| (doomed.id, doomed.relation.clone()))
        .collect();
    let hanging_on = |id: ObjectId| -> Vec<RelationName> {
        known
            .readers(id)
            .filter(|reader| !gone.contains(reader))
            .filter_map(|reader| {
                let now = known.catalog.objects.get(&reader)?;
                Some(left.get(&reader).unwrap_or(&now.relation).clone())
            })
            .chain(needed.get(&id).cloned())
            .collect()
    };
    for doomed in &open {
        stays(doomed, hanging_on(doomed.id), decisions, &mut removed);
    }
    for leftover in &known.state.leftovers {
        if known.catalog.objects.contains_key(&leftover.object_id) {
            let drops = gone.contains(&leftover.object_id);
            cleaning.leftovers.push(LeftoverPlan {
                leftover: leftover.clone(),
                drops,
                dependents: if drops {
                    Vec::new()
                } else {
                    hanging_on(leftover.object_id)
                },
            });
        }
    }
    (cleaning, removed)
}

/// Objects that are no nodes and that something in this plan is built on: each with one that is.
fn read_by_name(known: &Known<'_>, decisions: &Decisions<'_>) -> BTreeMap<ObjectId, RelationName> {
    let nodes: BTreeSet<&RelationName> = known
        .desired
        .objects
        .values()
        .map(|object| &object.relation)
        .collect();
    let mut read = BTreeMap::new();
    for decision in decisions.of.values() {
        let object = decision.object;
        if !decision.moves() && decision.treatment != Treatment::Create {
            continue;
        }
        for mention in rwt_sql::mentions(&object.create) {
            let relation = RelationName::of(&mention.name, &known.desired.schema);
            if mention.role == rwt_sql::Role::Subject || nodes.contains(&relation) {
                continue;
            }
            if let Some((id, _)) = known.find(&relation, Kind::Table) {
                read.insert(id, object.relation.clone());
            }
        }
    }
    read
}

/// Says of an object that it stays, and because of what.
fn stays(
    doomed: &Doomed,
    dependents: Vec<RelationName>,
    decisions: &mut Decisions<'_>,
    removed: &mut [ObjectPlan],
) {
    let Some(unique_id) = &doomed.unique_id else {
        return;
    };
    if doomed.forgets {
        let plan = removed.iter_mut().find(|plan| plan.unique_id == *unique_id);
        if let Some(plan) = plan {
            plan.action = Action::Blocked;
            plan.blocked = Some(Blocked::HasDependents { dependents });
        }
        return;
    }
    let Some(decision) = decisions.of.get_mut(unique_id.as_str()) else {
        return;
    };
    if dependents.is_empty() {
        decision.notes.push(format!(
            "the old {} is kept as {}, as zero_downtime says; `--clean-up` drops it",
            doomed.kind, doomed.relation
        ));
    } else {
        decision.consequences.push(Consequence::LeavesBehind {
            kept_as: doomed.relation.clone(),
            dependents,
        });
    }
}

/// Nodes that are gone: their plans, and those to be dropped.
fn removed(
    known: &Known<'_>,
    decisions: &Decisions<'_>,
    selection: &BTreeSet<String>,
) -> (Vec<ObjectPlan>, Vec<Doomed>) {
    let everything = known
        .desired
        .objects
        .keys()
        .all(|id| selection.contains(id));
    let renamed: BTreeSet<&str> = decisions.renamed.values().copied().collect();
    let mut plans = Vec::new();
    let mut doomed = Vec::new();
    for (unique_id, state) in known.removed() {
        let chosen = everything || selection.contains(unique_id);
        if !chosen || renamed.contains(unique_id) {
            continue;
        }
        let mut plan = removed_plan(unique_id, state);
        let Some((id, found)) = known.object_of(state) else {
            plan.notes
                .push("it is no longer in the database".to_owned());
            plan.action = Action::Drop;
            plans.push(plan);
            continue;
        };
        plan.object_id = Some(id);
        if known.options.prune {
            plan.action = Action::Drop;
            plan.consequences = costs_of_dropping(state, &found.relation, found.kind);
            let destructive = plan.consequences.iter().any(Consequence::is_destructive);
            if destructive && !known.options.allow_destructive {
                plan.action = Action::Blocked;
                plan.blocked = Some(Blocked::NotAllowed {
                    would: Action::Drop,
                });
            } else {
                doomed.push(Doomed {
                    id,
                    relation: found.relation.clone(),
                    kind: found.kind,
                    unique_id: Some(unique_id.to_owned()),
                    forgets: true,
                });
            }
        }
        plans.push(plan);
    }
    (plans, doomed)
}

fn removed_plan(unique_id: &str, state: &StateObject) -> ObjectPlan {
    ObjectPlan {
        unique_id: unique_id.to_owned(),
        name: unique_id.rsplit('.').next().unwrap_or(unique_id).to_owned(),
        relation: state.relation.clone(),
        kind: state.kind,
        action: Action::Removed,
        reasons: vec![Reason::NotInProject],
        consequences: Vec::new(),
        blocked: None,
        drift: Vec::new(),
        diff: String::new(),
        notes: Vec::new(),
        object_id: None,
        record: None,
    }
}

fn costs_of_dropping(state: &StateObject, relation: &RelationName, kind: Kind) -> Vec<Consequence> {
    let relation = relation.clone();
    let mut costs = vec![Consequence::NameGone {
        relation: relation.clone(),
    }];
    if is_lake_table(&state.definition.create) {
        costs.push(Consequence::LosesLake { relation });
    } else if kind == Kind::Table {
        costs.push(Consequence::LosesRows { relation });
    }
    costs
}
