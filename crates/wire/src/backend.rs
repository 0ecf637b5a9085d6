//! What a database has to offer to be served: [`Backend`] makes sessions, a [`Connection`] is one session.
//!
//! The wire keeps the protocol's own state (prepared statements, portals, formats, the order of messages) and calls a
//! connection for everything that needs knowledge of SQL. One connection runs one statement at a time.
//!
//! Cancellation: the future of [`Connection::run`], [`Connection::prepare`] or [`Connection::execute`] (or the row
//! stream that came of it) is **dropped** when a cancel request, [`Canceller::cancel`] or the server's shutdown reaches
//! the statement, and its token is cancelled just before. A future can only be dropped where it awaits, so long
//! computations belong on another thread or yield now and then. Work that runs elsewhere (a spawned task, a blocking thread)
//! watches the token; work that must not be torn in the middle belongs in a spawned task that ignores it.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;
use rwt_sql::DataType;
use tokio_util::sync::CancellationToken;

use crate::error::SqlError;
use crate::param::Param;

/// A database that makes sessions.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Opens a session. Its error is sent as `Failed to start a new session: …` and closes the connection: an unknown
    /// database is `3D000` with `Catalog error` / `database not found: x`, an unknown user `XX000`.
    async fn connect(&self, startup: Startup) -> Result<Box<dyn Connection>, SqlError>;
}

/// Who wants a session, and the wire's handle on it.
#[derive(Debug, Clone)]
pub struct Startup {
    /// `root` if the client named nobody.
    pub user: String,
    /// `dev` if the client named none.
    pub database: String,
    /// As the client sent it.
    pub application_name: Option<String>,
    /// The session's number: pid and key of BackendKeyData, the second half of SHOW PROCESSLIST's `Id`.
    pub session: i32,
    /// The client's address, if the socket knows it.
    pub peer: Option<SocketAddr>,
    /// Cancels what this session is running; for KILL keep a clone under the session's number.
    pub canceller: Canceller,
}

/// One session. All methods are called one after another.
#[async_trait]
pub trait Connection: Send {
    /// Splits a message of the simple protocol into the texts of its statements, without empty ones, and parses all of
    /// them, so that one syntax error anywhere stops the whole message before anything runs.
    fn parse_script(&mut self, sql: &str) -> Result<Vec<String>, SqlError>;

    /// Runs one statement of [`Self::parse_script`] (simple protocol: no parameters).
    async fn run(&mut self, sql: &str, cancel: &CancellationToken) -> Result<Outcome, SqlError>;

    /// Binds and plans one statement for the extended protocol. `declared` are the types that the client gave; it may
    /// be shorter than the number of parameters, and `None` asks for inference.
    async fn prepare(
        &mut self,
        sql: &str,
        declared: &[Option<DataType>],
        cancel: &CancellationToken,
    ) -> Result<Prepared, SqlError>;

    /// Runs a prepared statement. `params` has exactly as many values as `prepared.params`.
    async fn execute(
        &mut self,
        prepared: &Prepared,
        params: Vec<Param>,
        cancel: &CancellationToken,
    ) -> Result<Outcome, SqlError>;

    /// NOTICE texts since the last call.
    fn take_notices(&mut self) -> Vec<String>;

    /// True between `BEGIN READ ONLY` and its end: ReadyForQuery then says `T`.
    fn in_read_only_transaction(&self) -> bool;

    /// The session's time zone (an IANA name or an offset such as `+02:00`) for the text of a timestamptz.
    fn timezone(&self) -> &str {
        "UTC"
    }
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As shown to the client.
    pub name: String,
    /// Its type; the Arrow column may be any array that casts to this type's Arrow type.
    pub data_type: DataType,
}

impl Column {
    /// A column.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
        }
    }
}

/// The rows of a result, batch by batch. The wire polls for the next batch only when the client took the last one. The
/// columns are matched by position; columns beyond the announced ones are an error.
pub type RowStream = BoxStream<'static, Result<RecordBatch, SqlError>>;

/// Rows that exist already, as a stream.
pub fn rows_of(batches: Vec<RecordBatch>) -> RowStream {
    Box::pin(futures::stream::iter(batches.into_iter().map(Ok)))
}

/// What a statement gave.
pub enum Outcome {
    /// Rows, then a tag: SELECT, RETURNING, SHOW, DESCRIBE, EXPLAIN, FETCH.
    Rows {
        /// The columns.
        columns: Vec<Column>,
        /// The rows.
        rows: RowStream,
        /// The tag behind them.
        tag: RowsTag,
    },
    /// A tag only: `CREATE_TABLE`, `INSERT 0 3`, `SET_VARIABLE`, … exactly as it is sent.
    Done {
        /// The tag.
        tag: String,
    },
    /// `COPY (query) TO STDOUT`, text format; the tag `COPY n` is the wire's.
    CopyOut {
        /// The columns.
        columns: Vec<Column>,
        /// The rows.
        rows: RowStream,
    },
}

impl Outcome {
    /// A tag without rows.
    pub fn done(tag: impl Into<String>) -> Self {
        Self::Done { tag: tag.into() }
    }

    /// The rows of a query, with the tag `SELECT n`.
    pub fn select(columns: Vec<Column>, rows: RowStream) -> Self {
        Self::Rows {
            columns,
            rows,
            tag: RowsTag::Counted("SELECT".into()),
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows { columns, tag, .. } => f
                .debug_struct("Rows")
                .field("columns", columns)
                .field("tag", tag)
                .finish_non_exhaustive(),
            Self::Done { tag } => f.debug_struct("Done").field("tag", tag).finish(),
            Self::CopyOut { columns, .. } => f
                .debug_struct("CopyOut")
                .field("columns", columns)
                .finish_non_exhaustive(),
        }
    }
}

/// The tag behind rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsTag {
    /// The words, then the number of rows sent: `SELECT` → `SELECT 3`, `INSERT 0` → `INSERT 0 3`.
    Counted(String),
    /// Exactly this: `SHOW_COMMAND`, `EXPLAIN`, `INSERT 0 3`.
    Fixed(String),
}

/// A statement that was bound and planned.
#[derive(Clone)]
pub struct Prepared {
    /// The statement's text.
    pub sql: String,
    /// The types of `$1`, `$2`, …
    pub params: Vec<DataType>,
    /// The columns of its rows, `None` for a statement without rows.
    pub columns: Option<Vec<Column>>,
    /// Whatever the connection wants to find again in [`Connection::execute`], a plan for example.
    pub plan: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("params", &self.params)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// A handle that cancels whatever statement a session is running, and does nothing when the session is idle.
#[derive(Debug, Clone, Default)]
pub struct Canceller(Arc<Mutex<Option<CancellationToken>>>);

impl Canceller {
    /// Cancels the running statement; true if there was one.
    pub fn cancel(&self) -> bool {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(CancellationToken::cancel).is_some()
    }

    /// Names the statement that [`Self::cancel`] reaches, until the guard is dropped.
    pub(crate) fn running(&self, token: &CancellationToken) -> Running {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Running(self.clone())
    }
}

/// While it lives, the session has a running statement.
pub(crate) struct Running(Canceller);

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
