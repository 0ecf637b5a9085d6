//! SELECT, in the simple and the extended protocol.

use std::any::Any;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use rwt_query::{Column as QueryColumn, Plan, QueryError, ScalarValue};
use rwt_sql::statement::Show;
use rwt_sql::{DataType, Statement};
use rwt_wire::{Column, Outcome, Param, Prepared, RowStream, SqlError};

use super::{Session, dml, query_error, wire_columns};

/// What a prepared statement keeps.
pub(super) enum Kept {
    /// A query.
    Query(Plan),
    /// A data change.
    Dml(dml::Prepared),
}

/// The rows of a plan as the wire takes them.
async fn stream(plan: &Plan, params: &[ScalarValue]) -> Result<RowStream, SqlError> {
    let rows = plan.stream(params).await.map_err(|e| query_error(&e))?;
    Ok(Box::pin(rows.map(|batch| {
        let batch = batch.map_err(|e| query_error(&e))?;
        rwt_query::printed(&batch).map_err(crate::engine::internal)
    })))
}

impl Session {
    async fn plan(&self, sql: &str, declared: &[Option<DataType>]) -> Result<Plan, SqlError> {
        let reading = self.reading();
        self.inner
            .queries
            .plan(sql, &reading, &reading.settings, declared)
            .await
            .map_err(|e| query_error(&e))
    }

    /// The columns of a query.
    pub(super) async fn describe_query(&self, sql: &str) -> Result<Vec<QueryColumn>, SqlError> {
        Ok(self.plan(sql, &[]).await?.columns().to_vec())
    }

    /// The columns of a query that will run as a stream.
    pub(super) async fn describe_stream(&self, sql: &str) -> Result<Vec<QueryColumn>, SqlError> {
        let reading = self.reading();
        if reading.reads_system(sql) {
            return Err(super::not_implemented(
                "streaming on system table is not allowed",
            ));
        }
        let plan = self
            .inner
            .queries
            .check_stream(sql, &reading, &reading.settings)
            .await;
        Ok(plan.map_err(|e| query_error(&e))?.columns().to_vec())
    }

    /// A query's columns and all its rows.
    pub(super) async fn select_all(
        &self,
        sql: &str,
    ) -> Result<(Vec<QueryColumn>, Vec<RecordBatch>), SqlError> {
        let plan = self.plan(sql, &[]).await?;
        let rows = plan.execute(&[]).await.map_err(|e| query_error(&e))?;
        Ok((plan.columns().to_vec(), rows))
    }

    pub(super) async fn select(&self, sql: &str) -> Result<Outcome, SqlError> {
        let plan = self.plan(sql, &[]).await?;
        Ok(Outcome::select(
            wire_columns(plan.columns()),
            stream(&plan, &[]).await?,
        ))
    }

    /// `COPY (query) TO STDOUT`
    pub(super) async fn copy(&self, text: &str) -> Result<Outcome, SqlError> {
        let refused = || super::not_implemented(format!("{} in the embedded engine", short(text)));
        let inner = text.trim().get(4..).map(str::trim).ok_or_else(refused)?;
        let (open, close) = (inner.starts_with('('), inner.rfind(')'));
        let (true, Some(close)) = (open, close) else {
            return Err(refused());
        };
        let tail = inner[close + 1..]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if !tail.eq_ignore_ascii_case("to stdout") {
            return Err(refused());
        }
        let plan = self.plan(&inner[1..close], &[]).await?;
        Ok(Outcome::CopyOut {
            columns: wire_columns(plan.columns()),
            rows: stream(&plan, &[]).await?,
        })
    }

    pub(super) async fn prepare_query(
        &self,
        sql: &str,
        declared: &[Option<DataType>],
    ) -> Result<Prepared, SqlError> {
        let plan = self.plan(sql, declared).await?;
        Ok(Prepared {
            sql: sql.to_owned(),
            params: plan.params().to_vec(),
            columns: Some(wire_columns(plan.columns())),
            plan: Some(Arc::new(Kept::Query(plan))),
        })
    }

    pub(super) async fn execute_prepared(
        &mut self,
        kept: Arc<dyn Any + Send + Sync>,
        prepared: &Prepared,
        params: Vec<Param>,
    ) -> Result<Outcome, SqlError> {
        let kept = kept
            .downcast::<Kept>()
            .map_err(|_| crate::engine::internal("a prepared statement of another kind"))?;
        let values = params
            .iter()
            .zip(&prepared.params)
            .map(|(value, data_type)| scalar(value, data_type))
            .collect::<Result<Vec<_>, _>>()?;
        match kept.as_ref() {
            Kept::Query(plan) => {
                let reading = self.reading();
                let plan = match plan.refreshed(&reading, reading.settings.now).await {
                    Err(QueryError::Stale(_)) => {
                        let declared: Vec<_> = prepared.params.iter().cloned().map(Some).collect();
                        let plan = self.plan(&prepared.sql, &declared).await?;
                        let columns = wire_columns(plan.columns());
                        if Some(&columns) != prepared.columns.as_ref() {
                            return Err(SqlError::internal(
                                "the relations of the prepared statement have other columns now; prepare it again",
                            ));
                        }
                        plan
                    }
                    other => other.map_err(|e| query_error(&e))?,
                };
                Ok(Outcome::select(
                    wire_columns(plan.columns()),
                    stream(&plan, &values).await?,
                ))
            }
            Kept::Dml(dml) => self.execute_dml(dml, &prepared.sql, &values).await,
        }
    }

    /// The columns of statements that are neither queries nor data changes.
    pub(super) fn columns_of(&self, statement: &Statement) -> Option<Vec<Column>> {
        match statement {
            Statement::Show(show) => Some(Self::show_columns(show)),
            Statement::Describe(_) => Some(Self::show_columns(&Show::Columns(
                rwt_sql::ObjectName(Vec::new()),
            ))),
            Statement::FetchCursor { name, .. } => {
                let cursor = self.cursors.get(name.value())?;
                Some(cursor.columns())
            }
            Statement::Explain { .. } => Some(vec![Column::new("QUERY PLAN", DataType::Varchar)]),
            _ => None,
        }
    }
}

pub(super) fn rows(columns: Vec<Column>, batches: Vec<RecordBatch>, tag: &str) -> Outcome {
    Outcome::Rows {
        columns,
        rows: printed_rows(batches),
        tag: rwt_wire::RowsTag::Fixed(tag.to_owned()),
    }
}

/// Rows at hand as the wire takes them.
pub(super) fn printed_rows(batches: Vec<RecordBatch>) -> RowStream {
    Box::pin(futures::stream::iter(batches.into_iter().map(|batch| {
        rwt_query::printed(&batch).map_err(crate::engine::internal)
    })))
}

/// The first words of a statement.
fn short(text: &str) -> String {
    text.split_whitespace()
        .take(5)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A numeric as DataFusion takes it.
fn numeric(text: &str) -> Result<ScalarValue, SqlError> {
    let code = rwt_query::numeric_code(text.trim_end_matches('.'))
        .ok_or_else(|| SqlError::internal("Numeric out of range"))?;
    ScalarValue::new_primitive::<arrow::datatypes::Decimal256Type>(
        Some(code),
        &rwt_query::arrow_type(&DataType::Numeric),
    )
    .map_err(crate::engine::internal)
}

/// A parameter as DataFusion takes it.
fn scalar(value: &Param, data_type: &DataType) -> Result<ScalarValue, SqlError> {
    let failed = |e: datafusion::error::DataFusionError| crate::engine::internal(e);
    Ok(match value {
        Param::Null => ScalarValue::try_from(&rwt_query::arrow_type(data_type)).map_err(failed)?,
        Param::Boolean(v) => ScalarValue::Boolean(Some(*v)),
        Param::SmallInt(v) => ScalarValue::Int16(Some(*v)),
        Param::Integer(v) => ScalarValue::Int32(Some(*v)),
        Param::BigInt(v) => ScalarValue::Int64(Some(*v)),
        Param::Real(v) => ScalarValue::Float32(Some(*v)),
        Param::Double(v) => ScalarValue::Float64(Some(*v)),
        Param::Numeric { unscaled, scale } => {
            let digits = usize::from(*scale);
            let text = format!("{:0>1$}", unscaled.unsigned_abs(), digits + 1);
            let (whole, fraction) = text.split_at(text.len() - digits);
            let sign = if *unscaled < 0 { "-" } else { "" };
            numeric(&format!("{sign}{whole}.{fraction}"))?
        }
        Param::NonFinite(value) => numeric(value.text())?,
        Param::Varchar(v) | Param::Jsonb(v) | Param::Int256(v) => {
            ScalarValue::Utf8(Some(v.clone()))
        }
        Param::Bytea(v) => ScalarValue::Binary(Some(v.clone())),
        Param::Date(v) => ScalarValue::Date32(Some(*v)),
        Param::Time(v) => ScalarValue::Time64Microsecond(Some(*v)),
        Param::Timestamp(v) => ScalarValue::TimestampMicrosecond(Some(*v), None),
        Param::Timestamptz(v) => ScalarValue::TimestampMicrosecond(Some(*v), Some("UTC".into())),
        Param::Interval {
            months,
            days,
            micros,
        } => ScalarValue::IntervalMonthDayNano(Some(arrow::datatypes::IntervalMonthDayNano::new(
            *months,
            *days,
            micros.saturating_mul(1000),
        ))),
        Param::List { item, values } => {
            let inner = values
                .iter()
                .map(|v| scalar(v, item))
                .collect::<Result<Vec<_>, _>>()?;
            let arrow = rwt_query::arrow_type(item);
            ScalarValue::List(ScalarValue::new_list_nullable(&inner, &arrow))
        }
        Param::Struct(_) => {
            return Err(super::not_implemented(
                "a parameter of type struct in the embedded engine",
            ));
        }
    })
}
