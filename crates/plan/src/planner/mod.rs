//! [`plan`]: how each object stands ([`compare`]), what is to be done with it ([`decide`]), what may not be done and what
//! goes with it ([`block`]), what is dropped ([`clean`]), and the steps ([`steps`]).

mod adopt;
mod anew;
mod base;
mod block;
mod clean;
mod columns;
mod compare;
mod decide;
mod decision;
mod in_place;
mod known;
mod mend;
mod run;
mod sinks;
mod statements;
mod steps;
mod views;

use std::collections::BTreeSet;

use miette::Diagnostic;
use thiserror::Error;

pub use self::adopt::same_definition;
use self::compare::Standing;
use self::decide::Decisions;
use self::decision::{Decision, Treatment};
use self::known::Known;
pub use self::mend::Mended;
use crate::catalog::CatalogSnapshot;
use crate::desired::Desired;
use crate::diff::diff;
use crate::plan::{Action, Adopt, ObjectPlan, Options, PLAN_FORMAT, Plan, Reason, Record};
use crate::state::{Definition, StateError, StateSnapshot};

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum PlanError {
    /// The state is not for this rwt.
    #[error(transparent)]
    #[diagnostic(transparent)]
    State(#[from] StateError),
    /// The deployment's id would not do in names.
    #[error("`{id}` cannot be a deployment's id")]
    #[diagnostic(
        code(rwt::plan::deployment),
        help("an id has 1 to 16 letters a to z and digits; it becomes part of names")
    )]
    Deployment {
        /// The id.
        id: String,
    },
}

/// Compares what the project wants with what rwt remembers and with what is there. `selection` holds the unique ids
/// that may be begun with; what reads them and is not among them stays on the old objects.
///
/// # Errors
/// The state is a newer rwt's, or the deployment's id would not do.
pub fn plan(
    desired: &Desired,
    selection: &BTreeSet<String>,
    state: &StateSnapshot,
    catalog: &CatalogSnapshot,
    options: &Options,
) -> Result<Plan, PlanError> {
    state.check()?;
    let base = base::base(desired, state, catalog);
    let deployment = match &options.deployment {
        Some(id) if is_deployment(id) => id.clone(),
        Some(id) => return Err(PlanError::Deployment { id: id.clone() }),
        None => base::deployment(&base, desired, selection),
    };
    let known = Known::new(desired, state, catalog, options);
    let mut decisions = decide::decide(&known, selection);
    views::follow_moves(&known, &mut decisions);
    block::block(&known, &mut decisions);
    let (cleaning, removed) = clean::clean(&known, &mut decisions, selection, &deployment);
    let steps = steps::steps(&known, &decisions, &cleaning, &deployment);
    let mut objects: Vec<ObjectPlan> = decisions
        .of
        .values()
        .filter(|decision| !decision.outside)
        .map(|decision| object_plan(&known, &decisions, decision))
        .collect();
    objects.extend(removed);
    let mut plan = Plan {
        format: PLAN_FORMAT,
        project: desired.project.clone(),
        target: desired.target.clone(),
        database: desired.database.clone(),
        deployment,
        base,
        server: catalog.server.version,
        objects,
        leftovers: cleaning.leftovers,
        advice: Vec::new(),
        steps,
    };
    plan.advice = crate::advice::of_plan(&plan, desired);
    Ok(plan)
}

fn is_deployment(id: &str) -> bool {
    (1..=16).contains(&id.len())
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn object_plan(
    known: &Known<'_>,
    decisions: &Decisions<'_>,
    decision: &Decision<'_>,
) -> ObjectPlan {
    let object = decision.object;
    let shown = shown(decision);
    let text = match &decision.standing {
        // Only names that others have now.
        Standing::There(_) if decision.action == Action::Unchanged && decision.notes.is_empty() => {
            String::new()
        }
        Standing::There(there) => diff(&there.state.definition, &decision.definition),
        Standing::Unknown { .. }
            if decision
                .reasons
                .contains(&Reason::Unknown { same: Some(true) }) =>
        {
            String::new()
        }
        Standing::Unknown { .. } => diff(&shown, &decision.definition),
        Standing::Missing { .. } => String::new(),
    };
    let mut consequences = decision.consequences.clone();
    consequences.sort();
    consequences.dedup();
    ObjectPlan {
        unique_id: object.unique_id.clone(),
        name: object.name.clone(),
        relation: object.relation.clone(),
        kind: object.kind,
        action: decision.action,
        reasons: decision.reasons.clone(),
        consequences,
        blocked: decision.blocked.clone(),
        drift: match &decision.standing {
            Standing::There(there) => there.drift.clone(),
            _ => Vec::new(),
        },
        diff: text,
        notes: decision.notes.clone(),
        object_id: decision.id(),
        record: record(known, decisions, decision, shown),
    }
}

/// The definition of an object that the state does not know, as the server shows it.
fn shown(decision: &Decision<'_>) -> Definition {
    let Standing::Unknown { object, .. } = &decision.standing else {
        return Definition::default();
    };
    Definition {
        create: rwt_sql::redact(object.definition.as_deref().unwrap_or_default()),
        ..Definition::default()
    }
}

/// What is to be remembered; none where it is remembered already, or is not to be.
fn record(
    known: &Known<'_>,
    decisions: &Decisions<'_>,
    decision: &Decision<'_>,
    shown: Definition,
) -> Option<Record> {
    if decision.blocked.is_some() {
        return None;
    }
    let object = decision.object;
    let mut record = Record {
        relation: object.relation.clone(),
        kind: object.kind,
        fingerprint: object.fingerprint.clone(),
        definition: decision.definition.clone(),
    };
    match &decision.standing {
        Standing::Unknown { .. } => {
            let same = decision
                .reasons
                .contains(&Reason::Unknown { same: Some(true) });
            match known.options.adopt {
                Adopt::No => return None,
                Adopt::Compare if !same => {
                    // A hash that no statement has: the next plan shows the difference.
                    record.fingerprint.create =
                        format!("adopted {}", crate::desired::hash([shown.create.as_str()]));
                    record.definition = shown;
                }
                Adopt::Compare | Adopt::All => {}
            }
        }
        Standing::There(there) => {
            if decision.keeps_old {
                record.fingerprint = there.state.fingerprint.clone();
                record
                    .definition
                    .create
                    .clone_from(&there.state.definition.create);
            }
            if decision.keeps_indexes {
                record
                    .definition
                    .indexes
                    .clone_from(&there.state.definition.indexes);
            }
            for name in &decision.used_indexes {
                if let Some(old) = there.state.definition.indexes.get(name) {
                    let indexes = &mut record.definition.indexes;
                    indexes.insert(name.clone(), old.clone());
                }
            }
            let renamed = decisions.renamed.contains_key(&object.unique_id);
            let pending = !matches!(decision.treatment, Treatment::Nothing);
            let same = there.state.relation == record.relation
                && there.state.fingerprint == record.fingerprint
                && there.state.definition == record.definition;
            if decision.action == Action::Drifted || (same && !renamed && !pending) {
                return None;
            }
        }
        Standing::Missing { .. } => {}
    }
    Some(record)
}
