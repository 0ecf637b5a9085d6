//! Views over what goes to another schema. A view is text to the server, which follows a new name and not a new schema
//! (risingwave#13341, #19749), so that it cannot be read from the move on until a new one has its name.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Standing;
use super::decide::Decisions;
use super::decision::Decision;
use super::known::Known;
use crate::catalog::ObjectId;
use crate::name::{Kind, RelationName};
use crate::plan::{Blocked, Consequence};

/// Says of views that are made anew that they cannot be read meanwhile, and blocks moves that would take away what a
/// view reads that stays as it is.
pub(crate) fn follow_moves(known: &Known<'_>, decisions: &mut Decisions<'_>) {
    let nodes: BTreeMap<ObjectId, String> = decisions
        .of
        .iter()
        .filter(|(_, decision)| decision.is_rebuilt())
        .filter_map(|(unique_id, decision)| Some((decision.id()?, (*unique_id).to_owned())))
        .collect();
    let moves: Vec<(String, ObjectId)> = decisions
        .of
        .iter()
        .filter_map(|(unique_id, decision)| Some(((*unique_id).to_owned(), moved(decision)?)))
        .collect();
    let mut lost: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (mover, id) in moves {
        let views = views_over(known, id);
        let stay: Vec<RelationName> = views
            .iter()
            .filter(|view| !nodes.contains_key(view))
            .filter_map(|view| Some(known.catalog.objects.get(view)?.relation.clone()))
            .collect();
        let Some(decision) = decisions.of.get_mut(mover.as_str()) else {
            continue;
        };
        decision.moves_views = !views.is_empty();
        if !stay.is_empty() {
            decision.block_moving(Blocked::HasDependents { dependents: stay });
            continue;
        }
        for node in views.iter().filter_map(|view| nodes.get(view)) {
            lost.entry(node.clone()).or_default().push(mover.clone());
        }
    }
    for (node, moved) in lost {
        if let Some(decision) = decisions.of.get_mut(node.as_str())
            && let Standing::There(there) = &decision.standing
        {
            let relation = there.object.relation.clone();
            let lost = Consequence::NameMissingSinceMove { relation, moved };
            decision.consequences.push(lost);
        }
    }
}

/// The object, if it goes to another schema as it is.
fn moved(decision: &Decision<'_>) -> Option<ObjectId> {
    let Standing::There(there) = &decision.standing else {
        return None;
    };
    let moves = decision.alteration.rename
        && there.object.relation.schema != decision.object.relation.schema;
    moves.then_some(there.id)
}

/// Views that read an object, right away or through other views.
fn views_over(known: &Known<'_>, id: ObjectId) -> BTreeSet<ObjectId> {
    let is_view = |id: &ObjectId| {
        let found = known.catalog.objects.get(id);
        found.is_some_and(|object| object.kind == Kind::View)
    };
    let mut views = BTreeSet::new();
    let mut open = vec![id];
    while let Some(next) = open.pop() {
        let over = known.readers(next).filter(is_view);
        open.extend(over.filter(|view| views.insert(*view)));
    }
    views
}
