//! A database without an engine for the conformance tests: relations by name, the answers that a case gives, and every
//! statement that arrived. The Rust side of `tests/conformance/wire.py`.

use std::collections::BTreeMap;

use rwt_compiler::materialize::{
    DatabaseError, ExistingRelation, RecordedStatement, Response, Session, Table, created,
};
use rwt_sql::statement::{AlterAction, ObjectKind};
use rwt_sql::{ObjectName, Statement, parse_statement};
use serde_json::Value;

/// See the module.
#[derive(Default)]
pub struct Replica {
    pub schema: String,
    /// Columns of relations by name: `[[name, type], …]`.
    pub columns: Value,
    /// `[{contains, columns: [[name, type], …], rows}, …]`
    pub answers: Value,
    pub relations: BTreeMap<(String, String), String>,
    /// Statements that are no catalog queries, in order.
    pub sent: Vec<String>,
}

/// White space as one blank, so that layouts compare equal.
pub fn folded(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Replica {
    pub fn new(schema: &str, case: &Value) -> Self {
        Self {
            schema: schema.to_owned(),
            columns: case["columns"].clone(),
            answers: case["answers"].clone(),
            ..Self::default()
        }
    }

    fn key(&self, name: &ObjectName) -> (String, String) {
        let schema = name.schema().unwrap_or(&self.schema);
        (schema.to_owned(), name.name().to_owned())
    }

    fn apply(&mut self, statement: &Statement) {
        if let Some((kind, name, _)) = created(statement) {
            if kind != "schema" {
                self.relations.insert(self.key(name), kind.to_owned());
            }
            return;
        }
        match statement {
            Statement::Drop(drop) if drop.kind != ObjectKind::Schema => {
                for name in &drop.names {
                    self.relations.remove(&self.key(name));
                }
            }
            Statement::Alter(alter) => {
                let key = self.key(&alter.name);
                match &alter.action {
                    AlterAction::RenameTo(new) => {
                        if let Some(kind) = self.relations.remove(&key) {
                            self.relations.insert((key.0, new.value().to_owned()), kind);
                        }
                    }
                    AlterAction::SwapWith(other) => {
                        let other = self.key(other);
                        let (a, b) = (self.relations.remove(&key), self.relations.remove(&other));
                        self.relations.extend(b.map(|kind| (key, kind)));
                        self.relations.extend(a.map(|kind| (other, kind)));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// The rows of a catalog query that rwt's own macros send.
    fn catalog(&self, text: &str) -> Option<Table> {
        if text.contains("from information_schema.columns") {
            let table = quoted_behind(text, "table_name = ")?;
            let base = table.split("__dbt_tmp").next().unwrap_or_default();
            let rows = self.columns[base].as_array().cloned().unwrap_or_default();
            let rows = rows.iter().map(|row| vec![row[0].clone(), row[1].clone()]);
            return Some(Table {
                columns: vec!["column_name".to_owned(), "data_type".to_owned()],
                rows: rows.collect(),
                ..Table::default()
            });
        }
        // Tables that runs left which failed: there are none.
        text.contains("starts_with(t.name, ").then(|| Table {
            columns: vec!["name".to_owned()],
            rows: Vec::new(),
            ..Table::default()
        })
    }

    fn answer(&self, text: &str) -> Option<Table> {
        let answers = self.answers.as_array().into_iter().flatten();
        for answer in answers {
            if text.contains(answer["contains"].as_str().unwrap_or("\0")) {
                let columns = answer["columns"].as_array().cloned().unwrap_or_default();
                let rows = answer["rows"].as_array().cloned().unwrap_or_default();
                return Some(Table {
                    columns: columns
                        .iter()
                        .map(|column| column[0].as_str().unwrap_or_default().to_owned())
                        .collect(),
                    rows: rows
                        .iter()
                        .map(|row| row.as_array().cloned().unwrap_or_default())
                        .collect(),
                    ..Table::default()
                });
            }
        }
        None
    }
}

/// The number of a type, as `wire.py` gives it.
fn oid(kind: &str) -> u32 {
    let word = kind.split('(').next().unwrap_or_default().trim();
    match word.to_lowercase().as_str() {
        "int" | "integer" | "int4" => 23,
        "bigint" | "int8" => 20,
        "varchar" | "string" => 1043,
        "bool" | "boolean" => 16,
        "numeric" => 1700,
        "timestamp" => 1114,
        "date" => 1082,
        _ => 25,
    }
}

fn quoted_behind<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = &text[text.find(word)? + word.len()..];
    rest.strip_prefix('\'')?.split('\'').next()
}

impl Session for Replica {
    fn execute(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        let text = folded(sql);
        if let Some(table) = self.catalog(&text) {
            return Ok(Response {
                message: format!("SELECT {}", table.rows.len()),
                rows_affected: None,
                table: Some(table),
            });
        }
        let mut response = Response::default();
        for piece in rwt_sql::split_script(sql).expect("a script") {
            self.sent.push(folded(piece.text));
            let statement = parse_statement(piece.text)
                .unwrap_or_else(|_| RecordedStatement::parse(piece.text).statement);
            self.apply(&statement);
            let table = match &statement {
                Statement::Query(_) => {
                    Some(self.answer(&folded(piece.text)).unwrap_or_else(|| Table {
                        columns: vec!["?column?".to_owned()],
                        rows: Vec::new(),
                        ..Table::default()
                    }))
                }
                _ => None,
            };
            response = Response {
                message: match &table {
                    Some(table) => format!("SELECT {}", table.rows.len()),
                    None => statement.verb_and_object().0.replace(' ', "_"),
                },
                rows_affected: None,
                table,
            };
        }
        Ok(response)
    }

    /// An empty schema query says its types itself; others have the types of the case's answers.
    fn columns(&mut self, sql: &str) -> Result<Vec<(String, u32)>, DatabaseError> {
        let text = folded(sql);
        self.sent.push(text.clone());
        if let Some(list) = text
            .strip_prefix("select * from ( select cast(null as ")
            .and_then(|rest| rest.split(") as __dbt_sbq").next())
        {
            let items = list.split(", cast(null as ");
            return Ok(items
                .filter_map(|item| item.rsplit_once(") as "))
                .map(|(kind, name)| (name.trim().trim_matches('"').to_owned(), oid(kind)))
                .collect());
        }
        let answers = self.answers.as_array().into_iter().flatten();
        let mut found =
            answers.filter(|answer| text.contains(answer["contains"].as_str().unwrap_or("\0")));
        let columns = found.next().map(|answer| answer["columns"].clone());
        let columns = columns.unwrap_or_default();
        Ok(columns
            .as_array()
            .into_iter()
            .flatten()
            .map(|column| {
                let text = |i: usize| column[i].as_str().unwrap_or_default();
                (text(0).to_owned(), oid(text(1)))
            })
            .collect())
    }

    fn relation(
        &mut self,
        schema: &str,
        identifier: &str,
    ) -> Result<Option<ExistingRelation>, DatabaseError> {
        let key = (schema.to_owned(), identifier.to_owned());
        Ok(self.relations.get(&key).map(|kind| ExistingRelation {
            database: "dev".to_owned(),
            schema: key.0.clone(),
            identifier: key.1.clone(),
            kind: kind.clone(),
        }))
    }

    fn is_live(&self) -> bool {
        true
    }
}
