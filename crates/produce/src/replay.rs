//! Recorded events from a file, so that a user's own data can be tried: one JSON object a line, or CSV with a header.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use crate::error::ProduceError;
use crate::event::{Event, Value};
use crate::run::Source;

/// `COLUMN=FIELD`: the stream's column takes the record's field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The stream's name for it.
    pub column: String,
    /// The record's name for it.
    pub field: String,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((column, field)) if !column.is_empty() && !field.is_empty() => Ok(Self {
                column: column.to_owned(),
                field: field.to_owned(),
            }),
            _ => Err("expected COLUMN=FIELD, for example user_id=customer".to_owned()),
        }
    }
}

enum Records {
    Json(BufReader<File>),
    Csv {
        reader: Box<csv::Reader<File>>,
        header: Vec<String>,
    },
}

/// A file's events, in its order.
pub struct Replay {
    path: PathBuf,
    records: Records,
    line: u64,
    text: String,
    stream: Arc<str>,
    /// Field → column.
    renames: BTreeMap<String, String>,
    /// The columns of the record before: records of one file mostly look alike.
    columns: Arc<[String]>,
}

impl Replay {
    /// Opens a file whose events go to `stream`. The extension tells the format.
    ///
    /// # Errors
    /// [`ProduceError::File`]
    pub fn open(path: &Path, stream: &str, mappings: &[Mapping]) -> Result<Self, ProduceError> {
        let failed = |reason: String| ProduceError::File {
            path: path.display().to_string(),
            reason,
        };
        let extension = path
            .extension()
            .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let file = File::open(path).map_err(|error| failed(error.to_string()))?;
        let records = match extension.as_deref() {
            Some("jsonl" | "ndjson" | "json") => Records::Json(BufReader::new(file)),
            Some("csv") => {
                let mut reader = Box::new(csv::Reader::from_reader(file));
                let header = reader
                    .headers()
                    .map_err(|error| failed(error.to_string()))?
                    .iter()
                    .map(str::to_owned)
                    .collect();
                Records::Csv { reader, header }
            }
            _ => return Err(failed("its name does not tell its format".to_owned())),
        };
        Ok(Self {
            path: path.to_owned(),
            records,
            line: 0,
            text: String::new(),
            stream: stream.into(),
            renames: mappings
                .iter()
                .map(|m| (m.field.clone(), m.column.clone()))
                .collect(),
            columns: Arc::new([]),
        })
    }

    /// The next record, or `None` at the end. Empty lines are passed over.
    fn record(&mut self) -> Result<Option<Map<String, Json>>, ProduceError> {
        match &mut self.records {
            Records::Json(reader) => loop {
                self.text.clear();
                self.line += 1;
                let read = reader.read_line(&mut self.text);
                match read {
                    Ok(0) => return Ok(None),
                    Ok(_) if self.text.trim().is_empty() => {}
                    Ok(_) => {
                        return match serde_json::from_str(&self.text) {
                            Ok(Json::Object(record)) => Ok(Some(record)),
                            Ok(_) => Err(self.bad_line("this is JSON, but no object".to_owned())),
                            Err(error) => Err(self.bad_line(format!("this is no JSON: {error}"))),
                        };
                    }
                    Err(error) => return Err(self.bad_line(error.to_string())),
                }
            },
            Records::Csv { reader, header } => {
                let mut row = csv::StringRecord::new();
                let read = reader.read_record(&mut row);
                self.line = row.position().map_or(self.line + 1, csv::Position::line);
                match read {
                    Ok(false) => Ok(None),
                    Ok(true) => Ok(Some(
                        header
                            .iter()
                            .zip(row.iter())
                            .map(|(name, cell)| (name.clone(), Json::String(cell.to_owned())))
                            .collect(),
                    )),
                    Err(error) => {
                        self.text.clear();
                        Err(self.bad_line(error.to_string()))
                    }
                }
            }
        }
    }

    fn bad_line(&self, reason: String) -> ProduceError {
        let text: String = self.text.trim_end().chars().take(200).collect();
        ProduceError::Line {
            path: self.path.display().to_string(),
            line: self.line,
            reason,
            text,
        }
    }

    fn columns_of(&mut self, record: &Map<String, Json>) -> Result<(), ProduceError> {
        for (field, column) in &self.renames {
            if !record.contains_key(field) {
                let fields: Vec<&str> = record.keys().map(String::as_str).collect();
                return Err(ProduceError::Map {
                    path: self.path.display().to_string(),
                    line: self.line,
                    field: field.clone(),
                    column: column.clone(),
                    fields: fields.join(", "),
                });
            }
        }
        let name = |field: &'_ String| {
            self.renames
                .get(field)
                .cloned()
                .unwrap_or_else(|| field.clone())
        };
        let same = self.columns.len() == record.len()
            && record
                .keys()
                .zip(self.columns.iter())
                .all(|(field, column)| {
                    self.renames.get(field).map_or(field, |renamed| renamed) == column
                });
        if !same {
            self.columns = record.keys().map(name).collect();
        }
        Ok(())
    }
}

impl Source for Replay {
    fn next(&mut self, _at: DateTime<Utc>) -> Result<Option<Event>, ProduceError> {
        let Some(record) = self.record()? else {
            return Ok(None);
        };
        self.columns_of(&record)?;
        let values: Vec<Value> = record
            .into_iter()
            .map(|(_, value)| value_of(value))
            .collect();
        let key = self
            .columns
            .iter()
            .position(|c| c == "user_id")
            .and_then(|i| match &values[i] {
                Value::Int(number) => Some(number.to_string()),
                Value::Text(text) => Some(text.clone()),
                _ => None,
            });
        Ok(Some(Event {
            stream: self.stream.clone(),
            key,
            columns: self.columns.clone(),
            values,
        }))
    }
}

fn value_of(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(flag),
        Json::String(text) => Value::Text(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(double)) => Value::Double(double),
            (None, None) => Value::Json(Json::Number(number)),
        },
        nested => Value::Json(nested),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn replay(name: &str, text: &str, mappings: &[&str]) -> Result<Vec<Event>, ProduceError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let mappings: Vec<Mapping> = mappings.iter().map(|m| m.parse().unwrap()).collect();
        let mut replay = Replay::open(&path, "t", &mappings)?;
        let mut events = Vec::new();
        while let Some(event) = replay.next(DateTime::UNIX_EPOCH)? {
            events.push(event);
        }
        Ok(events)
    }

    #[test]
    fn json_lines_keep_their_types_and_columns_are_renamed() {
        let events = replay(
            "e.jsonl",
            "{\"uid\": 1, \"amount\": 2.5}\n\n{\"uid\": 2, \"x\": {\"a\": 1}}\n",
            &["user_id=uid"],
        )
        .unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(&*events[0].columns, ["user_id", "amount"]);
        assert_eq!(events[0].values, [Value::Int(1), Value::Double(2.5)]);
        assert_eq!(events[0].key.as_deref(), Some("1"));
        assert_eq!(&*events[1].columns, ["user_id", "x"]);
    }

    #[test]
    fn csv_has_a_header() {
        let events = replay("e.csv", "user_id,page\n7,\"a,b\"\n", &[]).unwrap();
        assert_eq!(events[0].values, ["7".into(), "a,b".into()]);
    }

    #[test]
    fn a_bad_line_is_shown_with_its_number() {
        let error = replay("e.jsonl", "{\"a\": 1}\n{broken\n", &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("e.jsonl:2: this is no JSON"), "{error}");
        assert!(error.contains("{broken"), "{error}");
        let error = replay("e.jsonl", "{\"a\": 1}\n", &["b=c"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("no field `c`"), "{error}");
        assert!(replay("e.txt", "", &[]).is_err());
    }
}
