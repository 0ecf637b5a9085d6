//! ALTER, COMMENT and ALTER SYSTEM.

use arrow::array::ArrayRef;
use rwt_sql::ObjectName;
use rwt_sql::statement::{Alter, AlterAction, ColumnDef, ObjectKind};
use rwt_wire::{Outcome, SqlError};

use super::{Session, not_implemented};
use crate::catalog::{
    Body, Catalog, Column, Definition, Kind, Object, ObjectId, Origin, Part, SinkFrom, Source,
    Watermark, columns_read, ident, invalid_input,
};
use crate::engine::{Altering, internal};
use crate::storage::Change;

/// Parameters of ALTER SYSTEM: name, default (`None`: the engine's own), and whether the value is a number.
const PARAMETERS: [(&str, &str, bool); 12] = [
    ("barrier_interval_ms", "", true),
    ("checkpoint_frequency", "1", true),
    ("max_concurrent_creating_streaming_jobs", "1", true),
    ("parallel_compact_size_mb", "512", true),
    ("sstable_size_mb", "256", true),
    ("pause_on_next_bootstrap", "false", false),
    ("enable_tracing", "false", false),
    ("time_travel_retention_ms", "600000", true),
    ("adaptive_parallelism_strategy", "AUTO", false),
    ("per_database_isolation", "true", false),
    ("enforce_secret", "false", false),
    ("license_key", "", false),
];

impl Session {
    /// The system's parameters and their values.
    pub(super) fn parameters(&self) -> Vec<(String, String, bool)> {
        let catalog = self.inner.catalog();
        let mut all: Vec<_> = PARAMETERS
            .iter()
            .map(|(name, default, _)| {
                let default = match *name {
                    "barrier_interval_ms" => self.inner.default_interval().as_millis().to_string(),
                    _ => (*default).to_owned(),
                };
                let value = catalog.parameters.get(*name).cloned().unwrap_or(default);
                ((*name).to_owned(), value, true)
            })
            .collect();
        all.sort();
        all
    }

    pub(super) async fn alter_system(
        &mut self,
        name: &str,
        value: Option<String>,
    ) -> Result<Outcome, SqlError> {
        let Some((name, _, number)) = PARAMETERS.iter().find(|(n, ..)| *n == name) else {
            return Err(SqlError::internal(format!(
                "SystemParams error: unrecognized system parameter \"{name}\""
            )));
        };
        let refused = |why: &str| {
            SqlError::internal(format!(
                "SystemParams error: cannot parse parameter value: {why}"
            ))
        };
        if let Some(value) = &value
            && *number
        {
            let parsed: u64 = value
                .parse()
                .map_err(|e: std::num::ParseIntError| refused(&e.to_string()))?;
            if *name == "barrier_interval_ms" && parsed == 0 {
                return Err(refused("must be greater than 0"));
            }
        }
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                match &value {
                    Some(value) => altering
                        .catalog
                        .parameters
                        .insert((*name).to_owned(), value.clone()),
                    None => altering.catalog.parameters.remove(*name),
                };
                altering.set_catalog()
            })
            .await?;
        self.inner.wake();
        Ok(Outcome::done("ALTER_SYSTEM"))
    }

    pub(super) async fn alter(&mut self, alter: Alter) -> Result<Outcome, SqlError> {
        let tag = format!("ALTER_{}", alter.kind.to_string().replace(' ', "_"));
        if alter.kind == ObjectKind::Schema {
            return self.alter_schema(&alter).await;
        }
        if alter.kind == ObjectKind::Database {
            match &alter.action {
                AlterAction::RenameTo(new) => {
                    self.rename_database(alter.name.name(), new.value()).await?;
                }
                _ => {
                    return Err(not_implemented(
                        "this form of ALTER DATABASE in the embedded engine",
                    ));
                }
            }
            return Ok(Outcome::done(tag));
        }
        if alter.kind == ObjectKind::User {
            match &alter.action {
                AlterAction::RenameTo(new) => {
                    self.rename_user(alter.name.name(), new.value()).await?;
                }
                AlterAction::Other(text) => self.alter_user(alter.name.name(), text).await?,
                _ => {
                    return Err(not_implemented(
                        "this form of ALTER USER in the embedded engine",
                    ));
                }
            }
            return Ok(Outcome::done(tag));
        }
        let path = self.path();
        let catalog = self.inner.catalog();
        let id = catalog.altered(&alter, &path)?;
        match alter.action {
            AlterAction::RenameTo(name) => {
                self.rename_or(id, async |altering: &mut Altering<'_>| {
                    altering.catalog.rename(id, name.value())
                })
                .await?;
            }
            AlterAction::SwapWith(other) => {
                self.rename_or(id, async |altering: &mut Altering<'_>| {
                    altering.catalog.swap(id, &other, &path)
                })
                .await?;
            }
            AlterAction::SetSchema(schema) => {
                self.rename_or(id, async |altering: &mut Altering<'_>| {
                    altering.catalog.move_to(id, schema.value())
                })
                .await?;
            }
            AlterAction::OwnerTo(owner) => {
                let user = catalog
                    .user(owner.value())
                    .ok_or_else(|| SqlError::not_found("user", owner.value()))?
                    .id;
                self.rename_or(id, async |altering: &mut Altering<'_>| {
                    // The indexes of a table go with it.
                    let catalog = &mut altering.catalog;
                    let indexes: Vec<ObjectId> = catalog.indexes_of(id).map(|o| o.id).collect();
                    for id in indexes.into_iter().chain([id]) {
                        if let Some(object) = catalog.objects.get_mut(&id) {
                            object.owner = user;
                        }
                    }
                    Ok(())
                })
                .await?;
            }
            AlterAction::AddColumn {
                if_not_exists,
                column,
            } => self.add_column(id, if_not_exists, &column).await?,
            AlterAction::DropColumn { if_exists, column } => {
                self.drop_column(id, if_exists, column.value()).await?
            }
            AlterAction::ColumnType { column, data_type } => {
                self.alter_type(id, column.value(), &data_type)?;
            }
            AlterAction::SecretValue { with, value } => {
                self.alter_secret(id, &with, value).await?;
            }
            // parallelism and rate limits: nothing to set on one machine
            AlterAction::SetParameter { .. } => {}
            AlterAction::Other(text) => {
                return Err(not_implemented(format!(
                    "ALTER {} {text} in the embedded engine",
                    alter.kind
                )));
            }
        }
        Ok(Outcome::done(tag))
    }

    async fn rename_or(
        &self,
        id: ObjectId,
        change: impl AsyncFnOnce(&mut Altering<'_>) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                if altering.catalog.get(id).is_none() {
                    return Err(internal("the object was dropped at the same moment"));
                }
                change(altering).await?;
                altering.set_catalog()
            })
            .await
    }

    async fn alter_schema(&mut self, alter: &Alter) -> Result<Outcome, SqlError> {
        let catalog = self.inner.catalog();
        let id = catalog.find_schema(alter.name.name())?.id;
        match &alter.action {
            AlterAction::RenameTo(name) => {
                let name = name.value().to_owned();
                if catalog.schema(&name).is_some() {
                    return Err(SqlError::exists("schema", &name));
                }
                self.inner
                    .clone()
                    .alter(async |altering: &mut Altering<'_>| {
                        if let Some(schema) = altering.catalog.schemas.get_mut(&id) {
                            schema.name = name;
                        }
                        altering.set_catalog()
                    })
                    .await?;
                Ok(Outcome::done("ALTER_SCHEMA"))
            }
            AlterAction::OwnerTo(owner) => {
                let owner = catalog
                    .user(owner.value())
                    .ok_or_else(|| SqlError::not_found("user", owner.value()))?
                    .id;
                self.inner
                    .clone()
                    .alter(async |altering: &mut Altering<'_>| {
                        if let Some(schema) = altering.catalog.schemas.get_mut(&id) {
                            schema.owner = owner;
                        }
                        altering.set_catalog()
                    })
                    .await?;
                Ok(Outcome::done("ALTER_SCHEMA"))
            }
            AlterAction::SwapWith(_) => Err(not_implemented("ALTER SCHEMA SWAP WITH")),
            _ => Err(not_implemented(
                "this form of ALTER SCHEMA in the embedded engine",
            )),
        }
    }

    async fn add_column(
        &mut self,
        id: ObjectId,
        if_not_exists: bool,
        def: &ColumnDef,
    ) -> Result<(), SqlError> {
        let catalog = self.inner.catalog();
        let Some(object) = catalog.get(id) else {
            return Ok(());
        };
        let name = def.name.value();
        let data_type = def
            .data_type
            .clone()
            .ok_or_else(|| invalid_input(format!("column \"{name}\" needs a type")))?;
        if object.column(name).is_some() {
            if if_not_exists {
                self.notice(format!(
                    "column \"{name}\" of relation \"{}\" already exists, skipping",
                    object.name
                ));
                return Ok(());
            }
            return Err(invalid_input(format!(
                "column \"{name}\" of table \"{}\" already exists",
                object.name
            )));
        }
        super::create::check_names(std::iter::once(name))?;
        if object.lake().is_some() {
            return Err(SqlError::internal(format!(
                "Not supported: ALTER TABLE ADD COLUMN {name} {} is not supported for iceberg table: {}",
                data_type.in_definitions(),
                catalog.qualified(object)
            )));
        }
        let is_fed = object.source().is_some();
        if !matches!(object.kind(), Kind::Table | Kind::Source) || is_fed && !gains_columns(object)
        {
            return Err(not_implemented(format!(
                "ALTER {} ADD COLUMN with this connector or format in the embedded engine",
                object.kind().noun().to_uppercase()
            )));
        }
        if def.generated.is_some() {
            return Err(invalid_input(
                "alter table add generated columns is not supported",
            ));
        }
        if def.primary_key {
            return Err(invalid_input("alter primary key of table is not supported"));
        }
        if def.not_null && def.default.is_none() {
            return Err(invalid_input(format!(
                "alter table add NOT NULL columns must have default value: \"{name}\""
            )));
        }
        let default = def.default.clone().unwrap_or_else(|| "NULL".into());
        let (_, rows) = self
            .select_all(&format!("SELECT ({default})::{data_type}"))
            .await?;
        let value = first_value(&rows, &data_type)?;
        let column = Column {
            not_null: def.not_null,
            default: def.default.clone(),
            ..Column::new(name, data_type)
        };
        let at = object.columns.iter().take_while(|c| !c.hidden).count();
        let from: Vec<Result<usize, ArrayRef>> = (0..at)
            .map(Ok)
            .chain([Err(value)])
            .chain((at..object.columns.len()).map(Ok))
            .collect();
        // What was read and not kept yet is read again, with the new column.
        if is_fed {
            self.inner.stop_sources(&[id]).await;
        }
        let reshaped = self
            .reshape(id, from, |object| {
                object.columns.insert(at, column);
                let source = match &mut object.body {
                    Body::Source(source) => Some(source),
                    Body::Table(table) => table.source.as_mut(),
                    _ => None,
                };
                if let Some(source) = source {
                    source.origins.insert(at, Origin::Field);
                }
            })
            .await;
        if is_fed {
            self.start_source(id);
        }
        reshaped
    }

    /// ALTER COLUMN … TYPE: RisingWave takes it for types that hold a struct, and says so of all others.
    fn alter_type(
        &self,
        id: ObjectId,
        name: &str,
        data_type: &rwt_sql::DataType,
    ) -> Result<(), SqlError> {
        let catalog = self.inner.catalog();
        let Some(object) = catalog.get(id) else {
            return Ok(());
        };
        let column = object
            .column(name)
            .filter(|i| !object.columns[*i].hidden)
            .map(|i| &object.columns[i])
            .ok_or_else(|| {
                invalid_input(format!(
                    "column \"{name}\" of table \"{}\" does not exist",
                    object.name
                ))
            })?;
        if column.data_type == *data_type {
            return Ok(());
        }
        if !holds_struct(&column.data_type) {
            return Err(SqlError::internal(format!(
                "column \"{name}\" cannot be altered; only types containing struct can be altered"
            )));
        }
        Err(not_implemented(
            "ALTER TABLE ALTER COLUMN TYPE of a struct in the embedded engine",
        ))
    }

    async fn drop_column(
        &mut self,
        id: ObjectId,
        if_exists: bool,
        name: &str,
    ) -> Result<(), SqlError> {
        let catalog = self.inner.catalog();
        let Some(object) = catalog.get(id) else {
            return Ok(());
        };
        let Some(at) = object.column(name).filter(|i| !object.columns[*i].hidden) else {
            if if_exists {
                self.notice(format!("column \"{name}\" does not exist, skipping"));
                return Ok(());
            }
            return Err(invalid_input(format!(
                "column \"{name}\" of table \"{}\" does not exist",
                object.name
            )));
        };
        let Some(table) = object
            .table()
            .filter(|t| t.source.is_none() && t.lake.is_none())
        else {
            return Err(not_implemented(format!(
                "ALTER {} DROP COLUMN here in the embedded engine",
                object.kind().noun().to_uppercase()
            )));
        };
        if table.key.contains(&at) {
            return Err(invalid_input("alter primary key of table is not supported"));
        }
        let reads = |c: &&Column| {
            (c.generated.as_deref()).is_some_and(|expr| columns_read(expr).contains(name))
        };
        if let Some(generated) = object.columns.iter().find(reads) {
            return Err(SqlError::internal(format!(
                "failed to drop column \"{name}\" because it's referenced by a generated column \"{}\"",
                generated.name
            )));
        }
        if self.reads_column(id, name) {
            return Err(SqlError::internal(
                "Invalid parameter: unable to drop the column due to being referenced by downstream materialized views or sinks",
            ));
        }
        let from = (0..object.columns.len())
            .filter(|i| *i != at)
            .map(Ok)
            .collect();
        self.reshape(id, from, |object| {
            object.columns.remove(at);
        })
        .await
    }

    /// True if a materialized view, sink or index may read this column: its text mentions it or takes all columns.
    fn reads_column(&self, table: ObjectId, column: &str) -> bool {
        let catalog = self.inner.catalog();
        let reads = |query: &str| query.contains('*') || mentions(query, column);
        catalog.objects.values().any(|o| {
            if !o.depends_on.contains(&table)
                && !o
                    .sink()
                    .is_some_and(|s| matches!(s.into, Some((id, _)) if id == table))
            {
                return false;
            }
            match &o.body {
                Body::MaterializedView(view) => reads(&view.query),
                Body::Sink(sink) => match &sink.from {
                    SinkFrom::Query(query) => reads(query),
                    SinkFrom::Relation(_) => true,
                },
                Body::Index(_) => true,
                _ => false,
            }
        })
    }

    /// Changes a table's columns and its rows with them.
    async fn reshape(
        &mut self,
        id: ObjectId,
        from: Vec<Result<usize, ArrayRef>>,
        change: impl FnOnce(&mut Object),
    ) -> Result<(), SqlError> {
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                let before = altering.catalog.get(id).map_or(0, |o| o.columns.len());
                if from.iter().filter(|f| f.is_ok()).count().abs_diff(before) > 1 {
                    return Err(internal("the table changed at the same moment"));
                }
                let moved = |old: usize| from.iter().position(|f| matches!(f, Ok(i) if *i == old));
                if let Some(object) = altering.catalog.objects.get_mut(&id) {
                    change(object);
                    if let Body::Source(source) = &object.body {
                        let declared: Vec<Column> = declared(object, source).cloned().collect();
                        object.definition = reshaped(&object.definition, &declared, &[]);
                    }
                    if let Body::Table(table) = &mut object.body {
                        table.key = table.key.iter().filter_map(|k| moved(*k)).collect();
                        table.watermark = table.watermark.take().and_then(|w| {
                            Some(Watermark {
                                column: moved(w.column)?,
                                ..w
                            })
                        });
                        object.definition =
                            reshaped(&object.definition, &object.columns, &table.key);
                    }
                }
                for object in altering.catalog.objects.values_mut() {
                    if let Body::Sink(sink) = &mut object.body
                        && let Some((into, positions)) = &mut sink.into
                        && *into == id
                    {
                        *positions = positions.iter().filter_map(|p| moved(*p)).collect();
                    }
                    if let Body::Index(index) = &mut object.body
                        && index.table == id
                    {
                        for (position, ..) in &mut index.columns {
                            *position = position.and_then(moved);
                        }
                        index.include = index.include.iter().filter_map(|p| moved(*p)).collect();
                    }
                }
                let logs = follow_columns(&mut altering.catalog, id, &from);
                altering.set_catalog()?;
                altering.staged.writer.keys.remove(&id);
                altering.apply(Change::Reshape(id, from))?;
                for (log, from) in logs {
                    if altering.staged.state.tables.contains_key(&log) {
                        altering.apply(Change::Reshape(log, from))?;
                    }
                }
                Ok(())
            })
            .await
    }

    pub(super) async fn comment(
        &mut self,
        on: &str,
        name: &ObjectName,
        text: Option<String>,
    ) -> Result<Outcome, SqlError> {
        let path = self.path();
        let catalog = self.inner.catalog();
        let (name, column) = match on.to_ascii_lowercase().as_str() {
            "column" => {
                if name.0.len() > 3 {
                    return Err(SqlError::internal("internal error: Too many idents"));
                }
                let mut table = name.clone();
                let column = table.0.pop();
                (table, column)
            }
            _ => (name.clone(), None),
        };
        let id = catalog
            .find_readable(&name, &path)
            .filter(|o| o.kind() != Kind::View)
            .ok_or_else(|| SqlError::not_found("table", name.name()))?
            .id;
        // An empty comment is none.
        let text = text.filter(|text| !text.is_empty());
        if let Some(column) = &column
            && column.value() != rwt_query::ROW_ID
            && catalog
                .get(id)
                .and_then(|o| o.column(column.value()))
                .is_none()
        {
            return Err(SqlError::internal(format!(
                "Item not found: Invalid column: {}",
                column.value()
            )));
        }
        self.rename_or(id, async |altering: &mut Altering<'_>| {
            if let Some(object) = altering.catalog.objects.get_mut(&id) {
                match &column {
                    None => object.comment = text,
                    Some(column) => {
                        if let Some(i) = object.column(column.value()) {
                            object.columns[i].comment = text;
                        }
                    }
                }
            }
            Ok(())
        })
        .await?;
        Ok(Outcome::done("COMMENT"))
    }
}

/// Whether a value of the type is a struct, or has one in it.
fn holds_struct(data_type: &rwt_sql::DataType) -> bool {
    use rwt_sql::DataType as T;
    match data_type {
        T::Struct(_) => true,
        T::List(item) => holds_struct(item),
        T::Map(key, value) => holds_struct(key) || holds_struct(value),
        _ => false,
    }
}

/// A word of a text.
fn mentions(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
    })
}

/// Gives the subscriptions to a table its new columns, and says where what they keep has each of them from.
fn follow_columns(
    catalog: &mut Catalog,
    table: ObjectId,
    from: &[Result<usize, ArrayRef>],
) -> Vec<(ObjectId, Vec<Result<usize, ArrayRef>>)> {
    let Some(columns) = catalog.get(table).map(|table| table.columns.clone()) else {
        return Vec::new();
    };
    let mut logs = Vec::new();
    for object in catalog.objects.values_mut() {
        if !matches!(&object.body, Body::Subscription(s) if s.from == table) {
            continue;
        }
        let old = std::mem::replace(&mut object.columns, columns.clone());
        let shown_before = |at: usize| old.iter().take(at).filter(|c| !c.hidden).count();
        let shown = columns.iter().zip(from).filter(|(c, _)| !c.hidden);
        let mut places: Vec<Result<usize, ArrayRef>> = shown
            .map(|(_, from)| from.clone().map(shown_before))
            .collect();
        // `op` and `rw_timestamp` stand behind them.
        let kept = shown_before(old.len());
        places.extend([Ok(kept), Ok(kept + 1)]);
        logs.push((object.id, places));
    }
    logs
}

/// Whether columns can be added to something that reads messages: fields of JSON, and a table without INCLUDE, whose
/// definition would need more than its columns.
fn gains_columns(object: &Object) -> bool {
    object.source().is_some_and(|source| {
        let is_json = (source.format.as_str(), source.encode.as_str()) == ("PLAIN", "JSON");
        let visible = object.columns.iter().filter(|c| !c.hidden).count();
        let all_declared = declared(object, source).count() == visible;
        source.connector == "kafka" && is_json && (object.kind() == Kind::Source || all_declared)
    })
}

/// The columns that stand in the brackets of a definition: what INCLUDE adds stands behind them.
fn declared<'o>(object: &'o Object, source: &'o Source) -> impl Iterator<Item = &'o Column> {
    let columns = object.columns.iter().zip(&source.origins);
    columns
        .filter(|(column, origin)| {
            !column.hidden && matches!(origin, Origin::Field | Origin::Generated)
        })
        .map(|(column, _)| column)
}

/// The definition of a table with other columns.
fn reshaped(definition: &Definition, columns: &[Column], key: &[usize]) -> Definition {
    let old: String = definition
        .parts
        .iter()
        .map(|part| match part {
            Part::Text(text) | Part::Query(text) => text.as_str(),
            Part::Name(..) => "",
        })
        .collect();
    // what stands behind the brackets of the columns: options, APPEND ONLY
    let mut depth = 0;
    let end = old
        .char_indices()
        .find_map(|(i, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            (c == ')' && depth == 0).then_some(i + 1)
        })
        .unwrap_or(0);
    let mut items: Vec<String> = columns
        .iter()
        .filter(|c| !c.hidden)
        .map(|c| {
            let mut text = format!("{} {}", ident(&c.name), c.data_type.in_definitions());
            if key.len() == 1 && columns[key[0]].name == c.name {
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
    if key.len() > 1 {
        let names: Vec<String> = key.iter().map(|i| ident(&columns[*i].name)).collect();
        items.push(format!("PRIMARY KEY ({})", names.join(", ")));
    }
    Definition {
        head: definition.head.clone(),
        name: definition.name.clone(),
        parts: vec![Part::Text(format!(
            " ({}){}",
            items.join(", "),
            &old[end..]
        ))],
    }
}

/// The only value of a one-row result, as a stored value of the type.
fn first_value(
    rows: &[arrow::array::RecordBatch],
    data_type: &rwt_sql::DataType,
) -> Result<ArrayRef, SqlError> {
    let arrow = rwt_query::arrow_type(data_type);
    match rows.first().filter(|b| b.num_rows() == 1) {
        Some(batch) => arrow::compute::cast(batch.column(0), &arrow).map_err(internal),
        None => Ok(arrow::array::new_null_array(&arrow, 1)),
    }
}
