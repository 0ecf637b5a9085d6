//! `to_char`, `to_timestamp(text, format)`, `to_date` and the `make_…` functions. RisingWave puts chrono's directives in
//! the place of the patterns that it knows, and leaves everything else to chrono; so does this.

use std::cell::RefCell;
use std::fmt::Write as _;

use arrow::datatypes::DataType as ArrowType;
use chrono::format::{Fixed, Item, Numeric, Parsed, StrftimeItems};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeZone as _};
use chrono_tz::Tz;
use datafusion::logical_expr::{Expr, Volatility};
use rwt_sql::DataType;

use crate::bind::Bound;
use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::kernel::datetime::add_interval;
use crate::read_text;
use crate::text::naive_date;
use crate::value::{Interval, Value};

const DAY: i64 = 86_400_000_000;

/// RisingWave's patterns and what chrono calls them. `Q`, `WW`, `D`, `Day`, `IW`, upper-case names and quoted text are not
/// among them (`func_tochar.slt`).
const PATTERNS: &[(&str, &str)] = &[
    ("HH24", "%H"),
    ("hh24", "%H"),
    ("HH12", "%I"),
    ("hh12", "%I"),
    ("HH", "%I"),
    ("hh", "%I"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("am", "%P"),
    ("pm", "%P"),
    ("MI", "%M"),
    ("mi", "%M"),
    ("SS", "%S"),
    ("ss", "%S"),
    ("YYYY", "%Y"),
    ("yyyy", "%Y"),
    ("YY", "%y"),
    ("yy", "%y"),
    ("IYYY", "%G"),
    ("iyyy", "%G"),
    ("IY", "%g"),
    ("iy", "%g"),
    ("MM", "%m"),
    ("mm", "%m"),
    ("Month", "%B"),
    ("Mon", "%b"),
    ("DD", "%d"),
    ("dd", "%d"),
    ("NS", "%9f"),
    ("ns", "%9f"),
    ("US", "%6f"),
    ("us", "%6f"),
    ("MS", "%3f"),
    ("ms", "%3f"),
    ("TZH:TZM", "%:z"),
    ("tzh:tzm", "%:z"),
    ("TZHTZM", "%z"),
    ("tzhtzm", "%z"),
    ("TZH", "%#z"),
    ("tzh", "%#z"),
];

/// The format in chrono's words. Of an interval, fractions are written by directives that chrono lets others see.
fn directives(format: &str, interval: bool) -> String {
    let mut rest = format;
    let mut out = String::new();
    while let Some(first) = rest.chars().next() {
        let known = PATTERNS
            .iter()
            .filter(|(pattern, _)| rest.starts_with(pattern))
            .max_by_key(|(pattern, _)| pattern.len());
        match known {
            Some((pattern, directive)) => {
                out.push_str(match *directive {
                    "%3f" if interval => "%.3f",
                    "%6f" if interval => "%.6f",
                    "%9f" if interval => pattern,
                    directive => directive,
                });
                rest = &rest[pattern.len()..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

type Items = Vec<Item<'static>>;

/// Runs with a format's items; each thread keeps the format that it used last.
fn with_items<T>(format: &str, interval: bool, run: impl FnOnce(&Items) -> T) -> T {
    thread_local! {
        static LAST: RefCell<Option<(String, bool, Items)>> = const { RefCell::new(None) };
    }
    LAST.with(|last| {
        let mut last = last.borrow_mut();
        let fits = |(text, of, _): &mut (String, bool, Items)| text == format && *of == interval;
        if !last.as_mut().is_some_and(fits) {
            let template = directives(format, interval);
            let items = StrftimeItems::new(&template).map(Item::to_owned).collect();
            *last = Some((format.to_owned(), interval, items));
        }
        match last.as_ref() {
            Some((_, _, items)) => run(items),
            None => run(&Items::new()),
        }
    })
}

fn invalid_format() -> QueryError {
    QueryError::parameter("pattern", "invalid format specification")
}

fn invalid_for_interval() -> QueryError {
    QueryError::parameter(
        "pattern",
        "invalid format specification for an interval value, HINT: Intervals are not tied to specific calendar dates.",
    )
}

fn naive(micros: i64) -> Result<NaiveDateTime, QueryError> {
    DateTime::from_timestamp_micros(micros)
        .map(|utc| utc.naive_utc())
        .ok_or_else(QueryError::out_of_range)
}

/// A time in a format: a local time, or an instant in a zone.
fn write(micros: i64, zone: Option<Tz>, format: &str) -> Result<String, QueryError> {
    let time = naive(micros)?;
    let mut out = String::new();
    with_items(format, false, |items| match zone {
        Some(zone) => write!(
            out,
            "{}",
            zone.from_utc_datetime(&time)
                .format_with_items(items.iter())
        ),
        None => write!(out, "{}", time.format_with_items(items.iter())),
    })
    .map_err(|_| invalid_format())?;
    Ok(out)
}

/// `to_char(value, format)`
pub(crate) fn to_char(value: Bound, format: Expr, zone: Tz) -> Expr {
    let zone = (value.data_type == DataType::Timestamptz).then_some(zone);
    let variant = format!("{}@{zone:?}", value.data_type);
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
            match &a[0] {
                Value::Interval(value) => interval_text(*value, format),
                Value::Date(days) => write(i64::from(*days) * DAY, None, format),
                time => write(time.int(), zone, format),
            }
            .map(Value::text)
        },
    )
}

/// A number of an interval: two digits, or a sign and two digits.
fn signed(out: &mut String, value: i64, width: usize) {
    // a string takes whatever is written
    let _ = match value {
        ..0 => write!(out, "{value:+0width$}", width = width + 1),
        _ => write!(out, "{value:0width$}"),
    };
}

/// The year of the week in which the months and days of an interval end, counted from the year 0.
fn iso_year(value: Interval) -> Result<i64, QueryError> {
    let start = NaiveDate::from_ymd_opt(0, 1, 1).map_or(0, |d| {
        d.signed_duration_since(NaiveDate::default()).num_days()
    });
    let end = add_interval(start * DAY, Interval { micros: 0, ..value })?;
    let date = naive_date(end.div_euclid(DAY)).ok_or_else(QueryError::out_of_range)?;
    Ok(date.iso_week().year().into())
}

/// An interval in a format: its own parts, each with its sign.
fn interval_text(value: Interval, format: &str) -> Result<String, QueryError> {
    with_items(format, true, |items| {
        let mut out = String::new();
        for item in items {
            interval_item(&mut out, value, item)?;
        }
        Ok(out)
    })
}

fn interval_item(out: &mut String, value: Interval, item: &Item<'_>) -> Result<(), QueryError> {
    let (years, months) = (i64::from(value.months / 12), i64::from(value.months % 12));
    let seconds = value.micros / 1_000_000;
    let hours = seconds / 3600;
    match item {
        Item::Literal(text) | Item::Space(text) => out.push_str(text),
        Item::OwnedLiteral(text) | Item::OwnedSpace(text) => out.push_str(text),
        Item::Numeric(Numeric::Year, _) => signed(out, years, 4),
        Item::Numeric(Numeric::YearMod100, _) => signed(out, years % 100, 2),
        Item::Numeric(Numeric::IsoYear, _) => {
            iso_digits(out, years, iso_year(value)?, 4);
        }
        Item::Numeric(Numeric::IsoYearMod100, _) => {
            iso_digits(out, years, iso_year(value)? % 100, 2);
        }
        Item::Numeric(Numeric::Month, _) => signed(out, months, 2),
        // RisingWave gives a negative day one digit less.
        Item::Numeric(Numeric::Day, _) => match value.days {
            days @ ..0 => out.push_str(&format!("{days:+02}")),
            days => signed(out, days.into(), 2),
        },
        Item::Numeric(Numeric::Hour, _) => signed(out, hours, 2),
        Item::Numeric(Numeric::Hour12, _) => match (hours < 0, hours % 12) {
            (true, 0) => out.push_str("012"),
            (false, 0) => out.push_str("12"),
            (_, hour) => signed(out, hour, 2),
        },
        Item::Numeric(Numeric::Minute, _) => signed(out, seconds / 60 % 60, 2),
        Item::Numeric(Numeric::Second, _) => signed(out, seconds % 60, 2),
        Item::Fixed(Fixed::LowerAmPm) => out.push_str(if hours % 24 >= 12 { "pm" } else { "am" }),
        Item::Fixed(Fixed::UpperAmPm) => out.push_str(if hours % 24 >= 12 { "PM" } else { "AM" }),
        Item::Fixed(Fixed::Nanosecond3) => {
            out.push_str(&format!("{:03}", value.micros % 1_000_000 / 1000));
        }
        Item::Fixed(Fixed::Nanosecond6) => {
            out.push_str(&format!("{:06}", value.micros % 1_000_000));
        }
        _ => return Err(invalid_for_interval()),
    }
    Ok(())
}

/// The sign of the year before the first counts as a digit, unless the years themselves are negative.
fn iso_digits(out: &mut String, years: i64, iso: i64, width: usize) {
    match years {
        0 => out.push_str(&format!("{iso:0width$}")),
        _ => signed(out, iso, width),
    }
}

/// What a text says about a time, read by a format. What it leaves out is the beginning of the year before the first.
fn read(text: &str, format: &str) -> Result<Parsed, QueryError> {
    let mut parsed = Parsed::new();
    with_items(format, false, |items| {
        chrono::format::parse(&mut parsed, text, items.iter())
    })
    .map_err(QueryError::parse)?;
    let no_year = parsed.year().is_none()
        && parsed.year_div_100().is_none()
        && parsed.year_mod_100().is_none()
        && parsed.isoyear().is_none()
        && parsed.isoyear_div_100().is_none()
        && parsed.isoyear_mod_100().is_none();
    let no_month = parsed.month().is_none()
        && parsed.week_from_mon().is_none()
        && parsed.week_from_sun().is_none()
        && parsed.isoweek().is_none();
    let no_day = parsed.day().is_none() && parsed.ordinal().is_none();
    let no_half = parsed.hour_div_12().is_none();
    let no_hour = parsed.hour_mod_12().is_none();
    let no_minute = parsed.minute().is_none();
    let mut fill = || {
        if no_year {
            parsed.set_year(-1)?;
        }
        if no_month {
            parsed.set_month(1)?;
        }
        if no_day {
            parsed.set_day(1)?;
        }
        if no_half {
            parsed.set_ampm(false)?;
        }
        if no_hour {
            parsed.set_hour12(12)?;
        }
        if no_minute {
            parsed.set_minute(0)?;
        }
        Ok::<(), chrono::ParseError>(())
    };
    fill().map_err(QueryError::parse)?;
    Ok(parsed)
}

fn date_of(text: &str, format: &str) -> Result<NaiveDate, QueryError> {
    let parsed = read(text, format)?;
    let date = parsed.to_naive_date().map_err(QueryError::parse)?;
    // The first year before Christ is the year 0.
    match parsed.year() {
        Some(year) if year < 0 => date
            .with_year(year + 1)
            .ok_or_else(QueryError::out_of_range),
        _ => Ok(date),
    }
}

fn instant_of(text: &str, format: &str, zone: Tz) -> Result<i64, QueryError> {
    let parsed = read(text, format)?;
    if parsed.offset().is_some() {
        let time = parsed.to_datetime().map_err(QueryError::parse)?;
        return Ok(time.timestamp_micros());
    }
    let local = parsed
        .to_naive_datetime_with_offset(0)
        .map_err(QueryError::parse)?;
    read_text::to_utc(local.and_utc().timestamp_micros(), zone).ok_or_else(QueryError::out_of_range)
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
            let (text, format) = (a[0].str(), a[1].str());
            if !date {
                return instant_of(text, format, zone).map(Value::Timestamp);
            }
            let days = date_of(text, format)?
                .signed_duration_since(NaiveDate::default())
                .num_days();
            i32::try_from(days)
                .map(Value::Date)
                .map_err(|_| QueryError::out_of_range())
        },
    )
}

/// The day of a year, a month and a day. A negative year of a date counts from the first before Christ, one of a
/// timestamp from the year 0.
fn day_of(a: &[Value<'_>], of_timestamp: bool) -> Result<i64, QueryError> {
    let (year, month, day) = (a[0].int(), a[1].int(), a[2].int());
    let shift = i64::from(year < 0 && !of_timestamp);
    let date = || {
        NaiveDate::from_ymd_opt(
            i32::try_from(year + shift).ok().filter(|_| year != 0)?,
            u32::try_from(month).ok()?,
            u32::try_from(day).ok()?,
        )
    };
    date()
        .map(|date| date.signed_duration_since(NaiveDate::default()).num_days())
        .ok_or_else(|| {
            QueryError::parameter(
                "year, month, day",
                format!("invalid date: {year}-{month}-{day}"),
            )
        })
}

fn clock_of(a: &[Value<'_>]) -> Result<i64, QueryError> {
    let (hour, minute, second) = (a[0].int(), a[1].int(), a[2].float());
    let shown = crate::text::double(second);
    if !second.is_finite() || second.is_sign_negative() {
        return Err(QueryError::parameter(
            "sec",
            format!("invalid sec: {shown}"),
        ));
    }
    let micros = (second.fract() * 1e6).round_ties_even() as i64;
    let inside = (0..24).contains(&hour) && (0..60).contains(&minute) && second < 60.0;
    (inside && micros < 1_000_000)
        .then(|| (hour * 3600 + minute * 60 + second.trunc() as i64) * 1_000_000 + micros)
        .ok_or_else(|| {
            QueryError::parameter(
                "hour, min, sec",
                format!("invalid time: {hour}:{minute}:{shown}"),
            )
        })
}

pub(crate) fn make_date<'a>(a: &[Value<'a>]) -> Result<Value<'a>, QueryError> {
    i32::try_from(day_of(a, false)?)
        .map(Value::Date)
        .map_err(|_| QueryError::out_of_range())
}

pub(crate) fn make_time<'a>(a: &[Value<'a>]) -> Result<Value<'a>, QueryError> {
    clock_of(a).map(Value::Time)
}

pub(crate) fn make_timestamp<'a>(a: &[Value<'a>]) -> Result<Value<'a>, QueryError> {
    Ok(Value::Timestamp(
        day_of(a, true)? * DAY + clock_of(&a[3..])?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_risingwave() {
        let (time, _) = read_text::timestamp("2024-05-06 19:08:09.123456").unwrap();
        for (format, expected) in [
            ("YYYY-MM-DD HH24:MI:SS.MS", "2024-05-06 19:08:09.123"),
            ("HH12:MI AM", "07:08 PM"),
            ("YYYY-MM-DD\"T\"HH24", "2024-05-06\"T\"19"),
            ("DDD", "06D"),
            ("IYYY-IW", "2024-IW"),
            ("MONTH", "MONTH"),
            ("Q", "Q"),
            ("SS.NS", "09.123456000"),
            ("Mon Month", "May May"),
        ] {
            assert_eq!(write(time, None, format).unwrap(), expected, "{format}");
        }
        assert_eq!(
            write(0, Some(chrono_tz::Asia::Tokyo), "HH24 TZH:TZM TZHTZM").unwrap(),
            "09 +09:00 +0900"
        );
        assert!(write(0, None, "TZH:TZM").is_err());
    }

    #[test]
    fn intervals_are_written_part_by_part() {
        let shown =
            |text: &str, format| interval_text(crate::interval_text::read(text).unwrap(), format);
        assert_eq!(
            shown(
                "1 year 2 months 3 days 25:06:07.5",
                "YYYY-MM-DD HH24:MI:SS.MS"
            )
            .unwrap(),
            "0001-02-03 25:06:07.500"
        );
        assert_eq!(shown("-1:30", "HH12:MI").unwrap(), "-01:-30");
        assert_eq!(shown("12:00", "HH12 AM").unwrap(), "12 PM");
        assert!(shown("1 day", "Mon").is_err());
    }

    #[test]
    fn texts_are_read_with_defaults() {
        let zone = chrono_tz::UTC;
        let time = |text, format| instant_of(text, format, zone).map(crate::text::timestamp);
        assert_eq!(
            time("2024-05-06 07", "YYYY-MM-DD HH24").as_deref(),
            Ok("2024-05-06 07:00:00")
        );
        assert_eq!(
            time("2020-02-03 12:34:56+03:00", "yyyy-mm-dd hh24:mi:sstzh:tzm").as_deref(),
            Ok("2020-02-03 09:34:56")
        );
        let error = |text, format| time(text, format).unwrap_err().to_string();
        assert_eq!(
            error("nope", "YYYY"),
            "Parse error: input contains invalid characters"
        );
        assert_eq!(
            error("2024", "YYYY-MM"),
            "Parse error: premature end of input"
        );
        assert_eq!(error("2024x", "YYYY"), "Parse error: trailing input");
        assert_eq!(
            error("2024-13", "YYYY-MM"),
            "Parse error: input is out of range"
        );
        assert_eq!(
            date_of("12", "MM").map(|d| crate::text::date(
                i32::try_from(d.signed_duration_since(NaiveDate::default()).num_days()).unwrap()
            )),
            Ok("0001-12-01 BC".into())
        );
    }

    #[test]
    fn parts_make_times() {
        let int = |v| Value::Int(v);
        let date = |y, m, d| make_date(&[int(y), int(m), int(d)]);
        assert_eq!(date(1970, 1, 2), Ok(Value::Date(1)));
        assert_eq!(date(-1, 12, 31), Ok(Value::Date(-719_163)));
        assert_eq!(
            date(2024, 2, 30).unwrap_err().to_string(),
            "Invalid parameter year, month, day: invalid date: 2024-2-30"
        );
        let time = |h, m, s| make_time(&[int(h), int(m), Value::Float(s)]);
        assert_eq!(
            time(25, 0, 1.5).unwrap_err().to_string(),
            "Invalid parameter hour, min, sec: invalid time: 25:0:1.5"
        );
        assert_eq!(
            time(1, 0, -1.0).unwrap_err().to_string(),
            "Invalid parameter sec: invalid sec: -1"
        );
    }
}
