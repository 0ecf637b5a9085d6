//! Functions and operators on dates, times and intervals.

use arrow::datatypes::DataType as ArrowType;
use chrono::{Datelike, Months, NaiveDate};
use chrono_tz::Tz;
use datafusion::logical_expr::{Expr, Volatility};
use rust_decimal::Decimal;
use rwt_sql::DataType;

use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::numeric::Numeric;
use crate::read_text;
use crate::text::{self, naive_date};
use crate::types::arrow_type;
use crate::value::{Interval, Value};

const DAY: i64 = 86_400_000_000;

fn days_of(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}

/// Adds months (cut to the month's last day), then days, then microseconds to a local time.
pub(crate) fn add_interval(local: i64, by: Interval) -> Result<i64, QueryError> {
    let range = QueryError::out_of_range;
    let mut day = local.div_euclid(DAY);
    if by.months != 0 {
        let date = naive_date(day).ok_or_else(range)?;
        let months = Months::new(by.months.unsigned_abs());
        let moved = if by.months > 0 {
            date.checked_add_months(months)
        } else {
            date.checked_sub_months(months)
        };
        day = days_of(moved.ok_or_else(range)?);
    }
    day.checked_add(by.days.into())
        .and_then(|day| day.checked_mul(DAY))
        .and_then(|micros| micros.checked_add(local.rem_euclid(DAY)))
        .and_then(|micros| micros.checked_add(by.micros))
        .ok_or_else(range)
}

/// As [`add_interval`] on an instant: months and days follow the zone's calendar.
pub(crate) fn add_interval_zoned(instant: i64, by: Interval, zone: Tz) -> Result<i64, QueryError> {
    if by.months == 0 && by.days == 0 {
        return instant
            .checked_add(by.micros)
            .ok_or_else(QueryError::out_of_range);
    }
    let local = instant + text::offset_seconds(instant, zone) * 1_000_000;
    let calendar = Interval { micros: 0, ..by };
    read_text::to_utc(add_interval(local, calendar)?, zone)
        .and_then(|utc| utc.checked_add(by.micros))
        .ok_or_else(QueryError::out_of_range)
}

pub(crate) fn negated(value: Interval) -> Interval {
    Interval {
        months: value.months.saturating_neg(),
        days: value.days.saturating_neg(),
        micros: value.micros.saturating_neg(),
    }
}

/// The difference of two times: days and the rest, both with the sign of the difference.
pub(crate) fn difference(left: i64, right: i64) -> Interval {
    let micros = left - right;
    Interval {
        months: 0,
        days: i32::try_from(micros / DAY).unwrap_or(i32::MAX),
        micros: micros % DAY,
    }
}

/// The result of `+` or `-` on date and time types, or `None` where there is no such operator.
pub(crate) fn operator(
    minus: bool,
    left: (&DataType, Expr),
    right: (&DataType, Expr),
    zone: Tz,
) -> Option<(DataType, Expr)> {
    use DataType as T;
    let returns = match (left.0, right.0) {
        (T::Date, T::Integer | T::SmallInt) => T::Date,
        (T::Integer | T::SmallInt, T::Date) if !minus => T::Date,
        (T::Date, T::Date) if minus => T::Integer,
        (T::Date, T::Interval) | (T::Timestamp, T::Interval) => T::Timestamp,
        (T::Interval, T::Date | T::Timestamp) if !minus => T::Timestamp,
        (T::Date, T::Time) | (T::Time, T::Date) if !minus => T::Timestamp,
        (T::Timestamptz, T::Interval) => T::Timestamptz,
        (T::Interval, T::Timestamptz) if !minus => T::Timestamptz,
        (T::Timestamp, T::Timestamp | T::Date) | (T::Date, T::Timestamp) if minus => T::Interval,
        (T::Timestamptz, T::Timestamptz) if minus => T::Interval,
        (T::Time, T::Interval) => T::Time,
        (T::Interval, T::Time) if !minus => T::Time,
        (T::Time, T::Time) if minus => T::Interval,
        (T::Interval, T::Interval) => T::Interval,
        _ => return None,
    };
    let zoned = returns == T::Timestamptz;
    let name = if minus { "subtract" } else { "add" };
    let variant = format!("{},{}@{zone}", left.0, right.0);
    let arrow = arrow_type(&returns);
    let expr = Kernel::rowwise(
        name,
        variant,
        arrow,
        Volatility::Immutable,
        true,
        vec![left.1, right.1],
        move |args| {
            let micros = |v: &Value<'_>| match v {
                Value::Date(days) => i64::from(*days) * DAY,
                other => other.int(),
            };
            Ok(match (&args[0], &args[1]) {
                (Value::Date(a), Value::Date(b)) => Value::Int(i64::from(a - b)),
                (Value::Date(a), Value::Int(b)) | (Value::Int(b), Value::Date(a)) => {
                    let days = if minus {
                        i64::from(*a) - b
                    } else {
                        i64::from(*a) + b
                    };
                    Value::Date(i32::try_from(days).map_err(|_| QueryError::out_of_range())?)
                }
                (Value::Date(a), Value::Time(b)) | (Value::Time(b), Value::Date(a)) => {
                    Value::Timestamp(i64::from(*a) * DAY + b)
                }
                (Value::Interval(a), Value::Interval(b)) => {
                    let b = if minus { negated(*b) } else { *b };
                    let sum =
                        |x: i32, y: i32| x.checked_add(y).ok_or_else(QueryError::out_of_range);
                    Value::Interval(Interval {
                        months: sum(a.months, b.months)?,
                        days: sum(a.days, b.days)?,
                        micros: a
                            .micros
                            .checked_add(b.micros)
                            .ok_or_else(QueryError::out_of_range)?,
                    })
                }
                (Value::Time(a), Value::Time(b)) => Value::Interval(Interval {
                    micros: a - b,
                    ..Interval::default()
                }),
                (Value::Time(a), Value::Interval(b)) | (Value::Interval(b), Value::Time(a)) => {
                    let moved = if minus { a - b.micros } else { a + b.micros };
                    if !(0..DAY).contains(&moved) {
                        return Err(QueryError::out_of_range());
                    }
                    Value::Time(moved)
                }
                (time, Value::Interval(by)) | (Value::Interval(by), time) => {
                    let by = if minus { negated(*by) } else { *by };
                    Value::Timestamp(if zoned {
                        add_interval_zoned(time.int(), by, zone)?
                    } else {
                        add_interval(micros(time), by)?
                    })
                }
                (a, b) => Value::Interval(difference(micros(a), micros(b))),
            })
        },
    );
    Some((returns, expr))
}

/// `interval * number` and `interval / number`.
pub(crate) fn scale_interval(divide: bool, interval: Expr, factor: Expr) -> Expr {
    let name = if divide { "divide" } else { "multiply" };
    let arrow = arrow_type(&DataType::Interval);
    Kernel::rowwise(
        name,
        "interval",
        arrow,
        Volatility::Immutable,
        true,
        vec![interval, factor],
        move |args| {
            let (value, factor) = (args[0].interval(), args[1].float());
            let scaled = |part: f64| if divide { part / factor } else { part * factor };
            let scaled = [
                f64::from(value.months),
                f64::from(value.days),
                value.micros as f64,
            ]
            .map(scaled);
            Some(scaled)
                .filter(|_| !divide || factor != 0.0)
                .and_then(interval_of)
                .map(Value::Interval)
                .ok_or_else(QueryError::out_of_range)
        },
    )
}

/// `interval * integer`: each part by itself.
pub(crate) fn multiply_interval(interval: Expr, factor: Expr) -> Expr {
    Kernel::rowwise(
        "multiply",
        "interval,integer",
        arrow_type(&DataType::Interval),
        Volatility::Immutable,
        true,
        vec![interval, factor],
        |args| {
            let value = args[0].interval();
            i32::try_from(args[1].int())
                .ok()
                .and_then(|factor| {
                    Some(Interval {
                        months: value.months.checked_mul(factor)?,
                        days: value.days.checked_mul(factor)?,
                        micros: value.micros.checked_mul(factor.into())?,
                    })
                })
                .map(Value::Interval)
                .ok_or_else(QueryError::out_of_range)
        },
    )
}

/// An interval of months, days and microseconds with fractions. What is left of a unit goes down to the smaller one, and
/// is rounded to microseconds at each step, for floats are not exact.
fn interval_of([months, days, micros]: [f64; 3]) -> Option<Interval> {
    let day = DAY as f64;
    let cut = |value: f64, unit: f64| {
        let rounded = (value * unit).round_ties_even() / unit;
        (rounded.trunc(), rounded.fract())
    };
    let narrow = |value: f64| {
        let inside = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value);
        inside.then_some(value as i32)
    };
    let (months, rest) = cut(months, day * 30.0);
    let months = narrow(months)?;
    let (more_days, rest) = cut(rest * 30.0, day);
    let (days, days_rest) = cut(days, day);
    let days = narrow(days)?;
    let (carried, rest) = cut(days_rest + rest, day);
    let days = days
        .checked_add(more_days as i32)?
        .checked_add(carried as i32)?;
    let micros = (micros + rest * day).round_ties_even();
    let inside = (i64::MIN as f64..=i64::MAX as f64).contains(&micros);
    inside.then_some(Interval {
        months,
        days,
        micros: micros as i64,
    })
}

const TRUNC_FIELDS: &str = "must be one of: microseconds, milliseconds, second, minute, hour, day, week, month, quarter, year, decade, century, millennium";

/// A unit of `date_trunc`, by lower-case name.
pub(crate) fn check_trunc_field(field: &str) -> Result<(), QueryError> {
    match field {
        "microseconds" | "milliseconds" | "second" | "minute" | "hour" | "day" | "week"
        | "month" | "quarter" | "year" | "decade" | "century" | "millennium" => Ok(()),
        _ => Err(QueryError::parameter(
            "field",
            format!("invalid field \"{field}\". {TRUNC_FIELDS}"),
        )),
    }
}

/// Cuts a local time to a unit.
pub(crate) fn truncate(local: i64, field: &str) -> Result<i64, QueryError> {
    let cut = |unit: i64| Ok(local - local.rem_euclid(unit));
    let calendar = |pick: fn(NaiveDate) -> Option<NaiveDate>| {
        naive_date(local.div_euclid(DAY))
            .and_then(pick)
            .map(|date| days_of(date) * DAY)
            .ok_or_else(QueryError::out_of_range)
    };
    match field {
        "microseconds" => Ok(local),
        "milliseconds" => cut(1000),
        "second" => cut(1_000_000),
        "minute" => cut(60_000_000),
        "hour" => cut(3_600_000_000),
        "day" => cut(DAY),
        "week" => calendar(|d| {
            d.checked_sub_days(chrono::Days::new(d.weekday().num_days_from_monday().into()))
        }),
        "month" => calendar(|d| d.with_day(1)),
        "quarter" => calendar(|d| NaiveDate::from_ymd_opt(d.year(), d.month0() / 3 * 3 + 1, 1)),
        "year" => calendar(|d| NaiveDate::from_ymd_opt(d.year(), 1, 1)),
        "decade" => calendar(|d| NaiveDate::from_ymd_opt(d.year().div_euclid(10) * 10, 1, 1)),
        "century" => {
            calendar(|d| NaiveDate::from_ymd_opt((d.year() - 1).div_euclid(100) * 100 + 1, 1, 1))
        }
        "millennium" => {
            calendar(|d| NaiveDate::from_ymd_opt((d.year() - 1).div_euclid(1000) * 1000 + 1, 1, 1))
        }
        other => {
            check_trunc_field(other)?;
            Ok(local)
        }
    }
}

/// `date_trunc(field, value [, zone])` of a timestamp, timestamptz or interval.
pub(crate) fn date_trunc(args: Vec<Expr>, data_type: &DataType, zone: Tz) -> Expr {
    let zoned = *data_type == DataType::Timestamptz;
    let arrow = arrow_type(data_type);
    let variant = format!("{data_type}@{zone}");
    Kernel::rowwise(
        "date_trunc",
        variant,
        arrow,
        Volatility::Immutable,
        true,
        args,
        move |args| {
            let field = args[0].str().to_ascii_lowercase();
            if let Value::Interval(value) = &args[1] {
                check_trunc_field(&field)?;
                if field == "week" {
                    return Err(QueryError::Evaluation(
                        "Unsupported function: interval units \"week\" not supported because months usually have fractional weeks".into(),
                    ));
                }
                return Ok(Value::Interval(truncate_interval(*value, &field)));
            }
            let zone = match args.get(2) {
                Some(name) => parse_zone(name.str())?,
                None => zone,
            };
            let time = args[1].int();
            if !zoned {
                return truncate(time, &field).map(Value::Timestamp);
            }
            let offset = text::offset_seconds(time, zone) * 1_000_000;
            let cut = truncate(time + offset, &field)?;
            let clock = ["microseconds", "milliseconds", "second", "minute", "hour"];
            // Below a day the clock is not set, whatever the cut hour would say.
            if clock.contains(&field.as_str()) {
                return Ok(Value::Timestamp(cut - offset));
            }
            read_text::to_utc(cut, zone)
                .map(Value::Timestamp)
                .ok_or_else(QueryError::out_of_range)
        },
    )
}

fn truncate_interval(value: Interval, field: &str) -> Interval {
    let micros = |unit: i64| Interval {
        micros: value.micros / unit * unit,
        ..value
    };
    let months = |unit: i32| Interval {
        months: value.months / unit * unit,
        ..Interval::default()
    };
    match field {
        "milliseconds" => micros(1000),
        "second" => micros(1_000_000),
        "minute" => micros(60_000_000),
        "hour" => micros(3_600_000_000),
        "day" => Interval { micros: 0, ..value },
        "month" => months(1),
        "quarter" => months(3),
        "year" => months(12),
        "decade" => months(120),
        "century" => months(1200),
        "millennium" => months(12_000),
        _ => value,
    }
}

/// A time zone's name or offset, with RisingWave's error.
pub(crate) fn parse_zone(name: &str) -> Result<Tz, QueryError> {
    if let Ok(zone) = name.parse() {
        return Ok(zone);
    }
    chrono_tz::TZ_VARIANTS
        .iter()
        .find(|zone| zone.name().eq_ignore_ascii_case(name))
        .copied()
        .ok_or_else(|| {
            QueryError::parameter("time_zone", format!("'{name}' is not a valid timezone"))
        })
}

/// `timestamptz AT TIME ZONE x` (a timestamp) and `timestamp AT TIME ZONE x` (a timestamptz).
pub(crate) fn at_time_zone(value: Expr, from: &DataType, zone: Expr) -> (DataType, Expr) {
    let to_local = *from == DataType::Timestamptz;
    let returns = if to_local {
        DataType::Timestamp
    } else {
        DataType::Timestamptz
    };
    let arrow = arrow_type(&returns);
    let variant = from.to_string();
    let expr = Kernel::rowwise(
        "at_time_zone",
        variant,
        arrow,
        Volatility::Immutable,
        true,
        vec![value, zone],
        move |args| {
            let (time, zone) = (args[0].int(), parse_zone(args[1].str())?);
            if to_local {
                return Ok(Value::Timestamp(
                    time + text::offset_seconds(time, zone) * 1_000_000,
                ));
            }
            read_text::to_utc(time, zone)
                .map(Value::Timestamp)
                .ok_or_else(QueryError::out_of_range)
        },
    );
    (returns, expr)
}

fn unsupported_unit(field: &str, data_type: &DataType) -> QueryError {
    let mut name: String = field.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    QueryError::parameter(
        "unit",
        format!("unit \"{name}\" not supported for type {data_type}"),
    )
}

/// One field of a date, time or interval. Local times are given for timestamptz; `offset` is its zone's (seconds).
pub(crate) fn extract(
    field: &str,
    value: &Value<'_>,
    data_type: &DataType,
    offset: i64,
) -> Result<Decimal, QueryError> {
    let wrong = || unsupported_unit(field, data_type);
    // Times of day are told to the nanosecond, intervals to the microsecond.
    let time_part = |micros: i64, digits: u32| -> Option<Decimal> {
        let fraction = |scale: u32| {
            let unit = 10_i64.pow(digits.saturating_sub(6));
            Decimal::new(micros % 60_000_000 * unit, scale)
        };
        Some(match field {
            "hour" => Decimal::from(micros / 3_600_000_000),
            "minute" => Decimal::from(micros / 60_000_000 % 60),
            "second" => fraction(digits),
            "millisecond" => fraction(digits - 3),
            "microsecond" => fraction(digits - 6),
            _ => return None,
        })
    };
    let nanos = |micros: i64| match micros.checked_mul(1000) {
        Some(nanos) => Decimal::new(nanos, 9),
        None => Decimal::new(micros, 6),
    };
    match value {
        Value::Interval(v) => Ok(match field {
            "epoch" => {
                // A year of an interval has 365.25 days, the months beyond it 30 days each.
                let years = i128::from(v.months / 12) * 31_557_600_000_000;
                let days = i128::from(v.months % 12) * 30 + i128::from(v.days);
                let micros = years + days * i128::from(DAY) + i128::from(v.micros);
                Decimal::try_from_i128_with_scale(micros, 6)
                    .map_err(|_| QueryError::out_of_range())?
            }
            "year" => Decimal::from(v.months / 12),
            "month" => Decimal::from(v.months % 12),
            "quarter" => Decimal::from(v.months % 12 / 3 + 1),
            "day" => Decimal::from(v.days),
            "decade" => Decimal::from(v.months / 120),
            "century" => Decimal::from(v.months / 1200),
            "millennium" => Decimal::from(v.months / 12_000),
            _ => time_part(v.micros, 6).ok_or_else(wrong)?,
        }),
        Value::Time(v) if field == "epoch" => Ok(nanos(*v)),
        Value::Time(v) => time_part(*v, 9).ok_or_else(wrong),
        other => {
            let local = match other {
                Value::Date(days) => i64::from(*days) * DAY,
                time => time.int(),
            };
            if field == "epoch" {
                let instant = local - offset * 1_000_000;
                return Ok(match (other, data_type) {
                    (Value::Date(_), _) => Decimal::from(instant / 1_000_000),
                    (_, DataType::Timestamptz) => Decimal::new(instant, 6),
                    _ => nanos(instant),
                });
            }
            let date = naive_date(local.div_euclid(DAY)).ok_or_else(QueryError::out_of_range)?;
            let of_day = local.rem_euclid(DAY);
            let zoned = *data_type == DataType::Timestamptz;
            Ok(match field {
                "year" => Decimal::from(date.year()),
                "month" => Decimal::from(date.month()),
                "day" => Decimal::from(date.day()),
                "dow" => Decimal::from(date.weekday().num_days_from_sunday()),
                "isodow" => Decimal::from(date.weekday().number_from_monday()),
                "doy" => Decimal::from(date.ordinal()),
                "week" => Decimal::from(date.iso_week().week()),
                "isoyear" => Decimal::from(date.iso_week().year()),
                "quarter" => Decimal::from(date.month0() / 3 + 1),
                "decade" => Decimal::from(date.year() / 10),
                "century" => Decimal::from((date.year() - 1) / 100 + 1),
                "millennium" => Decimal::from((date.year() - 1) / 1000 + 1),
                "julian" if matches!(other, Value::Date(_)) => {
                    Decimal::from(days_of(date) + 2_440_588)
                }
                "julian" => nanos(local) / Decimal::from(86_400) + Decimal::from(2_440_588),
                "timezone" if zoned => Decimal::from(offset),
                "timezone_hour" if zoned => Decimal::from(offset / 3600),
                "timezone_minute" if zoned => Decimal::from(offset % 3600 / 60),
                _ if matches!(other, Value::Date(_)) => return Err(wrong()),
                _ => time_part(of_day, 9).ok_or_else(wrong)?,
            })
        }
    }
}

/// `EXTRACT(field FROM value)` (numeric) and `date_part(field, value)` (double).
pub(crate) fn extract_call(
    field: String,
    value: Expr,
    data_type: &DataType,
    zone: Tz,
    double: bool,
) -> Expr {
    let arrow = if double {
        ArrowType::Float64
    } else {
        crate::numeric::NUMERIC
    };
    let data_type = data_type.clone();
    let variant = format!("{field} {data_type}@{zone}");
    Kernel::rowwise(
        "extract",
        variant,
        arrow,
        Volatility::Immutable,
        true,
        vec![value],
        move |args| {
            let (value, offset) = match (&args[0], &data_type) {
                (Value::Timestamp(v), DataType::Timestamptz) => {
                    let offset = text::offset_seconds(*v, zone);
                    (Value::Timestamp(v + offset * 1_000_000), offset)
                }
                (value, _) => (value.clone(), 0),
            };
            let number = extract(&field, &value, &data_type, offset)?;
            let number = Numeric::from(number);
            Ok(if double {
                Value::Float(number.to_double())
            } else {
                Value::Decimal(number)
            })
        },
    )
}

/// `date_bin(stride, time [, origin])`: the time cut down to strides from the origin.
pub(crate) fn date_bin(args: Vec<Expr>, data_type: &DataType) -> Expr {
    Kernel::rowwise(
        "date_bin",
        data_type.to_string(),
        arrow_type(data_type),
        Volatility::Immutable,
        true,
        args,
        |a| {
            let stride = a[0].interval();
            if stride.months != 0 {
                return Err(QueryError::parameter(
                    "stride",
                    "stride must not contain months or years",
                ));
            }
            let stride = stride.total_micros();
            if stride <= 0 {
                return Err(QueryError::parameter("stride", "stride must be positive"));
            }
            let origin = a.get(2).map_or(0, Value::int);
            Ok(Value::Timestamp(window_start(a[1].int(), stride, origin)))
        },
    )
}

/// Start of the window of a size that holds a time, windows being aligned to 1970 plus an offset.
pub(crate) fn window_start(micros: i64, size: i64, offset: i64) -> i64 {
    micros - (micros - offset).rem_euclid(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        read_text::timestamp(text).unwrap().0
    }

    #[test]
    fn months_are_cut_to_their_last_day() {
        let month = Interval {
            months: 1,
            ..Interval::default()
        };
        assert_eq!(
            add_interval(at("2024-01-31 00:00:00"), month).unwrap(),
            at("2024-02-29 00:00:00")
        );
        assert_eq!(
            add_interval(at("2024-03-31 00:00:00"), negated(month)).unwrap(),
            at("2024-02-29 00:00:00")
        );
        let difference = difference(at("2024-05-05 06:00:00"), at("2024-05-06 07:08:09"));
        assert_eq!(text::interval(difference), "-1 days -01:08:09");
    }

    #[test]
    fn fractions_of_intervals_go_down_part_by_part() {
        let shown = |months: f64, days: f64, micros: f64| {
            interval_of([months, days, micros]).map(text::interval)
        };
        assert_eq!(
            shown(1.0 / 3.0, 2.0 / 3.0, 11.0).as_deref(),
            Some("10 days 16:00:00.000011")
        );
        assert_eq!(
            shown(1.5, -1.5, 0.0).as_deref(),
            Some("1 mon 14 days -12:00:00")
        );
        assert_eq!(shown(f64::NAN, 0.0, 0.0), None);
        assert_eq!(shown(3e9, 0.0, 0.0), None);
    }

    #[test]
    fn truncation_and_windows() {
        let time = at("2024-05-16 17:38:49.987654");
        for (field, expected) in [
            ("minute", "2024-05-16 17:38:00"),
            ("week", "2024-05-13"),
            ("quarter", "2024-04-01"),
            ("decade", "2020-01-01"),
            ("century", "2001-01-01"),
        ] {
            assert_eq!(truncate(time, field).unwrap(), at(expected), "{field}");
        }
        assert!(truncate(time, "fortnight").is_err());
        let before_1970 = at("1969-12-31 23:59:59");
        assert_eq!(
            window_start(before_1970, 60_000_000, 0),
            at("1969-12-31 23:59:00")
        );
        assert_eq!(
            window_start(at("2024-05-06 07:00:00"), 60_000_000, 30_000_000),
            at("2024-05-06 06:59:30")
        );
    }

    #[test]
    fn fields_of_a_time() {
        let time = Value::Timestamp(at("2024-05-16 17:38:49.5"));
        let field = |name| {
            extract(name, &time, &DataType::Timestamp, 0)
                .unwrap()
                .normalize()
                .to_string()
        };
        assert_eq!(field("epoch"), "1715881129.5");
        assert_eq!(field("dow"), "4");
        assert_eq!(field("week"), "20");
        assert_eq!(field("millisecond"), "49500");
        let error = extract("hour", &Value::Date(0), &DataType::Date, 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid parameter unit: unit \"Hour\" not supported for type date"
        );
    }
}
