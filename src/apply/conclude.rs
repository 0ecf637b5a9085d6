//! The end of a deployment: what fell is taken back, what was done is recorded, and how it stands is written down.

use std::collections::BTreeSet;
use std::time::Instant;

use chrono::{DateTime, Utc};
use rwt_plan::Step;
use rwt_plan::step::Phase;

use super::execute::{ExecuteError, Outcome};
use super::report::{RunReport, Status};
use super::undo::take_back;
use super::work::{Board, Stand, Work};
use crate::state::DeploymentStatus;

impl Work<'_> {
    /// Takes back what fell, records the rest, and says how it stands.
    pub(super) fn conclude(
        self,
        started_at: DateTime<Utc>,
        clock: Instant,
    ) -> Result<Outcome, ExecuteError> {
        let mut board = self.lock();
        let is_interrupted = board.stopped.is_some() || board.broken.is_some();
        // An error to reach the state says enough; what could not be written is found in the catalog.
        let done = std::mem::take(&mut board.unrecorded);
        if let Err(error) = self.record(&done) {
            board.broken.get_or_insert(error);
        }
        board.half_way = self.is_half_way(&board);
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
        let mut report = RunReport {
            nodes: std::mem::take(&mut board.reports),
            seconds: clock.elapsed().as_secs_f64(),
            started_at,
            other_failure: false,
        };
        report.other_failure = status == DeploymentStatus::Failed && !report.nodes_failed();
        Ok(Outcome {
            report,
            status,
            stopped: board.stopped.take(),
            notes: std::mem::take(&mut board.notes),
            errors: std::mem::take(&mut board.errors),
        })
    }

    /// Nodes that were not finished when the work stopped. Their steps stay waiting for the next time.
    pub(super) fn skip_rest(&self, board: &mut Board, why: &str, is_open: bool) {
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
    pub(super) fn leaves_something(&self, board: &Board) -> bool {
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

    pub(super) fn was_begun(&self, board: &Board, step: &Step) -> bool {
        self.begun.contains(&step.number)
            || step
                .unique_id
                .as_ref()
                .and_then(|node| board.tracks.get(node))
                .is_some_and(|track| track.began.is_some())
    }

    /// Nodes whose names have moved, a part of them perhaps.
    fn moved(&self, board: &Board) -> BTreeSet<&str> {
        let has_moved = |step: &Step, stand: Stand| match stand {
            Stand::Done => true,
            // Of more than one statement the first may have taken effect.
            Stand::Failed => step.statements.len() > 1,
            _ => false,
        };
        let steps = self.scope.plan.steps.iter().zip(&board.stands);
        steps
            .filter(|(step, stand)| step.phase >= Phase::Swap && has_moved(step, **stand))
            .filter_map(|(step, _)| step.unique_id.as_deref())
            .collect()
    }

    /// Whether something failed when names of its group had moved.
    fn is_half_way(&self, board: &Board) -> bool {
        let moved = self.moved(board);
        let has_moved = |step: &Step| match step.unique_id.as_deref() {
            Some(node) => {
                let group = self.groups.fall_with(node);
                group.iter().any(|node| moved.contains(node.as_str()))
            }
            None => true,
        };
        let mut steps = self.scope.plan.steps.iter().zip(&board.stands);
        steps.any(|(step, stand)| {
            *stand == Stand::Failed
                && (Phase::Swap..Phase::Run).contains(&step.phase)
                && has_moved(step)
        })
    }

    /// Takes back the steps of groups that fell before their names moved, last step first.
    fn undo_fallen(&self, board: &mut Board) {
        let steps = &self.scope.plan.steps;
        let moved = self.moved(board);
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
            .filter(|step| {
                step.unique_id
                    .as_ref()
                    .is_some_and(|id| taken_back.contains(id))
            })
            .collect();
        let Ok(connection) = self.scope.connector.connect() else {
            board.half_way = true;
            return;
        };
        for (_, error) in take_back(&connection, self.scope.journal, &undone).refused {
            let note = format!("a shadow could not be dropped again: {error}");
            self.observer.note(&note);
            board.notes.push(note);
        }
    }
}
