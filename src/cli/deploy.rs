//! From a project and a database to a plan, and from a plan to a changed database: what `plan`, `apply`, `run`, `retry`
//! and `adopt` share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rwt_compiler::{CompileErrors, CompiledNode};
use rwt_plan::catalog::CatalogSnapshot;
use rwt_plan::plan::{Action, Adopt, ObjectPlan, Reason};
use rwt_plan::step::{Phase, StepKind};
use rwt_plan::{Desired, Options, Plan, Step};
use rwt_project::manifest::UniqueId;

use super::answers::{Answered, with_descendants};
use super::context::{Context, DatabaseFailure, not_compiled};
use super::node_lines::{NodeLines, Numbers};
use super::{Failure, topic_check};
use crate::apply::{self, NodeReport, Outcome, RunOptions, RunReport, Scope, Status};
use crate::catalog;
use crate::client::{Connection, Connector};
use crate::state::{Deployment, DeploymentStatus, Journal, Lock, ObjectChange, Store, Unfinished};
use crate::ui::Printer;

/// The database of a context's target, and what the project wants there.
pub(super) struct Deployer<'a> {
    pub context: &'a Context,
    pub connector: Connector,
    pub store: Arc<Store>,
    connection: Connection,
    desired: Desired,
    answered: Answered,
    selected: BTreeSet<UniqueId>,
    errors: Errors,
}

/// What a command does about selected nodes that cannot be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errors {
    /// It does nothing at all.
    Refused,
    /// It leaves them out, with what hangs on them, and reports them, as dbt does.
    Reported,
}

/// A plan, and the catalog that it was made from.
pub(super) struct Planned {
    pub plan: Plan,
    pub catalog: CatalogSnapshot,
}

impl Planned {
    /// Without the steps of the project's hooks, which are sent before and after.
    pub(super) fn without_hooks(mut self) -> Self {
        let is_hook = |step: &Step| {
            step.kind == StepKind::Hook && matches!(step.phase, Phase::Start | Phase::End)
        };
        self.plan.steps.retain(|step| !is_hook(step));
        self
    }

    /// Whether another plan sends the same statements.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        fn sent(planned: &Planned) -> impl Iterator<Item = &str> {
            planned.plan.steps.iter().flat_map(Step::sql)
        }
        sent(self).eq(sent(other))
    }
}

/// How to carry plans out.
#[derive(Clone, Copy)]
pub(super) struct Manner<'a> {
    /// The command, for the list of deployments.
    pub command: &'a str,
    pub threads: usize,
    pub fail_fast: bool,
    /// Wait for another rwt, instead of giving up.
    pub wait: bool,
    /// The numbers of the command's lines; none for those of the deployment alone.
    pub numbers: Option<&'a Numbers>,
}

/// The database is not what the plan was made for.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("the database has moved since the plan was made, so it is not applied")]
#[diagnostic(
    code(rwt::apply::stale_plan),
    help("`rwt plan --out` makes a new one; look at it before it is applied")
)]
pub(super) struct StalePlan;

impl<'a> Deployer<'a> {
    /// For a command that is about the selected nodes.
    pub(super) fn open(
        context: &'a Context,
        selected: &BTreeSet<UniqueId>,
        errors: Errors,
    ) -> Result<Self, Failure> {
        let deployer = Self::open_after(context, selected, None, errors)?;
        deployer.refuse_errors()?;
        Ok(deployer)
    }

    fn refuse_errors(&self) -> Result<(), Failure> {
        let failed = self.answered.failed_of(&self.selected);
        let failed: Vec<_> = failed.map(|(_, error)| error.clone()).collect();
        if self.errors == Errors::Reported || failed.is_empty() {
            Ok(())
        } else {
            Err(not_compiled(CompileErrors(failed)))
        }
    }

    fn open_after(
        context: &'a Context,
        selected: &BTreeSet<UniqueId>,
        before: Option<&BTreeSet<UniqueId>>,
        errors: Errors,
    ) -> Result<Self, Failure> {
        let connector = context.connector();
        let connection = connector.connect()?;
        let store = Arc::new(Store::open(&connector, context.compiler.project().name())?);
        let answered = Answered::ask(context, &connector, selected, before)?;
        let desired =
            Desired::collect(&context.compiler, &answered.compiled).map_err(not_compiled)?;
        Ok(Self {
            context,
            connector,
            store,
            connection,
            desired,
            answered,
            selected: selected.clone(),
            errors,
        })
    }

    /// After a deployment: the nodes that could not be planned before it, or whose text asks the database and is another
    /// one now, and the database as it is now. None if all is done.
    pub(super) fn again(&self) -> Result<Option<(Self, BTreeSet<UniqueId>)>, Failure> {
        if !self.answered.asks() {
            return Ok(None);
        }
        let waited = &self.answered.waiting;
        let mut next = Self::open_after(self.context, &self.selected, Some(waited), self.errors)?;
        next.refuse_errors()?;
        // What was reported once is not tried again.
        let failed = self.answered.failed.iter();
        (next.answered.failed).extend(failed.map(|(id, error)| (id.clone(), error.clone())));
        let mut open = next.answered.changed_since(&self.answered, self.context);
        open.extend(waited.iter().cloned());
        let left_out = next.left_out();
        open.retain(|id| self.selected.contains(id) && !left_out.contains(id));
        Ok((!open.is_empty()).then_some((next, open)))
    }

    /// The database as it is now, for some of the nodes; none where no text asks for it.
    pub(super) fn anew(&self, selected: &BTreeSet<UniqueId>) -> Result<Option<Self>, Failure> {
        self.answered
            .asks()
            .then(|| Self::open(self.context, selected, self.errors))
            .transpose()
    }

    /// The reports of nodes that waited in vain.
    pub(super) fn left_waiting(&self) -> Vec<NodeReport> {
        let nodes = &self.context.compiler.manifest().nodes;
        let waiting = self.waiting().iter().filter_map(|id| nodes.get(id));
        waiting
            .map(|node| NodeReport::left_out(node, "what it reads was not built"))
            .collect()
    }

    /// The reports of what cannot be compiled, and of what hangs on it.
    pub(super) fn not_compiled(&self) -> Vec<NodeReport> {
        let nodes = &self.context.compiler.manifest().nodes;
        let mut reports = Vec::new();
        let mut skipped = BTreeMap::new();
        for (id, error) in self.answered.failed_of(&self.selected) {
            let Some(node) = nodes.get(id) else { continue };
            let mut children = with_descendants(self.context, std::iter::once(id));
            children.retain(|child| {
                self.selected.contains(child) && !self.answered.failed.contains_key(child)
            });
            let names = children.iter().filter_map(|id| nodes.get(id));
            let skipped_children = names.map(|node| node.name.clone()).collect();
            reports.push(NodeReport::not_compiled(
                node,
                error.clone(),
                skipped_children,
            ));
            for child in children {
                skipped.entry(child).or_insert(&node.name);
            }
        }
        for (id, parent) in skipped {
            if let Some(node) = nodes.get(&id) {
                let why = format!("{parent} cannot be compiled");
                reports.push(NodeReport::left_out(node, &why));
            }
        }
        reports
    }

    /// Selected nodes that are not planned: they wait, or cannot be compiled, or hang on such a one.
    fn left_out(&self) -> BTreeSet<UniqueId> {
        let failed = self.answered.failed_of(&self.selected).map(|(id, _)| id);
        let mut left_out = with_descendants(self.context, failed);
        left_out.extend(self.waiting().iter().cloned());
        left_out
    }

    /// Selected nodes that cannot be planned before others are there.
    pub(super) fn waiting(&self) -> &BTreeSet<UniqueId> {
        &self.answered.waiting
    }

    /// The nodes as they are compiled on the database.
    pub(super) fn compiled(&self) -> &[CompiledNode] {
        &self.answered.compiled
    }

    /// Names what waits.
    pub(super) fn tell_what_waits(&self, printer: &Printer) {
        let nodes = &self.context.compiler.manifest().nodes;
        let names: Vec<&str> = (self.waiting().iter())
            .filter_map(|id| nodes.get(id))
            .map(|node| node.name.as_str())
            .collect();
        if names.is_empty() {
            return;
        }
        printer.note(format!(
            "\nNot planned yet: {}\n  What they are depends on what the database answers when the models that they read are there. `rwt run` goes on with\n  them by itself; another `rwt plan` shows them then.",
            names.join(", ")
        ));
    }

    /// Options as the project's variables have them.
    pub(super) fn options(&self) -> Options {
        let vars = &self.context.compiler.project().vars;
        let truth = |name: &str| {
            vars.get(name).and_then(|value| match value {
                serde_json::Value::Bool(truth) => Some(*truth),
                serde_json::Value::String(text) => text.trim().to_lowercase().parse().ok(),
                _ => None,
            })
        };
        Options {
            zero_downtime: truth("zero_downtime"),
            ..Options::default()
        }
    }

    /// Compares: six queries for the catalog, three for the state.
    pub(super) fn plan(
        &self,
        selected: &BTreeSet<UniqueId>,
        options: &Options,
    ) -> Result<Planned, Failure> {
        let state = self
            .store
            .snapshot()
            .map_err(DatabaseFailure::new("the state cannot be read"))?;
        // A newer rwt's state is refused before anything else is looked at.
        state.check()?;
        let catalog = self.catalog()?;
        let selection = selected
            .difference(&self.left_out())
            .map(|id| id.0.clone())
            .collect();
        let plan = rwt_plan::plan(&self.desired, &selection, &state, &catalog, options)?;
        Ok(Planned { plan, catalog })
    }

    pub(super) fn catalog(&self) -> Result<CatalogSnapshot, Failure> {
        Ok(catalog::read(&self.connection)
            .map_err(DatabaseFailure::new("the catalog cannot be read"))?)
    }

    /// Whether state and catalog are still what a plan rests on.
    ///
    /// # Errors
    /// They are not.
    pub(super) fn check_base(&self, plan: &Plan) -> Result<CatalogSnapshot, Failure> {
        let state = self
            .store
            .snapshot()
            .map_err(DatabaseFailure::new("the state cannot be read"))?;
        state.check()?;
        let catalog = self.catalog()?;
        if plan.base.is_current(&state, &catalog) {
            Ok(catalog)
        } else {
            Err(StalePlan.into())
        }
    }

    /// The deployment that did not come to its end, if there is one.
    pub(super) fn unfinished(&self) -> Result<Option<Unfinished>, Failure> {
        let head = self
            .store
            .head()
            .map_err(DatabaseFailure::new("the state cannot be read"))?;
        head.check()?;
        Ok(self
            .store
            .unfinished()
            .map_err(DatabaseFailure::new("the state cannot be read"))?)
    }

    /// The id of a deployment that did not come to its end and whose record cannot be read.
    pub(super) fn unreadable(&self) -> Result<Option<String>, Failure> {
        let unread = DatabaseFailure::new("the state cannot be read");
        self.store.head().map_err(unread)?.check()?;
        let id = self.store.unfinished_id();
        Ok(id.map_err(DatabaseFailure::new("the state cannot be read"))?)
    }

    /// Takes the lock; the state's tables are made where there are none.
    pub(super) fn lock(
        &self,
        deployment: &str,
        wait: bool,
        interrupted: &AtomicBool,
        printer: &Printer,
    ) -> Result<Lock, Failure> {
        self.store.prepare().map_err(DatabaseFailure::new(
            "the schema rwt, which holds the state, cannot be made",
        ))?;
        let lock = Lock::take(&self.store, deployment, wait, interrupted, |holder| {
            printer.note(format!("Waiting for {holder}"));
        })?;
        Ok(lock)
    }

    /// Writes down what is known without a step: adopted objects, models with another name.
    pub(super) fn record(&self, planned: &Planned) -> Result<usize, Failure> {
        let changes = records(planned);
        self.write(&changes)?;
        Ok(changes.len())
    }

    /// Writes down that objects with these unique ids are as the plan says, and nothing else.
    pub(super) fn adopt(&self, planned: &Planned, ids: &[String]) -> Result<(), Failure> {
        let changes: Vec<ObjectChange> = apply::records_at_once(&planned.plan, &planned.catalog)
            .into_iter()
            .filter(|change| matches!(change, ObjectChange::Record(id, _) if ids.contains(id)))
            .collect();
        self.write(&changes)
    }

    fn write(&self, changes: &[ObjectChange]) -> Result<(), Failure> {
        Ok(self
            .store
            .record(changes)
            .map_err(DatabaseFailure::new("the state cannot be written"))?)
    }

    /// Carries a plan out under the lock. Every node that has nothing to be done is reported as it is.
    pub(super) fn carry_out(
        &self,
        planned: &Planned,
        lock: &Lock,
        manner: Manner<'_>,
        interrupted: &AtomicBool,
        printer: &Printer,
    ) -> Result<Outcome, Failure> {
        topic_check::check(self.context, &planned.plan, printer);
        self.record(planned)?;
        let deployment = Deployment {
            command: manner.command,
            holder: lock.holder(),
            plan: &planned.plan,
        };
        let journal = Journal::begin(&self.store, &deployment)
            .map_err(DatabaseFailure::new("the journal cannot be written"))?;
        self.execute(planned, lock, &journal, None, manner, interrupted, printer)
    }

    /// Finishes a deployment that was interrupted.
    pub(super) fn finish(
        &self,
        unfinished: &Unfinished,
        lock: &Lock,
        manner: Manner<'_>,
        interrupted: &AtomicBool,
        printer: &Printer,
    ) -> Result<Outcome, Failure> {
        let planned = Planned {
            plan: unfinished.plan.clone(),
            catalog: self.catalog()?,
        };
        let journal = Journal::go_on(&self.store, &planned.plan.deployment);
        self.execute(
            &planned,
            lock,
            &journal,
            Some(unfinished),
            manner,
            interrupted,
            printer,
        )
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "each is another thing, and both callers have all of them"
    )]
    fn execute(
        &self,
        planned: &Planned,
        lock: &Lock,
        journal: &Journal,
        before: Option<&Unfinished>,
        manner: Manner<'_>,
        interrupted: &AtomicBool,
        printer: &Printer,
    ) -> Result<Outcome, Failure> {
        let shown = match before {
            None => self.without_steps(&planned.plan),
            Some(_) => Vec::new(),
        };
        let nodes: BTreeSet<&str> = planned
            .plan
            .steps
            .iter()
            .filter_map(|step| step.unique_id.as_deref())
            .collect();
        let total = nodes.len() + shown.len();
        let own = Numbers::of(total);
        let numbers = manner.numbers.unwrap_or(&own);
        numbers.expect(total);
        let observer = NodeLines::new(&self.context.compiler, printer, total, numbers);
        let outcome = apply::execute(
            Scope {
                plan: &planned.plan,
                server: planned.catalog.server.kind,
                compiler: &self.context.compiler,
                connector: &self.connector,
                journal,
                lock,
                interrupted,
            },
            &self.store,
            shown,
            before,
            RunOptions {
                threads: manner.threads,
                fail_fast: manner.fail_fast,
            },
            &observer,
        );
        observer.finish();
        let mut outcome = outcome?;
        for error in outcome.errors.drain(..) {
            printer.error(&miette::Report::new(error));
        }
        let ends_here = before.is_some() && outcome.stopped.is_none();
        if outcome.status == DeploymentStatus::Interrupted && !ends_here {
            let why = outcome
                .stopped
                .as_deref()
                .unwrap_or("a step failed after names had moved");
            printer.note(format!(
                "\nDeployment {} stopped in the middle: {why}\n`rwt apply` finishes it, or plans anew what cannot be finished; `rwt apply --abort` undoes it, as long as no name has\nmoved, and gives it up when it has failed after that.",
                planned.plan.deployment
            ));
            self.tell_what_still_runs(planned, printer);
        }
        Ok(outcome)
    }

    fn tell_what_still_runs(&self, planned: &Planned, printer: &Printer) {
        let Ok(jobs) = catalog::creating_jobs(&self.connection) else {
            return;
        };
        for job in jobs {
            let is_ours = planned
                .plan
                .steps
                .iter()
                .filter_map(|step| step.builds.as_ref())
                .any(|built| job.statement.contains(&built.relation.name));
            if is_ours {
                printer.note(format!(
                    "The server still builds job {}: {} (`rwt jobs cancel {}`)",
                    job.id,
                    rwt_sql::redact(&job.statement),
                    job.id
                ));
            }
        }
    }

    /// The reports of nodes that have nothing to be done, in the order of the plan.
    pub(super) fn without_steps(&self, plan: &Plan) -> Vec<NodeReport> {
        let with_steps: BTreeSet<&str> = plan
            .steps
            .iter()
            .filter_map(|step| step.unique_id.as_deref())
            .collect();
        let manifest = self.context.compiler.manifest();
        plan.objects
            .iter()
            .filter(|object| !with_steps.contains(object.unique_id.as_str()))
            .filter(|object| object.action != Action::Removed)
            .map(|object| {
                let node = manifest.nodes.get(&UniqueId(object.unique_id.clone()));
                let mut report =
                    NodeReport::of(object, node.map(|node| node.materialized.as_str()));
                report.status = Status::of(object.action);
                report.message = match (&object.blocked, object.action) {
                    (Some(blocked), _) => blocked.to_string(),
                    (None, Action::Drifted) => "changed outside of rwt".to_owned(),
                    (None, Action::Drop) => "was gone already".to_owned(),
                    (None, _) => "unchanged".to_owned(),
                };
                report
            })
            .collect()
    }

    /// Failures of sinks that the server has noted since `since`, which show nowhere else.
    pub(super) fn sink_failures(&self, since: &str) -> Vec<String> {
        let query = format!(
            "select \"timestamp\", info from rw_catalog.rw_event_logs \
             where event_type like '%SINK%FAIL%' and \"timestamp\" >= cast({} as timestamptz) \
             order by \"timestamp\" desc limit 20",
            rwt_sql::Literal::Text(since)
        );
        let rows = self.connection.query(&query).unwrap_or_default().rows;
        rows.into_iter()
            .map(|row| {
                let cells: Vec<String> = row.into_iter().flatten().collect();
                rwt_sql::redact(&cells.join(" "))
            })
            .collect()
    }
}

/// Options with which objects that exist, unknown to rwt, become known where they say what the project says.
pub(super) fn adopting(options: Options) -> Options {
    Options {
        adopt: Adopt::Compare,
        ..options
    }
}

/// What is to be remembered at once. An object that is unknown and different is not: it would be rebuilt by the next
/// plan, and nobody has asked for that.
fn records(planned: &Planned) -> Vec<ObjectChange> {
    let different: BTreeSet<&str> = planned
        .plan
        .objects
        .iter()
        .filter(|object| is_different(object))
        .map(|object| object.unique_id.as_str())
        .collect();
    apply::records_at_once(&planned.plan, &planned.catalog)
        .into_iter()
        .filter(|change| {
            !matches!(change, ObjectChange::Record(id, _) if different.contains(id.as_str()))
        })
        .collect()
}

/// Whether an object exists, unknown to rwt, and is not what the project says, as far as the server tells.
pub(super) fn is_different(object: &ObjectPlan) -> bool {
    object.reasons.iter().any(|reason| {
        matches!(
            reason,
            Reason::Unknown {
                same: Some(false) | None
            }
        )
    })
}

/// Whether a plan does anything that the state has to know of.
pub(super) fn does_nothing(planned: &Planned) -> bool {
    let is_hook = |phase| matches!(phase, Phase::Start | Phase::End);
    records(planned).is_empty() && planned.plan.steps.iter().all(|step| is_hook(step.phase))
}

/// A report of nodes that have nothing to be done.
pub(super) fn report_of(nodes: Vec<NodeReport>, seconds: f64) -> RunReport {
    RunReport {
        nodes,
        seconds,
        started_at: chrono::Utc::now(),
        other_failure: false,
    }
}
