//! The connection to the state: it comes back when the server does, and never puts secrets in the place of their markers.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rwt_compiler::materialize::DatabaseError;

use super::tables;
use crate::client::{ConnectError, Connection, Connector, ResultSet};

/// How long a lost connection is tried again before a write is given up.
const RECONNECT_FOR: Duration = Duration::from_secs(60);

/// The state of one database, as one project sees it. The same project on another schema is another one.
pub struct Store {
    connector: Connector,
    project: String,
    connection: Mutex<Arc<Connection>>,
}

impl Store {
    /// Connects.
    ///
    /// # Errors
    /// No connection.
    pub fn open(connector: &Connector, project: &str) -> Result<Self, ConnectError> {
        Ok(Self {
            project: project.to_owned(),
            connection: Mutex::new(Arc::new(connect(connector)?)),
            connector: connector.clone(),
        })
    }

    /// The project.
    pub(super) fn project(&self) -> &str {
        &self.project
    }

    /// The target's name.
    pub(super) fn target(&self) -> &str {
        &self.connector.target().name
    }

    /// The schema that names without one mean.
    pub(super) fn schema(&self) -> &str {
        &self.connector.target().schema
    }

    /// Makes the tables where there are none.
    ///
    /// # Errors
    /// What the server refused.
    pub fn prepare(&self) -> Result<(), DatabaseError> {
        let connection = self.connection();
        match tables::format(&connection)? {
            Some(_) => Ok(()),
            None => tables::create(&connection),
        }
    }

    /// The format of the tables and the version that wrote it; None where there are no tables.
    ///
    /// # Errors
    /// What the server refused.
    pub(super) fn format(&self) -> Result<Option<(u32, String)>, DatabaseError> {
        tables::format(&self.connection())
    }

    /// The rows of a query on the state.
    ///
    /// # Errors
    /// What the server refused.
    pub(super) fn query(&self, sql: &str) -> Result<ResultSet, DatabaseError> {
        self.send(sql)
            .map(|mut results| results.pop().unwrap_or_default())
    }

    /// Writes. All of it is durable when this returns. Each statement must do no harm when it is sent twice: where the
    /// connection is lost in between, all of them are.
    ///
    /// # Errors
    /// What the server refused, or that it did not come back.
    pub(super) fn write(&self, statements: &[String]) -> Result<(), DatabaseError> {
        if statements.is_empty() {
            return Ok(());
        }
        self.send(&format!("{}; flush", statements.join("; ")))?;
        Ok(())
    }

    fn send(&self, sql: &str) -> Result<Vec<ResultSet>, DatabaseError> {
        let deadline = Instant::now() + RECONNECT_FOR;
        loop {
            let connection = self.connection();
            match connection.run_as_is(sql) {
                Err(error) if connection.is_closed() => {
                    self.reconnect(&connection, deadline).ok_or(error)?;
                }
                result => return result,
            }
        }
    }

    fn connection(&self) -> Arc<Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts a new connection in the place of a lost one, unless somebody else has.
    fn reconnect(&self, lost: &Arc<Connection>, deadline: Instant) -> Option<()> {
        let mut current = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while Arc::ptr_eq(&current, lost) {
            match connect(&self.connector) {
                Ok(connection) => *current = Arc::new(connection),
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(500)),
                Err(_) => return None,
            }
        }
        Some(())
    }
}

/// Writes are flushed together, so they are not each.
fn connect(connector: &Connector) -> Result<Connection, ConnectError> {
    let connection = connector.connect()?;
    connection
        .run("set rw_implicit_flush to false")
        .map_err(ConnectError::Setting)?;
    Ok(connection)
}
