//! What subscriptions keep: the changes of a relation, checkpoint by checkpoint. They are rows of a table of the
//! subscription's own, written with the checkpoint that made them, so that after a crash they tell what was.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches, interleave};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use rwt_sql::DataType;

use super::barrier::{CheckpointError, Staged};
use super::diff::{Delta, diff};
use super::sink::{Input, recomputed};
use crate::catalog::{Body, Catalog, Column, Object, ObjectId, Subscription};
use crate::storage::Change;

/// The words of `op`.
pub(crate) const INSERT: &str = "Insert";
const DELETE: &str = "Delete";
const UPDATE_INSERT: &str = "UpdateInsert";
const UPDATE_DELETE: &str = "UpdateDelete";

/// The columns of a subscription's changes: those of its relation, what happened, and when in milliseconds since 1970.
pub(crate) fn log_columns(columns: &[Column]) -> Vec<rwt_query::Column> {
    let shown = columns.iter().filter(|column| !column.hidden);
    let mut columns: Vec<_> = shown.map(crate::reading::query_column).collect();
    columns.push(rwt_query::Column::new("op", DataType::Varchar));
    columns.push(rwt_query::Column::new("rw_timestamp", DataType::BigInt));
    columns
}

/// Rows of a relation as rows of a subscription: what happened to each, and when.
pub(crate) fn log_batch(
    schema: &SchemaRef,
    rows: &[ArrayRef],
    ops: Vec<&str>,
    at: Option<i64>,
) -> Result<RecordBatch, ArrowError> {
    let stamps: Int64Array = ops.iter().map(|_| at).collect();
    let ops: ArrayRef = Arc::new(StringArray::from(ops));
    let stamps: ArrayRef = Arc::new(stamps);
    let all = rows.iter().chain([&ops, &stamps]);
    let columns = all
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}

/// All subscriptions.
fn subscriptions(catalog: &Catalog) -> impl Iterator<Item = (&Object, &Subscription)> {
    catalog
        .objects
        .values()
        .filter_map(|object| match &object.body {
            Body::Subscription(subscription) => Some((object, subscription)),
            _ => None,
        })
}

/// Tables whose changes are kept row by row.
pub(super) fn watched(catalog: &Catalog) -> HashSet<ObjectId> {
    subscriptions(catalog)
        .filter(|(_, subscription)| is_stored(catalog, subscription.from))
        .map(|(_, subscription)| subscription.from)
        .collect()
}

fn is_stored(catalog: &Catalog, id: ObjectId) -> bool {
    catalog.get(id).is_some_and(Object::is_stored)
}

/// What happened within one checkpoint.
#[derive(Default)]
pub(super) struct Seen {
    /// Rows that came and went, of tables.
    deltas: HashMap<ObjectId, Delta>,
    /// Tables and sources that changed.
    changed: HashSet<ObjectId>,
}

impl Seen {
    /// Adds what happened in one round of the sinks.
    pub fn add(&mut self, deltas: &HashMap<ObjectId, Delta>, changed: &HashSet<ObjectId>) {
        self.changed.extend(changed);
        for (id, delta) in deltas {
            let seen = self.deltas.entry(*id).or_default();
            seen.inserted.extend_from_slice(&delta.inserted);
            seen.deleted.extend_from_slice(&delta.deleted);
        }
    }
}

/// Writes the changes of a checkpoint into the subscriptions that keep them.
pub(super) async fn keep(staged: &mut Staged<'_>, seen: Seen) -> Result<(), CheckpointError> {
    let catalog = staged.state.catalog.clone();
    for (object, subscription) in subscriptions(&catalog) {
        let Some(from) = catalog.get(subscription.from) else {
            continue;
        };
        let delta = if from.is_stored() {
            // What came and went within the checkpoint is neither here nor there.
            let seen = seen.deltas.get(&from.id);
            seen.map(|seen| diff(&seen.deleted, &seen.inserted))
                .transpose()?
        } else if catalog
            .inputs(object.id)
            .iter()
            .any(|input| seen.changed.contains(input))
        {
            recomputed(staged, object, Input::Relation(from.id)).await?
        } else {
            None
        };
        if let Some(delta) = delta.filter(|delta| !delta.is_empty()) {
            write(staged, object, from, &delta)?;
        }
        forget(staged, object, subscription)?;
    }
    Ok(())
}

/// Takes up what a view holds when a subscription to it begins, and after a restart.
pub(crate) async fn begin(
    staged: &mut Staged<'_>,
    id: ObjectId,
) -> Result<(), rwt_query::QueryError> {
    let catalog = staged.state.catalog.clone();
    let found = subscriptions(&catalog).find(|(object, _)| object.id == id);
    let Some((_, subscription)) = found.filter(|(_, s)| !is_stored(&catalog, s.from)) else {
        return Ok(());
    };
    let rows = super::sink::result(staged, Input::Relation(subscription.from)).await?;
    staged.writer.outputs.insert(id, rows);
    Ok(())
}

/// The same for all subscriptions.
pub(super) async fn recover(staged: &mut Staged<'_>) {
    let catalog = staged.state.catalog.clone();
    for (object, _) in subscriptions(&catalog) {
        if let Err(error) = begin(staged, object.id).await {
            tracing::error!(subscription = object.name, %error, "its view cannot be read");
        }
    }
}

/// Adds a checkpoint's changes to what a subscription keeps.
fn write(
    staged: &mut Staged<'_>,
    object: &Object,
    from: &Object,
    delta: &Delta,
) -> Result<(), CheckpointError> {
    if !staged.state.tables.contains_key(&object.id) {
        // Made by an rwt that did not keep changes.
        staged.apply(Change::Create(object.id))?;
    }
    let (Some(old), Some(new)) = (one(&delta.deleted, delta)?, one(&delta.inserted, delta)?) else {
        return Ok(());
    };
    let updates = staged.updates.get(&from.id).map(Vec::as_slice);
    let partners = match key_of(from) {
        Some(key) => by_key(&old, &new, key)?,
        None => by_update(&old, &new, updates.unwrap_or_default())?,
    };
    let (places, ops) = order(old.num_rows(), &partners);
    let shown = (0..from.columns.len()).filter(|at| !from.columns[*at].hidden);
    let rows = shown
        .map(|at| interleave(&[old.column(at).as_ref(), new.column(at).as_ref()], &places))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(log) = staged.state.tables.get(&object.id) else {
        return Ok(());
    };
    let mut at = chrono::Utc::now().timestamp_millis();
    if let Some((_, last)) = log.ends()? {
        // Each checkpoint has a time of its own, also when the clock is set back.
        at = at.max(stamp(&last).saturating_add(1));
    }
    let batch = log_batch(log.schema(), &rows, ops, Some(at))?;
    staged.apply(Change::Insert(object.id, batch))?;
    Ok(())
}

/// The rows of one side as one batch; none where neither side says what columns there are.
fn one(rows: &[RecordBatch], delta: &Delta) -> Result<Option<RecordBatch>, ArrowError> {
    let mut all = delta.inserted.iter().chain(&delta.deleted);
    let Some(schema) = all.next().map(RecordBatch::schema) else {
        return Ok(None);
    };
    concat_batches(&schema, rows).map(Some)
}

/// The positions that tell rows apart.
fn key_of(from: &Object) -> Option<&[usize]> {
    let key: &[usize] = match &from.body {
        Body::Table(table) => &table.key,
        Body::MaterializedView(view) => &view.key,
        _ => &[],
    };
    (!key.is_empty()).then_some(key)
}

/// Bytes by which rows can be compared.
struct Bytes(RowConverter);

impl Bytes {
    fn of(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let types = batch.columns().iter().map(|c| c.data_type().clone());
        RowConverter::new(types.map(SortField::new).collect()).map(Self)
    }

    fn rows(&self, batch: &RecordBatch) -> Result<Vec<Box<[u8]>>, ArrowError> {
        let rows = self.0.convert_columns(batch.columns())?;
        Ok(rows.iter().map(|row| Box::from(row.as_ref())).collect())
    }
}

/// For each new row the old one that it replaces, by their keys.
fn by_key(
    old: &RecordBatch,
    new: &RecordBatch,
    key: &[usize],
) -> Result<Vec<Option<usize>>, ArrowError> {
    let (old, new) = (old.project(key)?, new.project(key)?);
    let bytes = Bytes::of(&old)?;
    let mut places = places(bytes.rows(&old)?);
    let new = bytes.rows(&new)?;
    Ok(new
        .iter()
        .map(|row| places.get_mut(row)?.pop_front())
        .collect())
}

/// The same for rows without a key, by the statements that replaced one by the other.
fn by_update(
    old: &RecordBatch,
    new: &RecordBatch,
    updates: &[(RecordBatch, RecordBatch)],
) -> Result<Vec<Option<usize>>, ArrowError> {
    let bytes = Bytes::of(old)?;
    let mut replaced: HashMap<Box<[u8]>, VecDeque<Box<[u8]>>> = HashMap::new();
    for (before, after) in updates {
        for (before, after) in bytes.rows(before)?.into_iter().zip(bytes.rows(after)?) {
            replaced.entry(after).or_default().push_back(before);
        }
    }
    let mut places = places(bytes.rows(old)?);
    let new = bytes.rows(new)?;
    Ok(new
        .iter()
        .map(|row| {
            places
                .get_mut(&replaced.get_mut(row)?.pop_front()?)?
                .pop_front()
        })
        .collect())
}

fn places(rows: Vec<Box<[u8]>>) -> HashMap<Box<[u8]>, VecDeque<usize>> {
    let mut places: HashMap<Box<[u8]>, VecDeque<usize>> = HashMap::new();
    for (at, row) in rows.into_iter().enumerate() {
        places.entry(row).or_default().push_back(at);
    }
    places
}

/// The order of a checkpoint's changes: rows that go, then rows that come, each behind the one that it replaces. A
/// place is a side, 0 for old rows, and a row.
fn order(old: usize, partners: &[Option<usize>]) -> (Vec<(usize, usize)>, Vec<&'static str>) {
    let replaced: HashSet<usize> = partners.iter().flatten().copied().collect();
    let gone = (0..old).filter(|row| !replaced.contains(row));
    let mut all: Vec<((usize, usize), &str)> = gone.map(|row| ((0, row), DELETE)).collect();
    for (row, partner) in partners.iter().enumerate() {
        match partner {
            Some(before) => {
                all.push(((0, *before), UPDATE_DELETE));
                all.push(((1, row), UPDATE_INSERT));
            }
            None => all.push(((1, row), INSERT)),
        }
    }
    all.into_iter().unzip()
}

/// Drops changes that are older than the subscription keeps them, some at a time.
fn forget(
    staged: &mut Staged<'_>,
    object: &Object,
    subscription: &Subscription,
) -> Result<(), CheckpointError> {
    let Some(log) = staged.state.tables.get(&object.id) else {
        return Ok(());
    };
    let Some((first, _)) = log.ends()? else {
        return Ok(());
    };
    let kept = i64::try_from(subscription.retention.saturating_mul(1000)).unwrap_or(i64::MAX);
    let limit = chrono::Utc::now().timestamp_millis().saturating_sub(kept);
    if stamp(&first) >= limit.saturating_sub(kept / 8) {
        return Ok(());
    }
    let before = first_since(log.parts()?, limit).unwrap_or_else(|| log.next_row_id());
    staged.apply(Change::Sent(object.id, before))?;
    Ok(())
}

/// The id of the first change at this time or later.
pub(crate) fn first_since(parts: Vec<(Int64Array, RecordBatch)>, millis: i64) -> Option<i64> {
    parts.into_iter().find_map(|(ids, batch)| {
        let stamps = batch.column(batch.num_columns() - 1);
        let stamps = stamps.as_primitive::<Int64Type>().values();
        let at = stamps.partition_point(|stamp| *stamp < millis);
        ids.values().get(at).copied()
    })
}

/// The time of a single change.
fn stamp(row: &RecordBatch) -> i64 {
    let stamps = row.column(row.num_columns() - 1);
    stamps.as_primitive::<Int64Type>().value(0)
}
