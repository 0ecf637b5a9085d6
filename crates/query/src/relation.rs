//! What a query reads: the relations behind its names, and the session it runs in.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rwt_sql::DataType;

use crate::error::QueryError;

/// A column of a relation or of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name that users see.
    pub name: String,
    /// RisingWave's type.
    pub data_type: DataType,
    /// Not part of `*`: `_row_id`, `_rw_timestamp`.
    pub hidden: bool,
}

impl Column {
    /// A visible column.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            hidden: false,
        }
    }

    /// A column that `*` leaves out.
    pub fn hidden(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            hidden: true,
            ..Self::new(name, data_type)
        }
    }
}

/// The name of the hidden column with the row ids that DELETE and UPDATE work on (`serial`, Arrow `Int64`).
pub const ROW_ID: &str = "_row_id";

/// A table, materialized view, source, system table (rows) or a plain view (text).
#[derive(Debug, Clone)]
pub struct Relation {
    /// The columns, hidden ones too, in the order of the batches' columns.
    pub columns: Vec<Column>,
    /// Where the rows come from.
    pub data: RelationData,
    /// Positions of the columns that identify a row; empty where none are known.
    pub key: Vec<usize>,
    /// It only ever gains rows.
    pub append_only: bool,
}

/// Where a relation's rows come from.
#[derive(Debug, Clone)]
pub enum RelationData {
    /// Rows in memory. The Arrow types are those of [`crate::arrow_type`]; numeric columns may have any scale.
    Batches(Arc<Vec<RecordBatch>>),
    /// The query of a plain view, expanded in place. `columns` are the names given in CREATE VIEW (may be empty).
    View {
        /// The SELECT of the view.
        sql: String,
        /// The names of CREATE VIEW's column list.
        columns: Vec<String>,
    },
}

impl Relation {
    /// A relation over rows in memory.
    pub fn rows(columns: Vec<Column>, batches: Arc<Vec<RecordBatch>>) -> Self {
        Self {
            columns,
            data: RelationData::Batches(batches),
            key: Vec::new(),
            append_only: false,
        }
    }

    /// The same with the positions of the columns that identify a row.
    pub fn with_key(self, key: Vec<usize>) -> Self {
        Self { key, ..self }
    }

    /// The same, known to only ever gain rows or not.
    pub fn with_append_only(self, append_only: bool) -> Self {
        Self {
            append_only,
            ..self
        }
    }

    /// The Arrow schema of the rows: that of the batches, or of the column types while there are none.
    pub fn schema(&self) -> SchemaRef {
        if let RelationData::Batches(batches) = &self.data
            && let Some(batch) = batches.first()
        {
            return batch.schema();
        }
        crate::types::schema(&self.columns)
    }
}

/// A SQL function of the user: expanded in place of its call.
#[derive(Debug, Clone)]
pub struct SqlFunction {
    /// Names (where given) and types of the parameters.
    pub params: Vec<(Option<String>, DataType)>,
    /// The result's type.
    pub returns: DataType,
    /// The body: `SELECT <expression>`.
    pub body: String,
}

/// A user or an object, as `has_schema_privilege` and its like name it.
#[derive(Debug, Clone, Copy)]
pub enum Named<'a> {
    /// By its number.
    Id(i32),
    /// By its name.
    Name(&'a str),
}

/// What has privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Securable {
    /// Everything that is read like a table, and whatever else has a number of its own.
    Object,
    /// A schema.
    Schema,
    /// A database.
    Database,
    /// A function, named with the types of its arguments.
    Function,
}

/// A privilege that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privilege {
    /// Its letter in PostgreSQL's access lists.
    pub letter: char,
    /// It has to come with the right to give it on.
    pub grant_option: bool,
}

/// Who may do what.
pub trait Access: Send + Sync {
    /// Whether the user has all of these privileges.
    ///
    /// # Errors
    /// RisingWave's, if there is no such user or object.
    fn holds(
        &self,
        user: Named<'_>,
        on: Securable,
        object: Named<'_>,
        privileges: &[Privilege],
    ) -> Result<bool, QueryError>;
}

/// The access of a catalog without users: everything.
struct Unlimited;

impl Access for Unlimited {
    fn holds(
        &self,
        _: Named<'_>,
        _: Securable,
        _: Named<'_>,
        _: &[Privilege],
    ) -> Result<bool, QueryError> {
        Ok(true)
    }
}

/// The catalog as a query sees it.
#[async_trait]
pub trait Relations: Send + Sync {
    /// The relation of this name, or `None`. Without a schema the search path decides, `pg_catalog` and `rw_catalog`
    /// included (`pg_class` needs no prefix).
    async fn relation(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Relation>, QueryError>;

    /// The user's functions of this name (overloads).
    async fn functions(
        &self,
        _schema: Option<&str>,
        _name: &str,
    ) -> Result<Vec<SqlFunction>, QueryError> {
        Ok(Vec::new())
    }

    /// The texts of views' queries and of CREATE INDEX by object id, for `pg_get_viewdef` and `pg_get_indexdef`.
    async fn definitions(&self) -> Result<HashMap<i32, String>, QueryError> {
        Ok(HashMap::new())
    }

    /// The object ids of all relations, by schema and name, and by name alone where the search path finds them.
    async fn object_ids(&self) -> Result<HashMap<(Option<String>, String), i32>, QueryError> {
        Ok(HashMap::new())
    }

    /// The object id of a relation, for `'name'::regclass`.
    async fn object_id(
        &self,
        _schema: Option<&str>,
        _name: &str,
    ) -> Result<Option<i32>, QueryError> {
        Ok(None)
    }

    /// Who may do what, for `has_table_privilege` and its like.
    fn access(&self) -> Arc<dyn Access> {
        Arc::new(Unlimited)
    }
}

/// What a session gives to its queries.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The session's time zone, an IANA name.
    pub timezone: String,
    /// The schemas of the search path, without the implicit system schemas.
    pub search_path: Vec<String>,
    /// The current database.
    pub database: String,
    /// The current user.
    pub user: String,
    /// What `version()` answers.
    pub version: String,
    /// The statement's time: `now()`.
    pub now: DateTime<Utc>,
    /// Session variables for `current_setting`, by lower-case name.
    pub variables: HashMap<String, String>,
    /// User names by id, for `pg_get_userbyid`.
    pub users: HashMap<i32, String>,
    /// What is evaluated are generated columns: they have PROCTIME() and not NOW().
    pub in_columns: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timezone: "UTC".into(),
            search_path: vec!["public".into()],
            database: "dev".into(),
            user: "root".into(),
            version: "PostgreSQL 13.14.0-RisingWave-2.8.4 (unknown)".into(),
            now: Utc::now(),
            variables: HashMap::new(),
            users: HashMap::from([(1, "root".into())]),
            in_columns: false,
        }
    }
}
