//! `rwt run`

use std::sync::{Arc, Mutex};
use std::time::Instant;

use clap::Args;
use rwt_compiler::When;
use rwt_compiler::materialize::Session as _;
use rwt_plan::CatalogSnapshot;
use rwt_project::manifest::Node;
use serde_json::json;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, DatabaseFailure, FlagsOf};
use super::{CommandResult, Exit, Failure, interrupt};
use crate::apply::{
    self, DropReport, Hanging, LiveSession, NodeReport, Observer, RunOptions, RunResults, RunScope,
};
use crate::catalog::{self, Names};
use crate::client::Connection;
use crate::ui::{Printer, RunProgress};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Drop the selected models, children first, and create them again; their data is lost
    #[arg(short, long)]
    full_refresh: bool,
    /// Models at once, instead of the target's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Begin nothing new after the first failure
    #[arg(short = 'x', long)]
    fail_fast: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

impl RunArgs {
    /// What the demo runs: everything.
    pub(super) fn everything() -> Self {
        Self {
            select: SelectArgs::default(),
            full_refresh: false,
            threads: None,
            fail_fast: false,
            output: Output::Text,
        }
    }
}

pub(super) fn main(global: &GlobalArgs, args: &RunArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "run",
        full_refresh: args.full_refresh,
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    run(&context, args, printer)
}

/// Runs the selected models on the context's target, which is up.
pub(super) fn run(context: &Context, args: &RunArgs, printer: &Printer) -> CommandResult {
    let compiler = &context.compiler;
    let nodes = context.select(&args.select, printer)?;
    context.ensure_topics(printer)?;
    let runtime = context.runtime();
    let interrupted = interrupt::flag(runtime.handle())?;
    let connector = context.connector();
    let connection = connector.connect()?;
    let mut catalog = catalog::read(&connection)
        .map_err(DatabaseFailure::new("the catalog cannot be read"))?;

    if args.full_refresh {
        full_refresh(&connection, &nodes, &catalog, printer)?;
        catalog = catalog::read(&connection)
            .map_err(DatabaseFailure::new("the catalog cannot be read"))?;
    }
    let threads = args.threads.map_or(connector.target().threads, usize::from);
    printer.note(format!(
        "Running {} model{} on {} ({}) with {threads} thread{}\n",
        nodes.len(),
        if nodes.len() == 1 { "" } else { "s" },
        connector.target().name,
        connector.address(),
        if threads == 1 { "" } else { "s" },
    ));

    let clock = Instant::now();
    let names = Names::of(&catalog, &connector.target().database);
    let names = Arc::new(Mutex::new(names));
    let mut session = LiveSession::new(
        connection,
        names.clone(),
        &connector.target().database,
        &connector.target().schema,
    );
    for statement in compiler.schema_statements(nodes.iter().map(|node| &node.unique_id)) {
        session
            .execute(&statement.text)
            .map_err(DatabaseFailure::new("a schema cannot be created"))?;
    }
    compiler.run_hooks(When::Start, &mut session)?;
    let observer = Lines {
        progress: RunProgress::new(printer, nodes.len()),
    };
    let report = apply::run(
        RunScope {
            compiler,
            connector: &connector,
            names: &names,
        },
        &nodes,
        RunOptions {
            threads,
            fail_fast: args.fail_fast,
        },
        &observer,
        &interrupted,
    );
    observer.progress.finish();
    let mut report = report?;
    compiler.run_hooks(When::End, &mut session)?;
    report.seconds = clock.elapsed().as_secs_f64();

    let results = RunResults {
        report: &report,
        args: json!({
            "which": "run",
            "target": connector.target().name,
            "select": args.select.select,
            "exclude": args.select.exclude,
            "full_refresh": args.full_refresh,
            "threads": threads,
            "fail_fast": args.fail_fast,
        }),
        invocation_id: compiler.invocation_id(),
    };
    results.write(&context.target_dir()).map_err(|error| {
        Failure::usage(miette::miette!(
            "the run is done, but {}/run_results.json cannot be written: {error}",
            context.target_dir().display()
        ))
    })?;
    if printer.is_json() {
        printer.document(&report);
    } else {
        printer.line(format!("\n{report}"));
    }
    Ok(if report.failed() {
        Exit::Failure
    } else {
        Exit::Ok
    })
}

/// Something outside of the selection hangs on what a full refresh or a drop would take away.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("nothing was dropped, because {} object{} outside of the selection would break:{}", hanging.len(), if hanging.len() == 1 { "" } else { "s" }, list(hanging))]
#[diagnostic(
    code(rwt::apply::dependents),
    help(
        "select them too (`--select model+` takes everything below a model), or drop them yourself first"
    )
)]
pub(super) struct DependentsError {
    pub hanging: Vec<Hanging>,
}

fn list(hanging: &[Hanging]) -> String {
    hanging
        .iter()
        .map(|h| format!("\n  {} hangs on {}", h.object, h.on))
        .collect()
}

fn full_refresh(
    connection: &Connection,
    nodes: &[&Node],
    catalog: &CatalogSnapshot,
    printer: &Printer,
) -> Result<(), Failure> {
    let (steps, hanging) = apply::drop_steps(nodes.iter().copied(), catalog);
    if !hanging.is_empty() {
        return Err(DependentsError { hanging }.into());
    }
    if steps.is_empty() {
        return Ok(());
    }
    printer.note(format!(
        "Full refresh: {} objects are dropped, children first, and created again; the rows in their tables are lost",
        steps.len()
    ));
    let mut report = DropReport::default();
    apply::drop_all(connection, &steps, &mut report, |step| {
        printer.note(format!("  dropped {step}"));
    })
    .map_err(DatabaseFailure::new("a full refresh cannot go on"))?;
    Ok(())
}

/// One line per node, as dbt prints them.
struct Lines {
    progress: RunProgress,
}

impl Observer for Lines {
    fn working_on(&self, names: &[String]) {
        self.progress.working_on(names);
    }

    fn finished(&self, index: usize, total: usize, report: &NodeReport) {
        self.progress
            .line(&crate::ui::run_line(index, total, report));
        if let Some(error) = &report.error {
            self.progress.error(error);
        }
        self.progress.advance();
    }
}
