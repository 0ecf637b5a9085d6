//! Tables in the lake: their new rows wait in the engine and are committed every few checkpoints.
//!
//! A commit has two steps in the log. First a record says which rows the commit with a certain id holds; then the rows
//! go to the lake under that id; then a record says that they are there. After a crash between the steps the same rows
//! are sent again under the same id, and the lake, which knows the id, takes them once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::barrier::Staged;
use crate::catalog::{LakeTable, Object, ObjectId};
use crate::engine::Inner;
use crate::storage::{Change, LakeProgress, OpenCommit, State, StorageError, stored_schema};

/// The extra first column of a lake table without a key, as RisingWave makes it (`golden/facts.md` 15).
pub(crate) const ROW_ID: &str = "_risingwave_iceberg_row_id";

/// A commit on its way to the lake.
pub(crate) struct Commit {
    table: ObjectId,
    lake: LakeTable,
    schema: SchemaRef,
    open: OpenCommit,
    rows: Vec<RecordBatch>,
}

/// Digits after the point of numerics in the lake, as RisingWave has them.
const LAKE_SCALE: i8 = 10;

/// The Arrow schema of a table in the lake.
pub(crate) fn lake_schema(object: &Object) -> SchemaRef {
    let mut fields = Vec::new();
    if object.table().is_none_or(|t| t.key.is_empty()) {
        fields.push(Field::new(ROW_ID, DataType::Int64, true));
    }
    fields.extend(stored_schema(object).fields().iter().map(|field| {
        let arrow = rwt_query::decimal_type(field.data_type(), LAKE_SCALE);
        field.as_ref().clone().with_data_type(arrow)
    }));
    Arc::new(Schema::new(fields))
}

/// Notes finished commits and begins those that are due. The returned ones are to be sent after the checkpoint.
pub(super) fn advance(staged: &mut Staged<'_>) -> Result<Vec<Commit>, StorageError> {
    for (id, open, rows) in staged.inner.take_committed() {
        let Some(progress) = staged.state.lakes.get(&id) else {
            continue;
        };
        if progress.open.as_ref() != Some(&open) {
            continue;
        }
        let progress = LakeProgress {
            commits: progress.commits + 1,
            committed_rows: if open.replace {
                rows
            } else {
                progress.committed_rows + rows
            },
            last_commit_at: Some(chrono::Utc::now().timestamp_micros()),
            committed_before: open.before,
            full: progress.full,
            // rows that changed while the commit was on its way
            rewrite: progress.rewrite,
            open: None,
        };
        let purge = (!progress.full).then_some(open.before);
        staged.apply(Change::Lake(id, Arc::new(progress), purge))?;
    }
    let tick = staged.inner.ticks.load(Ordering::Relaxed);
    let catalog = staged.state.catalog.clone();
    let mut begun = Vec::new();
    for object in catalog.objects.values() {
        let Some(lake) = object.lake() else { continue };
        let Some(progress) = staged.state.lakes.get(&object.id).cloned() else {
            continue;
        };
        let Some(table) = staged.state.tables.get(&object.id).cloned() else {
            continue;
        };
        let waiting = progress.rewrite || table.next_row_id() > progress.committed_before;
        if progress.open.is_some()
            || !waiting
            || !staged
                .inner
                .commit_due(object.id, tick, lake.commit_interval)
        {
            continue;
        }
        let open = OpenCommit {
            id: format!(
                "{}-{}-{}",
                catalog.engine_id,
                object.id,
                progress.commits + 1
            ),
            before: table.next_row_id(),
            replace: progress.rewrite,
        };
        let progress = LakeProgress {
            open: Some(open),
            rewrite: false,
            ..LakeProgress::clone(&progress)
        };
        staged.apply(Change::Lake(object.id, Arc::new(progress), None))?;
        begun.extend(commit_of(&staged.state, object)?);
    }
    Ok(begun)
}

/// The open commit of a table, with its rows.
pub(crate) fn commit_of(state: &State, object: &Object) -> Result<Option<Commit>, StorageError> {
    let (Some(lake), Some(progress), Some(table)) = (
        object.lake(),
        state.lakes.get(&object.id),
        state.tables.get(&object.id),
    ) else {
        return Ok(None);
    };
    let Some(open) = progress.open.clone() else {
        return Ok(None);
    };
    let from = if open.replace {
        i64::MIN
    } else {
        progress.committed_before
    };
    let schema = lake_schema(object);
    let with_ids = schema.field(0).name() == ROW_ID;
    let mut rows = Vec::new();
    for (ids, batch) in table.parts()? {
        let first = ids.values().partition_point(|id| *id < from);
        let last = ids.values().partition_point(|id| *id < open.before);
        if first < last {
            let mut columns: Vec<ArrayRef> = Vec::new();
            if with_ids {
                columns.push(Arc::new(ids.slice(first, last - first)));
            }
            let stored = batch.slice(first, last - first);
            let decimals = rwt_query::to_decimals(&stored, LAKE_SCALE)?;
            columns.extend(decimals.columns().iter().cloned());
            rows.push(RecordBatch::try_new(schema.clone(), columns)?);
        }
    }
    Ok(Some(Commit {
        table: object.id,
        lake: lake.clone(),
        schema,
        open,
        rows,
    }))
}

/// Sends a commit to the lake, again and again until it is there; then the next checkpoint notes it.
pub(crate) fn spawn_commit(inner: &Arc<Inner>, commit: Commit) {
    let inner = inner.clone();
    tokio::spawn(async move {
        let count: usize = commit.rows.iter().map(RecordBatch::num_rows).sum();
        let mut pause = Duration::from_millis(100);
        while let Err(error) = send(&inner, &commit).await {
            if inner.stopping() || !inner.state().tables.contains_key(&commit.table) {
                return;
            }
            inner.trouble(commit.table, Some(error.to_string()));
            tracing::warn!(table = commit.lake.table, %error, "a commit to the lake failed and is tried again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
        inner.trouble(commit.table, None);
        inner.committed(commit.table, commit.open, count as u64);
    });
}

async fn send(inner: &Inner, commit: &Commit) -> Result<(), rwt_lake::LakeError> {
    let (namespace, name) = (&commit.lake.namespace, &commit.lake.table);
    let lake = &inner.lake;
    let exists = lake.table_exists(namespace, name).await?;
    if exists && lake.last_commit_id(namespace, name).await?.as_deref() == Some(&commit.open.id) {
        return Ok(());
    }
    if commit.open.replace {
        // appends are all that the Iceberg library commits, so a changed table is written anew
        if exists {
            lake.drop_table(namespace, name).await?;
        }
        lake.create_table(namespace, name, &commit.schema).await?;
    } else if !exists {
        lake.create_table(namespace, name, &commit.schema).await?;
    }
    if commit.rows.iter().any(|b| b.num_rows() > 0) {
        lake.append(namespace, name, commit.rows.clone(), &commit.open.id)
            .await?;
    }
    Ok(())
}

/// Splits the row ids off a lake table's rows: ids and rows of the table's own columns.
pub(crate) fn split_ids(
    object: &Object,
    batch: &RecordBatch,
) -> Result<(Option<arrow::array::Int64Array>, RecordBatch), ArrowError> {
    use arrow::array::AsArray;
    let schema = stored_schema(object);
    let batch = &rwt_query::from_decimals(batch, false)?;
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => arrow::compute::cast(column, field.data_type()),
            None => Ok(arrow::array::new_null_array(
                field.data_type(),
                batch.num_rows(),
            )),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let ids = batch
        .column_by_name(ROW_ID)
        .and_then(|c| c.as_primitive_opt::<arrow::datatypes::Int64Type>().cloned());
    Ok((ids, RecordBatch::try_new(schema, columns)?))
}
