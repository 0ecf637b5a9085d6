//! A planned query: its columns and parameters, and its execution.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType as ArrowType, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use chrono::{DateTime, Utc};
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use rwt_sql::DataType;

use crate::bind::{Binder, BoundQuery, whole};
use crate::catalog::Key;
use crate::error::QueryError;
use crate::kernel::cast::{Typed, convert};
use crate::memory::Collected;
use crate::relation::{Column, Relation, Relations};
use crate::scan::RelationTable;
use crate::text::Style;
use crate::{types, value};

/// A query that was parsed, bound and typed. Executing it does none of that again.
#[derive(Clone)]
pub struct Plan {
    columns: Arc<Vec<Column>>,
    params: Arc<Vec<DataType>>,
    schema: SchemaRef,
    logical: Arc<LogicalPlan>,
    context: SessionContext,
    now: DateTime<Utc>,
    style: Style,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("columns", &self.columns)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

impl Plan {
    pub(crate) fn new(
        binder: &Binder<'_>,
        mut query: BoundQuery,
        context: &SessionContext,
    ) -> Result<Self, QueryError> {
        for column in &mut query.columns {
            column.bound = binder.default_type(column.bound.clone())?;
        }
        let exprs: Vec<_> = query.columns.iter().map(|c| c.bound.expr.clone()).collect();
        let aliased = exprs
            .into_iter()
            .enumerate()
            .map(|(i, expr)| expr.alias(format!("result#{i}")));
        let logical = datafusion::logical_expr::LogicalPlanBuilder::from(query.plan)
            .project(aliased)?
            .build()?;
        let logical = crate::unnest::unnest(logical, binder, &context.state())?;
        if whole::has_any(&logical)? {
            whole::refuse(&context.state().optimize(&logical)?, binder.streaming)?;
        }
        // The errors of a row are NULL.
        let is_lenient = binder.streaming
            || binder
                .settings
                .variables
                .get("batch_expr_strict_mode")
                .is_some_and(|strict| strict == "false");
        let logical = if is_lenient {
            crate::kernel::lenient_plan(logical)?
        } else {
            logical
        };
        let fields: Vec<_> = query
            .columns
            .iter()
            .map(|c| types::field(&c.name, &c.bound.data_type, c.bound.arrow.clone()))
            .collect();
        let columns = query
            .columns
            .into_iter()
            .map(|c| Column::new(c.name, c.bound.data_type))
            .collect();
        Ok(Self {
            columns: Arc::new(columns),
            params: Arc::new(binder.finish_params()?),
            schema: Arc::new(Schema::new(fields)),
            logical: Arc::new(logical),
            context: context.clone(),
            now: binder.settings.now,
            style: binder.style,
        })
    }

    /// Refuses what only a batch can join, see [`crate::Queries::check_stream`].
    pub(crate) fn refuse_nested_loops(&self) -> Result<(), QueryError> {
        let optimized = self.context.state().optimize(&self.logical)?;
        crate::bind::stream::refuse_nested_loops(&optimized)
    }

    /// Names and types of the result.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The types of `$1`, `$2`, …, as given or inferred.
    pub fn params(&self) -> &[DataType] {
        &self.params
    }

    /// The Arrow schema of the result; every field carries its RisingWave type ([`crate::TYPE_METADATA`]).
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The same plan over the relations' present rows and another time, for a statement that was prepared before.
    ///
    /// # Errors
    /// [`QueryError::Stale`] if a relation is gone or has other columns: plan the statement again.
    pub async fn refreshed(
        &self,
        relations: &dyn Relations,
        now: DateTime<Utc>,
    ) -> Result<Self, QueryError> {
        let mut keys: Vec<Key> = Vec::new();
        self.logical.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(table) = source_as_provider(&scan.source)?
                    .as_any()
                    .downcast_ref::<RelationTable>()
                && !keys.contains(table.key())
            {
                keys.push(table.key().clone());
            }
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        })?;
        let mut found: HashMap<Key, Relation> = HashMap::new();
        for key in keys {
            let relation = relations
                .relation(key.0.as_deref(), &key.1)
                .await?
                .ok_or_else(|| QueryError::Stale(key.1.clone()))?;
            found.insert(key, relation);
        }
        let logical = self
            .logical
            .as_ref()
            .clone()
            .transform_up_with_subqueries(|node| {
                let LogicalPlan::TableScan(mut scan) = node else {
                    return Ok(Transformed::no(node));
                };
                let provider = source_as_provider(&scan.source)?;
                let Some(table) = provider.as_any().downcast_ref::<RelationTable>() else {
                    return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
                };
                if let Some(relation) = found.get(table.key()) {
                    scan.source = provider_as_source(Arc::new(table.refreshed(relation)?));
                }
                Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
            })?;
        Ok(Self {
            logical: Arc::new(logical.data),
            now,
            ..self.clone()
        })
    }

    /// Runs the query and collects its rows.
    ///
    /// # Errors
    /// Also [`QueryError::Memory`] for a result that does not fit into the memory of queries.
    pub async fn execute(&self, params: &[ScalarValue]) -> Result<Vec<RecordBatch>, QueryError> {
        let mut rows = self.stream(params).await?;
        let mut collected = Collected::new(&self.context.runtime_env().memory_pool);
        while let Some(batch) = rows.try_next().await? {
            collected.push(batch)?;
        }
        Ok(collected.finish())
    }

    /// Runs the query batch by batch. Dropping the stream stops it.
    pub async fn stream(
        &self,
        params: &[ScalarValue],
    ) -> Result<BoxStream<'static, Result<RecordBatch, QueryError>>, QueryError> {
        let logical = self.with_values(params)?;
        let state: SessionState = self.context.state();
        let physical = state.create_physical_plan(&logical).await?;
        let physical = crate::own_batches::for_joins(physical)?;
        let stream = execute_stream(physical, self.context.task_ctx())?;
        let schema = self.schema.clone();
        Ok(stream
            .map(move |batch| finish(batch?, &schema))
            .try_filter(|batch| std::future::ready(batch.num_rows() > 0))
            .boxed())
    }

    fn with_values(&self, params: &[ScalarValue]) -> Result<LogicalPlan, QueryError> {
        if params.len() < self.params.len() {
            return Err(QueryError::invalid_input(format!(
                "the statement has {} parameters, {} values were given",
                self.params.len(),
                params.len()
            )));
        }
        let mut values: HashMap<String, ScalarAndMetadata> = HashMap::new();
        for (i, (value, to)) in params.iter().zip(self.params.iter()).enumerate() {
            let value = param_value(value, to, self.style)?;
            values.insert((i + 1).to_string(), ScalarAndMetadata::new(value, None));
        }
        let now = ScalarValue::TimestampMicrosecond(
            Some(self.now.timestamp_micros()),
            Some("UTC".into()),
        );
        let name = crate::execute::NOW.trim_start_matches('$').to_owned();
        values.insert(name, ScalarAndMetadata::new(now, None));
        Ok(self
            .logical
            .as_ref()
            .clone()
            .with_param_values(ParamValues::Map(values))?)
    }
}

/// A parameter's value in the Arrow form that the plan expects. Texts are read as the type.
fn param_value(
    value: &ScalarValue,
    to: &DataType,
    style: Style,
) -> Result<ScalarValue, QueryError> {
    let arrow = types::arrow_type(to);
    if value.is_null() {
        return Ok(ScalarValue::try_from(&arrow)?);
    }
    if value.data_type() == arrow {
        return Ok(value.clone());
    }
    let array = value.to_array()?;
    let from = match value.data_type() {
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::Varchar,
        ArrowType::Int16 => DataType::SmallInt,
        ArrowType::Int32 => DataType::Integer,
        ArrowType::Int64 => DataType::BigInt,
        ArrowType::Float32 => DataType::Real,
        ArrowType::Float64 => DataType::Double,
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Date32 => DataType::Date,
        ArrowType::Timestamp(_, None) => DataType::Timestamp,
        ArrowType::Timestamp(_, Some(_)) => DataType::Timestamptz,
        _ => to.clone(),
    };
    let from = Typed::new(from, value.data_type());
    let target = Typed::new(to.clone(), arrow.clone());
    let converted = convert(&value::read(&array, 0)?, &from, &target, style)?;
    Ok(ScalarValue::try_from_array(
        &value::build(&[converted], &arrow)?,
        0,
    )?)
}

/// Gives a batch the result's names, and its Arrow types where DataFusion chose others.
fn finish(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, QueryError> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| -> Result<ArrayRef, QueryError> {
            if column.data_type() == field.data_type() {
                Ok(column.clone())
            } else {
                Ok(arrow::compute::cast(column, field.data_type())?)
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        schema.clone(),
        columns,
        &options,
    )?)
}
