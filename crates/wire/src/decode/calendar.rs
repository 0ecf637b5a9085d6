//! Dates, times and intervals from text.

use std::str::FromStr;

use arrow::array::timezone::Tz;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike};

use crate::param::Param;

/// `YYYY-MM-DD`
pub(super) fn date(text: &str) -> Result<Param, String> {
    let failed = "Can't cast string to date (expected format is YYYY-MM-DD)";
    let date = parse_date(text.trim()).ok_or(failed)?;
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    Ok(Param::Date(i32::try_from(days).map_err(|_| failed)?))
}

/// `HH:MM[:SS[.D+]]`. Whatever zone the text ends with is read over, as RisingWave does.
pub(super) fn time(text: &str) -> Result<Param, String> {
    let time = parse_zoned_time(text.trim()).map(|(time, _)| time).ok_or(
        "Can't cast string to time (expected format is HH:MM:SS[.D+{up to 6 digits}][Z] or HH:MM)",
    )?;
    Ok(Param::Time(
        i64::from(time.num_seconds_from_midnight()) * 1_000_000
            + i64::from(time.nanosecond() / 1000),
    ))
}

/// `YYYY-MM-DD[ HH:MM[:SS[.D+]]]`, also with `T`. An offset in numbers is read over, as RisingWave does; drivers that do
/// not know which of the two timestamps they send write one. A `Z` is an error.
pub(super) fn timestamp(text: &str) -> Result<Param, String> {
    if text.trim_end().ends_with(['Z', 'z']) {
        return Err(TIMESTAMP.into());
    }
    let (value, _) = parse_timestamp(text).ok_or(TIMESTAMP)?;
    Ok(Param::Timestamp(value.and_utc().timestamp_micros()))
}

/// The same with `Z`, an offset or, without one, in the session's time zone.
pub(super) fn timestamptz(text: &str, timezone: &str) -> Result<Param, String> {
    const FAILED: &str = "Can't cast string to timestamp with time zone (expected format is YYYY-MM-DD HH:MM:SS[.D+{up to 6 digits}] followed by +hh:mm or literal Z)";
    let (local, offset) = parse_timestamp(text).ok_or(FAILED)?;
    let seconds = match offset {
        Some(seconds) => seconds,
        None => match Tz::from_str(timezone) {
            Ok(timezone) => timezone
                .offset_from_local_datetime(&local)
                .earliest()
                .ok_or(FAILED)?
                .fix()
                .local_minus_utc(),
            Err(_) => 0,
        },
    };
    let micros = local.and_utc().timestamp_micros();
    Ok(Param::Timestamptz(micros - i64::from(seconds) * 1_000_000))
}

const TIMESTAMP: &str = "Can't cast string to timestamp (expected format is YYYY-MM-DD HH:MM:SS[.D+{up to 9 digits}] or YYYY-MM-DD HH:MM or YYYY-MM-DD or ISO 8601 format)";

fn parse_date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

fn parse_time(text: &str) -> Option<NaiveTime> {
    let time = NaiveTime::parse_from_str(text, "%H:%M:%S%.f")
        .or_else(|_| NaiveTime::parse_from_str(text, "%H:%M"))
        .ok()?;
    // a leap second is no time of day here
    (time.nanosecond() < 1_000_000_000).then_some(time)
}

/// The local value and the offset in seconds, if one is written.
fn parse_timestamp(text: &str) -> Option<(NaiveDateTime, Option<i32>)> {
    let text = text.trim();
    let Some(at) = text.find([' ', 'T', 't']) else {
        return Some((parse_date(text)?.and_time(NaiveTime::MIN), None));
    };
    let date = parse_date(&text[..at])?;
    let (time, offset) = parse_zoned_time(text[at + 1..].trim_start())?;
    Some((date.and_time(time), offset))
}

/// A time of day and the offset in seconds, if one is written.
fn parse_zoned_time(text: &str) -> Option<(NaiveTime, Option<i32>)> {
    let (time, offset) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => (text[..at].trim_end(), Some(parse_offset(&text[at..])?)),
        None => (text, None),
    };
    Some((parse_time(time)?, offset))
}

/// `Z`, `+02`, `+0200`, `-02:30`
fn parse_offset(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text.get(1..)?.replace(':', "");
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = match digits.len() {
        1 | 2 => (digits.parse().ok()?, 0),
        4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// `1 year 2 mons -3 days 04:05:06.7`, each number with its unit.
pub(super) fn interval(text: &str) -> Result<Param, String> {
    parse_interval(text).ok_or_else(|| format!("Invalid interval: {text}"))
}

fn parse_interval(text: &str) -> Option<Param> {
    let (mut months, mut days, mut micros) = (0_i32, 0_i32, 0_i64);
    let mut words = text.split_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        if word.contains(':') {
            micros = micros.checked_add(parse_clock(word)?)?;
            continue;
        }
        let end = word
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(word.len());
        let unit = if end == word.len() {
            words.next()?
        } else {
            &word[end..]
        };
        let number = &word[..end];
        let unit = unit.to_ascii_lowercase();
        let length: i64 = match unit.as_str() {
            "y" | "yr" | "yrs" | "year" | "years" => {
                months = months.checked_add(number.parse::<i32>().ok()?.checked_mul(12)?)?;
                continue;
            }
            "mon" | "mons" | "month" | "months" => {
                months = months.checked_add(number.parse().ok()?)?;
                continue;
            }
            "d" | "day" | "days" => {
                days = days.checked_add(number.parse().ok()?)?;
                continue;
            }
            "week" | "weeks" | "w" => {
                days = days.checked_add(number.parse::<i32>().ok()?.checked_mul(7)?)?;
                continue;
            }
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000_000,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000,
            "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000,
            "ms" | "millisecond" | "milliseconds" => 1000,
            "us" | "microsecond" | "microseconds" => 1,
            _ => return None,
        };
        micros = micros.checked_add(parse_amount(number, length)?)?;
    }
    Some(Param::Interval {
        months,
        days,
        micros,
    })
}

/// `[-+]HH:MM[:SS[.D+]]`
fn parse_clock(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = unsigned.splitn(3, ':');
    let hours: u32 = parts.next()?.parse().ok()?;
    let minutes: u32 = parts.next()?.parse().ok()?;
    let seconds = parse_amount(parts.next().unwrap_or("0"), 1_000_000)?;
    if minutes > 59 || !(0..60_000_000).contains(&seconds) {
        return None;
    }
    let micros = (i64::from(hours) * 60 + i64::from(minutes)) * 60_000_000 + seconds;
    Some(if text.starts_with('-') {
        -micros
    } else {
        micros
    })
}

/// A decimal number of units, in microseconds.
fn parse_amount(text: &str, length: i64) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut micros = match whole {
        "" => 0,
        whole => whole.parse::<i64>().ok()?.checked_mul(length)?,
    };
    let fraction = &fraction[..fraction.len().min(9)];
    if !fraction.is_empty() {
        let part: i64 = fraction.parse().ok()?;
        let share = i128::from(part) * i128::from(length) / 10_i128.pow(fraction.len() as u32);
        micros = micros.checked_add(i64::try_from(share).ok()?)?;
    }
    Some(if text.starts_with('-') {
        -micros
    } else {
        micros
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn timestamps_take_the_documented_forms() {
        let noon = Ok(Param::Timestamp(DAY + DAY / 2));
        assert_eq!(timestamp("1970-01-02 12:00:00"), noon);
        assert_eq!(timestamp("1970-01-02T12:00"), noon);
        assert_eq!(timestamp("1970-01-02"), Ok(Param::Timestamp(DAY)));
        assert_eq!(
            timestamp("1970-01-01 00:00:00.25"),
            Ok(Param::Timestamp(250_000))
        );
        assert_eq!(timestamp("1970-01-02 12:00:00+00"), noon);
        assert_eq!(timestamp("1970-01-02 12:00:00-05:30"), noon);
        assert!(timestamp("1970-01-02 12:00:00Z").is_err());
        assert!(timestamp("1970-01-02 12:00:00+x").is_err());
        assert!(timestamp("yesterday").is_err());
    }

    #[test]
    fn times_read_over_their_zone() {
        let noon = Ok(Param::Time(DAY / 2));
        for text in ["12:00", "12:00:00", "12:00:00+02", "12:00Z"] {
            assert_eq!(time(text), noon, "{text}");
        }
        assert!(time("12:00:00 noon").is_err());
    }

    #[test]
    fn timestamptz_without_an_offset_is_in_the_sessions_zone() {
        let zone = "Asia/Tokyo";
        let midnight = Ok(Param::Timestamptz(0));
        assert_eq!(timestamptz("1970-01-01 00:00:00Z", zone), midnight);
        assert_eq!(timestamptz("1970-01-01 02:30:00+02:30", zone), midnight);
        assert_eq!(timestamptz("1969-12-31 22:00:00-02", zone), midnight);
        assert_eq!(timestamptz("1970-01-01 09:00:00", zone), midnight);
        assert!(timestamptz("1970-01-01 09:00:00+99", zone).is_err());
    }

    #[test]
    fn intervals_take_units_and_clock_times() {
        let expected = Ok(Param::Interval {
            months: 14,
            days: -3,
            micros: 14_706_700_000,
        });
        assert_eq!(interval("1 year 2 mons -3 days 04:05:06.7"), expected);
        assert_eq!(interval("14month -3d 4h 5 min 6.7 seconds"), expected);
        assert!(interval("").is_err());
        assert!(interval("3").is_err());
        assert!(interval("1 day 04:99:00").is_err());
    }
}
