//! Queries of RisingWave's dialect over relations in memory: parsed with sqlparser, bound with RisingWave's names,
//! types and functions, planned and run by DataFusion.
//!
//! [`Queries::plan`] gives a [`Plan`]; [`Relations`] says what the names of a query mean. Results carry RisingWave's
//! column names and types; where Arrow has no such type (`jsonb`) the type is in the field's metadata.

mod bind;
mod catalog;
mod dialect;
mod dml;
mod error;
mod exchange;
mod execute;
mod insert;
mod interval_text;
mod json;
mod json_path;
mod kernel;
mod memory;
mod message;
mod names;
mod numeric;
mod own_batches;
mod parse;
mod plan;
mod probe;
mod queries;
mod read_text;
mod relation;
mod scan;
mod temporal;
mod text;
mod types;
mod unnest;
mod value;
mod window_close;

/// The time zone (IANA) that a name means in any case, as it is spelt.
pub fn timezone(name: &str) -> Option<&'static str> {
    kernel::datetime::parse_zone(name)
        .ok()
        .map(|zone| zone.name())
}

/// Whether values of the type can be: the keys of a map are texts or whole numbers.
///
/// # Errors
/// RisingWave's words for a map of other keys.
pub fn check_type(data_type: &rwt_sql::DataType) -> Result<(), QueryError> {
    use rwt_sql::DataType as T;
    match data_type {
        T::Map(key, value) => {
            kernel::map::check_key(key).map_err(|error| QueryError::bind(error.to_string()))?;
            check_type(value)
        }
        T::List(item) => check_type(item),
        T::Struct(fields) => fields.iter().try_for_each(|(_, field)| check_type(field)),
        _ => Ok(()),
    }
}

/// A query as RisingWave prints it in definitions; none for what only its own syntax says.
pub fn shown_query(sql: &str) -> Option<String> {
    bind::shown::shown_query(sql)
}

/// The tree of one statement in RisingWave's dialect; its names stand where they were written.
///
/// # Errors
/// [`QueryError::Syntax`], and [`QueryError::NotImplemented`] for syntax that is left out.
pub fn parse_statement(sql: &str) -> Result<sqlparser::ast::Statement, QueryError> {
    parse::statement(sql)
}

/// The functions that a query calls: the schema, if one is written, and the name. Empty for a text that is not understood.
pub fn called_functions(sql: &str) -> Vec<(Option<String>, String)> {
    let mentions = parse_statement(sql).map(|statement| names::mentions(&statement));
    mentions.map_or_else(
        |_| Vec::new(),
        |found| found.functions.into_iter().collect(),
    )
}

/// Whether the text of an expression has a sub-query, or a function that looks at several rows.
pub fn needs_rows(expression: &str) -> bool {
    let Ok(query) = parse::query(&format!("SELECT {expression}")) else {
        return false;
    };
    match query.body.as_ref() {
        sqlparser::ast::SetExpr::Select(select) => select
            .projection
            .iter()
            .any(|item| window_close::looks_at_others(item) || bind::has_query(item)),
        _ => true,
    }
}

pub use datafusion::common::ScalarValue;
pub use dml::{Changes, Dml, DmlKind, Target, TargetColumn};
pub use error::QueryError;
pub use exchange::{
    decimal_type, from_decimals, keys, numeric_code, numeric_code_of, printed, to_decimals,
};
pub use memory::{Held, trimmed};
pub use message::{TimestamptzMode, message_value};
pub use plan::Plan;
pub use probe::{PROBE, Probe};
pub use queries::{Limits, Queries};
pub use relation::{
    Access, Column, Named, Privilege, ROW_ID, Relation, RelationData, Relations, Securable,
    Settings, SqlFunction,
};
pub use temporal::{JOINED, LEFT_ROW, TemporalJoin, TemporalSide, joined_name, kept_name};
pub use text::display;
pub use types::{TYPE_METADATA, arrow_type, field, schema};
pub use window_close::WatermarkOf;
