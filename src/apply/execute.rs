//! Carrying a plan out: phase by phase, steps that do not wait for one another at once, each written down before and
//! after.
//!
//! What fails takes its group along ([`Groups`]): the shadows of a group whose names have not moved are dropped again, so
//! that everything is called what it was called before. What has nothing to do with it goes on. When the work is
//! interrupted, or something fails after names have moved, the deployment stays open: the next `rwt apply` finishes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rwt_compiler::materialize::DatabaseError;
use rwt_plan::plan::ObjectPlan;
use rwt_plan::step::{Effect, Phase};
use rwt_plan::{CatalogSnapshot, Fact, Step};
use rwt_project::manifest::UniqueId;

use super::groups::Groups;
use super::progress::BuildProgress;
use super::record::changes;
use super::report::{NodeReport, RunReport, Status};
use super::watch;
use super::worker::{Active, Scope, StepEnd, StepError, Worker};
use crate::catalog;
use crate::client::ConnectError;
use crate::state::{DeploymentStatus, Event, Store, Unfinished};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Waiting,
    Running,
    Done,
    Failed,
    Skipped,
}

/// What became of a node so far.
struct Track {
    status: Option<Status>,
    message: String,
    began: Option<(DateTime<Utc>, Instant, usize)>,
    error: Option<StepError>,
    skipped_children: Vec<String>,
    reported: bool,
}

struct Board {
    stands: Vec<Stand>,
    phase: usize,
    running: usize,
    /// Somebody writes down what a phase has done.
    recording: bool,
    /// Steps whose objects are still to be recorded.
    unrecorded: Vec<usize>,
    /// Nodes that have fallen, with the name of the one that failed.
    fallen: BTreeMap<String, String>,
    tracks: BTreeMap<String, Track>,
    working: BTreeSet<String>,
    reports: Vec<NodeReport>,
    notes: Vec<String>,
    errors: Vec<StepError>,
    /// Why nothing new is begun.
    stopped: Option<String>,
    /// Something failed after names had moved.
    half_way: bool,
    broken: Option<ExecuteError>,
}

/// Phases in which steps that do not wait for one another run at once.
const PARALLEL: [Phase; 4] = [Phase::Prepare, Phase::Build, Phase::Await, Phase::Run];
const PHASES: [Phase; 9] = [
    Phase::Start,
    Phase::Prepare,
    Phase::Build,
    Phase::Await,
    Phase::Swap,
    Phase::Move,
    Phase::Clean,
    Phase::Run,
    Phase::End,
];

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

struct Work<'a> {
    scope: Scope<'a>,
    store: &'a Arc<Store>,
    groups: Groups,
    objects: BTreeMap<&'a str, &'a ObjectPlan>,
    begun: BTreeSet<usize>,
    total: usize,
    options: RunOptions,
    observer: &'a dyn Observer,
    active: Active,
    board: Mutex<Board>,
    changed: Condvar,
}

impl<'a> Work<'a> {
    fn new(
        scope: Scope<'a>,
        store: &'a Arc<Store>,
        shown: Vec<NodeReport>,
        before: Option<&Unfinished>,
        options: RunOptions,
        observer: &'a dyn Observer,
    ) -> Self {
        let plan = scope.plan;
        let has = |step: &Step, event| before.is_some_and(|b| b.has(step.number, event));
        let stands: Vec<Stand> = plan
            .steps
            .iter()
            .map(|step| {
                if has(step, Event::Done) {
                    Stand::Done
                } else {
                    Stand::Waiting
                }
            })
            .collect();
        let begun = plan.steps.iter().filter(|step| has(step, Event::Begin));
        let nodes: BTreeSet<&str> = plan
            .steps
            .iter()
            .filter_map(|step| step.unique_id.as_deref())
            .collect();
        let tracks: BTreeMap<String, Track> = nodes
            .iter()
            .map(|node| ((*node).to_owned(), Track::new()))
            .collect();
        let done = |stand: &Stand| *stand == Stand::Done;
        let unrecorded = stands
            .iter()
            .enumerate()
            .filter(|(_, stand)| done(stand))
            .map(|(index, _)| index)
            .collect();
        let mut board = Board {
            phase: 0,
            running: 0,
            recording: false,
            unrecorded,
            fallen: BTreeMap::new(),
            tracks,
            working: BTreeSet::new(),
            reports: Vec::new(),
            notes: Vec::new(),
            errors: Vec::new(),
            stopped: None,
            half_way: false,
            broken: None,
            stands,
        };
        let total = nodes.len() + shown.len();
        for report in shown {
            observer.finished(board.reports.len() + 1, total, &report);
            board.reports.push(report);
        }
        Self {
            groups: Groups::of(plan),
            objects: plan
                .objects
                .iter()
                .map(|object| (object.unique_id.as_str(), object))
                .collect(),
            begun: begun.map(|step| step.number).collect(),
            total,
            options,
            observer,
            active: Active::default(),
            board: Mutex::new(board),
            changed: Condvar::new(),
            scope,
            store,
        }
    }

    /// Nodes whose steps have ended before this time.
    fn report_what_was_done(&self) {
        let mut board = self.lock();
        for (index, step) in self.scope.plan.steps.iter().enumerate() {
            if step.unique_id.is_some() && board.stands[index] == Stand::Done {
                self.note_done(&mut board, step, "done before".to_owned(), true);
            }
        }
        let nodes: Vec<String> = board.tracks.keys().cloned().collect();
        for node in nodes {
            self.report_if_over(&mut board, &node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, thread: usize) {
        let mut worker = Worker::new(self.scope, &self.active);
        while let Some(index) = self.take(thread) {
            let step = &self.scope.plan.steps[index];
            match worker.run(step, self.begun.contains(&step.number)) {
                Ok(end) => self.end(index, end),
                Err(error) => self.break_off(error.into()),
            }
        }
    }

    /// The next step that may begin, or `None` when there is nothing more to begin.
    fn take(&self, thread: usize) -> Option<usize> {
        let mut board = self.lock();
        loop {
            if self.scope.interrupted.load(Ordering::SeqCst) && board.stopped.is_none() {
                board.stopped = Some("interrupted".to_owned());
                self.changed.notify_all();
            }
            if board.stopped.is_some() || board.broken.is_some() {
                return None;
            }
            let phase = *PHASES.get(board.phase)?;
            let is_parallel = PARALLEL.contains(&phase);
            if (is_parallel || board.running == 0)
                && !board.recording
                && let Some(index) = self.next(&board, phase)
            {
                board.stands[index] = Stand::Running;
                board.running += 1;
                self.note_begin(&mut board, index, thread);
                return Some(index);
            }
            let waits = board.running > 0 || board.recording || self.has_waiting(&board, phase);
            if !waits {
                board = self.leave_phase(board);
                continue;
            }
            board = self
                .changed
                .wait_timeout(board, Duration::from_millis(200))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn next(&self, board: &Board, phase: Phase) -> Option<usize> {
        let steps = self.scope.plan.steps.iter().enumerate();
        let number_of = |index: usize| self.scope.plan.steps[index].number;
        let has_ended = |number: &usize| {
            let index = (0..board.stands.len()).find(|index| number_of(*index) == *number);
            index.is_none_or(|index| {
                matches!(
                    board.stands[index],
                    Stand::Done | Stand::Failed | Stand::Skipped
                )
            })
        };
        steps
            .filter(|(index, step)| step.phase == phase && board.stands[*index] == Stand::Waiting)
            .find(|(_, step)| step.waits_for.iter().all(has_ended))
            .map(|(index, _)| index)
    }

    fn has_waiting(&self, board: &Board, phase: Phase) -> bool {
        let mut steps = self.scope.plan.steps.iter().zip(&board.stands);
        steps.any(|(step, stand)| step.phase == phase && *stand == Stand::Waiting)
    }

    /// Writes down what the phase has done, and goes to the next one.
    fn leave_phase<'b>(&'b self, mut board: MutexGuard<'b, Board>) -> MutexGuard<'b, Board> {
        board.recording = true;
        let done = std::mem::take(&mut board.unrecorded);
        drop(board);
        let result = self.record(&done);
        let mut board = self.lock();
        board.recording = false;
        match result {
            Ok(()) => board.phase += 1,
            Err(error) => {
                board.unrecorded = done;
                board.stopped = Some(error.to_string());
            }
        }
        self.changed.notify_all();
        board
    }

    fn record(&self, done: &[usize]) -> Result<(), ExecuteError> {
        let steps: Vec<&Step> = done
            .iter()
            .map(|index| &self.scope.plan.steps[*index])
            .collect();
        let has_anything = |step: &&Step| {
            !step.completes.is_empty()
                || !step.forgets.is_empty()
                || !step.leaves.is_empty()
                || step
                    .statements
                    .iter()
                    .any(|s| matches!(s.effect, Effect::Shows(Fact::Gone { .. })))
        };
        self.scope.journal.flush()?;
        if !steps.iter().any(has_anything) {
            return Ok(());
        }
        let catalog = self.read_catalog()?;
        self.store
            .record(&changes(self.scope.plan, &steps, &catalog))?;
        Ok(())
    }

    fn read_catalog(&self) -> Result<CatalogSnapshot, ExecuteError> {
        let connection = self.scope.connector.connect()?;
        Ok(catalog::read(&connection)?)
    }

    fn note_begin(&self, board: &mut Board, index: usize, thread: usize) {
        let Some(node) = &self.scope.plan.steps[index].unique_id else {
            return;
        };
        if let Some(track) = board.tracks.get_mut(node) {
            track
                .began
                .get_or_insert_with(|| (Utc::now(), Instant::now(), thread));
        }
        board.working.insert(self.name_of(node));
        self.tell_working(board);
    }

    fn materialized(&self, node: &str) -> Option<&'a str> {
        let nodes = &self.scope.compiler.manifest().nodes;
        let node = nodes.get(&UniqueId(node.to_owned()))?;
        Some(&node.materialized)
    }

    fn name_of(&self, node: &str) -> String {
        let object = self.objects.get(node);
        object.map_or_else(|| node.to_owned(), |object| object.name.clone())
    }

    fn tell_working(&self, board: &Board) {
        let names: Vec<String> = board.working.iter().cloned().collect();
        self.observer.working_on(&names);
    }

    fn end(&self, index: usize, end: StepEnd) {
        let step = &self.scope.plan.steps[index];
        let mut board = self.lock();
        board.running -= 1;
        match end {
            StepEnd::Done { message, changed } => {
                board.stands[index] = Stand::Done;
                board.unrecorded.push(index);
                self.scope
                    .journal
                    .queue_line(step.number, Event::Done, &message);
                self.note_done(&mut board, step, message, changed);
            }
            StepEnd::Left(why) => {
                board.stands[index] = Stand::Done;
                self.scope.journal.queue_line(step.number, Event::Skipped, &why);
                let note = format!("{}: left alone, because {why}", step.purpose);
                self.observer.note(&note);
                board.notes.push(note);
            }
            StepEnd::Failed(error) => {
                board.stands[index] = Stand::Failed;
                self.scope
                    .journal
                    .queue_line(step.number, Event::Failed, &error.to_string());
                self.fail(&mut board, step, *error);
            }
            StepEnd::Interrupted(why) => {
                board.stands[index] = Stand::Waiting;
                board.stopped.get_or_insert(why);
            }
        }
        if let Some(node) = &step.unique_id {
            let name = self.name_of(node);
            board.working.remove(&name);
            self.report_if_over(&mut board, node);
        }
        self.tell_working(&board);
        drop(board);
        self.changed.notify_all();
    }

    fn note_done(&self, board: &mut Board, step: &Step, message: String, changed: bool) {
        let Some(node) = step.unique_id.as_deref() else {
            return;
        };
        let action = self.objects.get(node).map(|object| object.action);
        if let Some(track) = board.tracks.get_mut(node) {
            // The first step is the one that makes the object.
            if track.message.is_empty() {
                track.message = message;
            }
            track.status = Some(match action {
                Some(action) if changed || step.phase != Phase::Run => Status::of(action),
                _ => Status::Unchanged,
            });
        }
    }

    fn fail(&self, board: &mut Board, step: &Step, error: StepError) {
        if step.phase >= Phase::Swap && step.phase < Phase::Run {
            board.half_way = true;
        }
        let Some(node) = step.unique_id.as_deref() else {
            // Without its schema or its hooks nothing else can be expected to work.
            let is_needed = step.phase < Phase::Build;
            board.errors.push(error);
            if is_needed {
                self.skip(board, |_| true, "skipped, because a step before it failed");
            } else {
                let after = step.number;
                self.skip(
                    board,
                    |s| s.waits_for.contains(&after),
                    "skipped, because a step before it failed",
                );
            }
            return;
        };
        let name = self.name_of(node);
        let fallen = self.groups.fall_with(node);
        for other in &fallen {
            board
                .fallen
                .entry(other.clone())
                .or_insert_with(|| name.clone());
        }
        let children: Vec<String> = fallen
            .iter()
            .filter(|other| *other != node && board.tracks.contains_key(*other))
            .map(|other| self.name_of(other))
            .collect();
        if let Some(track) = board.tracks.get_mut(node) {
            track.status = Some(Status::Error);
            track.message = error.to_string();
            track.error = Some(error);
            track.skipped_children = children;
        }
        let of_node = |s: &Step| s.unique_id.as_deref() == Some(node);
        self.skip(board, of_node, "");
        self.report_if_over(board, node);
        let is_fallen = |s: &Step| s.unique_id.as_ref().is_some_and(|id| fallen.contains(id));
        let why = format!("skipped because {name} failed");
        self.skip(board, is_fallen, &why);
        if self.options.fail_fast {
            self.skip(board, |_| true, "skipped because of --fail-fast");
        }
    }

    /// Leaves out all waiting steps of a kind.
    fn skip(&self, board: &mut Board, is_meant: impl Fn(&Step) -> bool, why: &str) {
        let mut nodes = Vec::new();
        for (index, step) in self.scope.plan.steps.iter().enumerate() {
            if board.stands[index] != Stand::Waiting || !is_meant(step) {
                continue;
            }
            board.stands[index] = Stand::Skipped;
            self.scope
                .journal
                .queue_line(step.number, Event::Skipped, why);
            if let Some(node) = &step.unique_id
                && !nodes.contains(node)
            {
                nodes.push(node.clone());
            }
        }
        for node in nodes {
            if let Some(track) = board.tracks.get_mut(&node)
                && track.status != Some(Status::Error)
            {
                track.status = Some(Status::Skipped);
                why.clone_into(&mut track.message);
            }
            self.report_if_over(board, &node);
        }
    }

    /// Reports a node when none of its steps is left.
    fn report_if_over(&self, board: &mut Board, node: &str) {
        let steps = self.scope.plan.steps.iter().zip(&board.stands);
        let is_open = steps
            .filter(|(step, _)| step.unique_id.as_deref() == Some(node))
            .any(|(_, stand)| matches!(stand, Stand::Waiting | Stand::Running));
        if !is_open {
            self.report_node(board, node);
        }
    }

    fn report_node(&self, board: &mut Board, node: &str) {
        let Some(track) = board.tracks.get_mut(node) else {
            return;
        };
        if std::mem::replace(&mut track.reported, true) {
            return;
        }
        let Some(object) = self.objects.get(node) else {
            return;
        };
        let mut report = NodeReport::of(object, self.materialized(node));
        report.status = track.status.unwrap_or(Status::Skipped);
        report.message = std::mem::take(&mut track.message);
        if report.message.is_empty() && report.status == Status::Skipped {
            report.message = "skipped".to_owned();
        }
        report.error = track.error.take().map(miette::Report::new);
        report.skipped_children = std::mem::take(&mut track.skipped_children);
        report.completed_at = Utc::now();
        report.started_at = report.completed_at;
        if let Some((at, clock, thread)) = track.began {
            report.started_at = at;
            report.seconds = clock.elapsed().as_secs_f64();
            report.thread = thread;
        }
        let index = board.reports.len() + 1;
        self.observer.finished(index, self.total, &report);
        board.reports.push(report);
    }

    fn break_off(&self, error: ExecuteError) {
        let mut board = self.lock();
        board.running = board.running.saturating_sub(1);
        board.broken.get_or_insert(error);
        drop(board);
        self.changed.notify_all();
    }

    /// Takes back what fell, records the rest, and says how it stands.
    fn conclude(self, started_at: DateTime<Utc>, clock: Instant) -> Result<Outcome, ExecuteError> {
        let mut board = self.lock();
        let is_interrupted = board.stopped.is_some() || board.broken.is_some();
        // An error to reach the state says enough; what could not be written is found in the catalog.
        let done = std::mem::take(&mut board.unrecorded);
        if let Err(error) = self.record(&done) {
            board.broken.get_or_insert(error);
        }
        if !is_interrupted {
            self.undo_fallen(&mut board);
        }
        let is_open = board.half_way || is_interrupted && self.leaves_something(&board);
        let why = board.stopped.clone().unwrap_or_default();
        self.skip_rest(&mut board, &why, is_open);
        let has_failed = board.stands.contains(&Stand::Failed) || is_interrupted;
        let status = match (is_open, has_failed) {
            (true, _) => DeploymentStatus::Interrupted,
            (false, true) => DeploymentStatus::Failed,
            (false, false) => DeploymentStatus::Done,
        };
        let concluded = self
            .scope
            .journal
            .flush()
            .and_then(|()| self.store.conclude(&self.scope.plan.deployment, status));
        if let Some(broken) = board.broken.take() {
            return Err(broken);
        }
        concluded?;
        Ok(Outcome {
            report: RunReport {
                nodes: std::mem::take(&mut board.reports),
                seconds: clock.elapsed().as_secs_f64(),
                started_at,
            },
            status,
            stopped: board.stopped.take(),
            notes: std::mem::take(&mut board.notes),
            errors: std::mem::take(&mut board.errors),
        })
    }

    /// Nodes that were not finished when the work stopped. Their steps stay waiting for the next time.
    fn skip_rest(&self, board: &mut Board, why: &str, is_open: bool) {
        let nodes: Vec<String> = board
            .tracks
            .iter()
            .filter(|(_, track)| !track.reported)
            .map(|(node, _)| node.clone())
            .collect();
        for node in nodes {
            if let Some(track) = board.tracks.get_mut(&node) {
                track.status = Some(Status::Skipped);
                track.message = if is_open && track.began.is_some() {
                    "interrupted in the middle".to_owned()
                } else {
                    why.to_owned()
                };
            }
            self.report_node(board, &node);
        }
    }

    /// Whether something is half-way: a step that was begun and has not ended, or a group whose shadows are there and
    /// whose names have not all moved.
    fn leaves_something(&self, board: &Board) -> bool {
        let steps = || self.scope.plan.steps.iter().zip(&board.stands);
        let is_grouped = |step: &Step| {
            step.unique_id
                .as_deref()
                .is_some_and(|node| self.groups.is_grouped(node))
        };
        let has_begun = steps().any(|(step, stand)| {
            is_grouped(step)
                && (*stand == Stand::Done
                    || *stand == Stand::Waiting && self.was_begun(board, step))
        });
        let has_rest = steps().any(|(step, stand)| is_grouped(step) && *stand == Stand::Waiting);
        has_begun && has_rest
    }

    fn was_begun(&self, board: &Board, step: &Step) -> bool {
        self.begun.contains(&step.number)
            || step
                .unique_id
                .as_ref()
                .and_then(|node| board.tracks.get(node))
                .is_some_and(|track| track.began.is_some())
    }

    /// Takes back the steps of groups that fell before their names moved, last step first.
    fn undo_fallen(&self, board: &mut Board) {
        let steps = &self.scope.plan.steps;
        let moved: BTreeSet<&str> = steps
            .iter()
            .zip(&board.stands)
            .filter(|(step, stand)| step.phase >= Phase::Swap && **stand == Stand::Done)
            .filter_map(|(step, _)| step.unique_id.as_deref())
            .collect();
        let grouped: Vec<&String> = board
            .fallen
            .keys()
            .filter(|node| self.groups.is_grouped(node))
            .collect();
        let mut taken_back: BTreeSet<String> = BTreeSet::new();
        for node in grouped {
            let with = self.groups.fall_with(node);
            if !with.iter().any(|node| moved.contains(node.as_str())) {
                taken_back.extend(with);
            }
        }
        let undone: Vec<&Step> = steps
            .iter()
            .zip(&board.stands)
            .filter(|(_, stand)| matches!(stand, Stand::Done | Stand::Failed))
            .map(|(step, _)| step)
            .filter(|step| step.unique_id.as_ref().is_some_and(|id| taken_back.contains(id)))
            .collect();
        let Ok(connection) = self.scope.connector.connect() else {
            board.half_way = true;
            return;
        };
        for error in super::undo::take_back(&connection, self.scope.journal, &undone) {
            let note = format!("a shadow could not be dropped again: {error}");
            self.observer.note(&note);
            board.notes.push(note);
        }
    }
}

impl Track {
    fn new() -> Self {
        Self {
            status: None,
            message: String::new(),
            began: None,
            error: None,
            skipped_children: Vec::new(),
            reported: false,
        }
    }
}
