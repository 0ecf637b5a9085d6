//! The objects that rwt has made or adopted, and what its deployments have left behind.

use rwt_compiler::materialize::DatabaseError;
use rwt_plan::catalog::ObjectId;
use rwt_plan::state::{Leftover, StateObject, StateSnapshot};
use rwt_plan::{Kind, RelationName};
use rwt_sql::Literal;

use super::store::Store;

/// Rows of one INSERT.
const ROWS: usize = 200;
/// Bytes of one INSERT, unless a single row has more. Servers bound the size of a message between their processes.
const BYTES: usize = 512 * 1024;

/// A change of what is remembered.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectChange {
    /// A node's object is as said.
    Record(String, Box<StateObject>),
    /// A node has no object any more.
    Forget(String),
    /// An object was taken out of use and is still there.
    Leave(Leftover),
    /// An object that was out of use is gone.
    Gone(ObjectId),
}

impl Store {
    /// All that a plan needs of the state: three queries, or one where there is no state yet. The state of a newer rwt is
    /// not read; see [`StateSnapshot::check`].
    ///
    /// # Errors
    /// What the server refused, or records that cannot be read.
    pub fn snapshot(&self) -> Result<StateSnapshot, DatabaseError> {
        let mut snapshot = self.head()?;
        if snapshot.format == 0 || snapshot.check().is_err() {
            return Ok(snapshot);
        }
        let objects = "select project, target_schema, unique_id, record from rwt.objects";
        for row in self.query(objects)?.rows {
            if let [Some(project), Some(schema), Some(unique_id), Some(record)] = row.as_slice() {
                let is_own = project == self.project() && schema == self.schema();
                // Objects of others are known as such under a name that no node has.
                let key = if is_own {
                    unique_id.clone()
                } else {
                    format!("{unique_id} of {project} in {schema}")
                };
                let object = serde_json::from_str(record).map_err(|error| DatabaseError {
                    sqlstate: None,
                    message: format!(
                        "the record of {unique_id} in rwt.objects cannot be read: {error}"
                    ),
                    statement: objects.to_owned(),
                    line: None,
                })?;
                snapshot.objects.insert(key, object);
            }
        }
        // What another project or target keeps is none of this one's business.
        let leftovers = self.query(&format!(
            "select object_id, schema_name, name, kind, deployment, keep from rwt.leftovers \
             where deployment not in (\
             select id from rwt.deployments where project <> {} or target <> {}) order by object_id",
            Literal::Text(self.project()),
            Literal::Text(self.target()),
        ))?;
        for row in leftovers.rows {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || cells.next().unwrap_or_default();
            let (id, schema, name, kind) = (next(), next(), next(), next());
            let (deployment, keep) = (next(), next());
            if let (Ok(object_id), Some(kind)) = (id.parse(), Kind::parse(&kind)) {
                snapshot.leftovers.push(Leftover {
                    object_id,
                    relation: RelationName::new(schema, name),
                    kind,
                    deployment,
                    keep: keep == "t",
                });
            }
        }
        Ok(snapshot)
    }

    /// The format of the state and who wrote it, and nothing else: enough for [`StateSnapshot::check`].
    ///
    /// # Errors
    /// What the server refused.
    pub fn head(&self) -> Result<StateSnapshot, DatabaseError> {
        let (format, rwt_version) = self.format()?.unwrap_or_default();
        Ok(StateSnapshot {
            format,
            rwt_version,
            ..StateSnapshot::default()
        })
    }

    /// Writes changes of what is remembered; all are durable when this returns. The tables must be there.
    ///
    /// # Errors
    /// What the server refused.
    pub fn record(&self, changes: &[ObjectChange]) -> Result<(), DatabaseError> {
        self.write(&statements(self.project(), self.schema(), changes))
    }
}

fn statements(project: &str, schema: &str, changes: &[ObjectChange]) -> Vec<String> {
    let mut objects = Vec::new();
    let mut leftovers = Vec::new();
    let (mut forgotten, mut gone) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            ObjectChange::Record(unique_id, object) => {
                objects.push(object_row((project, schema, unique_id), object));
            }
            ObjectChange::Forget(unique_id) => forgotten.push(Literal::Text(unique_id).to_string()),
            ObjectChange::Leave(leftover) => leftovers.push(leftover_row(leftover)),
            ObjectChange::Gone(id) => gone.push(number(*id)),
        }
    }
    let mut statements = Vec::new();
    // What is forgotten goes first: a renamed node is recorded under its new name by the same step.
    if !forgotten.is_empty() {
        let list = forgotten.join(", ");
        statements.push(format!(
            "delete from rwt.objects where project = {} and target_schema = {} and unique_id in ({list})",
            Literal::Text(project),
            Literal::Text(schema)
        ));
    }
    statements.extend(inserts("rwt.objects", &objects));
    statements.extend(inserts("rwt.leftovers", &leftovers));
    if !gone.is_empty() {
        let list = gone.join(", ");
        statements.push(format!(
            "delete from rwt.leftovers where object_id in ({list})"
        ));
    }
    statements
}

/// INSERT statements of a bearable size.
fn inserts(table: &str, rows: &[String]) -> Vec<String> {
    let mut batches: Vec<Vec<&str>> = Vec::new();
    let mut bytes = 0;
    for row in rows {
        match batches.last_mut() {
            Some(batch) if batch.len() < ROWS && bytes + row.len() <= BYTES => {
                batch.push(row.as_str());
            }
            _ => {
                batches.push(vec![row.as_str()]);
                bytes = 0;
            }
        }
        bytes += row.len();
    }
    batches
        .into_iter()
        .map(|rows| format!("insert into {table} values {}", rows.join(", ")))
        .collect()
}

fn number(id: ObjectId) -> String {
    Literal::Int(i64::try_from(id).unwrap_or(i64::MAX)).to_string()
}

fn object_row((project, schema, unique_id): (&str, &str, &str), object: &StateObject) -> String {
    let text = |text: &str| Literal::Text(text).to_string();
    let record = serde_json::to_string(object).unwrap_or_default();
    format!(
        "({}, {}, {}, {}, {}, {}, {}, {}, {}, cast({} as timestamptz), {})",
        text(project),
        text(schema),
        text(unique_id),
        text(&object.relation.schema),
        text(&object.relation.name),
        text(&object.kind.to_string()),
        object
            .object_id
            .map_or_else(|| Literal::Null.to_string(), number),
        text(&object.fingerprint.identity),
        text(&object.deployment),
        text(&object.applied_at),
        text(&record),
    )
}

fn leftover_row(leftover: &Leftover) -> String {
    let text = |text: &str| Literal::Text(text).to_string();
    format!(
        "({}, {}, {}, {}, {}, {})",
        number(leftover.object_id),
        text(&leftover.relation.schema),
        text(&leftover.relation.name),
        text(&leftover.kind.to_string()),
        text(&leftover.deployment),
        Literal::Bool(leftover.keep),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_or_long_rows_are_several_statements() {
        let short = vec!["(1)".to_owned(); 401];
        assert_eq!(inserts("t", &short).len(), 3);
        let long = vec!["x".repeat(BYTES / 2 + 1); 3];
        assert_eq!(inserts("t", &long).len(), 3);
        assert_eq!(inserts("t", &[]), Vec::<String>::new());
    }

    #[test]
    fn values_are_written_as_literals() {
        let leftover = Leftover {
            object_id: 7,
            relation: RelationName::new("public", "it's"),
            kind: Kind::MaterializedView,
            deployment: "d1".to_owned(),
            keep: true,
        };
        let written = statements(
            "shop",
            "public",
            &[
                ObjectChange::Leave(leftover),
                ObjectChange::Gone(8),
                ObjectChange::Forget("model.a.b".to_owned()),
            ],
        );
        assert_eq!(
            written,
            [
                "delete from rwt.objects where project = 'shop' and target_schema = 'public' and unique_id in ('model.a.b')",
                "insert into rwt.leftovers values (7, 'public', 'it''s', 'materialized view', 'd1', true)",
                "delete from rwt.leftovers where object_id in (8)",
            ]
        );
    }
}
