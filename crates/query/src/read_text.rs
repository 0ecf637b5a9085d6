//! Text read as a value of a type: `'…'::type`, literals, INSERT values, with RisingWave's errors.

use std::borrow::Cow;

use chrono::{NaiveDate, TimeZone as _};
use chrono_tz::Tz;
use rwt_sql::DataType;

use crate::error::QueryError;
use crate::interval_text;
use crate::json;
use crate::numeric::Numeric;
use crate::text::Style;
use crate::value::Value;

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
        DataType::Time => time_of_day(trimmed).map(Value::Time).ok_or_else(|| {
            QueryError::parse(
                "time without time zone Can't cast string to time (expected format is HH:MM:SS[.D+{up to 6 digits}][Z] or HH:MM)",
            )
        }),
        DataType::Timestamp => match timestamp(trimmed) {
            Some((micros, 0)) => Ok(Value::Timestamp(micros)),
            Some(_) => Err(QueryError::NotImplemented(
                "timestamps to the nanosecond: the embedded engine keeps microseconds".into(),
            )),
            None => Err(QueryError::parse(format!(
                "timestamp without time zone Can't cast string to timestamp {TIMESTAMP_FORMATS}"
            ))),
        },
        DataType::Timestamptz => timestamptz(trimmed, style.zone).map(Value::Timestamp).ok_or_else(|| {
            QueryError::parse(
                "Can't cast string to timestamp with time zone (expected format is YYYY-MM-DD HH:MM:SS[.D+{up to 6 digits}] followed by +hh:mm or literal Z)\nFor example: '2021-04-01 00:00:00+00:00'",
            )
        }),
        DataType::Interval => interval_text::read(trimmed)
            .map(Value::Interval)
            .map_err(|why| QueryError::parse(format!("interval {why}"))),
        DataType::Jsonb => json::canonical(trimmed).map(|v| Value::Text(Cow::Owned(v))),
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

fn bytes(text: &str) -> Result<Vec<u8>, QueryError> {
    let Some(hex) = text
        .strip_prefix("\\x")
        .or_else(|| text.strip_prefix("\\X"))
    else {
        return escaped_bytes(text);
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

/// Bytes in the older form: `\\` is a backslash, `\ooo` a byte in octal digits.
pub(crate) fn escaped_bytes(text: &str) -> Result<Vec<u8>, QueryError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let (byte, after) = match (first, more) {
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => ((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'), after),
            (b'\\', _) => {
                return Err(QueryError::parse("invalid input syntax for type bytea"));
            }
            (byte, after) => (*byte, after),
        };
        out.push(byte);
        rest = after;
    }
    Ok(out)
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
    match text.get(8..)?.strip_prefix(['.', ',']) {
        None if text.len() == 8 => Some(micros),
        None => None,
        Some(fraction) => {
            if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let padded = format!("{fraction:0<6}");
            Some(micros + padded[..6].parse::<i64>().ok()?)
        }
    }
}

/// A time of day. Whatever zone the text ends with is read over.
fn time_of_day(text: &str) -> Option<i64> {
    let text = text.trim_end_matches('Z');
    match text.get(5..).and_then(|rest| rest.find(['+', '-'])) {
        Some(at) => {
            zone_offset(&text[5 + at..])?;
            time(&text[..5 + at])
        }
        None => time(text),
    }
}

/// A timestamp without zone, as ISO 8601 writes it: with or without `-` and `:`, of days or hours alone. A numeric zone and
/// annotations in brackets at the end are read over, as RisingWave does; a `Z` is an error. Gives microseconds, and the
/// nanoseconds beyond them.
pub(crate) fn timestamp(text: &str) -> Option<(i64, i64)> {
    if !text.is_ascii() {
        return None;
    }
    let mut rest = text;
    let day = calendar_day(&mut rest)?;
    let (mut nanos, mut clocked) = (0, false);
    if let Some(clock) = rest.strip_prefix([' ', 'T', 't']) {
        rest = clock;
        nanos = civil_clock(&mut rest)?;
        clocked = true;
    }
    if clocked && rest.starts_with(['+', '-']) {
        let end = rest.find('[').unwrap_or(rest.len());
        zone_offset(&rest[..end])?;
        rest = &rest[end..];
    }
    while let Some(annotation) = rest.strip_prefix('[') {
        let (_, after) = annotation.split_once(']')?;
        rest = after;
    }
    rest.is_empty()
        .then_some((day * DAY + nanos.div_euclid(1000), nanos.rem_euclid(1000)))
}

/// Takes so many digits off the front.
fn take_number(rest: &mut &str, count: usize) -> Option<u32> {
    let value = digits(rest, 0, count)?;
    *rest = &rest[count..];
    Some(value)
}

/// Takes `YYYY-MM-DD`, `YYYYMMDD` or these with a year of six digits and a sign off the front: days since 1970.
fn calendar_day(rest: &mut &str) -> Option<i64> {
    let sign = match rest.strip_prefix(['+', '-']) {
        Some(unsigned) => {
            let sign = if rest.starts_with('-') { -1 } else { 1 };
            *rest = unsigned;
            Some(sign)
        }
        None => None,
    };
    let year = take_number(rest, if sign.is_some() { 6 } else { 4 })?;
    let year = i32::try_from(year).ok()? * sign.unwrap_or(1);
    let separated = rest.starts_with('-');
    *rest = rest.strip_prefix('-').unwrap_or(rest);
    let month = take_number(rest, 2)?;
    if separated {
        *rest = rest.strip_prefix('-')?;
    }
    let day = take_number(rest, 2)?;
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    (-9999..=9999)
        .contains(&year)
        .then(|| date.signed_duration_since(NaiveDate::default()).num_days())
}

/// Takes `HH`, `HH:MM`, `HHMM`, `HH:MM:SS.fraction` or `HHMMSS.fraction` off the front: nanoseconds of the day. The
/// sixtieth second is the fifty-ninth.
fn civil_clock(rest: &mut &str) -> Option<i64> {
    let hour = take_number(rest, 2).filter(|h| *h < 24)?;
    let separated = rest.starts_with(':');
    let more = |rest: &mut &str| match separated {
        true => rest.strip_prefix(':').map(|after| *rest = after).is_some(),
        false => rest.starts_with(|c: char| c.is_ascii_digit()),
    };
    let (mut minute, mut second, mut nanos) = (0, 0, 0);
    if more(rest) {
        minute = take_number(rest, 2).filter(|m| *m < 60)?;
        if more(rest) {
            second = take_number(rest, 2).filter(|s| *s <= 60)?.min(59);
            if let Some(fraction) = rest.strip_prefix(['.', ',']) {
                let count = fraction.bytes().take_while(u8::is_ascii_digit).count();
                if !(1..=9).contains(&count) {
                    return None;
                }
                nanos = format!("{:0<9}", &fraction[..count]).parse().ok()?;
                *rest = &fraction[count..];
            }
        }
    }
    Some(i64::from(hour * 3600 + minute * 60 + second) * 1_000_000_000 + nanos)
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

/// A local time of a zone as UTC microseconds; the later one where a clock was set back.
pub(crate) fn to_utc(local: i64, zone: Tz) -> Option<i64> {
    let naive = chrono::DateTime::from_timestamp_micros(local)?.naive_utc();
    match zone.from_local_datetime(&naive).latest() {
        Some(time) => Some(time.timestamp_micros()),
        // A time that a clock skips: as if it had not been set yet. No clock skips three hours.
        None => {
            let step = chrono::TimeDelta::hours(3);
            let before = zone
                .from_local_datetime(&naive.checked_sub_signed(step)?)
                .single()?;
            Some(before.timestamp_micros() + 3 * 3_600_000_000)
        }
    }
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
            "20240506T070809",
            "2024-05-06 07:08:09,0[Europe/Berlin]",
            "+002024-05-06 07:08:09",
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
        let midnight = timestamp("2024-05-06");
        assert_eq!(timestamp("2024-05-06 00"), midnight);
        assert_eq!(
            timestamp("2024-05-06 07:08:09.000000001"),
            expected.map(|(micros, _)| (micros, 1))
        );
        for text in [
            "2024-05-06T07:08:09Z",
            "yesterday",
            "2024-13-01",
            "2024-05-06 25:00:00",
            "",
            "2024-5-6",
            "2024-05-06 07:08:09.1234567890",
            "2024-05-06 0708:09",
            "2024-05-06+02:00",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        let instant = expected.map(|(micros, _)| micros);
        assert_eq!(timestamptz("2024-05-06 09:08:09+02", Tz::UTC), instant);
        assert_eq!(timestamptz("2024-05-06 16:08:09", Tz::Asia__Tokyo), instant);
    }

    #[test]
    fn clocks_that_are_set_back_and_forward() {
        let zurich = |text| timestamptz(text, Tz::Europe__Zurich);
        assert_eq!(
            zurich("2022-10-30 02:30:00"),
            timestamptz("2022-10-30 01:30:00Z", Tz::UTC)
        );
        assert_eq!(
            zurich("2022-03-27 02:30:00"),
            timestamptz("2022-03-27 01:30:00Z", Tz::UTC)
        );
    }

    #[test]
    fn times_of_day_read_over_their_zone() {
        assert_eq!(time_of_day("07:08Z"), time("07:08:00"));
        assert_eq!(time_of_day("07:08:09.5+02:00"), time("07:08:09.500"));
        assert_eq!(time_of_day("7:08"), None);
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
