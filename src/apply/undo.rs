//! Taking back what a deployment has built, as long as no name has moved.

use std::collections::BTreeSet;
use std::sync::Arc;

use rwt_compiler::materialize::DatabaseError;
use rwt_plan::step::{Effect, Phase};
use rwt_plan::{CatalogSnapshot, Step};
use rwt_sql::Literal;

use super::execute::ExecuteError;
use super::groups::Groups;
use super::record::changes;
use super::worker::builds;
use crate::catalog;
use crate::client::{Connection, Connector};
use crate::state::{DeploymentStatus, Event, Journal, Store, Unfinished};

/// A deployment cannot be undone any more.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error(
    "deployment {0} cannot be undone: names have moved already, and readers see the new objects"
)]
#[diagnostic(
    code(rwt::apply::too_late),
    help("`rwt apply` finishes it; then change the project back and apply that")
)]
pub struct TooLate(String);

/// Why a deployment was not undone.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum AbortError {
    /// Names have moved.
    #[error(transparent)]
    #[diagnostic(transparent)]
    TooLate(#[from] TooLate),
    /// The server refused to take steps back.
    #[error("deployment {deployment} is undone in part only: {}", errors.join("; "))]
    #[diagnostic(code(rwt::apply::undo), help("`rwt apply --abort` tries again"))]
    Refused {
        /// The deployment.
        deployment: String,
        /// What the server said.
        errors: Vec<String>,
    },
    /// Connection or state.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Execute(#[from] ExecuteError),
}

/// Undoes a deployment that was interrupted: drops its shadows and what was built on them. Objects that are new and
/// complete stay. Returns the purposes of the steps that were taken back.
///
/// # Errors
/// See [`AbortError`].
pub fn abort(
    connector: &Connector,
    store: &Arc<Store>,
    unfinished: &Unfinished,
) -> Result<Vec<String>, AbortError> {
    let plan = &unfinished.plan;
    let connection = connector.connect().map_err(ExecuteError::from)?;
    let catalog = catalog::read(&connection).map_err(ExecuteError::from)?;
    let has_moved = |step: &&Step| {
        let took_effect = || {
            step.statements.iter().any(|statement| {
                matches!(&statement.effect, Effect::Shows(fact) if fact.holds(&catalog))
            })
        };
        unfinished.has(step.number, Event::Done)
            || unfinished.has(step.number, Event::Begin) && took_effect()
    };
    let mut moves = plan
        .steps
        .iter()
        .filter(|step| matches!(step.phase, Phase::Swap | Phase::Move | Phase::Clean));
    if moves.any(|step| has_moved(&step)) {
        return Err(TooLate(plan.deployment.clone()).into());
    }
    cancel_builds(
        &connection,
        &catalog,
        unfinished,
        &connector.target().schema,
    );
    let groups = Groups::of(plan);
    let mut fallen = BTreeSet::new();
    for node in plan.steps.iter().filter_map(|s| s.unique_id.as_deref()) {
        if groups.is_grouped(node) {
            fallen.extend(groups.fall_with(node));
        }
    }
    let steps: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|step| unfinished.has(step.number, Event::Begin))
        .filter(|step| {
            step.unique_id
                .as_ref()
                .is_some_and(|id| fallen.contains(id))
        })
        .collect();
    let journal = Journal::go_on(store, &plan.deployment);
    let errors = take_back(&connection, &journal, &steps);
    if !errors.is_empty() {
        return Err(AbortError::Refused {
            deployment: plan.deployment.clone(),
            errors: errors.iter().map(ToString::to_string).collect(),
        });
    }
    journal.flush().map_err(ExecuteError::from)?;
    // What was complete and has nothing to do with a shadow stays, and is remembered.
    let undone: BTreeSet<usize> = steps.iter().map(|step| step.number).collect();
    let kept: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|step| unfinished.has(step.number, Event::Done) && !undone.contains(&step.number))
        .collect();
    let catalog = catalog::read(&connection).map_err(ExecuteError::from)?;
    store
        .record(&changes(plan, &kept, &catalog))
        .map_err(ExecuteError::from)?;
    store
        .conclude(&plan.deployment, DeploymentStatus::Aborted)
        .map_err(ExecuteError::from)?;
    let undone = steps.iter().filter(|step| !step.undo.is_empty());
    Ok(undone.map(|step| step.purpose.clone()).collect())
}

/// Ends what the server still builds of a deployment: without its client a build goes on.
fn cancel_builds(
    connection: &Connection,
    catalog: &CatalogSnapshot,
    unfinished: &Unfinished,
    default_schema: &str,
) {
    let open = unfinished.plan.steps.iter().filter(|step| {
        unfinished.has(step.number, Event::Begin) && !unfinished.has(step.number, Event::Done)
    });
    let open: Vec<_> = open.filter_map(|step| step.builds.as_ref()).collect();
    for job in &catalog.jobs {
        let is_ours = open.iter().any(|built| {
            let named = catalog.objects.get(&job.id).map(|object| &object.relation);
            named == Some(&built.relation)
                || builds(job, default_schema).as_ref() == Some(&built.relation)
        });
        if is_ours {
            let id = i64::try_from(job.id).unwrap_or(i64::MAX);
            // One that has just ended cannot be cancelled: what it has built is dropped, or stays if it was new.
            let _ = connection.run(&format!("cancel jobs {}", Literal::Int(id)));
        }
    }
}

/// Sends what takes these steps back, the last step first, as far as the catalog does not show it already. Returns what
/// the server refused.
pub(super) fn take_back(
    connection: &Connection,
    journal: &Journal,
    steps: &[&Step],
) -> Vec<DatabaseError> {
    let mut errors = Vec::new();
    for step in steps.iter().rev().filter(|step| !step.undo.is_empty()) {
        let catalog = match catalog::read(connection) {
            Ok(catalog) => catalog,
            Err(error) => {
                errors.push(error);
                return errors;
            }
        };
        let mut refused = None;
        for statement in &step.undo {
            if matches!(&statement.effect, Effect::Shows(fact) if fact.holds(&catalog)) {
                continue;
            }
            if let Err(error) = connection.run(&statement.sql) {
                refused = Some(error);
                break;
            }
        }
        match refused {
            None => journal.queue_line(step.number, Event::Undone, ""),
            Some(error) => errors.push(error),
        }
    }
    errors
}
