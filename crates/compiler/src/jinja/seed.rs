//! Seeds: a CSV file as a table, with the types that dbt infers (agate's rules as dbt-core 1.12 sets them up), and its rows
//! as SQL.

use std::fmt::Write as _;

use chrono::{NaiveDate, NaiveDateTime};
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

    const ORDER: [Self; 5] = [
        Self::Integer,
        Self::Number,
        Self::Date,
        Self::DateTime,
        Self::Boolean,
    ];

    fn takes(self, text: &str) -> bool {
        match self {
            Self::Integer => number(text).is_some_and(|text| text.parse::<i64>().is_ok()),
            Self::Number => number(text).is_some(),
            Self::Date => date(text).is_some(),
            Self::DateTime => date_time(text).is_some(),
            Self::Boolean => {
                text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            }
            Self::Text => true,
        }
    }
}

/// A decimal number without what Rust would take besides (`inf`, `nan`).
fn number(text: &str) -> Option<&str> {
    let text = text.trim();
    let digits = text
        .chars()
        .all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    (digits && text.parse::<f64>().is_ok()).then_some(text)
}

fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()
}

fn date_time(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// `load_agate_table()`: the table behind a seed's file. Columns of `as_text` are text whatever they hold. The columns of one
/// that is to be empty have the types of the file's rows.
///
/// # Errors
/// A row that is longer than the header.
pub fn load(
    text: &str,
    delimiter: char,
    as_text: &[String],
    is_emptied: bool,
) -> Result<Value, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = records(text, delimiter).into_iter();
    let columns = records.next().unwrap_or_default();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (index, mut record) in records.enumerate() {
        if record.len() > columns.len() {
            return Err(raise(
                "rwt::jinja::seed",
                format!(
                    "row {} of the seed has {} values, and its header has {} names",
                    index + 1,
                    record.len(),
                    columns.len()
                ),
                Some("put a value that holds the delimiter into double quotes".to_owned()),
            ));
        }
        record.resize(columns.len(), String::new());
        rows.push(record);
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
    Ok(seed_value(Table { columns, rows }, types))
}

fn is_null(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("null")
}

fn infer<'a>(values: impl Iterator<Item = &'a str> + Clone) -> SeedType {
    let fits = |kind: &SeedType| values.clone().all(|text| is_null(text) || kind.takes(text));
    SeedType::ORDER
        .into_iter()
        .find(fits)
        .unwrap_or(SeedType::Text)
}

fn cell(text: &str, kind: SeedType) -> Json {
    if is_null(text) {
        return Json::Null;
    }
    match kind {
        SeedType::Integer => text.trim().parse::<i64>().map_or(Json::Null, Json::from),
        SeedType::Boolean => Json::Bool(text.eq_ignore_ascii_case("true")),
        // A number keeps its digits: it is written as it stands in the file.
        _ => Json::from(text),
    }
}

/// Fields of each line; a quoted field may hold the delimiter, line breaks and doubled quotes.
fn records(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
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
                records.push(std::mem::take(&mut record));
            }
            c if c == delimiter => record.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    // An empty line is no row.
    records.retain(|record| record.len() > 1 || !record[0].is_empty());
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
                (_, SeedType::Number) => write!(out, "{}", text.trim()),
                (_, SeedType::Date) => write!(out, "{}::date", Literal::Text(text.trim())),
                (_, SeedType::DateTime) => {
                    let at =
                        date_time(text).map(|at| at.format("%Y-%m-%dT%H:%M:%S%.f").to_string());
                    write!(
                        out,
                        "{}::timestamp",
                        Literal::Text(at.as_deref().unwrap_or(text))
                    )
                }
                _ => write!(out, "{}", Literal::Text(text)),
            };
        }
        out.push(')');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_hold_anything_in_quotes() {
        let found = records("a,b\r\n\"x, \"\"y\"\"\n\",2\n\n3\n", ',');
        assert_eq!(found, [vec!["a", "b"], vec!["x, \"y\"\n", "2"], vec!["3"]]);
    }

    #[test]
    fn types_are_the_first_that_take_all_values() {
        let of = |values: &[&str]| infer(values.iter().copied());
        assert_eq!(of(&["1", "", "null"]), SeedType::Integer);
        assert_eq!(of(&["1", "1.5"]), SeedType::Number);
        assert_eq!(of(&["2024-02-29"]), SeedType::Date);
        assert_eq!(of(&["2024-02-29T01:02:03"]), SeedType::DateTime);
        assert_eq!(of(&["True", "false"]), SeedType::Boolean);
        assert_eq!(of(&["nan", "1"]), SeedType::Text);
    }
}
