//! Temporal joins of materialized views. A new row on the left side is joined with the right sides as the checkpoint before
//! left them, and what it met is kept with the view: later changes there do not reach it.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use super::barrier::{CheckpointError, Staged};
use crate::catalog::{Body, ObjectId, Temporal};
use crate::reading::Reading;
use crate::storage::{Change, SourceProgress, State, StorageError};

/// The only partition of a left side.
const ROWS: i32 = 0;

/// The temporal joins of a view, and the time zone in which it computes.
struct Joins {
    view: ObjectId,
    temporal: Temporal,
    timezone: String,
}

fn joins(state: &State) -> Vec<Joins> {
    let objects = state.catalog.objects.values();
    let temporal = objects.filter_map(|o| match &o.body {
        Body::MaterializedView(view) => Some(Joins {
            view: o.id,
            temporal: view.temporal.clone()?,
            timezone: view.timezone.clone(),
        }),
        _ => None,
    });
    temporal.collect()
}

/// Joins what came on the left sides since the last checkpoint, and forgets what belongs to rows that are gone.
pub(super) async fn run(staged: &mut Staged<'_>) -> Result<(), CheckpointError> {
    let published = staged.inner.state();
    for joins in joins(&staged.state) {
        let right = match published.tables.contains_key(&joins.view) {
            true => published.clone(),
            false => Arc::new(staged.state.clone()),
        };
        advance(staged, &joins, right).await?;
    }
    Ok(())
}

/// Joins the rows that are there when the view is created.
pub(crate) async fn backfill(
    staged: &mut Staged<'_>,
    view: ObjectId,
) -> Result<(), CheckpointError> {
    let found = joins(&staged.state)
        .into_iter()
        .find(|joins| joins.view == view);
    if let Some(joins) = found {
        let right = Arc::new(staged.state.clone());
        advance(staged, &joins, right).await?;
    }
    Ok(())
}

async fn advance(
    staged: &mut Staged<'_>,
    joins: &Joins,
    right: Arc<State>,
) -> Result<(), CheckpointError> {
    let (view, temporal) = (joins.view, &joins.temporal);
    forget(staged, view, temporal)?;
    let Some(left) = staged.state.tables.get(&temporal.left) else {
        return Ok(());
    };
    let done = staged.state.sources.get(&view).and_then(|progress| {
        let rows = progress.partitions.get(&ROWS)?;
        rows.position
    });
    let (from, next) = (done.unwrap_or(0), left.next_row_id());
    if from >= next {
        return Ok(());
    }
    let reading = Reading::of_stream(staged.inner, Arc::new(staged.state.clone()))
        .in_zone(&joins.timezone)
        .with_past(temporal.rights.iter().map(|(id, _)| *id).collect(), right);
    let rows = reading
        .rows_of(&format!("{}{from}", temporal.probe))
        .await?;
    for batch in rows {
        add(staged, view, &batch)?;
    }
    let mut progress = SourceProgress::default();
    progress.partitions.entry(ROWS).or_default().position = Some(next);
    staged.apply(Change::Source(view, Arc::new(progress)))?;
    Ok(())
}

fn add(staged: &mut Staged<'_>, view: ObjectId, batch: &RecordBatch) -> Result<(), StorageError> {
    let Some(table) = staged.state.tables.get(&view) else {
        return Ok(());
    };
    let batch = RecordBatch::try_new(table.schema().clone(), batch.columns().to_vec())?;
    staged.apply(Change::Insert(view, batch))
}

/// What rows met that are gone; a row that is updated has another number and is joined anew.
fn forget(
    staged: &mut Staged<'_>,
    view: ObjectId,
    temporal: &Temporal,
) -> Result<(), StorageError> {
    let (Some(left), Some(kept)) = (
        staged.state.tables.get(&temporal.left),
        staged.state.tables.get(&view),
    ) else {
        return Ok(());
    };
    let append_only = staged.state.catalog.get(temporal.left);
    if append_only.is_some_and(|object| object.append_only()) {
        return Ok(());
    }
    let mut gone = Vec::new();
    for (ids, batch) in kept.parts()? {
        let rows = batch.column(0).as_primitive::<Int64Type>();
        let pairs = ids.values().iter().zip(rows.values());
        gone.extend(
            pairs
                .filter(|(_, row)| !left.contains(**row))
                .map(|(id, _)| *id),
        );
    }
    match gone.is_empty() {
        true => Ok(()),
        false => staged.apply(Change::Delete(view, gone)),
    }
}
