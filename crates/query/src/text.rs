//! Values as text, as RisingWave prints them: casts to varchar, concatenation, jsonb.

use std::fmt::Write as _;

use arrow::array::{Array as _, ArrayRef};
use arrow::datatypes::DataType as ArrowType;
use chrono::{DateTime, Datelike as _, NaiveDate, Offset as _, TimeZone as _};
use chrono_tz::Tz;
use rwt_sql::DataType;

use crate::error::QueryError;
use crate::value::{Interval, Value};

/// What the text of a value depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// The session's time zone.
    pub(crate) zone: Tz,
}

/// A value of a result as RisingWave prints it (`t` for true); `None` for NULL. `timezone` is the session's, by IANA name.
///
/// # Errors
/// An unknown time zone, or an array that does not hold values of the type.
pub fn display(
    array: &ArrayRef,
    row: usize,
    data_type: &DataType,
    timezone: &str,
) -> Result<Option<String>, QueryError> {
    let style = Style {
        zone: crate::kernel::datetime::parse_zone(timezone)?,
    };
    Ok(match crate::value::read(array, row)? {
        Value::Null => None,
        value => Some(nested(&value, data_type, array.data_type(), style)),
    })
}

/// The text of a value of a type.
pub(crate) fn of(
    value: &Value<'_>,
    data_type: &DataType,
    arrow: &ArrowType,
    style: Style,
) -> String {
    match (value, data_type) {
        (Value::Null, _) => String::new(),
        (Value::Bool(v), _) => if *v { "true" } else { "false" }.into(),
        (Value::Float(v), DataType::Real) => real(*v as f32),
        (Value::Float(v), _) => double(*v),
        (Value::Decimal(v), _) => v.to_string(),
        (Value::Text(v), _) => v.clone().into_owned(),
        (Value::Bytes(v), _) => v.iter().fold(String::from("\\x"), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        }),
        (Value::Timestamp(v), DataType::Timestamptz) => timestamptz(*v, style.zone),
        (Value::Timestamp(v), _) => timestamp(*v),
        (Value::Date(v), _) => date(*v),
        (Value::Time(v), _) => time(*v),
        (Value::Interval(v), _) => interval(*v),
        (Value::Int(v), _) => v.to_string(),
        (Value::List(items), DataType::List(item)) => {
            let item_arrow = match arrow {
                ArrowType::List(field) => field.data_type().clone(),
                _ => crate::types::arrow_type(item),
            };
            let inner: Vec<String> = items
                .iter()
                .map(|v| list_item(v, &nested(v, item, &item_arrow, style)))
                .collect();
            format!("{{{}}}", inner.join(","))
        }
        (Value::Struct(items), DataType::Struct(fields)) => {
            let arrows: Vec<ArrowType> = match arrow {
                ArrowType::Struct(fields) => fields.iter().map(|f| f.data_type().clone()).collect(),
                _ => fields
                    .iter()
                    .map(|(_, t)| crate::types::arrow_type(t))
                    .collect(),
            };
            let inner: Vec<String> = items
                .iter()
                .zip(fields)
                .zip(&arrows)
                .map(|((v, (_, t)), arrow)| struct_item(v, &nested(v, t, arrow, style)))
                .collect();
            format!("({})", inner.join(","))
        }
        (Value::Map(entries), DataType::Map(key, item)) => {
            let inner: Vec<String> = entries
                .iter()
                .map(|(k, v)| {
                    let (k_arrow, v_arrow) = (
                        crate::types::arrow_type(key),
                        crate::types::arrow_type(item),
                    );
                    let text = if v.is_null() {
                        "NULL".into()
                    } else {
                        nested(v, item, &v_arrow, style)
                    };
                    format!("{}:{}", nested(k, key, &k_arrow, style), text)
                })
                .collect();
            format!("{{{}}}", inner.join(","))
        }
        _ => String::new(),
    }
}

/// Booleans inside of lists and rows are `t` and `f`.
fn nested(value: &Value<'_>, data_type: &DataType, arrow: &ArrowType, style: Style) -> String {
    match value {
        Value::Bool(v) => if *v { "t" } else { "f" }.into(),
        _ => of(value, data_type, arrow, style),
    }
}

fn list_item(value: &Value<'_>, text: &str) -> String {
    if value.is_null() {
        return "NULL".into();
    }
    let nested = matches!(value, Value::List(_));
    let quote = !nested
        && (text.is_empty()
            || text.eq_ignore_ascii_case("null")
            || text
                .chars()
                .any(|c| matches!(c, '"' | '\\' | '{' | '}' | ',') || c.is_ascii_whitespace()));
    if quote {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.into()
    }
}

fn struct_item(value: &Value<'_>, text: &str) -> String {
    if value.is_null() {
        return String::new();
    }
    let quote = text.is_empty()
        || text
            .chars()
            .any(|c| matches!(c, '"' | '\\' | '(' | ')' | ',') || c.is_ascii_whitespace());
    if quote {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// The shortest text that reads back, without decimals for whole numbers, with an exponent from 1e16 and below 1e-5.
pub(crate) fn double(value: f64) -> String {
    float(value, &format!("{value:e}"), 16)
}

/// As [`double`], for single precision.
pub(crate) fn real(value: f32) -> String {
    float(f64::from(value), &format!("{value:e}"), 16)
}

fn float(value: f64, scientific: &str, limit: i32) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent >= limit || exponent < -5 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let plain: String = digits.chars().filter(|c| *c != '.').collect();
    let point = exponent + 1;
    if point <= 0 {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
        return format!("{sign}0.{zeros}{plain}");
    }
    let point = usize::try_from(point).unwrap_or(0);
    if plain.len() <= point {
        format!("{sign}{plain}{}", "0".repeat(point - plain.len()))
    } else {
        format!("{sign}{}.{}", &plain[..point], &plain[point..])
    }
}

const DAY: i64 = 86_400_000_000;

/// `2024-05-06`
pub(crate) fn date(days: i32) -> String {
    match naive_date(i64::from(days)) {
        Some(date) => format!("{}{}", of_year(date), era(date)),
        None => "date out of range".into(),
    }
}

/// The day of a year that is counted from one before and after Christ.
fn of_year(date: NaiveDate) -> String {
    let (_, year) = date.year_ce();
    format!("{year:04}-{:02}-{:02}", date.month(), date.day())
}

fn era(date: NaiveDate) -> &'static str {
    if date.year_ce().0 { "" } else { " BC" }
}

pub(crate) fn naive_date(days: i64) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1970, 1, 1)?.checked_add_signed(chrono::TimeDelta::try_days(days)?)
}

/// `07:08:09`, the fraction in groups of three digits.
pub(crate) fn time(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    format!(
        "{:02}:{:02}:{:02}{}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        fraction(micros.rem_euclid(1_000_000))
    )
}

fn fraction(micros: i64) -> String {
    match micros {
        0 => String::new(),
        m if m % 1000 == 0 => format!(".{:03}", m / 1000),
        m => format!(".{m:06}"),
    }
}

/// `2024-05-06 07:08:09.250`
pub(crate) fn timestamp(micros: i64) -> String {
    with_clock(micros, "")
}

/// A day and a clock, with a zone's offset behind it.
fn with_clock(micros: i64, offset: &str) -> String {
    match naive_date(micros.div_euclid(DAY)) {
        Some(date) => format!(
            "{} {}{offset}{}",
            of_year(date),
            time(micros.rem_euclid(DAY)),
            era(date)
        ),
        None => "timestamp out of range".into(),
    }
}

/// The offset of a zone at an instant, in seconds east of UTC.
pub(crate) fn offset_seconds(micros: i64, zone: Tz) -> i64 {
    DateTime::from_timestamp_micros(micros)
        .map(|utc| {
            i64::from(
                zone.offset_from_utc_datetime(&utc.naive_utc())
                    .fix()
                    .local_minus_utc(),
            )
        })
        .unwrap_or(0)
}

/// `2024-05-06 07:08:09.250+00:00` in the zone.
pub(crate) fn timestamptz(micros: i64, zone: Tz) -> String {
    let offset = offset_seconds(micros, zone);
    let sign = if offset < 0 { '-' } else { '+' };
    let zone = format!(
        "{sign}{:02}:{:02}",
        offset.abs() / 3600,
        offset.abs() / 60 % 60
    );
    with_clock(micros + offset * 1_000_000, &zone)
}

/// `1 year 2 mons 3 days 04:05:06.7`; what is positive behind something negative has a plus.
pub(crate) fn interval(value: Interval) -> String {
    let mut parts = Vec::new();
    let mut negative = false;
    let mut push = |count: i32, unit: &str| {
        if count != 0 {
            let plus = if negative && count > 0 { "+" } else { "" };
            negative = count < 0;
            parts.push(format!(
                "{plus}{count} {unit}{}",
                if count == 1 { "" } else { "s" }
            ));
        }
    };
    push(value.months / 12, "year");
    push(value.months % 12, "mon");
    push(value.days, "day");
    if value.micros != 0 || parts.is_empty() {
        let sign = match value.micros {
            ..=-1 => "-",
            1.. if negative => "+",
            _ => "",
        };
        let micros = value.micros.unsigned_abs();
        let seconds = micros / 1_000_000;
        let mut text = format!(
            "{sign}{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        let rest = micros % 1_000_000;
        if rest > 0 {
            let digits = format!("{rest:06}");
            let _ = write!(text, ".{}", digits.trim_end_matches('0'));
        }
        parts.push(text);
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_risingwave_prints_them() {
        for (value, text) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (1e15, "1000000000000000"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (1e20, "1e+20"),
            (1e-5, "0.00001"),
            (1e-7, "1e-07"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(double(value), text);
        }
        assert_eq!(real(0.1), "0.1");
        assert_eq!(real(3.4e38), "3.4e+38");
    }

    #[test]
    fn times_print_fractions_in_threes() {
        assert_eq!(timestamp(1_714_979_289_250_000), "2024-05-06 07:08:09.250");
        assert_eq!(timestamp(-1_000_000), "1969-12-31 23:59:59");
        assert_eq!(
            timestamptz(1_714_979_289_000_000, chrono_tz::Asia::Tokyo),
            "2024-05-06 16:08:09+09:00"
        );
        let day = Interval {
            months: 14,
            days: 3,
            micros: 14_706_700_000,
        };
        assert_eq!(interval(day), "1 year 2 mons 3 days 04:05:06.7");
        assert_eq!(
            interval(Interval {
                months: -1,
                days: -2,
                micros: -10_800_000_000
            }),
            "-1 mons -2 days -03:00:00"
        );
        assert_eq!(
            interval(Interval {
                months: -14,
                days: 3,
                micros: 1_000_000
            }),
            "-1 years -2 mons +3 days 00:00:01"
        );
        assert_eq!(
            interval(Interval {
                months: 0,
                days: -1,
                micros: 1_000_000
            }),
            "-1 days +00:00:01"
        );
        assert_eq!(date(-719_163), "0001-12-31 BC");
        assert_eq!(
            timestamptz(-719_163 * DAY, chrono_tz::UTC),
            "0001-12-31 00:00:00+00:00 BC"
        );
    }
}
