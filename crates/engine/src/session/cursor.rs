//! DECLARE, FETCH and CLOSE: cursors over a query's rows. A cursor over a subscription can be declared and closed, but
//! not fetched from: the changes that it would give are not kept.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use rwt_wire::{Column, Outcome, SqlError};

use super::{Session, not_implemented, wire_columns};
use crate::catalog::Kind;

/// A declared cursor.
pub(super) enum Cursor {
    /// The rows of a query that are not fetched yet.
    Query {
        columns: Vec<Column>,
        rows: VecDeque<RecordBatch>,
    },
    /// Over a subscription.
    Subscription,
}

impl Session {
    /// `DECLARE name CURSOR FOR query`
    pub(super) async fn declare(&mut self, text: &str) -> Result<Outcome, SqlError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let name = words.get(1).copied().unwrap_or_default().to_lowercase();
        if self.cursors.contains_key(&name) {
            return Err(SqlError::internal(format!(
                "Catalog error: cursor with name {name} exists"
            )));
        }
        let at = text
            .to_ascii_lowercase()
            .find(" for ")
            .ok_or_else(|| SqlError::internal("sql parser error: expected FOR"))?;
        let of = text[at + 5..].trim();
        let subscription = words
            .get(2)
            .is_some_and(|w| w.eq_ignore_ascii_case("subscription"));
        let cursor = if subscription {
            let written = of
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .trim_end_matches(';');
            let plain =
                super::connection::plain_name(written.rsplit('.').next().unwrap_or_default());
            self.inner
                .catalog()
                .require(Kind::Subscription, &plain, &self.path())?;
            Cursor::Subscription
        } else {
            let (columns, rows) = self.select_all(of).await?;
            Cursor::Query {
                columns: wire_columns(&columns),
                rows: rows.into(),
            }
        };
        self.cursors.insert(name, cursor);
        Ok(Outcome::done("DECLARE_CURSOR"))
    }

    /// `FETCH NEXT | n FROM name`
    pub(super) fn fetch(&mut self, text: &str) -> Result<Outcome, SqlError> {
        let words: Vec<&str> = text.trim_end_matches(';').split_whitespace().collect();
        let name = words.last().copied().unwrap_or_default().to_lowercase();
        let mut wanted = match words.get(1) {
            Some(word) if word.eq_ignore_ascii_case("next") => 1,
            Some(word) => word.parse::<usize>().map_err(|_| {
                SqlError::internal(format!(
                    "sql parser error: expected NEXT or a number, found: {word}"
                ))
            })?,
            None => {
                return Err(SqlError::internal(
                    "sql parser error: expected NEXT or a number",
                ));
            }
        };
        let cursor = self.cursors.get_mut(&name).ok_or_else(|| {
            SqlError::internal(format!("internal error: Cannot find cursor `{name}`"))
        })?;
        let Cursor::Query {
            columns,
            rows: waiting,
        } = cursor
        else {
            return Err(not_implemented(
                "FETCH from a subscription in the embedded engine",
            ));
        };
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
        Ok(super::query::rows(columns.clone(), rows, "FETCH_CURSOR"))
    }

    /// `CLOSE name | ALL`
    pub(super) fn close(&mut self, text: &str) -> Result<Outcome, SqlError> {
        let name = text
            .trim_end_matches(';')
            .split_whitespace()
            .last()
            .unwrap_or_default()
            .to_lowercase();
        if name == "all" {
            self.cursors.clear();
        } else if self.cursors.remove(&name).is_none() {
            return Err(SqlError::internal(format!(
                "internal error: Cannot find cursor `{name}`"
            )));
        }
        Ok(Outcome::done("CLOSE_CURSOR"))
    }
}
