//! The project's hooks, where they are sent as they are rendered and are not steps of a plan: `on-run-start`, and `on-run-end`,
//! which is told how every node went as `results`.

use std::sync::{Arc, Mutex, PoisonError};

use rwt_compiler::When;
use rwt_compiler::artifacts::RunResult;
use rwt_compiler::materialize::{DatabaseError, ExistingRelation, Response, Session, created};
use rwt_sql::{Statement, parse_script};

use super::Failure;
use super::context::Context;
use crate::apply::LiveSession;
use crate::catalog::{self, Names};
use crate::ui::Printer;

/// Runs the hooks at the start; nothing goes on where one fails. True if they may have changed what the catalog shows.
pub(super) fn start(context: &Context) -> Result<bool, Failure> {
    if !context.compiler.has_hooks(When::Start) {
        return Ok(false);
    }
    let mut session = HookSession::open(context)?;
    context.compiler.run_hooks(When::Start, &mut session)?;
    Ok(session.changes)
}

/// Runs the hooks at the end. False if one of them failed, which is told.
pub(super) fn end(
    context: &Context,
    results: &[RunResult],
    printer: &Printer,
) -> Result<bool, Failure> {
    if !context.compiler.has_hooks(When::End) {
        return Ok(true);
    }
    let mut session = HookSession::open(context)?;
    match context.compiler.run_end_hooks(results, &mut session) {
        Ok(_) => Ok(true),
        Err(error) => {
            printer.problem(&error);
            Ok(false)
        }
    }
}

/// A live session that knows whether it has changed the catalog, and reads it only when it is asked for.
struct HookSession {
    live: LiveSession,
    names: Arc<Mutex<Names>>,
    database: String,
    has_names: bool,
    changes: bool,
}

impl HookSession {
    fn open(context: &Context) -> Result<Self, Failure> {
        let connection = context.connector().connect()?;
        let names = Arc::new(Mutex::new(Names::default()));
        let target = context.target();
        let mut live =
            LiveSession::new(connection, names.clone(), &target.database, &target.schema);
        live.set_comment(context.compiler.query_comment(None)?);
        Ok(Self {
            live,
            names,
            database: target.database.clone(),
            has_names: false,
            changes: false,
        })
    }

    fn read_names(&mut self) -> Result<(), DatabaseError> {
        if !self.has_names {
            let read = Names::of(&catalog::read(self.live.connection())?, &self.database);
            *self.names.lock().unwrap_or_else(PoisonError::into_inner) = read;
            self.has_names = true;
        }
        Ok(())
    }

    /// Whether a statement creates what is there. With IF NOT EXISTS that is the server's to see.
    fn is_there(&mut self, statement: &Statement) -> Result<bool, DatabaseError> {
        let Some((kind, name, false)) = created(statement) else {
            return Ok(false);
        };
        if matches!(kind, "schema" | "index") {
            return Ok(false);
        }
        let schema = self.live.schema_of(name);
        Ok(self.relation(&schema, name.name())?.is_some())
    }
}

impl Session for HookSession {
    /// A hook that creates what is there is left out: it is sent by every run.
    fn execute(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        let parsed = parse_script(sql).ok();
        let statements: Vec<Statement> = (parsed.into_iter().flatten())
            .map(|located| located.value)
            .collect();
        if let [statement] = statements.as_slice()
            && self.is_there(statement)?
        {
            return Ok(Response::default());
        }
        self.changes |= statements.is_empty() || statements.iter().any(changes_catalog);
        self.live.execute(sql)
    }

    fn columns(&mut self, sql: &str) -> Result<Vec<(String, u32)>, DatabaseError> {
        self.live.columns(sql)
    }

    fn relation(
        &mut self,
        schema: &str,
        identifier: &str,
    ) -> Result<Option<ExistingRelation>, DatabaseError> {
        self.read_names()?;
        self.live.relation(schema, identifier)
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// Whether a statement may change what the catalog shows. What is not known may do anything.
fn changes_catalog(statement: &Statement) -> bool {
    !matches!(
        statement,
        Statement::Query(_) | Statement::Show(_) | Statement::Set { .. }
    )
}
