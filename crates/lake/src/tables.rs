//! Tables of the lake: making, finding, measuring and dropping them.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use arrow::datatypes::{Schema, SchemaRef};
use iceberg::spec::{FormatVersion, ManifestContentType};
use iceberg::table::Table;
use iceberg::{Catalog, NamespaceIdent, TableCreation, TableIdent};
use sha2::{Digest, Sha256};

use crate::columns;
use crate::error::LakeError;
use crate::store::Lake;

/// Older metadata files of a table that are kept: a reader that looked up the location a moment ago still finds its file.
const METADATA_FILES_KEPT: &str = "30";

/// The file in a table's folder that says the table is being dropped.
pub(crate) const DROP_MARK: &str = ".rwt-dropped";

/// A table: its namespace (the RisingWave schema) and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// The RisingWave schema.
    pub namespace: String,
    /// The table in it.
    pub name: String,
}

impl TableName {
    pub(crate) fn new(namespace: &str, name: &str) -> Result<Self, LakeError> {
        let refuse = |name: &str, reason| {
            Err(LakeError::Name {
                name: name.to_string(),
                reason,
            })
        };
        for part in [namespace, name] {
            if part.is_empty() {
                return refuse(part, "it is empty");
            }
            if part.len() > 255 {
                return refuse(part, "it is longer than 255 bytes");
            }
            if part.contains('\0') {
                return refuse(part, "it contains a zero byte");
            }
        }
        if namespace.contains('.') {
            return refuse(
                namespace,
                "in Iceberg a dot separates the levels of a namespace",
            );
        }
        Ok(Self {
            namespace: namespace.to_string(),
            name: name.to_string(),
        })
    }

    pub(crate) fn of(table: &iceberg::table::Table) -> Self {
        let ident = table.identifier();
        Self {
            namespace: ident.namespace().join("."),
            name: ident.name().to_string(),
        }
    }

    pub(crate) fn ident(&self) -> Result<TableIdent, LakeError> {
        Ok(TableIdent::new(self.namespace_ident()?, self.name.clone()))
    }

    fn namespace_ident(&self) -> Result<NamespaceIdent, LakeError> {
        NamespaceIdent::from_strs(self.namespace.split('.')).map_err(LakeError::write(self))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.namespace, self.name)
    }
}

/// The size of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStats {
    /// The table.
    pub table: TableName,
    /// Rows of the current snapshot.
    pub rows: u64,
    /// Data files of the current snapshot.
    pub data_files: u64,
    /// Bytes of all files in the table's folder, metadata included.
    pub bytes: u64,
    /// Snapshots that are kept (older ones expire).
    pub snapshots: u64,
    /// The current snapshot; None before the first append.
    pub snapshot_id: Option<i64>,
}

impl Lake {
    /// Makes an empty table at `<warehouse>/<namespace>/<name>`, and its namespace if that is new. Iceberg gets format version 2,
    /// no partitions, every column optional, in the order of `schema`. A table without a primary key gets RisingWave's extra
    /// first column by passing it: `_risingwave_iceberg_row_id`, Int64.
    ///
    /// Types: as in rwt's mapping of RisingWave types to Arrow. Iceberg has no smallint and no interval; they are stored as int
    /// and string and come back as Int16 and Interval (remembered in table properties `rwt.type.<column>`).
    ///
    /// # Errors
    /// When the table exists, a name or column type cannot be used, or the disk refuses.
    pub async fn create_table(
        &self,
        namespace: &str,
        name: &str,
        schema: &Schema,
    ) -> Result<(), LakeError> {
        self.writable()?;
        let table = TableName::new(namespace, name)?;
        let state = self.state(&table);
        let _commits = state.commits.lock().await;
        if self.recorded_location(&table).await?.is_some() {
            return Err(LakeError::TableExists { table });
        }
        let stored = columns::stored_schema(&table, schema)?;
        let iceberg_schema = iceberg::arrow::arrow_schema_to_schema_auto_assign_ids(&stored)
            .map_err(LakeError::write(&table))?;

        let mut properties: HashMap<String, String> =
            columns::type_properties(schema).into_iter().collect();
        properties.insert(
            "write.metadata.previous-versions-max".into(),
            METADATA_FILES_KEPT.into(),
        );
        properties.insert(
            "write.metadata.delete-after-commit.enabled".into(),
            "true".into(),
        );
        properties.insert("write.parquet.compression-codec".into(), "zstd".into());

        let namespace_ident = table.namespace_ident()?;
        self.ensure_namespace(&table, &namespace_ident).await?;
        let creation = TableCreation::builder()
            .name(table.name.clone())
            .location(self.new_location(&table))
            .schema(iceberg_schema)
            .properties(properties)
            .format_version(FormatVersion::V2)
            .build();
        self.inner
            .catalog
            .create_table(&namespace_ident, creation)
            .await
            .map_err(LakeError::write(&table))?;
        self.require_recorded(&table, true).await
    }

    /// iceberg's catalog does not report a failed COMMIT of its SQLite transaction: ask whether it has the table now.
    async fn require_recorded(&self, table: &TableName, expected: bool) -> Result<(), LakeError> {
        if self.recorded_location(table).await?.is_some() == expected {
            return Ok(());
        }
        let reason = "SQLite did not keep the change of the catalog; another program may have locked it for too long";
        Err(LakeError::write(table)(iceberg::Error::new(
            iceberg::ErrorKind::Unexpected,
            reason,
        )))
    }

    async fn ensure_namespace(
        &self,
        table: &TableName,
        namespace: &NamespaceIdent,
    ) -> Result<(), LakeError> {
        let _one_at_a_time = self.inner.namespaces.lock().await;
        let catalog = &self.inner.catalog;
        if !catalog
            .namespace_exists(namespace)
            .await
            .map_err(LakeError::write(table))?
        {
            catalog
                .create_namespace(namespace, HashMap::new())
                .await
                .map_err(LakeError::write(table))?;
        }
        Ok(())
    }

    /// `<warehouse>/<namespace>/<name>`; another folder beside it when that one holds rows that no table owns, because those
    /// are somebody's data.
    fn new_location(&self, table: &TableName) -> String {
        let folder = format!(
            "{}/{}",
            folder_name(&table.namespace),
            folder_name(&table.name)
        );
        let taken = holds_rows(&self.inner.warehouse.join(&folder));
        let suffix = if taken {
            format!("-{}", uuid::Uuid::new_v4().simple())
        } else {
            String::new()
        };
        format!("{}/{folder}{suffix}", self.warehouse_uri())
    }

    /// Whether the table is in the catalog.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn table_exists(&self, namespace: &str, name: &str) -> Result<bool, LakeError> {
        Ok(self
            .recorded_location(&TableName::new(namespace, name)?)
            .await?
            .is_some())
    }

    /// The tables of the catalog, sorted.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn tables(&self) -> Result<Vec<TableName>, LakeError> {
        Ok(self
            .recorded_tables()
            .await?
            .into_iter()
            .map(|(table, _)| table)
            .collect())
    }

    /// The columns of a table, in order, in the Arrow types that [`Lake::scan`] gives.
    ///
    /// # Errors
    /// When there is no such table or it cannot be read.
    pub async fn schema(&self, namespace: &str, name: &str) -> Result<SchemaRef, LakeError> {
        let table = TableName::new(namespace, name)?;
        let loaded = self.load(&table).await?;
        columns::logical_schema(&table, loaded.metadata())
    }

    /// The current snapshot of a table; None before its first append.
    ///
    /// # Errors
    /// When there is no such table or it cannot be read.
    pub async fn snapshot_id(&self, namespace: &str, name: &str) -> Result<Option<i64>, LakeError> {
        Ok(self
            .load(&TableName::new(namespace, name)?)
            .await?
            .metadata()
            .current_snapshot_id())
    }

    /// Rows of a table, from its manifests: the totals in snapshot summaries are not cumulative with every writer.
    ///
    /// # Errors
    /// When there is no such table or it cannot be read.
    pub async fn row_count(&self, namespace: &str, name: &str) -> Result<u64, LakeError> {
        let table = TableName::new(namespace, name)?;
        let loaded = self.load(&table).await?;
        Ok(self.count(&table, &loaded).await?.0)
    }

    /// The size of a table.
    ///
    /// # Errors
    /// When there is no such table or it cannot be read.
    pub async fn stats(&self, namespace: &str, name: &str) -> Result<TableStats, LakeError> {
        let table = TableName::new(namespace, name)?;
        let loaded = self.load(&table).await?;
        let (rows, data_files) = self.count(&table, &loaded).await?;
        let metadata = loaded.metadata();
        let folder = self.local_path(metadata.location());
        Ok(TableStats {
            table,
            rows,
            data_files,
            bytes: folder.map_or(0, |folder| folder_bytes(&folder)),
            snapshots: metadata.snapshots().len() as u64,
            snapshot_id: metadata.current_snapshot_id(),
        })
    }

    /// Rows and data files of the current snapshot.
    async fn count(&self, table: &TableName, loaded: &Table) -> Result<(u64, u64), LakeError> {
        let Some(snapshot) = loaded.metadata().current_snapshot() else {
            return Ok((0, 0));
        };
        let list = loaded
            .manifest_list_reader(snapshot)
            .load()
            .await
            .map_err(LakeError::unreadable(table))?;
        let (mut rows, mut data_files, mut has_deletes) = (0, 0, false);
        for file in list.entries() {
            if file.content == ManifestContentType::Deletes {
                has_deletes = true;
                continue;
            }
            match (
                file.added_rows_count,
                file.existing_rows_count,
                file.added_files_count,
                file.existing_files_count,
            ) {
                (Some(added), Some(existing), Some(added_files), Some(existing_files)) => {
                    rows += added + existing;
                    data_files += u64::from(added_files) + u64::from(existing_files);
                }
                _ => {
                    let manifest = file
                        .load_manifest(loaded.file_io())
                        .await
                        .map_err(LakeError::unreadable(table))?;
                    for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
                        rows += entry.record_count();
                        data_files += 1;
                    }
                }
            }
        }
        if has_deletes {
            // Another program deleted rows: only reading tells how many are left.
            rows = self.scan(&table.namespace, &table.name).await?.rows();
        }
        Ok((rows, data_files))
    }

    /// Removes a table from the catalog and its folder from the warehouse. The namespace stays.
    ///
    /// # Errors
    /// When there is no such table, or the catalog refuses. A table whose folder lies outside the warehouse only leaves the catalog.
    pub async fn drop_table(&self, namespace: &str, name: &str) -> Result<(), LakeError> {
        self.writable()?;
        let table = TableName::new(namespace, name)?;
        let state = self.state(&table);
        let _commits = state.commits.lock().await;
        let mut rows = state.rows.lock().await;
        let Some(location) = self.recorded_location(&table).await? else {
            return Err(LakeError::NoTable { table });
        };
        // From the recorded location, so that a table with damaged metadata can be dropped too.
        let folder = location
            .rsplit_once("/metadata/")
            .and_then(|(folder, _)| self.local_path(folder));
        if let Some(folder) = folder.as_deref().filter(|folder| folder.is_dir()) {
            // A kill between the two steps must not leave rows behind that no table owns: opening the lake finishes it.
            let mark = folder.join(DROP_MARK);
            std::fs::write(&mark, table.to_string()).map_err(LakeError::folder(&mark))?;
        }
        self.inner
            .catalog
            .drop_table(&table.ident()?)
            .await
            .map_err(LakeError::write(&table))?;
        self.require_recorded(&table, false).await?;
        *rows = None;
        match folder {
            Some(folder) if folder.is_dir() => {
                std::fs::remove_dir_all(&folder).map_err(LakeError::folder(&folder))
            }
            _ => Ok(()),
        }
    }

    /// The error for changing or removing rows: iceberg 0.10 commits appends only.
    pub fn change_unsupported(namespace: &str, name: &str, operation: &str) -> LakeError {
        LakeError::AppendOnly {
            table: TableName {
                namespace: namespace.to_string(),
                name: name.to_string(),
            },
            operation: operation.to_string(),
        }
    }
}

/// A name as one folder. Plain names stay as they are; in others what is not plain becomes `_` and a hash of the name keeps
/// two of them apart. Nothing needs encoding in a URI, so that every reader finds the same file.
fn folder_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.chars().all(plain) && !name.starts_with('.') && name.len() <= 128 {
        return name.to_string();
    }
    let readable: String = name
        .chars()
        .take(64)
        .map(|c| if plain(c) && c != '.' { c } else { '_' })
        .collect();
    let hash = Sha256::digest(name.as_bytes());
    hash.iter()
        .take(8)
        .fold(format!("{readable}-"), |folder, byte| {
            format!("{folder}{byte:02x}")
        })
}

pub(crate) fn holds_rows(folder: &Path) -> bool {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .any(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "parquet")
        })
}

fn folder_bytes(folder: &Path) -> u64 {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}
