//! Taking back what a deployment has built.

use std::sync::Arc;

use rwt_compiler::materialize::DatabaseError;
use rwt_plan::state::Leftover;
use rwt_plan::step::{Effect, Phase};
use rwt_plan::{CatalogSnapshot, Fact, RelationName, Step};
use rwt_sql::Literal;

use super::execute::ExecuteError;
use super::settle::{Settled, leftover, settle};
use super::worker::builds;
use crate::catalog;
use crate::client::{Connection, Connector};
use crate::state::{DeploymentStatus, Event, Journal, ObjectChange, Store, Unfinished};

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
    /// The connection was lost before the end.
    #[error("deployment {deployment} is undone in part only: {error}")]
    #[diagnostic(code(rwt::apply::undo), help("`rwt apply --abort` tries again"))]
    Lost {
        /// The deployment.
        deployment: String,
        /// What became of the connection.
        error: DatabaseError,
    },
    /// Connection or state.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Execute(#[from] ExecuteError),
}

/// Ends a deployment that was interrupted. Where no name has moved it is undone: its shadows are dropped, and what was built
/// on them. One that could not be finished is given up; see [`settle`].
///
/// # Errors
/// See [`AbortError`].
pub fn abort(
    connector: &Connector,
    store: &Arc<Store>,
    unfinished: &Unfinished,
) -> Result<Settled, AbortError> {
    let connection = connector.connect().map_err(ExecuteError::from)?;
    let catalog = catalog::read(&connection).map_err(ExecuteError::from)?;
    let steps = || unfinished.plan.steps.iter();
    let has_moved = steps()
        .filter(|step| (Phase::Swap..Phase::Run).contains(&step.phase))
        .any(|step| took_effect(unfinished, step, &catalog));
    let has_failed = steps()
        .any(|step| unfinished.has(step.number, Event::Failed) && !unfinished.is_done(step.number));
    if has_moved && !has_failed {
        return Err(TooLate(unfinished.plan.deployment.clone()).into());
    }
    settle(connector, store, unfinished, DeploymentStatus::Aborted)
}

/// Forgets a deployment whose plan cannot be read. What bears its mark is recorded as out of use, so that the next plan drops
/// what nothing hangs on. Returns their names.
///
/// # Errors
/// No connection, or the state cannot be written.
pub fn forget(
    connector: &Connector,
    store: &Arc<Store>,
    deployment: &str,
) -> Result<Vec<RelationName>, ExecuteError> {
    let connection = connector.connect()?;
    let catalog = catalog::read(&connection)?;
    let marked = catalog.objects.iter().filter(|(_, object)| {
        let name = &object.relation.name;
        name.rsplit_once("__rwt_").is_some_and(|(_, mark)| {
            mark == deployment || mark.strip_suffix("_old") == Some(deployment)
        })
    });
    let left: Vec<Leftover> = marked
        .map(|(id, object)| leftover(deployment, *id, object))
        .collect();
    let names = left.iter().map(|left| left.relation.clone()).collect();
    let changes: Vec<ObjectChange> = left.into_iter().map(ObjectChange::Leave).collect();
    store.record(&changes)?;
    store.conclude(deployment, DeploymentStatus::Aborted)?;
    Ok(names)
}

/// Whether a step has taken effect, a part of it perhaps.
pub(super) fn took_effect(unfinished: &Unfinished, step: &Step, catalog: &CatalogSnapshot) -> bool {
    let shows = || {
        step.statements.iter().any(
            |statement| matches!(&statement.effect, Effect::Shows(fact) if fact.holds(catalog)),
        )
    };
    let is_otherwise = || {
        let mended = step.mended(true, catalog);
        mended.is_some_and(|mended| mended.step.statements.is_empty())
    };
    unfinished.is_done(step.number)
        || unfinished.has(step.number, Event::Begin) && (shows() || is_otherwise())
}

/// Ends what the server still builds of a deployment: without its client a build goes on.
pub(super) fn cancel_builds(
    connection: &Connection,
    catalog: &CatalogSnapshot,
    unfinished: &Unfinished,
    default_schema: &str,
) {
    let open = unfinished.plan.steps.iter().filter(|step| {
        unfinished.has(step.number, Event::Begin) && !unfinished.is_done(step.number)
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

/// What came of taking steps back.
#[derive(Default)]
pub(super) struct TakenBack<'a> {
    pub(super) undone: Vec<&'a Step>,
    /// Steps whose objects were not there any more.
    pub(super) missing: Vec<&'a Step>,
    pub(super) refused: Vec<(&'a Step, DatabaseError)>,
}

/// Sends what takes these steps back, the last step first, as far as the catalog does not show it already.
pub(super) fn take_back<'a>(
    connection: &Connection,
    journal: &Journal,
    steps: &[&'a Step],
) -> TakenBack<'a> {
    let mut taken = TakenBack::default();
    for step in steps.iter().rev().filter(|step| !step.undo.is_empty()) {
        match take_step_back(connection, step) {
            Ok(was_there) => {
                journal.queue_line(step.number, Event::Undone, "");
                let list = if was_there {
                    &mut taken.undone
                } else {
                    &mut taken.missing
                };
                list.push(step);
            }
            Err(error) => {
                taken.refused.push((step, error));
                if connection.is_closed() {
                    break;
                }
            }
        }
    }
    taken
}

/// Returns whether there was anything to be taken back.
fn take_step_back(connection: &Connection, step: &Step) -> Result<bool, DatabaseError> {
    let mut sent = false;
    for statement in &step.undo {
        let catalog = catalog::read(connection)?;
        let needs_nothing = match &statement.effect {
            Effect::Shows(fact) if fact.holds(&catalog) => true,
            Effect::Shows(Fact::Is { id, .. }) => Fact::Gone { id: *id }.holds(&catalog),
            _ => statement.renames_nothing(&catalog),
        };
        if !needs_nothing {
            connection.run(&statement.sql)?;
            sent = true;
        }
    }
    Ok(sent)
}
