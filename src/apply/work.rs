//! The order of steps while threads carry them out: phase by phase, each step after those that it waits for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rwt_plan::plan::ObjectPlan;
use rwt_plan::step::{Effect, Phase};
use rwt_plan::{CatalogSnapshot, Fact, Step};
use rwt_project::manifest::UniqueId;

use super::execute::{ExecuteError, Observer, RunOptions};
use super::groups::Groups;
use super::record::changes;
use super::report::{NodeReport, Status};
use super::worker::{Active, Scope, StepError, Worker};
use crate::catalog;
use crate::state::{Event, Store, Unfinished};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    Waiting,
    Running,
    Done,
    Failed,
    Skipped,
}

/// What became of a node so far.
pub(super) struct Track {
    pub(super) status: Option<Status>,
    pub(super) message: String,
    pub(super) began: Option<(DateTime<Utc>, Instant, usize)>,
    pub(super) error: Option<StepError>,
    pub(super) skipped_children: Vec<String>,
    pub(super) reported: bool,
}

pub(super) struct Board {
    pub(super) stands: Vec<Stand>,
    pub(super) phase: usize,
    pub(super) running: usize,
    /// Somebody writes down what a phase has done.
    pub(super) recording: bool,
    /// Steps whose objects are still to be recorded.
    pub(super) unrecorded: Vec<usize>,
    /// Nodes that have fallen, with the name of the one that failed.
    pub(super) fallen: BTreeMap<String, String>,
    pub(super) tracks: BTreeMap<String, Track>,
    pub(super) working: BTreeSet<String>,
    pub(super) reports: Vec<NodeReport>,
    pub(super) notes: Vec<String>,
    pub(super) errors: Vec<StepError>,
    /// Why nothing new is begun.
    pub(super) stopped: Option<String>,
    /// Something failed after names had moved.
    pub(super) half_way: bool,
    pub(super) broken: Option<ExecuteError>,
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

pub(super) struct Work<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) store: &'a Arc<Store>,
    pub(super) groups: Groups,
    pub(super) objects: BTreeMap<&'a str, &'a ObjectPlan>,
    pub(super) begun: BTreeSet<usize>,
    /// Where a step stands in the plan, by its number.
    at: HashMap<usize, usize>,
    pub(super) total: usize,
    pub(super) options: RunOptions,
    pub(super) observer: &'a dyn Observer,
    pub(super) active: Active,
    pub(super) board: Mutex<Board>,
    pub(super) changed: Condvar,
}

impl<'a> Work<'a> {
    pub(super) fn new(
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
                if before.is_some_and(|before| before.is_done(step.number)) {
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
            at: plan
                .steps
                .iter()
                .enumerate()
                .map(|(index, step)| (step.number, index))
                .collect(),
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
    pub(super) fn report_what_was_done(&self) {
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

    pub(super) fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn serve(&self, thread: usize) {
        let mut worker = Worker::new(self.scope, &self.active);
        while let Some(index) = self.take(thread) {
            let step = &self.scope.plan.steps[index];
            match worker.run(step, self.begun.contains(&step.number)) {
                Ok(end) => self.end(index, end),
                Err(error) => self.break_off(index, error.into()),
            }
        }
    }

    /// The next step that may begin, or `None` when there is nothing more to begin.
    pub(super) fn take(&self, thread: usize) -> Option<usize> {
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

    pub(super) fn next(&self, board: &Board, phase: Phase) -> Option<usize> {
        let steps = self.scope.plan.steps.iter().enumerate();
        let has_ended = |number: &usize| {
            self.at.get(number).is_none_or(|index| {
                matches!(
                    board.stands[*index],
                    Stand::Done | Stand::Failed | Stand::Skipped
                )
            })
        };
        steps
            .filter(|(index, step)| step.phase == phase && board.stands[*index] == Stand::Waiting)
            .find(|(_, step)| step.waits_for.iter().all(has_ended))
            .map(|(index, _)| index)
    }

    pub(super) fn has_waiting(&self, board: &Board, phase: Phase) -> bool {
        let mut steps = self.scope.plan.steps.iter().zip(&board.stands);
        steps.any(|(step, stand)| step.phase == phase && *stand == Stand::Waiting)
    }

    /// Writes down what the phase has done, and goes to the next one.
    pub(super) fn leave_phase<'b>(
        &'b self,
        mut board: MutexGuard<'b, Board>,
    ) -> MutexGuard<'b, Board> {
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

    pub(super) fn record(&self, done: &[usize]) -> Result<(), ExecuteError> {
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

    pub(super) fn read_catalog(&self) -> Result<CatalogSnapshot, ExecuteError> {
        let connection = self.scope.connector.connect()?;
        Ok(catalog::read(&connection)?)
    }

    pub(super) fn note_begin(&self, board: &mut Board, index: usize, thread: usize) {
        let Some(node) = &self.scope.plan.steps[index].unique_id else {
            return;
        };
        if let Some(track) = board.tracks.get_mut(node) {
            if track.began.is_none() {
                self.observer.began(node, thread);
            }
            track
                .began
                .get_or_insert_with(|| (Utc::now(), Instant::now(), thread));
        }
        board.working.insert(self.name_of(node));
        self.tell_working(board);
    }

    pub(super) fn materialized(&self, node: &str) -> Option<&'a str> {
        let nodes = &self.scope.compiler.manifest().nodes;
        let node = nodes.get(&UniqueId(node.to_owned()))?;
        Some(&node.materialized)
    }

    pub(super) fn name_of(&self, node: &str) -> String {
        let object = self.objects.get(node);
        object.map_or_else(|| node.to_owned(), |object| object.name.clone())
    }

    pub(super) fn tell_working(&self, board: &Board) {
        let names: Vec<String> = board.working.iter().cloned().collect();
        self.observer.working_on(&names);
    }

    pub(super) fn break_off(&self, index: usize, error: ExecuteError) {
        let mut board = self.lock();
        board.running -= 1;
        board.stands[index] = Stand::Waiting;
        board.broken.get_or_insert(error);
        drop(board);
        self.changed.notify_all();
    }
}

impl Track {
    pub(super) fn new() -> Self {
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
