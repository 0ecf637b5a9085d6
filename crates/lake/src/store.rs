//! Opening a lake: its folder, its lock, its SQLite catalog.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iceberg::table::Table;
use iceberg::{Catalog, CatalogBuilder};
use iceberg_catalog_sql::{SqlBindStyle, SqlCatalog, SqlCatalogBuilder};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use crate::error::LakeError;
use crate::files::SyncedFilesFactory;
use crate::scan::CachedRows;
use crate::tables::{TableName, holds_rows};

/// The name of the catalog. It is part of the catalog's key, so PyIceberg has to use the same one.
const CATALOG: &str = "rwt";

/// How long a writer waits for another process's SQLite lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How much history a table keeps. A reader that has looked up a snapshot and not opened it yet still has to find it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    /// Snapshots that are always kept; commit ids are remembered at least this far back.
    pub(crate) snapshots: usize,
    /// Snapshots younger than this are kept too.
    pub(crate) age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            snapshots: 50,
            age: Duration::from_secs(60),
        }
    }
}

/// An open lake. Cheap to clone; clones share the catalog's connections and the cache of rows.
#[derive(Clone)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read_only = self.inner.lock.is_none();
        f.debug_struct("Lake")
            .field("dir", &self.inner.dir)
            .field("read_only", &read_only)
            .finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    /// `<dir>/warehouse`, canonical.
    pub(crate) warehouse: PathBuf,
    pub(crate) catalog: SqlCatalog,
    /// Our own connections: the checks that iceberg's catalog does not make.
    db: SqlitePool,
    tables: Mutex<HashMap<TableName, Arc<TableState>>>,
    /// Held while a namespace is looked up and made.
    pub(crate) namespaces: tokio::sync::Mutex<()>,
    pub(crate) retention: Retention,
    /// Held while the lake is open to write; None for readers.
    lock: Option<File>,
}

/// What this process keeps for a table.
#[derive(Default)]
pub(crate) struct TableState {
    /// One commit at a time.
    pub(crate) commits: tokio::sync::Mutex<()>,
    /// Rows read so far. Held while reading, so that two readers do not read the same files.
    pub(crate) rows: tokio::sync::Mutex<Option<CachedRows>>,
}

impl Lake {
    /// Opens the lake in `dir` to read and write, makes it if there is none, and removes the files of an append that was
    /// killed before its commit.
    ///
    /// # Errors
    /// When another process writes to it, when the folder or the catalog cannot be read, or when the lake was moved.
    pub async fn open(dir: impl AsRef<Path>) -> Result<Self, LakeError> {
        Self::open_keeping(dir.as_ref(), Retention::default()).await
    }

    pub(crate) async fn open_keeping(dir: &Path, retention: Retention) -> Result<Self, LakeError> {
        let warehouse = dir.join("warehouse");
        std::fs::create_dir_all(&warehouse).map_err(LakeError::folder(&warehouse))?;
        let dir = dir.canonicalize().map_err(LakeError::folder(dir))?;
        let lock = Self::lock(&dir)?;
        let lake = Self::connect(dir, Some(lock), retention).await?;
        lake.clean_up().await?;
        Ok(lake)
    }

    /// Opens the lake in `dir` to read it, also while another process writes to it.
    ///
    /// # Errors
    /// When there is no lake, when the catalog cannot be read, or when the lake was moved.
    pub async fn open_read_only(dir: impl AsRef<Path>) -> Result<Self, LakeError> {
        let dir = dir.as_ref();
        if !dir.join("catalog.db").is_file() {
            return Err(LakeError::Missing {
                dir: dir.to_path_buf(),
            });
        }
        let dir = dir.canonicalize().map_err(LakeError::folder(dir))?;
        Self::connect(dir, None, Retention::default()).await
    }

    /// The folder of the lake, absolute.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    fn lock(dir: &Path) -> Result<File, LakeError> {
        let path = dir.join("lake.lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(LakeError::folder(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(LakeError::InUse {
                dir: dir.to_path_buf(),
            }),
            Err(TryLockError::Error(source)) => Err(LakeError::Folder { path, source }),
        }
    }

    async fn connect(
        dir: PathBuf,
        lock: Option<File>,
        retention: Retention,
    ) -> Result<Self, LakeError> {
        let text = dir
            .to_str()
            .ok_or_else(|| LakeError::Path { path: dir.clone() })?;
        let path = dir.join("catalog.db");
        let unreadable = |reason: String| LakeError::CatalogUnreadable {
            path: path.clone(),
            reason,
        };

        if !path.exists() && holds_rows(&dir.join("warehouse")) {
            return Err(unreadable(
                "it is missing, but warehouse/ holds rows".into(),
            ));
        }
        // The write-ahead log lets PyIceberg and DuckDB read while we commit. The mode is kept in the file, so it also
        // holds for iceberg's own connections, which can only be given a URI.
        let mut options = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(BUSY_TIMEOUT);
        if lock.is_some() {
            options = options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal);
        }
        let db = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_with(options)
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        // Connecting does not read the file; this does.
        sqlx::query("SELECT count(*) FROM sqlite_master")
            .execute(&db)
            .await
            .map_err(|error| unreadable(error.to_string()))?;

        let uri = format!(
            "sqlite://{}/catalog.db?mode={}",
            percent_encoded(text),
            if lock.is_some() { "rwc" } else { "rw" }
        );
        let catalog = SqlCatalogBuilder::default()
            .uri(uri)
            .warehouse_location(format!("file://{text}/warehouse"))
            .sql_bind_style(SqlBindStyle::QMark)
            .with_storage_factory(Arc::new(SyncedFilesFactory))
            .load(CATALOG, HashMap::new())
            .await
            .map_err(|error| unreadable(error.to_string()))?;

        let warehouse = dir.join("warehouse");
        let lake = Self {
            inner: Arc::new(Inner {
                dir,
                warehouse,
                catalog,
                db,
                tables: Mutex::default(),
                namespaces: tokio::sync::Mutex::default(),
                retention,
                lock,
            }),
        };
        lake.refuse_if_moved().await?;
        Ok(lake)
    }

    async fn refuse_if_moved(&self) -> Result<(), LakeError> {
        let warehouse = self.warehouse_uri();
        let inside = format!("{warehouse}/");
        for (table, recorded) in self.recorded_tables().await? {
            if !recorded.starts_with(&inside) {
                return Err(LakeError::Moved {
                    dir: self.inner.dir.clone(),
                    table: table.to_string(),
                    recorded,
                    warehouse,
                });
            }
        }
        Ok(())
    }

    /// Every table of the catalog with the location of its current metadata, in one query.
    pub(crate) async fn recorded_tables(&self) -> Result<Vec<(TableName, String)>, LakeError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables
             WHERE catalog_name = ? AND metadata_location IS NOT NULL AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)
             ORDER BY table_namespace, table_name",
        )
        .bind(CATALOG)
        .fetch_all(&self.inner.db)
        .await
        .map_err(|error| self.catalog_error(&error))?;
        Ok(rows
            .into_iter()
            .map(|(namespace, name, location)| (TableName { namespace, name }, location))
            .collect())
    }

    /// Where the catalog says the table's current metadata is; None when it has no such table.
    pub(crate) async fn recorded_location(
        &self,
        table: &TableName,
    ) -> Result<Option<String>, LakeError> {
        sqlx::query_scalar(
            "SELECT metadata_location FROM iceberg_tables
             WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)",
        )
        .bind(CATALOG)
        .bind(&table.namespace)
        .bind(&table.name)
        .fetch_optional(&self.inner.db)
        .await
        .map_err(|error| self.catalog_error(&error))
    }

    fn catalog_error(&self, error: &sqlx::Error) -> LakeError {
        LakeError::CatalogUnreadable {
            path: self.inner.dir.join("catalog.db"),
            reason: error.to_string(),
        }
    }

    /// The table as the catalog has it now.
    pub(crate) async fn load(&self, table: &TableName) -> Result<Table, LakeError> {
        if self.recorded_location(table).await?.is_none() {
            return Err(LakeError::NoTable {
                table: table.clone(),
            });
        }
        self.inner
            .catalog
            .load_table(&table.ident()?)
            .await
            .map_err(LakeError::unreadable(table))
    }

    pub(crate) fn writable(&self) -> Result<(), LakeError> {
        match self.inner.lock {
            Some(_) => Ok(()),
            None => Err(LakeError::ReadOnly {
                dir: self.inner.dir.clone(),
            }),
        }
    }

    pub(crate) fn state(&self, table: &TableName) -> Arc<TableState> {
        let mut tables = self
            .inner
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(table.clone()).or_default())
    }

    pub(crate) fn states(&self) -> Vec<(TableName, Arc<TableState>)> {
        let tables = self
            .inner
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tables
            .iter()
            .map(|(name, state)| (name.clone(), Arc::clone(state)))
            .collect()
    }

    pub(crate) fn warehouse_uri(&self) -> String {
        format!("file://{}", self.inner.warehouse.display())
    }

    /// The file that a `file://` location of this lake's metadata names; None for a place outside the warehouse.
    pub(crate) fn local_path(&self, location: &str) -> Option<PathBuf> {
        let path = PathBuf::from(location.strip_prefix("file://").unwrap_or(location));
        let plain = path
            .components()
            .all(|part| !matches!(part, std::path::Component::ParentDir));
        (plain && path.starts_with(&self.inner.warehouse)).then_some(path)
    }
}

/// For sqlx, which takes a URI and decodes its path.
fn percent_encoded(path: &str) -> String {
    path.bytes()
        .fold(String::with_capacity(path.len()), |mut text, byte| {
            if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
            text
        })
}
