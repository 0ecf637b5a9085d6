//! CREATE TABLE.

use std::collections::HashSet;

use arrow::array::AsArray;
use rwt_sql::statement::{ColumnDef, Columns, CreateTable};
use rwt_sql::{DataType, ObjectName};
use rwt_wire::{Outcome, SqlError};

use super::create_source::{connector_of, include_text, option_pairs, stream_of, with_includes};
use super::create_view::functions_called;
use super::lake_table::add_table;
use super::message_schema::avro_of;
use super::{Session, not_implemented};
use crate::catalog::{
    Body, Column, Definition, Kind, LakeTable, Object, ObjectId, OnConflict, Origin, Source, Table,
    Watermark, columns_read, format_text, ident, invalid_input, options_text,
};
use crate::engine::{Altering, internal};

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
        let mut source = None;
        if has_connector {
            let with = self.opened(&create.with);
            let connector = connector_of(&with)?;
            let avro = avro_of(create.format.as_ref(), &mut columns).await?;
            let format = create.format.as_ref();
            let mut stream = stream_of(connector, &with, format, "TABLE", &columns)?;
            stream.options = option_pairs(&create.with)?;
            stream.secrets = self.secrets_of(&create.with)?;
            stream.avro = avro;
            source = Some(with_includes(stream, &mut columns, &create.include)?);
        }
        let key = key_positions(&create.columns, &columns)?;
        if let Some(source) = &source {
            check_changes(source, &key)?;
        }
        self.check_expressions(&columns).await?;
        let watermark = self
            .watermark(&create.columns, &columns, create.append_only)
            .await?;
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
        let secrets = source.iter().flat_map(|source| &source.secrets);
        let mut depends_on: Vec<ObjectId> = secrets.map(|(_, id)| *id).collect();
        depends_on.extend(self.functions_of(&columns));
        let count = rows
            .as_ref()
            .map(|r| r.iter().map(|b| b.num_rows()).sum::<usize>());
        let (name, path, owner) = (create.name.clone(), self.path(), self.user_id());
        let id = self
            .inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                let body = Body::Table(table);
                let object = altering
                    .catalog
                    .draft(&name, &path, owner, definition, body)?;
                let id = object.id;
                let object = Object {
                    columns,
                    depends_on,
                    ..object
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

    pub(super) fn start_source(&self, id: ObjectId) {
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
        if written.columns.len() > shape.len() {
            return Err(invalid_input("too many column names were specified"));
        }
        // The first columns have the names that were written, the others their own.
        let written = written.columns.iter().map(|c| c.name.value().to_owned());
        let named = written.len();
        let columns: Vec<Column> = written
            .chain(shape.iter().skip(named).map(|c| c.name.clone()))
            .zip(&shape)
            .map(|(name, c)| Column::new(name, c.data_type.clone()))
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
                let not_constant = || {
                    SqlError::internal(format!(
                        "Bind error: Default expression used in column `{}` cannot be evaluated. Use generated columns instead if you mean to reference another column.",
                        column.name
                    ))
                };
                if rwt_query::needs_rows(default) {
                    return Err(not_constant());
                }
                let sql = format!("SELECT ({default})::{}", column.data_type);
                match self.select_all(&sql).await {
                    Ok(_) => {}
                    Err(error) if error.root_cause().contains("Invalid column") => {
                        return Err(not_constant());
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        refuse_chained(columns)?;
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

    /// The functions that defaults and generated columns call.
    fn functions_of(&self, columns: &[Column]) -> Vec<ObjectId> {
        let catalog = self.inner.catalog();
        let expressions = columns
            .iter()
            .flat_map(|c| c.default.iter().chain(&c.generated));
        let mut found: Vec<ObjectId> = expressions
            .flat_map(|text| functions_called(&catalog, &format!("SELECT {text}"), &self.path()))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What `WATERMARK FOR column AS expression` comes to: the expression has to lie a fixed time behind the column.
    pub(super) async fn watermark(
        &mut self,
        written: &Columns,
        columns: &[Column],
        append_only: bool,
    ) -> Result<Option<Watermark>, SqlError> {
        let Some(watermark) = written.watermarks.first() else {
            return Ok(None);
        };
        if !append_only {
            return Err(SqlError::internal(
                "Not supported: Defining watermarks on table requires the table to be append only.\nHINT: Use the key words `APPEND ONLY`",
            ));
        }
        let name = watermark.column.value();
        let column = columns
            .iter()
            .position(|c| c.name == name)
            .ok_or_else(|| SqlError::internal(format!("Item not found: Invalid column: {name}")))?;
        let data_type = &columns[column].data_type;
        if !matches!(data_type, DataType::Timestamp | DataType::Timestamptz) {
            return Err(not_implemented(format!(
                "WATERMARK FOR a column of type {data_type} in the embedded engine"
            )));
        }
        let mut delays = Vec::new();
        for probe in ["2000-06-15 00:00:00", "2001-03-01 12:34:56"] {
            let sql = format!(
                "SELECT {0} AS at, ({1})::{data_type} AS mark FROM (SELECT '{probe}'::{data_type} AS {0}) AS probe",
                watermark.column, watermark.expr
            );
            let (_, rows) = self.select_all(&sql).await?;
            let micros = |i: usize| {
                let array = rows.first()?.columns().get(i)?;
                let micros =
                    arrow::compute::cast(array, &arrow::datatypes::DataType::Int64).ok()?;
                Some(
                    micros
                        .as_primitive::<arrow::datatypes::Int64Type>()
                        .value(0),
                )
            };
            delays.push(micros(0).zip(micros(1)).map(|(at, mark)| at - mark));
        }
        match delays.as_slice() {
            [Some(one), Some(other)] if one == other => Ok(Some(Watermark {
                column,
                delay: *one,
            })),
            _ => Err(not_implemented(format!(
                "WATERMARK FOR {name} AS {} in the embedded engine",
                watermark.expr
            ))),
        }
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
}

/// Messages that change rows need a key to find them by: of UPSERT that of the message, of DEBEZIUM the table's.
fn check_changes(source: &Source, key: &[usize]) -> Result<(), SqlError> {
    let wrong = |why: &str| Err(SqlError::internal(format!("Protocol error: {why}")));
    match source.format.as_str() {
        "UPSERT" if !source.origins.contains(&Origin::Key) => {
            wrong("INCLUDE KEY clause must be set for FORMAT UPSERT")
        }
        "UPSERT" if !matches!(key, [at] if source.origins.get(*at) == Some(&Origin::Key)) => wrong(
            "Primary key must be the INCLUDE KEY column when creating table with FORMAT UPSERT",
        ),
        "DEBEZIUM" if key.is_empty() => {
            wrong("Primary key must be specified when creating table with FORMAT DEBEZIUM")
        }
        _ => Ok(()),
    }
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
    let generated = create.columns.columns.iter().any(|c| c.generated.is_some());
    if generated && create.with.get("connector").is_some() {
        return Some("generated columns of a table with a connector in the embedded engine");
    }
    if create.engine.as_deref() == Some("iceberg") && create.with.get("connector").is_some() {
        return Some("CREATE TABLE with a connector and ENGINE = iceberg in the embedded engine");
    }
    None
}

/// The columns of a definition, their names and types checked.
pub(super) fn checked_columns(defs: &[ColumnDef]) -> Result<Vec<Column>, SqlError> {
    check_names(defs.iter().map(|d| d.name.value()))?;
    defs.iter()
        .map(|def| {
            let data_type = def.data_type.clone().ok_or_else(|| {
                SqlError::internal(format!(
                    "Bind error: the type of column \"{}\" must be specified",
                    def.name.value()
                ))
            })?;
            if data_type == DataType::Serial {
                return Err(SqlError::internal(
                    "Not supported: Column type SERIAL is not supported\nHINT: Please remove the SERIAL column",
                ));
            }
            rwt_query::check_type(&data_type).map_err(|error| super::query_error(&error))?;
            Ok(Column {
                not_null: def.not_null,
                default: def.default.clone(),
                generated: def.generated.clone(),
                ..Column::new(def.name.value(), data_type)
            })
        })
        .collect()
}

/// A generated column is made of columns that are written.
fn refuse_chained(columns: &[Column]) -> Result<(), SqlError> {
    let made = |c: &&Column| c.generated.is_some();
    for column in columns.iter().filter(made) {
        let read = columns_read(column.generated.as_deref().unwrap_or_default());
        let mut others = columns.iter().filter(made);
        if let Some(other) = others.find(|other| read.contains(&other.name)) {
            return Err(SqlError::internal(format!(
                "Bind error: Generated can not reference another generated column. But here generated column \"{}\" \
                 referenced another generated column \"{}\"",
                column.name, other.name
            )));
        }
    }
    Ok(())
}

pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), SqlError> {
    let mut seen = HashSet::new();
    for name in names {
        if name.starts_with("_row_id") {
            return Err(SqlError::internal(
                "internal error: column name prefixed with \"_row_id\" are reserved word.",
            ));
        }
        if ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"].contains(&name) {
            return Err(invalid_input(format!(
                "column name \"{name}\" conflicts with a system column name"
            )));
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

/// `(a INT PRIMARY KEY, b CHARACTER VARYING)`
pub(super) fn columns_text(written: &Columns, columns: &[Column]) -> String {
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
            let mut text = format!("{} {}", ident(&c.name), c.data_type.in_definitions());
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
