//! Text read as an interval. RisingWave takes whole numbers of years, months, days, hours, minutes and seconds, and a
//! clock: no weeks, no milliseconds, no `1.5 hours`, no `ago`, no ISO 8601 (RisingWave's issues 10669, 21796, 23001).

use crate::value::Interval;

const SECOND: i64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A unit by any of its names.
pub(crate) fn unit(name: &str) -> Result<Unit, String> {
    Ok(match name.to_lowercase().as_str() {
        "years" | "year" | "yrs" | "yr" | "y" => Unit::Year,
        "months" | "month" | "mons" | "mon" => Unit::Month,
        "days" | "day" | "d" => Unit::Day,
        "hours" | "hour" | "hrs" | "hr" | "h" => Unit::Hour,
        "minutes" | "minute" | "mins" | "min" | "m" => Unit::Minute,
        "seconds" | "second" | "secs" | "sec" | "s" => Unit::Second,
        _ => return Err(format!("Invalid unit: {name}")),
    })
}

fn of(count: i64, unit: Unit) -> Option<Interval> {
    let narrow = |count: i64| i32::try_from(count).ok();
    let mut out = Interval::default();
    match unit {
        Unit::Year => out.months = narrow(count.checked_mul(12)?)?,
        Unit::Month => out.months = narrow(count)?,
        Unit::Day => out.days = narrow(count)?,
        Unit::Hour => out.micros = count.checked_mul(3600 * SECOND)?,
        Unit::Minute => out.micros = count.checked_mul(60 * SECOND)?,
        Unit::Second => out.micros = count.checked_mul(SECOND)?,
    }
    Some(out)
}

fn sum(a: Interval, b: Interval) -> Option<Interval> {
    Some(Interval {
        months: a.months.checked_add(b.months)?,
        days: a.days.checked_add(b.days)?,
        micros: a.micros.checked_add(b.micros)?,
    })
}

#[derive(Debug)]
enum Token {
    Number(i64),
    Unit(Unit),
    /// A clock, in microseconds.
    Clock(i64),
}

/// Takes a text apart. A number may touch its unit; the parts of a clock end with `:`, the last one with the text.
fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let (mut number, mut word) = (String::new(), String::new());
    let mut clock: Vec<String> = Vec::new();
    let end_number = |number: &mut String, out: &mut Vec<Token>| {
        if number.is_empty() {
            return Ok(());
        }
        let value = number
            .parse()
            .map_err(|_| format!("Invalid interval: {number}"))?;
        number.clear();
        out.push(Token::Number(value));
        Ok::<(), String>(())
    };
    let end_word = |word: &mut String, out: &mut Vec<Token>| {
        if !word.is_empty() {
            out.push(Token::Unit(unit(word)?));
            word.clear();
        }
        Ok::<(), String>(())
    };
    for (i, c) in text.chars().enumerate() {
        match c {
            '-' | '+' | '.' => number.push(c),
            c if c.is_ascii_digit() => {
                end_word(&mut word, &mut out)?;
                number.push(c);
            }
            c if c.is_ascii_alphabetic() => {
                end_number(&mut number, &mut out)?;
                word.push(c);
            }
            c if c.is_ascii_whitespace() => {
                end_word(&mut word, &mut out)?;
                end_number(&mut number, &mut out)?;
            }
            ':' if number.is_empty() => return Err(format!("Invalid interval: {text}")),
            ':' => clock.push(std::mem::take(&mut number)),
            c => {
                return Err(format!(
                    "Invalid character at offset {i} in {text}: {c:?}. Only support digit or alphabetic now"
                ));
            }
        }
    }
    if clock.is_empty() {
        end_number(&mut number, &mut out)?;
    } else if !number.is_empty() {
        clock.push(number);
    }
    end_word(&mut word, &mut out)?;
    if !clock.is_empty() {
        let micros = of_clock(&clock).ok_or_else(|| format!("Invalid interval: {clock:?}"))?;
        out.push(Token::Clock(micros));
    }
    Ok(out)
}

/// Hours, minutes and seconds; the sign of the hours is that of all.
fn of_clock(parts: &[String]) -> Option<i64> {
    let (hours, more) = parts.split_first()?;
    let sign = if hours.starts_with('-') { -1 } else { 1 };
    let mut micros = hours.parse::<i64>().ok()?.checked_mul(3600 * SECOND)?;
    if let Some(minutes) = more.first() {
        let minutes: i64 = minutes.parse().ok()?;
        if !(0..60).contains(&minutes) {
            return None;
        }
        micros = micros.checked_add(sign * minutes * 60 * SECOND)?;
    }
    match more {
        [] | [_] => Some(micros),
        [_, seconds] => {
            let seconds: f64 = seconds.parse().ok()?;
            if !(0.0..61.0).contains(&seconds) {
                return None;
            }
            let rounded = (seconds * SECOND as f64).round_ties_even() as i64;
            micros.checked_add(sign * rounded)
        }
        _ => None,
    }
}

/// `1 day 02:00:00`, `-1 mons`, `90 minutes`, `1day`; a number alone at the end is seconds.
pub(crate) fn read(text: &str) -> Result<Interval, String> {
    let invalid = || format!("Invalid interval: {text}");
    let mut tokens = tokens(text)?;
    // A clock counts as pairs of numbers and units.
    let odd = tokens
        .iter()
        .filter(|t| !matches!(t, Token::Clock(_)))
        .count()
        % 2
        != 0;
    if odd && matches!(tokens.last(), Some(Token::Number(_))) {
        tokens.push(Token::Unit(Unit::Second));
    }
    let mut total = Interval::default();
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        let part = match token {
            Token::Clock(micros) => Interval {
                micros,
                ..Interval::default()
            },
            Token::Number(count) => match tokens.next() {
                Some(Token::Unit(unit)) => of(count, unit).ok_or_else(invalid)?,
                _ => return Err(invalid()),
            },
            Token::Unit(_) => return Err(invalid()),
        };
        total = sum(total, part).ok_or_else(invalid)?;
    }
    Ok(total)
}

/// `INTERVAL '5' MINUTE`: the text is a whole number, or one with a unit of its own.
pub(crate) fn read_in(text: &str, field: Unit) -> Result<Interval, String> {
    match tokens(text.trim())?.as_slice() {
        [Token::Number(count)] => {
            of(*count, field).ok_or_else(|| format!("Invalid interval: {text}"))
        }
        [] | [_] => Err(format!("(standard sql format) Invalid interval: {text}")),
        _ => Err(format!(
            "(standard sql format) Can't support syntax of interval {text}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        read(text).map(crate::text::interval)
    }

    #[test]
    fn numbers_units_and_clocks_add_up() {
        for (text, expected) in [
            ("90 minutes", "01:30:00"),
            ("1 day 02:03:04", "1 day 02:03:04"),
            ("-1 mons -2 days -03:00:00", "-1 mons -2 days -03:00:00"),
            ("1 MINUTE", "00:01:00"),
            ("5minute", "00:05:00"),
            ("6", "00:00:06"),
            ("1 year 2 months 3 days 01", "1 year 2 mons 3 days 00:00:01"),
            ("1 year 1:2:", "1 year 01:02:00"),
            ("1:", "01:00:00"),
            ("00:00:60.5", "00:01:00.5"),
            ("-00:00:01", "-00:00:01"),
            ("-1:30", "-01:30:00"),
            ("", "00:00:00"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_risingwave_does_not_read_is_an_error() {
        for (text, why) in [
            ("1 week", "Invalid unit: week"),
            ("3ms", "Invalid unit: ms"),
            ("1.5 hours", "Invalid interval: 1.5"),
            ("1 day ago", "Invalid unit: ago"),
            ("P1DT2H", "Invalid unit: P"),
            ("day", "Invalid interval: day"),
            ("00:61", "Invalid interval: [\"00\", \"61\"]"),
        ] {
            assert_eq!(shown(text).unwrap_err(), why, "{text}");
        }
        assert!(shown("soon").is_err());
        assert!(read_in("1 day", Unit::Day).is_err());
    }
}
