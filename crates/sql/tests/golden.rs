//! Every statement that was recorded on RisingWave, through our parser: what RisingWave accepted parses, what it called
//! a syntax error is refused, in the same words where the statement's parser is the one to say them.

use std::fs;
use std::path::{Path, PathBuf};

use rwt_sql::{ParseErrorKind, parse_script};

/// What RisingWave made of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Recorded {
    Accepted,
    Error(String),
}

/// One record of an `.slt` file.
struct Record {
    place: String,
    sql: String,
    recorded: Recorded,
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(golden().join(folder))
        .expect("the golden folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {extension} files in {folder}");
    files
}

/// The records of all `.slt` files: a header line, the statement, `----` and results, an empty line.
fn records() -> Vec<Record> {
    let mut records = Vec::new();
    for path in files("sql", "slt").into_iter().chain(files("lake", "slt")) {
        let text = fs::read_to_string(&path).expect("the file can be read");
        let name = path
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        let mut lines = text.lines().enumerate().peekable();
        while let Some((number, header)) = lines.next() {
            let words: Vec<&str> = header.split_whitespace().collect();
            let recorded = match words.as_slice() {
                ["statement", "error", ..] => {
                    Recorded::Error(header["statement error".len()..].trim().to_owned())
                }
                ["query", "error", ..] => {
                    Recorded::Error(header["query error".len()..].trim().to_owned())
                }
                ["statement" | "query", ..] => Recorded::Accepted,
                _ => continue,
            };
            let mut sql = String::new();
            while let Some((_, line)) =
                lines.next_if(|(_, line)| !line.is_empty() && *line != "----")
            {
                sql.push_str(line);
                sql.push('\n');
            }
            records.push(Record {
                place: format!("{name}:{}", number + 1),
                sql,
                recorded,
            });
        }
    }
    assert!(records.len() > 2000, "only {} records found", records.len());
    records
}

#[test]
fn what_risingwave_accepts_parses() {
    let mut wrong = Vec::new();
    for record in records() {
        if record.recorded == Recorded::Accepted
            && let Err(error) = parse_script(&record.sql)
        {
            wrong.push(format!("{}: {}{error}\n", record.place, record.sql));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} refused:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Syntax errors inside of expressions, which stay text here: the query parser has to refuse them.
const LEFT_TO_THE_QUERY_PARSER: [&str; 1] = [
    // RisingWave reads `position` in an expression as the start of `position(… in …)`.
    "SELECT position FROM rw_catalog.rw_columns;",
];

/// Statements that a newer RisingWave than the recorded 2.8 understands, and that rwt sends to it.
const NEWER_THAN_THE_RECORDINGS: [&str; 1] = [
    // since 3.0
    "WAIT MATERIALIZED VIEW sfw_bg;",
];

fn is_accepted(sql: &str) -> bool {
    LEFT_TO_THE_QUERY_PARSER.contains(&sql) || NEWER_THAN_THE_RECORDINGS.contains(&sql)
}

#[test]
fn what_risingwave_calls_a_syntax_error_is_refused() {
    for record in records() {
        let Recorded::Error(message) = &record.recorded else {
            continue;
        };
        if message.contains("sql parser error") {
            match parse_script(&record.sql) {
                Ok(_) => assert!(is_accepted(record.sql.trim()), "{} is accepted", record.sql),
                Err(error) => assert_eq!(error.kind(), ParseErrorKind::Syntax, "{}", record.sql),
            }
        } else if let Err(error) = parse_script(&record.sql) {
            assert_eq!(
                error.kind(),
                ParseErrorKind::NotImplemented,
                "{}: {error}",
                record.place
            );
            assert!(
                message.contains("not yet implemented"),
                "{}: {error}",
                record.place
            );
        }
    }
}

/// A line of `errors/*.jsonl`, as far as needed.
fn field<'a>(line: &'a serde_json::Value, name: &str) -> &'a str {
    line[name].as_str().expect("the field is a string")
}

#[test]
fn syntax_errors_are_worded_as_risingwave_words_them() {
    let mut compared = 0;
    let mut different = Vec::new();
    for path in files("errors", "jsonl") {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let (sql, message) = (field(&line, "sql"), field(&line, "message"));
            let Some(expected) = message
                .find("sql parser error")
                .map(|i| message[i..].trim_end())
            else {
                continue;
            };
            if is_accepted(sql) {
                continue;
            }
            compared += 1;
            let ours = parse_script(sql).unwrap_err().to_string();
            if ours != expected {
                different.push(format!("{expected}\n--- but was\n{ours}\n"));
            }
        }
    }
    assert!(compared > 40, "only {compared} errors compared");
    assert!(
        different.is_empty(),
        "{} of {compared} differ:\n{}",
        different.len(),
        different.join("\n")
    );
}
