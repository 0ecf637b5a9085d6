//! INSERT, UPDATE and DELETE. The query crate says which rows a statement adds, changes or removes; they reach the table
//! at the next checkpoint, for which `RW_IMPLICIT_FLUSH` waits.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType as ArrowType, Int64Type, Schema};
use arrow::error::ArrowError;
use async_trait::async_trait;
use rwt_query::{
    Changes, Dml as PlannedDml, QueryError, Relation, Relations, ScalarValue, Target, TargetColumn,
};
use rwt_sql::statement::DmlVerb;
use rwt_sql::{DataType, Ident, ObjectName};
use rwt_wire::{Outcome, RowsTag, SqlError};
use sqlparser::ast::{AssignmentTarget, Ident as SqlIdent, ObjectNamePart, Statement};

use super::query::{Kept, printed_rows};
use super::{Session, dml_tag, query_error, wire_columns};
use crate::catalog::{BY_ID, Column, Kind, Object, ObjectId, invalid_input};
use crate::engine::{Altering, internal};
use crate::reading::{Reading, query_column};
use crate::storage::{Change, LakeProgress, stored_schema};
use crate::stream::barrier::Dml;

/// A data change, planned.
pub(super) struct Prepared {
    verb: DmlVerb,
    table: ObjectId,
    plan: PlannedDml,
}

/// Rows of a table's stored columns as the relation [`NEW_ROWS`], for generated columns.
struct Given<'a> {
    reading: &'a Reading,
    relation: Relation,
}

const NEW_ROWS: &str = "new_rows";

impl<'a> Given<'a> {
    fn new(reading: &'a Reading, columns: &[Column], rows: &RecordBatch) -> Self {
        let columns = columns.iter().map(query_column).collect();
        Self {
            reading,
            relation: Relation::rows(columns, Arc::new(vec![rows.clone()])),
        }
    }
}

#[async_trait]
impl Relations for Given<'_> {
    async fn relation(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Relation>, QueryError> {
        if name == NEW_ROWS && schema.is_none_or(|s| s == BY_ID) {
            return Ok(Some(self.relation.clone()));
        }
        self.reading.relation(schema, name).await
    }

    async fn functions(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<Vec<rwt_query::SqlFunction>, QueryError> {
        self.reading.functions(schema, name).await
    }
}

/// The columns of a batch cast to these types.
pub(super) fn cast_rows(
    batch: &RecordBatch,
    types: &[ArrowType],
) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .zip(types)
        .map(|(column, to)| cast(column, to))
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    let fields: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .zip(types)
        .map(|(f, t)| f.as_ref().clone().with_data_type(t.clone()))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

/// Fills the generated columns of stored rows from the others.
pub(super) async fn generate(
    session: &Session,
    columns: &[Column],
    rows: &RecordBatch,
) -> Result<RecordBatch, SqlError> {
    generated(session.reading(), columns, rows)
        .await
        .map_err(|e| query_error(&e))
}

/// The same as a reading sees it. An expression that fails on a row is NULL there: RisingWave's streams compute them.
pub(crate) async fn generated(
    mut reading: Reading,
    columns: &[Column],
    rows: &RecordBatch,
) -> Result<RecordBatch, QueryError> {
    if columns.iter().all(|c| c.generated.is_none()) {
        return Ok(rows.clone());
    }
    reading.settings.in_columns = true;
    let sql = filled_by(columns, |_, c| c.generated.as_deref());
    let queries = reading.inner.queries.clone();
    let given = Given::new(&reading, columns, rows);
    let plan = queries.plan_stream(&sql, &given, &reading.settings).await?;
    Ok(stored(rows.schema(), &plan.execute(&[]).await?)?)
}

/// Gives the columns at these places their defaults.
pub(crate) async fn defaulted(
    reading: Reading,
    columns: &[Column],
    rows: &RecordBatch,
    places: impl Fn(usize) -> bool,
) -> Result<RecordBatch, QueryError> {
    let missing = |i: usize, c: &Column| places(i) && c.default.is_some();
    if !columns.iter().enumerate().any(|(i, c)| missing(i, c)) {
        return Ok(rows.clone());
    }
    let sql = filled_by(columns, |i, c| c.default.as_deref().filter(|_| places(i)));
    let queries = reading.inner.queries.clone();
    let given = Given::new(&reading, columns, rows);
    let plan = queries.plan(&sql, &given, &reading.settings, &[]).await?;
    Ok(stored(rows.schema(), &plan.execute(&[]).await?)?)
}

/// The query of new rows in which some columns are computed.
fn filled_by<'a>(
    columns: &'a [Column],
    by: impl Fn(usize, &'a Column) -> Option<&'a str>,
) -> String {
    let items: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(i, c)| match by(i, c) {
            Some(expr) => format!("({expr})::{}", c.data_type),
            None => Ident::new(&c.name).quoted(),
        })
        .collect();
    format!("SELECT {} FROM {NEW_ROWS}", items.join(", "))
}

/// Batches as one batch of these columns.
fn stored(
    schema: arrow::datatypes::SchemaRef,
    batches: &[RecordBatch],
) -> Result<RecordBatch, ArrowError> {
    let types: Vec<ArrowType> = schema
        .fields()
        .iter()
        .map(|f| f.data_type().clone())
        .collect();
    let batches = batches
        .iter()
        .map(|batch| {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = cast_rows(batch, &types)?.columns().to_vec();
            RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        })
        .collect::<Result<Vec<_>, _>>()?;
    match batches.as_slice() {
        [one] => Ok(one.clone()),
        many => concat_batches(&schema, many),
    }
}

/// The columns that a statement writes: visible and not generated.
fn written(object: &Object) -> impl Iterator<Item = (usize, &Column)> {
    object
        .columns
        .iter()
        .enumerate()
        .filter(|(_, c)| !c.hidden && c.generated.is_none())
}

fn target(object: &Object) -> Target {
    Target {
        name: object.name.clone(),
        columns: written(object)
            .map(|(_, c)| TargetColumn {
                column: query_column(c),
                default: c.default.clone(),
                not_null: c.not_null,
            })
            .collect(),
    }
}

impl Session {
    pub(super) async fn change_rows(
        &mut self,
        verb: DmlVerb,
        table: &ObjectName,
        text: &str,
    ) -> Result<Outcome, SqlError> {
        if verb == DmlVerb::Insert {
            let object = self.changed_table(verb, table)?;
            check_columns(verb, &object, text)?;
            let reading = self.reading();
            let literals = self
                .inner
                .queries
                .insert_literals(text, &target(&object), &reading.settings)
                .map_err(|e| query_error(&e))?;
            if let Some(changes) = literals {
                return self.apply_changes(changes, None, verb, object.id).await;
            }
        }
        let dml = self.plan_dml(verb, table, text, &[]).await?;
        self.apply_dml(&dml.plan, dml.verb, dml.table, &[]).await
    }

    pub(super) async fn prepare_dml(
        &mut self,
        verb: DmlVerb,
        table: &ObjectName,
        text: &str,
        declared: &[Option<DataType>],
    ) -> Result<rwt_wire::Prepared, SqlError> {
        let dml = self.plan_dml(verb, table, text, declared).await?;
        Ok(rwt_wire::Prepared {
            sql: text.to_owned(),
            params: dml.plan.params().to_vec(),
            columns: dml.plan.returning().map(wire_columns),
            plan: Some(Arc::new(Kept::Dml(dml))),
        })
    }

    pub(super) async fn execute_dml(
        &mut self,
        dml: &Prepared,
        sql: &str,
        params: &[ScalarValue],
    ) -> Result<Outcome, SqlError> {
        let reading = self.reading().of_rows();
        match dml.plan.refreshed(&reading, reading.settings.now).await {
            Ok(plan) => self.apply_dml(&plan, dml.verb, dml.table, params).await,
            Err(QueryError::Stale(_)) => {
                let name = self
                    .inner
                    .queries
                    .target_of(sql)
                    .map_err(|e| query_error(&e))?;
                let declared: Vec<_> = dml.plan.params().iter().cloned().map(Some).collect();
                let again = self.plan_dml(dml.verb, &name, sql, &declared).await?;
                self.apply_dml(&again.plan, again.verb, again.table, params)
                    .await
            }
            Err(error) => Err(query_error(&error)),
        }
    }

    /// The table of a data change, refused if its rows cannot be changed by hand.
    fn changed_table(&self, verb: DmlVerb, name: &ObjectName) -> Result<Object, SqlError> {
        let catalog = self.inner.catalog();
        let missing = || SqlError::not_found("table", name.name());
        if name
            .schema()
            .is_some_and(|s| crate::catalog::SYSTEM_SCHEMAS.contains(&s))
        {
            return Err(missing());
        }
        catalog.check_schema(name)?;
        let object = catalog
            .find_relation(name, &self.path())
            .ok_or_else(missing)?;
        match object.kind() {
            Kind::Table => {}
            kind @ (Kind::MaterializedView | Kind::Index) => {
                return Err(invalid_input(format!(
                    "cannot change {} \"{}\"",
                    kind.noun(),
                    object.name
                )));
            }
            _ => return Err(missing()),
        }
        if verb != DmlVerb::Insert && object.append_only() {
            return Err(SqlError::internal(
                "Bind error: append-only table does not support update or delete",
            ));
        }
        Ok(object.clone())
    }

    async fn plan_dml(
        &mut self,
        verb: DmlVerb,
        table: &ObjectName,
        text: &str,
        declared: &[Option<DataType>],
    ) -> Result<Prepared, SqlError> {
        let object = self.changed_table(verb, table)?;
        check_columns(verb, &object, text)?;
        if verb != DmlVerb::Insert {
            self.load_lake_rows(object.id).await?;
        }
        // rows that are not in the lake yet can be changed too
        let reading = match verb {
            DmlVerb::Insert => self.reading(),
            _ => self.reading().of_rows(),
        };
        let plan = self
            .inner
            .queries
            .plan_dml(
                text,
                &target(&object),
                &reading,
                &reading.settings,
                declared,
            )
            .await
            .map_err(|e| query_error(&e))?;
        Ok(Prepared {
            verb,
            table: object.id,
            plan,
        })
    }

    async fn apply_dml(
        &mut self,
        plan: &PlannedDml,
        verb: DmlVerb,
        table: ObjectId,
        params: &[ScalarValue],
    ) -> Result<Outcome, SqlError> {
        let changes = plan.execute(params).await.map_err(|e| query_error(&e))?;
        self.apply_changes(changes, plan.returning(), verb, table)
            .await
    }

    /// Hands changes to the checkpoint and answers the statement.
    async fn apply_changes(
        &mut self,
        changes: Changes,
        returning: Option<&[rwt_query::Column]>,
        verb: DmlVerb,
        table: ObjectId,
    ) -> Result<Outcome, SqlError> {
        let catalog = self.inner.catalog();
        let object = catalog
            .get(table)
            .ok_or_else(|| internal("the table was dropped at the same moment"))?;
        let count = changes.count();
        if count > 0 {
            let dml = match verb {
                DmlVerb::Delete => Dml::Delete(table, changes.row_ids),
                DmlVerb::Insert => Dml::Insert(table, self.completed(object, &changes.rows).await?),
                DmlVerb::Update => {
                    let rows = self.completed(object, &changes.rows).await?;
                    Dml::Update(table, changes.row_ids, rows)
                }
            };
            self.inner.submit(dml)?;
        }
        if self.settings.is_on("implicit_flush") {
            self.inner.checkpoint().await?;
        }
        let tag = dml_tag(verb, count);
        Ok(match (changes.returning, returning) {
            (Some(rows), Some(columns)) => Outcome::Rows {
                columns: wire_columns(columns),
                rows: printed_rows(rows),
                tag: RowsTag::Fixed(tag),
            },
            _ => Outcome::done(tag),
        })
    }

    /// Rows of the written columns as rows of all stored columns.
    async fn completed(
        &self,
        object: &Object,
        rows: &[RecordBatch],
    ) -> Result<RecordBatch, SqlError> {
        let schema = stored_schema(object);
        let positions: Vec<usize> = written(object).map(|(i, _)| i).collect();
        let batches = rows
            .iter()
            .map(|batch| {
                let columns = schema
                    .fields()
                    .iter()
                    .enumerate()
                    .map(|(i, field)| match positions.iter().position(|p| *p == i) {
                        Some(at) => cast(batch.column(at), field.data_type()),
                        None => Ok(arrow::array::new_null_array(
                            field.data_type(),
                            batch.num_rows(),
                        )),
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                RecordBatch::try_new_with_options(schema.clone(), columns, &options)
            })
            .collect::<Result<Vec<_>, ArrowError>>()
            .map_err(internal)?;
        let all = stored(schema, &batches).map_err(internal)?;
        generate(self, &object.columns, &all).await
    }

    /// The rows of a lake table come into the engine before the first of them is changed.
    async fn load_lake_rows(&self, id: ObjectId) -> Result<(), SqlError> {
        let state = self.inner.state();
        let full = |progress: &LakeProgress| progress.full;
        if state.catalog.get(id).and_then(|o| o.lake()).is_none()
            || state.lakes.get(&id).is_some_and(|p| full(p))
        {
            return Ok(());
        }
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                let state = altering.staged.state.clone();
                let (Some(object), Some(progress), Some(table)) = (
                    state.catalog.get(id),
                    state.lakes.get(&id),
                    state.tables.get(&id),
                ) else {
                    return Ok(());
                };
                let Some(lake) = object.lake().filter(|_| !full(progress)) else {
                    return Ok(());
                };
                let scan = altering
                    .staged
                    .inner
                    .lake
                    .scan(&lake.namespace, &lake.table)
                    .await
                    .map_err(internal)?;
                let (next, pending) = (table.next_row_id(), table.parts().map_err(internal)?);
                altering.apply(Change::Create(id))?;
                for batch in scan.batches.iter() {
                    let (ids, rows) =
                        crate::stream::lake::split_ids(object, batch).map_err(internal)?;
                    let Some(ids) = ids else { continue };
                    let known: arrow::array::BooleanArray = ids
                        .iter()
                        .map(|i| Some(i.is_some_and(|i| i < progress.committed_before)))
                        .collect();
                    let kept = arrow::compute::filter(&ids, &known).map_err(internal)?;
                    let rows =
                        arrow::compute::filter_record_batch(&rows, &known).map_err(internal)?;
                    altering.apply(Change::Load(
                        id,
                        kept.as_primitive::<Int64Type>().clone(),
                        rows,
                        next,
                    ))?;
                }
                for (ids, rows) in pending {
                    altering.apply(Change::Load(id, ids, rows, next))?;
                }
                let empty = RecordBatch::new_empty(table.schema().clone());
                let none = arrow::array::Int64Array::from(Vec::<i64>::new());
                altering.apply(Change::Load(id, none, empty, next))?;
                let progress = LakeProgress {
                    full: true,
                    ..LakeProgress::clone(progress)
                };
                altering.apply(Change::Lake(id, Arc::new(progress), None))
            })
            .await
    }
}

/// Columns that a statement must not name: generated ones, and the key in UPDATE.
fn check_columns(verb: DmlVerb, object: &Object, text: &str) -> Result<(), SqlError> {
    let key = object.table().map(|t| t.key.as_slice()).unwrap_or_default();
    let generated = object.columns.iter().any(|c| c.generated.is_some());
    let wanted = match verb {
        DmlVerb::Insert => generated,
        DmlVerb::Update => generated || !key.is_empty(),
        DmlVerb::Delete => false,
    };
    if !wanted {
        return Ok(());
    }
    let Ok(statement) = rwt_query::parse_statement(text) else {
        return Ok(());
    };
    let names: Vec<String> = match &statement {
        Statement::Insert(insert) => insert.columns.iter().map(value).collect(),
        Statement::Update(update) => update
            .assignments
            .iter()
            .filter_map(|a| match &a.target {
                AssignmentTarget::ColumnName(name) => match name.0.last()? {
                    ObjectNamePart::Identifier(ident) => Some(value(ident)),
                    ObjectNamePart::Function(_) => None,
                },
                AssignmentTarget::Tuple(_) => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    for name in names {
        let Some(at) = object.column(&name) else {
            continue;
        };
        if verb == DmlVerb::Update && key.contains(&at) {
            return Err(SqlError::internal(
                "Bind error: update modifying the PK column is unsupported",
            ));
        }
        if object.columns[at].generated.is_some() {
            return Err(SqlError::internal(match verb {
                DmlVerb::Insert => format!(
                    "Bind error: cannot insert a non-DEFAULT value into column \"{name}\".  Column \"{name}\" is a generated column."
                ),
                _ => format!(
                    "Bind error: update modifying the generated column \"{name}\" is unsupported"
                ),
            }));
        }
    }
    Ok(())
}

fn value(ident: &SqlIdent) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}
