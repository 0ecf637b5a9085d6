//! CREATE TABLE and CREATE SOURCE.

use std::collections::HashSet;
use std::sync::Arc;

use rwt_sql::statement::{
    ColumnDef, Columns, CreateSource, CreateTable, Format, Include, OptionValue, Options,
};
use rwt_sql::{DataType, Ident, ObjectName};
use rwt_wire::{Outcome, SqlError};

use super::{Session, not_implemented};
use crate::catalog::{
    Body, Column, Definition, Kind, LakeTable, Object, ObjectId, OnConflict, Origin, Source, Table,
    format_text, ident, invalid_input, options_text, type_name,
};
use crate::engine::{Altering, internal};
use crate::storage::{Change, LakeProgress, SourceProgress, stored_schema};
use crate::stream::{Decoder, KafkaOptions};

/// Checkpoints between two commits of a lake table that does not say its own (`golden/facts.md` 17).
const COMMIT_INTERVAL: u64 = 60;

impl Session {
    /// True, with a notice, if IF NOT EXISTS finds something of this name; an error if that was not said.
    pub(super) fn skip_existing(
        &mut self,
        kind: Kind,
        name: &ObjectName,
        if_not_exists: bool,
    ) -> Result<bool, SqlError> {
        let catalog = self.inner.catalog();
        let schema = catalog.target_schema(name, &self.path())?;
        match catalog.check_free(schema, kind, name.name()) {
            Ok(()) => Ok(false),
            Err(_) if if_not_exists => {
                self.notice(format!(
                    "relation \"{}\" already exists, skipping",
                    name.name()
                ));
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn create_table(&mut self, create: CreateTable) -> Result<Outcome, SqlError> {
        if let Some(what) = unsupported_table(&create) {
            return Err(not_implemented(what));
        }
        if self.skip_existing(Kind::Table, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done("CREATE_TABLE"));
        }
        let has_connector = create.with.get("connector").is_some();
        if create.with.get("retention_seconds").is_some() && !create.append_only {
            return Err(SqlError::internal(
                "Not supported: Defining retention seconds on table requires the table to be append only.\nHINT: Use the key words `APPEND ONLY`",
            ));
        }
        let (mut columns, rows) = match &create.query {
            Some(query) => self.table_of_query(&create.columns, query).await?,
            None => (checked_columns(&create.columns.columns)?, None),
        };
        let key = key_positions(&create.columns, &columns)?;
        let mut source = None;
        if has_connector {
            let stream = stream_of(&create.with, create.format.as_ref(), "TABLE", &columns)?;
            source = Some(with_includes(stream, &mut columns, &create.include)?);
        }
        self.check_expressions(&columns).await?;
        let watermark = self.watermark(&create.columns, &columns).await?;
        let lake = match create.engine.as_deref() {
            Some("iceberg") => Some(self.lake_table(&create)?),
            None | Some("hummock") => None,
            Some(other) => {
                return Err(SqlError::internal(format!(
                    "sql parser error: unknown engine {other}"
                )));
            }
        };
        let table = Table {
            key,
            append_only: create.append_only,
            on_conflict: match create.on_conflict.as_deref() {
                Some("DO NOTHING" | "IGNORE") => OnConflict::Ignore,
                Some("DO UPDATE IF NOT NULL") => OnConflict::UpdateIfNotNull,
                _ => OnConflict::Overwrite,
            },
            source: source.clone(),
            lake,
            watermark,
        };
        let progress = match &source {
            Some(source) => Some(self.check_source(source, &columns, "CreateTable").await?),
            None => None,
        };
        let definition = table_definition(&create, &columns);
        let count = rows
            .as_ref()
            .map(|r| r.iter().map(|b| b.num_rows()).sum::<usize>());
        let (name, path, owner) = (create.name.clone(), self.path(), self.user_id());
        let id = self
            .inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                let schema = altering.catalog.target_schema(&name, &path)?;
                altering
                    .catalog
                    .check_free(schema, Kind::Table, name.name())?;
                let id = altering.catalog.take_id();
                let object = Object {
                    id,
                    schema,
                    name: name.name().to_owned(),
                    owner,
                    definition,
                    columns,
                    depends_on: Vec::new(),
                    created_at: super::now_micros(),
                    comment: None,
                    part_of: None,
                    body: Body::Table(table),
                };
                add_table(
                    altering,
                    object,
                    progress,
                    rows.as_deref().unwrap_or_default(),
                )
                .await?;
                Ok(id)
            })
            .await?;
        self.start_source(id);
        Ok(Outcome::done(match count {
            Some(count) => format!("INSERT 0 {count}"),
            None => "CREATE_TABLE".into(),
        }))
    }

    fn start_source(&self, id: ObjectId) {
        if let Some(object) = self.inner.catalog().get(id)
            && object.source().is_some()
        {
            self.inner.start_source(object);
        }
    }

    /// The columns and rows of CREATE TABLE AS.
    async fn table_of_query(
        &mut self,
        written: &Columns,
        query: &str,
    ) -> Result<(Vec<Column>, Option<Vec<arrow::array::RecordBatch>>), SqlError> {
        let (shape, rows) = self.select_all(query).await?;
        if !written.columns.is_empty() && written.columns.len() != shape.len() {
            return Err(SqlError::internal(
                "Bind error: The number of columns in the table definition does not match the number of columns in the query",
            ));
        }
        let names: Vec<String> = if written.columns.is_empty() {
            shape.iter().map(|c| c.name.clone()).collect()
        } else {
            written
                .columns
                .iter()
                .map(|c| c.name.value().to_owned())
                .collect()
        };
        let columns: Vec<Column> = names
            .into_iter()
            .zip(shape)
            .map(|(name, c)| Column::new(name, c.data_type))
            .collect();
        check_names(columns.iter().map(|c| c.name.as_str()))?;
        let types: Vec<_> = columns
            .iter()
            .map(|c| rwt_query::arrow_type(&c.data_type))
            .collect();
        let rows = rows
            .iter()
            .map(|batch| super::dml::cast_rows(batch, &types))
            .collect::<Result<Vec<_>, _>>()
            .map_err(internal)?;
        Ok((columns, Some(rows)))
    }

    /// DEFAULT and generated columns have to be expressions of the column's type.
    async fn check_expressions(&mut self, columns: &[Column]) -> Result<(), SqlError> {
        for column in columns {
            if let Some(default) = &column.default {
                let sql = format!("SELECT ({default})::{}", column.data_type);
                match self.select_all(&sql).await {
                    Ok(_) => {}
                    Err(error) if error.root_cause().contains("Invalid column") => {
                        return Err(SqlError::internal(format!(
                            "Bind error: Default expression used in column `{}` cannot be evaluated. Use generated columns instead if you mean to reference another column.",
                            column.name
                        )));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if columns.iter().any(|c| c.generated.is_some()) {
            let empty = rwt_query::schema(
                &columns
                    .iter()
                    .map(crate::reading::query_column)
                    .collect::<Vec<_>>(),
            );
            super::dml::generate(self, columns, &arrow::array::RecordBatch::new_empty(empty))
                .await?;
        }
        Ok(())
    }

    async fn watermark(
        &mut self,
        written: &Columns,
        columns: &[Column],
    ) -> Result<Option<(usize, String)>, SqlError> {
        let Some(watermark) = written.watermarks.first() else {
            return Ok(None);
        };
        let position = columns
            .iter()
            .position(|c| c.name == watermark.column.value())
            .ok_or_else(|| {
                SqlError::internal(format!(
                    "Item not found: Invalid column: {}",
                    watermark.column.value()
                ))
            })?;
        Ok(Some((position, watermark.expr.clone())))
    }

    /// Checks what `ENGINE = iceberg` needs.
    fn lake_table(&self, create: &CreateTable) -> Result<LakeTable, SqlError> {
        if self.settings.get("sink_decouple")? == "disable" {
            return Err(SqlError::internal(
                "Iceberg engine table only supports with sink decouple, try `set sink_decouple = true` to resolve it",
            ));
        }
        let connection = self.settings.get("iceberg_engine_connection")?;
        if connection.is_empty() {
            return Err(SqlError::internal(
                "to use iceberg engine table, the variable `iceberg_engine_connection` must be set.",
            ));
        }
        let commit_interval = match create.with.text("commit_checkpoint_interval") {
            None => COMMIT_INTERVAL,
            Some(text) => match text.parse() {
                Ok(0) => {
                    return Err(invalid_input(
                        "commit_checkpoint_interval must be greater than 0",
                    ));
                }
                Ok(interval) => interval,
                Err(_) => {
                    return Err(invalid_input(
                        "commit_checkpoint_interval must be a positive integer",
                    ));
                }
            },
        };
        let catalog = self.inner.catalog();
        let schema = catalog.target_schema(&create.name, &self.path())?;
        Ok(LakeTable {
            connection: super::connection::find(&catalog, &connection)?,
            commit_interval,
            namespace: catalog.schema_name(schema).to_owned(),
            table: create.name.name().to_owned(),
        })
    }

    pub(super) async fn create_source(
        &mut self,
        create: CreateSource,
    ) -> Result<Outcome, SqlError> {
        if self.skip_existing(Kind::Source, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done("CREATE_SOURCE"));
        }
        if !create.columns.watermarks.is_empty() {
            return Err(not_implemented(
                "WATERMARK of a source in the embedded engine",
            ));
        }
        let mut columns = checked_columns(&create.columns.columns)?;
        if columns.iter().any(|c| c.generated.is_some()) {
            return Err(not_implemented(
                "generated columns of a source in the embedded engine",
            ));
        }
        let stream = stream_of(&create.with, create.format.as_ref(), "SOURCE", &columns)?;
        let source = with_includes(stream, &mut columns, &create.include)?;
        let progress = self.check_source(&source, &columns, "CreateSource").await?;
        let definition = source_definition(&create, &columns);
        let (name, path, owner) = (create.name.clone(), self.path(), self.user_id());
        let id = self
            .inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                let schema = altering.catalog.target_schema(&name, &path)?;
                altering
                    .catalog
                    .check_free(schema, Kind::Source, name.name())?;
                let id = altering.catalog.take_id();
                let object = Object {
                    id,
                    schema,
                    name: name.name().to_owned(),
                    owner,
                    definition,
                    columns,
                    depends_on: Vec::new(),
                    created_at: super::now_micros(),
                    comment: None,
                    part_of: None,
                    body: Body::Source(source),
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
    async fn check_source(
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
        let query_columns: Vec<_> = columns.iter().map(crate::reading::query_column).collect();
        Decoder::new(columns, &source.origins, rwt_query::schema(&query_columns))
            .map_err(not_implemented)?;
        let options = KafkaOptions::new(source).map_err(failed)?;
        tokio::task::spawn_blocking(move || options.check())
            .await
            .map_err(internal)?
            .map_err(failed)
    }
}

/// Adds a table with its storage and, for a lake table, its place in the lake and its hidden sink and source.
async fn add_table(
    altering: &mut Altering<'_>,
    object: Object,
    progress: Option<SourceProgress>,
    rows: &[arrow::array::RecordBatch],
) -> Result<(), SqlError> {
    let id = object.id;
    let adopted = match object.lake() {
        Some(_) => adopt(altering, &object).await?,
        None => None,
    };
    if let Some(lake) = object.lake() {
        let (sink, source) = lake_parts(altering, &object, lake);
        altering.catalog.objects.insert(sink.id, sink);
        altering.catalog.objects.insert(source.id, source);
        let place = (lake.namespace.clone(), lake.table.clone());
        altering.catalog.lake_drops.retain(|d| *d != place);
    }
    let (is_lake, keyed, schema) = (
        object.lake().is_some(),
        object.table().is_some_and(|t| !t.key.is_empty()),
        stored_schema(&object),
    );
    altering.catalog.objects.insert(id, object);
    altering.set_catalog()?;
    altering.apply(Change::Create(id))?;
    if is_lake {
        let adopted = adopted.unwrap_or_default();
        let count: usize = adopted.rows.iter().map(|(_, b)| b.num_rows()).sum();
        let lake = LakeProgress {
            committed_rows: count as u64,
            committed_before: adopted.next,
            full: keyed,
            ..LakeProgress::default()
        };
        altering.apply(Change::Lake(id, Arc::new(lake), None))?;
        let mut loaded = arrow::array::RecordBatch::new_empty(schema);
        let mut ids = arrow::array::Int64Array::from(Vec::<i64>::new());
        if keyed {
            for (row_ids, batch) in adopted.rows {
                altering.apply(Change::Load(id, row_ids, batch, adopted.next))?;
            }
            (loaded, ids) = (loaded.slice(0, 0), ids.slice(0, 0));
        }
        altering.apply(Change::Load(id, ids, loaded, adopted.next))?;
    }
    if let Some(progress) = progress {
        altering.apply(Change::Source(id, Arc::new(progress)))?;
    }
    if !rows.is_empty() {
        altering.insert(id, rows)?;
    }
    Ok(())
}

/// The rows of a lake table that was there before.
#[derive(Default)]
struct Adopted {
    rows: Vec<(arrow::array::Int64Array, arrow::array::RecordBatch)>,
    next: i64,
}

/// Makes the table in the lake, or takes over the one that is there with the same columns (`golden/facts.md` 19).
async fn adopt(altering: &Altering<'_>, object: &Object) -> Result<Option<Adopted>, SqlError> {
    let Some(place) = object.lake() else {
        return Ok(None);
    };
    let lake = &altering.staged.inner.lake;
    let schema = crate::stream::lake::lake_schema(object);
    let (namespace, name) = (&place.namespace, &place.table);
    let dropped = altering
        .catalog
        .lake_drops
        .iter()
        .any(|(n, t)| n == namespace && t == name);
    let exists = lake.table_exists(namespace, name).await.map_err(internal)?;
    if exists && dropped {
        lake.drop_table(namespace, name).await.map_err(internal)?;
    }
    if !exists || dropped {
        lake.create_table(namespace, name, &schema)
            .await
            .map_err(internal)?;
        return Ok(None);
    }
    let there = lake.schema(namespace, name).await.map_err(internal)?;
    if there.fields().len() != schema.fields().len() {
        return Err(SqlError::internal(format!(
            "Schema length mismatch, risingwave is {}, and iceberg is {}",
            schema.fields().len(),
            there.fields().len()
        )));
    }
    for (ours, theirs) in schema.fields().iter().zip(there.fields()) {
        if ours.name() != theirs.name() || ours.data_type() != theirs.data_type() {
            return Err(SqlError::internal(format!(
                "Field {} mismatch, risingwave is {}, and iceberg has {} of type {}",
                ours.name(),
                ours.data_type(),
                theirs.name(),
                theirs.data_type()
            )));
        }
    }
    let scan = lake.scan(namespace, name).await.map_err(internal)?;
    let mut adopted = Adopted::default();
    for batch in scan.batches.iter() {
        let (ids, rows) = crate::stream::lake::split_ids(object, batch).map_err(internal)?;
        let count = i64::try_from(rows.num_rows()).unwrap_or(i64::MAX);
        let ids = ids.unwrap_or_else(|| {
            arrow::array::Int64Array::from_iter_values(adopted.next..adopted.next + count)
        });
        let highest = ids.iter().flatten().max().map_or(adopted.next, |m| m + 1);
        adopted.next = adopted.next.max(highest);
        adopted.rows.push((ids, rows));
    }
    Ok(Some(adopted))
}

/// The hidden sink and source that RisingWave makes with a lake table (`golden/facts.md` 14).
fn lake_parts(altering: &mut Altering<'_>, table: &Object, lake: &LakeTable) -> (Object, Object) {
    let mut part = |prefix: &str, head: &str, body: Body| {
        let name = format!("{prefix}{}", table.name);
        Object {
            id: altering.catalog.take_id(),
            definition: Definition::new(head, &ObjectName(vec![Ident::new(&name)])),
            name,
            schema: table.schema,
            owner: table.owner,
            columns: table.columns.clone(),
            depends_on: vec![table.id, lake.connection],
            created_at: table.created_at,
            comment: None,
            part_of: Some(table.id),
            body,
        }
    };
    let sink = part(
        "__iceberg_sink_",
        "CREATE SINK",
        Body::Sink(crate::catalog::Sink {
            from: crate::catalog::SinkFrom::Relation(table.id),
            into: None,
            connector: "ICEBERG".into(),
            mode: crate::catalog::SinkMode::Upsert,
            options: Vec::new(),
        }),
    );
    let source = part(
        "__iceberg_source_",
        "CREATE SOURCE",
        Body::Source(Source {
            connector: "iceberg".into(),
            options: Vec::new(),
            format: "NONE".into(),
            encode: "NONE".into(),
            origins: Vec::new(),
        }),
    );
    (sink, source)
}

fn unsupported_table(create: &CreateTable) -> Option<&'static str> {
    if create.cdc.is_some() {
        return Some("CREATE TABLE FROM a CDC source in the embedded engine");
    }
    if create.validate.is_some() {
        return Some("CREATE TABLE with a webhook in the embedded engine");
    }
    if !create.version_columns.is_empty() {
        return Some("CREATE TABLE WITH VERSION COLUMN in the embedded engine");
    }
    if create.columns.wildcard {
        return Some("CREATE TABLE with columns from a schema registry in the embedded engine");
    }
    if create.engine.as_deref() == Some("iceberg") && create.with.get("connector").is_some() {
        return Some("CREATE TABLE with a connector and ENGINE = iceberg in the embedded engine");
    }
    None
}

/// The columns of a definition, their names and types checked.
fn checked_columns(defs: &[ColumnDef]) -> Result<Vec<Column>, SqlError> {
    check_names(defs.iter().map(|d| d.name.value()))?;
    defs.iter()
        .map(|def| {
            let data_type = def.data_type.clone().ok_or_else(|| {
                SqlError::internal(format!(
                    "Bind error: the type of column \"{}\" must be specified",
                    def.name.value()
                ))
            })?;
            Ok(Column {
                not_null: def.not_null,
                default: def.default.clone(),
                generated: def.generated.clone(),
                ..Column::new(def.name.value(), data_type)
            })
        })
        .collect()
}

pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), SqlError> {
    let mut seen = HashSet::new();
    for name in names {
        if name.starts_with("_row_id") {
            return Err(SqlError::internal(
                "internal error: column name prefixed with \"_row_id\" are reserved word.",
            ));
        }
        if !seen.insert(name) {
            return Err(invalid_input(format!(
                "column \"{name}\" specified more than once"
            )));
        }
    }
    Ok(())
}

fn key_positions(written: &Columns, columns: &[Column]) -> Result<Vec<usize>, SqlError> {
    if written.columns.iter().filter(|c| c.primary_key).count() > 1 {
        return Err(SqlError::internal(
            "Bind error: multiple primary keys are not allowed",
        ));
    }
    written
        .primary_key
        .iter()
        .map(|name| {
            columns
                .iter()
                .position(|c| c.name == name.value())
                .ok_or_else(|| {
                    SqlError::internal(format!(
                        "Bind error: column \"{}\" named in key does not exist",
                        name.value()
                    ))
                })
        })
        .collect()
}

/// The options as text; a secret is a reference.
pub(super) fn option_pairs(options: &Options) -> Result<Vec<(String, String)>, SqlError> {
    options
        .0
        .iter()
        .map(|(key, value)| match value {
            OptionValue::Text(text) | OptionValue::Bare(text) => Ok((key.clone(), text.clone())),
            OptionValue::Secret(_) | OptionValue::SecretFile(_) => Err(not_implemented(format!(
                "a secret as the value of {key} in the embedded engine"
            ))),
            OptionValue::Variable(name) => Err(SqlError::internal(format!(
                "sql parser error: expected a value, found: {name}"
            ))),
        })
        .collect()
}

/// The stream that WITH and FORMAT describe.
fn stream_of(
    with: &Options,
    format: Option<&Format>,
    what: &str,
    columns: &[Column],
) -> Result<Source, SqlError> {
    let connector = with
        .text("connector")
        .ok_or_else(|| SqlError::internal("Protocol error: missing field 'connector'"))?
        .to_lowercase();
    let format = format.ok_or_else(|| {
        SqlError::internal(
            "sql parser error: expected description of the format, found: end of statement",
        )
    })?;
    match (format.format.as_str(), format.encode.as_str()) {
        ("DEBEZIUM" | "UPSERT" | "MAXWELL" | "CANAL" | "DEBEZIUM_MONGO", _)
            if what == "SOURCE" && format.format != "UPSERT" =>
        {
            return Err(SqlError::internal(format!(
                "Bind error: can't CREATE SOURCE with FORMAT {}.\n\nHint: use CREATE TABLE instead",
                format.format
            )));
        }
        ("PLAIN", "AVRO" | "PROTOBUF") => {
            return Err(SqlError::internal(
                "Protocol error: missing either a schema location or a schema registry",
            ));
        }
        ("PLAIN", "JSON") => {}
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
    if connector != "kafka" {
        return Err(not_implemented(format!(
            "the source connector '{connector}' in the embedded engine"
        )));
    }
    Ok(Source {
        connector,
        options: option_pairs(with)?,
        format: format.format.clone(),
        encode: format.encode.clone(),
        origins: Vec::new(),
    })
}

/// Adds INCLUDE columns and the hidden ones of Kafka, and says where each column comes from.
fn with_includes(
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
        let (origin, data_type) = match item.what.as_str() {
            "key" => (Origin::Key, DataType::Bytea),
            "offset" => (Origin::Offset, DataType::Varchar),
            "partition" => (Origin::Partition, DataType::Varchar),
            "timestamp" => (Origin::Timestamp, DataType::Timestamptz),
            "payload" => (Origin::Payload, DataType::Jsonb),
            other => {
                return Err(not_implemented(format!(
                    "INCLUDE {other} in the embedded engine"
                )));
            }
        };
        let name = item.alias.as_ref().map_or_else(
            || format!("_rw_kafka_{}", item.what),
            |a| a.value().to_owned(),
        );
        columns.push(Column::new(name, data_type));
        source.origins.push(origin);
    }
    for (origin, name, data_type) in [
        (
            Origin::Timestamp,
            "_rw_kafka_timestamp",
            DataType::Timestamptz,
        ),
        (Origin::Partition, "_rw_kafka_partition", DataType::Varchar),
    ] {
        if !columns.iter().any(|c| c.name == name) {
            columns.push(Column::hidden(name, data_type));
            source.origins.push(origin);
        }
    }
    check_names(columns.iter().map(|c| c.name.as_str()))?;
    Ok(source)
}

/// `(a INT PRIMARY KEY, b CHARACTER VARYING)`
fn columns_text(written: &Columns, columns: &[Column]) -> String {
    let inline = written.columns.iter().any(|c| c.primary_key);
    let mut items: Vec<String> = columns
        .iter()
        .filter(|c| !c.hidden)
        .take(if written.columns.is_empty() {
            columns.len()
        } else {
            written.columns.len()
        })
        .map(|c| {
            let mut text = format!("{} {}", ident(&c.name), type_name(&c.data_type));
            if inline && written.primary_key.iter().any(|k| k.value() == c.name) {
                text.push_str(" PRIMARY KEY");
            }
            if c.not_null {
                text.push_str(" NOT NULL");
            }
            if let Some(default) = &c.default {
                text.push_str(&format!(" DEFAULT {default}"));
            }
            if let Some(generated) = &c.generated {
                text.push_str(&format!(" AS {generated}"));
            }
            text
        })
        .collect();
    if !inline && !written.primary_key.is_empty() {
        let key: Vec<String> = written
            .primary_key
            .iter()
            .map(ToString::to_string)
            .collect();
        items.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    for watermark in &written.watermarks {
        items.push(format!(
            "WATERMARK FOR {} AS {}",
            watermark.column, watermark.expr
        ));
    }
    format!(" ({})", items.join(", "))
}

fn include_text(include: &[Include]) -> String {
    include
        .iter()
        .map(|i| {
            let alias = i
                .alias
                .as_ref()
                .map(|a| format!(" AS {a}"))
                .unwrap_or_default();
            format!(" INCLUDE {}{alias}", i.what)
        })
        .collect()
}

fn table_definition(create: &CreateTable, columns: &[Column]) -> Definition {
    let mut text = columns_text(&create.columns, columns);
    if create.append_only {
        text.push_str(" APPEND ONLY");
    }
    if let Some(rule) = &create.on_conflict {
        text.push_str(&format!(" ON CONFLICT {rule}"));
    }
    text.push_str(&include_text(&create.include));
    text.push_str(&options_text(&create.with));
    text.push_str(&format_text(create.format.as_ref()));
    if create.engine.as_deref() == Some("iceberg") {
        text.push_str(" ENGINE = ICEBERG");
    }
    Definition::new("CREATE TABLE", &create.name).text(text)
}

fn source_definition(create: &CreateSource, columns: &[Column]) -> Definition {
    let mut text = columns_text(&create.columns, columns);
    text.push_str(&include_text(&create.include));
    text.push_str(&options_text(&create.with));
    text.push_str(&format_text(create.format.as_ref()));
    Definition::new("CREATE SOURCE", &create.name).text(text)
}
