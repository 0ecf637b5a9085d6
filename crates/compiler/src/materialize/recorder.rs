//! A session on an empty database that keeps the statements instead of running them.

use rwt_sql::{PieceKind, Statement, parse_script, parse_statement, split_script};

use super::effects::Effects;
use super::session::{DatabaseError, ExistingRelation, Response, Session};

/// A statement that a materialization or hook would run.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedStatement {
    /// Its text without the closing `;`. Secrets are markers.
    pub text: String,
    /// What it says.
    pub statement: Statement,
    /// Why it could not be parsed, if so; `statement` is then [`Statement::Other`]. The server has the last word.
    pub problem: Option<String>,
}

impl RecordedStatement {
    /// Parses the statements of a text.
    pub(crate) fn parse_all(sql: &str) -> Result<Vec<Self>, DatabaseError> {
        if let Ok(statements) = parse_script(sql) {
            let parsed = statements.into_iter().map(|located| Self {
                text: located.text,
                statement: located.value,
                problem: None,
            });
            return Ok(parsed.collect());
        }
        // One of them cannot be parsed: each by itself, so that the others can.
        let pieces = split_script(sql).map_err(|error| DatabaseError {
            sqlstate: None,
            message: error.to_string(),
            statement: sql.to_owned(),
            line: u32::try_from(error.line()).ok(),
        })?;
        let statements = pieces
            .iter()
            .filter(|piece| piece.kind == PieceKind::Statement);
        Ok(statements.map(|piece| Self::parse(piece.text)).collect())
    }

    /// Parses a statement's text.
    pub fn parse(text: &str) -> Self {
        match parse_statement(text) {
            Ok(statement) => Self {
                text: text.to_owned(),
                statement,
                problem: None,
            },
            Err(error) => Self {
                text: text.to_owned(),
                statement: Statement::Other {
                    verb: first_words(text),
                    text: text.to_owned(),
                },
                problem: Some(error.to_string()),
            },
        }
    }
}

fn is_question(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Query(_)
            | Statement::Show(_)
            | Statement::Describe(_)
            | Statement::Explain { .. }
    )
}

/// Whether a text asks for something and changes nothing.
pub(super) fn asks(sql: &str) -> bool {
    RecordedStatement::parse_all(sql).is_ok_and(|statements| {
        !statements.is_empty() && statements.iter().all(|s| is_question(&s.statement))
    })
}

fn first_words(text: &str) -> String {
    let words: Vec<String> = text
        .split_whitespace()
        .take(2)
        .map(str::to_uppercase)
        .collect();
    words.join(" ")
}

/// See the module.
#[derive(Debug)]
pub struct Recorder {
    effects: Effects,
    statements: Vec<RecordedStatement>,
}

impl Recorder {
    /// An empty database.
    pub fn new(database: &str, schema: &str) -> Self {
        Self {
            effects: Effects::new(database, schema),
            statements: Vec::new(),
        }
    }

    /// The statements so far, in order. Queries are not among them unless a hook sends them, nor what changes nothing.
    pub fn into_statements(self) -> Vec<RecordedStatement> {
        self.statements
    }

    /// Whether nothing was sent that is kept.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Takes the statements so far.
    pub fn take_statements(&mut self) -> Vec<RecordedStatement> {
        std::mem::take(&mut self.statements)
    }
}

impl Recorder {
    fn record(&mut self, sql: &str, keeps_questions: bool) -> Result<Response, DatabaseError> {
        let mut response = Response::default();
        for recorded in RecordedStatement::parse_all(sql)? {
            if is_question(&recorded.statement) {
                if keeps_questions {
                    self.statements.push(recorded);
                }
                response = Response {
                    message: "SELECT 0".to_owned(),
                    rows_affected: Some(0),
                    table: Some(super::session::Table::default()),
                };
                continue;
            }
            let (verb, _) = recorded.statement.verb_and_object();
            response = Response {
                message: verb.replace(' ', "_"),
                rows_affected: None,
                table: None,
            };
            if self.effects.apply(&recorded.statement) {
                self.statements.push(recorded);
            }
        }
        Ok(response)
    }
}

impl Session for Recorder {
    fn execute(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        self.record(sql, false)
    }

    fn perform(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        self.record(sql, true)
    }

    fn columns(&mut self, _sql: &str) -> Result<Vec<(String, u32)>, DatabaseError> {
        Ok(Vec::new())
    }

    fn relation(
        &mut self,
        schema: &str,
        identifier: &str,
    ) -> Result<Option<ExistingRelation>, DatabaseError> {
        Ok(self.effects.relation(schema, identifier))
    }

    fn is_live(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sql: &[&str]) -> Vec<String> {
        let mut recorder = Recorder::new("dev", "public");
        for sql in sql {
            recorder.execute(sql).expect("records");
        }
        recorder
            .into_statements()
            .into_iter()
            .map(|s| s.text)
            .collect()
    }

    #[test]
    fn what_is_in_effect_is_not_recorded_again() {
        let connection = "create connection if not exists lake with (type = 'iceberg')";
        let kept = record(&[
            connection,
            "set iceberg_engine_connection = 'public.lake'",
            connection,
            "CREATE CONNECTION IF NOT EXISTS public.lake WITH (type = 'iceberg')",
            "SET iceberg_engine_connection TO 'public.lake'",
        ]);
        assert_eq!(
            kept,
            [connection, "set iceberg_engine_connection = 'public.lake'"]
        );
    }

    #[test]
    fn queries_are_answered_and_not_recorded() {
        let kept = record(&["select 1; create table t (a int); show tables"]);
        assert_eq!(kept, ["create table t (a int)"]);
    }

    #[test]
    fn a_query_of_a_hook_is_a_statement() {
        let mut recorder = Recorder::new("dev", "public");
        recorder.perform("select refresh()").expect("records");
        recorder.perform("show tables; select 1").expect("records");
        let kept: Vec<String> = recorder
            .into_statements()
            .into_iter()
            .map(|s| s.text)
            .collect();
        assert_eq!(kept, ["select refresh()", "show tables", "select 1"]);
    }

    #[test]
    fn a_created_relation_is_found_until_it_is_dropped() {
        let mut recorder = Recorder::new("dev", "public");
        recorder
            .execute("create materialized view s.m as select 1")
            .expect("records");
        let found = recorder
            .relation("s", "m")
            .expect("answers")
            .expect("is there");
        assert_eq!(found.kind, "materialized_view");
        recorder
            .execute("drop materialized view s.m")
            .expect("records");
        assert_eq!(recorder.relation("s", "m").expect("answers"), None);
    }

    #[test]
    fn a_statement_that_cannot_be_parsed_is_kept_with_the_reason() {
        let statement = RecordedStatement::parse("create materialised view x as select 1");
        assert!(statement.problem.is_some());
        assert_eq!(
            statement.statement.verb_and_object().0,
            "CREATE MATERIALISED"
        );
    }
}
