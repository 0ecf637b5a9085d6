//! DECLARE, FETCH and CLOSE: cursors over a query's rows, and over the changes that a subscription keeps
//! ([`super::cursor_over_changes`]).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use futures::FutureExt;
use rwt_sql::Ident;
use rwt_sql::statement::{CursorOver, Options};
use rwt_wire::{Column, Outcome, SqlError};

use super::cursor_over_changes::CursorOverChanges;
use super::{Session, wire_columns};
use crate::engine::{CursorEntry, locked};

/// A declared cursor.
pub(super) enum Cursor {
    /// The rows of a query that are not fetched yet.
    Query {
        columns: Vec<Column>,
        rows: VecDeque<RecordBatch>,
    },
    /// Over a subscription.
    Changes(Box<CursorOverChanges>),
}

impl Cursor {
    /// The columns of what is fetched from it.
    pub fn columns(&self) -> Vec<Column> {
        match self {
            Self::Query { columns, .. } => columns.clone(),
            Self::Changes(cursor) => wire_columns(cursor.columns()),
        }
    }
}

/// Takes the first rows away.
pub(super) fn take(waiting: &mut VecDeque<RecordBatch>, mut wanted: usize) -> Vec<RecordBatch> {
    let mut rows = Vec::new();
    while wanted > 0 {
        let Some(batch) = waiting.pop_front() else {
            break;
        };
        let taken = wanted.min(batch.num_rows());
        if taken < batch.num_rows() {
            waiting.push_front(batch.slice(taken, batch.num_rows() - taken));
        }
        rows.push(batch.slice(0, taken));
        wanted -= taken;
    }
    rows
}

impl Session {
    /// `DECLARE name [SUBSCRIPTION] CURSOR FOR …`
    pub(super) async fn declare(
        &mut self,
        name: &Ident,
        over: CursorOver,
    ) -> Result<Outcome, SqlError> {
        let name = name.value();
        if self.cursors.contains_key(name) {
            return Err(SqlError::internal("Catalog error")
                .because(format!("cursor `{name}` already exists")));
        }
        let cursor = match over {
            CursorOver::Query(query) => {
                let (columns, rows) = self.select_all(&query).await?;
                Cursor::Query {
                    columns: wire_columns(&columns),
                    rows: rows.into(),
                }
            }
            CursorOver::Subscription { name, since } => {
                let cursor = CursorOverChanges::declare(&self.reading(), &name, since)
                    .boxed()
                    .await?;
                Cursor::Changes(Box::new(cursor))
            }
        };
        self.cursors.insert(name.to_owned(), cursor);
        self.show_cursor(name);
        Ok(Outcome::done("DECLARE_CURSOR"))
    }

    /// `FETCH NEXT | n FROM name [WITH (timeout = '…')]`
    pub(super) async fn fetch(
        &mut self,
        name: &Ident,
        count: u32,
        with: &Options,
    ) -> Result<Outcome, SqlError> {
        let timeout = timeout(with)?;
        let name = name.value();
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        let cursor = self.cursors.get_mut(name).ok_or_else(|| {
            SqlError::internal(format!("internal error: Cannot find cursor `{name}`"))
        })?;
        // Other columns are another FETCH's.
        let columns = cursor.columns();
        let rows = match cursor {
            Cursor::Query { rows, .. } => take(rows, wanted),
            Cursor::Changes(cursor) => cursor.fetch(&self.inner, wanted, timeout).await?,
        };
        self.show_cursor(name);
        Ok(super::query::rows(columns, rows, "FETCH_CURSOR"))
    }

    /// `CLOSE name | ALL`
    pub(super) fn close(&mut self, name: Option<&Ident>) -> Result<Outcome, SqlError> {
        let mut sessions = locked(&self.inner.sessions);
        let shown = sessions
            .get_mut(&self.number)
            .map(|entry| &mut entry.cursors);
        match name.map(Ident::value) {
            None => {
                self.cursors.clear();
                if let Some(shown) = shown {
                    shown.clear();
                }
            }
            Some(name) => {
                if self.cursors.remove(name).is_none() {
                    return Err(SqlError::internal("Catalog error")
                        .because(format!("cursor `{name}` don't exists")));
                }
                if let Some(shown) = shown {
                    shown.remove(name);
                }
            }
        }
        Ok(Outcome::done("CLOSE_CURSOR"))
    }

    /// Lets SHOW CURSORS of all sessions see how a cursor stands.
    fn show_cursor(&self, name: &str) {
        let subscription = match self.cursors.get(name) {
            Some(Cursor::Changes(cursor)) => Some(cursor.shown()),
            _ => None,
        };
        if let Some(entry) = locked(&self.inner.sessions).get_mut(&self.number) {
            let cursor = CursorEntry {
                subscription,
                used: Instant::now(),
            };
            entry.cursors.insert(name.to_owned(), cursor);
        }
    }
}

/// How long a FETCH waits for a change.
fn timeout(with: &Options) -> Result<Duration, SqlError> {
    let wrong = |what: String| SqlError::internal(format!("internal error: {what}"));
    match with.0.as_slice() {
        [] => Ok(Duration::ZERO),
        [(key, value)] if key == "timeout" => {
            let text = value.as_str().unwrap_or_default();
            let seconds = super::create_view::duration_seconds(text).ok_or_else(|| {
                wrong(format!(
                    "timeout '{text}' is not understood: whole seconds such as '5s' are expected"
                ))
            })?;
            Ok(Duration::from_secs(seconds))
        }
        _ => Err(wrong(
            "only `timeout` is supported in with options".to_owned(),
        )),
    }
}
