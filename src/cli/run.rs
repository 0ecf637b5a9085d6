//! `rwt run`

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use rwt_compiler::artifacts::RunResult;
use rwt_plan::plan::Action;
use rwt_plan::{CatalogSnapshot, Options, counted};
use rwt_project::manifest::{ResourceType, UniqueId};
use serde_json::json;

use super::apply::{finish_first, report, tell_sink_failures};
use super::args::{EventTimeArgs, FailFastArgs, GlobalArgs, Output, SelectArgs};
use super::context::{Context, FlagsOf};
use super::deploy::{self, Deployer, Errors, Manner, Planned, adopting, is_different, report_of};
use super::drop::DependentsError;
use super::inputs::InputArgs;
use super::node_lines::{NodeLines, Numbers, counted_nodes};
use super::{CommandResult, Exit, Failure, interrupt, project_hooks, results};
use crate::apply::{self, NodeReport, RunReport, Status};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Build the selected models anew although they have not changed; the rows of tables are lost
    #[arg(short, long, env = "DBT_FULL_REFRESH", value_parser = clap::builder::FalseyValueParser::new())]
    pub full_refresh: bool,
    #[command(flatten)]
    pub event_time: EventTimeArgs,
    #[command(flatten)]
    pub inputs: InputArgs,
    /// Do what loses rows or makes a sink emit again, instead of leaving it as it is
    #[arg(long)]
    pub allow_destructive: bool,
    /// Wait until another rwt has ended, instead of giving up
    #[arg(long)]
    pub wait: bool,
    /// Models at once, instead of the target's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    #[command(flatten)]
    pub fail_fast: FailFastArgs,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

impl RunArgs {
    /// What is done about models that cannot be compiled.
    pub(super) fn errors(&self, context: &Context) -> Errors {
        if self.fail_fast.holds(context) {
            Errors::Refused
        } else {
            Errors::Reported
        }
    }
}

impl RunArgs {
    /// What the demo runs: everything.
    pub(super) fn everything() -> Self {
        Self {
            select: SelectArgs::default(),
            full_refresh: false,
            event_time: EventTimeArgs::default(),
            inputs: InputArgs::default(),
            allow_destructive: false,
            wait: false,
            threads: None,
            fail_fast: FailFastArgs::default(),
            output: Output::Text,
        }
    }
}

pub(super) fn main(global: &GlobalArgs, args: &RunArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "run",
        full_refresh: args.full_refresh,
        event_time: args.event_time.span()?,
        empty: args.inputs.empty,
        sample: args.inputs.sample,
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    let selected = context.selected_to_run(&args.select, printer)?;
    let deferral = global.dbt.defer.read(args.select.state.as_deref())?;
    context.defer(deferral, &selected, true, printer)?;
    run_selected(&context, args, &selected, printer)
}

/// `rwt snapshot`
pub(super) fn snapshot(global: &GlobalArgs, args: &RunArgs, printer: &Printer) -> CommandResult {
    let (context, selected) = nodes_of(global, ResourceType::Snapshot, args, printer)?;
    run_selected(&context, args, &selected, printer)
}

/// The selected nodes of one kind, for the command that is called like it, on a target that is up.
pub(super) fn nodes_of(
    global: &GlobalArgs,
    kind: ResourceType,
    args: &RunArgs,
    printer: &Printer,
) -> Result<(Context, BTreeSet<UniqueId>), Failure> {
    let flags = FlagsOf {
        command: kind.word(),
        full_refresh: args.full_refresh,
        event_time: args.event_time.span()?,
        empty: args.inputs.empty,
        sample: args.inputs.sample,
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    let selected = context.selected_of(&args.select, |found| found == kind, printer)?;
    let deferral = global.dbt.defer.read(args.select.state.as_deref())?;
    context.defer(deferral, &selected, true, printer)?;
    Ok((context, selected))
}

/// Runs the selected models on the context's target, which is up.
pub(super) fn run(context: &Context, args: &RunArgs, printer: &Printer) -> CommandResult {
    let selected = context.selected_to_run(&args.select, printer)?;
    run_selected(context, args, &selected, printer)
}

/// The same for models that were selected otherwise.
pub(super) fn run_selected(
    context: &Context,
    args: &RunArgs,
    selected: &BTreeSet<UniqueId>,
    printer: &Printer,
) -> CommandResult {
    let clock = Instant::now();
    context.ensure_topics(printer)?;
    let interrupted = interrupt::flag(context.runtime().handle())?;
    let mut deployer = Deployer::open(context, selected, args.errors(context))?;
    let target = context.target();
    let manner = Manner {
        command: "run",
        threads: args.threads.map_or(target.threads, usize::from),
        fail_fast: args.fail_fast.holds(context),
        wait: args.wait,
        numbers: None,
    };
    if let Some(exit) = finish_first(&deployer, manner, &interrupted, printer)? {
        return Ok(exit);
    }
    // What hooks do to the database, the plan is to know.
    if project_hooks::start(context)?
        && let Some(fresh) = deployer.anew(selected)?
    {
        deployer = fresh;
    }
    let selected = &(args.inputs).left_to_build(&deployer, selected, args.full_refresh, printer)?;
    let options = run_options(&deployer, args);
    let first_round = || Ok::<_, Failure>(deployer.plan(selected, &options)?.without_hooks());
    let planned = first_round()?;
    if args.full_refresh {
        refuse_to_leave_behind(context, selected, &planned.catalog)?;
    }
    let mut failed = deployer.not_compiled();
    let nodes = nodes_of_command(&planned, &failed, deployer.waiting());
    printer.note(format!(
        "Running {} on {} ({}) with {}\n",
        counted_nodes(&context.compiler, &nodes),
        target.name,
        deployer.connector.address(),
        counted(manner.threads, "thread"),
    ));
    let numbers = Numbers::of(nodes.len());
    let manner = Manner {
        numbers: Some(&numbers),
        ..manner
    };
    NodeLines::print(&context.compiler, &failed, &numbers, printer);
    let first = std::cell::Cell::new(Some(planned));
    let plan = || first.take().map_or_else(first_round, Ok);
    let (mut done, mut is_whole) = carry_out(&deployer, &plan, manner, &interrupted, printer)?;
    // Models whose text asks the database are planned when what they read is there.
    while is_whole
        && !done.failed()
        && let Some((next, open)) = deployer.again()?
    {
        deployer = next;
        printer.note(format!(
            "\n{} after what the database answers now\n",
            counted_nodes(&context.compiler, &open)
        ));
        let plan = || Ok(deployer.plan(&open, &options)?.without_hooks());
        let (more, whole) = carry_out(&deployer, &plan, manner, &interrupted, printer)?;
        (done, is_whole) = (joined(done, more), whole);
        let told = failed.len();
        failed.extend(not_told(deployer.not_compiled(), &failed));
        NodeLines::print(&context.compiler, &failed[told..], &numbers, printer);
    }
    done.nodes.extend(failed);
    let waiting = deployer.left_waiting();
    NodeLines::print(&context.compiler, &waiting, &numbers, printer);
    done.nodes.extend(waiting);
    let results = results::of_nodes(context, deployer.compiled(), &done.nodes);
    if !interrupted.load(Ordering::SeqCst) {
        done.other_failure |= !project_hooks::end(context, &results, printer)?;
    }
    done.seconds = clock.elapsed().as_secs_f64();
    write_results(&deployer, args, manner, results, done.seconds)?;
    let exit = report(&done, printer);
    args.inputs.tell_what_is_not_whole(&done, printer);
    hint_at_permission(&done, printer);
    Ok(if is_whole { exit } else { Exit::Failure })
}

/// All nodes that a command is to report.
fn nodes_of_command(
    planned: &Planned,
    not_compiled: &[NodeReport],
    waiting: &BTreeSet<UniqueId>,
) -> BTreeSet<UniqueId> {
    let objects = planned.plan.objects.iter();
    let planned = objects
        .filter(|object| object.action != Action::Removed)
        .map(|object| UniqueId(object.unique_id.clone()));
    let others = not_compiled
        .iter()
        .map(|report| UniqueId(report.unique_id.clone()));
    planned
        .chain(others)
        .chain(waiting.iter().cloned())
        .collect()
}

/// The reports of nodes that were not reported before.
pub(super) fn not_told(reports: Vec<NodeReport>, told: &[NodeReport]) -> Vec<NodeReport> {
    let is_new = |report: &NodeReport| told.iter().all(|known| known.unique_id != report.unique_id);
    reports.into_iter().filter(is_new).collect()
}

/// What two rounds came to; the second one knows better about a node of both.
pub(super) fn joined(first: RunReport, second: RunReport) -> RunReport {
    let mut nodes = first.nodes;
    let later: HashSet<&str> = (second.nodes.iter())
        .map(|node| node.unique_id.as_str())
        .collect();
    nodes.retain(|node| !later.contains(node.unique_id.as_str()));
    nodes.extend(second.nodes);
    RunReport {
        nodes,
        other_failure: first.other_failure || second.other_failure,
        ..first
    }
}

/// What `rwt run` and `rwt build` ask of the planner.
pub(super) fn run_options(deployer: &Deployer<'_>, args: &RunArgs) -> Options {
    adopting(Options {
        full_refresh: args.full_refresh,
        // Who asks for a full refresh asks for what it costs.
        allow_destructive: args.allow_destructive || args.full_refresh,
        ..deployer.options()
    })
}

/// Plans and carries out, with a line per node. Returns what became of the nodes, and whether all of it was done.
pub(super) fn carry_out(
    deployer: &Deployer<'_>,
    plan: &dyn Fn() -> Result<Planned, Failure>,
    manner: Manner<'_>,
    interrupted: &AtomicBool,
    printer: &Printer,
) -> Result<(RunReport, bool), Failure> {
    let mut planned = plan()?;
    for object in (planned.plan.objects.iter()).filter(|o| o.action == Action::Drifted) {
        printer.warning(&*miette::miette!(
            severity = miette::Severity::Warning,
            code = "rwt::apply::drifted",
            help = "`rwt plan` shows how; `rwt apply --repair` brings it back",
            "{} was changed outside of rwt: it is left as it is",
            object.relation
        ));
    }
    for object in planned.plan.objects.iter().filter(|o| is_different(o)) {
        printer.warning(&*miette::miette!(
            severity = miette::Severity::Warning,
            code = "rwt::apply::unknown",
            help = "`rwt plan` shows the difference; `rwt adopt --all` takes it as it is, so that only later changes count",
            "{} exists, rwt has not made it, and its definition is another one: it is left as it is",
            object.relation
        ));
    }
    let done = if deploy::does_nothing(&planned) {
        let nodes = deployer.without_steps(&planned.plan);
        let own = Numbers::of(nodes.len());
        let numbers = manner.numbers.unwrap_or(&own);
        NodeLines::print(&deployer.context.compiler, &nodes, numbers, printer);
        (report_of(nodes, 0.0), true)
    } else {
        let lock = deployer.lock(&planned.plan.deployment, manner.wait, interrupted, printer)?;
        if deployer.check_base(&planned.plan).is_err() {
            planned = plan()?;
        }
        let outcome = deployer.carry_out(&planned, &lock, manner, interrupted, printer)?;
        drop(lock);
        tell_sink_failures(deployer, &outcome.report, printer);
        // What failed is in the report; the rest of the deployment was carried out.
        let is_over = outcome.status != crate::state::DeploymentStatus::Interrupted;
        (outcome.report, is_over)
    };
    Ok(done)
}

/// What reads a refreshed model and is not refreshed with it would go on reading the old one.
pub(super) fn refuse_to_leave_behind(
    context: &Context,
    selected: &BTreeSet<UniqueId>,
    catalog: &CatalogSnapshot,
) -> Result<(), Failure> {
    let nodes = &context.compiler.manifest().nodes;
    let selected = selected.iter().filter_map(|id| nodes.get(id));
    let (_, hanging) = apply::drop_steps(selected, catalog);
    if hanging.is_empty() {
        Ok(())
    } else {
        Err(DependentsError { hanging }.into())
    }
}

fn write_results(
    deployer: &Deployer<'_>,
    args: &RunArgs,
    manner: Manner<'_>,
    results: Vec<RunResult>,
    seconds: f64,
) -> Result<(), Failure> {
    let context = deployer.context;
    let said = json!({
        "which": "run",
        "vars": context.compiler.project().cli_vars,
        "target": deployer.connector.target().name,
        "select": args.select.select,
        "exclude": args.select.exclude,
        "full_refresh": args.full_refresh,
        "event_time_start": args.event_time.event_time_start,
        "event_time_end": args.event_time.event_time_end,
        "empty": args.inputs.empty,
        "sample": args.inputs.shown_sample(),
        "allow_destructive": args.allow_destructive,
        "threads": manner.threads,
        "fail_fast": manner.fail_fast,
    });
    results::write(context, results, seconds, said)?;
    context.write_manifest(deployer.compiled())?;
    Ok(())
}

/// What to type for what was not done.
pub(super) fn hint_at_permission(report: &RunReport, printer: &Printer) {
    let mut blocked = report.nodes.iter().filter(|n| n.status == Status::Blocked);
    if blocked.any(|node| node.message.contains("--allow-destructive")) {
        printer.note(
            "\n`rwt plan --allow-destructive` shows what it would cost; `rwt run --allow-destructive` does it.",
        );
    }
}
