//! Running one data test on a live database.

use std::sync::{Arc, Mutex, PoisonError};

use rwt_compiler::materialize::{DatabaseError, Session};
use rwt_compiler::{CompileError, Compiler, TestResult};
use rwt_project::manifest::Node;
use rwt_sql::{Literal, Statement};

use super::report::Rows;
use crate::apply::LiveSession;
use crate::catalog::Names;
use crate::client::{ConnectError, Connection, Connector};

/// How many failing rows are shown.
const SHOWN: usize = 10;

/// What data tests of one run share.
pub struct DataTests<'a> {
    /// The project.
    pub compiler: &'a Compiler,
    /// The database.
    pub connector: &'a Connector,
    /// What exists there.
    pub names: Arc<Mutex<Names>>,
    /// `--full-refresh`: live tests are made anew.
    pub full_refresh: bool,
}

/// What a data test came to.
#[derive(Debug)]
pub struct Found {
    /// The counts.
    pub result: TestResult,
    /// The first rows that fail, if any do.
    pub rows: Option<Rows>,
}

impl DataTests<'_> {
    /// A session of its own for a thread.
    ///
    /// # Errors
    /// No connection.
    pub fn session(&self) -> Result<LiveSession, ConnectError> {
        let target = self.connector.target();
        let connection = self.connector.connect()?;
        Ok(LiveSession::new(
            connection,
            Arc::clone(&self.names),
            &target.database,
            &target.schema,
        ))
    }

    /// Makes the schemas in which tests keep the rows that fail.
    ///
    /// # Errors
    /// What the database refused.
    pub fn make_schemas(
        &self,
        tests: &[&Node],
        session: &mut LiveSession,
    ) -> Result<(), DatabaseError> {
        let mut schemas: Vec<String> = tests
            .iter()
            .filter_map(|test| self.compiler.test_relation(&test.unique_id)?.schema)
            .collect();
        schemas.sort();
        schemas.dedup();
        for schema in schemas {
            let schema = rwt_sql::Ident::new(schema);
            session.execute(&format!("create schema if not exists {}", schema.quoted()))?;
        }
        Ok(())
    }

    /// Runs a test, and fetches the first rows that fail.
    ///
    /// # Errors
    /// What its template does wrong, or what the database refused.
    pub fn run(&self, test: &Node, session: &mut LiveSession) -> Result<Found, CompileError> {
        session.set_comment(self.compiler.query_comment(Some(&test.unique_id))?);
        self.drop_stale(test, session)?;
        let result = self.compiler.run_test(&test.unique_id, session)?;
        let fails = result.should_error || result.should_warn;
        let rows = fails
            .then(|| failing(session.connection(), &result))
            .flatten();
        Ok(Found { result, rows })
    }

    /// A live test is a materialized view that stays; one whose query is another now is dropped, to be made anew.
    fn drop_stale(&self, test: &Node, session: &mut LiveSession) -> Result<(), CompileError> {
        let is_live = test
            .config
            .get("store_failures_as")
            .and_then(|kept| kept.as_str())
            == Some("materialized_view");
        let Some(relation) = self
            .compiler
            .test_relation(&test.unique_id)
            .filter(|_| is_live)
        else {
            return Ok(());
        };
        let exists = {
            let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            names
                .get(&test.schema, &test.identifier)
                .is_some_and(|found| found.kind == "materialized_view")
        };
        if !exists || !self.full_refresh && self.is_current(test, session)? {
            return Ok(());
        }
        let drop = Compiler::drop_statement("materialized_view", &relation);
        session
            .execute(&drop)
            .map_err(|error| self.compiler.refused(&test.unique_id, error))?;
        Ok(())
    }

    fn is_current(&self, test: &Node, session: &LiveSession) -> Result<bool, CompileError> {
        let compiled = self.compiler.compile(&test.unique_id)?;
        let create = compiled
            .statements
            .iter()
            .find(|recorded| matches!(recorded.statement, Statement::CreateMaterializedView(_)));
        let sql = format!(
            "select m.definition from rw_catalog.rw_materialized_views m \
             join rw_catalog.rw_schemas s on s.id = m.schema_id where s.name = {} and m.name = {}",
            Literal::Text(&test.schema),
            Literal::Text(&test.identifier)
        );
        let found = session
            .connection()
            .query(&sql)
            .map_err(|error| self.compiler.refused(&test.unique_id, error))?;
        let shown = found.rows.into_iter().flatten().next().flatten();
        let same =
            create.and_then(|create| rwt_plan::same_definition(shown.as_deref(), &create.text));
        Ok(same == Some(true))
    }
}

/// The first rows that fail. That there are none to show is no error of the test.
fn failing(connection: &Connection, result: &TestResult) -> Option<Rows> {
    let sql = match &result.stored_in {
        Some(relation) => format!("select * from {relation} limit {SHOWN}"),
        None => format!(
            "select * from (\n{}\n) as failing limit {SHOWN}",
            result.compiled_code
        ),
    };
    let found = connection.query(&sql).ok()?;
    Some(Rows {
        columns: found.columns,
        rows: found.rows,
    })
    .filter(|rows| !rows.rows.is_empty())
}
