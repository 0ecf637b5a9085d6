//! Functions on numerics and doubles, and the last step of aggregates that need arithmetic.

use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::DataType as ArrowType;
use datafusion::logical_expr::{Expr, Volatility};
use rust_decimal::MathematicalOps;

use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::kernel::arithmetic::{Operator, numeric_value};
use crate::numeric::{NUMERIC, Numeric};
use crate::value::{Interval, Value};

/// `round(numeric, digits)`
pub(crate) fn round_digits(value: Expr, digits: Expr) -> Expr {
    Kernel::rowwise(
        "round_digit",
        "",
        NUMERIC,
        Volatility::Immutable,
        true,
        vec![value, digits],
        |a| {
            a[0].decimal()
                .round(a[1].int())
                .map(Value::Decimal)
                .ok_or_else(QueryError::overflow)
        },
    )
}

/// `round`, `ceil`, `floor`, `trunc`, `abs`, `sign`, `neg` of a numeric.
pub(crate) fn numeric_function(name: &str, value: Expr) -> Expr {
    let kind = name.to_owned();
    Kernel::rowwise(
        name,
        "numeric",
        NUMERIC,
        Volatility::Immutable,
        true,
        vec![value],
        move |a| {
            let value = a[0].decimal();
            Ok(Value::Decimal(match kind.as_str() {
                "abs" if value.is_negative() => value.negate(),
                "abs" => value,
                "neg" => value.negate(),
                "ceil" => value.map(|v| v.ceil()),
                "floor" => value.map(|v| v.floor()),
                "trunc" => value.map(|v| v.trunc()),
                "sign" if value == Numeric::NaN => value,
                "sign" if value.is_zero() => Numeric::ZERO,
                "sign" if value.is_negative() => Numeric::ONE.negate(),
                "sign" => Numeric::ONE,
                _ => value.round(0).ok_or_else(QueryError::out_of_range)?,
            }))
        },
    )
}

/// `sign` of a double.
pub(crate) fn double_function(name: &str, value: Expr) -> Expr {
    Kernel::rowwise(
        name,
        "double",
        ArrowType::Float64,
        Volatility::Immutable,
        true,
        vec![value],
        |a| {
            let value = a[0].float();
            Ok(Value::Float(if value == 0.0 || value.is_nan() {
                0.0
            } else {
                value.signum()
            }))
        },
    )
}

/// Variance or deviation from the sum, the sum of squares and the count.
pub(crate) fn deviation(name: &str, sum: Expr, squares: Expr, count: Expr) -> Expr {
    let kind = name.to_owned();
    Kernel::rowwise(
        name,
        "",
        NUMERIC,
        Volatility::Immutable,
        false,
        vec![sum, squares, count],
        move |a| {
            let count = a[2].int();
            let sample = kind.ends_with("samp");
            if count == 0 || sample && count == 1 {
                return Ok(Value::Null);
            }
            let (sum, squares, n) = (a[0].decimal(), a[1].decimal(), Numeric::from(count));
            let square = numeric_value(Operator::Multiply, sum, sum)?;
            let mean = numeric_value(Operator::Divide, square, n)?;
            let rest = numeric_value(Operator::Subtract, squares, mean)?.max(Numeric::ZERO);
            let divisor = Numeric::from(if sample { count - 1 } else { count });
            let variance = numeric_value(Operator::Divide, rest, divisor)?;
            if kind.starts_with("var") {
                return Ok(Value::Decimal(variance));
            }
            Ok(match variance {
                Numeric::Finite(v) => {
                    Value::Decimal(v.sqrt().ok_or_else(QueryError::out_of_range)?.into())
                }
                other => Value::Decimal(other),
            })
        },
    )
}

/// `percentile_cont`, `percentile_disc` and `mode` of a sorted list.
pub(crate) fn ordered_set(name: &str, list: Expr, fraction: Expr, returns: ArrowType) -> Expr {
    let kind = name.to_owned();
    Kernel::rowwise(
        name,
        "",
        returns,
        Volatility::Immutable,
        true,
        vec![list, fraction],
        move |a| {
            let items = a[0].list();
            let fraction = a[1].float();
            if !(0.0..=1.0).contains(&fraction) {
                return Err(QueryError::parameter(
                    "fraction",
                    "percentile value must be between 0 and 1",
                ));
            }
            let Some(last) = items.len().checked_sub(1) else {
                return Ok(Value::Null);
            };
            Ok(match kind.as_str() {
                "percentile_cont" => {
                    let place = fraction * last as f64;
                    let (low, high) = (place.floor() as usize, place.ceil() as usize);
                    let (a, b) = (items[low].float(), items[high].float());
                    Value::Float(match low == high {
                        true => a,
                        false => (high as f64 - place) * a + (place - low as f64) * b,
                    })
                }
                "percentile_disc" => {
                    let place = (fraction * items.len() as f64).ceil() as usize;
                    items[place.saturating_sub(1)].clone()
                }
                _ => {
                    let (mut best, mut best_count, mut count) = (0, 0, 0);
                    for i in 0..items.len() {
                        count = if i > 0 && items[i] == items[i - 1] {
                            count + 1
                        } else {
                            1
                        };
                        if count > best_count {
                            (best, best_count) = (i, count);
                        }
                    }
                    items[best].clone()
                }
            })
        },
    )
}

/// `approx_percentile` of a sorted list: the middle of the bucket of the value at the fraction, as sketches whose buckets
/// grow by the relative error give it.
pub(crate) fn approximate(list: Expr, fraction: f64, error: f64) -> Expr {
    Kernel::rowwise(
        "approx_percentile",
        format!("{fraction} {error}"),
        ArrowType::Float64,
        Volatility::Immutable,
        true,
        vec![list],
        move |a| {
            let items = a[0].list();
            let Some(last) = items.len().checked_sub(1) else {
                return Ok(Value::Null);
            };
            let value = items[(last as f64 * fraction).floor() as usize].float();
            if value == 0.0 {
                return Ok(Value::Float(0.0));
            }
            let base = (1.0 + error) / (1.0 - error);
            let bucket = value.abs().log(base).ceil() as i32;
            let middle = 2.0 * base.powi(bucket) / (base + 1.0);
            Ok(Value::Float(middle.copysign(value)))
        },
    )
}

/// The sum or the mean of a list of intervals; NULL of none.
pub(crate) fn of_intervals(mean: bool, list: Expr) -> Expr {
    let name = if mean { "avg" } else { "sum" };
    let arrow = crate::types::arrow_type(&rwt_sql::DataType::Interval);
    Kernel::rowwise(
        name,
        "interval",
        arrow,
        Volatility::Immutable,
        true,
        vec![list],
        move |a| {
            let (mut months, mut days, mut micros, mut count) = (0_i64, 0_i64, 0_i64, 0_i64);
            for item in a[0].list().iter().filter(|v| !v.is_null()) {
                let item = item.interval();
                months += i64::from(item.months);
                days += i64::from(item.days);
                micros = micros
                    .checked_add(item.micros)
                    .ok_or_else(QueryError::out_of_range)?;
                count += 1;
            }
            if count == 0 {
                return Ok(Value::Null);
            }
            if mean {
                // What months and days do not divide into goes down to the smaller unit.
                const DAY: i64 = 86_400_000_000;
                days += months % count * 30;
                months /= count;
                micros += days % count * DAY;
                days /= count;
                micros /= count;
            }
            let narrow = |v: i64| i32::try_from(v).map_err(|_| QueryError::out_of_range());
            Ok(Value::Interval(Interval {
                months: narrow(months)?,
                days: narrow(days)?,
                micros,
            }))
        },
    )
}

/// A number in [0, 1). Not for secrets.
pub(crate) fn random() -> f64 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    let step = 0x9E37_79B9_7F4A_7C15;
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos() as u64);
    let mut z = STATE.fetch_add(step, Ordering::Relaxed).wrapping_add(seed);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_differ() {
        assert!((0.0..1.0).contains(&random()));
        assert_ne!(random().to_bits(), random().to_bits());
    }
}
