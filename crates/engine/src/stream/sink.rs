//! Sinks into tables and to Kafka, and what subscriptions keep. They run inside of the checkpoint that changed their input, so the rows and messages that
//! they make are durable in the same log record: after a crash nothing is lost, and nothing comes twice into a table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{cast, filter_record_batch, is_not_null};
use arrow::error::ArrowError;
use futures::FutureExt;

use super::barrier::{CheckpointError, Staged};
use super::changes::{Seen, keep};
use super::diff::{Delta, diff};
use super::messages::messages;
use crate::catalog::{Catalog, Object, ObjectId, Sink, SinkFrom, SinkMode};
use crate::reading::Reading;
use crate::session::dml::{defaulted, generated};

/// Rounds of sinks that feed one another.
const MAX_ROUNDS: usize = 64;

/// The stored relation whose rows a sink carries one to one, if it reads one directly.
fn direct_input(catalog: &Catalog, sink: &Sink) -> Option<ObjectId> {
    match sink.from {
        SinkFrom::Relation(id) => catalog.get(id).filter(|o| o.is_stored()).map(|o| o.id),
        SinkFrom::Query(_) => None,
    }
}

/// Tables and sources that a sink reads row by row.
pub(super) fn watched(catalog: &Catalog) -> HashSet<ObjectId> {
    carriers(catalog)
        .filter_map(|(_, sink)| direct_input(catalog, sink))
        .collect()
}

/// The sinks through which rows go.
fn carriers(catalog: &Catalog) -> impl Iterator<Item = (&Object, &Sink)> {
    catalog
        .objects
        .values()
        .filter_map(|o| Some((o, o.sink().filter(|s| s.carries())?)))
}

/// Carries on what the checkpoint changed, until nothing moves any more.
pub(super) async fn run(staged: &mut Staged<'_>) -> Result<(), CheckpointError> {
    let mut before = versions(staged);
    let published = staged.inner.state();
    let mut changed: HashSet<ObjectId> = before
        .iter()
        .filter(|(id, version)| {
            published
                .tables
                .get(id)
                .is_none_or(|t| t.version() != **version)
        })
        .map(|(id, _)| *id)
        .collect();
    let mut seen = Seen::default();
    for _ in 0..MAX_ROUNDS {
        if changed.is_empty() {
            return keep(staged, seen).boxed().await;
        }
        let deltas = std::mem::take(&mut staged.deltas);
        seen.add(&deltas, &changed);
        let catalog = staged.state.catalog.clone();
        for (object, sink) in carriers(&catalog) {
            let delta = match direct_input(&catalog, sink) {
                Some(input) => deltas
                    .get(&input)
                    .cloned()
                    .map(|d| visible(&catalog, input, d))
                    .transpose()?,
                None if catalog
                    .inputs(object.id)
                    .iter()
                    .any(|i| changed.contains(i)) =>
                {
                    recomputed(staged, object, Input::of(sink)).await?
                }
                None => None,
            };
            if let Some(delta) = delta {
                carry(staged, object, sink, &delta).await?;
            }
        }
        let after = versions(staged);
        changed = after
            .iter()
            .filter(|(id, version)| before.get(id) != Some(version))
            .map(|(id, _)| *id)
            .collect();
        before = after;
    }
    tracing::warn!(
        "sinks feed one another in a circle; the rest of the rows follows with the next checkpoint"
    );
    keep(staged, seen).boxed().await
}

fn versions(staged: &Staged<'_>) -> HashMap<ObjectId, u64> {
    staged
        .state
        .tables
        .iter()
        .map(|(id, table)| (*id, table.version()))
        .collect()
}

/// Carries the rows that are there when the sink is created.
pub(crate) async fn backfill(staged: &mut Staged<'_>, id: ObjectId) -> Result<(), CheckpointError> {
    let catalog = staged.state.catalog.clone();
    let Some((object, sink)) = catalog.get(id).and_then(|o| Some((o, o.sink()?))) else {
        return Ok(());
    };
    if !sink.carries() {
        return Ok(());
    }
    let is_wanted = !sink
        .option("snapshot")
        .is_some_and(|v| v.eq_ignore_ascii_case("false"));
    let delta = match direct_input(&catalog, sink) {
        Some(input) => {
            let reading = Reading::of_stream(staged.inner, Arc::new(staged.state.clone()));
            let relation = reading.stored_rows(input).await;
            let inserted = match relation {
                Ok(rows) => rows.as_ref().clone(),
                Err(error) => {
                    tracing::error!(sink = object.name, %error, "the rows before the sink cannot be read");
                    return Ok(());
                }
            };
            let delta = Delta {
                inserted,
                deleted: Vec::new(),
            };
            Some(visible(&catalog, input, delta)?)
        }
        None => recomputed(staged, object, Input::of(sink)).await?,
    };
    match delta.filter(|_| is_wanted) {
        Some(delta) => carry(staged, object, sink, &delta).await,
        None => Ok(()),
    }
}

/// The rows without hidden columns.
fn visible(catalog: &Catalog, input: ObjectId, delta: Delta) -> Result<Delta, ArrowError> {
    let Some(object) = catalog.get(input) else {
        return Ok(delta);
    };
    let shown: Vec<usize> = (0..object.columns.len())
        .filter(|i| !object.columns[*i].hidden)
        .collect();
    let project = |batches: &[RecordBatch]| {
        batches
            .iter()
            .map(|b| b.project(&shown))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Delta {
        inserted: project(&delta.inserted)?,
        deleted: project(&delta.deleted)?,
    })
}

/// What a sink or a subscription reads.
pub(super) enum Input<'a> {
    /// A query, in the time zone that its session had.
    Query { sql: &'a str, timezone: &'a str },
    /// All rows of a relation.
    Relation(ObjectId),
}

impl<'a> Input<'a> {
    fn of(sink: &'a Sink) -> Self {
        match &sink.from {
            SinkFrom::Query(sql) => Self::Query {
                sql,
                timezone: &sink.timezone,
            },
            SinkFrom::Relation(id) => Self::Relation(*id),
        }
    }
}

/// What changed in the result of a sink's or a subscription's query since it was computed last.
pub(super) async fn recomputed(
    staged: &mut Staged<'_>,
    object: &Object,
    input: Input<'_>,
) -> Result<Option<Delta>, CheckpointError> {
    let rows = match result(staged, input).await {
        Ok(rows) => rows,
        Err(error) => {
            // as in RisingWave a stream does not end because of one value; the rows follow when the query works again
            tracing::error!(reader = object.name, %error, "the query failed");
            return Ok(None);
        }
    };
    let old = staged
        .writer
        .outputs
        .get(&object.id)
        .cloned()
        .unwrap_or_default();
    let delta = diff(&old, &rows)?;
    staged.writer.outputs.insert(object.id, rows);
    Ok((!delta.is_empty()).then_some(delta))
}

/// The present result of what a sink or a subscription reads.
pub(super) async fn result(
    staged: &Staged<'_>,
    input: Input<'_>,
) -> Result<Arc<Vec<RecordBatch>>, rwt_query::QueryError> {
    let reading = Reading::of_stream(staged.inner, Arc::new(staged.state.clone()));
    match input {
        Input::Query { sql, timezone } => {
            let reading = reading.in_zone(timezone);
            Ok(Arc::new(reading.rows_of(sql).await?))
        }
        Input::Relation(id) => reading.visible_rows(id).await,
    }
}

/// Writes a sink's rows into its table, or their messages into its outbox.
async fn carry(
    staged: &mut Staged<'_>,
    object: &Object,
    sink: &Sink,
    delta: &Delta,
) -> Result<(), CheckpointError> {
    let net;
    let delta = if sink.mode == SinkMode::Upsert && !delta.deleted.is_empty() {
        // a row that came and went within the checkpoint is neither here nor there
        net = diff(&delta.deleted, &delta.inserted)?;
        &net
    } else {
        delta
    };
    if let Some(how) = &sink.messages {
        let batch = messages(&object.columns, how, delta)?;
        staged.insert(object.id, &[batch])?;
    }
    let Some((target, positions)) = &sink.into else {
        return Ok(());
    };
    if sink.mode == SinkMode::Upsert {
        for batch in &delta.deleted {
            let batch = shaped(staged, *target, positions, batch).await?;
            let rows = staged.find(*target, &batch)?;
            staged.delete(*target, &rows)?;
        }
    }
    let mut rows = Vec::with_capacity(delta.inserted.len());
    for batch in &delta.inserted {
        let batch = shaped(staged, *target, positions, batch).await?;
        rows.push(without_nulls(staged, *target, &batch)?);
    }
    staged.insert(*target, &rows)?;
    Ok(())
}

/// The rows that have a value in every NOT NULL column; RisingWave's tables leave out the others that a sink brings.
fn without_nulls(
    staged: &Staged<'_>,
    target: ObjectId,
    batch: &RecordBatch,
) -> Result<RecordBatch, ArrowError> {
    let Some(object) = staged.state.catalog.get(target) else {
        return Ok(batch.clone());
    };
    let mut kept = batch.clone();
    for (i, column) in object.columns.iter().enumerate() {
        let Some(values) = kept.columns().get(i).filter(|_| column.not_null) else {
            continue;
        };
        if values.null_count() > 0 {
            kept = filter_record_batch(&kept, &is_not_null(values)?)?;
        }
    }
    Ok(kept)
}

/// A sink's rows as rows of its table: input column `i` goes to column `positions[i]`; the rest has its default, or is
/// computed.
async fn shaped(
    staged: &Staged<'_>,
    target: ObjectId,
    positions: &[usize],
    batch: &RecordBatch,
) -> Result<RecordBatch, CheckpointError> {
    let schema = staged
        .state
        .tables
        .get(&target)
        .map(|t| t.schema().clone())
        .ok_or(crate::storage::StorageError::UnknownTable(target))?;
    let columns = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(i, field)| -> Result<ArrayRef, ArrowError> {
            match positions
                .iter()
                .position(|p| *p == i)
                .and_then(|from| batch.columns().get(from))
            {
                Some(column) => cast(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let rows = RecordBatch::try_new_with_options(schema, columns, &options)?;
    let Some(object) = staged.state.catalog.get(target) else {
        return Ok(rows);
    };
    let reading = || Reading::of_stream(staged.inner, Arc::new(staged.state.clone()));
    let missing = |i: usize| !positions.contains(&i);
    let rows = match defaulted(reading(), &object.columns, &rows, missing).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::error!(table = object.name, %error, "a default cannot be computed");
            rows
        }
    };
    Ok(generated(reading(), &object.columns, &rows).await?)
}

/// After a restart: the last results of the sinks that compare, computed from the recovered state. They are what the
/// sinks had seen, because sinks run inside of checkpoints.
pub(crate) async fn recover(staged: &mut Staged<'_>) {
    let catalog = staged.state.catalog.clone();
    for (object, sink) in carriers(&catalog) {
        if direct_input(&catalog, sink).is_some() {
            continue;
        }
        match result(staged, Input::of(sink)).await {
            Ok(rows) => {
                staged.writer.outputs.insert(object.id, rows);
            }
            Err(error) => tracing::error!(sink = object.name, %error, "the sink's query failed"),
        }
    }
    super::changes::recover(staged).boxed().await;
}
