//! Carrying a plan out: phase by phase, steps that do not wait for one another at once, each written down before and
//! after.
//!
//! What fails takes its group along ([`Groups`]): the shadows of a group whose names have not moved are dropped again, so
//! that everything is called what it was called before. What has nothing to do with it goes on. When the work is
//! interrupted, or something fails after names have moved, the deployment stays open: the next `rwt apply` finishes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use chrono::Utc;
use rwt_compiler::materialize::DatabaseError;

use super::progress::BuildProgress;
use super::report::{NodeReport, RunReport};
use super::watch;
use super::work::Work;
use super::worker::{Scope, StepError};
use crate::client::ConnectError;
use crate::state::{DeploymentStatus, Store, Unfinished};

/// How to carry a plan out.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// Steps at once, at least 1.
    pub threads: usize,
    /// Start nothing new after the first failure.
    pub fail_fast: bool,
}

/// Hears what happens while it happens. Calls come from several threads.
pub trait Observer: Sync {
    /// A node has begun, on this thread.
    fn began(&self, unique_id: &str, thread: usize);
    /// Nodes that are at work now.
    fn working_on(&self, names: &[String]);
    /// A node has ended: `index` of `total`.
    fn finished(&self, index: usize, total: usize, report: &NodeReport);
    /// What is being built, and how far it is. Comes again and again.
    fn building(&self, builds: &[BuildProgress]);
    /// Something that a person should know.
    fn note(&self, text: &str);
}

/// Why a deployment could not go on.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ExecuteError {
    /// No connection.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Connect(#[from] ConnectError),
    /// The state cannot be read or written.
    #[error("the state in the schema rwt cannot be read or written: {0}")]
    #[diagnostic(code(rwt::state::database))]
    State(#[from] DatabaseError),
}

/// What a deployment came to.
#[derive(Debug)]
pub struct Outcome {
    /// What became of each node.
    pub report: RunReport,
    /// How the deployment ended.
    pub status: DeploymentStatus,
    /// Why it stopped in the middle, if it did.
    pub stopped: Option<String>,
    /// What else there is to know: old objects that stay, steps of hooks that failed.
    pub notes: Vec<String>,
    /// Errors of steps that belong to no node.
    pub errors: Vec<StepError>,
}

/// Carries a plan out, from its beginning, or from where `before` stopped. `shown` are the nodes of the report that have
/// nothing to be done, with what there is to say of them.
///
/// # Errors
/// See [`ExecuteError`]. Failures of nodes are part of the outcome.
pub fn execute(
    scope: Scope<'_>,
    store: &Arc<Store>,
    shown: Vec<NodeReport>,
    before: Option<&Unfinished>,
    options: RunOptions,
    observer: &dyn Observer,
) -> Result<Outcome, ExecuteError> {
    let started_at = Utc::now();
    let clock = Instant::now();
    let work = Work::new(scope, store, shown, before, options, observer);
    work.report_what_was_done();
    let over = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| watch::cancel_when_told(&work.active, scope.interrupted, &over));
        threads.spawn(|| watch::tell_progress(&work.active, scope.connector, observer, &over));
        let workers: Vec<_> = (1..=options.threads.max(1).min(scope.plan.steps.len().max(1)))
            .map(|number| {
                let work = &work;
                threads.spawn(move || work.serve(number))
            })
            .collect();
        for worker in workers {
            // A worker's panic is seen when the scope ends.
            let _ = worker.join();
        }
        over.store(true, Ordering::SeqCst);
    });
    work.conclude(started_at, clock)
}
