//! One event on its way.

use std::sync::Arc;

/// A value of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// A double.
    Double(f64),
    /// Text.
    Text(String),
    /// True or false.
    Bool(bool),
    /// A nested value of a replayed file.
    Json(serde_json::Value),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A message for a topic or a row for a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The topic's or the table's name.
    pub stream: Arc<str>,
    /// What keeps a user's messages in one partition.
    pub key: Option<String>,
    /// Names of the values; shared by all events of one shape.
    pub columns: Arc<[String]>,
    /// As many as columns.
    pub values: Vec<Value>,
}

/// A stream's name with its columns, shared by its events.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    stream: Arc<str>,
    columns: Arc<[String]>,
}

impl Shape {
    pub(crate) fn new(stream: &str, columns: &[&str]) -> Self {
        Self {
            stream: stream.into(),
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        }
    }

    pub(crate) fn event(&self, key: Option<String>, values: Vec<Value>) -> Event {
        debug_assert_eq!(values.len(), self.columns.len());
        Event {
            stream: self.stream.clone(),
            key,
            columns: self.columns.clone(),
            values,
        }
    }
}
