//! From messages to batches of a source's rows, and what there is to say about those that did not fit.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::avro::AvroSchema;
use super::json::Json;
use super::value::ColumnBuilder;
use crate::catalog::{Column, Origin, Source};

/// A message as the broker gave it.
#[derive(Debug, Clone, Default)]
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
    /// Its headers, if it has any.
    pub headers: Option<Vec<Header<'a>>>,
}

/// A header of a message: its name, and its value if it has one.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

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

/// Rows of one kind, in the order of the messages.
#[derive(Debug)]
pub struct Rows {
    /// The rows; of those that go, only the key counts.
    pub batch: RecordBatch,
    /// The rows with these keys go.
    pub deleted: bool,
}

/// What a source's messages hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One row as a JSON object.
    Json,
    /// The same; a message without a payload deletes the row of its key.
    Upsert,
    /// A change of a row, as Debezium writes it.
    Debezium,
    /// One row as a line of fields with this separator.
    Csv(char),
    /// The only column.
    Bytes,
    /// One row as an Avro record; of UPSERT, a message without a payload deletes the row of its key.
    Avro { upsert: bool },
}

impl Form {
    fn of(source: &Source) -> Self {
        match (source.format.as_str(), source.encode.as_str()) {
            (format, "AVRO") => Self::Avro {
                upsert: format == "UPSERT",
            },
            ("UPSERT", _) => Self::Upsert,
            ("DEBEZIUM", _) => Self::Debezium,
            (_, "CSV") => Self::Csv(source.delimiter),
            (_, "BYTES") => Self::Bytes,
            _ => Self::Json,
        }
    }
}

/// Makes rows of messages.
#[derive(Debug)]
pub struct Decoder {
    form: Form,
    avro: Option<AvroSchema>,
    names: Vec<String>,
    origins: Vec<Origin>,
    builders: Vec<ColumnBuilder>,
    schema: SchemaRef,
    /// Rows of the kind that the builders hold.
    open: usize,
    /// Whether these rows go.
    deleting: bool,
    /// Rows of other kinds before them.
    closed: Vec<Rows>,
    rows: usize,
}

/// What a message says about a row's fields.
enum Fields<'m> {
    Json(Option<&'m Json<'m>>),
    Texts(&'m [String]),
    Bytes(Option<&'m [u8]>),
}

impl Decoder {
    /// A decoder for a source's stored columns; the error names a column whose type messages cannot fill here.
    pub fn new(columns: &[Column], source: &Source, schema: SchemaRef) -> Result<Self, String> {
        let builders = columns
            .iter()
            .map(|c| {
                ColumnBuilder::new(&c.data_type).ok_or_else(|| {
                    format!("column {} of type {} in a message", c.name, c.data_type)
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            form: Form::of(source),
            avro: source.avro.as_ref().map(AvroSchema::new).transpose()?,
            names: columns.iter().map(|c| c.name.clone()).collect(),
            origins: source.origins.clone(),
            builders,
            schema,
            open: 0,
            deleting: false,
            closed: Vec::new(),
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
        match self.form {
            Form::Bytes => {
                return self.row(false, &Fields::Bytes(message.payload), message);
            }
            Form::Csv(delimiter) => {
                return match fields_of_line(payload, delimiter) {
                    Ok(fields) => self.row(false, &Fields::Texts(&fields), message),
                    Err(why) => Decoded::Skipped(why),
                };
            }
            Form::Upsert | Form::Avro { upsert: true } if payload.is_empty() => {
                self.row(true, &Fields::Json(None), message);
                return Decoded::Row;
            }
            Form::Debezium if payload.is_empty() => {
                return Decoded::Skipped("a tombstone behind a deletion".into());
            }
            _ if payload.is_empty() => return self.row(false, &Fields::Json(None), message),
            _ => {}
        }
        let json = match &self.avro {
            Some(avro) => avro.read(payload),
            None => Json::parse(payload).map_err(|error| format!("not JSON: {error}")),
        };
        let json = match json {
            Ok(json) => json,
            Err(why) => return Decoded::Skipped(why),
        };
        match self.form {
            Form::Debezium => self.change(&json, message),
            _ => self.row(false, &Fields::Json(Some(&json)), message),
        }
    }

    /// A change of a row: `op` with the row before and after it, with or without a schema around them.
    fn change(&mut self, json: &Json<'_>, message: &Message<'_>) -> Decoded {
        let json = json.field("payload").unwrap_or(json);
        let side = |name: &str| {
            json.field(name)
                .filter(|side| matches!(side, Json::Object(_)))
        };
        let op = json.field("op").and_then(Json::scalar_text);
        match (op.as_deref(), side("before"), side("after")) {
            (Some("c" | "r" | "u"), before, Some(after)) => {
                if let Some(before) = before {
                    self.row(true, &Fields::Json(Some(before)), message);
                }
                self.row(false, &Fields::Json(Some(after)), message)
            }
            (Some("d"), Some(before), _) => {
                self.row(true, &Fields::Json(Some(before)), message);
                Decoded::Row
            }
            (Some(op), ..) => Decoded::Skipped(format!("operation {op} without the row of it")),
            (None, ..) => Decoded::Skipped("no field op".into()),
        }
    }

    fn row(&mut self, deleted: bool, fields: &Fields<'_>, message: &Message<'_>) -> Decoded {
        if deleted != self.deleting
            && let Err(error) = self.close()
        {
            return Decoded::Skipped(format!("rows cannot be built: {error}"));
        }
        self.deleting = deleted;
        let mut problem = None;
        let mut place = 0;
        for ((builder, origin), name) in
            self.builders.iter_mut().zip(&self.origins).zip(&self.names)
        {
            match origin {
                Origin::Field => {
                    let lost = match fields {
                        Fields::Json(json) => push_field(builder, *json, name),
                        Fields::Texts(texts) => push_text(builder, texts.get(place), name),
                        Fields::Bytes(bytes) => {
                            builder.push_bytes(*bytes);
                            None
                        }
                    };
                    place += 1;
                    problem = problem.or(lost);
                }
                Origin::Generated => builder.push_null(),
                Origin::Key => builder.push_bytes(message.key),
                Origin::Offset => builder.push_text(Some(&message.offset.to_string())),
                Origin::Partition => builder.push_text(Some(&message.partition.to_string())),
                Origin::Timestamp => {
                    builder.push_micros(message.timestamp.map(|t| t.saturating_mul(1000)))
                }
                Origin::Payload => match fields {
                    Fields::Json(Some(json)) => {
                        builder.push(json);
                    }
                    _ => builder.push_null(),
                },
                Origin::Headers => match &message.headers {
                    Some(headers) => {
                        builder.push(&pairs(headers));
                    }
                    None => builder.push_null(),
                },
                Origin::Header(name) => {
                    let mut headers = message.headers.iter().flatten();
                    let found = headers.find(|(key, _)| key == name);
                    builder.push_bytes(found.and_then(|(_, value)| *value));
                }
            }
        }
        self.rows += 1;
        self.open += 1;
        problem.map_or(Decoded::Row, Decoded::Padded)
    }

    /// Makes a batch of the rows in the builders.
    fn close(&mut self) -> Result<(), ArrowError> {
        if self.open == 0 {
            return Ok(());
        }
        let columns = self
            .builders
            .iter_mut()
            .map(ColumnBuilder::finish)
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.open));
        self.open = 0;
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        self.closed.push(Rows {
            batch,
            deleted: self.deleting,
        });
        Ok(())
    }

    /// The rows since the last batch, by what becomes of them.
    pub fn finish(&mut self) -> Result<Vec<Rows>, ArrowError> {
        self.close()?;
        self.rows = 0;
        Ok(std::mem::take(&mut self.closed))
    }
}

fn pairs<'a>(headers: &[Header<'a>]) -> Json<'a> {
    let pair = |(key, value): &Header<'a>| {
        let value = value.map_or(Json::Null, |value| Json::Bytes(value.to_vec()));
        Json::Object(vec![
            ("key".into(), Json::Text((*key).into())),
            ("value".into(), value),
        ])
    };
    Json::List(headers.iter().map(pair).collect())
}

/// Adds a field of a JSON object, and says what was lost.
fn push_field(builder: &mut ColumnBuilder, json: Option<&Json<'_>>, name: &str) -> Option<String> {
    match json.and_then(|j| j.field(name)) {
        Some(value) if builder.push(value) => None,
        Some(value) => Some(format!("{name}: {} does not fit", shown(value))),
        None => {
            builder.push_null();
            Some(match json {
                None => "an empty message".to_owned(),
                Some(Json::Object(_)) => format!("no field {name}"),
                Some(other) => format!("{} instead of an object", other.kind()),
            })
        }
    }
}

/// Adds a field of a line, and says what was lost. An empty field is NULL.
fn push_text(builder: &mut ColumnBuilder, text: Option<&String>, name: &str) -> Option<String> {
    let Some(text) = text else {
        builder.push_null();
        return Some(format!("no field {name}"));
    };
    if text.is_empty() {
        builder.push_null();
        return None;
    }
    let value = match builder {
        ColumnBuilder::Boolean(_) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Json::Bool(true),
            "false" | "f" | "0" => Json::Bool(false),
            _ => Json::Text(text.into()),
        },
        ColumnBuilder::Jsonb(_) | ColumnBuilder::Nested(..) => {
            Json::parse(text.as_bytes()).unwrap_or_else(|_| Json::Text(text.into()))
        }
        _ => Json::Text(text.into()),
    };
    let fits = builder.push(&value);
    (!fits).then(|| format!("{name}: {} does not fit", shown(&value)))
}

/// The fields of a line: those in quotes may hold the separator, line breaks, and quotes twice.
fn fields_of_line(payload: &[u8], delimiter: char) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(payload).map_err(|error| format!("not UTF-8: {error}"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let mut fields = vec![String::new()];
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        let field = &mut fields[last];
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            c if c == delimiter && !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    match quoted {
        true => Err("a quote that does not end".into()),
        false => Ok(fields),
    }
}

/// A value in a message to people, cut to a length that fits a line.
fn shown(value: &Json<'_>) -> String {
    let text = value.jsonb_text();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
