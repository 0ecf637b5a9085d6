//! System tables: `rw_catalog`, `pg_catalog` and `information_schema` as clients and dbt-risingwave read them, and our
//! own schema `rwt_engine`. Each table is a list of columns and a function that makes its rows from the catalog.

mod info;
mod own;
mod pg;
mod rw;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int16Array, Int16Builder, Int32Array, Int64Array, ListBuilder,
    RecordBatch, RecordBatchOptions, StringArray, StringBuilder, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::error::ArrowError;
use rwt_query::{Column, QueryError, Relation};
use rwt_sql::DataType;

use crate::catalog::{Catalog, Object, ObjectId};
use crate::reading::Reading;

/// The type of a system column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum T {
    Int2,
    Int4,
    Int8,
    Bool,
    Text,
    Texts,
    Int2s,
    Int4s,
    Tz,
    Json,
    Bytes,
}

impl T {
    fn data_type(self) -> DataType {
        match self {
            Self::Int2 => DataType::SmallInt,
            Self::Int4 => DataType::Integer,
            Self::Int8 => DataType::BigInt,
            Self::Bool => DataType::Boolean,
            Self::Text => DataType::Varchar,
            Self::Texts => DataType::List(Box::new(DataType::Varchar)),
            Self::Int2s => DataType::List(Box::new(DataType::SmallInt)),
            Self::Int4s => DataType::List(Box::new(DataType::Integer)),
            Self::Tz => DataType::Timestamptz,
            Self::Json => DataType::Jsonb,
            Self::Bytes => DataType::Bytea,
        }
    }
}

/// A value of a system table.
#[derive(Debug, Clone)]
enum Cell {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Int2s(Vec<i16>),
    /// Microseconds since 1970.
    Tz(i64),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<V: Into<Cell>> From<Option<V>> for Cell {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row; its cells are in the order of the table's columns.
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($crate::system::Cell::from($cell)),*] };
}
use row;

type Rows = Vec<Vec<Cell>>;

/// A system table.
struct SystemTable {
    schema: &'static str,
    name: &'static str,
    columns: &'static [(&'static str, T)],
    rows: fn(&Context<'_>) -> Rows,
}

/// What system tables are made from.
struct Context<'a> {
    catalog: &'a Catalog,
    reading: &'a Reading,
}

impl Context<'_> {
    /// Objects that have a row in listings of relations.
    fn relations(&self) -> impl Iterator<Item = &Object> {
        self.catalog
            .objects
            .values()
            .filter(|o| o.kind().is_relation())
    }

    /// PostgreSQL's access list of an object.
    fn acl(&self, object: &Object) -> Cell {
        let users = &self.catalog.users;
        let owner = users.get(&object.owner).map_or("root", |u| u.name.as_str());
        let all = match object.kind() {
            crate::catalog::Kind::Function => "X",
            crate::catalog::Kind::Connection | crate::catalog::Kind::Secret => "U",
            _ => "arwd",
        };
        let mut items = vec![
            format!("rwadmin={all}/{owner}"),
            format!("postgres={all}/{owner}"),
        ];
        for grant in self.catalog.grants.iter().filter(|g| g.object == object.id) {
            if let Some(user) = users.get(&grant.user) {
                items.push(format!("{}={}/{owner}", user.name, grant.letters));
            }
        }
        items.push(format!("{owner}={all}/{owner}"));
        Cell::Texts(items)
    }
}

/// A table that is always empty here.
fn none(_: &Context<'_>) -> Rows {
    Vec::new()
}

fn tables() -> impl Iterator<Item = &'static SystemTable> {
    rw::TABLES
        .iter()
        .chain(pg::TABLES)
        .chain(info::TABLES)
        .chain(own::TABLES)
}

fn find(schema: Option<&str>, name: &str) -> Option<&'static SystemTable> {
    tables().find(|t| {
        t.name == name
            && schema.map_or(t.schema == "pg_catalog" || t.schema == "rw_catalog", |s| {
                s == t.schema
            })
    })
}

/// True if there is such a system table.
pub(crate) fn exists(schema: &str, name: &str) -> bool {
    find(Some(schema), name).is_some()
}

/// The columns of a system table.
pub(crate) fn columns(schema: Option<&str>, name: &str) -> Option<Vec<Column>> {
    Some(
        find(schema, name)?
            .columns
            .iter()
            .map(|(name, t)| Column::new(*name, t.data_type()))
            .collect(),
    )
}

/// Numbers of system tables lie above those of users' objects.
const FIRST_SYSTEM_ID: i64 = 2_147_480_000;

fn system_id(table: &SystemTable) -> i64 {
    let at = tables().position(|t| std::ptr::eq(t, table)).unwrap_or(0);
    FIRST_SYSTEM_ID + i64::try_from(at).unwrap_or(0)
}

/// The number of a system table.
pub(crate) fn object_id(schema: Option<&str>, name: &str) -> Option<i32> {
    i32::try_from(system_id(find(schema, name)?)).ok()
}

/// Schema, name and number of the system tables.
pub(crate) fn object_ids() -> impl Iterator<Item = (&'static str, &'static str, i32)> {
    tables().filter_map(|t| Some((t.schema, t.name, i32::try_from(system_id(t)).ok()?)))
}

/// Whether a system table has this number.
pub(crate) fn is_system(id: i32) -> bool {
    object_ids().any(|(.., system)| system == id)
}

/// The number of a system schema.
pub(crate) fn system_schema(wanted: rwt_query::Named<'_>) -> Option<ObjectId> {
    let found = system_schemas()
        .into_iter()
        .find(|(id, name)| match wanted {
            rwt_query::Named::Id(wanted) => *id == i64::from(wanted),
            rwt_query::Named::Name(wanted) => *name == wanted,
        });
    ObjectId::try_from(found?.0).ok()
}

/// The numbers of the system schemas.
fn system_schemas() -> [(i64, &'static str); 4] {
    [
        (FIRST_SYSTEM_ID - 4, "information_schema"),
        (FIRST_SYSTEM_ID - 3, "pg_catalog"),
        (FIRST_SYSTEM_ID - 2, "rw_catalog"),
        (FIRST_SYSTEM_ID - 1, "rwt_engine"),
    ]
}

fn schema_id(name: &str) -> i64 {
    system_schemas()
        .iter()
        .find(|(_, n)| *n == name)
        .map_or(0, |(id, _)| *id)
}

/// A system table with its rows of this moment.
pub(crate) async fn relation(
    reading: &Reading,
    schema: &str,
    name: &str,
) -> Result<Option<Relation>, QueryError> {
    let Some(table) = find(Some(schema), name) else {
        return Err(QueryError::NotImplemented(format!(
            "{schema}.{name} is not supported, please use `SHOW` commands for now."
        )));
    };
    let context = Context {
        catalog: &reading.state.catalog,
        reading,
    };
    let rows = (table.rows)(&context);
    let columns: Vec<Column> = table
        .columns
        .iter()
        .map(|(name, t)| Column::new(*name, t.data_type()))
        .collect();
    let batch =
        batch(&columns, table.columns, &rows).map_err(|e| QueryError::Internal(e.to_string()))?;
    // Objects are listed by their numbers.
    let numbered = matches!(columns.first(), Some(c) if c.name == "oid" || c.name == "id");
    let key = if numbered { vec![0] } else { Vec::new() };
    Ok(Some(
        Relation::rows(columns, Arc::new(vec![batch])).with_key(key),
    ))
}

fn batch(columns: &[Column], types: &[(&str, T)], rows: &Rows) -> Result<RecordBatch, ArrowError> {
    let arrays = types
        .iter()
        .enumerate()
        .map(|(i, (_, t))| array(*t, rows.iter().map(|row| row.get(i).unwrap_or(&Cell::Null))))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(rwt_query::schema(columns), arrays, &options)
}

fn array<'a>(t: T, cells: impl Iterator<Item = &'a Cell>) -> ArrayRef {
    let int = |c: &Cell| match c {
        Cell::Int(v) => Some(*v),
        _ => None,
    };
    let text = |c: &Cell| match c {
        Cell::Text(v) => Some(v.clone()),
        _ => None,
    };
    match t {
        T::Int2 => Arc::new(
            cells
                .map(|c| int(c).and_then(|v| i16::try_from(v).ok()))
                .collect::<Int16Array>(),
        ),
        T::Int4 => Arc::new(
            cells
                .map(|c| int(c).and_then(|v| i32::try_from(v).ok()))
                .collect::<Int32Array>(),
        ),
        T::Int8 => Arc::new(cells.map(int).collect::<Int64Array>()),
        T::Bool => Arc::new(
            cells
                .map(|c| match c {
                    Cell::Bool(v) => Some(*v),
                    _ => None,
                })
                .collect::<BooleanArray>(),
        ),
        T::Text | T::Json => Arc::new(cells.map(text).collect::<StringArray>()),
        T::Tz => Arc::new(
            cells
                .map(|c| match c {
                    Cell::Tz(v) => Some(*v),
                    _ => None,
                })
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        T::Texts => {
            let mut list = ListBuilder::new(StringBuilder::new());
            for cell in cells {
                match cell {
                    Cell::Texts(items) => list.append_value(items.iter().map(Some)),
                    _ => list.append_null(),
                }
            }
            Arc::new(list.finish())
        }
        // No table has such values yet.
        T::Int4s | T::Bytes => {
            new_null_array(&rwt_query::arrow_type(&t.data_type()), cells.count())
        }
        T::Int2s => {
            let mut list = ListBuilder::new(Int16Builder::new());
            for cell in cells {
                match cell {
                    Cell::Int2s(items) => list.append_value(items.iter().map(|i| Some(*i))),
                    _ => list.append_null(),
                }
            }
            Arc::new(list.finish())
        }
    }
}
