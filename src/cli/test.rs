//! `rwt test`

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use clap::{Args, ValueEnum};
use rwt_compiler::Compiler;
use rwt_compiler::artifacts::RunResult;
use rwt_plan::counted;
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use serde_json::json;

use super::args::{FailFastArgs, GlobalArgs, Output, SelectArgs};
use super::context::{Context, FlagsOf, unexpected};
use super::node_events::NodeEvents;
use super::node_lines::Numbers;
use super::{
    CommandResult, Exit, Failure, interrupt, project_hooks, results, test_record, test_watch,
};
use crate::testing::{
    Coverage, DataTests, Runner, TestObserver, TestReport, TestRun, UnitTests, Verdict, coverage,
    junit,
};
use crate::ui::{Printer, RunProgress, test_detail, test_line};

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Only tests of this kind
    #[arg(long, value_enum, value_name = "KIND")]
    pub resource_type: Option<TestKind>,
    /// Keep the rows that fail in tables, for tests that do not say otherwise
    #[arg(long, env = "DBT_STORE_FAILURES", value_parser = clap::builder::FalseyValueParser::new())]
    pub store_failures: bool,
    /// Make live tests (materialized views) anew
    #[arg(short, long)]
    pub full_refresh: bool,
    /// Data tests at once, instead of the target's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    #[command(flatten)]
    pub fail_fast: FailFastArgs,
    /// Write the results as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Stay, and run the tests again whenever a file of the project has changed
    #[arg(long)]
    pub watch: bool,
    /// Run unit tests only, and show which models and which branches of CASE have none
    #[arg(long, conflicts_with = "record")]
    pub coverage: bool,
    /// Write a unit test of this model from rows of the database
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["select", "exclude", "selector", "watch", "junit"])]
    pub record: Option<String>,
    /// Rows that --record takes of each input
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

impl TestArgs {
    /// What `rwt retry` runs.
    pub(super) fn again(store_failures: bool, threads: Option<u16>, fail_fast: bool) -> Self {
        Self {
            select: SelectArgs::default(),
            resource_type: None,
            store_failures,
            full_refresh: false,
            threads,
            fail_fast: FailFastArgs::again(fail_fast),
            junit: None,
            watch: false,
            coverage: false,
            record: None,
            limit: 1,
            output: Output::Text,
        }
    }
}

/// dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TestKind {
    /// Data tests.
    Test,
    /// Unit tests.
    #[value(name = "unit_test")]
    UnitTest,
}

impl TestKind {
    fn takes(self, node: &Node) -> bool {
        match self {
            Self::Test => node.resource_type == ResourceType::Test,
            Self::UnitTest => node.resource_type == ResourceType::UnitTest,
        }
    }
}

pub(super) fn main(global: &GlobalArgs, args: &TestArgs, printer: &Printer) -> CommandResult {
    if args.watch {
        return test_watch::watch(global, args, printer);
    }
    let mut context = load(global, args, printer)?;
    if let Some(model) = &args.record {
        return test_record::record(&mut context, model, args.limit, printer);
    }
    let interrupted = interrupt::flag(context.runtime().handle())?;
    run(&mut context, args, &interrupted, printer)
}

pub(super) fn load(
    global: &GlobalArgs,
    args: &TestArgs,
    printer: &Printer,
) -> Result<Context, Failure> {
    let flags = FlagsOf {
        command: "test",
        full_refresh: args.full_refresh,
        store_failures: args.store_failures,
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    if let Some(deferral) = global.dbt.defer.read(args.select.state.as_deref())? {
        let selected = selected(&context, args, printer)?.into_iter().collect();
        context.defer(Some(deferral), &selected, false, printer)?;
    }
    Ok(context)
}

/// Runs the selected tests.
pub(super) fn run(
    context: &mut Context,
    args: &TestArgs,
    interrupted: &Arc<AtomicBool>,
    printer: &Printer,
) -> CommandResult {
    let mut ids = selected(context, args, printer)?;
    if args.coverage {
        ids.retain(|id| is(context, id, ResourceType::UnitTest));
    }
    run_these(context, args, ids, interrupted, printer)
}

/// Runs tests that were selected otherwise. A database is needed only where data tests are among them.
pub(super) fn run_these(
    context: &mut Context,
    args: &TestArgs,
    ids: Vec<UniqueId>,
    interrupted: &Arc<AtomicBool>,
    printer: &Printer,
) -> CommandResult {
    let clock = Instant::now();
    let started_at = chrono::Utc::now();
    let has_data = ids.iter().any(|id| is(context, id, ResourceType::Test));
    if has_data {
        context.ensure_stack(printer)?;
    }
    let context = &*context;
    let threads = args.threads.map_or(context.target().threads, usize::from);
    let fail_fast = args.fail_fast.holds(context);
    let numbers = Numbers::of(ids.len());
    let lines = Lines::new(&context.compiler, printer, ids.len(), &numbers);
    let target_dir = context.target_dir();
    let runner = Runner {
        compiler: &context.compiler,
        handle: context.runtime().handle(),
        interrupted,
        fail_fast,
        threads,
        target_dir: &target_dir,
        observer: &lines,
        counter: numbers.counter(),
    };
    if !ids.is_empty() {
        printer.note(format!("{}\n", beginning(context, &ids, threads)));
    }
    let mut unit_tests = unit_engine(context)?;
    let units = nodes(context, &ids, ResourceType::UnitTest);
    let mut tests = runner.unit_tests(&units, &mut unit_tests);
    let data = nodes(context, &ids, ResourceType::Test);
    let stops = fail_fast && tests.iter().any(TestReport::stops);
    // The hooks need the database, as data tests do. Who watches does not want them each time.
    let has_hooks = has_data && !stops && !args.watch;
    if stops {
        tests.extend(runner.skipped(&data, "a unit test failed, and --fail-fast was said"));
    } else if has_data {
        if has_hooks {
            project_hooks::start(context)?;
        }
        let connector = context.connector();
        let names = context.names(&connector.connect()?)?;
        let with = DataTests {
            compiler: &context.compiler,
            connector: &connector,
            names: Arc::new(Mutex::new(names)),
            full_refresh: args.full_refresh,
        };
        tests.extend(runner.data_tests(&data, &with)?);
    }
    lines.progress.finish();
    let results: Vec<RunResult> = tests.iter().map(TestReport::result).collect();
    let hooks_hold = !has_hooks
        || interrupted.load(Ordering::SeqCst)
        || project_hooks::end(context, &results, printer)?;
    let run = TestRun {
        tests,
        seconds: clock.elapsed().as_secs_f64(),
        started_at,
        other_failure: !hooks_hold,
    };
    write_results(context, args, results, run.seconds)?;
    if let Some(path) = &args.junit {
        write_junit(path, &run)?;
    }
    let covered = match args.coverage {
        true => Some(covered(context, args, &mut unit_tests, printer)?),
        false => None,
    };
    match &covered {
        Some(coverage) if printer.is_json() => {
            printer.document(&json!({"run": run, "coverage": coverage}));
        }
        None if printer.is_json() => printer.document(&run),
        Some(coverage) => printer.line(format!("\n{run}\n\n{coverage}")),
        None => printer.line(format!("\n{run}")),
    }
    let is_cut_short = run.count(Verdict::Skipped) > 0;
    Ok(match run.failed() || is_cut_short {
        true => Exit::Failure,
        false => Exit::Ok,
    })
}

/// What the unit tests of the selected models cover.
fn covered(
    context: &Context,
    args: &TestArgs,
    tests: &mut UnitTests<'_>,
    printer: &Printer,
) -> Result<Coverage, Failure> {
    let ids: Vec<UniqueId> = context
        .selected_ids(&args.select, printer)?
        .into_iter()
        .collect();
    let models = nodes(context, &ids, ResourceType::Model);
    let measured = coverage(&context.compiler, &models, tests);
    Ok(context.runtime().block_on(measured)?)
}

/// The engine for unit tests.
pub(super) fn unit_engine(context: &Context) -> Result<UnitTests<'_>, Failure> {
    UnitTests::new(&context.compiler).map_err(|error| {
        Failure::usage(miette::miette!(
            "the engine for unit tests cannot be made: {error}"
        ))
    })
}

/// The tests that are selected, by id.
fn selected(
    context: &Context,
    args: &TestArgs,
    printer: &Printer,
) -> Result<Vec<UniqueId>, Failure> {
    let ids = context.selected_ids(&args.select, printer)?;
    let nodes = &context.compiler.manifest().nodes;
    let wanted = |id: &UniqueId| {
        nodes.get(id).is_some_and(|node| {
            node.resource_type.is_test() && args.resource_type.is_none_or(|kind| kind.takes(node))
        })
    };
    Ok(ids.into_iter().filter(wanted).collect())
}

fn is(context: &Context, id: &UniqueId, kind: ResourceType) -> bool {
    let node = context.compiler.manifest().nodes.get(id);
    node.is_some_and(|node| node.resource_type == kind)
}

/// The nodes of one kind among ids.
pub(super) fn nodes<'a>(
    context: &'a Context,
    ids: &[UniqueId],
    kind: ResourceType,
) -> Vec<&'a Node> {
    let nodes = &context.compiler.manifest().nodes;
    ids.iter()
        .filter_map(|id| nodes.get(id))
        .filter(|node| node.resource_type == kind)
        .collect()
}

fn beginning(context: &Context, ids: &[UniqueId], threads: usize) -> String {
    let count = |kind: ResourceType| nodes(context, ids, kind).len();
    let (units, data) = (count(ResourceType::UnitTest), count(ResourceType::Test));
    let mut parts = Vec::new();
    if units > 0 {
        parts.push(format!("{} in this process", counted(units, "unit test")));
    }
    if data > 0 {
        let target = context.target();
        parts.push(format!(
            "{} on {} ({}) with {}",
            counted(data, "data test"),
            target.name,
            context.connector().address(),
            counted(threads, "thread")
        ));
    }
    format!("Running {}", parts.join(" and "))
}

/// One line per test, as dbt prints them, and below it what is wrong.
pub(super) struct Lines<'a> {
    pub progress: RunProgress,
    compiler: &'a Compiler,
    numbers: &'a Numbers,
}

impl<'a> Lines<'a> {
    pub(super) fn new(
        compiler: &'a Compiler,
        printer: &Printer,
        total: usize,
        numbers: &'a Numbers,
    ) -> Self {
        Self {
            progress: RunProgress::new(printer, total),
            compiler,
            numbers,
        }
    }

    fn events(&self) -> NodeEvents<'_> {
        NodeEvents::new(self.compiler, &self.progress, self.numbers.begun())
    }
}

impl TestObserver for Lines<'_> {
    fn began(&self, test: &Node, thread: usize, total: usize) {
        self.events().begins(&test.unique_id.0, thread, total);
    }

    fn finished(&self, index: usize, total: usize, report: &TestReport) {
        let line = test_line(index, total, report);
        self.events().test_ended(&line, index, total, report);
        if let Some(error) = &report.error {
            self.progress.error(error);
        }
        if let Some(detail) = test_detail(report) {
            self.progress.line(&detail);
        }
        self.progress.advance();
    }
}

pub(super) fn write_junit(path: &Path, run: &TestRun) -> Result<(), Failure> {
    let doing = format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unexpected(&doing))?;
    }
    std::fs::write(path, junit(run)).map_err(unexpected(&doing))
}

fn write_results(
    context: &Context,
    args: &TestArgs,
    tests: Vec<RunResult>,
    seconds: f64,
) -> Result<(), Failure> {
    let said = json!({
        "which": "test",
        "vars": context.compiler.project().cli_vars,
        "target": context.target().name,
        "select": args.select.select,
        "exclude": args.select.exclude,
        "store_failures": args.store_failures,
        "threads": args.threads,
        "fail_fast": args.fail_fast.holds(context),
    });
    results::write(context, tests, seconds, said)
}
