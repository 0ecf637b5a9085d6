//! One client's session: its settings, and its statements from text to outcome.

mod alter;
mod build;
mod connection;
mod create;
mod create_sink;
mod create_source;
mod create_view;
mod cursor;
mod cursor_over_changes;
pub(crate) mod dml;
mod drop;
mod explain;
pub(crate) mod functions;
mod lake_table;
mod message_schema;
pub(crate) mod privileges;
mod query;
mod running;
mod settings;
mod show;
mod streaming;
mod temporal;
mod users;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use rwt_query::{Column as QueryColumn, QueryError, Settings};
use rwt_sql::statement::DmlVerb;
use rwt_sql::{DataType, Statement};
use rwt_wire::{
    Backend, CancellationToken, Column, Connection, Outcome, Param, Prepared, SqlError, SqlState,
    Startup,
};

use crate::catalog::{DATABASE, SearchPath};
use crate::engine::{Inner, SessionEntry, locked};
use crate::reading::Reading;
use settings::Variables;

pub(crate) use build::Builds;
pub(crate) use show::hidden_columns;

/// What `version()` answers.
pub(crate) const VERSION: &str = concat!(
    "PostgreSQL 13.14.0-RisingWave-2.8.4 (rwt ",
    env!("CARGO_PKG_VERSION"),
    " embedded)"
);

/// Makes sessions.
pub(crate) struct Sessions {
    inner: Arc<Inner>,
}

impl Sessions {
    pub fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl Backend for Sessions {
    async fn connect(&self, startup: Startup) -> Result<Box<dyn Connection>, SqlError> {
        let catalog = self.inner.catalog();
        if !catalog
            .databases
            .iter()
            .any(|(_, name)| *name == startup.database)
        {
            return Err(SqlError::new(SqlState::UndefinedDatabase, "Catalog error")
                .because(format!("database not found: {}", startup.database)));
        }
        let Some(user) = catalog.user(&startup.user).filter(|u| u.login) else {
            return Err(SqlError::internal("Catalog error")
                .because(format!("Role {} does not exist", startup.user)));
        };
        let mut settings = Variables::default();
        if let Some(name) = &startup.application_name {
            settings.set("application_name", std::slice::from_ref(name))?;
        }
        let entry = SessionEntry {
            user: startup.user.clone(),
            database: startup.database.clone(),
            host: startup
                .peer
                .map_or_else(|| "local".into(), |p| p.to_string()),
            canceller: startup.canceller.clone(),
            running: None,
            cursors: BTreeMap::new(),
        };
        locked(&self.inner.sessions).insert(startup.session, entry);
        Ok(Box::new(Session {
            inner: self.inner.clone(),
            number: startup.session,
            user_id: user.id,
            user: startup.user,
            database: startup.database,
            settings,
            notices: Vec::new(),
            read_only: false,
            cursors: HashMap::new(),
        }))
    }
}

/// One client's session.
pub(crate) struct Session {
    pub inner: Arc<Inner>,
    number: i32,
    user_id: u32,
    user: String,
    database: String,
    settings: Variables,
    notices: Vec<String>,
    read_only: bool,
    cursors: HashMap<String, cursor::Cursor>,
}

impl Drop for Session {
    fn drop(&mut self) {
        locked(&self.inner.sessions).remove(&self.number);
    }
}

/// The error for what RisingWave or this engine does not do.
pub(crate) fn not_implemented(what: impl std::fmt::Display) -> SqlError {
    SqlError::internal(format!("Feature is not yet implemented: {what}"))
}

/// A query's error as the wire sends it.
pub(crate) fn query_error(error: &QueryError) -> SqlError {
    let state = match error.code() {
        "42704" => SqlState::UndefinedObject,
        "42710" => SqlState::DuplicateObject,
        "3D000" => SqlState::UndefinedDatabase,
        _ => SqlState::Internal,
    };
    let mut causes = error.causes();
    if let (QueryError::Memory(_), Some(last)) = (error, causes.last_mut()) {
        last.push_str(
            ". All running queries share a quarter of `memory_limit`. Sorts and grouped aggregates go on on disk, joins, \
             window functions and results that are kept do not: make the query smaller, or raise the limit, below `stack` of \
             the target in profiles.yml or with `rwt up --memory-limit`",
        );
    }
    SqlError { state, causes }
}

fn parse_error(error: &rwt_sql::ParseError) -> SqlError {
    SqlError::internal(error.to_string())
}

impl Session {
    fn notice(&mut self, text: impl Into<String>) {
        self.notices.push(text.into());
    }

    fn user_id(&self) -> u32 {
        self.user_id
    }

    /// The schemas of the search path, `"$user"` replaced.
    pub(crate) fn path(&self) -> SearchPath {
        let path = self.settings.get("search_path").unwrap_or_default();
        let names = path
            .split(',')
            .map(|name| match name.trim().trim_matches('"') {
                "$user" => self.user.clone(),
                name => name.to_owned(),
            })
            .collect();
        SearchPath(names)
    }

    /// What a statement of this session reads, now.
    pub(crate) fn reading(&self) -> Reading {
        let catalog = self.inner.catalog();
        let path = self.path();
        // names that exist: current_schema() is the first of them
        let search_path = path
            .0
            .iter()
            .filter(|s| catalog.schema(s).is_some())
            .cloned()
            .collect();
        let variables = self
            .settings
            .all()
            .into_iter()
            .map(|(name, value, _)| (name, value))
            .collect();
        let users = catalog
            .users
            .values()
            .filter_map(|u| Some((i32::try_from(u.id).ok()?, u.name.clone())))
            .collect();
        let settings = Settings {
            timezone: self.timezone().to_owned(),
            search_path,
            database: self.database.clone(),
            user: self.user.clone(),
            version: VERSION.into(),
            now: chrono::Utc::now(),
            variables,
            users,
            in_columns: false,
        };
        Reading::of_session(&self.inner, path, settings)
    }

    /// Runs one statement.
    async fn dispatch(&mut self, sql: &str) -> Result<Outcome, SqlError> {
        let statement = rwt_sql::parse_statement(sql).map_err(|e| parse_error(&e))?;
        if self.database != DATABASE && changes_objects(&statement) {
            return Err(not_implemented(format!(
                "objects in the database {} of the embedded engine; connect to {DATABASE}",
                self.database
            )));
        }
        match statement {
            Statement::Query(text) => self.select(&text).await,
            Statement::Dml { verb, table, text } => self.change_rows(verb, &table, &text).await,
            Statement::CreateTable(create) => self.create_table(create).await,
            Statement::CreateSource(create) => self.create_source(create).await,
            Statement::CreateView(create) => self.create_view(create).await,
            Statement::CreateMaterializedView(create) => {
                self.create_materialized_view(create).await
            }
            Statement::CreateSink(create) => self.create_sink(create).await,
            Statement::CreateConnection(create) => self.create_connection(create).await,
            Statement::CreateSecret(create) => self.create_secret(create).await,
            Statement::CreateIndex(create) => self.create_index(create).await,
            Statement::CreateSchema(create) => self.create_schema(create).await,
            Statement::CreateSubscription(create) => self.create_subscription(create).await,
            Statement::Drop(drop) => self.drop_object(drop).await,
            Statement::Alter(alter) => self.alter(alter).await,
            Statement::AlterSystem { name, value } => self.alter_system(&name, value).await,
            Statement::Explain {
                analyze,
                options,
                text,
            } => self.explain(analyze, &options, &text).await,
            Statement::Show(show) => self.show(&show).await,
            Statement::Describe(name) => self.describe(&name),
            Statement::Set { name, values } => {
                if name == "iceberg_engine_connection" {
                    self.check_engine_connection(&values)?;
                }
                self.settings.set(&name, &values)?;
                Ok(Outcome::done("SET_VARIABLE"))
            }
            Statement::Flush => {
                self.inner.checkpoint().await?;
                Ok(Outcome::done("FLUSH"))
            }
            Statement::Wait => {
                self.inner.builds.wait().await;
                Ok(Outcome::done("WAIT"))
            }
            Statement::Begin { read_only, start } => {
                if read_only {
                    self.read_only = true;
                } else {
                    self.notice("Read-write transaction is not supported yet. Please specify `READ ONLY` to start a read-only transaction.\nFor compatibility, this statement will still succeed but no transaction is actually started.");
                }
                Ok(Outcome::done(if start {
                    "START_TRANSACTION"
                } else {
                    "BEGIN"
                }))
            }
            Statement::Commit => Ok(self.end_transaction("COMMIT")),
            Statement::Rollback => Ok(self.end_transaction("ROLLBACK")),
            Statement::Comment { on, name, text } => self.comment(&on, &name, text).await,
            Statement::CancelJobs(ids) => self.cancel_jobs(&ids),
            Statement::DeclareCursor { name, over } => self.declare(&name, over).await,
            Statement::FetchCursor { name, count, with } => self.fetch(&name, count, &with).await,
            Statement::CloseCursor(name) => self.close(name.as_ref()),
            Statement::Other { verb, text } => self.other(&verb, &text).await,
        }
    }

    fn end_transaction(&mut self, tag: &str) -> Outcome {
        if !std::mem::take(&mut self.read_only) {
            self.notice("there is no transaction in progress");
        }
        Outcome::done(tag)
    }

    /// Statements without a structure of their own.
    async fn other(&mut self, verb: &str, text: &str) -> Result<Outcome, SqlError> {
        let compatibility = |what: &str| {
            format!(
                "{what} is not supported yet.\nFor compatibility, this statement will still succeed but no changes are actually made."
            )
        };
        let first = verb.split_whitespace().next().unwrap_or_default();
        match (first, verb) {
            ("GRANT" | "REVOKE", _) => self.change_privileges(text).await,
            (_, "ALTER DEFAULT") => self.default_privileges(text).await,
            (_, "CREATE USER") => self.create_user(text).await,
            (_, "CREATE DATABASE") => self.create_database(text).await,
            (_, "CREATE FUNCTION") => self.create_function(text).await,
            ("PREPARE", _) => {
                self.notice(compatibility("PREPARE"));
                Ok(Outcome::done("PREPARE"))
            }
            ("DEALLOCATE", _) => {
                self.notice(compatibility("DEALLOCATE"));
                Ok(Outcome::done("DEALLOCATE"))
            }
            ("DISCARD", _) => {
                self.notice(compatibility("DISCARD ALL"));
                Ok(Outcome::done("DISCARD"))
            }
            ("USE", _) => {
                let name = text
                    .split_whitespace()
                    .nth(1)
                    .unwrap_or_default()
                    .trim_matches('"');
                if !self
                    .inner
                    .catalog()
                    .databases
                    .iter()
                    .any(|(_, n)| n == name)
                {
                    return Err(SqlError::new(SqlState::UndefinedDatabase, "Catalog error")
                        .because(format!("database not found: {name}")));
                }
                self.database = name.to_owned();
                Ok(Outcome::done("USE"))
            }
            ("KILL", _) => self.kill(text),
            ("SET", _) => {
                self.notice(compatibility("SET TRANSACTION"));
                Ok(Outcome::done("SET_TRANSACTION"))
            }
            ("VACUUM", _) => self.vacuum(text),
            ("COPY", _) => self.copy(text).await,
            // RisingWave 2.8 waits for everything or nothing.
            ("WAIT", _) => Err(SqlError::internal(format!(
                "sql parser error: expected end of statement, found: {}",
                text.split_whitespace().nth(1).unwrap_or_default()
            ))),
            _ => Err(not_implemented(format!("{verb} in the embedded engine"))),
        }
    }

    /// `KILL '1:7'`
    fn kill(&mut self, text: &str) -> Result<Outcome, SqlError> {
        let id = text.split('\'').nth(1).unwrap_or_default();
        let number = id
            .split_once(':')
            .and_then(|(_, n)| n.parse::<i32>().ok())
            .ok_or_else(|| SqlError::internal("invalid WorkerProcessId"))?;
        if let Some(entry) = locked(&self.inner.sessions).get(&number) {
            entry.canceller.cancel();
        }
        Ok(Outcome::done("KILL"))
    }

    fn vacuum(&mut self, text: &str) -> Result<Outcome, SqlError> {
        let name = text
            .split_whitespace()
            .last()
            .unwrap_or_default()
            .trim_matches(['"', ';']);
        let name = connection::plain_name(name.rsplit('.').next().unwrap_or_default());
        let catalog = self.inner.catalog();
        let table = catalog.require(crate::catalog::Kind::Table, &name, &self.path())?;
        if table.lake().is_none() {
            return Err(crate::catalog::invalid_input(format!(
                "VACUUM can only be used on Iceberg engine tables or Iceberg sinks, but table '{}' uses {:?} engine",
                table.name, "Hummock"
            )));
        }
        // expired snapshots and their files go with every commit
        Ok(Outcome::done("VACUUM"))
    }
}

/// Statements that make or change objects or rows.
fn changes_objects(statement: &Statement) -> bool {
    let (verb, _) = statement.verb_and_object();
    ["CREATE ", "ALTER ", "INSERT", "UPDATE", "DELETE", "COMMENT"]
        .iter()
        .any(|v| verb.starts_with(v))
        && verb != "CREATE DATABASE"
        && verb != "ALTER SYSTEM"
}

fn wire_columns(columns: &[QueryColumn]) -> Vec<Column> {
    columns
        .iter()
        .map(|c| Column::new(c.name.clone(), c.data_type.clone()))
        .collect()
}

#[async_trait]
impl Connection for Session {
    fn parse_script(&mut self, sql: &str) -> Result<Vec<String>, SqlError> {
        let statements = rwt_sql::parse_script(sql).map_err(|e| parse_error(&e))?;
        Ok(statements.into_iter().map(|s| s.text).collect())
    }

    async fn run(&mut self, sql: &str, _: &CancellationToken) -> Result<Outcome, SqlError> {
        self.timed(sql, async |session| session.dispatch(sql).await)
            .await
    }

    async fn prepare(
        &mut self,
        sql: &str,
        declared: &[Option<DataType>],
        _: &CancellationToken,
    ) -> Result<Prepared, SqlError> {
        let statement = rwt_sql::parse_statement(sql).map_err(|e| parse_error(&e))?;
        match &statement {
            Statement::Query(text) => self.prepare_query(text, declared).await,
            Statement::Dml { verb, table, text } => {
                self.prepare_dml(*verb, table, text, declared).await
            }
            _ => Ok(Prepared {
                sql: sql.to_owned(),
                params: Vec::new(),
                columns: self.columns_of(&statement),
                plan: None,
            }),
        }
    }

    async fn execute(
        &mut self,
        prepared: &Prepared,
        params: Vec<Param>,
        _: &CancellationToken,
    ) -> Result<Outcome, SqlError> {
        self.timed(&prepared.sql, async |session| match &prepared.plan {
            Some(plan) => {
                session
                    .execute_prepared(plan.clone(), prepared, params)
                    .await
            }
            None => session.dispatch(&prepared.sql).await,
        })
        .await
    }

    fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    fn in_read_only_transaction(&self) -> bool {
        self.read_only
    }

    fn timezone(&self) -> &str {
        self.settings.current_timezone()
    }
}

/// The words of a changed row count.
fn dml_tag(verb: DmlVerb, count: usize) -> String {
    match verb {
        DmlVerb::Insert => format!("INSERT 0 {count}"),
        DmlVerb::Update => format!("UPDATE {count}"),
        DmlVerb::Delete => format!("DELETE {count}"),
    }
}
