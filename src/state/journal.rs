//! Deployments, and the journal of their steps.
//!
//! A `begin` is durable before its step is sent, a `done` at the latest together with the next `begin`: one flush per
//! step, and one for many steps that run at once, because whoever waits for a flush writes what the others have queued.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use chrono::{SecondsFormat, Utc};
use rwt_compiler::materialize::DatabaseError;
use rwt_plan::Plan;
use rwt_sql::Literal;
use serde::{Deserialize, Serialize};

use super::store::Store;

/// How many deployments that have ended are remembered of a project on a target.
const KEPT: usize = 100;
/// The word of the journal's rows that hold a deployment's plan, in parts by number.
const PLAN: &str = "plan";
/// Bytes of such a part. Servers bound the size of a message between their processes.
const PART: usize = 256 * 1024;

/// How a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentStatus {
    /// It goes on, or died without a word.
    Running,
    /// It stopped in the middle: by Ctrl-C, a lost connection, or an error after names had moved. To be finished.
    Interrupted,
    /// All of it happened.
    Done,
    /// A part of it failed, and what that part had built is gone again.
    Failed,
    /// It was undone.
    Aborted,
}

impl DeploymentStatus {
    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }
}

/// What happened to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// It is about to be sent.
    Begin,
    /// It has taken effect.
    Done,
    /// The server refused it.
    Failed,
    /// It was left out, because something that it needs failed.
    Skipped,
    /// It was taken back.
    Undone,
}

impl Event {
    const ALL: [Self; 5] = [
        Self::Begin,
        Self::Done,
        Self::Failed,
        Self::Skipped,
        Self::Undone,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Undone => "undone",
        }
    }
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The step's number.
    pub step: usize,
    /// What happened to it.
    pub event: Event,
    /// Why, where that is worth a word.
    pub detail: String,
}

/// A deployment as it begins.
#[derive(Debug, Clone)]
pub struct Deployment<'a> {
    /// `run`, `apply`, …
    pub command: &'a str,
    /// Who does it.
    pub holder: &'a str,
    /// What is to be done.
    pub plan: &'a Plan,
}

/// A deployment that has not come to its end.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// The command that began it.
    pub command: String,
    /// Who began it.
    pub holder: String,
    /// When, as the server writes it.
    pub started_at: String,
    /// What was to be done.
    pub plan: Plan,
    /// What has happened.
    pub entries: Vec<Entry>,
}

impl Unfinished {
    /// Whether the journal has such a line.
    pub fn has(&self, step: usize, event: Event) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.step == step && entry.event == event)
    }

    /// Whether a step has taken effect for all that the journal says. One that was taken back and done again is for the
    /// catalog to tell.
    pub fn is_done(&self, step: usize) -> bool {
        self.has(step, Event::Done) && !self.has(step, Event::Undone)
    }
}

impl Store {
    /// The deployment that did not come to its end, if there is one. There is never more than one: the next begins when
    /// it is finished or undone.
    ///
    /// # Errors
    /// What the server refused, or a plan that cannot be read.
    pub fn unfinished(&self) -> Result<Option<Unfinished>, DatabaseError> {
        let Some([command, holder, started_at, id]) = self.open_deployment()? else {
            return Ok(None);
        };
        let plan = self.stored_plan(&id)?;
        let entries = self.entries(&id)?;
        Ok(Some(Unfinished {
            command,
            holder,
            started_at,
            plan,
            entries,
        }))
    }

    /// The id of that deployment.
    ///
    /// # Errors
    /// What the server refused.
    pub fn unfinished_id(&self) -> Result<Option<String>, DatabaseError> {
        Ok(self.open_deployment()?.map(|[.., id]| id))
    }

    /// Command, holder, beginning and id of the deployment that has not come to its end.
    fn open_deployment(&self) -> Result<Option<[String; 4]>, DatabaseError> {
        if self.format()?.is_none() {
            return Ok(None);
        }
        let query = format!(
            "select command, holder, started_at, id from rwt.deployments \
             where status in ('running', 'interrupted') and project = {} and target = {} \
             order by started_at desc limit 1",
            Literal::Text(self.project()),
            Literal::Text(self.target()),
        );
        let Some(row) = self.query(&query)?.rows.into_iter().next() else {
            return Ok(None);
        };
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().unwrap_or_default();
        Ok(Some([next(), next(), next(), next()]))
    }

    fn stored_plan(&self, deployment: &str) -> Result<Plan, DatabaseError> {
        let query = format!(
            "select detail from rwt.journal where deployment = {} and event = '{PLAN}' order by step",
            Literal::Text(deployment)
        );
        let rows = self.query(&query)?.rows;
        let parts: Vec<String> = rows
            .into_iter()
            .filter_map(|row| row.into_iter().next()?)
            .collect();
        serde_json::from_str(&parts.concat()).map_err(|error| DatabaseError {
            sqlstate: None,
            message: format!(
                "the plan of the unfinished deployment {deployment} cannot be read: {error}"
            ),
            statement: query,
            line: None,
        })
    }

    fn entries(&self, deployment: &str) -> Result<Vec<Entry>, DatabaseError> {
        let rows = self
            .query(&format!(
                "select step, event, detail from rwt.journal where deployment = {} and event <> '{PLAN}' order by step",
                Literal::Text(deployment)
            ))?
            .rows;
        let entry = |row: Vec<Option<String>>| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let step = cells.next()?.parse().ok()?;
            let word = cells.next()?;
            Some(Entry {
                step,
                event: Event::ALL.into_iter().find(|event| event.word() == word)?,
                detail: cells.next()?,
            })
        };
        Ok(rows.into_iter().filter_map(entry).collect())
    }

    /// How a deployment ended or stopped. The journal of one that has ended goes, its plan with it; its row stays until
    /// [`KEPT`] others have ended after it.
    ///
    /// # Errors
    /// What the server refused.
    pub fn conclude(
        &self,
        deployment: &str,
        status: DeploymentStatus,
    ) -> Result<(), DatabaseError> {
        let id = Literal::Text(deployment);
        let mut statements = vec![format!(
            "update rwt.deployments set status = {}, ended_at = cast({} as timestamptz) where id = {id}",
            Literal::Text(status.word()),
            Literal::Text(&now()),
        )];
        if !matches!(
            status,
            DeploymentStatus::Running | DeploymentStatus::Interrupted
        ) {
            statements.push(format!("delete from rwt.journal where deployment = {id}"));
            let old = self.old_deployments()?;
            if !old.is_empty() {
                let ids: Vec<String> = old.iter().map(|id| Literal::Text(id).to_string()).collect();
                let list = ids.join(", ");
                statements.push(format!("delete from rwt.deployments where id in ({list})"));
            }
        }
        self.write(&statements)
    }

    /// Deployments that have ended, but for the newest ones.
    fn old_deployments(&self) -> Result<Vec<String>, DatabaseError> {
        let query = format!(
            "select id from rwt.deployments \
             where status not in ('running', 'interrupted') and project = {} and target = {} \
             order by started_at desc offset {}",
            Literal::Text(self.project()),
            Literal::Text(self.target()),
            // The one that ends now is not among them yet.
            KEPT - 1,
        );
        let rows = self.query(&query)?.rows;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.into_iter().next()?)
            .collect())
    }
}

/// The journal of a deployment that goes on. Threads share it.
pub struct Journal {
    store: Arc<Store>,
    deployment: String,
    queue: Mutex<Queue>,
    changed: Condvar,
    crash: Option<Crash>,
}

#[derive(Default)]
struct Queue {
    rows: Vec<String>,
    /// Rows that were ever queued.
    queued: u64,
    /// Of those, how many are durable.
    durable: u64,
    writing: bool,
    writes: u32,
}

/// Where a test wants the program to die: before (even) or after (odd) a write of the journal.
struct Crash(u32);

impl Crash {
    /// The variable by which a test says so. It is no option: nothing but a test has a use for it.
    const VARIABLE: &str = "RWT_TEST_DIE_AT_JOURNAL_WRITE";

    fn wanted() -> Option<Self> {
        std::env::var(Self::VARIABLE).ok()?.parse().ok().map(Self)
    }

    /// Ends the program as kill -9 would: nothing is flushed, dropped or given back.
    fn here(crash: Option<&Self>, point: u32) {
        if crash.is_some_and(|crash| crash.0 == point) {
            let _ =
                nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

impl Journal {
    /// Begins a deployment.
    ///
    /// # Errors
    /// What the server refused.
    pub fn begin(store: &Arc<Store>, deployment: &Deployment<'_>) -> Result<Self, DatabaseError> {
        let text = |text: &str| Literal::Text(text).to_string();
        let plan = deployment.plan;
        let journal = Self::go_on(store, &plan.deployment);
        let row = format!(
            "insert into rwt.deployments values ({}, {}, {}, {}, {}, {}, {}, cast({} as timestamptz), null, {})",
            text(&plan.deployment),
            text(DeploymentStatus::Running.word()),
            text(deployment.command),
            text(&plan.project),
            text(&plan.target),
            text(deployment.holder),
            text(env!("CARGO_PKG_VERSION")),
            text(&now()),
            text(&plan.summary()),
        );
        // Lines of an earlier deployment with the same id, which has ended, would be taken for this one's.
        let old = format!(
            "delete from rwt.journal where deployment = {}",
            text(&plan.deployment)
        );
        // The deployment is there when its row is, so that this comes last.
        let json = serde_json::to_string(plan).unwrap_or_default();
        let parts = parts(&json).enumerate().map(|(number, part)| {
            let number = Literal::Int(i64::try_from(number).unwrap_or(i64::MAX));
            format!(
                "insert into rwt.journal values ({}, {number}, '{PLAN}', cast({} as timestamptz), {})",
                text(&plan.deployment),
                text(&now()),
                text(part)
            )
        });
        let statements: Vec<String> = std::iter::once(old)
            .chain(parts)
            .chain(std::iter::once(row))
            .collect();
        journal.write(&statements)?;
        Ok(journal)
    }

    /// Goes on with a deployment that has begun.
    pub fn go_on(store: &Arc<Store>, deployment: &str) -> Self {
        Self {
            store: store.clone(),
            deployment: deployment.to_owned(),
            queue: Mutex::default(),
            changed: Condvar::new(),
            crash: Crash::wanted(),
        }
    }

    /// A line that is durable when this returns.
    ///
    /// # Errors
    /// What the server refused.
    pub fn write_line(&self, step: usize, event: Event, detail: &str) -> Result<(), DatabaseError> {
        self.queue_line(step, event, detail);
        self.flush()
    }

    /// A line that is durable after the next [`Journal::flush`] or [`Journal::write_line`] of any thread.
    pub fn queue_line(&self, step: usize, event: Event, detail: &str) {
        let row = format!(
            "({}, {}, {}, cast({} as timestamptz), {})",
            Literal::Text(&self.deployment),
            Literal::Int(i64::try_from(step).unwrap_or(i64::MAX)),
            Literal::Text(event.word()),
            Literal::Text(&now()),
            Literal::Text(detail),
        );
        let mut queue = self.lock();
        queue.rows.push(row);
        queue.queued += 1;
    }

    /// Waits until all that was queued is durable.
    ///
    /// # Errors
    /// What the server refused.
    pub fn flush(&self) -> Result<(), DatabaseError> {
        let mut queue = self.lock();
        let wanted = queue.queued;
        loop {
            if queue.durable >= wanted {
                return Ok(());
            }
            if queue.writing {
                queue = self
                    .changed
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.writing = true;
            let rows = std::mem::take(&mut queue.rows);
            let end = queue.queued;
            drop(queue);
            let result = self.write(&[format!(
                "insert into rwt.journal values {}",
                rows.join(", ")
            )]);
            queue = self.lock();
            queue.writing = false;
            if result.is_ok() {
                queue.durable = end;
            } else {
                queue.rows.splice(0..0, rows);
            }
            self.changed.notify_all();
            result?;
        }
    }

    fn write(&self, statements: &[String]) -> Result<(), DatabaseError> {
        let number = {
            let mut queue = self.lock();
            queue.writes += 1;
            queue.writes
        };
        Crash::here(self.crash.as_ref(), 2 * number);
        self.store.write(statements)?;
        Crash::here(self.crash.as_ref(), 2 * number + 1);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A text in parts of at most [`PART`] bytes.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = PART.min(rest.len());
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

/// The time as it is written into the state.
pub(crate) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "äö".repeat(PART);
        let cut: Vec<&str> = parts(&text).collect();
        assert!(cut.len() > 3 && cut.iter().all(|part| part.len() <= PART));
        assert_eq!(cut.concat(), text);
        assert_eq!(parts("").count(), 0);
    }
}
