//! From decisions to ordered steps, a phase per file.

mod build;
mod clean;
mod moves;
mod prepare;
mod swap;

use std::collections::{BTreeMap, BTreeSet};

use super::clean::{Cleaning, shadow_name};
use super::decide::Decisions;
use super::decision::{Cutover, Decision, Treatment};
use super::known::Known;
use super::statements::about;
use crate::name::RelationName;
use crate::step::{Phase, Step, StepKind};

/// All steps of the decisions, in the order of their phases.
pub(crate) fn steps(
    known: &Known<'_>,
    decisions: &Decisions<'_>,
    cleaning: &Cleaning,
    deployment: &str,
) -> Vec<Step> {
    let mut steps = Steps {
        known,
        decisions,
        cleaning,
        deployment,
        shadows: shadows(decisions, deployment),
        late: late(decisions),
        last: BTreeMap::new(),
        list: Vec::new(),
    };
    steps.prepare();
    steps.build();
    steps.await_backfills();
    steps.swap();
    steps.moves();
    steps.clean();
    steps.run_and_end();
    steps.list
}

struct Steps<'s, 'a> {
    known: &'s Known<'a>,
    decisions: &'s Decisions<'a>,
    cleaning: &'s Cleaning,
    deployment: &'s str,
    /// The names that rebuilt objects have until the names are swapped.
    shadows: BTreeMap<RelationName, RelationName>,
    /// Nodes that can only be created or run when names have been swapped.
    late: BTreeSet<String>,
    /// The last step of each node so far.
    last: BTreeMap<String, usize>,
    list: Vec<Step>,
}

/// The names of shadows, by the names that they are to have.
fn shadows(decisions: &Decisions<'_>, deployment: &str) -> BTreeMap<RelationName, RelationName> {
    let shadowed = decisions.of.values().filter(|decision| {
        matches!(
            decision.treatment,
            Treatment::Shadow(Cutover::Swap | Cutover::Renames)
        )
    });
    shadowed
        .map(|decision| {
            let relation = &decision.object.relation;
            (relation.clone(), shadow_name(relation, deployment))
        })
        .collect()
}

/// What must not begin before names are swapped: new objects below a rebuild in place; new sinks and subscriptions
/// below any rebuild, for what they have emitted cannot be taken back; macros that read by name.
fn late(decisions: &Decisions<'_>) -> BTreeSet<String> {
    let mut late = BTreeSet::new();
    let mut in_place: BTreeSet<&str> = BTreeSet::new();
    let mut moved: BTreeSet<&str> = BTreeSet::new();
    for (unique_id, decision) in &decisions.of {
        let object = decision.object;
        let above =
            |set: &BTreeSet<&str>| object.depends_on.iter().any(|id| set.contains(id.as_str()));
        let emits = matches!(
            object.kind,
            crate::name::Kind::Sink | crate::name::Kind::Subscription
        );
        let begins = match decision.treatment {
            Treatment::Create => above(&in_place) || (emits && above(&moved)),
            Treatment::Run => above(&moved),
            _ => false,
        };
        if begins {
            late.insert((*unique_id).to_owned());
        }
        if decision.treatment == Treatment::InPlace || (begins && above(&in_place)) {
            in_place.insert(unique_id);
        }
        if decision.is_rebuilt() || above(&moved) {
            moved.insert(unique_id);
        }
    }
    late
}

impl<'a> Steps<'_, 'a> {
    /// An empty step; it waits for the last one of its node.
    fn step(
        &self,
        phase: Phase,
        kind: StepKind,
        decision: Option<&Decision<'_>>,
        purpose: String,
    ) -> Step {
        let unique_id = decision.map(|decision| decision.object.unique_id.clone());
        let waits_for = unique_id
            .as_ref()
            .and_then(|id| self.last.get(id))
            .copied()
            .into_iter()
            .collect();
        Step {
            number: self.list.len() + 1,
            phase,
            kind,
            unique_id,
            purpose,
            requires: Vec::new(),
            before: Vec::new(),
            statements: Vec::new(),
            after: Vec::new(),
            builds: None,
            undo: Vec::new(),
            waits_for,
            completes: Vec::new(),
            forgets: Vec::new(),
            leaves: Vec::new(),
        }
    }

    fn push(&mut self, step: Step) {
        if let Some(unique_id) = &step.unique_id {
            self.last.insert(unique_id.clone(), step.number);
        }
        self.list.push(step);
    }

    /// The state of the node is recorded when its last step so far has ended.
    fn complete(&mut self, decision: &Decision<'_>) {
        let unique_id = decision.object.unique_id.clone();
        let Some(number) = self.last.get(&unique_id) else {
            return;
        };
        if let Some(step) = self.list.get_mut(number - 1) {
            step.completes.push(unique_id.clone());
            if let Some(old) = self.decisions.renamed.get(&unique_id) {
                step.forgets.push((*old).to_owned());
            }
        }
    }

    /// Steps of the nodes that it depends on.
    fn above(&self, decision: &Decision<'_>) -> Vec<usize> {
        let ids = decision.object.depends_on.iter();
        ids.filter_map(|id| self.last.get(id)).copied().collect()
    }

    /// A statement about an object under the name that it is built with, reading shadows where there are some.
    fn built(&self, sql: &str, relation: &RelationName, built_as: &RelationName) -> String {
        let reads = |name: &RelationName| self.shadows.get(name).cloned();
        about(
            sql,
            &self.known.desired.schema,
            (relation, built_as),
            &reads,
        )
    }
}
