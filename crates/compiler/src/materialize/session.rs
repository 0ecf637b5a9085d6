//! Where a materialization's statements go: a live database, or a recorder.

use std::fmt;

use serde_json::Value;

/// A relation that exists in the database, as the catalog shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingRelation {
    /// Database.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Name.
    pub identifier: String,
    /// dbt-risingwave's word: `table`, `view`, `materialized_view`, `source`, `sink`, `connection`, `secret`,
    /// `subscription`, `index`.
    pub kind: String,
}

/// Rows that a query returned. Numbers, booleans and strings arrive as such, anything else as RisingWave's text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
    /// What the text of each column is; of columns behind the last one, text.
    pub texts: Vec<TextOf>,
}

/// What a column's text says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TextOf {
    /// No more than that.
    #[default]
    Text,
    /// A date.
    Date,
    /// A time without a zone.
    Timestamp,
    /// A time in a zone.
    Timestamptz,
}

/// What the database said to a statement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Response {
    /// The command tag, for example `CREATE_TABLE` or `INSERT 0 3`.
    pub message: String,
    /// Rows changed, where the tag says so.
    pub rows_affected: Option<u64>,
    /// Rows returned, if it was a query.
    pub table: Option<Table>,
}

/// What a database refused, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseError {
    /// SQLSTATE, if the server sent one.
    pub sqlstate: Option<String>,
    /// The server's message, all of its causes.
    pub message: String,
    /// The statement that failed, with secrets still as references.
    pub statement: String,
    /// Line in the statement, 1-based, where the server said so.
    pub line: Option<u32>,
}

impl DatabaseError {
    /// What the message says of the statement in the statement's words, as RisingWave's messages do: the expression that
    /// cannot be bound, then names that are not there.
    pub fn quoted(&self) -> impl Iterator<Item = &str> {
        const BEFORE: [&str; 4] = [
            "Failed to bind expression: ",
            "Invalid column: ",
            "not found: ",
            ": function ",
        ];
        BEFORE.iter().filter_map(|before| {
            let at = self.message.find(before)? + before.len();
            let line = self.message[at..].lines().next()?;
            let name = line.split_once('(').filter(|_| before.contains("function"));
            Some(name.map_or(line, |(name, _)| name))
        })
    }

    /// What to do about an error that says that a licence is missing (RisingWave's `feature … is not available based on
    /// your license`, or `… due to license error`); none for any other error.
    pub fn hint(&self) -> Option<String> {
        const AFTER: [&str; 2] = [
            " is not available based on your license",
            " is not available due to license error",
        ];
        let lower = self.message.to_ascii_lowercase();
        let end = AFTER.iter().find_map(|after| lower.find(after))?;
        let name = lower[..end]
            .rfind("feature ")
            .map_or("this", |at| self.message[at + "feature ".len()..end].trim());
        Some(format!(
            "RisingWave gives {name} with a licence only: set one (ALTER SYSTEM SET license_key TO …, or \
             RW_LICENSE_KEY), or leave it out of the project"
        ))
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DatabaseError {}

/// One connection's worth of statements. A node's materialization runs on one session, from its first hook to its last.
///
/// Statements may hold secret references ([`rwt_project::profile::secret`]); an implementation resolves them at the last moment.
pub trait Session: Send {
    /// Runs one or more statements and returns what the last one gave.
    ///
    /// # Errors
    /// What the database refused.
    fn execute(&mut self, sql: &str) -> Result<Response, DatabaseError>;

    /// The same for what a hook says. A query of a hook is sent for what it does, so that it is a statement like any
    /// other where statements are kept.
    ///
    /// # Errors
    /// What the database refused.
    fn perform(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        self.execute(sql)
    }

    /// Name and type of each column that a query gives, without its rows. A type is its number in PostgreSQL's wire
    /// protocol; none where there is no database to ask.
    ///
    /// # Errors
    /// What the database refused.
    fn columns(&mut self, sql: &str) -> Result<Vec<(String, u32)>, DatabaseError>;

    /// Looks a relation up in the catalog as it is now.
    ///
    /// # Errors
    /// What the database refused.
    fn relation(
        &mut self,
        schema: &str,
        identifier: &str,
    ) -> Result<Option<ExistingRelation>, DatabaseError>;

    /// Whether queries have real answers (`execute` in Jinja is true either way, as in dbt's run phase).
    fn is_live(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_licence_is_told_from_other_errors() {
        let hint = |message: &str| {
            let error = DatabaseError {
                sqlstate: None,
                message: message.to_owned(),
                statement: String::new(),
                line: None,
            };
            error.hint()
        };
        for message in [
            "Failed to run the query\n\nCaused by: feature SecretManagement is not available based on your license",
            "feature SecretManagement is not available due to license error",
        ] {
            let hint = hint(message).expect("a hint");
            assert!(hint.starts_with("RisingWave gives SecretManagement with a licence only"));
        }
        assert_eq!(hint("table not found: license"), None);
    }
}
