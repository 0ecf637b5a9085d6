//! The text format: what psql shows.

use std::fmt::{self, Write};
use std::str::FromStr;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType as Arrow, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike};
use rwt_sql::DataType;

use super::number::{numeric_text, write_double, write_real};
use super::wrong_array;
use crate::error::SqlError;

/// What the text of a value depends on besides its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextFormat {
    /// `None` for UTC.
    timezone: Option<Tz>,
}

impl TextFormat {
    /// In the session's time zone; an unknown one counts as UTC.
    pub(crate) fn new(timezone: &str) -> Self {
        Self {
            timezone: Tz::from_str(timezone).ok().filter(|_| timezone != "UTC"),
        }
    }

    /// Appends a value that is not NULL. The array is canonical.
    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        array: &ArrayRef,
        row: usize,
        data_type: &DataType,
    ) -> Result<(), SqlError> {
        self.put(out, array, row, data_type)
            .map_err(|reason| match reason {
                WrongArray => wrong_array(array, data_type),
                OutOfRange => SqlError::internal(format!("{data_type} out of range")),
            })
    }

    fn put(
        &self,
        out: &mut impl Write,
        array: &ArrayRef,
        row: usize,
        data_type: &DataType,
    ) -> Result<(), Unprintable> {
        match data_type {
            DataType::Boolean => {
                let value = array.as_boolean_opt().ok_or(WrongArray)?.value(row);
                out.write_char(if value { 't' } else { 'f' })?;
            }
            DataType::SmallInt => {
                let values = array.as_primitive_opt::<Int16Type>().ok_or(WrongArray)?;
                write!(out, "{}", values.value(row))?;
            }
            DataType::Integer => {
                let values = array.as_primitive_opt::<Int32Type>().ok_or(WrongArray)?;
                write!(out, "{}", values.value(row))?;
            }
            DataType::BigInt | DataType::Serial => {
                let values = array.as_primitive_opt::<Int64Type>().ok_or(WrongArray)?;
                write!(out, "{}", values.value(row))?;
            }
            DataType::Real => {
                let values = array.as_primitive_opt::<Float32Type>().ok_or(WrongArray)?;
                write_real(out, values.value(row))?;
            }
            DataType::Double => {
                let values = array.as_primitive_opt::<Float64Type>().ok_or(WrongArray)?;
                write_double(out, values.value(row))?;
            }
            DataType::Numeric => out.write_str(&numeric(array, row).ok_or(WrongArray)?)?,
            DataType::Varchar | DataType::Int256 => {
                out.write_str(array.as_string_opt::<i32>().ok_or(WrongArray)?.value(row))?;
            }
            DataType::Jsonb => {
                let text = array.as_string_opt::<i32>().ok_or(WrongArray)?.value(row);
                out.write_str(&json(text, true))?;
            }
            DataType::Bytea => {
                out.write_str("\\x")?;
                for byte in array.as_binary_opt::<i32>().ok_or(WrongArray)?.value(row) {
                    write!(out, "{byte:02x}")?;
                }
            }
            DataType::Date => {
                let values = array.as_primitive_opt::<Date32Type>().ok_or(WrongArray)?;
                let epoch = NaiveDate::default();
                let days = TimeDelta::try_days(values.value(row).into()).ok_or(OutOfRange)?;
                let date = epoch.checked_add_signed(days).ok_or(OutOfRange)?;
                let era = write_date(out, date)?;
                out.write_str(era)?;
            }
            DataType::Time => {
                let values = array.as_primitive_opt::<Time64MicrosecondType>();
                write_time(out, values.ok_or(WrongArray)?.value(row))?;
            }
            DataType::Timestamp => {
                let era = write_timestamp(out, instant(array, row)?)?;
                out.write_str(era)?;
            }
            DataType::Timestamptz => {
                let utc = instant(array, row)?;
                let seconds = self.timezone.map_or(0, |timezone| {
                    timezone
                        .offset_from_utc_datetime(&utc)
                        .fix()
                        .local_minus_utc()
                });
                let local = utc.checked_add_signed(TimeDelta::seconds(seconds.into()));
                let era = write_timestamp(out, local.ok_or(OutOfRange)?)?;
                let sign = if seconds < 0 { '-' } else { '+' };
                // local mean times of the 19th century have seconds, which no text shows
                let minutes = (seconds.abs() + 30) / 60;
                write!(out, "{sign}{:02}:{:02}{era}", minutes / 60, minutes % 60)?;
            }
            DataType::Interval => {
                let values = array.as_primitive_opt::<IntervalMonthDayNanoType>();
                let value = values.ok_or(WrongArray)?.value(row);
                write_interval(out, value.months, value.days, value.nanoseconds / 1000)?;
            }
            DataType::List(item) => {
                let items = array.as_list_opt::<i32>().ok_or(WrongArray)?.value(row);
                out.write_char('{')?;
                for i in 0..items.len() {
                    if i > 0 {
                        out.write_char(',')?;
                    }
                    if items.is_null(i) {
                        out.write_str("NULL")?;
                    } else if matches!(**item, DataType::List(_)) {
                        self.put(out, &items, i, item)?;
                    } else {
                        let mut text = String::new();
                        self.put(&mut text, &items, i, item)?;
                        write_item(out, &text)?;
                    }
                }
                out.write_char('}')?;
            }
            DataType::Struct(fields) => {
                let structs = array.as_struct_opt().ok_or(WrongArray)?;
                out.write_char('(')?;
                for (i, ((_, field), child)) in fields.iter().zip(structs.columns()).enumerate() {
                    if i > 0 {
                        out.write_char(',')?;
                    }
                    if child.is_valid(row) {
                        let mut text = String::new();
                        self.put(&mut text, child, row, field)?;
                        write_field(out, &text)?;
                    }
                }
                out.write_char(')')?;
            }
            DataType::Map(key, value) => {
                let entries = array.as_map_opt().ok_or(WrongArray)?.value(row);
                out.write_char('{')?;
                for i in 0..entries.len() {
                    if i > 0 {
                        out.write_char(',')?;
                    }
                    self.put(out, entries.column(0), i, key)?;
                    out.write_char(':')?;
                    if entries.column(1).is_null(i) {
                        out.write_str("NULL")?;
                    } else {
                        self.put(out, entries.column(1), i, value)?;
                    }
                }
                out.write_char('}')?;
            }
        }
        Ok(())
    }
}

/// Why a value has no text.
enum Unprintable {
    /// The array has another form than announced.
    WrongArray,
    /// The value lies outside of the calendar.
    OutOfRange,
}

use Unprintable::{OutOfRange, WrongArray};

impl From<fmt::Error> for Unprintable {
    /// Writing to memory does not fail; what does is a number without digits.
    fn from(_: fmt::Error) -> Self {
        OutOfRange
    }
}

/// The text of a numeric, from a decimal or from text.
pub(super) fn numeric(array: &ArrayRef, row: usize) -> Option<String> {
    match array.data_type() {
        Arrow::Decimal128(_, scale) => {
            let unscaled = array.as_primitive_opt::<Decimal128Type>()?.value(row);
            Some(numeric_text(unscaled, u32::try_from(*scale).ok()?))
        }
        _ => Some(array.as_string_opt::<i32>()?.value(row).to_owned()),
    }
}

/// JSON text with sorted keys, with blanks behind `:` and `,` (the text format) or without (the binary one). Text that
/// is no JSON stays as it is.
pub(super) fn json(text: &str, blanks: bool) -> String {
    let Ok(value) = serde_json::from_str(text) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len() + 8);
    put_json(&value, blanks, &mut out);
    out
}

fn put_json(value: &serde_json::Value, blanks: bool, out: &mut String) {
    let comma = if blanks { ", " } else { "," };
    match value {
        serde_json::Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                put_json(item, blanks, out);
            }
            out.push(']');
        }
        serde_json::Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (i, (key, item)) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                out.push_str(if blanks { ": " } else { ":" });
                put_json(item, blanks, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn instant(array: &ArrayRef, row: usize) -> Result<NaiveDateTime, Unprintable> {
    let values = array.as_primitive_opt::<TimestampMicrosecondType>();
    let micros = values.ok_or(WrongArray)?.value(row);
    Ok(DateTime::from_timestamp_micros(micros)
        .ok_or(OutOfRange)?
        .naive_utc())
}

/// Writes the date and gives what stands behind the whole value for the years before the first.
fn write_date(out: &mut impl Write, date: NaiveDate) -> Result<&'static str, fmt::Error> {
    let (common_era, year) = date.year_ce();
    write!(out, "{year:04}-{:02}-{:02}", date.month(), date.day())?;
    Ok(if common_era { "" } else { " BC" })
}

fn write_timestamp(out: &mut impl Write, value: NaiveDateTime) -> Result<&'static str, fmt::Error> {
    let era = write_date(out, value.date())?;
    out.write_char(' ')?;
    let time = value.time();
    let seconds = i64::from(time.num_seconds_from_midnight());
    write_time(
        out,
        seconds * 1_000_000 + i64::from(time.nanosecond() / 1000),
    )?;
    Ok(era)
}

/// Fractions in groups of three digits.
fn write_time(out: &mut impl Write, micros: i64) -> fmt::Result {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    write!(out, "{hours:02}:{minutes:02}:{:02}", seconds % 60)?;
    if fraction == 0 {
        Ok(())
    } else if fraction % 1000 == 0 {
        write!(out, ".{:03}", fraction / 1000)
    } else {
        write!(out, ".{fraction:06}")
    }
}

/// Unlike in a time, the fraction of an interval loses its trailing zeros.
fn write_interval(out: &mut impl Write, months: i32, days: i32, micros: i64) -> fmt::Result {
    let mut blank = "";
    for (count, one, many) in [
        (months / 12, "year", "years"),
        (months % 12, "mon", "mons"),
        (days, "day", "days"),
    ] {
        if count != 0 {
            let word = if count == 1 { one } else { many };
            write!(out, "{blank}{count} {word}")?;
            blank = " ";
        }
    }
    if micros == 0 && !blank.is_empty() {
        return Ok(());
    }
    let sign = if micros < 0 { "-" } else { "" };
    let (seconds, fraction) = (
        micros.unsigned_abs() / 1_000_000,
        micros.unsigned_abs() % 1_000_000,
    );
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    write!(
        out,
        "{blank}{sign}{hours:02}:{minutes:02}:{:02}",
        seconds % 60
    )?;
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        write!(out, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

/// PostgreSQL's white space, which counts the vertical tab.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// An item of an array, in quotes where it would not read back.
fn write_item(out: &mut impl Write, text: &str) -> fmt::Result {
    let special = |c| matches!(c, '"' | '\\' | '{' | '}' | ',') || is_space(c);
    if !text.is_empty() && !text.eq_ignore_ascii_case("null") && !text.contains(special) {
        return out.write_str(text);
    }
    out.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    out.write_char('"')
}

/// A field of a struct; quotes and backslashes are doubled.
fn write_field(out: &mut impl Write, text: &str) -> fmt::Result {
    let special = |c| matches!(c, '"' | '\\' | '(' | ')' | ',') || is_space(c);
    if !text.is_empty() && !text.contains(special) {
        return out.write_str(text);
    }
    out.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.write_char(c)?;
        }
        out.write_char(c)?;
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn intervals_print_as_recorded() {
        const HOUR: i64 = 3_600_000_000;
        for (months, days, micros, text) in [
            (0, 0, 0, "00:00:00"),
            (0, 1, 2 * HOUR + 184_000_000, "1 day 02:03:04"),
            (14, 0, 0, "1 year 2 mons"),
            (-1, -2, -3 * HOUR, "-1 mons -2 days -03:00:00"),
            (0, -1, -(HOUR + 489_000_000), "-1 days -01:08:09"),
            (
                14,
                3,
                4 * HOUR + 306_700_000,
                "1 year 2 mons 3 days 04:05:06.7",
            ),
        ] {
            let mut out = String::new();
            write_interval(&mut out, months, days, micros).unwrap();
            assert_eq!(out, text);
        }
    }

    #[test]
    fn json_has_sorted_keys_and_blanks_only_as_text() {
        let text = r#"{"b":[1,2.50, null],"a" : {"y":"é\"","x":true}}"#;
        assert_eq!(
            json(text, true),
            r#"{"a": {"x": true, "y": "é\""}, "b": [1, 2.5, null]}"#
        );
        assert_eq!(
            json(text, false),
            r#"{"a":{"x":true,"y":"é\""},"b":[1,2.5,null]}"#
        );
        assert_eq!(json("{broken", true), "{broken");
    }

    fn text(array: ArrayRef, data_type: DataType) -> Result<String, SqlError> {
        let mut out = String::new();
        TextFormat::new("Asia/Tokyo").write(&mut out, &array, 0, &data_type)?;
        Ok(out)
    }

    #[test]
    fn the_ends_of_the_calendar_print_or_are_refused() {
        let date = |days| text(Arc::new(Date32Array::from(vec![days])), DataType::Date);
        assert_eq!(date(-719_162), Ok("0001-01-01".into()));
        assert_eq!(date(-719_163), Ok("0001-12-31 BC".into()));
        assert_eq!(date(2_932_897), Ok("10000-01-01".into()));
        assert_eq!(date(i32::MAX), Err(SqlError::internal("date out of range")));
        let instant = |micros| {
            let array = TimestampMicrosecondArray::from(vec![micros]);
            text(Arc::new(array), DataType::Timestamptz)
        };
        assert_eq!(instant(-1), Ok("1970-01-01 08:59:59.999999+09:00".into()));
        assert_eq!(
            instant(-62_135_715_600_000_001),
            Ok("0001-12-31 00:18:58.999999+09:19 BC".into())
        );
        for micros in [i64::MIN, i64::MAX] {
            assert_eq!(
                instant(micros),
                Err(SqlError::internal("timestamp with time zone out of range"))
            );
        }
    }

    #[test]
    fn an_array_of_another_form_is_an_error() {
        let refused = text(Arc::new(Date32Array::from(vec![1])), DataType::Boolean);
        let message = "internal error: a value of type boolean came as Date32";
        assert_eq!(refused, Err(SqlError::internal(message)));
    }
}
