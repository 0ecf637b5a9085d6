//! A client of the engine that waits for its answers, and tries to connect until somebody listens.

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::until;

/// Cells as the server writes them.
pub type Row = Vec<Option<String>>;

pub struct Sql {
    runtime: Runtime,
    client: Client,
}

impl Sql {
    /// Connects as rwt's own default user does.
    pub fn connect(port: u16) -> Self {
        until("the engine listens", || Self::try_connect(port))
    }

    /// One attempt.
    pub fn try_connect(port: u16) -> Result<Self, String> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let settings =
            format!("host=127.0.0.1 port={port} user=root dbname=dev connect_timeout=10");
        let (client, connection) = runtime
            .block_on(tokio_postgres::connect(&settings, NoTls))
            .map_err(|error| error.to_string())?;
        // Its end is seen by the client's next query.
        runtime.spawn(connection);
        Ok(Self { runtime, client })
    }

    /// All rows of a text of statements, or what the server refused.
    pub fn try_rows(&self, sql: &str) -> Result<Vec<Row>, String> {
        let messages = self
            .runtime
            .block_on(self.client.simple_query(sql))
            .map_err(|error| match error.as_db_error() {
                Some(error) => error.message().to_owned(),
                None => error.to_string(),
            })?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|i| row.get(i).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        });
        Ok(rows.collect())
    }

    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        self.try_rows(sql)
            .unwrap_or_else(|error| panic!("{error}\nin {sql}"))
    }

    /// The first column of all rows; NULL as `NULL`.
    #[track_caller]
    pub fn column(&self, sql: &str) -> Vec<String> {
        let rows = self.rows(sql).into_iter();
        rows.map(|row| {
            let cell = row.into_iter().next().flatten();
            cell.unwrap_or_else(|| "NULL".to_owned())
        })
        .collect()
    }

    /// The one number that a query gives.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        let column = self.column(sql);
        match column.as_slice() {
            [cell] => cell
                .parse()
                .unwrap_or_else(|_| panic!("{cell} is no number\nin {sql}")),
            cells => panic!("{} rows\nin {sql}", cells.len()),
        }
    }

    /// The number of rows of a relation.
    #[track_caller]
    pub fn count(&self, relation: &str) -> i64 {
        self.number(&format!("select count(*) from {relation}"))
    }

    /// Waits until a relation has exactly as many rows.
    pub fn until_count(&self, relation: &str, expected: i64) {
        until(&format!("{relation} has {expected} rows"), || {
            let count = self.count(relation);
            if count == expected {
                Ok(())
            } else {
                Err(count.to_string())
            }
        });
    }
}
