//! Appends: Parquet files first, then one commit that carries the caller's commit id.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use iceberg::spec::{DataFile, DataFileFormat, TableMetadata};
use iceberg::table::Table;
use iceberg::transaction::{ApplyTransactionAction, Transaction};
use iceberg::writer::base_writer::data_file_writer::DataFileWriterBuilder;
use iceberg::writer::file_writer::ParquetWriterBuilder;
use iceberg::writer::file_writer::location_generator::{
    DefaultFileNameGenerator, DefaultLocationGenerator,
};
use iceberg::writer::file_writer::rolling_writer::RollingFileWriterBuilder;
use iceberg::writer::{IcebergWriter, IcebergWriterBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::columns;
use crate::error::LakeError;
use crate::store::{Lake, Retention};
use crate::tables::TableName;

/// The snapshot summary's key for the caller's commit id.
pub(crate) const COMMIT_ID: &str = "rwt.commit-id";

/// What an append did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendOutcome {
    /// The snapshot that holds the rows; None when there was nothing to append and the table has no snapshot.
    pub snapshot_id: Option<i64>,
    /// Rows of this append (also when they were committed before).
    pub rows: u64,
    /// The commit id was in the table already: nothing was written now.
    pub already_committed: bool,
}

impl Lake {
    /// Appends rows in one snapshot and returns when they are visible to every reader.
    ///
    /// `commit_id` makes it repeatable: while the table remembers the id (at least the last 50 snapshots do) a second append
    /// with it writes nothing and reports the first. So a caller that was killed between this commit and its own log appends
    /// again. Columns are matched by name and have to be all there. Without rows there is no snapshot and the id is not kept.
    ///
    /// # Errors
    /// When the rows do not fit the table or the disk refuses: then nothing of them is visible.
    pub async fn append(
        &self,
        namespace: &str,
        name: &str,
        batches: Vec<RecordBatch>,
        commit_id: &str,
    ) -> Result<AppendOutcome, LakeError> {
        self.writable()?;
        let table = TableName::new(namespace, name)?;
        let state = self.state(&table);
        let _commits = state.commits.lock().await;
        let before = self.load(&table).await?;
        if let Some(outcome) = committed(before.metadata(), commit_id) {
            return Ok(outcome);
        }
        let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        if rows == 0 {
            return Ok(AppendOutcome {
                snapshot_id: before.metadata().current_snapshot_id(),
                rows,
                already_committed: false,
            });
        }

        let files = self.write_files(&table, &before, &batches).await?;
        let after = match self.commit(&before, files.clone(), commit_id).await {
            // iceberg's catalog does not report a failed COMMIT of its SQLite transaction: ask.
            Ok(after)
                if self.recorded_location(&table).await?.as_deref()
                    == after.metadata_location() =>
            {
                Ok(after)
            }
            Ok(_) => {
                let reason = "SQLite did not keep the commit; another program may have locked the catalog for too long";
                Err(iceberg::Error::new(iceberg::ErrorKind::Unexpected, reason))
            }
            Err(error) => Err(error),
        };
        let after = match after {
            Ok(after) => after,
            // Whether it was committed all the same, only the catalog knows.
            Err(error) => match self.load(&table).await {
                Ok(now) if committed(now.metadata(), commit_id).is_some() => now,
                Ok(_) => {
                    files
                        .iter()
                        .filter_map(|file| self.local_path(file.file_path()))
                        .for_each(|path| remove_quietly(&path));
                    return Err(LakeError::write(&table)(error));
                }
                Err(_) => return Err(LakeError::write(&table)(error)),
            },
        };
        match self.expire_snapshots(&after).await {
            Ok(expired) => self.remove_expired(&before, expired.as_ref().unwrap_or(&after)),
            Err(error) => {
                tracing::warn!(%table, %error, "cannot expire old snapshots of a lake table")
            }
        }
        let snapshot_id =
            committed(after.metadata(), commit_id).and_then(|outcome| outcome.snapshot_id);
        Ok(AppendOutcome {
            snapshot_id,
            rows,
            already_committed: false,
        })
    }

    /// The id of the newest commit that [`Lake::append`] made, of those that the table remembers.
    ///
    /// # Errors
    /// When there is no such table or it cannot be read.
    pub async fn last_commit_id(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<String>, LakeError> {
        let loaded = self.load(&TableName::new(namespace, name)?).await?;
        let newest = loaded
            .metadata()
            .snapshots()
            .filter_map(|snapshot| {
                Some((
                    snapshot.sequence_number(),
                    snapshot.summary().additional_properties.get(COMMIT_ID)?,
                ))
            })
            .max_by_key(|(sequence, _)| *sequence);
        Ok(newest.map(|(_, id)| id.clone()))
    }

    async fn write_files(
        &self,
        table: &TableName,
        loaded: &Table,
        batches: &[RecordBatch],
    ) -> Result<Vec<DataFile>, LakeError> {
        let metadata = loaded.metadata();
        let logical = columns::logical_schema(table, metadata)?;
        let file_schema = columns::file_schema(table, metadata)?;
        // All of them before the first file: rows that do not fit leave nothing.
        let batches: Result<Vec<RecordBatch>, LakeError> = batches
            .iter()
            .filter(|batch| batch.num_rows() > 0)
            .map(|batch| columns::to_file(table, batch, &logical, &file_schema))
            .collect();

        let prefix = uuid::Uuid::now_v7().to_string();
        let written = write_parquet(loaded, batches?, &prefix).await;
        if written.is_err() {
            // A full disk is tried again and again; the halves of files must not fill it further.
            let data = self
                .local_path(metadata.location())
                .map(|folder| folder.join("data"));
            let files = data
                .and_then(|data| std::fs::read_dir(data).ok())
                .into_iter()
                .flatten()
                .filter_map(Result::ok);
            files
                .filter(|file| file.file_name().to_string_lossy().starts_with(&prefix))
                .for_each(|file| remove_quietly(&file.path()));
        }
        written.map_err(LakeError::write(table))
    }

    async fn commit(
        &self,
        before: &Table,
        files: Vec<DataFile>,
        commit_id: &str,
    ) -> iceberg::Result<Table> {
        let transaction = Transaction::new(before);
        let append = transaction
            .fast_append()
            // Names are new UUIDs, and the check would read every manifest of the table.
            .with_check_duplicate(false)
            .set_snapshot_properties(HashMap::from([(
                COMMIT_ID.to_string(),
                commit_id.to_string(),
            )]))
            .add_data_files(files);
        append.apply(transaction)?.commit(&self.inner.catalog).await
    }

    /// Lets old snapshots expire, which a commit every two seconds would otherwise pile up in the metadata file. A commit of its
    /// own, once in a while: iceberg refuses it in the transaction of an append.
    async fn expire_snapshots(&self, table: &Table) -> iceberg::Result<Option<Table>> {
        let Retention { snapshots, age } = self.inner.retention;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let oldest = i64::try_from(now.saturating_sub(age).as_millis()).unwrap_or(i64::MAX);
        let expired = table
            .metadata()
            .snapshots()
            .filter(|snapshot| snapshot.timestamp_ms() < oldest)
            .count();
        if expired < 2 * snapshots {
            return Ok(None);
        }
        let transaction = Transaction::new(table);
        let expire = transaction
            .expire_snapshots()
            .expire_older_than_ms(oldest)
            .retain_last(snapshots);
        expire
            .apply(transaction)?
            .commit(&self.inner.catalog)
            .await
            .map(Some)
    }

    /// Removes the files that only expired snapshots and dropped entries of the metadata log named: both lists come from the
    /// metadata itself. Data files and manifests stay: an appended file is part of every later snapshot.
    fn remove_expired(&self, before: &Table, after: &Table) {
        let old = metadata_files(before);
        let kept = metadata_files(after);
        old.difference(&kept)
            .filter_map(|location| self.local_path(location))
            .for_each(|path| remove_quietly(&path));
    }
}

/// Writes Parquet files whose names start with `prefix`.
async fn write_parquet(
    table: &Table,
    batches: Vec<RecordBatch>,
    prefix: &str,
) -> iceberg::Result<Vec<DataFile>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let parquet = ParquetWriterBuilder::new(properties, table.metadata().current_schema().clone());
    let names = DefaultFileNameGenerator::new(prefix.to_string(), None, DataFileFormat::Parquet);
    let places = DefaultLocationGenerator::new(table.metadata())?;
    let rolling = RollingFileWriterBuilder::new_with_default_file_size(
        parquet,
        table.file_io().clone(),
        places,
        names,
    );
    let mut writer = DataFileWriterBuilder::new(rolling).build(None).await?;
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.close().await
}

/// Manifest lists and metadata files that a table's current metadata names.
pub(crate) fn metadata_files(table: &Table) -> HashSet<String> {
    let metadata = table.metadata();
    let lists = metadata
        .snapshots()
        .map(|snapshot| snapshot.manifest_list().to_string());
    let log = metadata
        .metadata_log()
        .iter()
        .map(|entry| entry.metadata_file.clone());
    lists
        .chain(log)
        .chain(table.metadata_location().map(str::to_string))
        .collect()
}

fn committed(metadata: &TableMetadata, commit_id: &str) -> Option<AppendOutcome> {
    let snapshot = metadata.snapshots().find(|snapshot| {
        let id = snapshot.summary().additional_properties.get(COMMIT_ID);
        id.is_some_and(|id| id == commit_id)
    })?;
    let rows = snapshot
        .summary()
        .additional_properties
        .get("added-records")
        .and_then(|rows| rows.parse().ok());
    Some(AppendOutcome {
        snapshot_id: Some(snapshot.snapshot_id()),
        rows: rows.unwrap_or_default(),
        already_committed: true,
    })
}

/// A file that cannot be removed costs space only; opening the lake tries again.
pub(crate) fn remove_quietly(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "cannot remove a file of the lake that is no longer needed");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn metadata_does_not_grow_with_the_commits() {
        let dir = tempfile::tempdir().unwrap();
        let lake = Lake::open_keeping(
            dir.path(),
            Retention {
                snapshots: 5,
                age: Duration::ZERO,
            },
        )
        .await
        .unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
        lake.create_table("public", "t", &schema).await.unwrap();
        for id in 0..40 {
            let rows = RecordBatch::try_new(
                Arc::clone(&schema),
                vec![Arc::new(Int64Array::from(vec![id]))],
            )
            .unwrap();
            lake.append("public", "t", vec![rows], &format!("c{id}"))
                .await
                .unwrap();
        }
        let stats = lake.stats("public", "t").await.unwrap();
        assert_eq!((stats.rows, stats.data_files), (40, 40));
        assert!(stats.snapshots <= 10, "{} snapshots", stats.snapshots);
        let count = |ending: &str| {
            let files = std::fs::read_dir(dir.path().join("warehouse/public/t/metadata")).unwrap();
            files
                .filter(|file| {
                    file.as_ref()
                        .unwrap()
                        .file_name()
                        .to_str()
                        .unwrap()
                        .ends_with(ending)
                })
                .count()
        };
        assert!(
            count(".metadata.json") <= 31,
            "{} metadata files",
            count(".metadata.json")
        );
        let manifests = 40;
        assert!(
            count(".avro") <= manifests + 10,
            "{} manifests and lists",
            count(".avro")
        );
        // What is left is a whole table.
        drop(lake);
        let lake = Lake::open(dir.path()).await.unwrap();
        assert_eq!(lake.scan("public", "t").await.unwrap().rows(), 40);
        assert_eq!(
            lake.last_commit_id("public", "t").await.unwrap().as_deref(),
            Some("c39")
        );
    }
}
