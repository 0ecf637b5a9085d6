//! `generate_series` and `range`.

use std::cmp::Ordering;

use arrow::datatypes::DataType as ArrowType;
use chrono_tz::Tz;
use datafusion::logical_expr::expr::Unnest;
use datafusion::logical_expr::{Expr, Volatility};
use rwt_sql::DataType;

use crate::bind::Bound;
use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::kernel::datetime::{add_interval, add_interval_zoned};
use crate::kernel::list::order;
use crate::numeric::Numeric;
use crate::types::{arrow_type, item_field};
use crate::value::Value;

const PURE: Volatility = Volatility::Immutable;

/// `generate_series` (with its end) and `range` (without), as a set of rows.
pub(crate) fn series(args: Vec<Bound>, item: DataType, open: bool, zone: Tz) -> Bound {
    let item_arrow = arrow_type(&item);
    let list = ArrowType::List(item_field(item_arrow.clone()));
    let zoned = item == DataType::Timestamptz;
    let exprs = args.into_iter().map(|a| a.expr).collect();
    let expr = Kernel::rowwise(
        "generate_series",
        format!("{open}@{zone}"),
        list,
        PURE,
        true,
        exprs,
        move |a| {
            const LIMIT: usize = 50_000_000;
            let mut out = Vec::new();
            let zero_step = || QueryError::parameter("step", "step size cannot equal zero");
            let mut current = a[0].clone();
            let up = match a.get(2) {
                None => true,
                Some(Value::Interval(by)) if by.total_micros() == 0 => return Err(zero_step()),
                Some(Value::Interval(by)) => by.total_micros() > 0,
                Some(Value::Decimal(by)) if by.is_zero() => return Err(zero_step()),
                Some(Value::Decimal(by)) => !by.is_negative(),
                Some(by) if by.int() == 0 => return Err(zero_step()),
                Some(by) => by.int() > 0,
            };
            loop {
                let inside = match order(&current, &a[1]) {
                    Some(Ordering::Equal) => !open,
                    Some(Ordering::Less) => up,
                    Some(Ordering::Greater) => !up,
                    None => false,
                };
                if !inside {
                    return Ok(Value::List(out));
                }
                if out.len() >= LIMIT {
                    return Err(QueryError::Memory(format!(
                        "a series of more than {LIMIT} values"
                    )));
                }
                let next = match (&current, a.get(2)) {
                    (Value::Decimal(v), step) => {
                        let step = step.map_or(Numeric::ONE, Value::decimal);
                        v.checked_add(step).map(Value::Decimal)
                    }
                    (Value::Timestamp(v), Some(Value::Interval(by))) => {
                        Some(Value::Timestamp(if zoned {
                            add_interval_zoned(*v, *by, zone)?
                        } else {
                            add_interval(*v, *by)?
                        }))
                    }
                    (v, step) => v
                        .int()
                        .checked_add(step.map_or(1, Value::int))
                        .map(Value::Int),
                };
                out.push(current);
                match next {
                    Some(next) => current = next,
                    None => return Ok(Value::List(out)),
                }
            }
        },
    );
    Bound::new(Expr::Unnest(Unnest::new(expr)), item, item_arrow)
}
