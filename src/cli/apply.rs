//! `rwt apply`

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use rwt_plan::plan::{Action, PLAN_FORMAT};
use rwt_plan::{Options, Plan};
use rwt_project::manifest::UniqueId;

use super::args::{GlobalArgs, Output};
use super::context::{Context, FlagsOf, unexpected};
use super::deploy::{self, Deployer, Errors, Manner, Planned, StalePlan};
use super::node_lines::Numbers;
use super::plan::{ChangeArgs, show};
use super::run::joined;
use super::{CommandResult, Exit, Failure, interrupt, project_hooks, results};
use crate::apply::{self, Outcome, RunReport, Settled};
use crate::state::DeploymentStatus;
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// A plan that `rwt plan --out` has written; without it the plan is made now
    #[arg(value_name = "PLAN", conflicts_with_all = ["select", "exclude", "prune", "full_refresh", "allow_destructive", "repair", "clean_up"])]
    plan: Option<PathBuf>,
    #[command(flatten)]
    change: ChangeArgs,
    /// Undo a deployment that was interrupted: drop what it has built; names stay as they were. Give up one that cannot be finished
    #[arg(long, conflicts_with = "plan")]
    abort: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Wait until another rwt has ended, instead of giving up
    #[arg(long)]
    wait: bool,
    /// Steps at once, instead of the target's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Begin nothing new after the first failure
    #[arg(short = 'x', long)]
    fail_fast: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// A file that is no plan for this.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{} is not a plan for this project, target and rwt: {why}", path.display())]
#[diagnostic(code(rwt::apply::plan_file), help("`rwt plan --out` writes one"))]
struct NotAPlan {
    path: PathBuf,
    why: String,
}

/// Somebody was asked and did not say yes.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("nothing was applied, for the answer was not yes")]
#[diagnostic(
    code(rwt::apply::not_confirmed),
    help(
        "`rwt apply --yes` does not ask; what loses rows or emits again needs --allow-destructive as well"
    )
)]
struct NotConfirmed;

pub(super) fn main(global: &GlobalArgs, args: &ApplyArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "run",
        full_refresh: args.change.full_refresh,
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    let selected = context.selected_to_run(&args.change.select, printer)?;
    let interrupted = interrupt::flag(context.runtime().handle())?;
    let errors = match args.abort {
        // A model that cannot be compiled keeps nobody from undoing.
        true => Errors::Reported,
        false => Errors::Refused,
    };
    let deployer = Deployer::open(&context, &selected, errors)?;
    if args.abort {
        return abort(&deployer, args, &interrupted, printer);
    }
    context.ensure_topics(printer)?;
    let threads = deployer.connector.target().threads;
    let manner = Manner {
        command: "apply",
        threads: args.threads.map_or(threads, usize::from),
        fail_fast: args.fail_fast,
        wait: args.wait,
        numbers: None,
    };
    if let Some(exit) = finish_first(&deployer, manner, &interrupted, printer)? {
        return Ok(exit);
    }
    let mut deployer = deployer;
    let mut selected = selected;
    let numbers = Numbers::of(0);
    let manner = Manner {
        numbers: Some(&numbers),
        ..manner
    };
    let (mut done, mut exit) = apply(
        &deployer,
        args,
        (&selected, true),
        manner,
        &interrupted,
        printer,
    )?;
    // Models whose text asks the database are planned when what they read is there.
    while exit == Exit::Ok
        && args.plan.is_none()
        && let Some((next, open)) = deployer.again()?
    {
        printer.note("");
        (deployer, selected) = (next, open);
        let (more, next_exit) = apply(
            &deployer,
            args,
            (&selected, false),
            manner,
            &interrupted,
            printer,
        )?;
        (done, exit) = (joined(done, more), next_exit);
    }
    // A saved plan has among its steps what it could show of them.
    let has_hooks =
        context.compiler.has_late_hooks() || args.plan.is_none() && !done.nodes.is_empty();
    if has_hooks && !interrupted.load(Ordering::SeqCst) {
        let results = results::of_nodes(&context, deployer.compiled(), &done.nodes);
        if !project_hooks::end(&context, &results, printer)? {
            (done.other_failure, exit) = (true, Exit::Failure);
        }
    }
    if printer.is_json() {
        printer.document(&done);
    }
    deployer.tell_what_waits(printer);
    Ok(exit)
}

/// Makes a plan, or takes the saved one, and carries it out. What became of it is told, but for a document of it. `is_first`:
/// the hooks at the start have not been sent.
fn apply(
    deployer: &Deployer<'_>,
    args: &ApplyArgs,
    (selected, is_first): (&BTreeSet<UniqueId>, bool),
    manner: Manner<'_>,
    interrupted: &AtomicBool,
    printer: &Printer,
) -> Result<(RunReport, Exit), Failure> {
    let options = args.change.over(deployer.options());
    let planned = match &args.plan {
        Some(path) => saved(path, deployer)?,
        None => deployer.plan(selected, &options)?,
    };
    let nothing = |planned: &Planned| {
        let exit = nothing_to_do(planned, printer);
        Ok((deploy::report_of(Vec::new(), 0.0), exit))
    };
    let (mut planned, mut options) = ask(planned, options, args, deployer, selected, printer)?;
    if deploy::does_nothing(&planned) {
        return nothing(&planned);
    }
    if args.plan.is_none() {
        planned = planned.without_hooks();
        // What hooks do to the database, the plan is to know.
        if is_first && project_hooks::start(deployer.context)? {
            let again = deployer.plan(selected, &options)?.without_hooks();
            if planned.says_the_same(&again) {
                planned = again;
            } else {
                printer.note("on-run-start hooks have changed what is to be done:\n");
                (planned, options) = ask(again, options, args, deployer, selected, printer)?;
            }
            if deploy::does_nothing(&planned) {
                return nothing(&planned);
            }
        }
    }
    let deployment = &planned.plan.deployment;
    let lock = deployer.lock(deployment, manner.wait, interrupted, printer)?;
    // Somebody may have changed the database since it was looked at.
    let planned = match deployer.check_base(&planned.plan) {
        Ok(catalog) => Planned { catalog, ..planned },
        Err(stale) if args.plan.is_some() => return Err(stale),
        Err(_) => {
            let again = deployer.plan(selected, &options)?.without_hooks();
            if !planned.says_the_same(&again) {
                return Err(StalePlan.into());
            }
            again
        }
    };
    let outcome = deployer.carry_out(&planned, &lock, manner, interrupted, printer)?;
    drop(lock);
    let exit = closing(deployer, &outcome, printer);
    Ok((outcome.report, exit))
}

/// Reads a plan, and sees that it is for here and now.
fn saved(path: &Path, deployer: &Deployer<'_>) -> Result<Planned, Failure> {
    let not_a_plan = |why: String| NotAPlan {
        path: path.to_owned(),
        why,
    };
    let text =
        std::fs::read(path).map_err(unexpected(&format!("{} cannot be read", path.display())))?;
    let plan: Plan =
        serde_json::from_slice(&text).map_err(|error| not_a_plan(error.to_string()))?;
    let target = deployer.connector.target();
    let project = deployer.context.compiler.project().name();
    if plan.format != PLAN_FORMAT {
        let why = format!("it has format {}, not {PLAN_FORMAT}", plan.format);
        return Err(not_a_plan(why).into());
    }
    if plan.project != project || plan.target != target.name || plan.database != target.database {
        let why = format!(
            "it is for {} on {} ({})",
            plan.project, plan.target, plan.database
        );
        return Err(not_a_plan(why).into());
    }
    let catalog = deployer.check_base(&plan)?;
    Ok(Planned { plan, catalog })
}

/// Shows the plan. Somebody at a terminal is asked, with what would be lost when that was not allowed beforehand.
fn ask(
    planned: Planned,
    options: Options,
    args: &ApplyArgs,
    deployer: &Deployer<'_>,
    selected: &BTreeSet<UniqueId>,
    printer: &Printer,
) -> Result<(Planned, Options), Failure> {
    let asks = std::io::stdin().is_terminal() && printer.is_terminal() && !args.yes;
    let is_open = planned.plan.not_allowed().next().is_some();
    let (planned, options) = if asks && is_open && args.plan.is_none() {
        let options = Options {
            allow_destructive: true,
            ..options
        };
        (deployer.plan(selected, &options)?, options)
    } else {
        (planned, options)
    };
    show(&planned.plan, false, printer);
    printer.note("");
    if !asks || deploy::does_nothing(&planned) {
        return Ok((planned, options));
    }
    let warning = if planned.plan.is_destructive() {
        " What is marked with ! loses rows or emits again."
    } else {
        ""
    };
    printer.note(format!("Apply this?{warning} Type yes:"));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim().eq_ignore_ascii_case("yes") {
        Ok((planned, options))
    } else {
        Err(NotConfirmed.into())
    }
}

fn nothing_to_do(planned: &Planned, printer: &Printer) -> Exit {
    let plan = &planned.plan;
    printer.line(match plan.is_blocked() {
        true => "Nothing was done.",
        false => "Nothing to do.",
    });
    if plan.not_allowed().next().is_some() {
        printer.line("`rwt apply --allow-destructive` does what `!` marks as well.");
    }
    let others = [
        (
            Action::Adopt,
            "`rwt adopt` takes over what rwt does not know.",
        ),
        (
            Action::Drifted,
            "`rwt apply --repair` brings back what was changed outside of rwt.",
        ),
        (
            Action::Removed,
            "`rwt apply --prune` drops what is no longer in the project.",
        ),
    ];
    for (action, hint) in others {
        if plan.objects.iter().any(|object| object.action == action) {
            printer.line(hint);
        }
    }
    match plan.is_blocked() {
        true => Exit::Failure,
        false => Exit::Ok,
    }
}

/// Finishes what was interrupted. An exit code if nothing else can be begun after it.
pub(super) fn finish_first(
    deployer: &Deployer<'_>,
    manner: Manner<'_>,
    interrupted: &AtomicBool,
    printer: &Printer,
) -> Result<Option<Exit>, Failure> {
    let Some(found) = deployer.unfinished()? else {
        return Ok(None);
    };
    let lock = deployer.lock(&found.plan.deployment, manner.wait, interrupted, printer)?;
    // Whoever had the lock may have finished it.
    let Some(unfinished) = deployer.unfinished()? else {
        return Ok(None);
    };
    printer.note(format!(
        "Finishing deployment {} of {}, which was interrupted\n",
        unfinished.plan.deployment, unfinished.holder
    ));
    let outcome = deployer.finish(&unfinished, &lock, manner, interrupted, printer)?;
    let deployment = &unfinished.plan.deployment;
    if outcome.status == DeploymentStatus::Done {
        printer.note(format!("\nDeployment {deployment} is finished.\n"));
        return Ok(None);
    }
    if outcome.stopped.is_none() {
        // What failed once more fails the next time as well: what the project wants now is planned from what is there.
        if let Some(unfinished) = deployer.unfinished()? {
            let (connector, store) = (&deployer.connector, &deployer.store);
            let settled = apply::settle(connector, store, &unfinished, DeploymentStatus::Failed)?;
            for line in settled_lines(&settled) {
                printer.note(line);
            }
        }
        printer.note(format!(
            "\nDeployment {deployment} cannot be finished as it was planned; what is left is planned anew.\n"
        ));
        return Ok(None);
    }
    drop(lock);
    let exit = closing(deployer, &outcome, printer);
    if printer.is_json() {
        printer.document(&outcome.report);
    }
    Ok(Some(exit))
}

/// The closing lines. What is not done, although nothing failed, is a failure as well.
fn closing(deployer: &Deployer<'_>, outcome: &Outcome, printer: &Printer) -> Exit {
    tell_sink_failures(deployer, &outcome.report, printer);
    let exit = closing_lines(&outcome.report, printer);
    match outcome.status {
        DeploymentStatus::Done => exit,
        _ => Exit::Failure,
    }
}

/// A run's report as its last lines or as its document, and what it means.
pub(super) fn report(report: &RunReport, printer: &Printer) -> Exit {
    if printer.is_json() {
        printer.document(report);
    }
    closing_lines(report, printer)
}

fn closing_lines(report: &RunReport, printer: &Printer) -> Exit {
    if !printer.is_json() {
        printer.line(format!("\n{report}"));
    }
    if report.failed() {
        Exit::Failure
    } else {
        Exit::Ok
    }
}

/// Sinks fail out of sight: the server writes it into its event log and nowhere else.
pub(super) fn tell_sink_failures(deployer: &Deployer<'_>, report: &RunReport, printer: &Printer) {
    let failures = deployer.sink_failures(&report.started_at.to_rfc3339());
    for failure in failures {
        printer.warning(&*miette::miette!(
            severity = miette::Severity::Warning,
            code = "rwt::apply::sink",
            help = "the sink exists and tries again; `select * from rw_catalog.rw_event_logs` shows more",
            "the server says that a sink fails: {failure}"
        ));
    }
}

fn abort(
    deployer: &Deployer<'_>,
    args: &ApplyArgs,
    interrupted: &AtomicBool,
    printer: &Printer,
) -> CommandResult {
    let found = match deployer.unfinished() {
        Ok(Some(found)) => found,
        Ok(None) => {
            printer.line("Nothing to undo: every deployment has come to its end.");
            return Ok(Exit::Ok);
        }
        Err(error) => return forget(deployer, error, args, interrupted, printer),
    };
    let lock = deployer.lock(&found.plan.deployment, args.wait, interrupted, printer)?;
    let Some(unfinished) = deployer.unfinished()? else {
        printer.line("Nothing to undo: the deployment has come to its end meanwhile.");
        return Ok(Exit::Ok);
    };
    let settled = apply::abort(&deployer.connector, &deployer.store, &unfinished)?;
    drop(lock);
    let deployment = &unfinished.plan.deployment;
    for line in settled_lines(&settled) {
        printer.line(line);
    }
    printer.line(match settled.kept.is_empty() {
        true if settled.missing.is_empty() => {
            format!("Deployment {deployment} is undone; every name is what it was.")
        }
        true => {
            format!("Deployment {deployment} is undone; `rwt plan` shows what is to be made again.")
        }
        false => format!(
            "Deployment {deployment} is given up; `rwt plan` shows what is still to be done."
        ),
    });
    if printer.is_json() {
        let mut document = serde_json::json!(settled);
        document["deployment"] = deployment.as_str().into();
        printer.document(&document);
    }
    Ok(Exit::Ok)
}

/// Forgets a deployment whose plan cannot be read, as when another version of rwt has begun it. `error` says why.
fn forget(
    deployer: &Deployer<'_>,
    error: Failure,
    args: &ApplyArgs,
    interrupted: &AtomicBool,
    printer: &Printer,
) -> CommandResult {
    let Some(deployment) = deployer.unreadable()? else {
        return Err(error);
    };
    for report in &error.reports {
        printer.error(report);
    }
    let lock = deployer.lock(&deployment, args.wait, interrupted, printer)?;
    let left = apply::forget(&deployer.connector, &deployer.store, &deployment)?;
    drop(lock);
    for relation in &left {
        printer.line(format!(
            "left: {relation}; the next `rwt apply` drops it when nothing hangs on it"
        ));
    }
    printer.line(format!(
        "Deployment {deployment} is forgotten; nothing was undone."
    ));
    if printer.is_json() {
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        printer.document(&serde_json::json!({"deployment": deployment, "left": left}));
    }
    Ok(Exit::Ok)
}

/// What became of a deployment that was not finished, a line for each part.
fn settled_lines(settled: &Settled) -> Vec<String> {
    let parts = [
        ("undone", &settled.undone),
        ("kept as it is now", &settled.kept),
        ("not found, somebody else has dropped it", &settled.missing),
        ("left, for the server does not let it go", &settled.left),
        ("not done", &settled.not_done),
    ];
    let lines = parts.into_iter().flat_map(|(word, all)| {
        let line = move |of: &String| format!("{word}: {of}");
        all.iter().map(line)
    });
    lines.collect()
}
