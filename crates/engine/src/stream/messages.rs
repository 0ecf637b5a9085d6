//! A sink's rows as messages: PLAIN, UPSERT and DEBEZIUM JSON as RisingWave writes them
//! (`src/connector/src/sink/formatter` of RisingWave).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{RecordBatch, StringBuilder};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use rwt_query::{QueryError, message_value};
use rwt_sql::DataType;
use serde_json::{Map, Value as Json, json};

use super::diff::Delta;
use crate::catalog::{Column, DATABASE, MessageFormat, Messages};

/// The stored columns of a sink's messages. A message without a key is anybody's, one without a value says that the key
/// is gone.
pub(crate) fn messages_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", ArrowType::Utf8, true),
        Field::new("value", ArrowType::Utf8, true),
    ]))
}

/// The messages of what changed, for a sink with these columns.
pub(super) fn messages(
    columns: &[Column],
    how: &Messages,
    delta: &Delta,
) -> Result<RecordBatch, QueryError> {
    let writer = Writer {
        columns,
        how,
        now: chrono::Utc::now().timestamp_millis(),
    };
    let inserted = writer.rows(&delta.inserted)?;
    let mut out = Outgoing::default();
    match how.format {
        MessageFormat::Plain => {
            for row in &inserted {
                out.push(row.key.as_deref(), Some(&row.value()));
            }
        }
        MessageFormat::Upsert => {
            let there: HashSet<&str> = inserted.iter().filter_map(Row::key).collect();
            for row in writer.rows(&delta.deleted)? {
                if row.key().is_none_or(|key| !there.contains(key)) {
                    out.push(row.key(), None);
                }
            }
            for row in &inserted {
                out.push(row.key(), Some(&row.value()));
            }
        }
        MessageFormat::Debezium => {
            let envelope = Envelope::of(&writer);
            let deleted = writer.rows(&delta.deleted)?;
            let there: HashSet<&str> = inserted.iter().filter_map(Row::key).collect();
            let mut before = HashMap::new();
            for row in &deleted {
                match row.key().filter(|key| there.contains(key)) {
                    Some(key) => {
                        before.insert(key, row);
                    }
                    None => {
                        let key = envelope.key(row);
                        let event = envelope.event("d", Some(row), None);
                        out.push(Some(&key), Some(&event));
                        out.push(Some(&key), None);
                    }
                }
            }
            for row in &inserted {
                let old = row.key().and_then(|key| before.remove(key));
                let operation = if old.is_some() { "u" } else { "c" };
                let event = envelope.event(operation, old, Some(row));
                out.push(Some(&envelope.key(row)), Some(&event));
            }
        }
    }
    out.finish()
}

/// A row on its way into a message.
struct Row {
    /// Objects by column.
    fields: Json,
    key_fields: Json,
    key: Option<String>,
}

impl Row {
    fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    fn value(&self) -> String {
        self.fields.to_string()
    }
}

struct Writer<'a> {
    columns: &'a [Column],
    how: &'a Messages,
    /// Milliseconds since 1970.
    now: i64,
}

impl Writer<'_> {
    /// Rows of the input; columns that it gained since the sink was made are left out.
    fn rows(&self, batches: &[RecordBatch]) -> Result<Vec<Row>, QueryError> {
        let mut rows = Vec::new();
        for batch in batches {
            for at in 0..batch.num_rows() {
                let mut values = Vec::with_capacity(self.columns.len());
                for (column, array) in self.columns.iter().zip(batch.columns()) {
                    let mode = self.how.timestamptz;
                    values.push(message_value(array, at, &column.data_type, mode)?);
                }
                rows.push(self.row(values));
            }
        }
        Ok(rows)
    }

    fn row(&self, values: Vec<Json>) -> Row {
        let of_key = self.how.key.iter();
        let key_values: Map<String, Json> = of_key
            .filter_map(|at| {
                Some((
                    self.columns.get(*at)?.name.clone(),
                    values.get(*at)?.clone(),
                ))
            })
            .collect();
        let first = key_values.values().next().cloned();
        let key_fields = Json::Object(key_values);
        let key = match (first, self.how.text_key) {
            (None, _) => None,
            (Some(Json::String(text)), true) => Some(text),
            (Some(value), true) => Some(value.to_string()),
            (Some(_), false) => Some(key_fields.to_string()),
        };
        let names = self.columns.iter().map(|column| column.name.clone());
        Row {
            fields: Json::Object(names.zip(values).collect()),
            key_fields,
            key,
        }
    }

    fn name(&self, part: &str) -> String {
        format!("RisingWave.{DATABASE}.{}.{part}", self.how.from_name)
    }

    fn key_schema(&self) -> Json {
        let fields: Vec<Json> = (self.how.key.iter())
            .filter_map(|at| Some(field(self.columns.get(*at)?)))
            .collect();
        json!({
            "type": "struct",
            "fields": fields,
            "optional": false,
            "name": self.name("Key"),
        })
    }

    fn event_schema(&self) -> Json {
        let fields: Vec<Json> = self.columns.iter().map(field).collect();
        let side = |side: &str| json!({"type": "struct", "fields": fields, "optional": true, "field": side, "name": self.name("Key")});
        let plain = |kind: &str, name: &str, optional: bool| json!({"type": kind, "optional": optional, "field": name});
        json!({
            "type": "struct",
            "fields": [
                side("before"),
                side("after"),
                {
                    "type": "struct",
                    "optional": false,
                    "name": self.name("Source"),
                    "fields": [
                        plain("string", "db", false),
                        plain("string", "table", true),
                        plain("int64", "ts_ms", false),
                    ],
                    "field": "source",
                },
                plain("string", "op", false),
                plain("int64", "ts_ms", false),
            ],
            "optional": false,
            "name": self.name("Envelope"),
        })
    }
}

/// What Debezium's messages of a sink have in common, written once.
struct Envelope<'a> {
    writer: &'a Writer<'a>,
    key_schema: String,
    event_schema: String,
}

impl<'a> Envelope<'a> {
    fn of(writer: &'a Writer<'a>) -> Self {
        Self {
            writer,
            key_schema: writer.key_schema().to_string(),
            event_schema: writer.event_schema().to_string(),
        }
    }

    fn key(&self, row: &Row) -> String {
        enveloped(&self.key_schema, &row.key_fields)
    }

    fn event(&self, operation: &str, before: Option<&Row>, after: Option<&Row>) -> String {
        let Writer { how, now, .. } = self.writer;
        let payload = json!({
            "before": before.map(|row| &row.fields),
            "after": after.map(|row| &row.fields),
            "op": operation,
            "ts_ms": now,
            "source": {"db": DATABASE, "table": how.from_name, "ts_ms": now},
        });
        enveloped(&self.event_schema, &payload)
    }
}

fn enveloped(schema: &str, payload: &Json) -> String {
    format!(r#"{{"schema":{schema},"payload":{payload}}}"#)
}

/// A column as Kafka Connect describes it.
fn field(column: &Column) -> Json {
    let (kind, name) = match &column.data_type {
        DataType::Boolean => ("boolean", ""),
        DataType::SmallInt => ("int16", ""),
        DataType::Integer | DataType::Serial => ("int32", ""),
        DataType::BigInt => ("int64", ""),
        DataType::Real => ("float", ""),
        DataType::Double => ("double", ""),
        DataType::Date => ("int32", "org.apache.kafka.connect.data.Date"),
        DataType::Time => ("int64", "org.apache.kafka.connect.data.Time"),
        DataType::Timestamp => ("int64", "org.apache.kafka.connect.data.Timestamp"),
        DataType::Timestamptz => ("string", "io.debezium.time.ZonedTimestamp"),
        DataType::Interval => ("string", "io.debezium.time.Interval"),
        DataType::Bytea => ("bytes", ""),
        DataType::Jsonb => ("string", "io.debezium.data.Json"),
        _ => ("string", ""),
    };
    let mut field = json!({"field": column.name, "optional": true, "type": kind});
    if !name.is_empty() {
        field["name"] = json!(name);
    }
    field
}

#[derive(Default)]
struct Outgoing {
    keys: StringBuilder,
    values: StringBuilder,
}

impl Outgoing {
    fn push(&mut self, key: Option<&str>, value: Option<&str>) {
        self.keys.append_option(key);
        self.values.append_option(value);
    }

    fn finish(mut self) -> Result<RecordBatch, QueryError> {
        let columns: [arrow::array::ArrayRef; 2] =
            [Arc::new(self.keys.finish()), Arc::new(self.values.finish())];
        Ok(RecordBatch::try_new(messages_schema(), columns.into())?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringArray};

    use super::*;

    fn batch(rows: &[(i32, &str)]) -> Vec<RecordBatch> {
        let ids: Int32Array = rows.iter().map(|(id, _)| Some(*id)).collect();
        let names: StringArray = rows.iter().map(|(_, name)| Some(*name)).collect();
        let columns: [(&str, arrow::array::ArrayRef); 2] =
            [("id", Arc::new(ids)), ("name", Arc::new(names))];
        vec![RecordBatch::try_from_iter(columns).unwrap()]
    }

    fn written(
        format: MessageFormat,
        deleted: &[(i32, &str)],
        inserted: &[(i32, &str)],
    ) -> Vec<(Option<Json>, Option<Json>)> {
        let columns = [
            Column::new("id".to_owned(), DataType::Integer),
            Column::new("name".to_owned(), DataType::Varchar),
        ];
        let how = Messages {
            format,
            key: match format {
                MessageFormat::Plain => Vec::new(),
                _ => vec![0],
            },
            text_key: false,
            timestamptz: rwt_query::TimestamptzMode::default(),
            from_name: "users".to_owned(),
        };
        let delta = Delta {
            inserted: batch(inserted),
            deleted: batch(deleted),
        };
        let messages = messages(&columns, &how, &delta).unwrap();
        let column = |at: usize| {
            let texts = messages.column(at).as_any();
            let texts = texts.downcast_ref::<StringArray>().unwrap();
            let parsed = texts.iter();
            parsed
                .map(|text| text.map(|text| serde_json::from_str(text).unwrap()))
                .collect::<Vec<Option<Json>>>()
        };
        column(0).into_iter().zip(column(1)).collect()
    }

    #[test]
    fn plain_messages_are_rows() {
        let messages = written(MessageFormat::Plain, &[], &[(1, "a")]);
        assert_eq!(messages, [(None, Some(json!({"id": 1, "name": "a"})))]);
    }

    #[test]
    fn a_key_that_goes_and_comes_is_one_message() {
        let messages = written(
            MessageFormat::Upsert,
            &[(1, "a"), (2, "b")],
            &[(1, "c"), (3, "d")],
        );
        assert_eq!(
            messages,
            [
                (Some(json!({"id": 2})), None),
                (Some(json!({"id": 1})), Some(json!({"id": 1, "name": "c"}))),
                (Some(json!({"id": 3})), Some(json!({"id": 3, "name": "d"}))),
            ]
        );
    }

    #[test]
    fn debezium_says_what_was_before() {
        let messages = written(
            MessageFormat::Debezium,
            &[(1, "a"), (2, "b")],
            &[(1, "c"), (3, "d")],
        );
        let seen: Vec<Json> = messages
            .iter()
            .map(|(key, value)| {
                let value = value.as_ref().map(|value| &value["payload"]);
                json!([
                    key.as_ref().map(|key| &key["payload"]["id"]),
                    value.map(|payload| [&payload["op"], &payload["before"], &payload["after"]])
                ])
            })
            .collect();
        assert_eq!(
            seen,
            [
                json!([2, ["d", {"id": 2, "name": "b"}, null]]),
                json!([2, null]),
                json!([1, ["u", {"id": 1, "name": "a"}, {"id": 1, "name": "c"}]]),
                json!([3, ["c", null, {"id": 3, "name": "d"}]]),
            ]
        );
        let schema = &messages[3].1.as_ref().unwrap()["schema"];
        assert_eq!(schema["name"], "RisingWave.dev.users.Envelope");
        assert_eq!(schema["fields"][0]["fields"][0]["type"], "int32");
    }
}
