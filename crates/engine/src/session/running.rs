//! A statement while it runs, its rows included: other sessions see it, and the session's time limit ends it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use rwt_wire::{Outcome, RowStream, SqlError};
use tokio::time::{Instant, timeout_at};

use super::Session;
use crate::engine::{Inner, locked};

/// A time limit and the moment it is reached.
#[derive(Clone, Copy)]
struct Limit {
    length: Duration,
    end: Instant,
}

impl Limit {
    fn reached(self) -> SqlError {
        SqlError::internal(format!(
            "Query cancelled: timeout after {} seconds",
            self.length.as_secs_f64()
        ))
    }
}

/// A statement that its session's entry shows as running, until this is dropped.
struct Shown {
    inner: Arc<Inner>,
    session: i32,
    since: std::time::Instant,
}

impl Shown {
    fn new(session: &Session, sql: &str) -> Self {
        let since = std::time::Instant::now();
        if let Some(entry) = locked(&session.inner.sessions).get_mut(&session.number) {
            entry.running = Some((rwt_sql::redact(sql), since));
        }
        Self {
            inner: session.inner.clone(),
            session: session.number,
            since,
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let mut sessions = locked(&self.inner.sessions);
        let Some(entry) = sessions.get_mut(&self.session) else {
            return;
        };
        // rows that a client left in a portal end after the statement that followed them began
        if entry
            .running
            .as_ref()
            .is_some_and(|(_, since)| *since == self.since)
        {
            entry.running = None;
        }
    }
}

impl Session {
    /// Carries a statement out: `work` as far as the outcome, and the rows while they are read.
    pub(super) async fn timed(
        &mut self,
        sql: &str,
        work: impl AsyncFnOnce(&mut Self) -> Result<Outcome, SqlError>,
    ) -> Result<Outcome, SqlError> {
        let shown = Shown::new(self, sql);
        let limit = self.settings.timeout().map(|length| Limit {
            length,
            end: Instant::now() + length,
        });
        let outcome = match limit {
            None => work(self).await?,
            Some(limit) => timeout_at(limit.end, work(self))
                .await
                .map_err(|_| limit.reached())??,
        };
        Ok(match outcome {
            Outcome::Rows { columns, rows, tag } => Outcome::Rows {
                columns,
                rows: watched(rows, shown, limit),
                tag,
            },
            Outcome::CopyOut { columns, rows } => Outcome::CopyOut {
                columns,
                rows: watched(rows, shown, limit),
            },
            done @ Outcome::Done { .. } => done,
        })
    }
}

/// Rows that end with an error when the limit is reached.
fn watched(rows: RowStream, shown: Shown, limit: Option<Limit>) -> RowStream {
    futures::stream::unfold(Some((rows, shown)), move |state| async move {
        let (mut rows, shown) = state?;
        let next = match limit {
            None => rows.next().await,
            Some(limit) => match timeout_at(limit.end, rows.next()).await {
                Ok(next) => next,
                Err(_) => return Some((Err(limit.reached()), None)),
            },
        };
        next.map(|batch| (batch, Some((rows, shown))))
    })
    .boxed()
}
