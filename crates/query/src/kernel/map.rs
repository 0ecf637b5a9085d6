//! Maps.

use std::cmp::Ordering;

use arrow::datatypes::{DataType as ArrowType, Field, Fields};
use datafusion::logical_expr::{Expr, Volatility};
use rwt_sql::DataType;

use crate::bind::Bound;
use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::kernel::cast::{field as field_type, list_item};
use crate::kernel::list::order;
use crate::types::{arrow_type, internal_name, item_field};
use crate::value::Value;

const PURE: Volatility = Volatility::Immutable;

fn map_arrow(key: ArrowType, value: ArrowType) -> ArrowType {
    let entries = ArrowType::Struct(Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ]));
    ArrowType::Map(Field::new("entries", entries, false).into(), false)
}

/// `MAP {key: value, …}`
pub(crate) fn literal(
    keys: Vec<Bound>,
    (key_type, key_arrow): (DataType, ArrowType),
    values: Vec<Bound>,
    (value_type, value_arrow): (DataType, ArrowType),
) -> Bound {
    let arrow = map_arrow(key_arrow, value_arrow);
    let count = keys.len();
    let args = keys.into_iter().chain(values).map(|b| b.expr).collect();
    let expr = Kernel::rowwise("map", "", arrow.clone(), PURE, false, args, move |a| {
        checked(
            a[..count]
                .iter()
                .cloned()
                .zip(a[count..].iter().cloned())
                .collect(),
        )
    });
    Bound::new(
        expr,
        DataType::Map(Box::new(key_type), Box::new(value_type)),
        arrow,
    )
}

/// `map['key']`
pub(crate) fn item(value: Bound, key: Expr) -> Bound {
    let DataType::Map(_, item) = value.data_type.clone() else {
        return value;
    };
    let arrow = arrow_type(&item);
    let expr = Kernel::rowwise(
        "map_access",
        "",
        arrow.clone(),
        PURE,
        true,
        vec![value.expr, key],
        |a| {
            let Value::Map(entries) = &a[0] else {
                return Ok(Value::Null);
            };
            let found = entries
                .iter()
                .find(|(key, _)| order(key, &a[1]) == Some(Ordering::Equal));
            Ok(found.map_or(Value::Null, |(_, value)| value.clone()))
        },
    );
    Bound::new(expr, *item, arrow)
}

/// `map_from_entries`, `map_keys`, `map_values`; nothing for a wrong argument.
pub(crate) fn function(name: &str, value: Bound) -> Result<Option<Bound>, QueryError> {
    let (data_type, arrow) = match (name, &value.data_type) {
        ("map_from_entries", DataType::List(row)) => {
            let DataType::Struct(fields) = row.as_ref() else {
                return Err(QueryError::Evaluation(format!(
                    "invalid map entries type, expected struct, got: {row}"
                )));
            };
            let [(_, key), (_, item)] = fields.as_slice() else {
                let types: Vec<_> = fields.iter().map(|(_, of)| internal_name(of)).collect();
                return Err(QueryError::Evaluation(format!(
                    "the underlying struct for map must have exactly two fields, got: {}",
                    types.join(", ")
                )));
            };
            check_key(key)?;
            let entry = list_item(row, &value.arrow);
            let (key_type, item_type) = (
                field_type(key, &entry.arrow, 0),
                field_type(item, &entry.arrow, 1),
            );
            (
                DataType::Map(Box::new(key.clone()), Box::new(item.clone())),
                map_arrow(key_type.arrow, item_type.arrow),
            )
        }
        ("map_keys", DataType::Map(key, _)) => (
            DataType::List(key.clone()),
            ArrowType::List(item_field(arrow_type(key))),
        ),
        ("map_values", DataType::Map(_, item)) => (
            DataType::List(item.clone()),
            ArrowType::List(item_field(arrow_type(item))),
        ),
        _ => return Ok(None),
    };
    let kind = name.to_owned();
    let expr = Kernel::rowwise(
        name,
        "",
        arrow.clone(),
        PURE,
        true,
        vec![value.expr],
        move |a| {
            Ok(match (&a[0], kind.as_str()) {
                (Value::Map(entries), "map_keys") => {
                    Value::List(entries.iter().map(|(k, _)| k.clone()).collect())
                }
                (Value::Map(entries), _) => {
                    Value::List(entries.iter().map(|(_, v)| v.clone()).collect())
                }
                (list, _) => checked(
                    list.list()
                        .iter()
                        .filter_map(|row| match row.list() {
                            [key, value] => Some((key.clone(), value.clone())),
                            _ => None,
                        })
                        .collect(),
                )?,
            })
        },
    );
    Ok(Some(Bound::new(expr, data_type, arrow)))
}

fn entries_of<'v, 'a>(value: &'v Value<'a>) -> &'v [(Value<'a>, Value<'a>)] {
    match value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    order(a, b) == Some(Ordering::Equal)
}

/// The map of these entries: each key once, none NULL.
fn checked<'a>(entries: Vec<(Value<'a>, Value<'a>)>) -> Result<Value<'a>, QueryError> {
    let wrong = |why: &str| Err(QueryError::Evaluation(why.into()));
    for (i, (key, _)) in entries.iter().enumerate() {
        if key.is_null() {
            return wrong("map keys must not be NULL");
        }
        if entries[..i].iter().any(|(k, _)| same(k, key)) {
            return wrong("map keys must be unique");
        }
    }
    Ok(Value::Map(entries))
}

/// What may be a key: texts and whole numbers.
pub(crate) fn check_key(key: &DataType) -> Result<(), QueryError> {
    match key {
        DataType::Varchar | DataType::SmallInt | DataType::Integer | DataType::BigInt => Ok(()),
        other => Err(QueryError::Evaluation(format!(
            "invalid map key type: {other}"
        ))),
    }
}

/// The entries without one key, and with another value for it.
fn with<'a>(map: &Value<'a>, key: &Value<'a>, value: Option<&Value<'a>>) -> Value<'a> {
    let mut entries: Vec<_> = entries_of(map)
        .iter()
        .filter(|(k, _)| !same(k, key))
        .cloned()
        .collect();
    if let Some(value) = value {
        entries.push((key.clone(), value.clone()));
        entries.sort_by(|(a, _), (b, _)| order(a, b).unwrap_or(Ordering::Equal));
    }
    Value::Map(entries)
}

fn of_map(
    name: &str,
    data_type: DataType,
    arrow: ArrowType,
    args: Vec<Expr>,
    row: impl for<'a> Fn(&[Value<'a>]) -> Result<Value<'a>, QueryError> + Send + Sync + 'static,
) -> Bound {
    let expr = Kernel::rowwise(name, "", arrow.clone(), PURE, false, args, row);
    Bound::new(expr, data_type, arrow)
}

/// `map_from_key_values(keys, values)`
pub(crate) fn from_lists(keys: Bound, values: Bound, to: DataType) -> Bound {
    let arrow = arrow_type(&to);
    of_map(
        "map_from_key_values",
        to,
        arrow,
        vec![keys.expr, values.expr],
        |a| {
            if a[0].is_null() || a[1].is_null() {
                return Ok(Value::Null);
            }
            let (keys, values) = (a[0].list(), a[1].list());
            if keys.len() != values.len() {
                return Err(QueryError::Evaluation(
                    "map keys and values have different length".into(),
                ));
            }
            checked(keys.iter().cloned().zip(values.iter().cloned()).collect())
        },
    )
}

/// `map_contains(map, key)`
pub(crate) fn contains(map: Bound, key: Expr) -> Bound {
    of_map(
        "map_contains",
        DataType::Boolean,
        ArrowType::Boolean,
        vec![map.expr, key],
        |a| {
            if a[0].is_null() || a[1].is_null() {
                return Ok(Value::Null);
            }
            let found = entries_of(&a[0]).iter().any(|(k, _)| same(k, &a[1]));
            Ok(Value::Bool(found))
        },
    )
}

/// `map_length(map)`
pub(crate) fn length(map: Bound) -> Bound {
    of_map(
        "map_length",
        DataType::Integer,
        ArrowType::Int32,
        vec![map.expr],
        |a| match &a[0] {
            Value::Map(entries) => Ok(Value::Int(i64::try_from(entries.len()).unwrap_or(i64::MAX))),
            _ => Ok(Value::Null),
        },
    )
}

/// `map_entries(map)`: rows of key and value.
pub(crate) fn entries(map: Bound, key: &DataType, item: &DataType) -> Bound {
    let row = DataType::Struct(vec![
        ("key".into(), key.clone()),
        ("value".into(), item.clone()),
    ]);
    let to = DataType::List(Box::new(row));
    let arrow = arrow_type(&to);
    of_map("map_entries", to, arrow, vec![map.expr], |a| match &a[0] {
        Value::Map(entries) => Ok(Value::List(
            entries
                .iter()
                .map(|(k, v)| Value::Struct(vec![k.clone(), v.clone()]))
                .collect(),
        )),
        _ => Ok(Value::Null),
    })
}

/// `map_cat(a, b)`: the second map's values win; a NULL map counts for nothing.
pub(crate) fn merged(map: Bound, other: Expr) -> Bound {
    let (data_type, arrow) = (map.data_type, map.arrow);
    of_map("map_cat", data_type, arrow, vec![map.expr, other], |a| {
        Ok(match (&a[0], &a[1]) {
            (Value::Null, other) | (other, Value::Null) => other.clone(),
            (map, other) => entries_of(other)
                .iter()
                .fold(map.clone(), |map, (k, v)| with(&map, k, Some(v))),
        })
    })
}

/// `map_insert(map, key, value)`
pub(crate) fn inserted(map: Bound, key: Expr, value: Expr) -> Bound {
    let (data_type, arrow) = (map.data_type, map.arrow);
    of_map(
        "map_insert",
        data_type,
        arrow,
        vec![map.expr, key, value],
        |a| {
            Ok(match (&a[0], &a[1]) {
                (Value::Null, _) => Value::Null,
                (map, Value::Null) => map.clone(),
                (map, key) => with(map, key, Some(&a[2])),
            })
        },
    )
}

/// `map_delete(map, key)`
pub(crate) fn deleted(map: Bound, key: Expr) -> Bound {
    let (data_type, arrow) = (map.data_type, map.arrow);
    of_map("map_delete", data_type, arrow, vec![map.expr, key], |a| {
        Ok(match (&a[0], &a[1]) {
            (Value::Null, _) => Value::Null,
            (map, Value::Null) => map.clone(),
            (map, key) => with(map, key, None),
        })
    })
}
