//! dbt's column: name and type of a column in the database, `api.Column` and what `adapter.get_columns_in_relation` gives.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, Rest, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use rwt_sql::Ident;

use super::error::raise;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the database or the caller wrote it.
    pub data_type: String,
}

const TEXT: [&str; 4] = ["text", "character varying", "character", "varchar"];
const FLOAT: [&str; 6] = [
    "real",
    "float4",
    "float",
    "double precision",
    "float8",
    "double",
];
const INTEGER: [&str; 12] = [
    "smallint",
    "integer",
    "bigint",
    "smallserial",
    "serial",
    "bigserial",
    "int2",
    "int4",
    "int8",
    "serial2",
    "serial4",
    "serial8",
];

/// What dbt says of the size of a text that has none.
const TEXT_SIZE: i64 = 256;

impl Column {
    /// The column as a template's value.
    pub fn value(self) -> Value {
        Value::from_object(self)
    }

    fn is(&self, types: &[&str]) -> bool {
        types
            .iter()
            .any(|known| self.data_type.eq_ignore_ascii_case(known))
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Column {} ({})>", self.name, self.data_type)
    }
}

impl Object for Column {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from(match key.as_str()? {
            "name" | "column" => self.name.clone(),
            "quoted" => Ident::new(self.name.as_str()).quoted(),
            "dtype" | "data_type" | "expanded_data_type" => self.data_type.clone(),
            // RisingWave's catalog has no sizes.
            "char_size" | "numeric_precision" | "numeric_scale" => return Some(Value::from(())),
            _ => return None,
        }))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let is = match method {
            "is_string" => self.is(&TEXT),
            "is_float" => self.is(&FLOAT),
            "is_integer" => self.is(&INTEGER),
            "is_numeric" => self.is(&["numeric", "decimal"]),
            "is_number" => self.is(&FLOAT) || self.is(&INTEGER) || self.is(&["numeric", "decimal"]),
            "create" => return create(args),
            "translate_type" => {
                let (name,): (String,) = from_args(args)?;
                return Ok(Value::from(translated(&name)));
            }
            "string_size" if self.is(&TEXT) => return Ok(Value::from(TEXT_SIZE)),
            "string_size" => {
                return Err(raise(
                    "rwt::jinja::error",
                    "Called string_size() on non-string field!".to_owned(),
                    None,
                ));
            }
            // No text is longer than another one.
            "can_expand_to" => false,
            "string_type" => {
                let (size,): (i64,) = from_args(args)?;
                return Ok(Value::from(format!("character varying({size})")));
            }
            "numeric_type" => {
                let (name, precision, scale): (String, Value, Value) = from_args(args)?;
                return Ok(Value::from(match precision.is_none() || scale.is_none() {
                    true => name,
                    false => format!("{name}({precision},{scale})"),
                }));
            }
            "literal" => {
                let (value,): (Value,) = from_args(args)?;
                return Ok(Value::from(format!("{value}::{}", self.data_type)));
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        Ok(Value::from(is))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// dbt's general names of types.
fn translated(name: &str) -> String {
    match name.to_uppercase().as_str() {
        "STRING" => "TEXT".to_owned(),
        _ => name.to_owned(),
    }
}

/// `api.Column(name, type)` and `api.Column.create(name, type)`
///
/// # Errors
/// No name or no type.
pub fn create(args: &[Value]) -> Result<Value, Error> {
    let (name, data_type, _rest): (String, String, Rest<ValueOrKwargs>) = from_args(args)?;
    Ok(Column { name, data_type }.value())
}
