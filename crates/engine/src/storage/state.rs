//! The engine's durable state and the changes that make it. Live checkpoints and recovery apply the same changes with
//! the same code, so what is read back is what was there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use super::{StorageError, TableData};
use crate::catalog::{Body, Catalog, Object, ObjectId};

/// Everything that survives a restart.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The last checkpoint.
    pub checkpoint: u64,
    /// The objects.
    pub catalog: Arc<Catalog>,
    /// The rows of tables and sources. For a table in the lake: the rows that are not yet committed there. For a sink to
    /// Kafka: the messages that the broker does not have yet. For a view with a temporal join: the rows that were joined.
    /// For a subscription: the changes within its retention.
    pub tables: HashMap<ObjectId, Arc<TableData>>,
    /// How far each source has read, and each view with a temporal join its left side.
    pub sources: HashMap<ObjectId, Arc<SourceProgress>>,
    /// What each lake table has committed.
    pub lakes: HashMap<ObjectId, Arc<LakeProgress>>,
}

/// How far a source has read, per partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceProgress {
    /// Progress by partition.
    pub partitions: BTreeMap<i32, PartitionProgress>,
}

/// How far one partition is read, and what became of its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionProgress {
    /// The next offset to read; `None` when nothing was read yet.
    pub position: Option<i64>,
    /// Messages that became rows.
    pub rows: u64,
    /// Messages that no row was made of.
    pub skipped: u64,
    /// Messages whose row has a NULL that the message did not say.
    pub null_padded: u64,
    /// The last message that was skipped or padded.
    pub last_problem: Option<Problem>,
    /// The timestamp of the newest message, in milliseconds since 1970.
    pub last_event_at: Option<i64>,
}

/// A message that did not fit its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its offset.
    pub offset: i64,
    /// What was wrong with it.
    pub reason: String,
}

/// What a lake table has committed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LakeProgress {
    /// Commits that are known to be in the lake.
    pub commits: u64,
    /// Rows in them.
    pub committed_rows: u64,
    /// When the last of them was seen, in microseconds since 1970.
    pub last_commit_at: Option<i64>,
    /// Rows before this row id are in the lake.
    pub committed_before: i64,
    /// All rows of the table are kept here as well, because it has a key or its rows were changed.
    pub full: bool,
    /// Rows that are in the lake were changed: the next commit replaces the table's rows.
    pub rewrite: bool,
    /// A commit that was begun: it may or may not be in the lake.
    pub open: Option<OpenCommit>,
}

/// A commit to the lake that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCommit {
    /// Its id, by which the lake knows it.
    pub id: String,
    /// It holds the pending rows before this row id.
    pub before: i64,
    /// It replaces the table's rows instead of adding to them.
    pub replace: bool,
}

/// One change of the state.
#[derive(Debug, Clone)]
pub enum Change {
    /// The catalog as it is from now on.
    Catalog(Arc<Catalog>),
    /// A table or source begins, without rows.
    Create(ObjectId),
    /// A table or source ends.
    Drop(ObjectId),
    /// Rows are added; they get the next row ids.
    Insert(ObjectId, RecordBatch),
    /// Rows are added that have their ids already (snapshots).
    Load(ObjectId, Int64Array, RecordBatch, i64),
    /// Rows are deleted.
    Delete(ObjectId, Vec<i64>),
    /// The columns changed with the catalog: old positions, or the value of all rows.
    Reshape(ObjectId, Vec<Result<usize, ArrayRef>>),
    /// A source has read further.
    Source(ObjectId, Arc<SourceProgress>),
    /// A lake table began or ended a commit; pending rows before the id are in the lake.
    Lake(ObjectId, Arc<LakeProgress>, Option<i64>),
    /// The broker has the messages of a sink before this row id, or the changes of a subscription are kept long enough.
    Sent(ObjectId, i64),
}

impl State {
    /// Applies one change.
    pub fn apply(&mut self, change: &Change) -> Result<(), StorageError> {
        match change {
            Change::Catalog(catalog) => self.catalog = catalog.clone(),
            Change::Create(id) => {
                let schema = self.schema_of(*id)?;
                self.tables.insert(*id, Arc::new(TableData::new(schema)));
            }
            Change::Drop(id) => {
                self.tables.remove(id);
                self.sources.remove(id);
                self.lakes.remove(id);
            }
            Change::Insert(id, batch) => {
                self.table_mut(*id)?.insert(batch)?;
            }
            Change::Load(id, ids, batch, next) => {
                self.table_mut(*id)?.load(ids.clone(), batch, *next)?;
            }
            Change::Delete(id, rows) => {
                self.table_mut(*id)?.delete(rows)?;
            }
            Change::Reshape(id, from) => {
                let schema = self.schema_of(*id)?;
                self.table_mut(*id)?.reshape(schema, from)?;
            }
            Change::Source(id, progress) => {
                self.sources.insert(*id, progress.clone());
            }
            Change::Lake(id, progress, committed) => {
                self.lakes.insert(*id, progress.clone());
                if let Some(before) = committed {
                    self.table_mut(*id)?.purge_before(*before)?;
                }
            }
            Change::Sent(id, before) => self.table_mut(*id)?.purge_before(*before)?,
        }
        Ok(())
    }

    /// Memory that all rows hold, in bytes.
    pub fn bytes(&self) -> usize {
        self.tables.values().map(|table| table.bytes()).sum()
    }

    fn table_mut(&mut self, id: ObjectId) -> Result<&mut TableData, StorageError> {
        self.tables
            .get_mut(&id)
            .map(Arc::make_mut)
            .ok_or(StorageError::UnknownTable(id))
    }

    fn schema_of(&self, id: ObjectId) -> Result<SchemaRef, StorageError> {
        self.catalog
            .get(id)
            .map(stored_schema)
            .ok_or(StorageError::UnknownTable(id))
    }

    /// The changes that make this state from nothing.
    pub fn dump(&self) -> Result<Vec<Change>, StorageError> {
        let mut changes = vec![Change::Catalog(self.catalog.clone())];
        let mut ids: Vec<ObjectId> = self.tables.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let table = &self.tables[&id];
            changes.push(Change::Create(id));
            let parts = table.parts()?;
            let empty = RecordBatch::new_empty(table.schema().clone());
            for (row_ids, batch) in parts {
                changes.push(Change::Load(id, row_ids, batch, table.next_row_id()));
            }
            changes.push(Change::Load(
                id,
                Int64Array::from(Vec::<i64>::new()),
                empty,
                table.next_row_id(),
            ));
            if let Some(progress) = self.sources.get(&id) {
                changes.push(Change::Source(id, progress.clone()));
            }
            if let Some(progress) = self.lakes.get(&id) {
                changes.push(Change::Lake(id, progress.clone(), None));
            }
        }
        Ok(changes)
    }
}

/// The Arrow schema of an object's stored columns; of a sink, that of its messages; of a view, that of its temporal join;
/// of a subscription, that of the changes that it keeps.
pub fn stored_schema(object: &Object) -> SchemaRef {
    if object.sink().is_some() {
        return crate::stream::messages_schema();
    }
    if let Body::MaterializedView(view) = &object.body
        && let Some(temporal) = &view.temporal
    {
        return rwt_query::schema(&temporal.kept_columns(None));
    }
    if let Body::Subscription(_) = &object.body {
        return rwt_query::schema(&crate::stream::log_columns(&object.columns));
    }
    let columns: Vec<rwt_query::Column> = object
        .columns
        .iter()
        .map(|c| rwt_query::Column {
            name: c.name.clone(),
            data_type: c.data_type.clone(),
            hidden: c.hidden,
        })
        .collect();
    rwt_query::schema(&columns)
}
