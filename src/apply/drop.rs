//! Dropping what the project made: children before parents, never by CASCADE, and not before everything else that hangs
//! on it is known.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use rwt_compiler::materialize::{DatabaseError, drop_statement};
use rwt_plan::catalog::{CatalogObject, CatalogSnapshot, ObjectId};
use rwt_plan::{Kind, RelationName};
use rwt_project::manifest::Node;
use rwt_sql::{Ident, Statement};
use serde::Serialize;

use crate::client::Connection;

/// One object to drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DropStep {
    /// `table`, `materialized view`, …
    pub kind: String,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub identifier: String,
}

impl DropStep {
    fn of(object: &CatalogObject) -> Self {
        Self {
            kind: object.kind.to_string(),
            schema: object.relation.schema.clone(),
            identifier: object.relation.name.clone(),
        }
    }

    fn key(&self) -> (&str, &str) {
        (&self.schema, &self.identifier)
    }

    /// The statement.
    pub fn statement(&self) -> String {
        // An engine table takes the sinks that write into it along (RisingWave 2.8), hence IF EXISTS.
        let name = format!(
            "{}.{}",
            Ident::new(&self.schema).quoted(),
            Ident::new(&self.identifier).quoted()
        );
        drop_statement(&self.kind, &name)
    }
}

impl fmt::Display for DropStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.{}", self.kind, self.schema, self.identifier)
    }
}

/// An object that would lose what it reads, or itself, though it is not among those to drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hanging {
    /// The object.
    pub object: DropStep,
    /// The object to drop on which it hangs.
    pub on: DropStep,
}

/// What was dropped.
#[derive(Debug, Default, Serialize)]
pub struct DropReport {
    /// In the order in which it happened.
    pub dropped: Vec<DropStep>,
}

/// The objects of `nodes` (in DAG order) that exist, in the order in which they can be dropped, and what else hangs on
/// them.
pub fn drop_steps<'a>(
    nodes: impl IntoIterator<Item = &'a Node>,
    catalog: &CatalogSnapshot,
) -> (Vec<DropStep>, Vec<Hanging>) {
    let by_name = by_name(catalog);
    let mut objects: Vec<_> = nodes
        .into_iter()
        .filter_map(|node| {
            let kind = Kind::parse(&node.materialized).unwrap_or(Kind::Table);
            let name = RelationName::new(node.schema.as_str(), node.identifier.as_str());
            by_name.get(&(kind.namespace(), name))
        })
        .collect();
    objects.reverse();
    let steps: Vec<DropStep> = objects.iter().map(|(_, o)| DropStep::of(o)).collect();
    let own: BTreeSet<(&str, &str)> = steps.iter().map(DropStep::key).collect();
    let mut hanging = Vec::new();
    for ((id, _), step) in objects.iter().zip(&steps) {
        let readers = catalog.dependents(*id);
        let others = readers.iter().filter_map(|id| catalog.objects.get(id));
        // Dropping a table drops the sinks that write into it silently.
        let is_writer = |o: &&CatalogObject| o.sink_into == Some(*id) && !o.relation.is_hidden();
        let writers = catalog.objects.values().filter(is_writer);
        for other in others.chain(writers) {
            let object = DropStep::of(other);
            if !own.contains(&object.key()) {
                hanging.push(Hanging {
                    object,
                    on: step.clone(),
                });
            }
        }
    }
    (steps, hanging)
}

type ByName<'a> = HashMap<(Kind, RelationName), (ObjectId, &'a CatalogObject)>;

fn by_name(catalog: &CatalogSnapshot) -> ByName<'_> {
    let shown = catalog
        .objects
        .iter()
        .filter(|(_, object)| !object.relation.is_hidden());
    shown
        .map(|(id, object)| {
            let key = (object.kind.namespace(), object.relation.clone());
            (key, (*id, object))
        })
        .collect()
}

/// Connections and secrets that the project's hooks made and that exist: they go last.
pub fn hook_objects(
    statements: &[Statement],
    catalog: &CatalogSnapshot,
    default_schema: &str,
) -> Vec<DropStep> {
    let mut steps: Vec<DropStep> = statements
        .iter()
        .filter_map(|statement| match statement {
            Statement::CreateConnection(create) => Some((Kind::Connection, &create.name)),
            Statement::CreateSecret(create) => Some((Kind::Secret, &create.name)),
            _ => None,
        })
        .filter_map(|(kind, name)| catalog.find(&RelationName::of(name, default_schema), kind))
        .map(|(_, object)| DropStep::of(object))
        .collect();
    steps.reverse();
    steps
}

/// Drops the objects one after the other and stops at the first refusal.
///
/// # Errors
/// What the server refused; `report` holds what was dropped before.
pub fn drop_all(
    connection: &Connection,
    steps: &[DropStep],
    report: &mut DropReport,
    mut told: impl FnMut(&DropStep),
) -> Result<(), DatabaseError> {
    for step in steps {
        connection.run(&step.statement())?;
        told(step);
        report.dropped.push(step.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let step = DropStep {
            kind: "materialized view".to_owned(),
            schema: "public".to_owned(),
            identifier: "a\"b".to_owned(),
        };
        assert_eq!(
            step.statement(),
            "drop materialized view if exists \"public\".\"a\"\"b\""
        );
    }
}
