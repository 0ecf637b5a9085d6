//! One step on one connection: what must hold before it, its statements, the build that they begin, and what to make of a
//! connection that is lost in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use miette::Diagnostic;
use rwt_compiler::materialize::{DatabaseError, created};
use rwt_compiler::{CompileError, Compiler, QueryComment};
use rwt_plan::catalog::{CatalogSnapshot, Job, ObjectId, ServerKind};
use rwt_plan::step::{Built, Effect, Phase, StepKind, StepStatement};
use rwt_plan::{Fact, Kind, Mended, Plan, RelationName, Step};
use rwt_project::manifest::UniqueId;
use rwt_sql::{Literal, parse_statement};

use super::session::LiveSession;
use crate::catalog::{self, Names};
use crate::client::{Canceller, ConnectError, Connection, Connector};
use crate::state::{Event, Journal, Lock};

/// How long a lost connection is tried again before the deployment stops.
const RECONNECT_FOR: Duration = Duration::from_secs(60);
/// How long a server may take to show what it has done. Several front ends learn of it one after the other.
const APPEARS_WITHIN: Duration = Duration::from_secs(5);
/// Time between two looks at a build that goes on in the background.
const POLL: Duration = Duration::from_millis(500);

/// What a step works with.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What is to be done.
    pub plan: &'a Plan,
    /// What kind of server it is done on.
    pub server: ServerKind,
    /// The project, for steps that run a materialization and for places in error messages.
    pub compiler: &'a Compiler,
    /// The database.
    pub connector: &'a Connector,
    /// Where each step is written down.
    pub journal: &'a Journal,
    /// What keeps others away.
    pub lock: &'a Lock,
    /// Raised when the work is to stop.
    pub interrupted: &'a AtomicBool,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum StepError {
    /// The server refused a statement of a node.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Node(Box<CompileError>),
    /// The server refused a statement of no node.
    #[error("{purpose}: {error}")]
    #[diagnostic(code(rwt::database::error))]
    Statement {
        /// What the step was for.
        purpose: String,
        /// What the server said.
        error: DatabaseError,
        /// What to do, where that is known.
        #[help]
        help: Option<String>,
    },
    /// Something that the plan rests on does not hold any more.
    #[error("the database has changed since it was planned: {0}")]
    #[diagnostic(
        code(rwt::apply::moved),
        help("`rwt plan` shows what is to be done now")
    )]
    Moved(String),
}

/// How a step ended.
pub(super) enum StepEnd {
    /// It has taken effect. What the server said, whether anything was done, and what was not as planned.
    Done {
        message: String,
        changed: bool,
        note: Option<String>,
    },
    /// The server refused it, or it cannot be done.
    Failed(Box<StepError>),
    /// It was left out, and that does no harm: an old object on which something hangs stays.
    Left(String),
    /// It was interrupted; whether it has taken effect, the catalog will tell.
    Interrupted(String),
}

/// What is being done now, for the one who cancels and the one who shows progress.
#[derive(Default)]
pub(super) struct Active {
    cancellers: Mutex<BTreeMap<usize, Canceller>>,
    builds: Mutex<BTreeMap<usize, Built>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Active {
    /// Cancels all statements that are running.
    pub(super) fn cancel(&self) {
        let cancellers: Vec<Canceller> = locked(&self.cancellers).values().cloned().collect();
        for canceller in cancellers {
            // A server that cannot be asked is not running anything of ours any more, or will be looked at later.
            let _ = canceller.cancel();
        }
    }

    /// What is being built.
    pub(super) fn builds(&self) -> Vec<Built> {
        locked(&self.builds).values().cloned().collect()
    }
}

/// What becomes of a step before it is begun.
enum Ready {
    AsPlanned,
    /// Somebody has dropped what it is about.
    Otherwise(Box<Mended>),
    Not(StepEnd),
}

/// Why a statement did not come to its end.
enum Trouble {
    /// The server refused it.
    Refused(DatabaseError),
    /// A materialization failed.
    Node(Box<CompileError>),
    /// The connection is gone.
    Lost(DatabaseError),
    /// It was cancelled because the work is to stop.
    Stopped,
}

/// A thread's connection.
pub(super) struct Worker<'a> {
    scope: Scope<'a>,
    active: &'a Active,
    connection: Option<Connection>,
    /// What goes with the statements of the step.
    comment: Option<QueryComment>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(scope: Scope<'a>, active: &'a Active) -> Self {
        Self {
            scope,
            active,
            connection: None,
            comment: None,
        }
    }

    /// Runs a step. `begun` says that it was begun before, by somebody who did not see its end.
    ///
    /// # Errors
    /// No connection at all.
    pub(super) fn run(&mut self, step: &Step, begun: bool) -> Result<StepEnd, ConnectError> {
        if !self.scope.lock.check() {
            return Ok(StepEnd::Interrupted(
                "the lock was taken over by another rwt, for this one gave no sign of life"
                    .to_owned(),
            ));
        }
        if let Err(error) = self.comment_on(step) {
            let failed = StepError::Node(Box::new(error));
            return Ok(StepEnd::Failed(Box::new(failed)));
        }
        let mut known = None;
        let mut mended = None;
        if begun {
            match self.catalog() {
                Ok(catalog) => {
                    mended = step.mended(true, &catalog);
                    known = Some(catalog);
                }
                Err(end) => return end,
            }
        } else if !step.requires.is_empty() && step.phase >= Phase::Swap {
            match self.ready(step)? {
                Ready::AsPlanned => {}
                Ready::Otherwise(otherwise) => mended = Some(*otherwise),
                Ready::Not(end) => return Ok(end),
            }
        }
        if let Err(error) = self
            .scope
            .journal
            .write_line(step.number, Event::Begin, &step.purpose)
        {
            return Ok(StepEnd::Interrupted(error.to_string()));
        }
        if let Some(built) = &step.builds {
            locked(&self.active.builds).insert(step.number, built.clone());
        }
        let end = match mended {
            Some(mended) => self.carry_out_otherwise(mended, known),
            None => self.carry_out(step, known),
        };
        locked(&self.active.builds).remove(&step.number);
        end
    }

    /// Puts the comment of the step's node on all that follows.
    fn comment_on(&mut self, step: &Step) -> Result<(), CompileError> {
        let id = step.unique_id.clone().map(UniqueId);
        self.comment = self.scope.compiler.query_comment(id.as_ref())?;
        if let Some(connection) = &mut self.connection {
            connection.set_comment(self.comment.clone());
        }
        Ok(())
    }

    /// Whether what a step needs holds. A front end of the server may learn of what was done through another one a moment
    /// later.
    fn ready(&mut self, step: &Step) -> Result<Ready, ConnectError> {
        let deadline = Instant::now() + APPEARS_WITHIN;
        loop {
            let catalog = match self.catalog() {
                Ok(catalog) => catalog,
                Err(end) => return end.map(Ready::Not),
            };
            let mut requires = step.requires.iter();
            let Some(fact) = requires.find(|fact| !fact.holds(&catalog)) else {
                return Ok(Ready::AsPlanned);
            };
            if let Some(mended) = step.mended(false, &catalog) {
                return Ok(Ready::Otherwise(Box::new(mended)));
            }
            if Instant::now() > deadline || self.stops() {
                return Ok(Ready::Not(unmet(step, fact)));
            }
            thread::sleep(POLL);
        }
    }

    /// Sends what is left of a step, and says why it is not the whole.
    fn carry_out_otherwise(
        &mut self,
        mended: Mended,
        known: Option<CatalogSnapshot>,
    ) -> Result<StepEnd, ConnectError> {
        let mut end = self.send_until_ended(&mended.step, known)?;
        if let StepEnd::Done { note, .. } = &mut end {
            *note = Some(mended.found);
        }
        Ok(end)
    }

    /// Sends the step. Where the server refuses it because what it is about was dropped meanwhile, what is left of it.
    fn carry_out(
        &mut self,
        step: &Step,
        known: Option<CatalogSnapshot>,
    ) -> Result<StepEnd, ConnectError> {
        let end = self.send_until_ended(step, known)?;
        if !matches!(end, StepEnd::Failed(_)) || step.phase < Phase::Swap {
            return Ok(end);
        }
        let Ok(catalog) = self.catalog() else {
            return Ok(end);
        };
        match step.mended(true, &catalog) {
            Some(mended) => self.carry_out_otherwise(mended, Some(catalog)),
            None => Ok(end),
        }
    }

    /// Sends the step, again after each lost connection as far as it has not taken effect.
    fn send_until_ended(
        &mut self,
        step: &Step,
        mut known: Option<CatalogSnapshot>,
    ) -> Result<StepEnd, ConnectError> {
        let deadline = Instant::now() + RECONNECT_FOR;
        loop {
            if self.connection.is_none() {
                match self.connect(deadline) {
                    Ok(connection) => self.connection = Some(connection),
                    Err(error) if known.is_some() => {
                        return Ok(StepEnd::Interrupted(error.to_string()));
                    }
                    Err(error) => return Err(error),
                }
            }
            let sent = self.send(step, known.take());
            // A connection on which something failed may have settings of the step left.
            if sent.is_err() {
                self.connection = None;
            }
            let lost = match sent {
                Ok((message, changed)) => {
                    return Ok(StepEnd::Done {
                        message,
                        changed,
                        note: None,
                    });
                }
                Err(Trouble::Stopped) => {
                    return Ok(StepEnd::Interrupted("interrupted".to_owned()));
                }
                Err(_) if self.stops() => {
                    return Ok(StepEnd::Interrupted("interrupted".to_owned()));
                }
                Err(Trouble::Refused(error)) => return Ok(self.refused(step, error)),
                Err(Trouble::Node(error)) => {
                    return Ok(StepEnd::Failed(Box::new(StepError::Node(error))));
                }
                Err(Trouble::Lost(error)) => error,
            };
            if Instant::now() > deadline {
                return Ok(StepEnd::Interrupted(lost.to_string()));
            }
            match self.connect(deadline) {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => return Ok(StepEnd::Interrupted(error.to_string())),
            }
            match self.catalog() {
                Ok(catalog) => known = Some(catalog),
                Err(end) => return end,
            }
        }
    }

    fn refused(&self, step: &Step, error: DatabaseError) -> StepEnd {
        let error = match &step.unique_id {
            Some(id) => StepError::Node(Box::new(
                self.scope.compiler.refused(&UniqueId(id.clone()), error),
            )),
            None => StepError::Statement {
                purpose: step.purpose.clone(),
                help: error.hint(),
                error,
            },
        };
        StepEnd::Failed(Box::new(error))
    }

    /// Sends the statements of a step, those left out that `known` shows to have taken effect. Returns what the server
    /// said and whether anything was sent.
    fn send(
        &self,
        step: &Step,
        mut known: Option<CatalogSnapshot>,
    ) -> Result<(String, bool), Trouble> {
        if step.kind == StepKind::Run {
            return self.materialize(step);
        }
        for sql in &step.before {
            self.statement(step, sql)?;
        }
        let background = self.is_background(step);
        if background {
            self.statement(step, "set background_ddl = true")?;
        }
        let mut message = String::new();
        let mut sent = false;
        for statement in &step.statements {
            let default_schema = &self.scope.connector.target().schema;
            let has_begun =
                |known: &CatalogSnapshot| has_begun(statement, step, known, default_schema);
            if known.as_ref().is_some_and(has_begun) {
                continue;
            }
            let result = match self.statement(step, &statement.sql) {
                // A property file may describe a column that is not there.
                Err(Trouble::Refused(_)) if describes_column(&statement.sql) => Ok(()),
                result => result,
            };
            sent = true;
            match (&mut known, result) {
                (None, result) => result?,
                // What a statement has changed decides whether the next one is still to be sent.
                (Some(known), Ok(())) => *known = self.read()?,
                // The one that was sent first may have taken effect only now.
                (Some(known), Err(Trouble::Refused(error))) => {
                    *known = self.read()?;
                    if !has_begun(known) {
                        return Err(Trouble::Refused(error));
                    }
                }
                (Some(_), Err(trouble)) => return Err(trouble),
            }
            if message.is_empty() || created_by(&statement.sql).is_some() {
                message = tag(&statement.sql);
            }
        }
        if background {
            self.statement(step, "set background_ddl = false")?;
        }
        if let Some(built) = &step.builds
            && (background || known.is_some() || step.statements.is_empty())
        {
            self.wait_until_built(built)?;
        }
        for sql in &step.after {
            self.statement(step, sql)?;
        }
        Ok((message, sent))
    }

    /// Whether the step's build goes on without its client. On RisingWave this is what lets several go on at once, and
    /// what survives a restart of the server (recorded: facts 44 to 46).
    fn is_background(&self, step: &Step) -> bool {
        let is_view = step
            .builds
            .as_ref()
            .is_some_and(|built| built.kind == Kind::MaterializedView);
        let is_set = step.before.iter().any(|sql| sql.contains("background_ddl"));
        is_view
            && !is_set
            && matches!(step.kind, StepKind::Shadow | StepKind::Create)
            && self.scope.server == ServerKind::Risingwave
    }

    fn materialize(&self, step: &Step) -> Result<(String, bool), Trouble> {
        let catalog = self.read()?;
        let target = self.scope.connector.target();
        let names = Names::of(&catalog, &target.database);
        let connection = self
            .connect_once()
            .map_err(|error| Trouble::Lost(not_connected(&error)))?;
        let canceller = connection.canceller();
        let mut session = LiveSession::new(
            connection,
            Arc::new(Mutex::new(names)),
            &target.database,
            &target.schema,
        );
        let id = UniqueId(step.unique_id.clone().unwrap_or_default());
        let _running = self.running(step.number, canceller)?;
        match self.scope.compiler.materialize(&id, &mut session) {
            Ok(result) => Ok((result.message, result.changed)),
            Err(error) => match error.database() {
                Some(refused) if session.connection().is_closed() => {
                    Err(Trouble::Lost(refused.clone()))
                }
                _ => Err(Trouble::Node(Box::new(error))),
            },
        }
    }

    fn statement(&self, step: &Step, sql: &str) -> Result<(), Trouble> {
        let connection = self.connected()?;
        let _running = self.running(step.number, connection.canceller())?;
        match connection.run(sql) {
            Ok(_) => Ok(()),
            Err(error) if connection.is_closed() => Err(Trouble::Lost(error)),
            Err(error) => Err(Trouble::Refused(error)),
        }
    }

    /// Names the statement that is to be cancelled when the work is to stop.
    fn running(&self, step: usize, canceller: Canceller) -> Result<Running<'a>, Trouble> {
        locked(&self.active.cancellers).insert(step, canceller);
        let running = Running {
            active: self.active,
            step,
        };
        // Who stops the work raises the flag first and cancels then: one of the two sees the other.
        if self.stops() {
            return Err(Trouble::Stopped);
        }
        Ok(running)
    }

    /// Waits until an object is there and nothing builds it any more.
    ///
    /// A job that is younger than a moment shows no progress yet, and a server may show what it has done a moment later,
    /// so that an object that is not there counts as failed only when it stays away.
    fn wait_until_built(&self, built: &Built) -> Result<(), Trouble> {
        let mut seen = BTreeSet::new();
        let mut missing_since = None;
        loop {
            let connection = self.connected()?;
            let jobs = self.asked(catalog::creating_jobs(connection))?;
            let default_schema = &self.scope.connector.target().schema;
            let named = jobs.iter().find(|job| {
                seen.contains(&job.id)
                    || builds(job, default_schema).as_ref() == Some(&built.relation)
            });
            let mut job = named.map(|job| job.id);
            if job.is_none() {
                match standing(built, &self.read()?) {
                    Stands::Built => return Ok(()),
                    Stands::Creating(id) => job = Some(id),
                    Stands::Missing => {
                        let since = *missing_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > APPEARS_WITHIN {
                            return Err(self.ended_without(built));
                        }
                    }
                }
            }
            if let Some(id) = job {
                missing_since = None;
                seen.insert(id);
            }
            if self.stops() {
                if let Some(id) = job {
                    let cancel = i64::try_from(id).unwrap_or(i64::MAX);
                    // A job that has just ended cannot be cancelled; the catalog tells next time.
                    let _ = connection.run(&format!("cancel jobs {}", Literal::Int(cancel)));
                }
                return Err(Trouble::Stopped);
            }
            thread::sleep(POLL);
        }
    }

    /// Why an object is not there, as far as the server tells.
    fn ended_without(&self, built: &Built) -> Trouble {
        let query = "select info from rw_catalog.rw_event_logs where event_type = 'CREATE_STREAM_JOB_FAIL' \
             order by \"timestamp\" desc limit 20";
        let logs = self.connection.as_ref().and_then(|c| c.query(query).ok());
        let why = logs
            .into_iter()
            .flat_map(|logs| logs.rows)
            .filter_map(|row| row.into_iter().next()?)
            .find(|info| info.contains(&built.relation.name))
            .unwrap_or_else(|| "the server says nothing of why".to_owned());
        Trouble::Refused(DatabaseError {
            sqlstate: None,
            message: format!(
                "the creation of {} ended without it: {}",
                built.relation,
                rwt_sql::redact(&why)
            ),
            statement: String::new(),
            line: None,
        })
    }

    fn connected(&self) -> Result<&Connection, Trouble> {
        self.connection.as_ref().ok_or_else(|| {
            Trouble::Lost(DatabaseError {
                sqlstate: None,
                message: "no connection".to_owned(),
                statement: String::new(),
                line: None,
            })
        })
    }

    fn asked<T>(&self, result: Result<T, DatabaseError>) -> Result<T, Trouble> {
        result.map_err(|error| {
            if self.connection.as_ref().is_none_or(Connection::is_closed) {
                Trouble::Lost(error)
            } else {
                Trouble::Refused(error)
            }
        })
    }

    fn read(&self) -> Result<CatalogSnapshot, Trouble> {
        self.asked(catalog::read(self.connected()?))
    }

    /// The catalog as it is now, on a connection that may have to be made first.
    fn catalog(&mut self) -> Result<CatalogSnapshot, Result<StepEnd, ConnectError>> {
        if self.connection.as_ref().is_none_or(Connection::is_closed) {
            let deadline = Instant::now() + RECONNECT_FOR;
            self.connection = Some(self.connect(deadline).map_err(Err)?);
        }
        self.read().map_err(|trouble| {
            let why = match trouble {
                Trouble::Refused(error) | Trouble::Lost(error) => error.to_string(),
                Trouble::Node(error) => error.to_string(),
                Trouble::Stopped => "interrupted".to_owned(),
            };
            Ok(StepEnd::Interrupted(why))
        })
    }

    fn connect(&self, deadline: Instant) -> Result<Connection, ConnectError> {
        loop {
            match self.connect_once() {
                Err(ConnectError::Refused { .. }) if Instant::now() < deadline && !self.stops() => {
                    thread::sleep(POLL);
                }
                result => return result,
            }
        }
    }

    /// Opens a connection that sends the step's comment.
    fn connect_once(&self) -> Result<Connection, ConnectError> {
        let mut connection = self.scope.connector.connect()?;
        connection.set_comment(self.comment.clone());
        Ok(connection)
    }

    fn stops(&self) -> bool {
        self.scope.interrupted.load(Ordering::SeqCst)
    }
}

/// A statement that can be cancelled, until this is dropped.
struct Running<'a> {
    active: &'a Active,
    step: usize,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        locked(&self.active.cancellers).remove(&self.step);
    }
}

/// How an object that is to be built stands.
enum Stands {
    Built,
    /// With the id of its job.
    Creating(ObjectId),
    Missing,
}

fn standing(built: &Built, catalog: &CatalogSnapshot) -> Stands {
    if built.kind == Kind::Index {
        return match catalog.find_index(&built.relation) {
            Some((id, _)) if catalog.jobs.iter().any(|job| job.id == id) => Stands::Creating(id),
            Some(_) => Stands::Built,
            None => Stands::Missing,
        };
    }
    match catalog.find(&built.relation, built.kind) {
        Some((id, object)) if object.creating => Stands::Creating(id),
        Some((_, object)) if object.kind == built.kind => Stands::Built,
        _ => Stands::Missing,
    }
}

/// Whether a statement that may have been sent before needs not be sent again: it has taken effect, or what it creates is
/// being created, also by a client that is gone.
fn has_begun(
    statement: &StepStatement,
    step: &Step,
    known: &CatalogSnapshot,
    default_schema: &str,
) -> bool {
    let Effect::Shows(fact) = &statement.effect else {
        return false;
    };
    if fact.holds(known) {
        return true;
    }
    let Some(built) = &step.builds else {
        return false;
    };
    let is_build = matches!(fact, Fact::Exists { relation, .. } if *relation == built.relation);
    let is_creating = || {
        let found = known.find(&built.relation, built.kind);
        found.is_some_and(|(_, object)| object.creating)
    };
    let is_job = |job: &Job| builds(job, default_schema).as_ref() == Some(&built.relation);
    is_build && (is_creating() || known.jobs.iter().any(is_job))
}

/// What becomes of a step when something that it needs does not hold.
fn unmet(step: &Step, fact: &Fact) -> StepEnd {
    let why = describe(fact);
    if step.phase == Phase::Clean {
        return StepEnd::Left(why);
    }
    StepEnd::Failed(Box::new(StepError::Moved(why)))
}

/// What does not hold, in words.
fn describe(fact: &Fact) -> String {
    match fact {
        Fact::Exists { relation, kind } => format!("there is no {kind} {relation}"),
        Fact::Is { relation, id, .. } => format!("{relation} is not the object {id} any more"),
        Fact::Absent { relation, .. } => format!("{relation} exists"),
        Fact::Gone { id } => format!("the object {id} exists"),
        Fact::NothingHangsOn { id } => format!("something hangs on the object {id}"),
        Fact::IndexExists { relation } => format!("there is no index {relation}"),
        Fact::IndexAbsent { relation } => format!("the index {relation} exists"),
        Fact::HasColumn { relation, column } => format!("{relation} has no column {column}"),
        Fact::LacksColumn { relation, column } => format!("{relation} has a column {column}"),
        Fact::SchemaExists { schema } => format!("there is no schema {schema}"),
    }
}

/// The name of what a job builds.
pub(super) fn builds(job: &Job, default_schema: &str) -> Option<RelationName> {
    created_by(&job.statement)
        .map(|(name, _)| RelationName::new(name.schema().unwrap_or(default_schema), name.name()))
}

fn created_by(sql: &str) -> Option<(rwt_sql::ObjectName, &'static str)> {
    let statement = parse_statement(sql).ok()?;
    created(&statement).map(|(kind, name, _)| (name.clone(), kind))
}

fn describes_column(sql: &str) -> bool {
    let mut words = sql.split_whitespace();
    ["comment", "on", "column"].iter().all(|wanted| {
        words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case(wanted))
    })
}

/// What the server calls what a statement does: `CREATE_MATERIALIZED_VIEW`.
fn tag(sql: &str) -> String {
    parse_statement(sql).map_or_else(
        |_| "OK".to_owned(),
        |statement| statement.verb_and_object().0.replace(' ', "_"),
    )
}

fn not_connected(error: &ConnectError) -> DatabaseError {
    DatabaseError {
        sqlstate: None,
        message: error.to_string(),
        statement: String::new(),
        line: None,
    }
}
