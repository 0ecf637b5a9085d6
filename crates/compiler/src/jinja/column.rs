//! dbt's column: name and type of a column in the database, `api.Column` and what `adapter.get_columns_in_relation` gives.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use rwt_sql::Ident;

use super::error::raise;
use super::moment::places;

/// A column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the database or the caller wrote it.
    pub data_type: String,
    /// What the caller said of it. RisingWave's catalog has no sizes.
    pub size: Size,
}

/// How much a column's values hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    chars: Option<i64>,
    precision: Option<i64>,
    scale: Option<i64>,
}

const TEXT: [&str; 4] = ["text", "character varying", "character", "varchar"];
const NUMERIC: [&str; 2] = ["numeric", "decimal"];
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

    /// The type with its size.
    fn sized_type(&self) -> String {
        let Size {
            chars,
            precision,
            scale,
        } = self.size;
        match (chars, precision.zip(scale)) {
            (Some(chars), _) if self.is(&TEXT[1..]) => string_type(chars),
            (_, Some((precision, scale))) if self.is(&NUMERIC) => {
                format!("{}({precision},{scale})", self.data_type)
            }
            _ => self.data_type.clone(),
        }
    }

    /// How many characters a text has room for.
    fn string_size(&self) -> Option<i64> {
        let size = match self.data_type.eq_ignore_ascii_case("text") {
            true => None,
            false => self.size.chars,
        };
        self.is(&TEXT).then(|| size.unwrap_or(TEXT_SIZE))
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
            "dtype" => self.data_type.clone(),
            "data_type" | "expanded_data_type" => self.sized_type(),
            "char_size" => return Some(Value::from(self.size.chars)),
            "numeric_precision" => return Some(Value::from(self.size.precision)),
            "numeric_scale" => return Some(Value::from(self.size.scale)),
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
            "is_numeric" => self.is(&NUMERIC),
            "is_number" => self.is(&FLOAT) || self.is(&INTEGER) || self.is(&NUMERIC),
            "create" => return create(args),
            "translate_type" => {
                let (name,): (String,) = from_args(args)?;
                return Ok(Value::from(translated(&name)));
            }
            "from_description" => {
                let (name, description): (String, String) = from_args(args)?;
                return described(name, &description);
            }
            "string_size" => {
                return self.string_size().map(Value::from).ok_or_else(|| {
                    raise(
                        "rwt::jinja::error",
                        "Called string_size() on non-string field!".to_owned(),
                        None,
                    )
                });
            }
            "can_expand_to" => {
                let (other,): (Value,) = from_args(args)?;
                let other = other.downcast_object_ref::<Self>();
                let sizes = self.string_size().zip(other.and_then(Self::string_size));
                sizes.is_some_and(|(own, other)| other > own)
            }
            "string_type" => {
                let (size,): (i64,) = from_args(args)?;
                return Ok(Value::from(string_type(size)));
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
                return Ok(Value::from(format!("{value}::{}", self.sized_type())));
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

fn string_type(size: i64) -> String {
    format!("character varying({size})")
}

/// `api.Column(name, type, char_size, numeric_precision, numeric_scale)` and `api.Column.create(…)`
///
/// # Errors
/// No name or no type, or a size that is no number.
pub fn create(args: &[Value]) -> Result<Value, Error> {
    const NAMES: [&str; 5] = [
        "column",
        "dtype",
        "char_size",
        "numeric_precision",
        "numeric_scale",
    ];
    let (places, keywords) = places(args)?;
    if places.len() > NAMES.len() {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let argument = |at: usize| -> Result<Option<Value>, Error> {
        let named: Option<Value> = keywords.get(NAMES[at])?;
        let value = places.get(at).cloned().or(named);
        Ok(value.filter(|value| !value.is_none()))
    };
    let text = |at: usize| -> Result<String, Error> {
        let value = argument(at)?.ok_or_else(|| Error::from(ErrorKind::MissingArgument))?;
        Ok(value.to_string())
    };
    let number = |at: usize| argument(at)?.map(i64::try_from).transpose();
    let column = Column {
        name: text(0)?,
        data_type: text(1)?,
        size: Size {
            chars: number(2)?,
            precision: number(3)?,
            scale: number(4)?,
        },
    };
    keywords.assert_all_used()?;
    Ok(column.value())
}

/// `api.Column.from_description('a', 'numeric(10,2)')`
fn described(name: String, description: &str) -> Result<Value, Error> {
    let (data_type, size) = match description.split_once('(') {
        Some((data_type, size)) => (data_type, size.split(')').next().unwrap_or_default()),
        None => (description, ""),
    };
    let number = |text: &str| {
        text.trim().parse::<i64>().map_err(|_| {
            raise(
                "rwt::jinja::error",
                format!("Could not interpret data_type \"{description}\": could not convert \"{text}\" to an integer"),
                None,
            )
        })
    };
    let size = match size.split(',').collect::<Vec<_>>().as_slice() {
        [""] => Size::default(),
        [chars] => Size {
            chars: Some(number(chars)?),
            ..Size::default()
        },
        [precision, scale] => Size {
            chars: None,
            precision: Some(number(precision)?),
            scale: Some(number(scale)?),
        },
        _ => Size::default(),
    };
    let data_type = data_type.to_owned();
    Ok(Column {
        name,
        data_type,
        size,
    }
    .value())
}
