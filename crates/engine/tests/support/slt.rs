//! The sqllogictest files of `tests/golden`: the part of the format that they use, and a runner over the wire.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use regex::Regex;
use tokio_postgres::{Client, SimpleQueryMessage};

/// One record of a file.
#[derive(Debug)]
pub struct Record {
    /// Line of its first word.
    pub line: usize,
    connection: Option<String>,
    expect: Expect,
    sql: String,
    retry: Option<(u32, Duration)>,
}

#[derive(Debug)]
enum Expect {
    Ok,
    Count(u64),
    Error(String),
    Rows { sort: bool, lines: Vec<String> },
    Sleep(Duration),
}

fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(millis) => Duration::from_millis(millis.parse().unwrap()),
        None => Duration::from_secs(text.trim_end_matches('s').parse().unwrap()),
    }
}

/// Reads a file; `edit` may change a statement's text.
pub fn read(path: &Path, edit: impl Fn(&str) -> String) -> Vec<Record> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut records = Vec::new();
    let mut connection = None;
    let mut at = 0;
    while at < lines.len() {
        let head = lines[at].trim();
        let line = at + 1;
        at += 1;
        if head.is_empty() || head.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = head.split_whitespace().collect();
        if words[0] == "connection" {
            connection = Some(words[1].to_owned());
            continue;
        }
        if words[0] == "sleep" {
            records.push(Record {
                line,
                connection: None,
                expect: Expect::Sleep(duration(words[1])),
                sql: String::new(),
                retry: None,
            });
            continue;
        }
        let mut sql = Vec::new();
        while at < lines.len() && !lines[at].trim().is_empty() && lines[at].trim() != "----" {
            sql.push(lines[at]);
            at += 1;
        }
        let mut results = Vec::new();
        if at < lines.len() && lines[at].trim() == "----" {
            at += 1;
            while at < lines.len() && !lines[at].trim().is_empty() {
                results.push(folded(lines[at]));
                at += 1;
            }
        }
        let retry = words
            .iter()
            .position(|w| *w == "retry")
            .map(|i| (words[i + 1].parse().unwrap(), duration(words[i + 3])));
        let expect = match (words[0], words.get(1).copied()) {
            ("statement", Some("ok")) => Expect::Ok,
            ("statement", Some("count")) => Expect::Count(words[2].parse().unwrap()),
            ("statement", Some("error")) => {
                Expect::Error(head.split_once("error").unwrap().1.trim().to_owned())
            }
            ("query", _) => Expect::Rows {
                sort: words.contains(&"rowsort"),
                lines: results,
            },
            other => panic!("{}:{line}: unknown record {other:?}", path.display()),
        };
        records.push(Record {
            line,
            connection: connection.take(),
            expect,
            sql: edit(sql.join("\n").trim_end().trim_end_matches(';')),
            retry,
        });
    }
    records
}

fn folded(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a file came to.
#[derive(Debug, Default)]
pub struct Report {
    pub passed: usize,
    pub failures: Vec<String>,
}

/// Runs a file's records over connections to this port.
pub async fn run(records: &[Record], port: u16, patience: u32) -> Report {
    let mut report = Report::default();
    let mut clients: HashMap<Option<String>, Client> = HashMap::new();
    for record in records {
        let client = match clients.remove(&record.connection) {
            Some(client) if !client.is_closed() => client,
            _ => super::connect(port).await,
        };
        let mut tries = record.retry.map_or(0, |(n, _)| n.min(patience));
        let result = loop {
            let result = tokio::time::timeout(Duration::from_secs(30), check(&client, record))
                .await
                .unwrap_or_else(|_| Err("no answer within 30 s".into()));
            match (&result, record.retry) {
                (Err(_), Some((_, pause))) if tries > 0 => {
                    tries -= 1;
                    tokio::time::sleep(pause).await;
                }
                _ => break result,
            }
        };
        clients.insert(record.connection.clone(), client);
        match result {
            Ok(()) => report.passed += 1,
            Err(why) => report
                .failures
                .push(format!("line {}: {}\n    {why}", record.line, record.sql)),
        }
    }
    report
}

async fn check(client: &Client, record: &Record) -> Result<(), String> {
    if let Expect::Sleep(pause) = &record.expect {
        // only queries that retry stand behind a pause
        tokio::time::sleep((*pause).min(Duration::from_millis(500))).await;
        return Ok(());
    }
    let answer = client.simple_query(&record.sql).await;
    match (&record.expect, answer) {
        (Expect::Error(pattern), Err(error)) => {
            let text = format!("ERROR: {}", super::message(&error));
            match Regex::new(pattern) {
                Ok(regex) if regex.is_match(&text) => Ok(()),
                _ => Err(format!("another error than {pattern}: {text}")),
            }
        }
        (Expect::Error(pattern), Ok(_)) => Err(format!("no error; expected {pattern}")),
        (_, Err(error)) => Err(super::message(&error)),
        (Expect::Ok, Ok(_)) | (Expect::Sleep(_), _) => Ok(()),
        (Expect::Count(expected), Ok(messages)) => {
            let found = messages
                .iter()
                .rev()
                .find_map(|m| match m {
                    SimpleQueryMessage::CommandComplete(n) => Some(*n),
                    _ => None,
                })
                .unwrap_or(0);
            if found == *expected {
                Ok(())
            } else {
                Err(format!("{found} rows instead of {expected}"))
            }
        }
        (Expect::Rows { sort, lines }, Ok(messages)) => {
            let mut found: Vec<String> = messages
                .into_iter()
                .filter_map(|m| match m {
                    SimpleQueryMessage::Row(row) => Some(folded(
                        &(0..row.len())
                            .map(|i| match row.get(i) {
                                None => "NULL",
                                Some("") => "(empty)",
                                Some(text) => text,
                            })
                            .collect::<Vec<_>>()
                            .join(" "),
                    )),
                    _ => None,
                })
                // a cell may hold line breaks
                .flat_map(|row| row.lines().map(str::to_owned).collect::<Vec<_>>())
                .collect();
            let mut expected = lines.clone();
            if *sort {
                found.sort();
                expected.sort();
            }
            if found == expected {
                Ok(())
            } else {
                Err(format!(
                    "found\n      {}\n    expected\n      {}",
                    found.join("\n      "),
                    expected.join("\n      ")
                ))
            }
        }
    }
}
