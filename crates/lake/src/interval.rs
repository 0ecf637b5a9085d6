//! Intervals as text: Iceberg has no interval type, so the lake stores what PostgreSQL and RisingWave print.

use arrow::datatypes::IntervalMonthDayNano;

/// `1 year 2 mons 3 days 04:05:06.789`, to the microsecond.
pub(crate) fn interval_text(interval: IntervalMonthDayNano) -> String {
    let mut parts = Vec::with_capacity(4);
    let mut part = |count: i32, unit: &str| {
        if count != 0 {
            parts.push(format!(
                "{count} {unit}{}",
                if count == 1 { "" } else { "s" }
            ));
        }
    };
    part(interval.months / 12, "year");
    part(interval.months % 12, "mon");
    part(interval.days, "day");
    let micros = (interval.nanoseconds / 1000).unsigned_abs();
    if micros != 0 || parts.is_empty() {
        let sign = if interval.nanoseconds < 0 { "-" } else { "" };
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let mut time = format!(
            "{sign}{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        if fraction != 0 {
            time.push_str(format!(".{fraction:06}").trim_end_matches('0'));
        }
        parts.push(time);
    }
    parts.join(" ")
}

/// What [`interval_text`] wrote; None for anything else.
pub(crate) fn parse_interval(text: &str) -> Option<IntervalMonthDayNano> {
    let (mut months, mut days, mut nanoseconds) = (0_i32, 0_i32, 0_i64);
    let mut words = text.split_ascii_whitespace();
    while let Some(word) = words.next() {
        if word.contains(':') {
            nanoseconds = nanoseconds.checked_add(parse_time(word)?)?;
            continue;
        }
        let count: i32 = word.parse().ok()?;
        match words.next()?.trim_end_matches('s') {
            "year" => months = months.checked_add(count.checked_mul(12)?)?,
            "mon" => months = months.checked_add(count)?,
            "day" => days = days.checked_add(count)?,
            _ => return None,
        }
    }
    Some(IntervalMonthDayNano::new(months, days, nanoseconds))
}

fn parse_time(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (time, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut seconds = 0_i64;
    for part in time.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    let nanoseconds: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(nanoseconds)?
        .checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_survive_their_text() {
        for (months, days, nanoseconds, text) in [
            (0, 0, 0, "00:00:00"),
            (
                14,
                3,
                14_706_789_000_000,
                "1 year 2 mons 3 days 04:05:06.789",
            ),
            (1, 1, 0, "1 mon 1 day"),
            (-1, -2, -1_000_000_000, "-1 mons -2 days -00:00:01"),
            (-25, 0, 1_000, "-2 years -1 mons 00:00:00.000001"),
            (0, 0, 360_000_000_000_000, "100:00:00"),
            (
                i32::MAX,
                i32::MIN,
                -1_500_000_000,
                "178956970 years 7 mons -2147483648 days -00:00:01.5",
            ),
        ] {
            let interval = IntervalMonthDayNano::new(months, days, nanoseconds);
            assert_eq!(interval_text(interval), text);
            assert_eq!(parse_interval(text), Some(interval), "{text}");
        }
    }

    #[test]
    fn other_text_is_no_interval() {
        for text in [
            "soon",
            "1 parsec",
            "1",
            "1:xx:00",
            "99999999999 days",
            "00:00:00.x",
        ] {
            assert_eq!(parse_interval(text), None, "{text}");
        }
    }
}
