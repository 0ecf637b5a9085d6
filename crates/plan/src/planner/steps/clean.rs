//! What is taken out of use goes, leaves first; then what runs in place, and `on-run-end`.

use std::collections::BTreeMap;

use super::Steps;
use crate::catalog::ObjectId;
use crate::planner::decision::Treatment;
use crate::planner::statements::{drop_of, is, shows};
use crate::step::{Fact, Phase, StepKind};

impl Steps<'_, '_> {
    pub(super) fn clean(&mut self) {
        let mut drops: BTreeMap<ObjectId, usize> = BTreeMap::new();
        for doomed in &self.cleaning.drops {
            let purpose = format!("drop the old {} {}", doomed.kind, doomed.relation);
            let mut step = self.step(Phase::Clean, StepKind::Drop, None, purpose);
            step.unique_id.clone_from(&doomed.unique_id);
            step.requires = vec![
                is(&doomed.relation, doomed.kind, doomed.id),
                Fact::NothingHangsOn { id: doomed.id },
            ];
            step.statements.push(shows(
                drop_of(&doomed.relation, doomed.kind),
                Fact::Gone { id: doomed.id },
            ));
            let below = self.known.readers(doomed.id);
            step.waits_for
                .extend(below.filter_map(|reader| drops.get(&reader)));
            drops.insert(doomed.id, step.number);
            if doomed.forgets {
                step.forgets.extend(doomed.unique_id.clone());
            }
            self.push(step);
        }
    }

    pub(super) fn run_and_end(&mut self) {
        let decisions = self.decisions;
        for (unique_id, decision) in &decisions.of {
            if decision.treatment == Treatment::Run && self.late.contains(*unique_id) {
                self.run(Phase::Run, decision);
            }
        }
        for sql in &self.known.desired.on_run_end {
            self.hook(Phase::End, sql, "on-run-end");
        }
    }
}
