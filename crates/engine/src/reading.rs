//! What a query reads: user relations at one state, materialized views recomputed and kept while their inputs stay,
//! system tables, and the lake.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema};
use async_trait::async_trait;
use rwt_query::{Column, QueryError, Relation, RelationData, Relations, Settings};
use rwt_sql::{DataType, Ident, ObjectName};

use crate::catalog::{
    BY_ID, Body, Kind, Object, ObjectId, SYSTEM_SCHEMAS, SearchPath, Source, Temporal, references,
};
use crate::engine::Inner;
use crate::results::Versions;
use crate::storage::{State, stored_schema};
use crate::stream::{Decoder, KafkaOptions};

/// The catalog and its rows at one moment, as one session (or a stream) sees them.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub inner: Arc<Inner>,
    pub state: Arc<State>,
    pub path: SearchPath,
    pub settings: Settings,
    /// Streams see rows that are not in the lake yet, and of a source what was ingested.
    stream: bool,
    /// The rows of the temporal joins of the view that is computed, by the places of their right sides.
    joined: Vec<Relation>,
    /// Some objects are seen as they were in another state.
    past: Option<(Vec<ObjectId>, Arc<State>)>,
}

impl Reading {
    /// What a session sees.
    pub fn of_session(inner: &Arc<Inner>, path: SearchPath, settings: Settings) -> Self {
        Self {
            inner: inner.clone(),
            state: inner.state(),
            path,
            settings,
            stream: false,
            joined: Vec::new(),
            past: None,
        }
    }

    /// What sinks and materialized views see.
    pub fn of_stream(inner: &Arc<Inner>, state: Arc<State>) -> Self {
        Self {
            inner: inner.clone(),
            state,
            path: SearchPath(Vec::new()),
            settings: Settings::default(),
            stream: true,
            joined: Vec::new(),
            past: None,
        }
    }

    /// The same with the rows of temporal joins.
    pub fn with_joined(self, temporal: &Temporal, rows: &Arc<Vec<RecordBatch>>) -> Self {
        let sides = 0..temporal.rights.len();
        let joined = sides.map(|side| {
            let mut columns = temporal.kept_columns(Some(side));
            columns.push(Column::hidden(rwt_query::ROW_ID, DataType::Serial));
            Relation::rows(columns, rows.clone())
        });
        Self {
            joined: joined.collect(),
            ..self
        }
    }

    /// The same, some objects as they were in another state.
    pub fn with_past(self, objects: Vec<ObjectId>, state: Arc<State>) -> Self {
        Self {
            past: Some((objects, state)),
            ..self
        }
    }

    /// The same with the rows that are not in the lake yet.
    pub fn of_rows(self) -> Self {
        Self {
            stream: true,
            ..self
        }
    }

    /// The same in the time zone of a materialized view or sink.
    pub fn in_zone(mut self, timezone: &str) -> Self {
        timezone.clone_into(&mut self.settings.timezone);
        self
    }

    fn streaming(&self) -> Self {
        let mut settings = Settings::default();
        settings.now = self.settings.now;
        Self {
            path: SearchPath(Vec::new()),
            stream: true,
            settings,
            joined: Vec::new(),
            ..self.clone()
        }
    }

    /// Plans and runs a stored query of a materialized view or sink: a value that it fails on is NULL, as in RisingWave.
    pub async fn rows_of(&self, query: &str) -> Result<Vec<RecordBatch>, QueryError> {
        let plan = self
            .inner
            .queries
            .plan_stream(query, self, &self.settings)
            .await?;
        plan.execute(&[]).await
    }

    /// The object behind a name, as a query sees it.
    pub fn find(&self, schema: Option<&str>, name: &str) -> Option<&Object> {
        let parts = schema.into_iter().chain([name]).map(Ident::new).collect();
        match schema {
            Some(BY_ID) => self.state.catalog.get(name.parse().ok()?),
            _ => self
                .state
                .catalog
                .find_readable(&ObjectName(parts), &self.path),
        }
    }

    /// Whether a query reads a system table, also through views.
    pub fn reads_system(&self, query: &str) -> bool {
        references(query).iter().any(|reference| {
            let (schema, name) = (reference.name.schema(), reference.name.name());
            match self.find(schema, name).map(|object| &object.body) {
                Some(Body::View(view)) => self.reads_system(&view.query),
                Some(_) => false,
                None => crate::system::columns(schema, name).is_some(),
            }
        })
    }

    /// The stored rows of a table or source, with `_row_id` behind the columns.
    pub async fn stored_rows(&self, id: ObjectId) -> Result<Arc<Vec<RecordBatch>>, QueryError> {
        let object = self.state.catalog.get(id).ok_or_else(|| gone(id))?;
        match object.lake() {
            Some(_) => self.lake_rows(object).await,
            None => self.table_rows(id),
        }
    }

    fn table_rows(&self, id: ObjectId) -> Result<Arc<Vec<RecordBatch>>, QueryError> {
        let table = self.state.tables.get(&id).ok_or_else(|| gone(id))?;
        table.scan().map_err(internal)
    }

    /// The rows of any relation without hidden columns.
    pub async fn visible_rows(&self, id: ObjectId) -> Result<Arc<Vec<RecordBatch>>, QueryError> {
        let object = self.state.catalog.get(id).ok_or_else(|| gone(id))?;
        match &object.body {
            Body::MaterializedView(_) => self.materialized(object).await,
            Body::View(view) => Ok(Arc::new(
                Box::pin(self.streaming().rows_of(&view.query)).await?,
            )),
            _ => {
                let shown: Vec<usize> = (0..object.columns.len())
                    .filter(|i| !object.columns[*i].hidden)
                    .collect();
                let rows = self.stored_rows(id).await?;
                let rows: Result<Vec<_>, _> = rows.iter().map(|b| b.project(&shown)).collect();
                Ok(Arc::new(rows.map_err(internal)?))
            }
        }
    }

    async fn relation_of(&self, object: &Object) -> Result<Option<Relation>, QueryError> {
        let mut columns: Vec<Column> = object.columns.iter().map(query_column).collect();
        Ok(Some(match &object.body {
            Body::View(view) => Relation {
                columns,
                data: RelationData::View {
                    sql: view.query.clone(),
                    columns: view.names.clone(),
                },
                key: Vec::new(),
                append_only: false,
            },
            Body::MaterializedView(view) => {
                Relation::rows(columns, self.materialized(object).await?)
                    .with_key(view.key.clone())
                    .with_append_only(view.append_only)
            }
            Body::Table(_) | Body::Source(_) if object.part_of.is_none() => {
                columns.push(Column::hidden(rwt_query::ROW_ID, DataType::Serial));
                let rows = match object.source() {
                    Some(source) if object.kind() == Kind::Source && !self.stream => {
                        self.source_rows(object, source).await?
                    }
                    _ => self.stored_rows(object.id).await?,
                };
                let key = object.table().map(|table| table.key.clone());
                Relation::rows(columns, rows)
                    .with_key(key.unwrap_or_default())
                    .with_append_only(object.append_only())
            }
            _ => return Ok(None),
        }))
    }

    /// A SELECT on a source that starts at `latest` reads the topic from its beginning all the same, as in RisingWave
    /// (`golden/facts.md` 6). For other sources what was ingested is the topic.
    async fn source_rows(
        &self,
        object: &Object,
        source: &Source,
    ) -> Result<Arc<Vec<RecordBatch>>, QueryError> {
        use crate::stream::Startup;
        let options = match KafkaOptions::new(source) {
            Ok(options) if options.startup != Startup::Earliest => options,
            _ => return self.table_rows(object.id),
        };
        let schema = stored_schema(object);
        let decoder =
            Decoder::new(&object.columns, source, schema).map_err(QueryError::NotImplemented)?;
        let batches = tokio::task::spawn_blocking(move || options.read_all(decoder))
            .await
            .map_err(internal)?
            .map_err(|causes| QueryError::Internal(causes.join(": ")))?;
        let mut next = 0;
        let rows = batches
            .iter()
            .map(|rows| &rows.batch)
            .map(|batch| {
                let count = i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
                let ids = Int64Array::from_iter_values(next..next + count);
                next += count;
                with_ids(batch, ids)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(rows))
    }

    /// The rows of a lake table. A session sees what the lake holds (`golden/facts.md` 16); a stream sees all rows.
    async fn lake_rows(&self, object: &Object) -> Result<Arc<Vec<RecordBatch>>, QueryError> {
        let (Some(lake), Some(table), Some(progress)) = (
            object.lake(),
            self.state.tables.get(&object.id),
            self.state.lakes.get(&object.id),
        ) else {
            return Err(gone(object.id));
        };
        if self.stream && progress.full {
            return table.scan().map_err(internal);
        }
        let scan = self
            .inner
            .lake
            .scan(&lake.namespace, &lake.table)
            .await
            .map_err(internal)?;
        let mut rows = Vec::with_capacity(scan.batches.len());
        let mut next = 0;
        for batch in scan.batches.iter() {
            let (ids, batch) = crate::stream::lake::split_ids(object, batch).map_err(internal)?;
            let count = i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
            let ids = ids.unwrap_or_else(|| Int64Array::from_iter_values(next..next + count));
            next += count;
            let batch = with_ids(&batch, ids)?;
            if self.stream {
                // rows of a commit that is in the lake and not yet noted here wait in the engine too
                let keep: BooleanArray = row_ids(&batch)
                    .iter()
                    .map(|id| Some(id.is_none_or(|id| id < progress.committed_before)))
                    .collect();
                rows.push(filter_record_batch(&batch, &keep).map_err(internal)?);
            } else {
                rows.push(batch);
            }
        }
        if self.stream {
            rows.extend(table.scan().map_err(internal)?.iter().cloned());
        }
        Ok(Arc::new(rows))
    }

    /// The rows of a materialized view: the kept ones if no input changed, otherwise computed anew.
    async fn materialized(&self, object: &Object) -> Result<Arc<Vec<RecordBatch>>, QueryError> {
        let Body::MaterializedView(view) = &object.body else {
            return Err(gone(object.id));
        };
        let mut versions: Versions = self
            .state
            .catalog
            .inputs(object.id)
            .into_iter()
            .map(|id| (id, self.state.tables.get(&id).map_or(0, |t| t.version())))
            .collect();
        if depends_on_time(&view.query) {
            versions.push((0, self.settings.now.timestamp_micros().unsigned_abs()));
        }
        let results = &self.inner.results;
        if let Some(rows) = results.get(object.id, &versions) {
            return Ok(rows);
        }
        let computing = results.computing(object.id);
        let _computing = computing.lock().await;
        // another reader may have computed it meanwhile
        if let Some(rows) = results.get(object.id, &versions) {
            return Ok(rows);
        }
        let mut reading = self.streaming().in_zone(&view.timezone);
        if let Some(temporal) = &view.temporal {
            reading = reading.with_joined(temporal, &self.table_rows(object.id)?);
        }
        let rows = Box::pin(reading.rows_of(&view.query)).await?;
        let rows = rows
            .iter()
            .map(|batch| named(object, batch))
            .collect::<Result<Vec<_>, _>>()?;
        let rows = Arc::new(rows);
        results.keep(object.id, versions, &rows, self.inner.room_for_results());
        Ok(rows)
    }
}

/// Queries whose result moves without a change of their inputs.
fn depends_on_time(query: &str) -> bool {
    let query = query.to_ascii_lowercase();
    ["now(", "proctime(", "current_timestamp"]
        .iter()
        .any(|f| query.contains(f))
}

/// The batch under the names and types of the view's columns.
fn named(object: &Object, batch: &RecordBatch) -> Result<RecordBatch, QueryError> {
    let fields: Vec<Field> = object
        .columns
        .iter()
        .zip(batch.columns())
        .map(|(column, array)| {
            rwt_query::field(&column.name, &column.data_type, array.data_type().clone())
        })
        .collect();
    let columns = batch.columns()[..fields.len()].to_vec();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(internal)
}

fn row_ids(batch: &RecordBatch) -> Int64Array {
    use arrow::array::AsArray;
    batch
        .columns()
        .last()
        .and_then(|c| c.as_primitive_opt::<arrow::datatypes::Int64Type>().cloned())
        .unwrap_or_else(|| Int64Array::new_null(batch.num_rows()))
}

fn with_ids(batch: &RecordBatch, ids: Int64Array) -> Result<RecordBatch, QueryError> {
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(rwt_query::field(
        rwt_query::ROW_ID,
        &DataType::Serial,
        arrow::datatypes::DataType::Int64,
    )));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(ids));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(internal)
}

pub(crate) fn query_column(column: &crate::catalog::Column) -> Column {
    Column {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        hidden: column.hidden,
    }
}

fn gone(id: ObjectId) -> QueryError {
    QueryError::Internal(format!("object {id} is gone"))
}

fn internal(error: impl std::fmt::Display) -> QueryError {
    QueryError::Internal(error.to_string())
}

#[async_trait]
impl Relations for Reading {
    async fn relation(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Relation>, QueryError> {
        if let Some(object) = self.find(schema, name) {
            if let Some((ids, state)) = &self.past
                && ids.contains(&object.id)
            {
                let past = Self {
                    state: state.clone(),
                    past: None,
                    ..self.clone()
                };
                return Box::pin(past.relation(schema, name)).await;
            }
            return self.relation_of(object).await;
        }
        if schema == Some(rwt_query::JOINED) {
            let mut joined = self.joined.iter().enumerate();
            let found = joined.find(|(place, _)| rwt_query::joined_name(*place) == name);
            return Ok(found.map(|(_, relation)| relation.clone()));
        }
        match schema {
            Some(schema) if SYSTEM_SCHEMAS.contains(&schema) => {
                crate::system::relation(self, schema, name).await
            }
            Some(_) => Ok(None),
            None => {
                for schema in ["pg_catalog", "rw_catalog"] {
                    if crate::system::exists(schema, name) {
                        return crate::system::relation(self, schema, name).await;
                    }
                }
                Ok(None)
            }
        }
    }

    async fn functions(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<Vec<rwt_query::SqlFunction>, QueryError> {
        let catalog = &self.state.catalog;
        let in_scope = |id: ObjectId| match schema {
            Some(schema) => catalog.schema_name(id) == schema,
            None => self.stream || self.path.0.iter().any(|s| s == catalog.schema_name(id)),
        };
        Ok(catalog
            .of_kind(Kind::Function)
            .filter(|o| o.name == name && in_scope(o.schema))
            .filter_map(|o| match &o.body {
                Body::Function(function) => {
                    let mut known = crate::session::functions::query_function(function)?;
                    // A stored query has no search path: there a body reads what stands beside its function.
                    let beside = || {
                        let own = catalog.schema_name(o.schema).to_owned();
                        SearchPath(vec![own, "public".to_owned()])
                    };
                    let path = if self.stream {
                        beside()
                    } else {
                        self.path.clone()
                    };
                    let find = |name: &ObjectName| Some(catalog.find_readable(name, &path)?.id);
                    known.body = crate::catalog::resolve(&known.body, find).0;
                    Some(known)
                }
                _ => None,
            })
            .collect())
    }

    async fn definitions(&self) -> Result<HashMap<i32, String>, QueryError> {
        Ok(self
            .state
            .catalog
            .objects
            .values()
            .filter_map(|object| {
                let text = match object.kind() {
                    Kind::View | Kind::MaterializedView => object.definition.query_text()?,
                    Kind::Index => object.definition.to_string(),
                    _ => return None,
                };
                Some((i32::try_from(object.id).ok()?, text))
            })
            .collect())
    }

    async fn object_ids(&self) -> Result<HashMap<(Option<String>, String), i32>, QueryError> {
        let mut ids = HashMap::new();
        for (schema, name, id) in crate::system::object_ids() {
            ids.insert((Some(schema.to_owned()), name.to_owned()), id);
            if schema == "pg_catalog" || schema == "rw_catalog" {
                ids.insert((None, name.to_owned()), id);
            }
        }
        let catalog = &self.state.catalog;
        let relations = catalog.objects.values().filter(|o| o.kind().is_relation());
        for object in relations {
            let Ok(id) = i32::try_from(object.id) else {
                continue;
            };
            let schema = catalog.schema_name(object.schema).to_owned();
            ids.insert((Some(schema), object.name.clone()), id);
            let name = ObjectName(vec![Ident::new(&object.name)]);
            if let Some(seen) = catalog.find_relation(&name, &self.path)
                && seen.id == object.id
            {
                ids.insert((None, object.name.clone()), id);
            }
        }
        Ok(ids)
    }

    fn access(&self) -> Arc<dyn rwt_query::Access> {
        Arc::new(crate::access::Grants {
            catalog: self.state.catalog.clone(),
            path: self.path.clone(),
        })
    }

    async fn object_id(&self, schema: Option<&str>, name: &str) -> Result<Option<i32>, QueryError> {
        let parts = schema.into_iter().chain([name]).map(Ident::new).collect();
        let object = self
            .state
            .catalog
            .find_relation(&ObjectName(parts), &self.path);
        Ok(object
            .and_then(|o| i32::try_from(o.id).ok())
            .or_else(|| crate::system::object_id(schema, name)))
    }
}
