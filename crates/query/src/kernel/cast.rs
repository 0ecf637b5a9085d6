//! Casts between types, as RisingWave does them: floats to integers half to even, numerics half away from zero, texts
//! with its own readers, timestamps with the session's time zone.

use arrow::datatypes::DataType as ArrowType;
use datafusion::logical_expr::{Cast, Expr, Volatility};
use rwt_sql::DataType;

use crate::error::QueryError;
use crate::json;
use crate::kernel::Kernel;
use crate::numeric::Numeric;
use crate::read_text::{self, read_as};
use crate::text::{self, Style};
use crate::types;
use crate::value::{Interval, Value};

const DAY: i64 = 86_400_000_000;

/// A type with the Arrow type that carries it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Typed {
    pub(crate) data_type: DataType,
    pub(crate) arrow: ArrowType,
}

impl Typed {
    pub(crate) fn new(data_type: DataType, arrow: ArrowType) -> Self {
        Self { data_type, arrow }
    }
}

/// A cast whose possibility the binder has checked.
pub(crate) fn cast(value: Expr, from: &Typed, to: &Typed, style: Style) -> Expr {
    if from.arrow == to.arrow && same_values(&from.data_type, &to.data_type) {
        return value;
    }
    let rank = |t: &ArrowType| match t {
        ArrowType::Int16 => Some(0),
        ArrowType::Int32 => Some(1),
        ArrowType::Int64 => Some(2),
        ArrowType::Float64 => Some(4),
        _ => None,
    };
    let real_to_double = from.arrow == ArrowType::Float32 && to.arrow == ArrowType::Float64;
    let widening = matches!((rank(&from.arrow), rank(&to.arrow)), (Some(a), Some(b)) if a < b);
    let date_to_timestamp = from.data_type == DataType::Date && to.data_type == DataType::Timestamp;
    if widening || real_to_double || date_to_timestamp {
        return Expr::Cast(Cast::new(Box::new(value), to.arrow.clone()));
    }
    let (from, to) = (from.clone(), to.clone());
    let variant = format!("{}->{}@{}", from.data_type, to.data_type, style.zone);
    Kernel::rowwise(
        "cast",
        variant,
        to.arrow.clone(),
        Volatility::Immutable,
        true,
        vec![value],
        move |args| convert(&args[0], &from, &to, style),
    )
}

/// Types whose values are the same Arrow values, so that no conversion is needed.
fn same_values(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Jsonb, DataType::Varchar) => true,
        (DataType::Serial, DataType::BigInt) | (DataType::BigInt, DataType::Serial) => true,
        (DataType::List(a), DataType::List(b)) => same_values(a, b),
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((_, a), (_, b))| same_values(a, b))
        }
        (a, b) => a == b,
    }
}

fn number_of(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::SmallInt => "i16",
        DataType::Integer => "i32",
        _ => "i64",
    }
}

fn in_range(value: i128, to: &DataType) -> Result<Value<'static>, QueryError> {
    let fits = match to {
        DataType::SmallInt => i16::try_from(value).is_ok(),
        DataType::Integer => i32::try_from(value).is_ok(),
        _ => true,
    };
    match i64::try_from(value) {
        Ok(value) if fits => Ok(Value::Int(value)),
        _ => Err(QueryError::Evaluation(format!(
            "Casting to {} out of range",
            number_of(to)
        ))),
    }
}

/// A double or real as a numeric, at the digits that it is good for.
fn numeric_of(value: f64, real: bool) -> Result<Numeric, QueryError> {
    let found = if real {
        Numeric::from_real(value as f32)
    } else {
        Numeric::from_double(value)
    };
    found.ok_or_else(QueryError::out_of_range)
}

/// Converts one value that is not NULL (items of lists and rows may be).
pub(crate) fn convert<'a>(
    value: &Value<'a>,
    from: &Typed,
    to: &Typed,
    style: Style,
) -> Result<Value<'a>, QueryError> {
    use DataType as T;
    let integer = matches!(
        to.data_type,
        T::SmallInt | T::Integer | T::BigInt | T::Serial
    );
    Ok(match (value, &from.data_type, &to.data_type) {
        (Value::Null, _, _) => Value::Null,
        (Value::Text(t), T::Varchar, _) => read_as(t, &to.data_type, style)?.into_owned(),
        (Value::Text(t), T::Jsonb, T::Varchar) => Value::Text(t.clone()),
        (Value::Text(t), T::Jsonb, _) => from_json(t, to, style)?,
        (_, _, T::Varchar) => Value::text(text::of(value, &from.data_type, &from.arrow, style)),
        (Value::Bool(v), _, T::Integer) => Value::Int((*v).into()),
        (Value::Int(v), _, T::Boolean) => Value::Bool(*v != 0),
        (Value::Int(v), _, _) if integer => in_range(i128::from(*v), &to.data_type)?,
        (Value::Float(v), _, _) if integer => {
            let rounded = v.round_ties_even();
            if !rounded.is_finite() || rounded.abs() >= 1e30 {
                return Err(QueryError::Evaluation(format!(
                    "Casting to {} out of range",
                    number_of(&to.data_type)
                )));
            }
            in_range(rounded as i128, &to.data_type)?
        }
        (Value::Decimal(v), _, _) if integer => {
            let whole = v.to_integer().ok_or_else(|| {
                QueryError::Evaluation(format!(
                    "Casting to {} out of range",
                    number_of(&to.data_type)
                ))
            })?;
            in_range(whole, &to.data_type)?
        }
        (Value::Int(v), _, T::Real | T::Double) => Value::Float(*v as f64),
        (Value::Float(v), _, T::Double) => Value::Float(*v),
        (Value::Float(v), _, T::Real) => {
            let narrow = *v as f32;
            if narrow.is_infinite() && v.is_finite() {
                return Err(QueryError::Evaluation("Casting to f32 out of range".into()));
            }
            Value::Float(f64::from(narrow))
        }
        (Value::Decimal(v), _, T::Real | T::Double) => Value::Float(v.to_double()),
        (Value::Int(v), _, T::Numeric | T::Int256) => Value::Decimal(Numeric::from(*v)),
        (Value::Decimal(v), _, T::Numeric | T::Int256) => Value::Decimal(*v),
        (Value::Float(v), t, T::Numeric) => Value::Decimal(numeric_of(*v, *t == T::Real)?),
        (Value::Date(v), _, T::Timestamp) => Value::Timestamp(i64::from(*v) * DAY),
        (Value::Date(v), _, T::Timestamptz) => at_zone(i64::from(*v) * DAY, style)?,
        (Value::Timestamp(v), T::Timestamp, T::Timestamptz) => at_zone(*v, style)?,
        (Value::Timestamp(v), T::Timestamp, _) => part(*v, &to.data_type),
        (Value::Timestamp(v), T::Timestamptz, _) => part(
            *v + text::offset_seconds(*v, style.zone) * 1_000_000,
            &to.data_type,
        ),
        (Value::Time(v), _, T::Interval) => Value::Interval(Interval {
            micros: *v,
            ..Interval::default()
        }),
        (Value::Interval(v), _, T::Time) => Value::Time(v.micros.rem_euclid(DAY)),
        (Value::List(items), T::List(a), T::List(b)) => {
            let (from, to) = (list_item(a, &from.arrow), list_item(b, &to.arrow));
            Value::List(
                items
                    .iter()
                    .map(|item| convert(item, &from, &to, style))
                    .collect::<Result<_, _>>()?,
            )
        }
        (Value::Struct(items), T::Struct(a), T::Struct(b)) => {
            let mut out = Vec::with_capacity(items.len());
            for (i, (item, ((_, a), (_, b)))) in items.iter().zip(a.iter().zip(b)).enumerate() {
                let (from, to) = (field(a, &from.arrow, i), field(b, &to.arrow, i));
                out.push(convert(item, &from, &to, style)?);
            }
            Value::Struct(out)
        }
        (Value::Map(entries), T::Map(a, c), T::Map(b, d)) => {
            let usual = |of: &DataType| Typed::new(of.clone(), types::arrow_type(of));
            let (keys, items) = ((usual(a), usual(b)), (usual(c), usual(d)));
            let entry = |(key, item): &(Value<'a>, Value<'a>)| {
                Ok((
                    convert(key, &keys.0, &keys.1, style)?,
                    convert(item, &items.0, &items.1, style)?,
                ))
            };
            Value::Map(
                entries
                    .iter()
                    .map(entry)
                    .collect::<Result<_, QueryError>>()?,
            )
        }
        (value, _, T::Jsonb) => Value::text(json::write(&to_json(value, from, style))),
        (value, _, _) => value.clone(),
    })
}

fn at_zone(local: i64, style: Style) -> Result<Value<'static>, QueryError> {
    read_text::to_utc(local, style.zone)
        .map(Value::Timestamp)
        .ok_or_else(QueryError::out_of_range)
}

fn part(local: i64, to: &DataType) -> Value<'static> {
    match to {
        DataType::Date => i32::try_from(local.div_euclid(DAY)).map_or(Value::Null, Value::Date),
        DataType::Time => Value::Time(local.rem_euclid(DAY)),
        _ => Value::Timestamp(local),
    }
}

/// The type of a list's items.
pub(crate) fn list_item(item: &DataType, arrow: &ArrowType) -> Typed {
    let arrow = match arrow {
        ArrowType::List(field) => field.data_type().clone(),
        _ => types::arrow_type(item),
    };
    Typed::new(item.clone(), arrow)
}

/// The type of a row's field.
pub(crate) fn field(data_type: &DataType, arrow: &ArrowType, index: usize) -> Typed {
    let arrow = match arrow {
        ArrowType::Struct(fields) => fields[index].data_type().clone(),
        _ => types::arrow_type(data_type),
    };
    Typed::new(data_type.clone(), arrow)
}

fn from_json(text: &str, to: &Typed, style: Style) -> Result<Value<'static>, QueryError> {
    if to.data_type == DataType::Jsonb {
        return Ok(Value::text(text.to_owned()));
    }
    let value = json::parse(text)?;
    let number = types::is_number(&to.data_type);
    match (&value, &to.data_type) {
        (serde_json::Value::Bool(v), DataType::Boolean) => Ok(Value::Bool(*v)),
        // Numbers in jsonb are doubles to RisingWave.
        (serde_json::Value::Number(found), _) if number => {
            let from = Typed::new(DataType::Double, ArrowType::Float64);
            let found = found.as_f64().ok_or_else(QueryError::out_of_range)?;
            convert(&Value::Float(found), &from, to, style).map_err(|_| QueryError::out_of_range())
        }
        _ => Err(QueryError::parse(format!(
            "cannot cast jsonb {} to type {}",
            json::type_name(&value),
            if number { "number" } else { "boolean" }
        ))),
    }
}

/// A value as JSON: numbers as numbers, everything else as its text.
pub(crate) fn to_json(value: &Value<'_>, of: &Typed, style: Style) -> serde_json::Value {
    use serde_json::Value as Json;
    match (value, &of.data_type) {
        (Value::Null, _) => Json::Null,
        (Value::Bool(v), _) => Json::Bool(*v),
        (Value::Int(v), DataType::Serial) => Json::String(v.to_string()),
        (Value::Int(v), _) => Json::from(*v),
        // A whole double is written `1.0`.
        (Value::Float(v), _) if v.is_finite() => Json::from(*v),
        (Value::Decimal(v), _) => to_json(
            &Value::Float(v.to_double()),
            &Typed::new(DataType::Double, ArrowType::Float64),
            style,
        ),
        (Value::Text(v), DataType::Jsonb) => serde_json::from_str(v).unwrap_or(Json::Null),
        (Value::List(items), DataType::List(item)) => {
            let inner = list_item(item, &of.arrow);
            Json::Array(items.iter().map(|v| to_json(v, &inner, style)).collect())
        }
        (Value::Struct(items), DataType::Struct(fields)) => Json::Object(
            items
                .iter()
                .zip(fields)
                .enumerate()
                .map(|(i, (v, (name, t)))| {
                    let name = types::field_name(name, i);
                    (name, to_json(v, &field(t, &of.arrow, i), style))
                })
                .collect(),
        ),
        (Value::Map(entries), DataType::Map(key, item)) => {
            let (key_arrow, inner) = (
                types::arrow_type(key),
                Typed::new((**item).clone(), types::arrow_type(item)),
            );
            let field = |(k, v): &(Value<'_>, Value<'_>)| {
                (
                    text::of(k, key, &key_arrow, style),
                    to_json(v, &inner, style),
                )
            };
            Json::Object(entries.iter().map(field).collect())
        }
        // An instant is told in UTC, whatever the session's zone.
        (Value::Timestamp(_), _) => {
            let utc = Style {
                zone: chrono_tz::UTC,
            };
            Json::String(text::of(value, &of.data_type, &of.arrow, utc).replacen(' ', "T", 1))
        }
        _ => Json::String(text::of(value, &of.data_type, &of.arrow, style)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTC: Style = Style {
        zone: chrono_tz::UTC,
    };

    fn to(value: Value<'static>, from: DataType, to: DataType) -> Result<Value<'static>, String> {
        let typed = |t: DataType| Typed::new(t.clone(), types::arrow_type(&t));
        convert(&value, &typed(from), &typed(to), UTC).map_err(|e| e.to_string())
    }

    #[test]
    fn integers_round_and_check_their_range() {
        use DataType::{BigInt, Double, Integer, Numeric, SmallInt};
        assert_eq!(to(Value::Float(2.5), Double, Integer), Ok(Value::Int(2)));
        assert_eq!(to(Value::Float(3.5), Double, Integer), Ok(Value::Int(4)));
        let half = |text: &str| Value::Decimal(text.parse().unwrap());
        assert_eq!(to(half("2.5"), Numeric, Integer), Ok(Value::Int(3)));
        assert_eq!(to(half("-0.5"), Numeric, Integer), Ok(Value::Int(-1)));
        assert_eq!(
            to(Value::Int(32768), Integer, SmallInt),
            Err("Casting to i16 out of range".into())
        );
        assert_eq!(
            to(Value::Float(1e20), Double, BigInt),
            Err("Casting to i64 out of range".into())
        );
    }

    #[test]
    fn jsonb_numbers_are_doubles() {
        use DataType::{Boolean, Double, Integer, Jsonb, Numeric};
        let json = |text: &'static str| Value::text(text);
        assert_eq!(to(json("2.5"), Jsonb, Integer), Ok(Value::Int(2)));
        assert_eq!(
            to(json("2.5"), Jsonb, Numeric),
            Ok(Value::Decimal("2.5".parse().unwrap()))
        );
        assert_eq!(
            to(json("null"), Jsonb, Boolean).unwrap_err(),
            "Parse error: cannot cast jsonb null to type boolean"
        );
        assert_eq!(
            to(json("\"1\""), Jsonb, Integer).unwrap_err(),
            "Parse error: cannot cast jsonb string to type number"
        );
        let written = |value, of: DataType| {
            let typed = Typed::new(of.clone(), types::arrow_type(&of));
            json::write(&to_json(&value, &typed, UTC))
        };
        assert_eq!(written(Value::Float(1.0), Double), "1.0");
        assert_eq!(
            written(Value::Decimal("2".parse().unwrap()), Numeric),
            "2.0"
        );
    }

    #[test]
    fn doubles_keep_their_digits_as_numerics() {
        let tenth = to(Value::Float(0.1), DataType::Double, DataType::Numeric).unwrap();
        assert_eq!(tenth, Value::Decimal("0.1".parse().unwrap()));
    }
}
