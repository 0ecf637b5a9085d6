//! Seeds: a CSV file as a table, with the types that dbt infers (agate's rules as dbt-core 1.12 sets them up), and its rows
//! as SQL.

use std::fmt::Write as _;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use minijinja::{Error, Value};
use rwt_sql::Literal;
use serde_json::Value as Json;

use super::error::raise;
use super::table::seed_value;
use crate::materialize::Table;

/// What all values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedType {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Number,
    /// `2024-02-29`
    Date,
    /// `2024-02-29T12:00:00`
    DateTime,
    /// `true` and `false`
    Boolean,
    /// Anything else.
    Text,
}

impl SeedType {
    /// dbt-postgres's type.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "float8",
            Self::Date => "date",
            Self::DateTime => "timestamp without time zone",
            Self::Boolean => "boolean",
            Self::Text => "text",
        }
    }
}

/// Signs that agate takes off a number.
const CURRENCIES: &[char] = &[
    '؋', '$', 'ƒ', '៛', '¥', '₡', '₱', '£', '€', '¢', '﷼', '₪', '₩', '₭', '₮', '₦', '฿', '₤', '₫',
];

/// A number as agate reads it, with what it takes off: `-$1,000` is -1000, `50%` is 50. None for `nan` and `inf` too, which
/// no column of numbers that dbt makes could take.
fn number(text: &str) -> Option<String> {
    let text = text.trim().trim_matches('%');
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let text = text.trim_matches(CURRENCIES).trim().replace([',', '_'], "");
    let is_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    if !text.chars().all(is_number) || text.parse::<f64>().is_err() {
        return None;
    }
    let (again, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let digits = digits.trim_start_matches('0').trim_end_matches('.');
    let zero = if digits.starts_with(|c: char| c.is_ascii_digit()) {
        ""
    } else {
        "0"
    };
    let sign = if negative == again { "" } else { "-" };
    Some(format!("{sign}{zero}{digits}"))
}

/// Whether a number that [`number`] gave is not a whole one.
fn has_decimals(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let fraction = digits.split_once('.').map_or("", |(_, fraction)| fraction);
    let decimals = i32::try_from(fraction.trim_end_matches('0').len()).unwrap_or(i32::MAX);
    decimals > exponent.parse::<i32>().unwrap_or(0)
}

fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()
}

fn date_time(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S").ok()
}

/// A time as ISO 8601 writes it, with its `T`; and the offset from UTC, if it says one.
fn iso_date_time(text: &str) -> Option<(NaiveDateTime, Option<String>)> {
    let (date, time) = text.trim().split_once('T')?;
    let date = ["%Y-%m-%d", "%Y%m%d"]
        .iter()
        .find_map(|format| NaiveDate::parse_from_str(date, format).ok())?;
    let (time, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], Some(offset(&time[at..])?)),
        None => (time, None),
    };
    let time = time.replace(',', ".");
    let full = match time.len() {
        2 => format!("{time}:00"),
        _ => time,
    };
    let time = ["%H:%M:%S%.f", "%H:%M", "%H%M%S%.f", "%H%M"]
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(&full, format).ok())?;
    Some((date.and_time(time), offset))
}

/// `Z`, `+02`, `+0200` and `+02:00` as the last of these.
fn offset(text: &str) -> Option<String> {
    let (sign, digits) = text.split_at(1);
    let digits = digits.replace(':', "");
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    match (sign, digits.len()) {
        ("Z", 0) => Some("+00:00".to_owned()),
        ("Z", _) => None,
        (_, 2) if is_digits => Some(format!("{sign}{digits}:00")),
        (_, 4) if is_digits => Some(format!("{sign}{}:{}", &digits[..2], &digits[2..])),
        _ => None,
    }
}

/// Where the rows of a seed stand.
#[derive(Debug)]
pub struct Origin {
    /// The file's path in the project.
    pub file: String,
    /// The line on which each row begins.
    pub lines: Vec<usize>,
}

/// `load_agate_table()`: the table behind a seed's file. Columns of `as_text` are text whatever they hold. The columns of one
/// that is to be empty have the types of the file's rows.
///
/// # Errors
/// A row that is longer than the header.
pub fn load(
    file: &str,
    text: &str,
    delimiter: char,
    as_text: &[String],
    is_emptied: bool,
) -> Result<Value, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = records(text, delimiter).into_iter();
    let columns = records.next().map(|(_, names)| names).unwrap_or_default();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut lines = Vec::new();
    for (line, mut record) in records {
        if record.len() > columns.len() {
            return Err(raise(
                "rwt::jinja::seed",
                format!(
                    "{file}, line {line}: the row has {} values, and the header has {} names",
                    record.len(),
                    columns.len()
                ),
                Some("put a value that holds the delimiter into double quotes".to_owned()),
            ));
        }
        record.resize(columns.len(), String::new());
        rows.push(record);
        lines.push(line);
    }
    let types: Vec<SeedType> = (0..columns.len())
        .map(|column| match as_text.contains(&columns[column]) {
            true => SeedType::Text,
            false => infer(rows.iter().map(|row| row[column].as_str())),
        })
        .collect();
    let kept = if is_emptied { 0 } else { rows.len() };
    let rows = rows
        .into_iter()
        .take(kept)
        .map(|row| {
            row.iter()
                .zip(&types)
                .map(|(text, kind)| cell(text, *kind))
                .collect()
        })
        .collect();
    let origin = Origin {
        file: file.to_owned(),
        lines,
    };
    let table = Table {
        columns,
        rows,
        ..Table::default()
    };
    Ok(seed_value(table, types, origin))
}

fn is_null(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.eq_ignore_ascii_case("null")
}

/// The first type that takes all values, in dbt's order.
fn infer<'a>(values: impl Iterator<Item = &'a str> + Clone) -> SeedType {
    let values = values.filter(|text| !is_null(text));
    let all = |takes: &dyn Fn(&str) -> bool| values.clone().all(takes);
    let decimals = values
        .clone()
        .try_fold(false, |any, text| Some(any | has_decimals(&number(text)?)));
    if let Some(decimals) = decimals {
        match decimals {
            true => SeedType::Number,
            false => SeedType::Integer,
        }
    } else if all(&|text| date(text).is_some()) {
        SeedType::Date
    } else if all(&|text| date_time(text).is_some()) || all(&|text| iso_date_time(text).is_some()) {
        SeedType::DateTime
    } else if all(&|text| matches!(text.trim().to_lowercase().as_str(), "true" | "false")) {
        SeedType::Boolean
    } else {
        SeedType::Text
    }
}

fn cell(text: &str, kind: SeedType) -> Json {
    if is_null(text) {
        return Json::Null;
    }
    match kind {
        SeedType::Integer => {
            let number = number(text).unwrap_or_default();
            number
                .parse::<i64>()
                .map_or_else(|_| Json::from(number), Json::from)
        }
        SeedType::Boolean => Json::Bool(text.trim().eq_ignore_ascii_case("true")),
        // A number keeps its digits: it is written as it stands in the file.
        _ => Json::from(text),
    }
}

/// Fields of each record with the line on which it begins; a quoted field may hold the delimiter, line breaks and doubled
/// quotes.
fn records(text: &str, delimiter: char) -> Vec<(usize, Vec<String>)> {
    let mut records = Vec::new();
    let (mut line, mut began) = (1, 1);
    let mut record = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        }
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            c if quoted => field.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                record.push(std::mem::take(&mut field));
                records.push((began, std::mem::take(&mut record)));
                began = line;
            }
            c if c == delimiter => record.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push((began, record));
    }
    // An empty line is no row.
    records.retain(|(_, record)| record.len() > 1 || !record[0].is_empty());
    records
}

/// Rows as SQL: `(1, 'a'), (2, NULL)`, as psycopg2 writes dbt's values.
pub fn rows_sql(rows: &[Vec<Json>], types: &[SeedType]) -> String {
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        out.push_str(if index == 0 { "(" } else { ",(" });
        for (column, value) in row.iter().enumerate() {
            if column > 0 {
                out.push(',');
            }
            let kind = types.get(column).copied().unwrap_or(SeedType::Text);
            let text = value.as_str().unwrap_or_default();
            let _ = match (value, kind) {
                (Json::Null, _) => write!(out, "NULL"),
                (Json::Bool(value), _) => write!(out, "{value}"),
                (Json::Number(number), _) => write!(out, "{number}"),
                (_, SeedType::Number | SeedType::Integer) => {
                    write!(out, "{}", number(text).unwrap_or_default())
                }
                (_, SeedType::Date) => write!(out, "{}::date", Literal::Text(text.trim())),
                (_, SeedType::DateTime) => write!(out, "{}", timestamp_sql(text)),
                _ => write!(out, "{}", Literal::Text(text)),
            };
        }
        out.push(')');
    }
    out
}

/// A time as psycopg2 writes Python's.
fn timestamp_sql(text: &str) -> String {
    let (at, offset) = match (date_time(text), iso_date_time(text)) {
        (Some(at), _) => (at, None),
        (None, Some(found)) => found,
        (None, None) => return Literal::Text(text).to_string(),
    };
    let fraction = if at.nanosecond() > 0 { "%.6f" } else { "" };
    let at = at
        .format(&format!("%Y-%m-%dT%H:%M:%S{fraction}"))
        .to_string();
    let text = at + offset.as_deref().unwrap_or_default();
    let data_type = if offset.is_some() {
        "timestamptz"
    } else {
        "timestamp"
    };
    format!("{}::{data_type}", Literal::Text(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_hold_anything_in_quotes() {
        let found = records("a,b\r\n\"x, \"\"y\"\"\n\",2\n\n3\n", ',');
        let (lines, found): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        assert_eq!(found, [vec!["a", "b"], vec!["x, \"y\"\n", "2"], vec!["3"]]);
        assert_eq!(lines, [1, 2, 5]);
    }

    /// What agate 1.9 said of each column, by way of `dbt_common.clients.agate_helper.from_csv`.
    #[test]
    fn types_are_the_first_that_take_all_values() {
        let of = |values: &[&str]| infer(values.iter().copied());
        for whole in [
            &["1", "", "null"][..],
            &["1.0", "2.0"],
            &["$5", "-€1,000", "50%", "--1", "+5", "1."],
            &["1e3", "1_000", "001", " "],
        ] {
            assert_eq!(of(whole), SeedType::Integer, "{whole:?}");
        }
        for broken in [&["1", "1.5"][..], &[".5"], &["1e-3"], &["1.50"]] {
            assert_eq!(of(broken), SeedType::Number, "{broken:?}");
        }
        assert_eq!(of(&["2024-02-29", "2024-3-1"]), SeedType::Date);
        for time in [
            &["2024-02-29 01:02:03", "2024-2-9 1:2:3"][..],
            &[
                "2024-02-29T01:02:03",
                "2024-02-29T01:02:03.5Z",
                "2024-02-29T01+02",
            ],
            &["20240229T010203", "2024-02-29T01:02"],
        ] {
            assert_eq!(of(time), SeedType::DateTime, "{time:?}");
        }
        assert_eq!(of(&["True", "false"]), SeedType::Boolean);
        for text in [
            &["nan", "1"][..],
            &["(5)"],
            &["5-"],
            &["0x1"],
            &["1 000"],
            &["2024-02-29 01:02:03.5"],
            &["2024-02-29 01:02"],
            &["2024-02-29 01:02:03", "2024-02-29T01:02:03"],
            &["2024-02-29", "2024-02-29 01:02:03"],
            &["2024-02-29T24:00:00"],
            &["01:02:03"],
            &["true", "1"],
        ] {
            assert_eq!(of(text), SeedType::Text, "{text:?}");
        }
    }

    #[test]
    fn values_are_written_as_psycopg2_writes_them() {
        let sql = |text: &str, kind: SeedType| rows_sql(&[vec![cell(text, kind)]], &[kind]);
        assert_eq!(sql("-$1,000", SeedType::Integer), "(-1000)");
        assert_eq!(sql("1.0", SeedType::Integer), "(1.0)");
        assert_eq!(sql(".50", SeedType::Number), "(0.50)");
        assert_eq!(
            sql("2024-2-9 1:2:3", SeedType::DateTime),
            "('2024-02-09T01:02:03'::timestamp)"
        );
        assert_eq!(
            sql("2024-02-09T01:02:03.5Z", SeedType::DateTime),
            "('2024-02-09T01:02:03.500000+00:00'::timestamptz)"
        );
    }
}
