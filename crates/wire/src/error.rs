//! Errors as RisingWave sends them: an SQLSTATE and a chain of causes, told in the words of the stage that failed
//! (`golden/wire.md` section 3).

use std::fmt;

/// The four SQLSTATEs that RisingWave 2.8.4 was seen to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SqlState {
    /// `XX000`: everything that has no code of its own, syntax errors too.
    Internal,
    /// `42704`: a named object does not exist.
    UndefinedObject,
    /// `42710`: a named object exists already.
    DuplicateObject,
    /// `3D000`: the database does not exist.
    UndefinedDatabase,
}

impl SqlState {
    /// The five characters.
    pub fn code(self) -> &'static str {
        match self {
            Self::Internal => "XX000",
            Self::UndefinedObject => "42704",
            Self::DuplicateObject => "42710",
            Self::UndefinedDatabase => "3D000",
        }
    }
}

/// Why a statement failed: RisingWave's chain of causes, the most general first and the root cause last. Hints,
/// details, and the `LINE 1:` block of a syntax error are lines inside of a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// The SQLSTATE.
    pub state: SqlState,
    /// At least one cause.
    pub causes: Vec<String>,
}

impl SqlError {
    /// An error with one cause.
    pub fn new(state: SqlState, cause: impl Into<String>) -> Self {
        Self {
            state,
            causes: vec![cause.into()],
        }
    }

    /// An `XX000` with one cause.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::new(SqlState::Internal, cause)
    }

    /// A `42704`: `Catalog error` / `<kind> not found: <name>`.
    pub fn not_found(kind: &str, name: impl fmt::Display) -> Self {
        Self::new(SqlState::UndefinedObject, "Catalog error")
            .because(format!("{kind} not found: {name}"))
    }

    /// A `42710`: `Catalog error` / `<kind> with name <name> exists`; the kind is that of the existing object.
    pub fn exists(kind: &str, name: impl fmt::Display) -> Self {
        Self::new(SqlState::DuplicateObject, "Catalog error")
            .because(format!("{kind} with name {name} exists"))
    }

    /// The answer to a cancelled statement.
    pub fn cancelled() -> Self {
        Self::internal("Task aborted: cancelled")
    }

    /// Adds a deeper cause behind the present ones.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// The last cause, which is the telling one.
    pub fn root_cause(&self) -> &str {
        self.causes.last().map_or("", String::as_str)
    }
}

impl fmt::Display for SqlError {
    /// All causes on one line, as RisingWave folds them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.causes.join(": "))
    }
}

impl std::error::Error for SqlError {}

/// Where in the conversation an error happened: it chooses the message's first words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the session exists: one line.
    Startup,
    /// A simple query.
    Query,
    /// Parse of the extended protocol.
    Prepare,
    /// Execute of the extended protocol.
    Execute,
    /// Bind, Describe and the bookkeeping of names: the bare message.
    Bare,
}

/// An error together with its stage, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) stage: Stage,
    pub(crate) error: SqlError,
}

impl Refusal {
    pub(crate) fn new(stage: Stage, error: SqlError) -> Self {
        Self { stage, error }
    }

    pub(crate) fn bare(message: impl Into<String>) -> Self {
        Self::new(Stage::Bare, SqlError::internal(message))
    }

    /// The `M` field.
    pub(crate) fn message(&self) -> String {
        let head = match self.stage {
            Stage::Startup => return format!("Failed to start a new session: {}", self.error),
            Stage::Bare => return self.error.to_string(),
            Stage::Query => "Failed to run the query",
            Stage::Prepare => "Failed to prepare the statement",
            Stage::Execute => "Failed to execute the statement",
        };
        match self.error.causes.as_slice() {
            [] => format!("{head}\n"),
            [cause] => format!("{head}\n\nCaused by:\n  {cause}\n"),
            causes => {
                let mut message =
                    format!("{head}\n\nCaused by these errors (recent errors listed first):\n");
                for (i, cause) in causes.iter().enumerate() {
                    message.push_str(&format!("  {}: {cause}\n", i + 1));
                }
                message
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_recorded_shape() {
        let syntax = SqlError::internal(
            "sql parser error: expected statement, found: SELEC\nLINE 1: SELEC 1\n        ^",
        );
        assert_eq!(
            Refusal::new(Stage::Query, syntax).message(),
            "Failed to run the query\n\nCaused by:\n  sql parser error: expected statement, found: SELEC\nLINE 1: SELEC 1\n        ^\n"
        );
        let unknown = SqlError::not_found("table or source", "nosuch");
        assert_eq!(
            Refusal::new(Stage::Prepare, unknown.clone()).message(),
            "Failed to prepare the statement\n\nCaused by these errors (recent errors listed first):\n  1: Catalog error\n  2: table or source not found: nosuch\n"
        );
        assert_eq!(
            Refusal::new(Stage::Startup, unknown).message(),
            "Failed to start a new session: Catalog error: table or source not found: nosuch"
        );
    }
}
