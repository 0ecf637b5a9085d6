//! `rwt build`: models and tests in the order of the graph. A unit test is run before its model, a data test after all
//! that it reads; what lies below a test that does not hold is left as it is.
//!
//! Models are planned and applied in rounds: a round ends where something below waits for a test. Without data tests there
//! is one round, which is `rwt run`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use clap::Args;
use rwt_compiler::artifacts::RunResult;
use rwt_plan::counted;
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use serde_json::json;

use super::apply::finish_first;
use super::args::{GlobalArgs, KindArgs};
use super::context::{Context, FlagsOf};
use super::deploy::{Deployer, Manner, report_of};
use super::node_lines::{NodeLines, Numbers, counted_nodes};
use super::run::{
    RunArgs, carry_out, hint_at_permission, joined, not_told, refuse_to_leave_behind, run_options,
};
use super::test::{Lines, nodes, unit_engine, write_junit};
use super::{CommandResult, Exit, Failure, interrupt, project_hooks, results};
use crate::apply::{NodeReport, RunReport, Status};
use crate::testing::{BuildReport, DataTests, Runner, TestReport, TestRun, UnitTests};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub kinds: KindArgs,
    /// Keep the rows that fail in tables, for tests that do not say otherwise
    #[arg(long, env = "DBT_STORE_FAILURES", value_parser = clap::builder::FalseyValueParser::new())]
    pub store_failures: bool,
    /// Write the results of tests as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

pub(super) fn main(global: &GlobalArgs, args: &BuildArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "build",
        full_refresh: args.run.full_refresh,
        store_failures: args.store_failures,
        event_time: args.run.event_time.span()?,
        empty: args.run.inputs.empty,
        sample: args.run.inputs.sample,
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    let takes = |kind| args.kinds.takes(kind);
    let selected = context.selected_of(&args.run.select, takes, printer)?;
    let deferral = global.dbt.defer.read(args.run.select.state.as_deref())?;
    context.defer(deferral, &selected, true, printer)?;
    build(&context, args, &selected, printer)
}

/// Builds what was selected, on the context's target, which is up.
pub(super) fn build(
    context: &Context,
    args: &BuildArgs,
    selected: &BTreeSet<UniqueId>,
    printer: &Printer,
) -> CommandResult {
    let clock = Instant::now();
    let started_at = chrono::Utc::now();
    context.ensure_topics(printer)?;
    let interrupted = &interrupt::flag(context.runtime().handle())?;
    let mut deployer = Deployer::open(context, selected, args.run.errors(context))?;
    let target = deployer.connector.target();
    let manner = Manner {
        command: "build",
        threads: args.run.threads.map_or(target.threads, usize::from),
        fail_fast: args.run.fail_fast.holds(context),
        wait: args.run.wait,
        numbers: None,
    };
    if let Some(exit) = finish_first(&deployer, manner, interrupted, printer)? {
        return Ok(exit);
    }
    // What hooks do to the database, the plans are to know.
    if project_hooks::start(context)?
        && let Some(fresh) = deployer.anew(selected)?
    {
        deployer = fresh;
    }
    let inputs = &args.run.inputs;
    let selected = &inputs.left_to_build(&deployer, selected, args.run.full_refresh, printer)?;
    let rounds = Rounds::of(context, selected);
    if args.run.full_refresh {
        refuse_to_leave_behind(context, selected, &deployer.catalog()?)?;
    }
    printer.note(format!("{}\n", rounds.beginning(&deployer, manner)));
    let numbers = Numbers::of(rounds.models().count() + rounds.tests());
    let manner = Manner {
        numbers: Some(&numbers),
        ..manner
    };
    let lines = Lines::new(&context.compiler, printer, 0, &numbers);
    let target_dir = context.target_dir();
    let runner = Runner {
        compiler: &context.compiler,
        handle: context.runtime().handle(),
        interrupted,
        fail_fast: manner.fail_fast,
        threads: manner.threads,
        target_dir: &target_dir,
        observer: &lines,
        counter: numbers.counter(),
    };
    let mut going = Going {
        context,
        deployer: &deployer,
        args,
        manner,
        interrupted,
        printer,
        numbers: &numbers,
        runner,
        unit_tests: unit_engine(context)?,
        failed: BTreeMap::new(),
        blocked: BTreeMap::new(),
        nodes: Vec::new(),
        tests: Vec::new(),
        is_stopped: false,
        other_failure: false,
    };
    going.leave_out_what_cannot_be_compiled();
    for round in &rounds.rounds {
        going.round(&rounds, round)?;
    }
    let Going {
        nodes,
        tests,
        mut other_failure,
        ..
    } = going;
    let mut results = results::of_nodes(context, deployer.compiled(), &nodes);
    results.extend(tests.iter().map(TestReport::result));
    if !interrupted.load(Ordering::SeqCst) {
        other_failure |= !project_hooks::end(context, &results, printer)?;
    }
    let seconds = clock.elapsed().as_secs_f64();
    let report = BuildReport {
        run: RunReport {
            nodes,
            seconds,
            started_at,
            other_failure,
        },
        tests: TestRun {
            tests,
            seconds,
            started_at,
            other_failure: false,
        },
    };
    write_results(&deployer, args, manner, results, seconds)?;
    if let Some(path) = &args.junit {
        write_junit(path, &report.tests)?;
    }
    if printer.is_json() {
        printer.document(&report);
    } else {
        printer.line(format!("\n{report}"));
    }
    hint_at_permission(&report.run, printer);
    args.run.inputs.tell_what_is_not_whole(&report.run, printer);
    Ok(match report.failed() {
        true => Exit::Failure,
        false => Exit::Ok,
    })
}

/// What is done together.
#[derive(Debug, Default)]
struct Round {
    /// Models, seeds and functions, in the order of the graph.
    models: Vec<UniqueId>,
    /// Unit tests of these models.
    unit_tests: Vec<UniqueId>,
    /// Data tests that wait for nothing later.
    data_tests: Vec<UniqueId>,
}

/// All rounds, and what waits for which test.
struct Rounds {
    rounds: Vec<Round>,
    /// Data test to the selected nodes that lie below all that it reads.
    below: BTreeMap<UniqueId, Vec<UniqueId>>,
}

impl Rounds {
    /// dbt's rule: what lies below everything that a test reads waits for the test.
    fn of(context: &Context, selected: &BTreeSet<UniqueId>) -> Self {
        let manifest = context.compiler.manifest();
        let chosen = |kind: fn(&Node) -> bool| -> Vec<&Node> {
            let nodes = selected.iter().filter_map(|id| manifest.nodes.get(id));
            nodes.filter(|node| kind(node)).collect()
        };
        let tests = chosen(|node| node.resource_type == ResourceType::Test);
        let mut rounds: Vec<Round> = vec![Round::default()];
        let mut number: BTreeMap<&UniqueId, usize> = BTreeMap::new();
        let mut below: BTreeMap<UniqueId, Vec<UniqueId>> = BTreeMap::new();
        let order = context.compiler.order();
        for id in &order {
            let Some(node) = manifest.nodes.get(id) else {
                continue;
            };
            let mut round = node
                .depends_on
                .iter()
                .filter_map(|parent| number.get(parent))
                .copied()
                .max()
                .unwrap_or(0);
            if !tests.is_empty() {
                let above = context.dag().ancestors(id, None);
                for test in &tests {
                    let reads = &test.depends_on;
                    if reads.is_empty() || !reads.iter().all(|read| above.contains(read)) {
                        continue;
                    }
                    let of_test = reads.iter().filter_map(|read| number.get(read)).max();
                    round = round.max(of_test.map_or(1, |round| round + 1));
                    if selected.contains(id) {
                        below
                            .entry(test.unique_id.clone())
                            .or_default()
                            .push(id.clone());
                    }
                }
            }
            if let Some((id, _)) = manifest.nodes.get_key_value(id) {
                number.insert(id, round);
            }
            if selected.contains(id) && context.compiler.is_built(id) {
                while rounds.len() <= round {
                    rounds.push(Round::default());
                }
                rounds[round].models.push(id.clone());
            }
        }
        let last = |ids: &[UniqueId]| {
            let rounds = ids.iter().filter_map(|id| number.get(id));
            rounds.copied().max().unwrap_or(0)
        };
        for test in &tests {
            let round = last(&test.depends_on);
            while rounds.len() <= round {
                rounds.push(Round::default());
            }
            rounds[round].data_tests.push(test.unique_id.clone());
        }
        for test in chosen(|node| node.resource_type == ResourceType::UnitTest) {
            let round = last(&test.depends_on).min(rounds.len() - 1);
            rounds[round].unit_tests.push(test.unique_id.clone());
        }
        Self { rounds, below }
    }

    fn tests(&self) -> usize {
        let count = |round: &Round| round.unit_tests.len() + round.data_tests.len();
        self.rounds.iter().map(count).sum()
    }

    fn models(&self) -> impl Iterator<Item = &UniqueId> {
        self.rounds.iter().flat_map(|round| &round.models)
    }

    fn beginning(&self, deployer: &Deployer<'_>, manner: Manner<'_>) -> String {
        let nodes = counted_nodes(&deployer.context.compiler, self.models());
        let tests = match self.tests() {
            0 => String::new(),
            tests => format!(" and running {}", counted(tests, "test")),
        };
        format!(
            "Building {nodes}{tests} on {} ({}) with {}",
            deployer.connector.target().name,
            deployer.connector.address(),
            counted(manner.threads, "thread")
        )
    }
}

/// A build on its way.
struct Going<'a> {
    context: &'a Context,
    deployer: &'a Deployer<'a>,
    args: &'a BuildArgs,
    manner: Manner<'a>,
    interrupted: &'a Arc<AtomicBool>,
    printer: &'a Printer,
    numbers: &'a Numbers,
    runner: Runner<'a>,
    unit_tests: UnitTests<'a>,
    /// What cannot be compiled, until it is its turn.
    failed: BTreeMap<UniqueId, NodeReport>,
    /// What is not built, and why.
    blocked: BTreeMap<UniqueId, String>,
    nodes: Vec<NodeReport>,
    tests: Vec<TestReport>,
    /// Nothing more is begun.
    is_stopped: bool,
    /// Something that belongs to no node failed.
    other_failure: bool,
}

impl Going<'_> {
    fn round(&mut self, rounds: &Rounds, round: &Round) -> Result<(), Failure> {
        self.run_unit_tests(round);
        let models = self.let_through(&round.models);
        if !models.is_empty() {
            self.run_models(&models)?;
        }
        self.run_data_tests(round, rounds)
    }

    fn leave_out_what_cannot_be_compiled(&mut self) {
        for report in self.deployer.not_compiled() {
            let id = UniqueId(report.unique_id.clone());
            if report.status == Status::Error {
                self.block(
                    std::slice::from_ref(&id),
                    &format!("{} cannot be compiled", report.name),
                );
                self.failed.insert(id, report);
            }
        }
    }

    fn run_unit_tests(&mut self, round: &Round) {
        let tests = nodes(self.context, &round.unit_tests, ResourceType::UnitTest);
        let reports = if self.stops() {
            self.runner.skipped(&tests, "the build was stopped")
        } else {
            self.runner.unit_tests(&tests, &mut self.unit_tests)
        };
        for (test, report) in tests.iter().zip(&reports) {
            if report.stops() {
                let why = format!("the unit test {} failed", report.shown());
                self.block(&test.depends_on, &why);
            }
        }
        self.keep(reports);
    }

    /// The models that may be built; the others are reported.
    fn let_through(&mut self, models: &[UniqueId]) -> BTreeSet<UniqueId> {
        let mut through = BTreeSet::new();
        for id in models {
            let why = match self.blocked.get(id) {
                Some(why) => why.clone(),
                None if self.stops() => "the build was stopped".to_owned(),
                None => {
                    through.insert(id.clone());
                    continue;
                }
            };
            let Some(node) = self.context.compiler.manifest().nodes.get(id) else {
                continue;
            };
            let failed = self.failed.remove(id);
            let report = failed.unwrap_or_else(|| NodeReport::left_out(node, &why));
            NodeLines::new(&self.context.compiler, self.printer, 0, self.numbers).ended(&report);
            self.nodes.push(report);
        }
        through
    }

    fn run_models(&mut self, models: &BTreeSet<UniqueId>) -> Result<(), Failure> {
        let options = run_options(self.deployer, &self.args.run);
        let mut fresh = self.deployer.anew(models)?;
        let mut open = models.clone();
        let mut report = report_of(Vec::new(), 0.0);
        // Models whose text asks the database are planned when what they read is there.
        let is_done = loop {
            let deployer = fresh.as_ref().unwrap_or(self.deployer);
            let plan = || Ok(deployer.plan(&open, &options)?.without_hooks());
            let (more, is_done) =
                carry_out(deployer, &plan, self.manner, self.interrupted, self.printer)?;
            report = joined(report, more);
            // The others of what cannot be compiled were told in their turn.
            let mut failed = not_told(deployer.not_compiled(), &report.nodes);
            failed.retain(|node| models.contains(&UniqueId(node.unique_id.clone())));
            NodeLines::print(&self.context.compiler, &failed, self.numbers, self.printer);
            report.nodes.extend(failed);
            if !is_done || report.failed() {
                let waiting = deployer.left_waiting();
                NodeLines::print(&self.context.compiler, &waiting, self.numbers, self.printer);
                report.nodes.extend(waiting);
                break is_done;
            }
            let Some((next, more)) = deployer.again()? else {
                break is_done;
            };
            (fresh, open) = (Some(next), more);
        };
        for node in &report.nodes {
            if matches!(
                node.status,
                Status::Error | Status::Blocked | Status::Skipped
            ) {
                let id = UniqueId(node.unique_id.clone());
                self.block(&[id], &format!("{} was not built", node.name));
            }
        }
        let failed = report.failed();
        self.other_failure |= report.other_failure;
        self.nodes.extend(report.nodes);
        self.is_stopped |= !is_done || failed && self.manner.fail_fast;
        Ok(())
    }

    fn run_data_tests(&mut self, round: &Round, rounds: &Rounds) -> Result<(), Failure> {
        let tests = nodes(self.context, &round.data_tests, ResourceType::Test);
        let (out, ready): (Vec<&Node>, Vec<&Node>) = tests.into_iter().partition(|test| {
            self.stops()
                || test
                    .depends_on
                    .iter()
                    .any(|id| self.blocked.contains_key(id))
        });
        let reports = self.runner.skipped(&out, "what it reads was not built");
        self.keep(reports);
        if ready.is_empty() {
            return Ok(());
        }
        let connector = &self.deployer.connector;
        let names = self.context.names(&connector.connect()?)?;
        let with = DataTests {
            compiler: &self.context.compiler,
            connector,
            names: Arc::new(Mutex::new(names)),
            full_refresh: self.args.run.full_refresh,
        };
        let reports = self.runner.data_tests(&ready, &with)?;
        for report in reports.iter().filter(|report| report.stops()) {
            let id = UniqueId(report.unique_id.clone());
            let below = rounds.below.get(&id).cloned().unwrap_or_default();
            let why = format!("the test {} failed", report.name);
            for id in below {
                self.blocked.entry(id).or_insert_with(|| why.clone());
            }
        }
        self.keep(reports);
        Ok(())
    }

    /// Leaves nodes out, and all that lies below them.
    fn block(&mut self, ids: &[UniqueId], why: &str) {
        for id in ids {
            let below = self.context.dag().descendants(id, None);
            for id in below.into_iter().chain([id.clone()]) {
                self.blocked.entry(id).or_insert_with(|| why.to_owned());
            }
        }
    }

    fn keep(&mut self, reports: Vec<TestReport>) {
        let failed = reports.iter().any(TestReport::stops);
        self.is_stopped |= failed && self.manner.fail_fast;
        self.tests.extend(reports);
    }

    fn stops(&self) -> bool {
        self.is_stopped || self.interrupted.load(Ordering::SeqCst)
    }
}

fn write_results(
    deployer: &Deployer<'_>,
    args: &BuildArgs,
    manner: Manner<'_>,
    results: Vec<RunResult>,
    seconds: f64,
) -> Result<(), Failure> {
    let context = deployer.context;
    let said = json!({
        "which": "build",
        "vars": context.compiler.project().cli_vars,
        "target": deployer.connector.target().name,
        "select": args.run.select.select,
        "exclude": args.run.select.exclude,
        "full_refresh": args.run.full_refresh,
        "event_time_start": args.run.event_time.event_time_start,
        "event_time_end": args.run.event_time.event_time_end,
        "empty": args.run.inputs.empty,
        "sample": args.run.inputs.shown_sample(),
        "allow_destructive": args.run.allow_destructive,
        "store_failures": args.store_failures,
        "threads": manner.threads,
        "fail_fast": manner.fail_fast,
    });
    results::write(context, results, seconds, said)?;
    context.write_manifest(deployer.compiled())?;
    Ok(())
}
