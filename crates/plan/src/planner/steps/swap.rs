//! Names move to the shadows, parents first.

use super::Steps;
use crate::planner::clean::{old_name, shadow_name};
use crate::planner::compare::Standing;
use crate::planner::decision::{Cutover, Decision, Treatment};
use crate::planner::statements::{exists, is, rename_index, rename_to, shows, swap};
use crate::step::{Phase, StepKind};

impl Steps<'_, '_> {
    pub(super) fn swap(&mut self) {
        let decisions = self.decisions;
        for decision in decisions.of.values() {
            let Treatment::Shadow(cutover) = decision.treatment else {
                continue;
            };
            let Standing::There(there) = &decision.standing else {
                continue;
            };
            match cutover {
                Cutover::Swap => self.swap_names(decision, there.id),
                Cutover::Renames => self.rename_both(decision, there.id, there.object.kind),
                Cutover::NewName => self.take_out_of_use(decision),
            }
            self.rename_indexes(decision, there.id);
            self.complete_again(decision);
        }
    }

    fn swap_names(&mut self, decision: &Decision<'_>, old: u64) {
        let object = decision.object;
        let shadow = shadow_name(&object.relation, self.deployment);
        let purpose = format!("give the new {} its name", object.relation);
        let mut step = self.step(Phase::Swap, StepKind::Swap, Some(decision), purpose);
        step.requires = vec![
            is(&object.relation, object.kind, old),
            exists(&shadow, object.kind),
        ];
        step.statements.push(shows(
            swap(&object.relation, object.kind, &shadow),
            is(&shadow, object.kind, old),
        ));
        step.leaves
            .extend(self.cleaning.leaves.get(&object.unique_id).cloned());
        self.push(step);
    }

    /// Objects of different kinds cannot be swapped; between the two statements the name is missing.
    fn rename_both(&mut self, decision: &Decision<'_>, old: u64, was: crate::name::Kind) {
        let object = decision.object;
        let shadow = shadow_name(&object.relation, self.deployment);
        let aside = old_name(decision, &object.relation, self.deployment);
        let purpose = format!("give the new {} its name", object.relation);
        let mut step = self.step(Phase::Swap, StepKind::Swap, Some(decision), purpose);
        step.requires = vec![is(&object.relation, was, old), exists(&shadow, object.kind)];
        step.statements.push(shows(
            rename_to(&object.relation, was, &aside),
            is(&aside, was, old),
        ));
        step.statements.push(shows(
            rename_to(&shadow, object.kind, &object.relation),
            exists(&object.relation, object.kind),
        ));
        step.leaves
            .extend(self.cleaning.leaves.get(&object.unique_id).cloned());
        self.push(step);
    }

    /// The new object has its name already; from here on the old one is no longer in use.
    fn take_out_of_use(&mut self, decision: &Decision<'_>) {
        let object = decision.object;
        let purpose = format!("{} takes the place of the old object", object.relation);
        let mut step = self.step(Phase::Swap, StepKind::Swap, Some(decision), purpose);
        step.requires = vec![exists(&object.relation, object.kind)];
        step.leaves
            .extend(self.cleaning.leaves.get(&object.unique_id).cloned());
        self.push(step);
    }

    /// Indexes of the old object give up their names, those of the new one take them.
    fn rename_indexes(&mut self, decision: &Decision<'_>, old: u64) {
        let object = decision.object;
        let schema = &object.relation.schema;
        let there = self.known.indexes(old);
        let mut names: Vec<String> = object.indexes.keys().cloned().collect();
        names.extend(
            self.indexes_by_hand(decision)
                .into_iter()
                .map(|(name, _)| name),
        );
        let new_name = decision.treatment == Treatment::Shadow(Cutover::NewName);
        let mut statements = Vec::new();
        for name in names {
            let relation = object.relation.sibling(&name);
            let shadow = shadow_name(&relation, self.deployment).name;
            let taken = there.contains(name.as_str());
            if new_name && !taken {
                continue;
            }
            if taken {
                statements.push(rename_index(schema, &name, &format!("{shadow}_old")));
            }
            statements.push(rename_index(schema, &shadow, &name));
        }
        if statements.is_empty() {
            return;
        }
        let purpose = format!("give the indexes of {} their names", object.relation);
        let mut step = self.step(Phase::Swap, StepKind::Rename, Some(decision), purpose);
        step.statements = statements;
        self.push(step);
    }

    /// What was complete with its creation is complete with its last name.
    fn complete_again(&mut self, decision: &Decision<'_>) {
        let unique_id = &decision.object.unique_id;
        for step in &mut self.list {
            step.completes.retain(|id| id != unique_id);
            if step.unique_id.as_ref() == Some(unique_id) {
                step.forgets.clear();
            }
        }
        self.complete(decision);
    }
}
