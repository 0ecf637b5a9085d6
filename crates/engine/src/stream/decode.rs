//! From messages to batches of a source's rows, and what there is to say about those that did not fit.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::json::Json;
use super::value::ColumnBuilder;
use crate::catalog::{Column, Origin};

/// A message as the broker gave it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Message<'a> {
    /// `None` for a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A row with all that the message says.
    Row,
    /// A row with a NULL that the message does not say, and why.
    Padded(String),
    /// No row, and why.
    Skipped(String),
}

/// Makes rows of messages.
#[derive(Debug)]
pub struct Decoder {
    names: Vec<String>,
    origins: Vec<Origin>,
    builders: Vec<ColumnBuilder>,
    schema: SchemaRef,
    rows: usize,
}

impl Decoder {
    /// A decoder for a source's stored columns; the error names a column whose type JSON cannot fill here.
    pub fn new(columns: &[Column], origins: &[Origin], schema: SchemaRef) -> Result<Self, String> {
        let builders = columns
            .iter()
            .map(|c| {
                ColumnBuilder::new(&c.data_type).ok_or_else(|| {
                    format!(
                        "column {} of type {} in a JSON message",
                        c.name, c.data_type
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            names: columns.iter().map(|c| c.name.clone()).collect(),
            origins: origins.to_vec(),
            builders,
            schema,
            rows: 0,
        })
    }

    /// Rows since the last batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a message.
    pub fn push(&mut self, message: &Message<'_>) -> Decoded {
        let payload = message.payload.unwrap_or_default();
        let json = if payload.is_empty() {
            None
        } else {
            match Json::parse(payload) {
                Ok(json) => Some(json),
                Err(error) => return Decoded::Skipped(format!("not JSON: {error}")),
            }
        };
        let mut problem = None;
        for ((builder, origin), name) in
            self.builders.iter_mut().zip(&self.origins).zip(&self.names)
        {
            match origin {
                Origin::Field => match json.as_ref().and_then(|j| j.field(name)) {
                    Some(value) => {
                        if !builder.push(value) {
                            problem.get_or_insert_with(|| {
                                format!("{name}: {} does not fit", shown(value))
                            });
                        }
                    }
                    None => {
                        problem.get_or_insert_with(|| match &json {
                            None => "an empty message".to_owned(),
                            Some(Json::Object(_)) => format!("no field {name}"),
                            Some(other) => format!("{} instead of an object", other.kind()),
                        });
                        builder.push_null();
                    }
                },
                Origin::Generated => builder.push_null(),
                Origin::Key => builder.push_bytes(message.key),
                Origin::Offset => builder.push_text(Some(&message.offset.to_string())),
                Origin::Partition => builder.push_text(Some(&message.partition.to_string())),
                Origin::Timestamp => {
                    builder.push_micros(message.timestamp.map(|t| t.saturating_mul(1000)))
                }
                Origin::Payload => match &json {
                    Some(json) => {
                        builder.push(json);
                    }
                    None => builder.push_null(),
                },
            }
        }
        self.rows += 1;
        problem.map_or(Decoded::Row, Decoded::Padded)
    }

    /// The rows since the last batch.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns = self
            .builders
            .iter_mut()
            .map(ColumnBuilder::finish)
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

/// A value in a message to people, cut to a length that fits a line.
fn shown(value: &Json) -> String {
    let text = value.jsonb_text();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
