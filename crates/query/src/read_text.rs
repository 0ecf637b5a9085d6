//! Text read as a value of a type: `'…'::type`, literals, INSERT values, with RisingWave's errors.

use std::borrow::Cow;

use chrono::{NaiveDate, TimeZone as _};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rwt_sql::DataType;

use crate::error::QueryError;
use crate::json;
use crate::numeric::Numeric;
use crate::text::Style;
use crate::value::{Interval, Value};

const TIMESTAMP_FORMATS: &str = "(expected format is YYYY-MM-DD HH:MM:SS[.D+{up to 9 digits}] or YYYY-MM-DD HH:MM or YYYY-MM-DD or ISO 8601 format)";
const DAY: i64 = 86_400_000_000;

/// Reads a text as a value of the type.
pub(crate) fn read_as<'a>(
    text: &'a str,
    data_type: &DataType,
    style: Style,
) -> Result<Value<'a>, QueryError> {
    let trimmed = text.trim();
    match data_type {
        DataType::Varchar => Ok(Value::Text(Cow::Borrowed(text))),
        DataType::Boolean => boolean(trimmed).map(Value::Bool),
        DataType::SmallInt => integer::<i16>(trimmed, "smallint"),
        DataType::Integer => integer::<i32>(trimmed, "integer"),
        DataType::BigInt | DataType::Serial => integer::<i64>(trimmed, "bigint"),
        DataType::Real => float(trimmed, "real").map(|v| Value::Float(f64::from(v as f32))),
        DataType::Double => float(trimmed, "double precision").map(Value::Float),
        DataType::Numeric | DataType::Int256 => numeric(trimmed).map(Value::Decimal),
        DataType::Bytea => bytes(text).map(|v| Value::Bytes(Cow::Owned(v))),
        DataType::Date => date(trimmed)
            .map(Value::Date)
            .ok_or_else(|| QueryError::parse("date Can't cast string to date (expected format is YYYY-MM-DD)")),
        DataType::Time => time(trimmed).map(Value::Time).ok_or_else(|| {
            QueryError::parse(
                "time without time zone Can't cast string to time (expected format is HH:MM:SS[.D+{up to 6 digits}][Z] or HH:MM)",
            )
        }),
        DataType::Timestamp => timestamp(trimmed).map(Value::Timestamp).ok_or_else(|| {
            QueryError::parse(format!(
                "timestamp without time zone Can't cast string to timestamp {TIMESTAMP_FORMATS}"
            ))
        }),
        DataType::Timestamptz => timestamptz(trimmed, style.zone).map(Value::Timestamp).ok_or_else(|| {
            QueryError::parse(
                "Can't cast string to timestamp with time zone (expected format is YYYY-MM-DD HH:MM:SS[.D+{up to 6 digits}] followed by +hh:mm or literal Z)\nFor example: '2021-04-01 00:00:00+00:00'",
            )
        }),
        DataType::Interval => interval(trimmed).map(Value::Interval),
        DataType::Jsonb => json::canonical(text).map(|v| Value::Text(Cow::Owned(v))),
        DataType::List(item) => list(trimmed, item, style),
        DataType::Struct(fields) => structure(trimmed, fields, style),
        DataType::Map(..) => Err(QueryError::NotImplemented("text as a map".into())),
    }
}

fn boolean(text: &str) -> Result<bool, QueryError> {
    let lower = text.to_ascii_lowercase();
    let is = |words: &[&str]| !lower.is_empty() && words.iter().any(|w| w.starts_with(&lower));
    if is(&["true", "yes"]) || lower == "on" || lower == "1" {
        Ok(true)
    } else if is(&["false", "no"]) || lower == "off" || lower == "of" || lower == "0" {
        Ok(false)
    } else {
        Err(QueryError::parse("Invalid bool"))
    }
}

fn integer<'a, T>(text: &str, name: &str) -> Result<Value<'a>, QueryError>
where
    T: std::str::FromStr<Err = std::num::ParseIntError> + Into<i64>,
{
    match text.parse::<T>() {
        Ok(value) => Ok(Value::Int(value.into())),
        Err(error) => Err(QueryError::parse(format!("{name} {error}"))),
    }
}

fn float(text: &str, name: &str) -> Result<f64, QueryError> {
    text.parse()
        .map_err(|_| QueryError::parse(format!("{name} invalid float literal")))
}

/// A numeric.
pub(crate) fn numeric(text: &str) -> Result<Numeric, QueryError> {
    text.parse()
        .map_err(|_| QueryError::parse("numeric Failed to parse"))
}

/// A number in an interval.
fn amount(text: &str) -> Option<Decimal> {
    numeric(text).ok()?.finite()
}

fn bytes(text: &str) -> Result<Vec<u8>, QueryError> {
    let Some(hex) = text
        .strip_prefix("\\x")
        .or_else(|| text.strip_prefix("\\X"))
    else {
        return Ok(text.as_bytes().to_vec());
    };
    let mut nibbles = Vec::with_capacity(hex.len());
    for c in hex.chars().filter(|c| !c.is_ascii_whitespace()) {
        let digit = c
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
            .ok_or_else(|| QueryError::parse(format!("invalid hexadecimal digit: \"{c}\"")))?;
        nibbles.push(digit);
    }
    if nibbles.len() % 2 != 0 {
        return Err(QueryError::parse(
            "invalid hexadecimal data: odd number of digits",
        ));
    }
    Ok(nibbles
        .chunks_exact(2)
        .map(|pair| pair[0] * 16 + pair[1])
        .collect())
}

fn digits(text: &str, from: usize, count: usize) -> Option<u32> {
    let part = text.get(from..from + count)?;
    part.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| part.parse().ok())?
}

/// `YYYY-MM-DD` as days since 1970.
pub(crate) fn date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(digits(text, 0, 4)?).ok()?,
        digits(text, 5, 2)?,
        digits(text, 8, 2)?,
    )?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// `HH:MM`, `HH:MM:SS`, `HH:MM:SS.fraction` as microseconds of the day.
pub(crate) fn time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (hour, minute) = (digits(text, 0, 2)?, digits(text, 3, 2)?);
    if bytes.get(2) != Some(&b':') || hour > 23 || minute > 59 {
        return None;
    }
    let mut micros = i64::from(hour * 3600 + minute * 60) * 1_000_000;
    if text.len() == 5 {
        return Some(micros);
    }
    let second = digits(text, 6, 2)?;
    if bytes.get(5) != Some(&b':') || second > 59 {
        return None;
    }
    micros += i64::from(second) * 1_000_000;
    match text.get(8..)?.strip_prefix('.') {
        None if text.len() == 8 => Some(micros),
        None => None,
        Some(fraction) => {
            if fraction.is_empty()
                || fraction.len() > 9
                || !fraction.bytes().all(|b| b.is_ascii_digit())
            {
                return None;
            }
            let padded = format!("{fraction:0<6}");
            Some(micros + padded[..6].parse::<i64>().ok()?)
        }
    }
}

/// A timestamp without zone. A numeric zone at the end is read over, as RisingWave does; a `Z` is an error.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    if !text.is_ascii() {
        return None;
    }
    let day = i64::from(date(text.get(..10)?)?) * DAY;
    if text.len() == 10 {
        return Some(day);
    }
    let separator = text.as_bytes()[10];
    if separator != b' ' && separator != b'T' && separator != b't' {
        return None;
    }
    let rest = text.get(11..)?;
    let (clock, zone) = split_zone(rest);
    if let Some(zone) = zone {
        zone_offset(zone).filter(|_| !zone.eq_ignore_ascii_case("z"))?;
    }
    Some(day + time(clock)?)
}

fn split_zone(text: &str) -> (&str, Option<&str>) {
    match text.find(['+', '-', 'Z', 'z']) {
        Some(at) => (text[..at].trim_end(), Some(&text[at..])),
        None => (text, None),
    }
}

/// Seconds east of UTC.
fn zone_offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let rest = &zone[1..];
    let (hours, minutes) = match rest.len() {
        1 | 2 => (rest.parse::<i64>().ok()?, 0),
        4 => (rest[..2].parse().ok()?, rest[2..].parse().ok()?),
        5 if rest.as_bytes()[2] == b':' => (rest[..2].parse().ok()?, rest[3..].parse().ok()?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A timestamp with zone; one without is taken in the session's zone.
pub(crate) fn timestamptz(text: &str, session: Tz) -> Option<i64> {
    if !text.is_ascii() {
        return None;
    }
    let day = i64::from(date(text.get(..10)?)?) * DAY;
    if text.len() == 10 {
        return to_utc(day, session);
    }
    let separator = text.as_bytes()[10];
    if separator != b' ' && separator != b'T' && separator != b't' {
        return None;
    }
    let (clock, zone) = split_zone(text.get(11..)?);
    let local = day + time(clock)?;
    match zone {
        Some(zone) => Some(local - zone_offset(zone)? * 1_000_000),
        None => to_utc(local, session),
    }
}

/// A local time of a zone as UTC microseconds; the earlier one where a clock was set back.
pub(crate) fn to_utc(local: i64, zone: Tz) -> Option<i64> {
    let naive = chrono::DateTime::from_timestamp_micros(local)?.naive_utc();
    match zone.from_local_datetime(&naive).earliest() {
        Some(time) => Some(time.timestamp_micros()),
        // The hour that a clock skips: as if it had not been set yet.
        None => {
            let before = naive.checked_sub_signed(chrono::TimeDelta::hours(1))?;
            Some(
                zone.from_local_datetime(&before)
                    .earliest()?
                    .timestamp_micros()
                    + 3_600_000_000,
            )
        }
    }
}

/// `1 day 02:00:00`, `-1 mons`, `90 minutes`, `1.5 hours`, ISO 8601 `P1DT2H`.
pub(crate) fn interval(text: &str) -> Result<Interval, QueryError> {
    let invalid = || QueryError::parse(format!("Invalid interval: {text}"));
    if let Some(iso) = text.strip_prefix('P') {
        return iso_interval(iso).ok_or_else(invalid);
    }
    let mut total = Interval::default();
    let mut words = tokens(text).into_iter().peekable();
    if words.peek().is_none() {
        return Err(invalid());
    }
    let mut last_unit_seen = false;
    while let Some(word) = words.next() {
        if word == "@" {
            continue;
        }
        if word.eq_ignore_ascii_case("ago") && words.peek().is_none() && last_unit_seen {
            total = Interval {
                months: -total.months,
                days: -total.days,
                micros: -total.micros,
            };
            continue;
        }
        if word.contains(':') {
            total.micros = total
                .micros
                .checked_add(clock(&word).ok_or_else(invalid)?)
                .ok_or_else(invalid)?;
            last_unit_seen = true;
            continue;
        }
        let amount = amount(&word).ok_or_else(invalid)?;
        let unit = match words.peek() {
            Some(next) if next.chars().next().is_some_and(char::is_alphabetic) => {
                words.next().unwrap_or_default()
            }
            _ => "second".to_owned(),
        };
        total = add_unit(total, amount, &unit.to_ascii_lowercase()).ok_or_else(invalid)?;
        last_unit_seen = true;
    }
    Ok(total)
}

/// Words, with a number and a unit that touch (`1day`) taken apart.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let split = word.find(|c: char| c.is_alphabetic());
        match split {
            Some(at) if at > 0 => {
                out.push(word[..at].to_owned());
                out.push(word[at..].to_owned());
            }
            _ => out.push(word.to_owned()),
        }
    }
    out
}

fn clock(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = text.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: Decimal = parts.next().unwrap_or("0").parse().ok()?;
    let micros = (seconds * Decimal::from(1_000_000)).trunc().mantissa();
    Some(sign * ((hours * 3600 + minutes * 60) * 1_000_000 + i64::try_from(micros).ok()?))
}

fn add_unit(total: Interval, amount: Decimal, unit: &str) -> Option<Interval> {
    let mut out = total;
    let micros_per_unit = match unit {
        "millennium" | "millennia" => return add_months(&mut out, amount, 12_000).map(|()| out),
        "century" | "centuries" | "c" => return add_months(&mut out, amount, 1200).map(|()| out),
        "decade" | "decades" => return add_months(&mut out, amount, 120).map(|()| out),
        "year" | "years" | "yr" | "yrs" | "y" => {
            return add_months(&mut out, amount, 12).map(|()| out);
        }
        "month" | "months" | "mon" | "mons" => {
            return add_months(&mut out, amount, 1).map(|()| out);
        }
        "week" | "weeks" | "w" => {
            return add_days(&mut out, amount.checked_mul(Decimal::from(7))?).map(|()| out);
        }
        "day" | "days" | "d" => return add_days(&mut out, amount).map(|()| out),
        "hour" | "hours" | "hr" | "hrs" | "h" => 3_600_000_000_i64,
        "minute" | "minutes" | "min" | "mins" | "m" => 60_000_000,
        "second" | "seconds" | "sec" | "secs" | "s" => 1_000_000,
        "millisecond" | "milliseconds" | "ms" => 1000,
        "microsecond" | "microseconds" | "us" => 1,
        _ => return None,
    };
    let micros = amount.checked_mul(Decimal::from(micros_per_unit))?.round();
    out.micros = out
        .micros
        .checked_add(i64::try_from(micros.mantissa()).ok()?)?;
    Some(out)
}

fn add_months(out: &mut Interval, amount: Decimal, months: i64) -> Option<()> {
    let total = amount.checked_mul(Decimal::from(months))?;
    let whole = total.trunc();
    out.months = out
        .months
        .checked_add(i32::try_from(whole.mantissa()).ok()?)?;
    add_days(out, (total - whole).checked_mul(Decimal::from(30))?)
}

fn add_days(out: &mut Interval, amount: Decimal) -> Option<()> {
    let whole = amount.trunc();
    out.days = out
        .days
        .checked_add(i32::try_from(whole.mantissa()).ok()?)?;
    let rest = ((amount - whole) * Decimal::from(DAY)).round();
    out.micros = out
        .micros
        .checked_add(i64::try_from(rest.mantissa()).ok()?)?;
    Some(())
}

fn iso_interval(text: &str) -> Option<Interval> {
    let mut out = Interval::default();
    let (mut number, mut in_time) = (String::new(), false);
    for c in text.chars() {
        match c {
            'T' => in_time = true,
            '0'..='9' | '.' | '-' | '+' => number.push(c),
            unit => {
                let amount = amount(&std::mem::take(&mut number))?;
                let unit = match (unit, in_time) {
                    ('Y', false) => "year",
                    ('M', false) => "month",
                    ('W', false) => "week",
                    ('D', false) => "day",
                    ('H', true) => "hour",
                    ('M', true) => "minute",
                    ('S', true) => "second",
                    _ => return None,
                };
                out = add_unit(out, amount, unit)?;
            }
        }
    }
    number.is_empty().then_some(out)
}

/// The items of `{a,"b c",NULL}` or the fields of `(1,"a b",)`: `None` for NULL.
fn items(text: &str, open: char, close: char) -> Option<Vec<Option<String>>> {
    let inner = text.strip_prefix(open)?.strip_suffix(close)?;
    let row = open == '(';
    if inner.trim().is_empty() && !row {
        return Some(Vec::new());
    }
    let mut out = Vec::new();
    let (mut item, mut quoted, mut depth) = (String::new(), false, 0_i32);
    let mut chars = inner.chars().peekable();
    let mut finish = |item: &mut String, quoted: &mut bool| {
        let value = std::mem::take(item);
        let bare = if *quoted {
            value.as_str()
        } else {
            value.trim()
        };
        let null =
            !*quoted && (bare.eq_ignore_ascii_case("null") && !row || row && bare.is_empty());
        out.push((!null).then(|| bare.to_owned()));
        *quoted = false;
    };
    while let Some(c) = chars.next() {
        match c {
            '"' if depth == 0 => {
                quoted = true;
                loop {
                    match chars.next()? {
                        '\\' => item.push(chars.next()?),
                        '"' if chars.peek() == Some(&'"') && row => {
                            chars.next();
                            item.push('"');
                        }
                        '"' => break,
                        other => item.push(other),
                    }
                }
            }
            ',' if depth == 0 => finish(&mut item, &mut quoted),
            '\\' if depth == 0 => item.push(chars.next()?),
            c => {
                depth += i32::from(c == '{' || c == '(') - i32::from(c == '}' || c == ')');
                item.push(c);
            }
        }
    }
    finish(&mut item, &mut quoted);
    Some(out)
}

fn list<'a>(text: &str, item: &DataType, style: Style) -> Result<Value<'a>, QueryError> {
    let parts = items(text, '{', '}')
        .ok_or_else(|| QueryError::parse(format!("Array literal {text:?} is malformed")))?;
    let values = parts
        .into_iter()
        .map(|part| match part {
            None => Ok(Value::Null),
            Some(part) => read_as(&part, item, style).map(Value::into_owned),
        })
        .collect::<Result<_, _>>()?;
    Ok(Value::List(values))
}

fn structure<'a>(
    text: &str,
    fields: &[(String, DataType)],
    style: Style,
) -> Result<Value<'a>, QueryError> {
    let parts = items(text, '(', ')')
        .filter(|parts| parts.len() == fields.len())
        .ok_or_else(|| QueryError::parse(format!("Row literal {text:?} is malformed")))?;
    let values = parts
        .into_iter()
        .zip(fields)
        .map(|(part, (_, data_type))| match part {
            None => Ok(Value::Null),
            Some(part) => read_as(&part, data_type, style).map(Value::into_owned),
        })
        .collect::<Result<_, _>>()?;
    Ok(Value::Struct(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTC: Style = Style { zone: Tz::UTC };

    #[test]
    fn timestamps_take_the_forms_of_risingwave() {
        let expected = timestamp("2024-05-06 07:08:09");
        assert!(expected.is_some());
        for text in [
            "2024-05-06T07:08:09",
            "2024-05-06 07:08:09.000",
            "2024-05-06 07:08:09+02:00",
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
        for text in [
            "2024-05-06T07:08:09Z",
            "yesterday",
            "2024-13-01",
            "2024-05-06 25:00:00",
            "",
            "2024-5-6",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        assert_eq!(timestamptz("2024-05-06 09:08:09+02", Tz::UTC), expected);
        assert_eq!(
            timestamptz("2024-05-06 16:08:09", Tz::Asia__Tokyo),
            expected
        );
    }

    #[test]
    fn intervals_add_up() {
        let parse = |text| interval(text).map(crate::text::interval).unwrap();
        assert_eq!(parse("90 minutes"), "01:30:00");
        assert_eq!(parse("1 day 02:03:04"), "1 day 02:03:04");
        assert_eq!(
            parse("-1 mons -2 days -03:00:00"),
            "-1 mons -2 days -03:00:00"
        );
        assert_eq!(parse("1.5 hours"), "01:30:00");
        assert_eq!(parse("P1DT2H"), "1 day 02:00:00");
        assert_eq!(parse("1 MINUTE"), "00:01:00");
        assert_eq!(parse("250 ms"), "00:00:00.25");
        assert!(interval("soon").is_err());
    }

    #[test]
    fn lists_and_errors() {
        let text = DataType::List(Box::new(DataType::Varchar));
        assert_eq!(
            read_as("{\"a,b\",NULL,\"c\\\"d\"}", &text, UTC).unwrap(),
            Value::List(vec![Value::text("a,b"), Value::Null, Value::text("c\"d")])
        );
        let error = |text, data_type| read_as(text, &data_type, UTC).unwrap_err().to_string();
        assert_eq!(
            error("4x", DataType::Integer),
            "Parse error: integer invalid digit found in string"
        );
        assert_eq!(
            error("", DataType::Integer),
            "Parse error: integer cannot parse integer from empty string"
        );
        assert_eq!(
            error("maybe", DataType::Boolean),
            "Parse error: Invalid bool"
        );
        assert_eq!(
            error("\\xzz", DataType::Bytea),
            "Parse error: invalid hexadecimal digit: \"z\""
        );
    }
}
