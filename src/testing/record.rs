//! A unit test from rows of the live database: some rows of everything that the model reads, and what the model's query
//! makes of exactly these rows. The expected rows are computed here and not read, so that they fit the inputs however few
//! of the rows were taken.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use rwt_compiler::materialize::DatabaseError;
use rwt_compiler::{
    Cell, CompileError, Compiler, RowValues, TestInput, TestRow, TestRows, UnitTestPlan,
};
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_project::yaml::{Location, SourceFile};
use rwt_query::Column;
use rwt_sql::DataType;

use super::engine::Printed;
use super::error::TestError;
use super::unit::UnitTests;
use crate::client::Connection;

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum RecordError {
    /// Its template.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Compile(#[from] CompileError),
    /// Its text is no query.
    #[error("the model `{0}` has no query that could be tested")]
    #[diagnostic(
        code(rwt::test::no_query),
        help("unit tests are of models whose text is a query")
    )]
    NoQuery(String),
    /// Rows of an input cannot be read.
    #[error("rows of {input} cannot be read: {error}")]
    #[diagnostic(code(rwt::database::error), help("`rwt run` makes what is missing"))]
    Rows {
        /// The input.
        input: String,
        /// What the server said.
        error: DatabaseError,
    },
    /// The engine cannot run the model's query.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Test(Box<TestError>),
}

impl From<TestError> for RecordError {
    fn from(error: TestError) -> Self {
        Self::Test(Box::new(error))
    }
}

/// Records a unit test of a model as the text of a property file. `limit` is how many rows are taken of each input.
///
/// # Errors
/// See [`RecordError`].
pub fn record(
    compiler: &Compiler,
    model: &Node,
    connection: &Connection,
    limit: u32,
    now: DateTime<Utc>,
    tests: (&mut UnitTests<'_>, &tokio::runtime::Handle),
) -> Result<String, RecordError> {
    let (tests, handle) = tests;
    let Some((query, is_stream)) = compiler.query_of(&model.unique_id)? else {
        return Err(RecordError::NoQuery(model.name.clone()));
    };
    let at = Location::new(SourceFile::new("recorded", ""), 0..0);
    let depends_on_time = depends_on_time(&query);
    let mut inputs = Vec::new();
    let mut shown = Vec::new();
    for read in reads(compiler, model) {
        let label = match &read.source_name {
            Some(source) => format!("source('{source}', '{}')", read.name),
            None => format!("ref('{}')", read.name),
        };
        let is_ephemeral = read.materialized == "ephemeral";
        let from = if is_ephemeral {
            let compiled = compiler.compile(&read.unique_id)?.compiled_code;
            format!("({}\n) as given", compiled.trim().trim_end_matches(';'))
        } else {
            read.relation_name()
        };
        let sql = format!("select * from {from} limit {limit}");
        let failed = |error| RecordError::Rows {
            input: label.clone(),
            error,
        };
        let found = connection.query(&sql).map_err(failed)?;
        let shape = handle.block_on(tests.schemas().of(&read.unique_id));
        let columns: Vec<Column> = found
            .columns
            .iter()
            .map(|name| match shape.column(name) {
                Some(column) => column.clone(),
                None => Column::new(name.as_str(), DataType::Varchar),
            })
            .collect();
        // What the statement does not declare (`_row_id`, `_rw_timestamp`) is no column of the test's.
        let kept: Vec<usize> = (0..columns.len())
            .filter(|i| !shape.is_complete || shape.column(&found.columns[*i]).is_some())
            .collect();
        let rows = found.rows.iter().map(|row| TestRow {
            cells: kept
                .iter()
                .map(|i| row[*i].clone().map_or(Cell::Null, Cell::Text))
                .collect(),
            at: at.clone(),
        });
        let values = RowValues {
            columns: kept
                .iter()
                .map(|i| (columns[*i].name.clone(), at.clone()))
                .collect(),
            rows: rows.collect(),
            at: at.clone(),
        };
        shown.push((
            label.clone(),
            Printed {
                columns: kept.iter().map(|i| columns[*i].clone()).collect(),
                rows: found
                    .rows
                    .iter()
                    .map(|row| kept.iter().map(|i| row[*i].clone()).collect())
                    .collect(),
            },
        ));
        inputs.push(TestInput {
            label,
            node: read.unique_id.clone(),
            schema: (!is_ephemeral).then(|| read.schema.clone()),
            identifier: match is_ephemeral {
                true => format!("__dbt__cte__{}", read.name),
                false => read.identifier.clone(),
            },
            rows: TestRows::Values(values),
            at: at.clone(),
        });
    }
    let empty = RowValues {
        columns: Vec::new(),
        rows: Vec::new(),
        at: at.clone(),
    };
    let name = format!("recorded_{}", now.format("%Y_%m_%d"));
    let plan = UnitTestPlan {
        unique_id: UniqueId(format!("unit_test.recorded.{name}")),
        name: name.clone(),
        at,
        model: model.unique_id.clone(),
        query: tested_query(&query, compiler, model),
        is_stream,
        inputs,
        expect: TestRows::Values(empty),
        now: Some(now),
    };
    let expected = handle.block_on(tests.answer(&plan))?;
    Ok(yaml(
        model,
        &name,
        &shown,
        &expected,
        depends_on_time.then_some(now),
    ))
}

/// What a model reads, in the order of its ids. Functions are not rows.
fn reads<'a>(compiler: &'a Compiler, model: &Node) -> Vec<&'a Node> {
    let nodes = &compiler.manifest().nodes;
    let read = model.depends_on.iter().filter_map(|id| nodes.get(id));
    read.filter(|node| node.resource_type != ResourceType::Function)
        .collect()
}

/// The query as a unit test runs it: with ephemeral models as inputs and not in front. A test that is read back renders it
/// so.
fn tested_query(query: &str, compiler: &Compiler, model: &Node) -> String {
    compiler
        .bare_query_of(&model.unique_id)
        .ok()
        .flatten()
        .unwrap_or_else(|| query.to_owned())
}

fn depends_on_time(query: &str) -> bool {
    let query = query.to_ascii_lowercase();
    let words = ["now(", "proctime(", "current_timestamp"];
    words.iter().any(|word| query.contains(word))
}

fn yaml(
    model: &Node,
    name: &str,
    inputs: &[(String, Printed)],
    expected: &Printed,
    now: Option<DateTime<Utc>>,
) -> String {
    let mut out = String::from("version: 2\n\nunit_tests:\n");
    let _ = writeln!(out, "  - name: {name}\n    model: {}", model.name);
    out.push_str("    description: Recorded from rows of the database by `rwt test --record`.\n");
    if let Some(now) = now {
        let now = now.format("%Y-%m-%d %H:%M:%S%.6f+00:00");
        let _ = writeln!(out, "    config:\n      meta: {{now: '{now}'}}");
    }
    out.push_str("    given:");
    out.push_str(if inputs.is_empty() { " []\n" } else { "\n" });
    for (label, rows) in inputs {
        let _ = writeln!(out, "      - input: {label}");
        rows_yaml(rows, "        ", &mut out);
    }
    out.push_str("    expect:\n");
    rows_yaml(expected, "      ", &mut out);
    out
}

fn rows_yaml(rows: &Printed, indent: &str, out: &mut String) {
    if rows.rows.is_empty() {
        let _ = writeln!(out, "{indent}rows: []");
        return;
    }
    let _ = writeln!(out, "{indent}rows:");
    for row in &rows.rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&rows.columns)
            .map(|(cell, column)| {
                format!(
                    "{}: {}",
                    key(&column.name),
                    value(cell.as_deref(), &column.data_type)
                )
            })
            .collect();
        let _ = writeln!(out, "{indent}  - {{{}}}", cells.join(", "));
    }
}

fn key(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !matches!(
            name,
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if plain { name.to_owned() } else { quoted(name) }
}

/// A value as YAML writes it, so that it is read as the same.
fn value(cell: Option<&str>, data_type: &DataType) -> String {
    let Some(text) = cell else {
        return "null".to_owned();
    };
    match data_type {
        DataType::Boolean => if text == "t" || text == "true" {
            "true"
        } else {
            "false"
        }
        .to_owned(),
        DataType::SmallInt | DataType::Integer | DataType::BigInt
            if text.parse::<i64>().is_ok() =>
        {
            text.to_owned()
        }
        _ => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    if text.chars().any(char::is_control) {
        // JSON's text is YAML's with double quotes.
        return serde_json::Value::from(text).to_string();
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_so_that_they_are_read_as_the_same() {
        let number = DataType::BigInt;
        assert_eq!(value(None, &number), "null");
        assert_eq!(value(Some("7"), &number), "7");
        assert_eq!(value(Some("t"), &DataType::Boolean), "true");
        assert_eq!(value(Some("1.50"), &DataType::Numeric), "'1.50'");
        assert_eq!(value(Some("it's"), &DataType::Varchar), "'it''s'");
        assert_eq!(value(Some("a\nb"), &DataType::Varchar), "\"a\\nb\"");
        assert_eq!(key("user_id"), "user_id");
        assert_eq!(key("on"), "'on'");
        assert_eq!(key("a b"), "'a b'");
    }
}
