//! The end of a deployment that is not finished: what has its name keeps it, the rest is taken back, and what is there is
//! written down, so that the next plan knows it. Objects that somebody else has dropped are named and nothing else: a plan
//! makes them again.

use std::collections::BTreeSet;
use std::sync::Arc;

use rwt_compiler::materialize::DatabaseError;
use rwt_plan::catalog::{CatalogObject, ObjectId};
use rwt_plan::plan::ObjectPlan;
use rwt_plan::state::Leftover;
use rwt_plan::step::{Effect, Phase, StepKind};
use rwt_plan::{CatalogSnapshot, Fact, Kind, Plan, RelationName, Step};
use rwt_sql::Ident;
use serde::Serialize;

use super::execute::ExecuteError;
use super::groups::Groups;
use super::record::{changes, records_of};
use super::undo::{AbortError, TakenBack, cancel_builds, take_back, took_effect};
use crate::catalog;
use crate::client::{Connection, Connector};
use crate::state::{DeploymentStatus, Event, Journal, ObjectChange, Store, Unfinished};

/// What became of a deployment that was not finished.
#[derive(Debug, Default, Serialize)]
pub struct Settled {
    /// Purposes of the steps that were taken back.
    pub undone: Vec<String>,
    /// Relations that are what the deployment wanted.
    pub kept: Vec<String>,
    /// What was not found, because somebody else has dropped it.
    pub missing: Vec<String>,
    /// What could not be taken away, and why.
    pub left: Vec<String>,
    /// Purposes of the steps of kept relations that were not done.
    pub not_done: Vec<String>,
}

/// Ends a deployment as it stands. Nodes whose names have moved keep what they have. Shadows of the others are dropped, with
/// what was built on them; what the server does not let go is recorded as out of use.
///
/// # Errors
/// The connection was lost: it can be tried again. What the server refuses is part of what comes back.
pub fn settle(
    connector: &Connector,
    store: &Arc<Store>,
    unfinished: &Unfinished,
    status: DeploymentStatus,
) -> Result<Settled, AbortError> {
    let connection = connector.connect().map_err(ExecuteError::from)?;
    let catalog = catalog::read(&connection).map_err(ExecuteError::from)?;
    let schema = &connector.target().schema;
    cancel_builds(&connection, &catalog, unfinished, schema);
    let mut settling = Settling {
        connection: &connection,
        unfinished,
        plan: &unfinished.plan,
        groups: Groups::of(&unfinished.plan),
        kept: BTreeSet::new(),
        leftovers: Vec::new(),
        report: Settled::default(),
    };
    let journal = Journal::go_on(store, &unfinished.plan.deployment);
    let undone = settling.run(&journal, catalog).map_err(|error| {
        if connection.is_closed() {
            let deployment = unfinished.plan.deployment.clone();
            AbortError::Lost { deployment, error }
        } else {
            ExecuteError::from(error).into()
        }
    })?;
    journal.flush().map_err(ExecuteError::from)?;
    let changes = settling.changes(&undone).map_err(ExecuteError::from)?;
    store.record(&changes).map_err(ExecuteError::from)?;
    store
        .conclude(&unfinished.plan.deployment, status)
        .map_err(ExecuteError::from)?;
    Ok(settling.report)
}

/// An object as one that is out of use.
pub(super) fn leftover(deployment: &str, id: ObjectId, object: &CatalogObject) -> Leftover {
    Leftover {
        object_id: id,
        relation: object.relation.clone(),
        kind: object.kind,
        deployment: deployment.to_owned(),
        keep: false,
    }
}

struct Settling<'a> {
    connection: &'a Connection,
    unfinished: &'a Unfinished,
    plan: &'a Plan,
    groups: Groups,
    /// Nodes that have what the plan wants for them.
    kept: BTreeSet<String>,
    leftovers: Vec<Leftover>,
    report: Settled,
}

impl<'a> Settling<'a> {
    /// Returns the steps that were taken back.
    fn run(
        &mut self,
        journal: &Journal,
        catalog: CatalogSnapshot,
    ) -> Result<Vec<&'a Step>, DatabaseError> {
        self.kept = self.standing(&catalog);
        self.name_indexes()?;
        let steps = self.to_be_undone();
        let TakenBack {
            undone,
            missing,
            refused,
        } = take_back(self.connection, journal, &steps);
        if let Some((_, error)) = refused.iter().find(|_| self.connection.is_closed()) {
            return Err(error.clone());
        }
        self.report.undone = undone.iter().map(|step| step.purpose.clone()).collect();
        let built = missing
            .iter()
            .filter(|step| self.unfinished.is_done(step.number));
        let gone: Vec<String> = built.map(|step| step.purpose.clone()).collect();
        self.report.missing.extend(gone);
        for (step, error) in &refused {
            let left = format!("{}: {error}", step.purpose);
            self.report.left.push(left);
        }
        self.clear_shadows()?;
        self.tell_what_is_missing()?;
        self.tell_what_was_not_done();
        Ok(undone.into_iter().chain(missing).collect())
    }

    fn steps(&self) -> impl Iterator<Item = (&'a str, &'a Step)> {
        let steps = self.plan.steps.iter();
        steps.filter_map(|step| Some((step.unique_id.as_deref()?, step)))
    }

    fn object(&self, node: &str) -> Option<&'a ObjectPlan> {
        let mut objects = self.plan.objects.iter();
        objects.find(|object| object.unique_id == node)
    }

    fn read(&self) -> Result<CatalogSnapshot, DatabaseError> {
        catalog::read(self.connection)
    }

    /// Nodes whose new object has its name. What has gone to another schema stays there when a view was made for it there.
    fn standing(&self, catalog: &CatalogSnapshot) -> BTreeSet<String> {
        let gives_name = |step: &Step| {
            matches!(step.phase, Phase::Swap | Phase::Move)
                && matches!(
                    step.kind,
                    StepKind::Swap | StepKind::Rename | StepKind::Create | StepKind::Replace
                )
        };
        let mut standing: BTreeSet<String> = (self.steps())
            .filter(|(_, step)| gives_name(step) && took_effect(self.unfinished, step, catalog))
            .map(|(node, _)| node.to_owned())
            .collect();
        let moved = self.steps().filter(|(_, step)| {
            step.phase == Phase::Prepare && self.unfinished.has(step.number, Event::Begin)
        });
        let with_standing: Vec<String> = moved
            .filter(|(node, _)| !self.groups.fall_with(node).is_disjoint(&standing))
            .map(|(node, _)| node.to_owned())
            .collect();
        standing.extend(with_standing);
        standing
    }

    /// Indexes of what has its name get theirs.
    fn name_indexes(&mut self) -> Result<(), DatabaseError> {
        let open: Vec<&Step> = (self.steps())
            .filter(|(node, step)| self.kept.contains(*node) && is_naming_of_indexes(step))
            .map(|(_, step)| step)
            .filter(|step| !self.unfinished.is_done(step.number))
            .collect();
        for statement in open.into_iter().flat_map(|step| &step.statements) {
            let catalog = self.read()?;
            let shows = matches!(&statement.effect, Effect::Shows(fact) if fact.holds(&catalog));
            if !shows && !statement.renames_nothing(&catalog) {
                self.try_to(&statement.sql)?;
            }
        }
        Ok(())
    }

    /// Sends a statement. That the server refuses it is noted.
    fn try_to(&mut self, sql: &str) -> Result<bool, DatabaseError> {
        match self.connection.run(sql) {
            Ok(_) => Ok(true),
            Err(error) if self.connection.is_closed() => Err(error),
            Err(error) => {
                self.report.left.push(error.to_string());
                Ok(false)
            }
        }
    }

    /// The steps of nodes whose names have not moved, and of those that were built on them.
    fn to_be_undone(&self) -> Vec<&'a Step> {
        let open: BTreeSet<String> = (self.steps())
            .map(|(node, _)| node.to_owned())
            .filter(|node| self.groups.is_grouped(node) && !self.kept.contains(node))
            .collect();
        let open = self.groups.below(open);
        self.steps()
            .filter(|(node, _)| open.contains(*node) && !self.kept.contains(*node))
            .map(|(_, step)| step)
            .filter(|step| self.unfinished.has(step.number, Event::Begin))
            .collect()
    }

    /// Shadows that are still there take their names where those are free; else they are dropped, or are out of use.
    fn clear_shadows(&mut self) -> Result<(), DatabaseError> {
        let begun = (self.steps()).filter(|(_, step)| {
            step.kind == StepKind::Shadow && self.unfinished.has(step.number, Event::Begin)
        });
        for (node, step) in begun.collect::<Vec<_>>() {
            let (Some(object), Some((shadow, kind))) = (self.object(node), built(step)) else {
                continue;
            };
            let catalog = self.read()?;
            let Some((id, found)) = catalog.find(shadow, kind) else {
                continue;
            };
            // After a swap the old object has the shadow's name.
            if object.object_id == Some(id) {
                continue;
            }
            let is_free = |relation: &RelationName| {
                let relation = relation.clone();
                Fact::Absent { relation, kind }.holds(&catalog)
            };
            let takes_name = !found.creating && kind.is_renamable() && is_free(&object.relation);
            let name = Ident::new(&object.relation.name);
            if takes_name
                && self.try_to(&format!("alter {} {shadow} rename to {name}", kind.sql()))?
            {
                self.kept.insert(node.to_owned());
            } else if !self.try_to(&format!("drop {} if exists {shadow}", kind.sql()))? {
                let left = leftover(&self.plan.deployment, id, found);
                self.leftovers.push(left);
            } else {
                self.report.undone.push(step.purpose.clone());
            }
        }
        Ok(())
    }

    /// Objects of the plan that were there before it and are not there any more under any name.
    fn tell_what_is_missing(&mut self) -> Result<(), DatabaseError> {
        let catalog = self.read()?;
        for object in &self.plan.objects {
            let is_gone = |id| Fact::Gone { id }.holds(&catalog);
            let has_none = catalog.find(&object.relation, object.kind).is_none();
            if object.object_id.is_some_and(is_gone) && has_none {
                let name = object.relation.to_string();
                self.report.missing.push(name);
            }
        }
        let kept = self.kept.iter().filter_map(|node| self.object(node));
        self.report.kept = kept.map(|object| object.relation.to_string()).collect();
        Ok(())
    }

    fn tell_what_was_not_done(&mut self) {
        let open = self.steps().filter(|(node, step)| {
            self.kept.contains(*node)
                && step.phase >= Phase::Swap
                && !matches!(step.kind, StepKind::Swap | StepKind::Drop)
                && !is_naming_of_indexes(step)
                && !self.unfinished.is_done(step.number)
        });
        let open: Vec<String> = open.map(|(_, step)| step.purpose.clone()).collect();
        self.report.not_done = open;
    }

    /// What is to be remembered.
    fn changes(&mut self, undone: &[&Step]) -> Result<Vec<ObjectChange>, DatabaseError> {
        let catalog = self.read()?;
        let is_whole = |step: &Step| {
            let shows =
                |effect: &Effect| matches!(effect, Effect::Shows(fact) if fact.holds(&catalog));
            self.unfinished.is_done(step.number)
                || self.unfinished.has(step.number, Event::Begin)
                    && !step.statements.is_empty()
                    && step
                        .statements
                        .iter()
                        .all(|statement| shows(&statement.effect))
        };
        let is_undone = |step: &Step| undone.iter().any(|other| other.number == step.number);
        let is_kept = |node: &str| self.kept.contains(node);
        let done: Vec<&Step> = (self.plan.steps.iter())
            .filter(|step| is_whole(step) && !is_undone(step))
            .collect();
        let mut changes = changes(self.plan, &done, &catalog);
        // Whoever has its name is what the plan says, whatever else was left out; and so is its old object.
        let of_kept = self.steps().filter(|(node, step)| {
            is_kept(node) && done.iter().all(|done| done.number != step.number)
        });
        for (_, step) in of_kept {
            changes.extend(step.forgets.iter().cloned().map(ObjectChange::Forget));
            changes.extend(step.leaves.iter().cloned().map(ObjectChange::Leave));
        }
        let kept = self.kept.iter().map(String::as_str);
        changes.extend(records_of(self.plan, kept, &catalog));
        changes.extend(self.leftovers.drain(..).map(ObjectChange::Leave));
        let is_there = |leftover: &Leftover| catalog.objects.contains_key(&leftover.object_id);
        changes.retain(|change| match change {
            ObjectChange::Leave(leftover) => is_there(leftover),
            _ => true,
        });
        Ok(changes)
    }
}

fn is_naming_of_indexes(step: &Step) -> bool {
    step.phase == Phase::Swap && step.kind == StepKind::Rename
}

/// What a step builds: its name and kind.
fn built(step: &Step) -> Option<(&RelationName, Kind)> {
    step.statements
        .iter()
        .find_map(|statement| match &statement.effect {
            Effect::Shows(Fact::Exists { relation, kind }) => Some((relation, *kind)),
            _ => None,
        })
}
