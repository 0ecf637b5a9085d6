//! The rarer functions of lists: slices, dimensions, replacing, cutting.

use std::cmp::Ordering;

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::Unnest;
use datafusion::logical_expr::{Expr, Volatility};
use rwt_sql::DataType;

use crate::bind::Bound;
use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::kernel::cast::list_item;
use crate::kernel::list::order;
use crate::types::{arrow_type, item_field, struct_fields};
use crate::value::Value;

fn call(
    name: &str,
    data_type: DataType,
    args: Vec<Expr>,
    row: impl for<'a> Fn(&[Value<'a>]) -> Result<Value<'a>, QueryError> + Send + Sync + 'static,
) -> Bound {
    let arrow = arrow_type(&data_type);
    let expr = Kernel::rowwise(name, "", arrow, Volatility::Immutable, true, args, row);
    Bound::of(expr, data_type)
}

fn int(value: usize) -> Value<'static> {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    order(a, b) == Some(Ordering::Equal) || a.is_null() && b.is_null()
}

/// `list[low:high]`; a bound that is left out is the list's end.
pub(crate) fn slice(list: Bound, low: Option<Expr>, high: Option<Expr>) -> Bound {
    let (has_low, has_high) = (low.is_some(), high.is_some());
    let args = [list.expr].into_iter().chain(low).chain(high).collect();
    let expr = Kernel::rowwise(
        "array_range_access",
        format!("{has_low} {has_high}"),
        list.arrow.clone(),
        Volatility::Immutable,
        true,
        args,
        move |a| {
            let items = a[0].list();
            let low = if has_low { a[1].int() } else { 1 };
            let high = match has_high {
                true => a[if has_low { 2 } else { 1 }].int(),
                false => i64::MAX,
            };
            let from = usize::try_from(low.max(1) - 1)
                .unwrap_or(0)
                .min(items.len());
            let to = usize::try_from(high.max(0))
                .unwrap_or(usize::MAX)
                .min(items.len());
            Ok(Value::List(items.get(from..to).unwrap_or(&[]).to_vec()))
        },
    );
    Bound::new(expr, list.data_type, list.arrow)
}

/// `array_replace(list, from, to)`
pub(crate) fn replace(list: Bound, from: Expr, to: Expr) -> Bound {
    let expr = Kernel::rowwise(
        "array_replace",
        "",
        list.arrow.clone(),
        Volatility::Immutable,
        false,
        vec![list.expr, from, to],
        |a| {
            if a[0].is_null() {
                return Ok(Value::Null);
            }
            let swapped = |v: &Value<'_>| same(v, &a[1]);
            Ok(Value::List(
                a[0].list()
                    .iter()
                    .map(|v| if swapped(v) { a[2].clone() } else { v.clone() })
                    .collect(),
            ))
        },
    );
    Bound::new(expr, list.data_type, list.arrow)
}

/// `array_positions(list, item)`, and `array_position(list, item, start)`.
pub(crate) fn positions(list: Bound, item: Expr, start: Option<Expr>) -> Bound {
    let first = start.is_some();
    let data_type = match first {
        true => DataType::Integer,
        false => DataType::List(Box::new(DataType::Integer)),
    };
    let args = [list.expr, item].into_iter().chain(start).collect();
    let expr = Kernel::rowwise(
        "array_positions",
        first.to_string(),
        arrow_type(&data_type),
        Volatility::Immutable,
        false,
        args,
        move |a| {
            if a[0].is_null() {
                return Ok(Value::Null);
            }
            let skip = match a.get(2) {
                Some(start) if start.is_null() => {
                    return Err(QueryError::Evaluation(
                        "initial position must not be null".into(),
                    ));
                }
                Some(start) => usize::try_from(start.int().max(1) - 1).unwrap_or(0),
                None => 0,
            };
            let mut found = a[0]
                .list()
                .iter()
                .enumerate()
                .skip(skip)
                .filter(|(_, v)| same(v, &a[1]))
                .map(|(i, _)| int(i + 1));
            Ok(match first {
                true => found.next().unwrap_or(Value::Null),
                false => Value::List(found.collect()),
            })
        },
    );
    Bound::of(expr, data_type)
}

/// `array_reverse(list)`
pub(crate) fn reverse(list: Bound) -> Bound {
    call("array_reverse", list.data_type, vec![list.expr], |a| {
        Ok(Value::List(a[0].list().iter().rev().cloned().collect()))
    })
}

/// `array_flatten(list of lists)`; `None` for any other.
pub(crate) fn flatten(list: Bound) -> Option<Bound> {
    let DataType::List(inner) = list.data_type else {
        return None;
    };
    if !matches!(*inner, DataType::List(_)) {
        return None;
    }
    Some(call("array_flatten", *inner, vec![list.expr], |a| {
        Ok(Value::List(
            a[0].list()
                .iter()
                .flat_map(|v| v.list().iter().cloned())
                .collect(),
        ))
    }))
}

/// `trim_array(list, n)`: without the last `n` items.
pub(crate) fn trim(list: Bound, count: Expr) -> Bound {
    call("trim_array", list.data_type, vec![list.expr, count], |a| {
        let items = a[0].list();
        let kept = usize::try_from(a[1].int())
            .ok()
            .and_then(|n| items.len().checked_sub(n))
            .ok_or_else(|| {
                QueryError::parameter("n", "less than 0 or greater than the length of the array")
            })?;
        Ok(Value::List(items[..kept].to_vec()))
    })
}

/// The length of a list in a dimension, counted from one.
pub(crate) fn length_of<'a>(items: &[Value<'_>], dimension: i64) -> Result<Value<'a>, QueryError> {
    match dimension {
        ..=0 => Ok(Value::Null),
        1 => Ok(int(items.len())),
        _ => Err(QueryError::Evaluation(
            "array_length for dimensions greater than 1 not supported".into(),
        )),
    }
}

/// `array_ndims`, `array_dims`, `array_lower` and `array_upper`.
pub(crate) fn dimensions(name: &str, list: Bound, dimension: Option<Expr>) -> Bound {
    let depth = {
        let mut depth = 0;
        let mut inner = &list.data_type;
        while let DataType::List(item) = inner {
            (depth, inner) = (depth + 1, item);
        }
        depth
    };
    // The number of dimensions is the type's, and each begins at one, whatever the value.
    if name == "array_ndims" {
        let depth = ScalarValue::Int32(Some(depth));
        return Bound::of(Expr::Literal(depth, None), DataType::Integer);
    }
    if let ("array_lower", Some(dimension)) = (name, &dimension) {
        let expr = Kernel::rowwise(
            name,
            depth.to_string(),
            ArrowType::Int32,
            Volatility::Immutable,
            true,
            vec![dimension.clone()],
            move |a| {
                let inside = (1..=i64::from(depth)).contains(&a[0].int());
                Ok(if inside { Value::Int(1) } else { Value::Null })
            },
        );
        return Bound::of(expr, DataType::Integer);
    }
    let kind = name.to_owned();
    let data_type = match name {
        "array_dims" => DataType::Varchar,
        _ => DataType::Integer,
    };
    let args = [list.expr].into_iter().chain(dimension).collect();
    let bound = call(name, data_type, args, move |a| {
        let items = a[0].list();
        if kind == "array_dims" {
            if depth > 1 {
                return Err(QueryError::NotImplemented(
                    "array_dims of a list of lists in the embedded engine".into(),
                ));
            }
            return Ok(Value::text(format!("[1:{}]", items.len())));
        }
        length_of(items, a.get(1).map_or(1, Value::int))
    });
    debug_assert!(matches!(bound.arrow, ArrowType::Utf8 | ArrowType::Int32));
    bound
}

/// `_pg_expandarray(list)`: rows of an item and its number.
pub(crate) fn expanded(list: Bound) -> Option<Bound> {
    let DataType::List(item) = &list.data_type else {
        return None;
    };
    let inner = list_item(item, &list.arrow);
    let row = DataType::Struct(vec![
        ("x".into(), inner.data_type),
        ("n".into(), DataType::Integer),
    ]);
    let fields = [("x", inner.arrow), ("n", ArrowType::Int32)];
    let arrow = ArrowType::Struct(struct_fields(fields.into_iter()));
    let expr = Kernel::rowwise(
        "_pg_expandarray",
        "",
        ArrowType::List(item_field(arrow.clone())),
        Volatility::Immutable,
        true,
        vec![list.expr],
        |a| {
            let rows = a[0].list().iter().zip(1..);
            Ok(Value::List(
                rows.map(|(item, n)| Value::Struct(vec![item.clone(), Value::Int(n)]))
                    .collect(),
            ))
        },
    );
    Some(Bound::new(Expr::Unnest(Unnest::new(expr)), row, arrow))
}

/// `generate_subscripts(list, dimension [, reverse])`: the first list of an inner dimension counts for all of them.
pub(crate) fn subscripts(list: Bound, rest: Vec<Expr>) -> Bound {
    fn length(items: &[Value<'_>], dimension: i64) -> usize {
        match (dimension, items.first()) {
            (..=0, _) => 0,
            (1, _) => items.len(),
            (_, Some(Value::List(inner))) => length(inner, dimension - 1),
            _ => 0,
        }
    }
    let args = [list.expr].into_iter().chain(rest).collect();
    let expr = Kernel::rowwise(
        "generate_subscripts",
        "",
        ArrowType::List(item_field(ArrowType::Int32)),
        Volatility::Immutable,
        true,
        args,
        |a| {
            let numbers = 1..=length(a[0].list(), a[1].int());
            let reverse = a.get(2).is_some_and(Value::bool);
            Ok(Value::List(match reverse {
                true => numbers.rev().map(int).collect(),
                false => numbers.map(int).collect(),
            }))
        },
    );
    Bound::of(Expr::Unnest(Unnest::new(expr)), DataType::Integer)
}
