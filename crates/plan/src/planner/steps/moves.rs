//! What follows when names are swapped: rebuilds in place, sinks, what could not begin before.

use super::Steps;
use crate::name::Kind;
use crate::plan::Consequence;
use crate::planner::clean::shadow_name;
use crate::planner::decision::{Cutover, Decision, Treatment};
use crate::planner::statements::{
    absent, drop_of, exists, is, rename_to, repeatable, replace_sink, shows, without_snapshot,
};
use crate::step::{Fact, Phase, StepKind};

impl Steps<'_, '_> {
    pub(super) fn moves(&mut self) {
        let decisions = self.decisions;
        for decision in decisions.of.values() {
            if matches!(
                decision.treatment,
                Treatment::Shadow(Cutover::Swap | Cutover::Renames)
            ) {
                self.post_hooks(Phase::Move, decision);
            }
        }
        // A rebuild in place needs everything off first, sinks too.
        let in_place: Vec<&str> = decisions
            .of
            .values()
            .filter(|decision| decision.treatment == Treatment::InPlace)
            .map(|decision| decision.object.unique_id.as_str())
            .collect();
        let hangs_in_place = |decision: &Decision<'_>| {
            let object = decision.object;
            let mut above = object.bound_to.iter().chain(&object.writes_to);
            above.any(|id| in_place.contains(&id.as_str()))
        };
        for decision in decisions.of.values().rev() {
            let goes = match decision.treatment {
                Treatment::InPlace => true,
                Treatment::MoveSink { .. } => hangs_in_place(decision),
                _ => false,
            };
            if goes {
                self.drop_old(decision);
            }
        }
        for (unique_id, decision) in &decisions.of {
            let begins = match decision.treatment {
                Treatment::InPlace => true,
                Treatment::Create => self.late.contains(*unique_id) && !emits(decision),
                _ => false,
            };
            if begins {
                self.create(Phase::Move, decision);
            }
        }
        for (unique_id, decision) in &decisions.of {
            match decision.treatment {
                Treatment::ReplaceSink => self.replace_sink(decision),
                Treatment::MoveSink { snapshot } if hangs_in_place(decision) => {
                    let create = match snapshot {
                        true => decision.object.create.clone(),
                        false => without_snapshot(&decision.object.create),
                    };
                    self.create_as(Phase::Move, decision, &create);
                }
                Treatment::MoveSink { snapshot: true } => {
                    self.drop_old(decision);
                    self.create(Phase::Move, decision);
                }
                Treatment::MoveSink { snapshot: false } => self.take_over(decision),
                Treatment::Create if self.late.contains(*unique_id) && emits(decision) => {
                    self.create(Phase::Move, decision);
                }
                _ => {}
            }
        }
        self.complete_moves();
    }

    /// What views lose by its move has moved for good when they are there again.
    fn complete_moves(&mut self) {
        let decisions = self.decisions;
        for (unique_id, decision) in &decisions.of {
            if !decision.moves_views || decision.blocked.is_some() {
                continue;
            }
            let with_it = |other: &&Decision<'_>| {
                other.consequences.iter().any(|cost| match cost {
                    Consequence::NameMissingSinceMove { moved, .. } => {
                        moved.iter().any(|id| id == unique_id)
                    }
                    _ => false,
                })
            };
            let views = decisions.of.values().filter(with_it);
            let last = views
                .filter_map(|view| self.last.get(&view.object.unique_id))
                .max();
            let Some(last) = last.copied() else { continue };
            let mut forgets = Vec::new();
            for step in &mut self.list {
                if step.completes.iter().any(|id| id == unique_id) {
                    step.completes.retain(|id| id != unique_id);
                    if step.completes.is_empty() {
                        forgets.append(&mut step.forgets);
                    }
                }
            }
            if let Some(step) = self.list.get_mut(last - 1) {
                step.completes.push((*unique_id).to_owned());
                step.forgets.extend(forgets);
            }
        }
    }

    fn replace_sink(&mut self, decision: &Decision<'_>) {
        let object = decision.object;
        let purpose = format!("let {} go on from the new relation", object.relation);
        let mut step = self.step(Phase::Move, StepKind::Replace, Some(decision), purpose);
        step.waits_for.extend(self.above(decision));
        if let Some(id) = decision.id() {
            step.requires.push(is(&object.relation, object.kind, id));
        }
        step.before.clone_from(&object.before);
        // It begins at the moment of the statement, so that a second time is as good as the first.
        step.statements
            .push(repeatable(replace_sink(&object.create)));
        step.after.clone_from(&object.after);
        self.push(step);
        self.rights_of(Phase::Move, decision, &object.relation);
        self.complete(decision);
    }

    fn drop_old(&mut self, decision: &Decision<'_>) {
        let Some(id) = decision.id() else { return };
        let Some(found) = self.known.catalog.objects.get(&id) else {
            return;
        };
        let purpose = format!("drop the old {}", found.relation);
        let mut step = self.step(Phase::Move, StepKind::Drop, Some(decision), purpose);
        // What hangs on it goes first.
        let below = self.decisions.of.values().filter(|other| {
            let object = other.object;
            object.bound_to.contains(&decision.object.unique_id)
                || object.writes_to.as_ref() == Some(&decision.object.unique_id)
        });
        let gone = below.filter_map(|other| self.last.get(&other.object.unique_id));
        step.waits_for.extend(gone.copied());
        step.waits_for.sort_unstable();
        step.waits_for.dedup();
        step.requires.push(is(&found.relation, found.kind, id));
        step.statements.push(shows(
            drop_of(&found.relation, found.kind),
            Fact::Gone { id },
        ));
        self.push(step);
    }

    /// The new sink begins, then the old one ends, so that no change falls between them.
    fn take_over(&mut self, decision: &Decision<'_>) {
        let object = decision.object;
        let shadow = shadow_name(&object.relation, self.deployment);
        let create = without_snapshot(&object.create);
        let purpose = format!(
            "let a new {} begin with what changes from now on",
            object.relation
        );
        self.created(
            Phase::Move,
            StepKind::Shadow,
            decision,
            (&shadow, &create),
            purpose,
        );
        self.drop_old(decision);
        let purpose = format!("give the new {} its name", object.relation);
        let mut step = self.step(Phase::Move, StepKind::Rename, Some(decision), purpose);
        step.requires = vec![
            exists(&shadow, object.kind),
            absent(&object.relation, object.kind),
        ];
        step.statements.push(shows(
            rename_to(&shadow, object.kind, &object.relation),
            exists(&object.relation, object.kind),
        ));
        self.push(step);
        self.rights_of(Phase::Move, decision, &object.relation);
        self.post_hooks(Phase::Move, decision);
        self.complete(decision);
    }
}

/// Whether others have received what it has emitted, for good.
fn emits(decision: &Decision<'_>) -> bool {
    matches!(decision.object.kind, Kind::Sink | Kind::Subscription)
}
