//! What is to be remembered of steps that have ended.

use std::collections::HashMap;

use rwt_plan::catalog::ObjectId;
use rwt_plan::plan::{ObjectPlan, Record};
use rwt_plan::state::StateObject;
use rwt_plan::step::Effect;
use rwt_plan::{CatalogSnapshot, Fact, Kind, Plan, RelationName, Step};

use crate::catalog::ids;
use crate::state::{ObjectChange, now};

/// The changes of the state that follow from steps, with ids and columns as the catalog shows them now.
pub(super) fn changes(
    plan: &Plan,
    steps: &[&Step],
    catalog: &CatalogSnapshot,
) -> Vec<ObjectChange> {
    let objects: HashMap<&str, &ObjectPlan> = plan
        .objects
        .iter()
        .map(|object| (object.unique_id.as_str(), object))
        .collect();
    let ids = ids(catalog);
    let mut changes = Vec::new();
    for step in steps {
        changes.extend(step.forgets.iter().cloned().map(ObjectChange::Forget));
        changes.extend(step.leaves.iter().cloned().map(ObjectChange::Leave));
        for node in &step.completes {
            let record = objects.get(node.as_str()).and_then(|o| o.record.as_ref());
            if let Some(record) = record {
                let object = state_object(plan, record, catalog, &ids);
                changes.push(ObjectChange::Record(node.clone(), Box::new(object)));
            }
        }
        for statement in &step.statements {
            if let Effect::Shows(Fact::Gone { id }) = &statement.effect {
                changes.push(ObjectChange::Gone(*id));
            }
        }
    }
    changes
}

/// The records of objects that no step completes: what is adopted, and what only has another name in the project.
pub fn records_at_once(plan: &Plan, catalog: &CatalogSnapshot) -> Vec<ObjectChange> {
    let ids = ids(catalog);
    let completed: Vec<&String> = plan.steps.iter().flat_map(|s| &s.completes).collect();
    plan.objects
        .iter()
        .filter(|object| !completed.contains(&&object.unique_id))
        .filter_map(|object| {
            let record = object.record.as_ref()?;
            let object_state = state_object(plan, record, catalog, &ids);
            Some(ObjectChange::Record(
                object.unique_id.clone(),
                Box::new(object_state),
            ))
        })
        .collect()
}

/// The records of nodes that have what the plan wants for them, although not all of their steps have ended.
pub(super) fn records_of<'a>(
    plan: &Plan,
    nodes: impl Iterator<Item = &'a str>,
    catalog: &CatalogSnapshot,
) -> Vec<ObjectChange> {
    let ids = ids(catalog);
    let records: HashMap<&str, &Record> = (plan.objects.iter())
        .filter_map(|object| Some((object.unique_id.as_str(), object.record.as_ref()?)))
        .collect();
    let record = |node: &str| {
        let object = state_object(plan, records.get(node)?, catalog, &ids);
        let record = ObjectChange::Record(node.to_owned(), Box::new(object.clone()));
        object.object_id.is_some().then_some(record)
    };
    nodes.filter_map(record).collect()
}

fn state_object(
    plan: &Plan,
    record: &Record,
    catalog: &CatalogSnapshot,
    ids: &HashMap<(Kind, &RelationName), ObjectId>,
) -> StateObject {
    let id = ids
        .get(&(record.kind.namespace(), &record.relation))
        .copied();
    let columns = id
        .and_then(|id| catalog.objects.get(&id))
        .map(|object| object.columns.clone())
        .unwrap_or_default();
    StateObject {
        project: plan.project.clone(),
        relation: record.relation.clone(),
        kind: record.kind,
        object_id: id,
        columns,
        fingerprint: record.fingerprint.clone(),
        definition: record.definition.clone(),
        deployment: plan.deployment.clone(),
        applied_at: now(),
    }
}
