//! Reads: the rows of a table, kept between reads.
//!
//! A table that commits every two seconds is read after each commit. Its snapshots only add manifests, so a read takes the
//! manifests that it has not seen and reads their files. When a manifest that was seen is gone (another program deleted or
//! rewrote rows) it reads everything again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::scan::FileScanTask;
use iceberg::spec::{ManifestContentType, ManifestFile, ManifestStatus};
use iceberg::table::Table;

use crate::columns;
use crate::error::LakeError;
use crate::store::{Lake, TableState};
use crate::tables::TableName;

/// Memory for the rows of all tables together; beyond it the tables that were not read for longest are forgotten.
const CACHE_BYTES: usize = 512 << 20;

/// Batches are joined up to this many rows, so that many small commits do not make many small batches.
const BATCH_ROWS: usize = 64 * 1024;

/// Files that are read at a time.
const FILES_AT_A_TIME: usize = 4;

/// The rows of a table at one snapshot.
#[derive(Debug, Clone)]
pub struct TableScan {
    /// The snapshot; None before the first append.
    pub snapshot_id: Option<i64>,
    /// The table's columns, in order.
    pub schema: SchemaRef,
    /// The rows, in the order of the appends.
    pub batches: Arc<Vec<RecordBatch>>,
}

impl TableScan {
    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.batches
            .iter()
            .map(|batch| batch.num_rows() as u64)
            .sum()
    }
}

/// Rows read so far.
pub(crate) struct CachedRows {
    uuid: uuid::Uuid,
    /// The metadata file that `scan` is up to date with.
    location: String,
    scan: TableScan,
    /// The manifests whose rows are in `scan`.
    manifests: HashSet<String>,
    bytes: usize,
    read_at: Instant,
}

impl Lake {
    /// All rows of a table at its current snapshot. After an append only the new files are read.
    ///
    /// # Errors
    /// When there is no such table or a file of it cannot be read.
    pub async fn scan(&self, namespace: &str, name: &str) -> Result<TableScan, LakeError> {
        let table = TableName::new(namespace, name)?;
        let state = self.state(&table);
        let mut rows = state.rows.lock().await;
        let Some(location) = self.recorded_location(&table).await? else {
            *rows = None;
            return Err(LakeError::NoTable { table });
        };
        let mut cached = match rows.take() {
            Some(cached) if cached.location == location => cached,
            cached => {
                let loaded = self.load(&table).await?;
                let cached = cached.filter(|cached| cached.fits(&loaded));
                self.read(&table, &loaded, cached).await?
            }
        };
        cached.read_at = Instant::now();
        let scan = cached.scan.clone();
        let bytes = cached.bytes;
        *rows = Some(cached);
        drop(rows);
        self.keep_cache_small(&table, bytes);
        Ok(scan)
    }

    /// Brings kept rows up to the snapshot of `loaded`, or reads all of it.
    async fn read(
        &self,
        table: &TableName,
        loaded: &Table,
        cached: Option<CachedRows>,
    ) -> Result<CachedRows, LakeError> {
        let metadata = loaded.metadata();
        let schema = columns::logical_schema(table, metadata)?;
        let mut rows = CachedRows::new(metadata.uuid(), schema);
        let Some(snapshot) = metadata.current_snapshot() else {
            rows.location = loaded.metadata_location().unwrap_or_default().to_string();
            return Ok(rows);
        };
        let list = loaded
            .manifest_list_reader(snapshot)
            .load()
            .await
            .map_err(LakeError::unreadable(table))?;
        let entries = list.entries();
        if entries
            .iter()
            .any(|manifest| manifest.content == ManifestContentType::Deletes)
        {
            let batches = scan_with_deletes(table, loaded).await?;
            rows.push(table, batches)?;
        } else {
            let now: HashSet<&str> = entries
                .iter()
                .map(|manifest| manifest.manifest_path.as_str())
                .collect();
            if let Some(cached) = cached.filter(|cached| {
                cached
                    .manifests
                    .iter()
                    .all(|path| now.contains(path.as_str()))
            }) {
                rows = cached;
            }
            let new: Vec<&ManifestFile> = entries
                .iter()
                .filter(|manifest| !rows.manifests.contains(&manifest.manifest_path))
                .collect();
            let files = data_files(table, loaded, &new).await?;
            let mut batches = read_files(table, loaded, files).await?;
            while let Some(read) = batches.try_next().await? {
                rows.push(table, read)?;
            }
            rows.manifests.extend(
                new.into_iter()
                    .map(|manifest| manifest.manifest_path.clone()),
            );
        }
        rows.scan.snapshot_id = Some(snapshot.snapshot_id());
        rows.location = loaded.metadata_location().unwrap_or_default().to_string();
        Ok(rows)
    }

    /// Forgets the tables that were not read for longest while all together are too big.
    fn keep_cache_small(&self, current: &TableName, bytes: usize) {
        let mut others: Vec<(Instant, usize, Arc<TableState>)> = self
            .states()
            .into_iter()
            .filter(|(name, _)| name != current)
            .filter_map(|(_, state)| {
                let (read_at, bytes) = state
                    .rows
                    .try_lock()
                    .ok()?
                    .as_ref()
                    .map(|cached| (cached.read_at, cached.bytes))?;
                Some((read_at, bytes, state))
            })
            .collect();
        let mut total = bytes + others.iter().map(|(_, bytes, _)| bytes).sum::<usize>();
        others.sort_by_key(|(read_at, ..)| *read_at);
        for (_, bytes, state) in others {
            if total <= CACHE_BYTES {
                break;
            }
            if let Ok(mut rows) = state.rows.try_lock() {
                *rows = None;
                total -= bytes;
            }
        }
    }
}

impl CachedRows {
    fn new(uuid: uuid::Uuid, schema: SchemaRef) -> Self {
        let scan = TableScan {
            snapshot_id: None,
            schema,
            batches: Arc::default(),
        };
        Self {
            uuid,
            location: String::new(),
            scan,
            manifests: HashSet::new(),
            bytes: 0,
            read_at: Instant::now(),
        }
    }

    /// Whether these are rows of this table, and not of one dropped and made again or with other columns.
    fn fits(&self, table: &Table) -> bool {
        let same_columns = columns::logical_schema(&TableName::of(table), table.metadata())
            .is_ok_and(|schema| schema == self.scan.schema);
        self.uuid == table.metadata().uuid() && same_columns
    }

    /// Adds rows. A new batch is joined with the ones before it while they are not much larger, so that their number grows
    /// with the logarithm of the commits and each row is copied a few times only.
    fn push(&mut self, table: &TableName, new: Vec<RecordBatch>) -> Result<(), LakeError> {
        let schema = Arc::clone(&self.scan.schema);
        let batches = Arc::make_mut(&mut self.scan.batches);
        for batch in new.into_iter().filter(|batch| batch.num_rows() > 0) {
            let mut batch = columns::from_file(table, &batch, &schema)?;
            while let Some(last) = batches.pop_if(|last| {
                last.num_rows() < 2 * batch.num_rows()
                    && last.num_rows() + batch.num_rows() <= BATCH_ROWS
            }) {
                self.bytes -= last.get_array_memory_size().min(self.bytes);
                batch = concat_batches(&schema, [&last, &batch]).map_err(|error| {
                    LakeError::Columns {
                        table: table.clone(),
                        reason: error.to_string(),
                    }
                })?;
            }
            self.bytes += batch.get_array_memory_size();
            batches.push(batch);
        }
        Ok(())
    }
}

/// The data files of manifests, in order.
async fn data_files(
    table: &TableName,
    loaded: &Table,
    manifests: &[&ManifestFile],
) -> Result<Vec<FileScanTask>, LakeError> {
    let schema = loaded.metadata().current_schema();
    let columns: Vec<i32> = schema
        .as_struct()
        .fields()
        .iter()
        .map(|field| field.id)
        .collect();
    let mut files = Vec::new();
    for manifest in manifests {
        let manifest = manifest
            .load_manifest(loaded.file_io())
            .await
            .map_err(LakeError::unreadable(table))?;
        for entry in manifest
            .entries()
            .iter()
            .filter(|entry| entry.status() != ManifestStatus::Deleted)
        {
            files.push(
                FileScanTask::builder()
                    .with_file_size_in_bytes(entry.file_size_in_bytes())
                    .with_start(0)
                    .with_length(entry.file_size_in_bytes())
                    .with_record_count(Some(entry.record_count()))
                    .with_data_file_path(entry.file_path().to_string())
                    .with_data_file_format(entry.file_format())
                    .with_schema(Arc::clone(schema))
                    .with_project_field_ids(columns.clone())
                    .with_case_sensitive(true)
                    .build(),
            );
        }
    }
    Ok(files)
}

/// Reads files, several at a time, and gives their batches in the order of the files.
async fn read_files(
    table: &TableName,
    loaded: &Table,
    files: Vec<FileScanTask>,
) -> Result<impl futures::Stream<Item = Result<Vec<RecordBatch>, LakeError>> + Unpin, LakeError> {
    let reads = files.into_iter().map(|file| {
        let reader = loaded
            .reader_builder()
            .with_data_file_concurrency_limit(1)
            .build();
        tokio::spawn(async move {
            let batches = reader.read(Box::pin(stream::iter([Ok(file)])))?.stream();
            batches.try_collect::<Vec<_>>().await
        })
    });
    let table = table.clone();
    Ok(Box::pin(stream::iter(reads).buffered(FILES_AT_A_TIME).map(
        move |read| match read {
            Ok(batches) => batches.map_err(LakeError::unreadable(&table)),
            Err(error) => {
                let error = iceberg::Error::new(
                    iceberg::ErrorKind::Unexpected,
                    format!("reading was interrupted: {error}"),
                );
                Err(LakeError::unreadable(&table)(error))
            }
        },
    )))
}

/// Another program deleted rows with delete files; iceberg's own scan applies them.
async fn scan_with_deletes(
    table: &TableName,
    loaded: &Table,
) -> Result<Vec<RecordBatch>, LakeError> {
    let read = async {
        loaded
            .scan()
            .select_all()
            .build()?
            .to_arrow()
            .await?
            .try_collect()
            .await
    };
    read.await.map_err(LakeError::unreadable(table))
}
