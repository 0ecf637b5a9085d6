//! A cursor over the changes that a subscription keeps: where it begins, how it goes on, when it is too old. It behaves as
//! RisingWave's (`src/frontend/src/session/cursor_manager.rs` there).

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use rwt_query::Column;
use rwt_sql::ObjectName;
use rwt_sql::statement::Since;
use rwt_wire::SqlError;

use super::query_error;
use crate::catalog::{Body, Kind, Object, ObjectId, Subscription};
use crate::engine::{Inner, internal};
use crate::reading::Reading;
use crate::storage::State;
use crate::stream::{INSERT, first_since, log_batch, log_columns};

/// A cursor over a subscription.
pub(super) struct CursorOverChanges {
    subscription: ObjectId,
    name: String,
    retention: Duration,
    /// The columns of what is fetched; they follow the relation's when a change with other columns comes.
    columns: Vec<Column>,
    /// Rows that were there when it was declared and are not fetched yet.
    before: VecDeque<RecordBatch>,
    /// The id of the next change.
    next: i64,
    /// When it can no longer be fetched from.
    expires: Instant,
}

/// What there is to be fetched now.
struct Found {
    rows: Vec<RecordBatch>,
    /// The next change has other columns, which another FETCH is to begin with.
    other_columns: bool,
}

impl CursorOverChanges {
    /// A cursor that begins where `since` says.
    pub async fn declare(
        reading: &Reading,
        name: &ObjectName,
        since: Since,
    ) -> Result<Self, SqlError> {
        let catalog = &reading.state.catalog;
        let object = catalog
            .find(Kind::Subscription, name, &reading.path)
            .ok_or_else(|| SqlError::not_found("subscription", name.name()))?;
        let Body::Subscription(subscription) = &object.body else {
            return Err(SqlError::not_found("subscription", name.name()));
        };
        let columns = log_columns(&object.columns);
        let end = reading.state.tables.get(&object.id);
        let end = end.map_or(0, |log| log.next_row_id());
        let from = |millis: i64| -> Result<i64, SqlError> {
            let Some(log) = reading.state.tables.get(&object.id) else {
                return Ok(end);
            };
            let parts = log.parts().map_err(internal)?;
            Ok(first_since(parts, millis).unwrap_or(end))
        };
        let next = match since {
            Since::Full | Since::Now => end,
            Since::Begin => from(oldest(subscription))?,
            Since::Millis(millis) => from(checked(millis, subscription)?)?,
        };
        let before = match since {
            Since::Full => snapshot(reading, object, subscription, &columns).await?,
            _ => VecDeque::new(),
        };
        let retention = Duration::from_secs(subscription.retention);
        Ok(Self {
            subscription: object.id,
            name: object.name.clone(),
            retention,
            columns,
            before,
            next,
            expires: later(retention),
        })
    }

    /// The columns of what is fetched.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The subscription and how far the cursor is, for people.
    pub fn shown(&self) -> (String, String) {
        let state = match self.before.is_empty() {
            true => format!("InitLogStoreQuery {{ seek_row: {} }}", self.next),
            false => format!(
                "Fetch {{ from_snapshot: true, cached rows: {} }}",
                self.before.iter().map(RecordBatch::num_rows).sum::<usize>()
            ),
        };
        (self.name.clone(), state)
    }

    /// The next rows. It waits for some while there are none and the time is not over.
    pub async fn fetch(
        &mut self,
        inner: &Arc<Inner>,
        wanted: usize,
        timeout: Duration,
    ) -> Result<Vec<RecordBatch>, SqlError> {
        if Instant::now() > self.expires {
            return Err(SqlError::internal(
                "internal error: The cursor has exceeded its maximum lifetime, please recreate it (close then declare cursor).",
            ));
        }
        let end = tokio::time::Instant::now() + timeout;
        loop {
            let mut changed = pin!(inner.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            let found = self.take(&inner.state(), wanted)?;
            if !found.rows.is_empty() || found.other_columns || wanted == 0 {
                return Ok(found.rows);
            }
            if tokio::time::timeout_at(end, changed).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    fn take(&mut self, state: &State, wanted: usize) -> Result<Found, SqlError> {
        let mut rows = super::cursor::take(&mut self.before, wanted);
        let mut missing = wanted - rows.iter().map(RecordBatch::num_rows).sum::<usize>();
        let object = state
            .catalog
            .get(self.subscription)
            .ok_or_else(|| SqlError::not_found("subscription", &self.name))?;
        let Some(log) = state.tables.get(&self.subscription) else {
            return Ok(Found {
                rows,
                other_columns: false,
            });
        };
        for (ids, batch) in log.parts().map_err(internal)? {
            let skipped = ids.values().partition_point(|id| *id < self.next);
            let taken = missing.min(ids.len() - skipped);
            if taken == 0 {
                continue;
            }
            let columns = log_columns(&object.columns);
            if columns != self.columns {
                self.columns = columns;
                // What was fetched has the old ones.
                let other_columns = true;
                return Ok(Found {
                    rows,
                    other_columns,
                });
            }
            rows.push(batch.slice(skipped, taken));
            self.next = ids.value(skipped + taken - 1) + 1;
            self.expires = later(self.retention);
            missing -= taken;
        }
        Ok(Found {
            rows,
            other_columns: false,
        })
    }
}

fn later(retention: Duration) -> Instant {
    let now = Instant::now();
    // A retention beyond what a clock can count is no limit.
    now.checked_add(retention)
        .unwrap_or(now + Duration::from_secs(u64::from(u32::MAX)))
}

/// The oldest moment whose changes are kept.
fn oldest(subscription: &Subscription) -> i64 {
    let kept = i64::try_from(subscription.retention.saturating_mul(1000)).unwrap_or(i64::MAX);
    chrono::Utc::now().timestamp_millis().saturating_sub(kept)
}

/// A moment that a cursor may begin at.
fn checked(millis: u64, subscription: &Subscription) -> Result<i64, SqlError> {
    let wrong = |why: &str| SqlError::internal("Catalog error").because(why.to_owned());
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    if millis > chrono::Utc::now().timestamp_millis() {
        return Err(wrong(
            "rw_timestamp is too large, need to be less than the current unix_millis",
        ));
    }
    if millis < oldest(subscription) {
        return Err(wrong(
            "rw_timestamp is too small, need to be large than the current unix_millis - subscription's retention time",
        ));
    }
    Ok(millis)
}

/// The rows that are there, as changes that made them.
async fn snapshot(
    reading: &Reading,
    object: &Object,
    subscription: &Subscription,
    columns: &[Column],
) -> Result<VecDeque<RecordBatch>, SqlError> {
    let rows = reading.visible_rows(subscription.from).await;
    let rows = rows.map_err(|error| query_error(&error))?;
    let schema = rwt_query::schema(columns);
    let shown: Vec<usize> = (0..object.columns.len())
        .filter(|at| !object.columns[*at].hidden)
        .collect();
    rows.iter()
        .filter(|batch| batch.num_rows() > 0)
        .map(|batch| {
            // Of a view all columns come, of a table those that are shown.
            let batch = match batch.num_columns() == object.columns.len() {
                true => batch.project(&shown),
                false => Ok(batch.clone()),
            }
            .map_err(internal)?;
            let ops = vec![INSERT; batch.num_rows()];
            log_batch(&schema, batch.columns(), ops, None).map_err(internal)
        })
        .collect()
}
