//! A live session: what a materialization says goes to the database.

use std::sync::{Arc, Mutex, PoisonError};

use rwt_compiler::QueryComment;
use rwt_compiler::materialize::{
    DatabaseError, ExistingRelation, Response, Session, Table, TextOf, created,
};
use rwt_sql::statement::ObjectKind;
use rwt_sql::{ObjectName, Statement};
use serde_json::Value;
use tokio_postgres::types::Type;

use crate::catalog::Names;
use crate::client::Connection;

/// One node's session on a connection that may serve several nodes, one after the other.
pub struct LiveSession {
    connection: Connection,
    names: Arc<Mutex<Names>>,
    database: String,
    default_schema: String,
    settings_changed: bool,
}

impl LiveSession {
    /// A session that looks relations up in `names` and keeps it up to date.
    pub fn new(
        connection: Connection,
        names: Arc<Mutex<Names>>,
        database: &str,
        default_schema: &str,
    ) -> Self {
        Self {
            connection,
            names,
            database: database.to_owned(),
            default_schema: default_schema.to_owned(),
            settings_changed: false,
        }
    }

    /// Whether the connection may serve another node: it is open, and no `SET` of this node is left on it.
    pub fn is_clean(&self) -> bool {
        !self.settings_changed && !self.connection.is_closed()
    }

    /// The connection beneath.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Puts another comment on what is sent from here on.
    pub fn set_comment(&mut self, comment: Option<QueryComment>) {
        self.connection.set_comment(comment);
    }

    fn note_effects(&mut self, statement: &Statement) {
        match statement {
            Statement::Set { .. } => self.settings_changed = true,
            Statement::Drop(drop) if drop.kind != ObjectKind::Schema => {
                for name in &drop.names {
                    let schema = self.schema_of(name);
                    self.locked().remove(&schema, name.name());
                }
            }
            _ => {}
        }
        if let Some((kind, name, _)) = created(statement)
            && kind != "schema"
        {
            let schema = self.schema_of(name);
            let mut names = self.locked();
            if names.get(&schema, name.name()).is_none() {
                names.insert(ExistingRelation {
                    database: self.database.clone(),
                    schema,
                    identifier: name.name().to_owned(),
                    kind: kind.to_owned(),
                });
            }
        }
    }

    /// The schema that a name means.
    pub fn schema_of(&self, name: &ObjectName) -> String {
        name.schema().unwrap_or(&self.default_schema).to_owned()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Column types of a query, so that its numbers and booleans arrive as such.
    fn column_types(&self, sql: &str) -> Vec<Type> {
        self.connection.describe(sql).unwrap_or_default()
    }
}

impl Session for LiveSession {
    fn execute(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        // What cannot be parsed here is the server's to judge.
        let statements: Vec<Statement> = rwt_sql::parse_script(sql)
            .map(|located| located.into_iter().map(|l| l.value).collect())
            .unwrap_or_default();
        let types = match statements.as_slice() {
            [Statement::Query(_)] => self.column_types(sql),
            _ => Vec::new(),
        };
        let last = self.connection.run(sql)?.pop().unwrap_or_default();
        for statement in &statements {
            self.note_effects(statement);
        }
        let message = match statements.last() {
            Some(Statement::Query(_)) => format!("SELECT {}", last.rows.len()),
            Some(statement) => statement.verb_and_object().0.replace(' ', "_"),
            None => "OK".to_owned(),
        };
        let table = (!last.columns.is_empty()).then(|| Table {
            rows: last
                .rows
                .iter()
                .map(|row| {
                    row.iter()
                        .enumerate()
                        .map(|(i, cell)| typed(cell.as_deref(), types.get(i)))
                        .collect()
                })
                .collect(),
            columns: last.columns,
            texts: types.iter().map(text_of).collect(),
        });
        Ok(Response {
            message,
            rows_affected: Some(last.count),
            table,
        })
    }

    fn columns(&mut self, sql: &str) -> Result<Vec<(String, u32)>, DatabaseError> {
        self.connection.columns(sql)
    }

    fn relation(
        &mut self,
        schema: &str,
        identifier: &str,
    ) -> Result<Option<ExistingRelation>, DatabaseError> {
        Ok(self.locked().get(schema, identifier).cloned())
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// A cell as Jinja and JSON should see it: numbers and truth values are such.
pub fn typed(cell: Option<&str>, column: Option<&Type>) -> Value {
    let Some(text) = cell else {
        return Value::Null;
    };
    let as_text = || Value::String(text.to_owned());
    match column {
        Some(&Type::BOOL) => Value::Bool(text == "t"),
        Some(&Type::INT2 | &Type::INT4 | &Type::INT8) => {
            text.parse::<i64>().map_or_else(|_| as_text(), Value::from)
        }
        // A numeric without a fraction is exact and has none in Python either.
        Some(&Type::NUMERIC) if text.parse::<i64>().is_ok() => {
            text.parse::<i64>().map_or_else(|_| as_text(), Value::from)
        }
        Some(&Type::FLOAT4 | &Type::FLOAT8 | &Type::NUMERIC) => text
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or_else(as_text, Value::Number),
        _ => as_text(),
    }
}

fn text_of(column: &Type) -> TextOf {
    match *column {
        Type::DATE => TextOf::Date,
        Type::TIMESTAMP => TextOf::Timestamp,
        Type::TIMESTAMPTZ => TextOf::Timestamptz,
        _ => TextOf::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_take_their_columns_types() {
        assert_eq!(typed(Some("t"), Some(&Type::BOOL)), Value::Bool(true));
        assert_eq!(typed(Some("7"), Some(&Type::INT8)), Value::from(7));
        assert_eq!(typed(Some("100"), Some(&Type::NUMERIC)), Value::from(100));
        assert_eq!(typed(Some("0.5"), Some(&Type::NUMERIC)), Value::from(0.5));
        assert_eq!(typed(Some("7"), None), Value::from("7"));
        assert_eq!(typed(None, Some(&Type::INT8)), Value::Null);
    }
}
