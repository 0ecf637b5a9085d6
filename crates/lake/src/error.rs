//! What can go wrong with a lake, for people.

use std::path::PathBuf;

use crate::tables::TableName;

/// An error of the embedded lake.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum LakeError {
    /// There is no lake to read at this place.
    #[error("no lake in {}: it has no catalog.db", dir.display())]
    #[diagnostic(
        code(rwt::lake::missing),
        help(
            "start the embedded stack once (it makes the lake), or name the folder that holds catalog.db"
        )
    )]
    Missing {
        /// The folder that was given.
        dir: PathBuf,
    },

    /// The folder of the lake cannot be used.
    #[error("cannot use {} for the lake: {source}", path.display())]
    #[diagnostic(
        code(rwt::lake::folder),
        help("check that the folder exists, is writable and that the disk is not full")
    )]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },

    /// The path of the lake is not UTF-8, which Iceberg needs because it writes absolute paths into its metadata.
    #[error("cannot use {} for the lake: the path is not UTF-8", path.display())]
    #[diagnostic(
        code(rwt::lake::path),
        help(
            "Iceberg writes absolute paths into its metadata as text; choose a folder with a plain name"
        )
    )]
    Path {
        /// The path.
        path: PathBuf,
    },

    /// Another process writes to this lake.
    #[error("the lake {} is in use by another process", dir.display())]
    #[diagnostic(
        code(rwt::lake::in_use),
        help(
            "one process writes to a lake at a time: stop the other one (`rwt down`), or use another data directory"
        )
    )]
    InUse {
        /// The lake.
        dir: PathBuf,
    },

    /// `catalog.db` is no SQLite catalog, or it cannot be read.
    #[error("cannot read the lake's catalog {}: {reason}", path.display())]
    #[diagnostic(
        code(rwt::lake::catalog_unreadable),
        help(
            "the Parquet files under warehouse/ are untouched; restore catalog.db (with its -wal file) from a copy, or move the lake's folder aside to start an empty one"
        )
    )]
    CatalogUnreadable {
        /// The catalog file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },

    /// The tables of this lake were written under another folder.
    #[error("the lake {} was moved: its table {table} is recorded at {recorded}, outside {warehouse}", dir.display())]
    #[diagnostic(
        code(rwt::lake::moved),
        help(
            "Iceberg metadata holds absolute paths: move the folder back to where it was made, or start with an empty lake folder"
        )
    )]
    Moved {
        /// Where the lake is now.
        dir: PathBuf,
        /// A table that points elsewhere.
        table: String,
        /// Where its metadata is recorded.
        recorded: String,
        /// Where it would have to be.
        warehouse: String,
    },

    /// The metadata or a data file of a table cannot be read.
    #[error("cannot read the lake table {table}: {source}")]
    #[diagnostic(
        code(rwt::lake::table_unreadable),
        help(
            "a file of the table is missing or damaged under its folder in warehouse/; restore it, or drop the table and load it again"
        )
    )]
    TableUnreadable {
        /// The table.
        table: TableName,
        /// What iceberg says.
        source: Box<iceberg::Error>,
    },

    /// A change of a table failed. Whether an append arrived all the same, appending again with its commit id tells.
    #[error("cannot write to the lake table {table}: {source}")]
    #[diagnostic(
        code(rwt::lake::write),
        help(
            "check the disk's free space and try again: an append with the same commit id is never made twice"
        )
    )]
    Write {
        /// The table.
        table: TableName,
        /// What iceberg says.
        source: Box<iceberg::Error>,
    },

    /// The table is not in the lake.
    #[error("table {table} does not exist in the lake")]
    #[diagnostic(code(rwt::lake::no_table))]
    NoTable {
        /// The table.
        table: TableName,
    },

    /// The table is in the lake already.
    #[error("table {table} exists in the lake already")]
    #[diagnostic(
        code(rwt::lake::table_exists),
        help("drop it, or use it as it is if its columns are the same")
    )]
    TableExists {
        /// The table.
        table: TableName,
    },

    /// A namespace or table name that cannot be used.
    #[error("`{name}` cannot be the name of a lake table: {reason}")]
    #[diagnostic(code(rwt::lake::name))]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },

    /// A column type that Iceberg, or rwt's use of it, does not have.
    #[error("column `{column}` of {table} has the type {data_type}, which the lake cannot store")]
    #[diagnostic(
        code(rwt::lake::column_type),
        help("cast the column, for example to varchar or numeric")
    )]
    ColumnType {
        /// The table.
        table: TableName,
        /// The column, nested ones as `outer.inner`.
        column: String,
        /// Its Arrow type.
        data_type: String,
    },

    /// Rows that do not fit the table.
    #[error("the rows do not fit the lake table {table}: {reason}")]
    #[diagnostic(code(rwt::lake::columns))]
    Columns {
        /// The table.
        table: TableName,
        /// What does not fit.
        reason: String,
    },

    /// Changing or removing rows that are in the lake.
    #[error(
        "{operation} is not possible on the lake table {table}: rows of the embedded lake can only be added"
    )]
    #[diagnostic(
        code(rwt::lake::append_only),
        help(
            "the Iceberg library of this build commits appends only; keep the changing rows in a plain table and send them to the lake append-only, or run the project on RisingWave"
        )
    )]
    AppendOnly {
        /// The table.
        table: TableName,
        /// `UPDATE`, `DELETE`, …
        operation: String,
    },

    /// A write to a lake that was opened to be read.
    #[error("the lake {} is open for reading only", dir.display())]
    #[diagnostic(code(rwt::lake::read_only))]
    ReadOnly {
        /// The lake.
        dir: PathBuf,
    },
}

impl LakeError {
    pub(crate) fn unreadable(table: &TableName) -> impl FnOnce(iceberg::Error) -> Self + '_ {
        |source| Self::TableUnreadable {
            table: table.clone(),
            source: Box::new(source),
        }
    }

    pub(crate) fn write(table: &TableName) -> impl FnOnce(iceberg::Error) -> Self + '_ {
        |source| Self::Write {
            table: table.clone(),
            source: Box::new(source),
        }
    }

    pub(crate) fn folder(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Folder {
            path: path.to_path_buf(),
            source,
        }
    }
}
