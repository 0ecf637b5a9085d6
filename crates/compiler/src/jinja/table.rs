//! The tables that queries give, as agate shows them: `rows[0][1]`, `rows[0]['name']`, `columns[0].values()`.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::collections::{dict, from_json, list};
use super::scope::{Level, scope_of};
use super::seed::SeedType;
use crate::materialize::Table;

/// Python's tuple: agate's sequences are such.
pub fn tuple(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from(Tuple::from(items.into_iter().collect::<Vec<_>>()))
}

/// `run_query(…)`, and `load_result(…).table`.
struct TableValue {
    table: Arc<Table>,
    /// False for a recorder, which has no answers: its columns are empty ones of any name.
    live: bool,
    /// Types of the columns, for a seed.
    types: Vec<SeedType>,
}

impl fmt::Debug for TableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<table of {} rows>", self.table.rows.len())
    }
}

/// A table as a template's value. Without a live database its columns are empty ones of any name.
pub fn table_value(table: Table, live: bool) -> Value {
    Value::from_object(TableValue {
        table: Arc::new(table),
        live,
        types: Vec::new(),
    })
}

/// A seed as a template's value.
pub fn seed_value(table: Table, types: Vec<SeedType>) -> Value {
    Value::from_object(TableValue {
        table: Arc::new(table),
        live: true,
        types,
    })
}

/// Rows of a seed as SQL, from a list of them as `batch` makes it.
///
/// # Errors
/// Something else than rows of one seed.
pub fn rows_sql(rows: &Value) -> Result<String, Error> {
    let mut values = Vec::new();
    let mut types = Vec::new();
    for row in rows.try_iter()? {
        let row = row
            .downcast_object::<Row>()
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "expected rows of a seed"))?;
        values.push(row.table.rows[row.row].clone());
        if types.is_empty() {
            types.clone_from(&row.types);
        }
    }
    Ok(super::seed::rows_sql(&values, &types))
}

impl TableValue {
    fn row(&self, row: usize) -> Option<Value> {
        (row < self.table.rows.len()).then(|| {
            Value::from_object(Row {
                table: Arc::clone(&self.table),
                row,
                types: self.types.clone(),
            })
        })
    }
}

impl Object for TableValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let table = &self.table;
        let Some(name) = key.as_str() else {
            return self.row(key.as_usize()?);
        };
        match name {
            "rows" => Some(list((0..table.rows.len()).filter_map(|row| self.row(row)))),
            "columns" => Some(Value::from_object(Columns {
                table: Arc::clone(table),
                live: self.live,
            })),
            "column_names" => Some(names(table)),
            "column_types" => Some(tuple(
                (0..table.columns.len()).map(|column| Value::from(type_name(table, column))),
            )),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.table.rows.len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "print_table" => {
                scope_of(state)?.report(Level::Print, &drawn(&self.table));
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

fn names(table: &Table) -> Value {
    tuple(table.columns.iter().map(|name| Value::from(name.as_str())))
}

/// agate's word for the type of a column's values.
fn type_name(table: &Table, column: usize) -> &'static str {
    let mut values = table.rows.iter().filter_map(|row| row.get(column));
    match values.find(|value| !value.is_null()) {
        Some(Json::Bool(_)) => "Boolean",
        Some(Json::Number(number)) if number.is_f64() => "Number",
        Some(Json::Number(_)) => "Integer",
        _ => "Text",
    }
}

/// dbt-postgres's type for a column of a seed.
pub fn sql_type(table: &Value, column: usize) -> &'static str {
    let Some(table) = table.downcast_object_ref::<TableValue>() else {
        return "text";
    };
    match table.types.get(column) {
        Some(kind) => kind.sql(),
        None => match type_name(&table.table, column) {
            "Boolean" => "boolean",
            "Integer" => "integer",
            "Number" => "float8",
            _ => "text",
        },
    }
}

/// A table for people.
fn drawn(table: &Table) -> String {
    let cell = |value: &Json| match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => from_json(other).to_string(),
    };
    let rows: Vec<Vec<String>> = std::iter::once(table.columns.clone())
        .chain(table.rows.iter().map(|row| row.iter().map(cell).collect()))
        .collect();
    let width = |column: usize| {
        let lengths = rows.iter().filter_map(|row| row.get(column));
        lengths.map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!(" {text:<width$} "))
            .collect();
        format!("|{}|", cells.join("|"))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.insert(1, format!("|{}|", rule.join("|")));
    lines.join("\n")
}

struct Row {
    table: Arc<Table>,
    row: usize,
    types: Vec<SeedType>,
}

/// As Python shows an agate row: fractions are decimals.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self.table.rows[self.row].iter().map(python).collect();
        let comma = if items.len() == 1 { "," } else { "" };
        write!(f, "<agate.Row: ({}{comma})>", items.join(", "))
    }
}

fn python(value: &Json) -> String {
    match value {
        Json::Number(number) if number.is_f64() => format!("Decimal('{}')", from_json(value)),
        other => format!("{:?}", from_json(other)),
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

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
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
            "values" => Ok(tuple(self.pairs().into_iter().map(|(_, value)| value))),
            "keys" => Ok(names(&self.table)),
            "dict" => Ok(dict(self.pairs())),
            "items" => Ok(list(
                self.pairs()
                    .into_iter()
                    .map(|(key, value)| tuple([key, value])),
            )),
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

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        let columns = (0..self.table.columns.len()).filter_map(|i| self.get_value(&Value::from(i)));
        match method {
            "keys" => Ok(names(&self.table)),
            "values" => Ok(tuple(columns)),
            "items" => {
                let names = self
                    .table
                    .columns
                    .iter()
                    .map(|name| Value::from(name.as_str()));
                Ok(list(
                    names
                        .zip(columns)
                        .map(|(name, column)| tuple([name, column])),
                ))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
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
                Ok(tuple(
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
                Ok(tuple(seen))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
