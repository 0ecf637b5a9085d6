//! Statements and queries: `statement`, `run_query`, `load_result`, and the tables that queries give.

use std::fmt;
use std::sync::{Arc, PoisonError};

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::{dict, from_json, list};
use super::error::{raise, raise_database};
use super::relation::Relation;
use super::scope::{Phase, Scope, StatementResult, scope_of};
use crate::materialize::{Response, Table};

/// Sends statements to the session and keeps the answer.
///
/// # Errors
/// What the database refused, or that there is no session.
pub fn execute(scope: &Scope, sql: &str) -> Result<(Response, bool), Error> {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    let Some(session) = scope.session.as_ref().filter(|_| !sql.is_empty()) else {
        return Ok((Response::default(), false));
    };
    let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
    let live = session.is_live();
    let response = session.execute(sql).map_err(raise_database)?;
    Ok((response, live))
}

/// The relation of this name in the database.
///
/// # Errors
/// What the database refused.
pub fn find_relation(scope: &Scope, relation: &Relation) -> Result<Value, Error> {
    let (Some(session), Some(identifier)) = (&scope.session, &relation.identifier) else {
        return Ok(Value::from(()));
    };
    let schema = relation
        .schema
        .as_deref()
        .unwrap_or(&scope.shared.default_schema);
    let found = session
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .relation(schema, identifier)
        .map_err(raise_database)?;
    Ok(found.map_or_else(
        || Value::from(()),
        |found| {
            Relation::new(&found.database, &found.schema, &found.identifier)
                .of_kind(&found.kind)
                .value()
        },
    ))
}

/// `{% call statement('main', fetch_result=True) %}`
///
/// # Errors
/// What the database refused; a call without a block.
pub fn statement(state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let (name, keywords): (Option<Value>, Kwargs) = from_args(args)?;
    let named: Option<Value> = keywords.get("name")?;
    let caller: Option<Value> = keywords.get("caller")?;
    let caller = caller.ok_or_else(|| {
        raise(
            "rwt::jinja::statement",
            "statement() takes its SQL from a block",
            Some("{% call statement('main') %} … {% endcall %}".to_owned()),
        )
    })?;
    let sql = caller.call(state, &[])?.to_string();
    let scope = scope_of(state)?;
    if scope.phase == Phase::Parse {
        return Ok(Value::from(""));
    }
    let (response, live) = execute(&scope, &sql)?;
    if let Some(name) = name.or(named).filter(|name| !name.is_none()) {
        scope.store_result(&name.to_string(), result_of(response, live));
    }
    Ok(Value::from(""))
}

/// `run_query(sql)`: a table, or none while parsing.
///
/// # Errors
/// What the database refused.
pub fn run_query(state: &mut State<'_, '_>, sql: &Value) -> Result<Value, Error> {
    let scope = scope_of(state)?;
    if scope.phase == Phase::Parse {
        return Ok(Value::from(()));
    }
    let (response, live) = execute(&scope, &sql.to_string())?;
    Ok(table_value(response.table.unwrap_or_default(), live))
}

fn result_of(response: Response, live: bool) -> StatementResult {
    let table = response.table.unwrap_or_default();
    let data = list(table.rows.iter().map(|row| list(row.iter().map(from_json))));
    let answer = dict([
        (
            Value::from("_message"),
            Value::from(response.message.as_str()),
        ),
        (Value::from("code"), Value::from(response.message.as_str())),
        (
            Value::from("rows_affected"),
            Value::from(response.rows_affected),
        ),
    ]);
    StatementResult {
        message: response.message,
        code: String::new(),
        rows_affected: response.rows_affected,
        value: dict([
            (Value::from("response"), answer),
            (Value::from("data"), data),
            (Value::from("table"), table_value(table, live)),
        ]),
    }
}

/// `store_raw_result(name, message, code, rows_affected)`, which a materialization uses to say that it did nothing.
///
/// # Errors
/// An unknown argument.
pub fn store_raw_result(state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let (name, keywords): (Option<Value>, Kwargs) = from_args(args)?;
    let text = |key: &str| -> Result<String, Error> {
        let value: Option<Value> = keywords.get(key)?;
        Ok(value
            .filter(|v| !v.is_none())
            .map(|v| v.to_string())
            .unwrap_or_default())
    };
    let message = text("message")?;
    let code = text("code")?;
    let rows = text("rows_affected")?;
    let name = match name {
        Some(name) => name.to_string(),
        None => text("name")?,
    };
    let _: Option<Value> = keywords.get("agate_table")?;
    keywords.assert_all_used()?;
    let mut result = result_of(
        Response {
            message,
            rows_affected: rows.parse().ok(),
            table: None,
        },
        true,
    );
    result.code = code;
    scope_of(state)?.store_result(&name, result);
    Ok(Value::from(""))
}

/// `load_result(name)`
///
/// # Errors
/// None of its own.
pub fn load_result(state: &mut State<'_, '_>, name: &str) -> Result<Value, Error> {
    Ok(scope_of(state)?
        .result(name)
        .map_or_else(|| Value::from(()), |result| result.value))
}

/// Rows and columns as agate shows them: `rows[0][1]`, `rows[0]['name']`, `columns[0].values()`, `column_names`.
struct TableValue {
    table: Arc<Table>,
    /// False for a recorder, which has no answers: its columns are empty ones of any name.
    live: bool,
}

impl fmt::Debug for TableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<table of {} rows>", self.table.rows.len())
    }
}

fn table_value(table: Table, live: bool) -> Value {
    Value::from_object(TableValue {
        table: Arc::new(table),
        live,
    })
}

impl Object for TableValue {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let table = &self.table;
        match key.as_str()? {
            "rows" => Some(list((0..table.rows.len()).map(|row| {
                Value::from_object(Row {
                    table: Arc::clone(table),
                    row,
                })
            }))),
            "columns" => Some(Value::from_object(Columns {
                table: Arc::clone(table),
                live: self.live,
            })),
            "column_names" => Some(list(
                table.columns.iter().map(|name| Value::from(name.as_str())),
            )),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["rows", "columns", "column_names"])
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.table.rows.len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "print_table" => Ok(Value::from("")),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

struct Row {
    table: Arc<Table>,
    row: usize,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.table.rows[self.row]).finish()
    }
}

impl Row {
    fn pairs(&self) -> Vec<(Value, Value)> {
        let names = self
            .table
            .columns
            .iter()
            .map(|name| Value::from(name.as_str()));
        names
            .zip(self.table.rows[self.row].iter().map(from_json))
            .collect()
    }
}

impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = match key.as_str() {
            Some(name) => self
                .table
                .columns
                .iter()
                .position(|column| column == name)?,
            None => key.as_usize()?,
        };
        self.table.rows[self.row].get(index).map(from_json)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.table.columns.len())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "values" => Ok(list(self.pairs().into_iter().map(|(_, value)| value))),
            "keys" => Ok(list(self.pairs().into_iter().map(|(key, _)| key))),
            "dict" => Ok(dict(self.pairs())),
            "items" => Ok(list(self.pairs().into_iter().map(|(key, value)| {
                Value::from(minijinja::value::Tuple::from([key, value]))
            }))),
            "get" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                Ok(self
                    .get_value(&key)
                    .or(default)
                    .unwrap_or_else(|| Value::from(())))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

struct Columns {
    table: Arc<Table>,
    live: bool,
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.table.columns).finish()
    }
}

impl Object for Columns {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = match key.as_str() {
            Some(name) => self.table.columns.iter().position(|column| column == name),
            None => key
                .as_usize()
                .filter(|index| *index < self.table.columns.len()),
        };
        if index.is_none() && self.live {
            return None;
        }
        Some(Value::from_object(Column {
            table: Arc::clone(&self.table),
            index,
        }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.table.columns.len())
    }
}

struct Column {
    table: Arc<Table>,
    /// None for a column that nobody knows, because no database was asked.
    index: Option<usize>,
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            self.index
                .map_or("", |index| self.table.columns[index].as_str()),
        )
    }
}

impl Object for Column {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let Some(row) = key.as_usize() else {
            return (key.as_str()? == "name").then(|| Value::from(format!("{self:?}")));
        };
        self.table.rows.get(row)?.get(self.index?).map(from_json)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(if self.index.is_some() {
            self.table.rows.len()
        } else {
            0
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "values" => {
                let rows = 0..self.table.rows.len();
                Ok(list(
                    rows.filter_map(|row| self.get_value(&Value::from(row))),
                ))
            }
            "values_distinct" => {
                let mut seen = Vec::new();
                for row in 0..self.table.rows.len() {
                    if let Some(value) = self.get_value(&Value::from(row))
                        && !seen.contains(&value)
                    {
                        seen.push(value);
                    }
                }
                Ok(list(seen))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
