//! What a killed process left behind, removed when the lake is opened to write.
//!
//! A kill can leave: Parquet files and manifests of an append without its commit, metadata files that a commit had made
//! superfluous, and the folder of a table that had left the catalog. Only files that no kept snapshot names are removed, and only
//! such as rwt and iceberg write; nothing is removed for a table whose metadata cannot be read. The lake's lock is held.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use iceberg::spec::ManifestFile;
use iceberg::table::Table;

use crate::append::{metadata_files, remove_quietly};
use crate::error::LakeError;
use crate::store::Lake;
use crate::tables::{DROP_MARK, TableName};

/// A torn append is newer than the last commit; this much older is looked at too. It only bounds the work: what is removed is
/// decided by the manifests.
const LOOK_BACK: Duration = Duration::from_secs(600);

impl Lake {
    pub(crate) async fn clean_up(&self) -> Result<(), LakeError> {
        let mut folders = HashSet::new();
        for (table, location) in self.recorded_tables().await? {
            if let Some(folder) = location
                .rsplit_once("/metadata/")
                .and_then(|(folder, _)| self.local_path(folder))
            {
                folders.insert(folder);
            }
            if let Err(error) = self.clean_up_table(&table).await {
                tracing::warn!(%table, %error, "cannot look for files of torn appends");
            }
        }
        self.finish_drops(&folders)
    }

    async fn clean_up_table(&self, table: &TableName) -> Result<(), LakeError> {
        let loaded = self.load(table).await?;
        let Some(folder) = self.local_path(loaded.metadata().location()) else {
            return Ok(());
        };
        // The drop was killed before it reached the catalog: it did not happen.
        remove_quietly(&folder.join(DROP_MARK));

        let mut unused = self.unused_metadata(&loaded, &folder);
        let mut manifests: HashSet<PathBuf> = files_in(&folder.join("metadata"))
            .filter(|path| {
                named(path, |name| {
                    name.ends_with(".avro") && !name.starts_with("snap-")
                })
            })
            .collect();
        let since = modified_since(loaded.metadata().last_updated_ms());
        let mut data: HashSet<PathBuf> = files_in(&folder.join("data"))
            .filter(|path| named(path, |name| name.ends_with(".parquet")))
            .filter(|path| {
                path.metadata()
                    .and_then(|metadata| metadata.modified())
                    .is_ok_and(|time| time >= since)
            })
            .collect();

        // The current snapshot first: it names nearly all, and its newest manifests name the newest files.
        let metadata = loaded.metadata();
        let current = metadata.current_snapshot();
        let others = metadata
            .snapshots()
            .filter(|snapshot| Some(snapshot.snapshot_id()) != metadata.current_snapshot_id());
        let mut seen = HashSet::new();
        for snapshot in current.into_iter().chain(others) {
            if manifests.is_empty() && data.is_empty() {
                break;
            }
            let list = loaded
                .manifest_list_reader(snapshot)
                .load()
                .await
                .map_err(LakeError::unreadable(table))?;
            for manifest in list.entries().iter().rev() {
                if let Some(path) = self.local_path(&manifest.manifest_path) {
                    manifests.remove(&path);
                }
                if !data.is_empty() && seen.insert(manifest.manifest_path.clone()) {
                    self.keep_named(table, &loaded, manifest, &mut data).await?;
                }
            }
        }
        unused.extend(manifests);
        unused.extend(data);
        if !unused.is_empty() {
            tracing::info!(%table, files = unused.len(), "removing files of the lake that no snapshot names");
        }
        unused.iter().for_each(|path| remove_quietly(path));
        Ok(())
    }

    /// Metadata files and manifest lists of the folder that the current metadata does not name.
    fn unused_metadata(&self, loaded: &Table, folder: &Path) -> Vec<PathBuf> {
        let named_files: HashSet<PathBuf> = metadata_files(loaded)
            .iter()
            .filter_map(|location| self.local_path(location))
            .collect();
        files_in(&folder.join("metadata"))
            .filter(|path| {
                named(path, |name| {
                    name.ends_with(".metadata.json")
                        || (name.starts_with("snap-") && name.ends_with(".avro"))
                })
            })
            .filter(|path| !named_files.contains(path))
            .collect()
    }

    /// Takes the files that a manifest names out of `candidates`.
    async fn keep_named(
        &self,
        table: &TableName,
        loaded: &Table,
        manifest: &ManifestFile,
        candidates: &mut HashSet<PathBuf>,
    ) -> Result<(), LakeError> {
        let manifest = manifest
            .load_manifest(loaded.file_io())
            .await
            .map_err(LakeError::unreadable(table))?;
        for entry in manifest.entries() {
            if let Some(path) = self.local_path(entry.file_path()) {
                candidates.remove(&path);
            }
        }
        Ok(())
    }

    /// Removes folders whose table left the catalog just before a kill. Folders without the mark are not ours to remove.
    fn finish_drops(&self, folders: &HashSet<PathBuf>) -> Result<(), LakeError> {
        let marks = walkdir::WalkDir::new(&self.inner.warehouse)
            .min_depth(3)
            .max_depth(3)
            .into_iter()
            .filter_map(Result::ok);
        for mark in marks.filter(|entry| entry.file_name() == DROP_MARK) {
            if let Some(folder) = mark
                .path()
                .parent()
                .filter(|folder| !folders.contains(*folder))
            {
                std::fs::remove_dir_all(folder).map_err(LakeError::folder(folder))?;
            }
        }
        Ok(())
    }
}

fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = walkdir::WalkDir::new(folder)
        .min_depth(1)
        .max_depth(1)
        .into_iter()
        .filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
}

fn named(path: &Path, matches: impl Fn(&str) -> bool) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(matches)
}

fn modified_since(last_commit_ms: i64) -> SystemTime {
    let last_commit = Duration::from_millis(u64::try_from(last_commit_ms).unwrap_or_default());
    UNIX_EPOCH + last_commit.saturating_sub(LOOK_BACK)
}
