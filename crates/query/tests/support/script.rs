//! sqllogictest files: only the records that the recorded suites use.

use super::database::Database;

/// One record of a file.
pub struct Record {
    pub line: usize,
    pub sql: String,
    pub expected: Expected,
}

pub enum Expected {
    Ok,
    Count(usize),
    Error(String),
    Rows { sorted: bool, rows: Vec<String> },
}

pub fn records(text: &str) -> Vec<Record> {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let head = lines[at];
        let words: Vec<&str> = head.split_whitespace().collect();
        let start = at;
        at += 1;
        let kind = match words.as_slice() {
            ["statement", "ok"] => Expected::Ok,
            ["statement", "count", n] => Expected::Count(n.parse().unwrap()),
            ["statement", "error", ..] => Expected::Error(
                head.strip_prefix("statement error")
                    .unwrap()
                    .trim()
                    .to_owned(),
            ),
            ["query", ..] => Expected::Rows {
                sorted: words.contains(&"rowsort"),
                rows: Vec::new(),
            },
            _ => continue,
        };
        let mut sql = Vec::new();
        while at < lines.len() && !lines[at].is_empty() && lines[at] != "----" {
            sql.push(lines[at]);
            at += 1;
        }
        let expected = match kind {
            Expected::Rows { sorted, .. } => {
                let mut rows = Vec::new();
                if lines.get(at) == Some(&"----") {
                    at += 1;
                }
                while at < lines.len() && !lines[at].is_empty() {
                    rows.push(fold(lines[at]));
                    at += 1;
                }
                Expected::Rows { sorted, rows }
            }
            other => other,
        };
        out.push(Record {
            line: start + 1,
            sql: sql.join("\n"),
            expected,
        });
    }
    out
}

/// White space folded, as the format compares.
pub fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A row as the format writes it.
pub fn line(row: &[Option<String>]) -> String {
    let cells: Vec<&str> = row
        .iter()
        .map(|cell| match cell.as_deref() {
            None => "NULL",
            Some("") => "(empty)",
            Some(text) => text,
        })
        .collect();
    fold(&cells.join(" "))
}

/// Runs a record; what differs from what it expects is the error.
pub async fn check(database: &mut Database, record: &Record) -> Result<(), String> {
    let outcome = database.run(&record.sql).await;
    match (&record.expected, outcome) {
        (Expected::Error(pattern), Err(error)) => {
            let text = error.causes().join("\n");
            match regex::Regex::new(pattern).unwrap().is_match(&text) {
                true => Ok(()),
                false => Err(format!("another error: {text}\n    instead of: {pattern}")),
            }
        }
        (Expected::Error(pattern), Ok(_)) => Err(format!("no error; expected: {pattern}")),
        (_, Err(error)) => Err(format!("error: {}", error.causes().join(" / "))),
        (Expected::Ok, Ok(_)) => Ok(()),
        (Expected::Count(n), Ok(outcome)) if outcome.count == *n => Ok(()),
        (Expected::Count(n), Ok(outcome)) => Err(format!("{} rows instead of {n}", outcome.count)),
        (Expected::Rows { sorted, rows }, Ok(outcome)) => {
            let mut found: Vec<String> = outcome.rows.iter().map(|row| line(row)).collect();
            let mut wanted = rows.clone();
            if *sorted {
                found.sort();
                wanted.sort();
            }
            if found == wanted {
                return Ok(());
            }
            Err(format!(
                "found:\n      {}\n    expected:\n      {}",
                found.join("\n      "),
                wanted.join("\n      ")
            ))
        }
    }
}
