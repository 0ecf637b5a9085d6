//! CREATE SOURCE, and what tables with a connector share with it: options, formats, INCLUDE columns.

use std::sync::Arc;

use rwt_sql::DataType;
use rwt_sql::statement::{CreateSource, Format, Include, OptionValue, Options};
use rwt_wire::{Outcome, SqlError};

use super::create::{check_names, checked_columns, columns_text};
use super::message_schema::avro_of;
use super::{Session, not_implemented};
use crate::catalog::{
    Body, Column, Definition, Kind, Object, Origin, Source, format_text, invalid_input,
    options_text,
};
use crate::engine::{Altering, internal};
use crate::storage::{Change, SourceProgress};
use crate::stream::{Datagen, Decoder, KafkaOptions};

impl Session {
    pub(super) async fn create_source(
        &mut self,
        create: CreateSource,
    ) -> Result<Outcome, SqlError> {
        if self.skip_existing(Kind::Source, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done("CREATE_SOURCE"));
        }
        let mut columns = checked_columns(&create.columns.columns)?;
        if columns.iter().any(|c| c.generated.is_some()) {
            return Err(not_implemented(
                "generated columns of a source in the embedded engine",
            ));
        }
        if columns.iter().any(|c| c.not_null) {
            return Err(invalid_input(
                "NOT NULL constraint is not supported in source schema",
            ));
        }
        let with = self.opened(&create.with);
        let connector = connector_of(&with)?;
        if !create.columns.primary_key.is_empty() {
            return Err(invalid_input(
                "Source does not support PRIMARY KEY constraint, please use \"CREATE TABLE\" instead",
            ));
        }
        let avro = avro_of(create.format.as_ref(), &mut columns).await?;
        let secrets = self.secrets_of(&create.with)?;
        let format = create.format.as_ref();
        let mut stream = stream_of(connector, &with, format, "SOURCE", &columns)?;
        stream.options = option_pairs(&create.with)?;
        stream.avro = avro;
        stream.secrets = secrets;
        let source = with_includes(stream, &mut columns, &create.include)?;
        let watermark = self.watermark(&create.columns, &columns, true).await?;
        let source = Source {
            watermark,
            ..source
        };
        let progress = self.check_source(&source, &columns, "CreateSource").await?;
        let definition = source_definition(&create, &columns);
        let depends_on = source.secrets.iter().map(|(_, id)| *id).collect();
        let (name, path, owner) = (create.name.clone(), self.path(), self.user_id());
        let id = self
            .inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                let body = Body::Source(source);
                let object = altering
                    .catalog
                    .draft(&name, &path, owner, definition, body)?;
                let id = object.id;
                let object = Object {
                    columns,
                    depends_on,
                    ..object
                };
                altering.catalog.objects.insert(id, object);
                altering.set_catalog()?;
                altering.apply(Change::Create(id))?;
                altering.apply(Change::Source(id, Arc::new(progress)))?;
                Ok(id)
            })
            .await?;
        self.start_source(id);
        Ok(Outcome::done("CREATE_SOURCE"))
    }

    /// Asks the broker for the topic; nothing is created when it does not answer (`golden/facts.md` 3).
    pub(super) async fn check_source(
        &self,
        source: &Source,
        columns: &[Column],
        call: &str,
    ) -> Result<SourceProgress, SqlError> {
        let failed = |causes: Vec<String>| {
            let head = format!(
                "gRPC request to meta service (call `/ddl_service.DdlService/{call}`) failed: Internal error"
            );
            causes.into_iter().fold(
                SqlError::internal(head).because("failed to create source worker"),
                SqlError::because,
            )
        };
        let source = &self.inner.catalog().opened_source(source);
        let query_columns: Vec<_> = columns.iter().map(crate::reading::query_column).collect();
        Decoder::new(columns, source, rwt_query::schema(&query_columns))
            .map_err(not_implemented)?;
        if source.connector == "datagen" {
            Datagen::new(source, columns).map_err(failed)?;
            return Ok(SourceProgress::default());
        }
        let options = KafkaOptions::new(source).map_err(failed)?;
        tokio::task::spawn_blocking(move || options.check())
            .await
            .map_err(internal)?
            .map_err(failed)
    }
}

/// The options as text, without those whose values are secrets.
pub(super) fn option_pairs(options: &Options) -> Result<Vec<(String, String)>, SqlError> {
    options
        .0
        .iter()
        .filter_map(|(key, value)| match value {
            OptionValue::Text(text) | OptionValue::Bare(text) => {
                Some(Ok((key.clone(), text.clone())))
            }
            OptionValue::Secret(_) => None,
            OptionValue::SecretFile(_) => Some(Err(not_implemented(format!(
                "a secret as the file of {key} in the embedded engine"
            )))),
            OptionValue::Variable(name) => Some(Err(SqlError::internal(format!(
                "sql parser error: expected a value, found: {name}"
            )))),
        })
        .collect()
}

/// The connector, if it is one of those that read messages here.
pub(super) fn connector_of(with: &Options) -> Result<String, SqlError> {
    let connector = with
        .text("connector")
        .ok_or_else(|| SqlError::internal("Protocol error: missing field 'connector'"))?
        .to_lowercase();
    if matches!(connector.as_str(), "kafka" | "datagen") {
        return Ok(connector);
    }
    if !OTHER_CONNECTORS.contains(&connector.as_str()) {
        let mut accepted = vec!["kafka", "datagen"];
        accepted.extend(OTHER_CONNECTORS);
        return Err(SqlError::internal(format!(
            "Protocol error: connector {connector:?} is not supported, accept {accepted:?}"
        )));
    }
    Err(not_implemented(format!(
        "the source connector '{connector}' in the embedded engine"
    )))
}

/// RisingWave's connectors that this engine does not have.
const OTHER_CONNECTORS: [&str; 20] = [
    "pulsar",
    "kinesis",
    "google_pubsub",
    "nexmark",
    "nats",
    "mqtt",
    "s3",
    "gcs",
    "azblob",
    "posix_fs",
    "batch_posix_fs",
    "iceberg",
    "adbc_snowflake",
    "webhook",
    "mysql-cdc",
    "postgres-cdc",
    "citus-cdc",
    "sqlserver-cdc",
    "mongodb-cdc",
    "oracle-cdc",
];

/// What a connector reads, by RisingWave's names of formats and encodings; an error in its words for the rest.
fn check_format(connector: &str, format: &Format) -> Result<(), SqlError> {
    let encodes: &[&str] = match (connector, format.format.as_str()) {
        ("kafka", "PLAIN") => &["JSON", "PROTOBUF", "AVRO", "BYTES", "CSV"],
        ("kafka", "UPSERT") => &["JSON", "AVRO", "PROTOBUF"],
        ("kafka", "DEBEZIUM") => &["JSON", "AVRO"],
        ("kafka", "MAXWELL" | "CANAL" | "DEBEZIUM_MONGO") => &["JSON"],
        ("datagen", "NATIVE") => &["NATIVE"],
        ("datagen", "PLAIN") => &["BYTES", "JSON"],
        _ => &[],
    };
    let words = |name: &str| -> String {
        let parts = name.split('_').map(|part| {
            let (first, rest) = part.split_at(1.min(part.len()));
            format!("{first}{}", rest.to_lowercase())
        });
        parts.collect()
    };
    if encodes.contains(&format.encode.as_str()) {
        return Ok(());
    }
    let with_encode = match encodes {
        [] => String::new(),
        _ => format!(" with encode {}", words(&format.encode)),
    };
    Err(SqlError::internal(format!(
        "Protocol error: connector {connector} does not support format {}{with_encode}",
        words(&format.format)
    )))
}

/// The stream that WITH and FORMAT describe.
pub(super) fn stream_of(
    connector: String,
    with: &Options,
    format: Option<&Format>,
    what: &str,
    columns: &[Column],
) -> Result<Source, SqlError> {
    let format = format.ok_or_else(|| {
        SqlError::internal(
            "sql parser error: expected description of the format, found: end of statement",
        )
    })?;
    check_format(&connector, format)?;
    let has_schema = ["schema.registry", "schema.location"]
        .iter()
        .any(|key| format.options.get(key).is_some());
    match (format.format.as_str(), format.encode.as_str()) {
        ("DEBEZIUM" | "UPSERT" | "MAXWELL" | "CANAL" | "DEBEZIUM_MONGO", _)
            if what == "SOURCE" && format.format != "UPSERT" =>
        {
            return Err(SqlError::internal(format!(
                "Bind error: can't CREATE SOURCE with FORMAT {}.\n\nHint: use CREATE TABLE instead",
                format.format
            )));
        }
        ("PLAIN" | "UPSERT", "AVRO") if format.options.get("schema.registry").is_some() => {
            return Err(not_implemented(
                "a schema registry in the embedded engine; schema.location reads a schema from a file or by http",
            ));
        }
        ("PLAIN", "AVRO") if format.options.get("schema.location").is_some() => {}
        ("UPSERT", "AVRO")
            if format.options.get("schema.location").is_some() && what == "TABLE" => {}
        ("PLAIN" | "UPSERT", "AVRO") | ("PLAIN", "PROTOBUF") => {
            return Err(SqlError::internal(
                "Protocol error: missing either a schema location or a schema registry",
            ));
        }
        (_, "JSON") if has_schema => {
            return Err(not_implemented(
                "a schema of JSON messages in the embedded engine; name the columns instead of schema.registry",
            ));
        }
        ("PLAIN", "JSON") => {}
        ("NATIVE", "NATIVE") if connector == "datagen" => {}
        ("PLAIN", "BYTES") => {
            if columns.len() != 1 {
                return Err(SqlError::internal(
                    "Protocol error: ENCODE BYTES only accepts one column",
                ));
            }
            if columns[0].data_type != DataType::Bytea {
                return Err(SqlError::internal(
                    "Protocol error: ENCODE BYTES only accepts BYTEA type",
                ));
            }
        }
        ("PLAIN", "CSV") => {
            let bare = format.options.text("without_header");
            if !bare.is_some_and(|v| v.eq_ignore_ascii_case("true")) {
                return Err(SqlError::internal(
                    "Protocol error: CSV HEADER is not supported when creating table with Kafka connector",
                ));
            }
        }
        ("UPSERT" | "DEBEZIUM", "JSON") if what == "TABLE" => {}
        (format, encode) => {
            return Err(not_implemented(format!(
                "FORMAT {format} ENCODE {encode} in the embedded engine"
            )));
        }
    }
    if columns.is_empty() {
        return Err(SqlError::internal(
            "Protocol error: Schema definition is required, either from SQL or schema registry.",
        ));
    }
    Ok(Source {
        connector,
        options: option_pairs(with)?,
        secrets: Vec::new(),
        format: format.format.clone(),
        encode: format.encode.clone(),
        origins: Vec::new(),
        delimiter: match format.options.text("delimiter") {
            None => ',',
            Some("\\t" | "tab") => '\t',
            Some(text) => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) if c.is_ascii() => c,
                    _ => {
                        return Err(SqlError::internal(format!(
                            "Protocol error: The delimiter should be a char: {text}"
                        )));
                    }
                }
            }
        },
        watermark: None,
        avro: None,
    })
}

/// Adds INCLUDE columns and the hidden ones of Kafka, and says where each column comes from.
pub(super) fn with_includes(
    mut source: Source,
    columns: &mut Vec<Column>,
    include: &[Include],
) -> Result<Source, SqlError> {
    source.origins = columns
        .iter()
        .map(|c| {
            if c.generated.is_some() {
                Origin::Generated
            } else {
                Origin::Field
            }
        })
        .collect();
    for item in include {
        let (origin, data_type) = included(&source.connector, item)?;
        let name = match &item.alias {
            Some(alias) => alias.value().to_owned(),
            None => included_name(&source.connector, item),
        };
        columns.push(Column::new(name, data_type));
        source.origins.push(origin);
    }
    let hidden = if source.connector == "kafka" { 2 } else { 0 };
    for (origin, name, data_type) in [
        (
            Origin::Timestamp,
            "_rw_kafka_timestamp",
            DataType::Timestamptz,
        ),
        (Origin::Partition, "_rw_kafka_partition", DataType::Varchar),
    ]
    .into_iter()
    .take(hidden)
    {
        if !columns.iter().any(|c| c.name == name) {
            columns.push(Column::hidden(name, data_type));
            source.origins.push(origin);
        }
    }
    check_names(columns.iter().map(|c| c.name.as_str()))?;
    Ok(source)
}

/// Where an INCLUDE column comes from, and its type.
fn included(connector: &str, item: &Include) -> Result<(Origin, DataType), SqlError> {
    if connector != "kafka" {
        return Err(SqlError::internal(format!(
            "Protocol error: additional column is not supported for connector {connector}, acceptable connectors: [\"kafka\"]"
        )));
    }
    if let (Some(field), false) = (&item.field, item.what == "header") {
        return Err(SqlError::internal(format!(
            "Protocol error: Only header column supports inner field, but got {} with inner field {field:?}",
            item.what
        )));
    }
    Ok(match (item.what.as_str(), &item.field) {
        ("key", _) => (Origin::Key, DataType::Bytea),
        ("offset", _) => (Origin::Offset, DataType::Varchar),
        ("partition", _) => (Origin::Partition, DataType::Varchar),
        ("timestamp", _) => (Origin::Timestamp, DataType::Timestamptz),
        ("payload", _) => (Origin::Payload, DataType::Jsonb),
        ("header", None) => {
            let pair = vec![
                ("key".to_owned(), DataType::Varchar),
                ("value".to_owned(), DataType::Bytea),
            ];
            let pairs = DataType::List(Box::new(DataType::Struct(pair)));
            (Origin::Headers, pairs)
        }
        ("header", Some(name)) => {
            let data_type = item.data_type.clone().unwrap_or(DataType::Bytea);
            if !matches!(data_type, DataType::Bytea | DataType::Varchar) {
                return Err(not_implemented(format!(
                    "INCLUDE header '{name}' as {data_type} in the embedded engine; bytea and varchar are"
                )));
            }
            (Origin::Header(name.clone()), data_type)
        }
        (other, _) => {
            return Err(SqlError::internal(format!(
                "Protocol error: additional column type {other} is not supported for connector {connector}, acceptable column types: \
                 [\"key\", \"timestamp\", \"partition\", \"offset\", \"header\", \"payload\"]"
            )));
        }
    })
}

/// `_rw_kafka_header_<field>_<type>`, as far as they are given.
fn included_name(connector: &str, item: &Include) -> String {
    let data_type = item.data_type.as_ref().map(|data_type| match data_type {
        DataType::Varchar => "varchar".to_owned(),
        other => other.to_string(),
    });
    let parts = [item.field.clone(), data_type].into_iter().flatten();
    parts.fold(format!("_rw_{connector}_{}", item.what), |name, part| {
        format!("{name}_{part}")
    })
}

pub(super) fn include_text(include: &[Include]) -> String {
    let mut text = String::new();
    for item in include {
        text.push_str(&format!(" INCLUDE {}", item.what));
        if let Some(field) = &item.field {
            text.push_str(&format!(" '{}'", field.replace('\'', "''")));
        }
        if let Some(data_type) = &item.data_type {
            text.push_str(&format!(" {data_type}"));
        }
        if let Some(alias) = &item.alias {
            text.push_str(&format!(" AS {alias}"));
        }
    }
    text
}

fn source_definition(create: &CreateSource, columns: &[Column]) -> Definition {
    let mut text = columns_text(&create.columns, columns);
    text.push_str(&include_text(&create.include));
    text.push_str(&options_text(&create.with));
    text.push_str(&format_text(create.format.as_ref()));
    Definition::new("CREATE SOURCE", &create.name).text(text)
}
