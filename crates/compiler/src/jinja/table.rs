//! The tables that queries give, as agate shows them: `rows[0][1]`, `rows[0]['name']`, `columns[0].values()`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::collections::{dict, from_json, list};
use super::moment::Moment;
use super::scope::{Level, scope_of};
use super::seed::{Origin, SeedType};
use crate::materialize::Table;

/// Python's tuple: agate's sequences are such.
pub fn tuple(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from(Tuple::from(items.into_iter().collect::<Vec<_>>()))
}

/// `run_query(…)`, and `load_result(…).table`.
pub(super) struct TableValue {
    pub table: Arc<Table>,
    /// False for a recorder, which has no answers: its columns are empty ones of any name.
    pub live: bool,
    /// Types of the columns, for a seed.
    pub types: Vec<SeedType>,
    /// Where the rows stand, for a seed.
    pub origin: Option<Arc<Origin>>,
}

/// A cell as Python has it: dates and times are such.
pub(super) fn cell(table: &Table, row: usize, column: usize) -> Option<Value> {
    let json = table.rows.get(row)?.get(column)?;
    let of = table.texts.get(column).copied().unwrap_or_default();
    let moment = json.as_str().and_then(|text| Moment::of_sql(text, of));
    Some(moment.unwrap_or_else(|| from_json(json)))
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
        origin: None,
    })
}

/// A seed as a template's value.
pub fn seed_value(table: Table, types: Vec<SeedType>, origin: Origin) -> Value {
    Value::from_object(TableValue {
        table: Arc::new(table),
        live: true,
        types,
        origin: Some(Arc::new(origin)),
    })
}

/// A seed's rows, with the types that their literals have and where they stand.
pub struct SeedRows {
    pub table: Arc<Table>,
    pub types: Vec<SeedType>,
    pub origin: Arc<Origin>,
}

/// The rows of a seed's table; none of any other table.
pub fn seed_rows(table: &Value) -> Option<SeedRows> {
    let table = table.downcast_object_ref::<TableValue>()?;
    Some(SeedRows {
        table: Arc::clone(&table.table),
        types: table.types.clone(),
        origin: Arc::clone(table.origin.as_ref()?),
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
            "rows" => Some(Value::from_object(Rows(Arc::clone(self)))),
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
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "print_table" => {
                scope_of(state)?.report(Level::Print, &drawn(&self.table));
                Ok(Value::from(()))
            }
            _ => self.derived(method, args),
        }
    }
}

/// `table.rows`
struct Rows(Arc<TableValue>);

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.table.rows.len();
        let rows: Vec<Value> = (0..count).filter_map(|row| self.0.row(row)).collect();
        let comma = if count == 1 { "," } else { "" };
        let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
        write!(f, "<agate.MappedSequence: ({}{comma})>", rows.join(", "))
    }
}

impl Object for Rows {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.row(place(key, self.0.table.rows.len())?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.table.rows.len())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "values" => Ok(tuple(
                (0..self.0.table.rows.len()).filter_map(|row| self.0.row(row)),
            )),
            // Rows have no names.
            "keys" => Ok(Value::from(())),
            "get" => {
                let (_, default): (Value, Option<Value>) = from_args(args)?;
                Ok(default.unwrap_or_else(|| Value::from(())))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A place in a sequence; a negative one counts from its end.
fn place(key: &Value, length: usize) -> Option<usize> {
    let at = key.as_i64()?;
    match at < 0 {
        true => length.checked_sub(usize::try_from(at.unsigned_abs()).ok()?),
        false => usize::try_from(at).ok(),
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
    let text = |value: &Json| match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => from_json(other).to_string(),
    };
    let rows: Vec<Vec<String>> = std::iter::once(table.columns.clone())
        .chain(table.rows.iter().map(|row| row.iter().map(text).collect()))
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
        let items: Vec<String> = self.values().map(|value| python(&value)).collect();
        let comma = if items.len() == 1 { "," } else { "" };
        write!(f, "<agate.Row: ({}{comma})>", items.join(", "))
    }
}

fn python(value: &Value) -> String {
    match value.kind() == ValueKind::Number && !value.is_integer() {
        true => format!("Decimal('{value}')"),
        false => format!("{value:?}"),
    }
}

impl Row {
    fn values(&self) -> impl Iterator<Item = Value> {
        let columns = 0..self.table.columns.len();
        columns.filter_map(|column| cell(&self.table, self.row, column))
    }

    fn pairs(&self) -> Vec<(Value, Value)> {
        let names = self
            .table
            .columns
            .iter()
            .map(|name| Value::from(name.as_str()));
        names.zip(self.values()).collect()
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
            None => place(key, self.table.columns.len())?,
        };
        cell(&self.table, self.row, index)
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
            None => place(key, self.table.columns.len())
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
        args: &[Value],
    ) -> Result<Value, Error> {
        let columns = (0..self.table.columns.len()).filter_map(|i| self.get_value(&Value::from(i)));
        let names = self.table.columns.iter();
        let names = names.map(|name| Value::from(name.as_str()));
        match method {
            "keys" => Ok(tuple(names)),
            "values" => Ok(tuple(columns)),
            "items" => {
                let pairs = names.zip(columns);
                Ok(list(pairs.map(|(name, column)| tuple([name, column]))))
            }
            "dict" => Ok(dict(names.zip(columns))),
            "get" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                let found = key.as_str().and_then(|_| self.get_value(&key));
                Ok(found.or(default).unwrap_or_else(|| Value::from(())))
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

impl Column {
    fn values(&self) -> impl Iterator<Item = Value> {
        let rows = 0..self.table.rows.len();
        rows.filter_map(|row| cell(&self.table, row, self.index?))
    }
}

/// agate's order, in which nulls are the largest.
pub(super) fn nulls_last(a: &Value, b: &Value) -> Ordering {
    let nulls = a.is_none().cmp(&b.is_none());
    nulls.then_with(|| a.cmp(b))
}

impl Object for Column {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some("name") => Some(Value::from(format!("{self:?}"))),
            Some("index") => self.index.map(Value::from),
            Some(_) => None,
            None => cell(&self.table, place(key, self.table.rows.len())?, self.index?),
        }
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
            "values" => Ok(tuple(self.values())),
            "values_distinct" => {
                let mut seen = Vec::new();
                for value in self.values() {
                    if !seen.contains(&value) {
                        seen.push(value);
                    }
                }
                Ok(tuple(seen))
            }
            "values_without_nulls" => Ok(tuple(self.values().filter(|value| !value.is_none()))),
            "values_sorted" | "values_without_nulls_sorted" => {
                let mut values: Vec<Value> = self.values().collect();
                if method == "values_without_nulls_sorted" {
                    values.retain(|value| !value.is_none());
                }
                values.sort_by(nulls_last);
                Ok(list(values))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
