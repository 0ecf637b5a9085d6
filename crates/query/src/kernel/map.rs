//! Maps.

use std::cmp::Ordering;

use arrow::datatypes::{DataType as ArrowType, Field, Fields};
use datafusion::logical_expr::{Expr, Volatility};
use rwt_sql::DataType;

use crate::bind::Bound;
use crate::kernel::Kernel;
use crate::kernel::cast::{field as field_type, list_item};
use crate::kernel::list::order;
use crate::types::{arrow_type, item_field};
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
        Ok(Value::Map(
            a[..count]
                .iter()
                .cloned()
                .zip(a[count..].iter().cloned())
                .collect(),
        ))
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

/// `map_from_entries`, `map_keys`, `map_values`; `None` for a wrong argument.
pub(crate) fn function(name: &str, value: Bound) -> Option<Bound> {
    let (data_type, arrow) = match (name, &value.data_type) {
        ("map_from_entries", DataType::List(row)) => {
            let DataType::Struct(fields) = row.as_ref() else {
                return None;
            };
            let [(_, key), (_, item)] = fields.as_slice() else {
                return None;
            };
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
        _ => return None,
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
                (list, _) => Value::Map(
                    list.list()
                        .iter()
                        .filter_map(|row| match row.list() {
                            [key, value] => Some((key.clone(), value.clone())),
                            _ => None,
                        })
                        .collect(),
                ),
            })
        },
    );
    Some(Bound::new(expr, data_type, arrow))
}
