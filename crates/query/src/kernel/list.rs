//! Lists, rows and maps; comparisons that Arrow has no kernel for.

use std::cmp::Ordering;

use arrow::datatypes::{DataType as ArrowType, Field};
use datafusion::logical_expr::{Expr, Operator as PlanOperator, Volatility};
use rwt_sql::DataType;

use crate::bind::{Bound, Comparison};
use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::kernel::cast::{field as field_type, list_item};
use crate::text::{self, Style};
use crate::types::{item_field, struct_fields};
use crate::value::Value;

const PURE: Volatility = Volatility::Immutable;

/// Order of two values of one type; `None` if either is NULL.
pub(crate) fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    Some(match (a, b) {
        (Value::Null, _) | (_, Value::Null) => return None,
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => match (a.is_nan(), b.is_nan()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        },
        (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Interval(a), Value::Interval(b)) => a.total_micros().cmp(&b.total_micros()),
        (Value::List(a), Value::List(b)) | (Value::Struct(a), Value::Struct(b)) => {
            for (a, b) in a.iter().zip(b) {
                match order(a, b) {
                    Some(Ordering::Equal) => {}
                    Some(other) => return Some(other),
                    // NULLs are equal to one another and larger than anything.
                    None => match (a.is_null(), b.is_null()) {
                        (true, true) => {}
                        (true, false) => return Some(Ordering::Greater),
                        _ => return Some(Ordering::Less),
                    },
                }
            }
            a.len().cmp(&b.len())
        }
        (a, b) => a.int().cmp(&b.int()),
    })
}

/// A comparison of rows.
pub(crate) fn compare(op: PlanOperator, left: Bound, right: Bound) -> Expr {
    let distinct = matches!(
        op,
        PlanOperator::IsDistinctFrom | PlanOperator::IsNotDistinctFrom
    );
    let args = vec![left.expr, right.expr];
    Kernel::rowwise(
        "compare",
        op.to_string(),
        ArrowType::Boolean,
        PURE,
        !distinct,
        args,
        move |a| {
            let found = order(&a[0], &a[1]);
            if distinct {
                let same = found == Some(Ordering::Equal) || a[0].is_null() && a[1].is_null();
                return Ok(Value::Bool(same == (op == PlanOperator::IsNotDistinctFrom)));
            }
            Ok(found.map_or(Value::Null, |ordering| {
                Value::Bool(match op {
                    PlanOperator::Eq => ordering.is_eq(),
                    PlanOperator::NotEq => ordering.is_ne(),
                    PlanOperator::Lt => ordering.is_lt(),
                    PlanOperator::LtEq => ordering.is_le(),
                    PlanOperator::Gt => ordering.is_gt(),
                    _ => ordering.is_ge(),
                })
            }))
        },
    )
}

/// `greatest` and `least`: NULLs are left out.
pub(crate) fn extreme(greatest: bool, args: Vec<Expr>, arrow: &ArrowType) -> Expr {
    let name = if greatest { "greatest" } else { "least" };
    Kernel::rowwise(name, "", arrow.clone(), PURE, false, args, move |a| {
        let mut best = Value::Null;
        for value in a {
            let wanted = if greatest {
                Ordering::Greater
            } else {
                Ordering::Less
            };
            if best.is_null() || order(value, &best) == Some(wanted) {
                best = value.clone();
            }
        }
        Ok(best)
    })
}

/// The largest or smallest item of a list; NULLs are left out.
pub(crate) fn extreme_of(greatest: bool, list: Expr, item: &ArrowType) -> Expr {
    let name = if greatest { "max" } else { "min" };
    let wanted = if greatest {
        Ordering::Greater
    } else {
        Ordering::Less
    };
    let args = vec![list];
    Kernel::rowwise(name, "list", item.clone(), PURE, true, args, move |a| {
        let known = a[0].list().iter().filter(|v| !v.is_null());
        let best = known.reduce(|best, v| {
            if order(v, best) == Some(wanted) {
                v
            } else {
                best
            }
        });
        Ok(best.cloned().unwrap_or(Value::Null))
    })
}

/// `ROW(…)`
pub(crate) fn row(fields: Vec<(String, Bound)>) -> Bound {
    let arrow = ArrowType::Struct(struct_fields(
        fields
            .iter()
            .map(|(name, bound)| (name.as_str(), bound.arrow.clone())),
    ));
    let types = fields
        .iter()
        .map(|(name, bound)| (name.clone(), bound.data_type.clone()))
        .collect();
    let args = fields.into_iter().map(|(_, bound)| bound.expr).collect();
    let expr = Kernel::rowwise("row", "", arrow.clone(), PURE, false, args, |a| {
        Ok(Value::Struct(a.to_vec()))
    });
    Bound::new(expr, DataType::Struct(types), arrow)
}

/// A row for the engine's own use, which no user sees.
pub(crate) fn raw_row(fields: Vec<(String, ArrowType, Expr)>) -> Expr {
    let arrow = ArrowType::Struct(
        fields
            .iter()
            .map(|(name, arrow, _)| Field::new(name, arrow.clone(), true))
            .collect(),
    );
    let args = fields.into_iter().map(|(_, _, expr)| expr).collect();
    Kernel::rowwise("row", "raw", arrow, PURE, false, args, |a| {
        Ok(Value::Struct(a.to_vec()))
    })
}

/// Sorts a list of rows by their keys (ascending, NULLs first) and keeps their first fields.
pub(crate) fn sorted(
    rows: Expr,
    flags: Vec<(bool, bool)>,
    distinct: bool,
    returns: ArrowType,
) -> Expr {
    let variant = format!("{flags:?} {distinct}");
    Kernel::rowwise(
        "sorted",
        variant,
        returns,
        PURE,
        true,
        vec![rows],
        move |a| {
            let mut rows: Vec<&[Value<'_>]> = a[0].list().iter().map(Value::list).collect();
            rows.sort_by(|x, y| {
                for (i, (ascending, nulls_first)) in flags.iter().enumerate() {
                    let (x, y) = (&x[i + 1], &y[i + 1]);
                    let found = match (x.is_null(), y.is_null()) {
                        (true, true) => Ordering::Equal,
                        (true, false) if *nulls_first => Ordering::Less,
                        (true, false) => Ordering::Greater,
                        (false, true) if *nulls_first => Ordering::Greater,
                        (false, true) => Ordering::Less,
                        _ => {
                            let found = order(x, y).unwrap_or(Ordering::Equal);
                            if *ascending { found } else { found.reverse() }
                        }
                    };
                    if found != Ordering::Equal {
                        return found;
                    }
                }
                Ordering::Equal
            });
            let mut out: Vec<Value<'_>> = Vec::with_capacity(rows.len());
            for row in rows {
                if !distinct || !out.contains(&row[0]) {
                    out.push(row[0].clone());
                }
            }
            Ok(Value::List(out))
        },
    )
}

/// The texts of a list in one; NULL if there are none.
pub(crate) fn joined(texts: Expr, separator: String) -> Expr {
    let variant = separator.clone();
    Kernel::rowwise(
        "joined",
        variant,
        ArrowType::Utf8,
        PURE,
        true,
        vec![texts],
        move |a| {
            let texts: Vec<&str> = a[0]
                .list()
                .iter()
                .filter(|v| !v.is_null())
                .map(Value::str)
                .collect();
            Ok(if texts.is_empty() {
                Value::Null
            } else {
                Value::text(texts.join(&separator))
            })
        },
    )
}

/// The texts of rows of a text and its separator; NULL if there are none.
pub(crate) fn joined_rows(rows: Expr) -> Expr {
    let args = vec![rows];
    Kernel::rowwise("joined", "rows", ArrowType::Utf8, PURE, true, args, |a| {
        let mut out: Option<String> = None;
        for row in a[0].list() {
            let [text, separator] = row.list() else {
                continue;
            };
            match &mut out {
                _ if text.is_null() => {}
                Some(out) => {
                    out.push_str(separator.str());
                    out.push_str(text.str());
                }
                None => out = Some(text.str().to_owned()),
            }
        }
        Ok(out.map_or(Value::Null, Value::text))
    })
}

/// `ARRAY[…]` of values of one type.
pub(crate) fn array(items: Vec<Expr>, item: &DataType, arrow: &ArrowType) -> Bound {
    let list = ArrowType::List(item_field(arrow.clone()));
    let expr = Kernel::rowwise("array", "", list.clone(), PURE, false, items, |a| {
        Ok(Value::List(a.to_vec()))
    });
    Bound::new(expr, DataType::List(Box::new(item.clone())), list)
}

/// The list of one value; NULL of NULL.
pub(crate) fn singleton(value: Bound) -> Bound {
    let list = ArrowType::List(item_field(value.arrow));
    let args = vec![value.expr];
    let expr = Kernel::rowwise("array", "one", list.clone(), PURE, true, args, |a| {
        Ok(Value::List(a.to_vec()))
    });
    Bound::new(expr, DataType::List(Box::new(value.data_type)), list)
}

/// A field of a row by its place.
pub(crate) fn field(value: Bound, index: usize) -> Bound {
    let DataType::Struct(fields) = &value.data_type else {
        return value;
    };
    let inner = field_type(&fields[index].1, &value.arrow, index);
    let expr = Kernel::rowwise(
        "field",
        index.to_string(),
        inner.arrow.clone(),
        PURE,
        true,
        vec![value.expr],
        move |a| Ok(a[0].list().get(index).cloned().unwrap_or(Value::Null)),
    );
    Bound::new(expr, inner.data_type, inner.arrow)
}

/// `list[n]`, counted from one; NULL outside.
pub(crate) fn item(value: Bound, index: Expr) -> Bound {
    let DataType::List(item) = &value.data_type else {
        return value;
    };
    let inner = list_item(item, &value.arrow);
    let args = vec![value.expr, index];
    let expr = Kernel::rowwise(
        "array_access",
        "",
        inner.arrow.clone(),
        PURE,
        true,
        args,
        |a| {
            let at = usize::try_from(a[1].int() - 1).ok();
            Ok(at
                .and_then(|i| a[0].list().get(i).cloned())
                .unwrap_or(Value::Null))
        },
    );
    Bound::new(expr, inner.data_type, inner.arrow)
}

/// `x = ANY (list)` and `x = ALL (list)`.
pub(crate) fn any_all(op: Comparison, value: Bound, list: Bound, all: bool) -> Expr {
    let args = vec![value.expr, list.expr];
    let variant = format!("{op:?} {all}");
    Kernel::rowwise(
        "any_all",
        variant,
        ArrowType::Boolean,
        PURE,
        true,
        args,
        move |a| {
            let mut unknown = false;
            for item in a[1].list() {
                match order(&a[0], item).map(|found| op.holds(found)) {
                    Some(holds) if holds != all => return Ok(Value::Bool(!all)),
                    Some(_) => {}
                    None => unknown = true,
                }
            }
            Ok(if unknown {
                Value::Null
            } else {
                Value::Bool(all)
            })
        },
    )
}

/// `a @> b` of lists.
pub(crate) fn contains_all(outer: Expr, inner: Expr) -> Expr {
    Kernel::rowwise(
        "array_contains",
        "",
        ArrowType::Boolean,
        PURE,
        true,
        vec![outer, inner],
        |a| {
            let holds = |item: &Value<'_>| {
                a[0].list()
                    .iter()
                    .any(|o| order(o, item) == Some(Ordering::Equal))
            };
            Ok(Value::Bool(a[1].list().iter().all(holds)))
        },
    )
}

/// `a && b` of lists.
pub(crate) fn overlap(sides: Vec<Expr>) -> Expr {
    Kernel::rowwise(
        "array_overlaps",
        "",
        ArrowType::Boolean,
        PURE,
        true,
        sides,
        |a| {
            let mut items = a[0].list().iter();
            let there = |item: &Value<'_>| {
                let mut others = a[1].list().iter();
                others.any(|o| order(o, item) == Some(Ordering::Equal))
            };
            Ok(Value::Bool(items.any(there)))
        },
    )
}

/// `array_cat` and `||` of lists.
pub(crate) fn concatenate(args: Vec<Expr>, arrow: ArrowType) -> Expr {
    Kernel::rowwise("array_cat", "", arrow, PURE, false, args, |a| {
        if a.iter().all(Value::is_null) {
            return Ok(Value::Null);
        }
        Ok(Value::List(
            a.iter().flat_map(|v| v.list().iter().cloned()).collect(),
        ))
    })
}

/// Functions of a list and an item of it.
pub(crate) fn with_item(name: &str, list: Bound, item: Bound) -> Bound {
    let (data_type, arrow) = match name {
        "array_position" => (DataType::Integer, ArrowType::Int32),
        "array_contains" => (DataType::Boolean, ArrowType::Boolean),
        _ => (list.data_type, list.arrow),
    };
    let kind = name.to_owned();
    let expr = Kernel::rowwise(
        name,
        "",
        arrow.clone(),
        PURE,
        false,
        vec![list.expr, item.expr],
        move |a| {
            let items = a[0].list();
            let same = |v: &Value<'_>| {
                order(v, &a[1]) == Some(Ordering::Equal) || v.is_null() && a[1].is_null()
            };
            Ok(match kind.as_str() {
                "array_append" => {
                    Value::List(items.iter().cloned().chain([a[1].clone()]).collect())
                }
                "array_prepend" => Value::List(
                    [a[1].clone()]
                        .into_iter()
                        .chain(items.iter().cloned())
                        .collect(),
                ),
                _ if a[0].is_null() => Value::Null,
                "array_remove" => Value::List(items.iter().filter(|v| !same(v)).cloned().collect()),
                "array_contains" => Value::Bool(items.iter().any(same)),
                _ => items
                    .iter()
                    .position(same)
                    .and_then(|i| i64::try_from(i + 1).ok())
                    .map_or(Value::Null, Value::Int),
            })
        },
    );
    Bound::new(expr, data_type, arrow)
}

/// Functions of a list alone (`array_length` may have a dimension).
pub(crate) fn function(
    name: &str,
    value: Bound,
    dimension: Option<Expr>,
) -> Result<Bound, QueryError> {
    let DataType::List(item) = value.data_type.clone() else {
        return Err(QueryError::Internal(format!("{name} of no list")));
    };
    let inner = list_item(&item, &value.arrow);
    let (data_type, arrow) = match name {
        "array_length" | "cardinality" => (DataType::Integer, ArrowType::Int32),
        "array_distinct" | "array_sort" => (value.data_type.clone(), value.arrow.clone()),
        "array_sum" if !crate::types::is_number(&item) => {
            return Err(QueryError::Bind(format!(
                "function array_sum({}) does not exist",
                value.data_type
            )));
        }
        "array_sum" if matches!(*item, DataType::SmallInt | DataType::Integer) => {
            (DataType::BigInt, ArrowType::Int64)
        }
        _ => (inner.data_type, inner.arrow),
    };
    let kind = name.to_owned();
    let args: Vec<Expr> = [value.expr].into_iter().chain(dimension).collect();
    let expr = Kernel::rowwise(name, "", arrow.clone(), PURE, true, args, move |a| {
        let items = a[0].list();
        let by_value = |a: &&Value<'_>, b: &&Value<'_>| {
            order(a, b).unwrap_or_else(|| a.is_null().cmp(&b.is_null()))
        };
        let known = || items.iter().filter(|v| !v.is_null());
        Ok(match kind.as_str() {
            "array_length" if a.len() > 1 => crate::kernel::array::length_of(items, a[1].int())?,
            "array_length" | "cardinality" => {
                Value::Int(i64::try_from(items.len()).unwrap_or(i64::MAX))
            }
            "array_distinct" => {
                let mut out: Vec<Value<'_>> = Vec::new();
                for item in items {
                    if !out.contains(item) {
                        out.push(item.clone());
                    }
                }
                Value::List(out)
            }
            "array_sort" => {
                let mut out: Vec<&Value<'_>> = items.iter().collect();
                out.sort_by(by_value);
                Value::List(out.into_iter().cloned().collect())
            }
            "array_max" => known().max_by(by_value).cloned().unwrap_or(Value::Null),
            "array_min" => known().min_by(by_value).cloned().unwrap_or(Value::Null),
            _ => {
                let mut sum = Value::Null;
                for item in known() {
                    sum = match (&sum, item) {
                        (Value::Null, item) => item.clone(),
                        (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
                        (Value::Decimal(a), Value::Decimal(b)) => {
                            Value::Decimal(a.checked_add(*b).ok_or_else(QueryError::out_of_range)?)
                        }
                        (a, b) => Value::Int(
                            a.int()
                                .checked_add(b.int())
                                .ok_or_else(QueryError::out_of_range)?,
                        ),
                    };
                }
                sum
            }
        })
    });
    Ok(Bound::new(expr, data_type, arrow))
}

/// `array_to_string(list, separator [, text of NULL])`
pub(crate) fn to_text(value: Bound, texts: Vec<Expr>, style: Style) -> Expr {
    let DataType::List(item) = &value.data_type else {
        return value.expr;
    };
    let inner = list_item(item, &value.arrow);
    let args = [value.expr].into_iter().chain(texts).collect();
    Kernel::rowwise(
        "array_to_string",
        "",
        ArrowType::Utf8,
        PURE,
        false,
        args,
        move |a| {
            if a[0].is_null() || a[1].is_null() {
                return Ok(Value::Null);
            }
            let null = a.get(2).filter(|v| !v.is_null());
            let parts: Vec<String> = a[0]
                .list()
                .iter()
                .filter_map(|v| match (v, null) {
                    (Value::Null, None) => None,
                    (Value::Null, Some(null)) => Some(null.str().to_owned()),
                    (v, _) => Some(text::of(v, &inner.data_type, &inner.arrow, style)),
                })
                .collect();
            Ok(Value::text(parts.join(a[1].str())))
        },
    )
}
