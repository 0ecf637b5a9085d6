//! Which nodes stand and fall together.
//!
//! A changed object and all that is rebuilt because of it are a *group*: their names move together or not at all. A node
//! that only waits for another one falls with it, but does not take it along. What goes to another schema goes back when
//! the views that read it there cannot be built.

use std::collections::{BTreeMap, BTreeSet};

use rwt_plan::Plan;
use rwt_plan::plan::{Consequence, Reason};
use rwt_plan::step::{Phase, StepKind};

/// Nodes of a plan, by what happens to them when one of them fails.
#[derive(Debug)]
pub(super) struct Groups {
    /// Node → the other nodes of its group.
    together: BTreeMap<String, BTreeSet<String>>,
    /// Node → nodes that wait for it.
    waiting: BTreeMap<String, BTreeSet<String>>,
}

impl Groups {
    pub(super) fn of(plan: &Plan) -> Self {
        let grouped: BTreeSet<&str> = plan
            .steps
            .iter()
            .filter(|step| {
                step.kind == StepKind::Shadow
                    || matches!(step.phase, Phase::Await | Phase::Swap | Phase::Move)
            })
            .filter_map(|step| step.unique_id.as_deref())
            .collect();
        let moved = plan.objects.iter().flat_map(|object| &object.consequences);
        let grouped: BTreeSet<&str> = moved
            .filter_map(|cost| match cost {
                Consequence::NameMissingSinceMove { moved, .. } => Some(moved),
                _ => None,
            })
            .flatten()
            .map(String::as_str)
            .chain(grouped)
            .collect();
        let by_number: BTreeMap<usize, &str> = plan
            .steps
            .iter()
            .filter_map(|step| Some((step.number, step.unique_id.as_deref()?)))
            .collect();
        let mut edges: BTreeSet<(&str, &str)> = BTreeSet::new();
        for step in &plan.steps {
            let Some(node) = step.unique_id.as_deref() else {
                continue;
            };
            let before = step.waits_for.iter().filter_map(|n| by_number.get(n));
            edges.extend(before.map(|parent| (*parent, node)));
        }
        for object in &plan.objects {
            for reason in &object.reasons {
                let parents = match reason {
                    Reason::Input { unique_ids } => unique_ids.as_slice(),
                    Reason::Target { unique_id } => std::slice::from_ref(unique_id),
                    _ => &[],
                };
                let parents = parents.iter().map(String::as_str);
                edges.extend(parents.map(|parent| (parent, object.unique_id.as_str())));
            }
        }
        let mut groups = Self {
            together: BTreeMap::new(),
            waiting: BTreeMap::new(),
        };
        for (parent, child) in edges {
            if parent == child {
                continue;
            }
            if grouped.contains(parent) && grouped.contains(child) {
                for (a, b) in [(parent, child), (child, parent)] {
                    groups
                        .together
                        .entry(a.to_owned())
                        .or_default()
                        .insert(b.to_owned());
                }
            }
            groups
                .waiting
                .entry(parent.to_owned())
                .or_default()
                .insert(child.to_owned());
        }
        for node in grouped {
            groups.together.entry(node.to_owned()).or_default();
        }
        groups
    }

    /// Whether the node's name moves together with others' or from an object to its shadow.
    pub(super) fn is_grouped(&self, node: &str) -> bool {
        self.together.contains_key(node)
    }

    /// The nodes that wait for one of these, and these.
    pub(super) fn below(&self, nodes: BTreeSet<String>) -> BTreeSet<String> {
        let mut open: Vec<String> = nodes.iter().cloned().collect();
        let mut below = nodes;
        while let Some(next) = open.pop() {
            for other in self.waiting.get(&next).into_iter().flatten() {
                if below.insert(other.clone()) {
                    open.push(other.clone());
                }
            }
        }
        below
    }

    /// The nodes that cannot go on when `node` fails, itself among them.
    pub(super) fn fall_with(&self, node: &str) -> BTreeSet<String> {
        let mut fallen = BTreeSet::from([node.to_owned()]);
        let mut open = vec![node.to_owned()];
        while let Some(next) = open.pop() {
            let with = self.together.get(&next).into_iter().flatten();
            let after = self.waiting.get(&next).into_iter().flatten();
            for other in with.chain(after) {
                if fallen.insert(other.clone()) {
                    open.push(other.clone());
                }
            }
        }
        fallen
    }
}
