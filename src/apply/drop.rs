//! Dropping what the project made: children before parents, never by CASCADE, and not before everything else that hangs
//! on it is known.

use std::collections::BTreeSet;
use std::fmt;

use rwt_compiler::materialize::{DatabaseError, ExistingRelation, drop_statement};
use rwt_project::manifest::Node;
use rwt_sql::{Ident, Statement};
use serde::Serialize;

use crate::client::{Catalog, Connection};

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
    fn of(relation: &ExistingRelation) -> Self {
        Self {
            kind: relation.kind.replace('_', " "),
            schema: relation.schema.clone(),
            identifier: relation.identifier.clone(),
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
    catalog: &Catalog,
) -> (Vec<DropStep>, Vec<Hanging>) {
    let mut entries: Vec<_> = nodes
        .into_iter()
        .filter_map(|node| catalog.get(&node.schema, &node.identifier))
        .collect();
    entries.reverse();
    let steps: Vec<DropStep> = entries
        .iter()
        .map(|entry| DropStep::of(&entry.relation))
        .collect();
    let own: BTreeSet<(&str, &str)> = steps.iter().map(DropStep::key).collect();
    let mut hanging = Vec::new();
    for (entry, step) in entries.iter().zip(&steps) {
        let readers = catalog.dependents(entry);
        let writers = catalog.sinks_into(entry);
        for other in readers.into_iter().chain(writers) {
            let object = DropStep::of(&other.relation);
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

/// Connections and secrets that the project's hooks made and that exist: they go last.
pub fn hook_objects(
    statements: &[Statement],
    catalog: &Catalog,
    default_schema: &str,
) -> Vec<DropStep> {
    let mut steps: Vec<DropStep> = statements
        .iter()
        .filter_map(|statement| match statement {
            Statement::CreateConnection(create) => Some(&create.name),
            Statement::CreateSecret(create) => Some(&create.name),
            _ => None,
        })
        .filter_map(|name| catalog.get(name.schema().unwrap_or(default_schema), name.name()))
        .map(|entry| DropStep::of(&entry.relation))
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
    catalog: &mut Catalog,
    report: &mut DropReport,
    mut told: impl FnMut(&DropStep),
) -> Result<(), DatabaseError> {
    for step in steps {
        connection.run(&step.statement())?;
        catalog.remove(&step.schema, &step.identifier);
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
