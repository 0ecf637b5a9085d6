//! The checkpoint: what sessions changed, what sources read, what sinks carry on and what the lake has taken become one
//! record of the log, and visible together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, concat_batches, filter_record_batch, max, take_record_batch};
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use rwt_query::Held;
use rwt_wire::SqlError;

use super::diff::Delta;
use crate::catalog::{Object, ObjectId, OnConflict};
use crate::engine::Inner;
use crate::storage::{Change, KeyIndex, LakeProgress, State, StorageError, Store};

/// A change of rows that a session asked for.
#[derive(Debug)]
pub(crate) enum Dml {
    /// New rows, in the order of the stored columns.
    Insert(ObjectId, RecordBatch),
    /// Rows that go, by id.
    Delete(ObjectId, Vec<i64>),
    /// Rows that are replaced, by id, and what replaces them.
    Update(ObjectId, Vec<i64>, RecordBatch),
}

impl Dml {
    /// Memory of the rows that it adds.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Insert(_, rows) | Self::Update(_, _, rows) => {
                Held::of(std::slice::from_ref(rows))
            }
            Self::Delete(..) => 0,
        }
    }

    fn table(&self) -> ObjectId {
        match self {
            Self::Insert(id, _) | Self::Delete(id, _) | Self::Update(id, ..) => *id,
        }
    }
}

/// What only the one who writes checkpoints has.
#[derive(Debug)]
pub(crate) struct Writer {
    pub store: Store,
    /// Indexes of keyed tables.
    pub keys: HashMap<ObjectId, KeyIndex>,
    /// The last result of each sink and subscription that reads a query, a view or a materialized view.
    pub outputs: HashMap<ObjectId, Arc<Vec<RecordBatch>>>,
    /// The newest time in tables with a watermark.
    pub newest: HashMap<ObjectId, Option<i64>>,
    /// Why nothing can be written any more.
    pub broken: Option<String>,
}

impl Writer {
    /// Memory of indexes and last results, in bytes.
    fn bytes(&self) -> usize {
        let keys = self.keys.values().map(KeyIndex::bytes);
        let outputs = self.outputs.values().map(|rows| Held::of(rows));
        keys.chain(outputs).sum()
    }
}

/// A checkpoint in the making.
pub(crate) struct Staged<'a> {
    pub inner: &'a Arc<Inner>,
    pub writer: &'a mut Writer,
    /// The state with all changes so far.
    pub state: State,
    pub changes: Vec<Change>,
    /// What changed in the tables and sources, for the sinks and subscriptions that read them.
    pub deltas: HashMap<ObjectId, Delta>,
    /// Rows that statements have replaced, before and after, in tables whose changes a subscription keeps.
    pub updates: HashMap<ObjectId, Vec<(RecordBatch, RecordBatch)>>,
    /// Tables and sources that a sink reads row by row.
    watched: HashSet<ObjectId>,
    /// Tables whose changes a subscription keeps.
    kept: HashSet<ObjectId>,
}

impl<'a> Staged<'a> {
    pub fn new(inner: &'a Arc<Inner>, writer: &'a mut Writer) -> Self {
        let state = State::clone(&inner.state());
        let mut staged = Self {
            inner,
            writer,
            state,
            changes: Vec::new(),
            deltas: HashMap::new(),
            updates: HashMap::new(),
            watched: HashSet::new(),
            kept: HashSet::new(),
        };
        staged.watch();
        staged
    }

    /// Looks up which tables sinks and subscriptions read, after the catalog changed.
    pub fn watch(&mut self) {
        self.kept = super::changes::watched(&self.state.catalog);
        self.watched = super::sink::watched(&self.state.catalog);
        self.watched.extend(&self.kept);
    }

    /// Adds a change and applies it.
    pub fn apply(&mut self, change: Change) -> Result<(), StorageError> {
        self.state.apply(&change)?;
        self.changes.push(change);
        Ok(())
    }

    /// Rows that sources read and sessions sent since the last checkpoint.
    fn collect(&mut self) -> Result<(), StorageError> {
        let mut pending = self.inner.take_pending().into_iter().peekable();
        while let Some(dml) = pending.next() {
            let table = dml.table();
            if !self.state.tables.contains_key(&table) {
                continue;
            }
            match dml {
                Dml::Insert(_, first) => {
                    let mut batches = vec![first];
                    while let Some(Dml::Insert(next, _)) = pending.peek()
                        && *next == table
                        && let Some(Dml::Insert(_, batch)) = pending.next()
                    {
                        batches.push(batch);
                    }
                    self.insert(table, &batches)?;
                }
                Dml::Delete(_, rows) => self.delete(table, &rows)?,
                Dml::Update(_, rows, batch) => {
                    if self.kept.contains(&table)
                        && let Some(data) = self.state.tables.get(&table)
                    {
                        let before = data.pick(&rows)?;
                        let updates = self.updates.entry(table).or_default();
                        updates.push((before, batch.clone()));
                    }
                    self.delete(table, &rows)?;
                    self.insert(table, &[batch])?;
                }
            }
        }
        for (id, taken) in self.inner.take_read() {
            if !self.state.tables.contains_key(&id) {
                continue;
            }
            let mut rows = taken.batches.into_iter().peekable();
            while let Some(first) = rows.next() {
                if first.deleted {
                    let ids = self.find(id, &first.batch)?;
                    self.delete(id, &ids)?;
                    continue;
                }
                let mut batches = vec![first.batch];
                while let Some(next) = rows.next_if(|next| !next.deleted) {
                    batches.push(next.batch);
                }
                self.insert(id, &batches)?;
            }
            self.apply(Change::Source(id, Arc::new(taken.progress)))?;
        }
        Ok(())
    }

    /// Adds rows to a table; a keyed table resolves conflicts.
    pub fn insert(&mut self, table: ObjectId, batches: &[RecordBatch]) -> Result<(), StorageError> {
        let Some(data) = self.state.tables.get(&table) else {
            return Ok(());
        };
        let schema = data.schema().clone();
        let fitting = batches.iter().filter(|b| {
            let types = b.schema();
            let fits = types.fields().len() == schema.fields().len()
                && types
                    .fields()
                    .iter()
                    .zip(schema.fields())
                    .all(|(a, b)| a.data_type() == b.data_type());
            if !fits {
                tracing::warn!(
                    table,
                    "rows of a statement that raced with ALTER TABLE are dropped"
                );
            }
            fits && b.num_rows() > 0
        });
        let fitting: Vec<RecordBatch> = fitting
            .map(|b| {
                let options =
                    arrow::array::RecordBatchOptions::new().with_row_count(Some(b.num_rows()));
                RecordBatch::try_new_with_options(schema.clone(), b.columns().to_vec(), &options)
            })
            .collect::<Result<_, _>>()?;
        let batch = match fitting.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            many => concat_batches(&schema, many)?,
        };
        let batch = self.without_late_rows(table, batch)?;
        match self.conflict_rule(table) {
            Some(rule) => self.insert_keyed(table, &batch, rule),
            None => self.insert_plain(table, batch),
        }
    }

    /// The rows that are not later than the table's watermark, which rises with them.
    fn without_late_rows(
        &mut self,
        table: ObjectId,
        batch: RecordBatch,
    ) -> Result<RecordBatch, StorageError> {
        let watermark = self.state.catalog.get(table).and_then(Object::watermark);
        let (Some(watermark), Some(data)) = (watermark, self.state.tables.get(&table)) else {
            return Ok(batch);
        };
        let times = |batch: &RecordBatch| {
            let times = cast(batch.column(watermark.column), &DataType::Int64)?;
            Ok::<_, ArrowError>(times.as_primitive::<Int64Type>().clone())
        };
        let mut newest = match self.writer.newest.get(&table) {
            Some(newest) => *newest,
            None => {
                let mut newest = None;
                for (_, batch) in data.parts()? {
                    newest = newest.max(max(&times(&batch)?));
                }
                newest
            }
        };
        let given = times(&batch)?;
        let kept: BooleanArray = given
            .iter()
            .map(|time| Some(time.is_none_or(|t| newest.is_none_or(|n| t >= n - watermark.delay))))
            .collect();
        newest = newest.max(max(&given));
        self.writer.newest.insert(table, newest);
        Ok(filter_record_batch(&batch, &kept)?)
    }

    fn conflict_rule(&self, table: ObjectId) -> Option<OnConflict> {
        let table = self.state.catalog.get(table)?.table()?;
        (!table.key.is_empty()).then_some(table.on_conflict)
    }

    fn insert_plain(&mut self, table: ObjectId, batch: RecordBatch) -> Result<(), StorageError> {
        if self.watched.contains(&table) {
            self.deltas
                .entry(table)
                .or_default()
                .inserted
                .push(batch.clone());
        }
        self.apply(Change::Insert(table, batch))
    }

    fn insert_keyed(
        &mut self,
        table: ObjectId,
        batch: &RecordBatch,
        rule: OnConflict,
    ) -> Result<(), StorageError> {
        self.index(table)?;
        if rule == OnConflict::UpdateIfNotNull {
            // each row builds on the one before it with the same key
            for row in 0..batch.num_rows() {
                self.merge_row(table, &batch.slice(row, 1))?;
            }
            return Ok(());
        }
        let placement = self.writer.keys[&table].place(batch, rule == OnConflict::Ignore)?;
        let replaced: Vec<i64> = placement.replaced.into_iter().flatten().collect();
        self.delete(table, &replaced)?;
        let rows: arrow::array::UInt64Array = placement.insert.iter().map(|r| *r as u64).collect();
        let batch = take_record_batch(batch, &rows)?;
        self.insert_indexed(table, batch)
    }

    fn merge_row(&mut self, table: ObjectId, row: &RecordBatch) -> Result<(), StorageError> {
        let old = self.writer.keys[&table].find(row)?;
        let merged = match (old.first(), self.state.tables.get(&table)) {
            (Some(id), Some(data)) => {
                let before = data.pick(&[*id])?;
                let columns = row
                    .columns()
                    .iter()
                    .zip(before.columns())
                    .map(|(new, old)| {
                        if new.is_null(0) {
                            old.clone()
                        } else {
                            new.clone()
                        }
                    })
                    .collect();
                RecordBatch::try_new(row.schema(), columns)?
            }
            _ => row.clone(),
        };
        self.delete(table, &old)?;
        self.insert_indexed(table, merged)
    }

    fn insert_indexed(&mut self, table: ObjectId, batch: RecordBatch) -> Result<(), StorageError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let first = self.state.tables.get(&table).map_or(0, |t| t.next_row_id());
        if let Some(index) = self.writer.keys.get_mut(&table) {
            index.inserted(&batch, first)?;
        }
        self.insert_plain(table, batch)
    }

    /// Removes rows of a table by id.
    pub fn delete(&mut self, table: ObjectId, ids: &[i64]) -> Result<(), StorageError> {
        let Some(data) = self.state.tables.get(&table).cloned() else {
            return Ok(());
        };
        let ids: Vec<i64> = ids
            .iter()
            .copied()
            .filter(|id| data.contains(*id))
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let keyed = self.conflict_rule(table).is_some();
        if keyed || self.watched.contains(&table) {
            let rows = data.pick(&ids)?;
            if keyed {
                self.index(table)?;
                if let Some(index) = self.writer.keys.get_mut(&table) {
                    index.deleted(&rows, &ids)?;
                }
            }
            if self.watched.contains(&table) {
                self.deltas.entry(table).or_default().deleted.push(rows);
            }
        }
        if let Some(lake) = self.state.lakes.get(&table)
            && !lake.rewrite
            && ids.iter().any(|id| {
                *id < lake
                    .open
                    .as_ref()
                    .map_or(lake.committed_before, |o| o.before)
            })
        {
            let lake = LakeProgress {
                rewrite: true,
                ..LakeProgress::clone(lake)
            };
            self.apply(Change::Lake(table, Arc::new(lake), None))?;
        }
        self.apply(Change::Delete(table, ids))
    }

    /// The rows that have the keys of a batch.
    pub fn find(&mut self, table: ObjectId, batch: &RecordBatch) -> Result<Vec<i64>, StorageError> {
        self.index(table)?;
        Ok(self.writer.keys[&table].find(batch)?)
    }

    fn index(&mut self, table: ObjectId) -> Result<(), StorageError> {
        if self.writer.keys.contains_key(&table) {
            return Ok(());
        }
        let key = self
            .state
            .catalog
            .get(table)
            .and_then(|o| o.table())
            .map(|t| t.key.clone())
            .unwrap_or_default();
        let data = self
            .state
            .tables
            .get(&table)
            .ok_or(StorageError::UnknownTable(table))?;
        let index = KeyIndex::new(data, &key)?;
        self.writer.keys.insert(table, index);
        Ok(())
    }

    /// Writes the checkpoint and makes it visible.
    pub fn commit(mut self) -> Result<(), StorageError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        self.state.checkpoint += 1;
        let written = tokio::task::block_in_place(|| {
            self.writer
                .store
                .commit(self.state.checkpoint, &self.changes)
        });
        if let Err(error) = written {
            self.writer.broken = Some(error.to_string());
            return Err(error);
        }
        let state = Arc::new(self.state);
        self.inner.publish(state.clone());
        if self.writer.store.wants_snapshot() {
            self.inner.begin_snapshot(self.writer, state);
        }
        Ok(())
    }
}

impl Inner {
    /// Makes a checkpoint of everything that happened until now, and returns when it is durable and visible.
    pub(crate) async fn checkpoint(self: &Arc<Self>) -> Result<(), SqlError> {
        let mut writer = self.writer.lock().await;
        self.checkpoint_with(&mut writer).await
    }

    /// As [`Self::checkpoint`], by the one who holds the writer.
    pub(crate) async fn checkpoint_with(
        self: &Arc<Self>,
        writer: &mut Writer,
    ) -> Result<(), SqlError> {
        refuse_broken(writer)?;
        self.ticks.fetch_add(1, Ordering::Relaxed);
        let before = self.state().checkpoint;
        let mut staged = Staged::new(self, writer);
        let result = async {
            staged.collect()?;
            super::temporal::run(&mut staged).await?;
            super::sink::run(&mut staged).await?;
            let begun = super::lake::advance(&mut staged)?;
            let shipments = super::outbox::advance(&mut staged)?;
            let inner = staged.inner.clone();
            staged.commit()?;
            for commit in begun {
                super::lake::spawn_commit(&inner, commit);
            }
            for shipment in shipments {
                super::outbox::spawn(&inner, shipment);
            }
            Ok::<_, CheckpointError>(())
        }
        .await;
        if self.state().checkpoint != before {
            self.memory.set_working(writer.bytes());
        }
        self.set_gate();
        result.map_err(|error| {
            // indexes and positions may have run ahead of the state: nothing more can be trusted to be written
            let text = error.to_string();
            tracing::error!(%text, "checkpoint failed");
            writer.broken.get_or_insert(text);
            broken(writer)
        })
    }
}

/// Why a checkpoint failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("rows: {0}")]
    Rows(#[from] arrow::error::ArrowError),
    #[error("messages: {0}")]
    Messages(#[from] rwt_query::QueryError),
}

/// The error for everybody once a checkpoint could not be written.
pub(crate) fn refuse_broken(writer: &Writer) -> Result<(), SqlError> {
    match writer.broken {
        None => Ok(()),
        Some(_) => Err(broken(writer)),
    }
}

fn broken(writer: &Writer) -> SqlError {
    SqlError::internal(format!(
        "internal error: the embedded engine cannot write checkpoints any more: {}. What was flushed before is safe; \
         repair the cause (free disk space, permissions) and restart the engine",
        writer.broken.as_deref().unwrap_or("unknown")
    ))
}
