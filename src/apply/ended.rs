//! What follows from a step that has ended: what falls with it, what is left out, which node is finished.

use chrono::Utc;
use rwt_plan::Step;
use rwt_plan::step::Phase;

use super::report::{NodeReport, Status};
use super::work::{Board, Stand, Work};
use super::worker::{StepEnd, StepError};
use crate::state::Event;

impl Work<'_> {
    pub(super) fn end(&self, index: usize, end: StepEnd) {
        let step = &self.scope.plan.steps[index];
        let mut board = self.lock();
        board.running -= 1;
        match end {
            StepEnd::Done {
                message,
                changed,
                note,
            } => {
                if let Some(note) = note {
                    self.observer.note(&note);
                    board.notes.push(note);
                }
                board.stands[index] = Stand::Done;
                board.unrecorded.push(index);
                self.scope
                    .journal
                    .queue_line(step.number, Event::Done, &message);
                self.note_done(&mut board, step, message, changed);
            }
            StepEnd::Left(why) => {
                board.stands[index] = Stand::Done;
                self.scope
                    .journal
                    .queue_line(step.number, Event::Skipped, &why);
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

    pub(super) fn note_done(&self, board: &mut Board, step: &Step, message: String, changed: bool) {
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

    pub(super) fn fail(&self, board: &mut Board, step: &Step, error: StepError) {
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
    pub(super) fn skip(&self, board: &mut Board, is_meant: impl Fn(&Step) -> bool, why: &str) {
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
    pub(super) fn report_if_over(&self, board: &mut Board, node: &str) {
        let steps = self.scope.plan.steps.iter().zip(&board.stands);
        let is_open = steps
            .filter(|(step, _)| step.unique_id.as_deref() == Some(node))
            .any(|(_, stand)| matches!(stand, Stand::Waiting | Stand::Running));
        if !is_open {
            self.report_node(board, node);
        }
    }

    pub(super) fn report_node(&self, board: &mut Board, node: &str) {
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
}
