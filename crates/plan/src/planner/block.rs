//! What goes together or not at all: a rebuild with all that follows it.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::Decisions;
use super::decision::Treatment;
use super::known::Known;
use crate::catalog::ObjectId;
use crate::name::{Kind, RelationName};
use crate::plan::{Blocked, Consequence};

/// Blocks what may not be done or cannot be, and what hangs together with it.
pub(crate) fn block(known: &Known<'_>, decisions: &mut Decisions<'_>) {
    refuse(known, decisions);
    let groups = groups(decisions);
    for members in groups.values() {
        let blockers: Vec<String> = members
            .iter()
            .filter(|id| decisions.of[id.as_str()].blocked.is_some())
            .cloned()
            .collect();
        if blockers.is_empty() {
            continue;
        }
        for member in members.iter().filter(|id| !blockers.contains(id)) {
            if let Some(decision) = decisions.of.get_mut(member.as_str()) {
                decision.block(Blocked::WaitsFor {
                    unique_ids: blockers.clone(),
                });
            }
        }
    }
    creations(decisions);
}

/// Rebuilds that lose something without leave, and rebuilds in place of what others need.
fn refuse(known: &Known<'_>, decisions: &mut Decisions<'_>) {
    let moving: BTreeSet<ObjectId> = decisions
        .of
        .values()
        .filter(|decision| decision.moves() || decision.blocked.is_some())
        .filter_map(super::decision::Decision::id)
        .collect();
    // The nodes that say that they depend on a node and that are there.
    let mut callers: BTreeMap<String, Vec<ObjectId>> = BTreeMap::new();
    for decision in decisions.of.values() {
        for above in &decision.object.depends_on {
            let ids = callers.entry(above.clone()).or_default();
            ids.extend(decision.id());
        }
    }
    for decision in decisions.of.values_mut() {
        if decision.blocked.is_some() {
            continue;
        }
        if decision.treatment == Treatment::InPlace
            && let Some(id) = decision.id()
        {
            // What calls a function does not follow to another one by itself, whether it is built anew or not.
            let is_function = decision.object.kind == Kind::Function;
            let callers = callers
                .get(&decision.object.unique_id)
                .into_iter()
                .flatten();
            let others: BTreeSet<RelationName> = known
                .readers(id)
                .filter(|reader| is_function || !moving.contains(reader))
                .chain(callers.copied().filter(|_| is_function))
                .filter_map(|reader| known.catalog.objects.get(&reader))
                .map(|object| object.relation.clone())
                .collect();
            if !others.is_empty() {
                let dependents = others.into_iter().collect();
                decision.block_moving(Blocked::HasDependents { dependents });
                continue;
            }
        }
        let destructive = decision
            .consequences
            .iter()
            .any(Consequence::is_destructive);
        if destructive && !known.options.allow_destructive {
            let would = decision.action;
            decision.block_moving(Blocked::NotAllowed { would });
        }
    }
}

/// Groups of rebuilt nodes that hang together, by the first of them.
fn groups(decisions: &Decisions<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let mut group: BTreeMap<String, String> = decisions
        .of
        .iter()
        .filter(|(_, decision)| decision.moves() || decision.was_moving || decision.moves_views)
        .map(|(id, _)| ((*id).to_owned(), (*id).to_owned()))
        .collect();
    fn root(group: &BTreeMap<String, String>, id: &str) -> String {
        let mut at = id.to_owned();
        while group[&at] != at {
            at.clone_from(&group[&at]);
        }
        at
    }
    for (id, decision) in &decisions.of {
        if !group.contains_key(*id) {
            continue;
        }
        for above in decision
            .object
            .bound_to
            .iter()
            .chain(&decision.object.writes_to)
        {
            if group.contains_key(above) {
                let (a, b) = (root(&group, id), root(&group, above));
                group.insert(a, b);
            }
        }
    }
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let ids: Vec<String> = group.keys().cloned().collect();
    for id in ids {
        groups.entry(root(&group, &id)).or_default().insert(id);
    }
    groups
}

/// New objects wait for what they read and is blocked; what runs waits for what is not there yet.
fn creations(decisions: &mut Decisions<'_>) {
    let mut blocked: BTreeSet<String> = BTreeSet::new();
    let mut missing: BTreeSet<String> = BTreeSet::new();
    for (id, decision) in &mut decisions.of {
        let obstacles = match decision.treatment {
            Treatment::Create => &blocked,
            Treatment::Run => &missing,
            _ => &BTreeSet::new(),
        };
        let waits_for: Vec<String> = decision
            .object
            .depends_on
            .intersection(obstacles)
            .cloned()
            .collect();
        if !waits_for.is_empty() {
            decision.block(Blocked::WaitsFor {
                unique_ids: waits_for,
            });
        }
        if decision.blocked.is_some() {
            blocked.insert((*id).to_owned());
            if decision.id().is_none() {
                missing.insert((*id).to_owned());
            }
        }
    }
}
