//! `to_char`, `to_timestamp(text, format)`, `to_date` and the `make_…` functions. RisingWave knows fewer patterns than
//! PostgreSQL: what it does not know stays in the text (`func_tochar.slt`).

use arrow::datatypes::DataType as ArrowType;
use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use datafusion::logical_expr::{Expr, Volatility};
use rwt_sql::DataType;

use crate::bind::Bound;
use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::read_text;
use crate::text::{self, naive_date};
use crate::value::Value;

const DAY: i64 = 86_400_000_000;

/// A pattern of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year4,
    Year2,
    IsoYear4,
    IsoYear2,
    Month,
    MonthName,
    MonthShort,
    Day,
    Hour24,
    Hour12,
    Minute,
    Second,
    Milli,
    Micro,
    Upper,
    Lower,
    ZoneHour,
    ZoneMinute,
    ZoneHourMinute,
}

/// Longest first; `Q`, `WW`, `D`, `Day`, upper-case names and quoted text are not among RisingWave's patterns.
const PATTERNS: &[(&str, Part)] = &[
    ("TZH:TZM", Part::ZoneHourMinute),
    ("tzh:tzm", Part::ZoneHourMinute),
    ("Month", Part::MonthName),
    ("IYYY", Part::IsoYear4),
    ("iyyy", Part::IsoYear4),
    ("YYYY", Part::Year4),
    ("yyyy", Part::Year4),
    ("HH24", Part::Hour24),
    ("hh24", Part::Hour24),
    ("HH12", Part::Hour12),
    ("hh12", Part::Hour12),
    ("TZHTZM", Part::ZoneHourMinute),
    ("Mon", Part::MonthShort),
    ("TZH", Part::ZoneHour),
    ("tzh", Part::ZoneHour),
    ("TZM", Part::ZoneMinute),
    ("tzm", Part::ZoneMinute),
    ("HH", Part::Hour12),
    ("hh", Part::Hour12),
    ("AM", Part::Upper),
    ("PM", Part::Upper),
    ("am", Part::Lower),
    ("pm", Part::Lower),
    ("MI", Part::Minute),
    ("mi", Part::Minute),
    ("SS", Part::Second),
    ("ss", Part::Second),
    ("YY", Part::Year2),
    ("yy", Part::Year2),
    ("IY", Part::IsoYear2),
    ("iy", Part::IsoYear2),
    ("MM", Part::Month),
    ("mm", Part::Month),
    ("DD", Part::Day),
    ("dd", Part::Day),
    ("MS", Part::Milli),
    ("ms", Part::Milli),
    ("US", Part::Micro),
    ("us", Part::Micro),
];

/// A format taken apart: patterns, and the characters between them.
fn parts(format: &str) -> Vec<Result<Part, char>> {
    let mut rest = format;
    let mut out = Vec::new();
    while let Some(first) = rest.chars().next() {
        match PATTERNS.iter().find(|(text, _)| rest.starts_with(text)) {
            Some((text, part)) => {
                out.push(Ok(*part));
                rest = &rest[text.len()..];
            }
            None => {
                out.push(Err(first));
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A local time in a format; `offset` is its zone's, in seconds.
fn write(local: i64, offset: i64, format: &str) -> Result<String, QueryError> {
    use std::fmt::Write as _;
    let date = naive_date(local.div_euclid(DAY)).ok_or_else(QueryError::out_of_range)?;
    let of_day = local.rem_euclid(DAY);
    let (hour, minute) = (of_day / 3_600_000_000, of_day / 60_000_000 % 60);
    let (second, micros) = (of_day / 1_000_000 % 60, of_day % 1_000_000);
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    let month = MONTHS[date.month0() as usize];
    let sign = if offset < 0 { '-' } else { '+' };
    let (zone_hour, zone_minute) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let mut out = String::new();
    for part in parts(format) {
        let done = match part {
            Err(c) => {
                out.push(c);
                Ok(())
            }
            Ok(part) => match part {
                Part::Year4 => write!(out, "{:04}", date.year()),
                Part::Year2 => write!(out, "{:02}", date.year().rem_euclid(100)),
                Part::IsoYear4 => write!(out, "{:04}", date.iso_week().year()),
                Part::IsoYear2 => write!(out, "{:02}", date.iso_week().year().rem_euclid(100)),
                Part::Month => write!(out, "{:02}", date.month()),
                Part::MonthName => write!(out, "{month}"),
                Part::MonthShort => write!(out, "{}", &month[..3]),
                Part::Day => write!(out, "{:02}", date.day()),
                Part::Hour24 => write!(out, "{hour:02}"),
                Part::Hour12 => write!(out, "{hour12:02}"),
                Part::Minute => write!(out, "{minute:02}"),
                Part::Second => write!(out, "{second:02}"),
                Part::Milli => write!(out, "{:03}", micros / 1000),
                Part::Micro => write!(out, "{micros:06}"),
                Part::Upper => write!(out, "{}", if hour < 12 { "AM" } else { "PM" }),
                Part::Lower => write!(out, "{}", if hour < 12 { "am" } else { "pm" }),
                Part::ZoneHour => write!(out, "{sign}{zone_hour:02}"),
                Part::ZoneMinute => write!(out, "{zone_minute:02}"),
                Part::ZoneHourMinute => write!(out, "{sign}{zone_hour:02}:{zone_minute:02}"),
            },
        };
        done.map_err(|error| QueryError::Internal(error.to_string()))?;
    }
    Ok(out)
}

/// `to_char(value, format)`
pub(crate) fn to_char(value: Bound, format: Expr, zone: Tz) -> Expr {
    let zoned = value.data_type == DataType::Timestamptz;
    let variant = format!("{}@{zone}", value.data_type);
    let args = vec![value.expr, format];
    Kernel::rowwise(
        "to_char",
        variant,
        ArrowType::Utf8,
        Volatility::Immutable,
        true,
        args,
        move |a| {
            let format = a[1].str();
            let (local, offset) = match &a[0] {
                Value::Date(days) => (i64::from(*days) * DAY, 0),
                Value::Interval(v) => (v.micros, 0),
                Value::Timestamp(v) if zoned => {
                    let offset = text::offset_seconds(*v, zone);
                    (v + offset * 1_000_000, offset)
                }
                other => (other.int(), 0),
            };
            write(local, offset, format).map(Value::text)
        },
    )
}

/// What a text says about a time, read by a format.
#[derive(Debug, Default)]
struct Read {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    afternoon: Option<bool>,
    offset: Option<i64>,
}

fn read(text: &str, format: &str) -> Result<Read, QueryError> {
    let invalid = || QueryError::parse("input contains invalid characters");
    let short = || QueryError::parse("premature end of input");
    let mut out = Read::default();
    let mut rest = text;
    let number = |rest: &mut &str, width: usize| -> Result<i64, QueryError> {
        let digits = rest
            .bytes()
            .take(width)
            .take_while(u8::is_ascii_digit)
            .count();
        if digits == 0 {
            return Err(if rest.is_empty() { short() } else { invalid() });
        }
        let (head, tail) = rest.split_at(digits);
        *rest = tail;
        head.parse().map_err(|_| invalid())
    };
    for part in parts(format) {
        match part {
            Err(c) if c.is_whitespace() => rest = rest.trim_start(),
            Err(c) => rest = rest.strip_prefix(c).ok_or_else(invalid)?,
            Ok(part) => match part {
                Part::Year4 | Part::IsoYear4 => {
                    out.year = i32::try_from(number(&mut rest, 4)?).ok()
                }
                Part::Year2 | Part::IsoYear2 => {
                    let year = number(&mut rest, 2)?;
                    out.year = i32::try_from(year + if year < 70 { 2000 } else { 1900 }).ok();
                }
                Part::Month => out.month = u32::try_from(number(&mut rest, 2)?).ok(),
                Part::Day => out.day = u32::try_from(number(&mut rest, 2)?).ok(),
                Part::Hour24 | Part::Hour12 => out.hour = number(&mut rest, 2)?,
                Part::Minute => out.minute = number(&mut rest, 2)?,
                Part::Second => out.second = number(&mut rest, 2)?,
                Part::Milli => out.micros += number(&mut rest, 3)? * 1000,
                Part::Micro => out.micros += number(&mut rest, 6)?,
                Part::MonthName | Part::MonthShort => {
                    let at = MONTHS.iter().position(|m| {
                        let name = if part == Part::MonthName { m } else { &m[..3] };
                        rest.get(..name.len())
                            .is_some_and(|head| head.eq_ignore_ascii_case(name))
                    });
                    let at = at.ok_or_else(invalid)?;
                    let length = if part == Part::MonthName {
                        MONTHS[at].len()
                    } else {
                        3
                    };
                    out.month = u32::try_from(at + 1).ok();
                    rest = &rest[length..];
                }
                Part::Upper | Part::Lower => {
                    let head = rest.get(..2).ok_or_else(short)?.to_ascii_lowercase();
                    out.afternoon = Some(match head.as_str() {
                        "am" => false,
                        "pm" => true,
                        _ => return Err(invalid()),
                    });
                    rest = &rest[2..];
                }
                Part::ZoneHour | Part::ZoneHourMinute => {
                    let sign = match rest.chars().next() {
                        Some('-') => -1,
                        Some('+') => 1,
                        _ => return Err(invalid()),
                    };
                    rest = &rest[1..];
                    let mut seconds = number(&mut rest, 2)? * 3600;
                    if part == Part::ZoneHourMinute {
                        rest = rest.strip_prefix(':').unwrap_or(rest);
                        seconds += number(&mut rest, 2)? * 60;
                    }
                    out.offset = Some(sign * seconds);
                }
                Part::ZoneMinute => {
                    let minutes = number(&mut rest, 2)? * 60;
                    out.offset = out
                        .offset
                        .map(|o| if o < 0 { o - minutes } else { o + minutes });
                }
            },
        }
    }
    if !rest.trim().is_empty() {
        return Err(QueryError::parse("trailing input"));
    }
    Ok(out)
}

/// `to_timestamp(text, format)` and `to_date(text, format)`
pub(crate) fn from_char(date: bool, args: Vec<Expr>, zone: Tz) -> Expr {
    let data_type = if date {
        DataType::Date
    } else {
        DataType::Timestamptz
    };
    let arrow = crate::types::arrow_type(&data_type);
    let name = if date { "to_date" } else { "to_timestamp" };
    Kernel::rowwise(
        name,
        zone.to_string(),
        arrow,
        Volatility::Immutable,
        true,
        args,
        move |a| {
            let read = read(a[0].str(), a[1].str())?;
            let hour = match read.afternoon {
                Some(true) => read.hour % 12 + 12,
                Some(false) => read.hour % 12,
                None => read.hour,
            };
            let range = || QueryError::parse("input is out of range");
            let day = NaiveDate::from_ymd_opt(
                read.year.unwrap_or(1),
                read.month.unwrap_or(1),
                read.day.unwrap_or(1),
            )
            .ok_or_else(range)?
            .signed_duration_since(NaiveDate::default())
            .num_days();
            if date {
                return i32::try_from(day).map(Value::Date).map_err(|_| range());
            }
            if hour > 23 || read.minute > 59 || read.second > 59 {
                return Err(range());
            }
            let clock = ((hour * 60 + read.minute) * 60 + read.second) * 1_000_000 + read.micros;
            let local = day * DAY + clock;
            match read.offset {
                Some(offset) => Ok(Value::Timestamp(local - offset * 1_000_000)),
                None => read_text::to_utc(local, zone)
                    .map(Value::Timestamp)
                    .ok_or_else(range),
            }
        },
    )
}

fn date_of(a: &[Value<'_>]) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(a[0].int()).ok()?,
        u32::try_from(a[1].int()).ok()?,
        u32::try_from(a[2].int()).ok()?,
    )?;
    Some(date.signed_duration_since(NaiveDate::default()).num_days())
}

fn clock_of(a: &[Value<'_>]) -> Option<i64> {
    let (hour, minute, second) = (a[0].int(), a[1].int(), a[2].float());
    let inside =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..60.0).contains(&second);
    inside.then(|| (hour * 3600 + minute * 60) * 1_000_000 + (second * 1e6).round() as i64)
}

fn invalid(name: &str) -> QueryError {
    QueryError::parameter(name, format!("invalid {name}"))
}

pub(crate) fn make_date<'a>(a: &[Value<'a>]) -> Result<Value<'a>, QueryError> {
    date_of(a)
        .and_then(|days| i32::try_from(days).ok())
        .map(Value::Date)
        .ok_or_else(|| invalid("date"))
}

pub(crate) fn make_time<'a>(a: &[Value<'a>]) -> Result<Value<'a>, QueryError> {
    clock_of(a).map(Value::Time).ok_or_else(|| invalid("time"))
}

pub(crate) fn make_timestamp<'a>(a: &[Value<'a>]) -> Result<Value<'a>, QueryError> {
    let days = date_of(a).ok_or_else(|| invalid("date"))?;
    let clock = clock_of(&a[3..]).ok_or_else(|| invalid("time"))?;
    Ok(Value::Timestamp(days * DAY + clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_risingwave() {
        let time = read_text::timestamp("2024-05-06 19:08:09.123456").unwrap();
        for (format, expected) in [
            ("YYYY-MM-DD HH24:MI:SS.MS", "2024-05-06 19:08:09.123"),
            ("HH12:MI AM", "07:08 PM"),
            ("YYYY-MM-DD\"T\"HH24", "2024-05-06\"T\"19"),
            ("DDD", "06D"),
            ("IYYY-IW", "2024-IW"),
            ("MONTH", "MONTH"),
            ("Q", "Q"),
        ] {
            assert_eq!(write(time, 0, format).unwrap(), expected, "{format}");
        }
        assert!(read("nope", "YYYY").is_err());
    }
}
