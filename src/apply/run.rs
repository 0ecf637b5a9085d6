//! Running the selected nodes: parents before children, as many at once as `--threads` allows, children of a failed node
//! skipped and named.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use chrono::Utc;
use miette::Diagnostic;
use rwt_compiler::Compiler;
use rwt_project::graph::Schedule;
use rwt_project::manifest::{Node, UniqueId};

use super::report::{NodeReport, RunReport, Status};
use super::session::LiveSession;
use crate::catalog::Names;
use crate::client::{ConnectError, Connector};

/// Where to run: the compiled project, the database, and what exists there, which is kept up to date.
#[derive(Clone, Copy)]
pub struct RunScope<'a> {
    /// The project.
    pub compiler: &'a Compiler,
    /// The database.
    pub connector: &'a Connector,
    /// What exists.
    pub names: &'a Arc<Mutex<Names>>,
}

/// How to run.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// Nodes at once, at least 1.
    pub threads: usize,
    /// Start nothing new after the first failure.
    pub fail_fast: bool,
}

/// Hears what happens while it happens. Calls come from the worker threads.
pub trait Observer: Sync {
    /// Nodes that are at work now.
    fn working_on(&self, names: &[String]);
    /// A node has ended: `index` of `total`.
    fn finished(&self, index: usize, total: usize, report: &NodeReport);
}

/// Why a run could not begin or go on.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum RunError {
    /// No connection.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Connect(#[from] ConnectError),
}

/// The order's state, shared by the workers.
struct Queue<'a> {
    /// What may run next, and what must wait.
    schedule: Schedule,
    /// Nodes that wait for nothing.
    ready: VecDeque<UniqueId>,
    /// Nodes that have neither ended nor begun, in DAG order.
    waiting: Vec<&'a Node>,
    /// Names at work.
    working: BTreeSet<String>,
    ended: Vec<NodeReport>,
    stopped: bool,
    failure: Option<RunError>,
}

/// Runs `nodes` (in DAG order) and reports on each.
///
/// # Errors
/// A worker could not connect. Failures of nodes are part of the report.
pub fn run(
    scope: RunScope<'_>,
    nodes: &[&Node],
    options: RunOptions,
    observer: &dyn Observer,
    interrupted: &AtomicBool,
) -> Result<RunReport, RunError> {
    let started_at = Utc::now();
    let clock = Instant::now();
    let selected: BTreeSet<UniqueId> = nodes.iter().map(|n| n.unique_id.clone()).collect();
    let mut schedule = scope.compiler.dag().schedule(&selected);
    let work = Work {
        queue: Mutex::new(Queue {
            ready: schedule.start().into(),
            schedule,
            waiting: nodes.to_vec(),
            working: BTreeSet::new(),
            ended: Vec::with_capacity(nodes.len()),
            stopped: false,
            failure: None,
        }),
        changed: Condvar::new(),
        nodes: nodes.iter().map(|n| (&n.unique_id, *n)).collect(),
        total: nodes.len(),
        scope,
        options,
        observer,
        interrupted,
    };
    let threads = options.threads.clamp(1, nodes.len().max(1));
    thread::scope(|threads_of| {
        for number in 1..=threads {
            let work = &work;
            threads_of.spawn(move || work.serve(number));
        }
    });
    let queue = work
        .queue
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    match queue.failure {
        Some(failure) => Err(failure),
        None => Ok(RunReport {
            nodes: queue.ended,
            seconds: clock.elapsed().as_secs_f64(),
            started_at,
        }),
    }
}

struct Work<'a> {
    queue: Mutex<Queue<'a>>,
    changed: Condvar,
    nodes: HashMap<&'a UniqueId, &'a Node>,
    total: usize,
    scope: RunScope<'a>,
    options: RunOptions,
    observer: &'a dyn Observer,
    interrupted: &'a AtomicBool,
}

impl<'a> Work<'a> {
    fn serve(&self, thread: usize) {
        let mut session: Option<LiveSession> = None;
        while let Some(node) = self.take() {
            let clean = session.take().filter(LiveSession::is_clean);
            let mut current = match clean.map_or_else(|| self.connect(), Ok) {
                Ok(current) => current,
                Err(error) => {
                    self.give_up(error);
                    return;
                }
            };
            let report = self.build(node, &mut current, thread);
            session = Some(current);
            self.end(node, report);
        }
    }

    fn connect(&self) -> Result<LiveSession, ConnectError> {
        let target = self.scope.connector.target();
        Ok(LiveSession::new(
            self.scope.connector.connect()?,
            self.scope.names.clone(),
            &target.database,
            &target.schema,
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Queue<'a>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next node whose parents have ended, or `None` when there is nothing more to begin.
    fn take(&self) -> Option<&'a Node> {
        let mut queue = self.lock();
        loop {
            if self.interrupted.load(Ordering::Relaxed) && !queue.stopped {
                queue.stopped = true;
                self.skip_waiting(&mut queue, "interrupted");
            }
            if queue.stopped || queue.waiting.is_empty() {
                return None;
            }
            if let Some(node) = queue.ready.pop_front().and_then(|id| self.nodes.get(&id)) {
                queue.waiting.retain(|n| n.unique_id != node.unique_id);
                queue.working.insert(node.name.clone());
                self.tell_working(&queue);
                return Some(node);
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn build(&self, node: &Node, session: &mut LiveSession, thread: usize) -> NodeReport {
        let started_at = Utc::now();
        let clock = Instant::now();
        let result = self.scope.compiler.materialize(&node.unique_id, session);
        let mut report = report_for(node, thread, started_at);
        report.seconds = clock.elapsed().as_secs_f64();
        report.completed_at = Utc::now();
        match result {
            Ok(result) => {
                report.status = if result.changed {
                    Status::Created
                } else {
                    Status::Unchanged
                };
                report.message = result.message;
            }
            Err(error) => {
                report.status = Status::Error;
                report.message = error.to_string();
                report.error = Some(miette::Report::new(error));
            }
        }
        report
    }

    fn end(&self, node: &'a Node, mut report: NodeReport) {
        let mut queue = self.lock();
        queue.working.remove(&node.name);
        let failed = report.status == Status::Error;
        let mut skipped = Vec::new();
        if failed {
            for child in queue.schedule.failed(&node.unique_id) {
                let Some(child) = self.nodes.get(&child) else {
                    continue;
                };
                queue.waiting.retain(|n| n.unique_id != child.unique_id);
                report.skipped_children.push(child.name.clone());
                let mut skip = report_for(child, report.thread, Utc::now());
                skip.message = format!("skipped because {} failed", node.name);
                skipped.push(skip);
            }
        } else {
            let ready = queue.schedule.done(&node.unique_id);
            queue.ready.extend(ready);
        }
        self.push(&mut queue, report);
        for skip in skipped {
            self.push(&mut queue, skip);
        }
        if failed && self.options.fail_fast && !queue.stopped {
            queue.stopped = true;
            self.skip_waiting(&mut queue, "skipped because of --fail-fast");
        }
        self.tell_working(&queue);
        drop(queue);
        self.changed.notify_all();
    }

    fn skip_waiting(&self, queue: &mut Queue<'a>, why: &str) {
        for node in std::mem::take(&mut queue.waiting) {
            let mut skip = report_for(node, 0, Utc::now());
            skip.message = why.to_owned();
            self.push(queue, skip);
        }
        self.changed.notify_all();
    }

    fn push(&self, queue: &mut Queue<'a>, report: NodeReport) {
        self.observer
            .finished(queue.ended.len() + 1, self.total, &report);
        queue.ended.push(report);
    }

    fn tell_working(&self, queue: &Queue<'a>) {
        let names: Vec<String> = queue.working.iter().cloned().collect();
        self.observer.working_on(&names);
    }

    fn give_up(&self, error: ConnectError) {
        let mut queue = self.lock();
        queue.stopped = true;
        queue.failure.get_or_insert(error.into());
        drop(queue);
        self.changed.notify_all();
    }
}

/// A report that says "skipped" until more is known.
fn report_for(node: &Node, thread: usize, started_at: chrono::DateTime<Utc>) -> NodeReport {
    NodeReport {
        unique_id: node.unique_id.to_string(),
        name: node.name.clone(),
        relation: format!("{}.{}", node.schema, node.identifier),
        materialized: node.materialized.clone(),
        status: Status::Skipped,
        message: String::new(),
        seconds: 0.0,
        thread,
        started_at,
        completed_at: started_at,
        skipped_children: Vec::new(),
        error: None,
    }
}
