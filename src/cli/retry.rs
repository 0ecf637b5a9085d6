//! `rwt retry`: what the last run did not do, with that run's options.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use rwt_compiler::microbatch::BatchResults;
use rwt_project::manifest::UniqueId;
use serde::Deserialize;
use serde_json::Value;

use super::args::{EventTimeArgs, FailFastArgs, GlobalArgs, KindArgs, Output, SelectArgs};
use super::build::{BuildArgs, build};
use super::context::{Context, FlagsOf};
use super::inputs::{Deferral, InputArgs, sample};
use super::run::{RunArgs, run_selected};
use super::test::{TestArgs, run_these};
use super::{CommandResult, Exit, Failure, interrupt};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// Models at once, instead of that run's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Wait until another rwt has ended, instead of giving up
    #[arg(long)]
    wait: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// There is no run to go on with.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("there is no run to retry: {0}")]
#[diagnostic(
    code(rwt::retry::nothing),
    help(
        "`rwt run`, `rwt build` and `rwt test` write target/run_results.json, from which this command knows what to do"
    )
)]
struct NoRun(String);

/// The parts of run_results.json that are needed.
#[derive(Deserialize)]
struct Results {
    results: Vec<NodeResult>,
    args: RunFlags,
}

#[derive(Deserialize)]
struct NodeResult {
    unique_id: String,
    status: String,
    batch_results: Option<Value>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct RunFlags {
    which: String,
    full_refresh: bool,
    allow_destructive: bool,
    fail_fast: bool,
    store_failures: bool,
    threads: Option<u16>,
    empty: bool,
    sample: Option<String>,
    defer: bool,
    defer_state: Option<PathBuf>,
    favor_state: bool,
    event_time_start: Option<DateTime<Utc>>,
    event_time_end: Option<DateTime<Utc>>,
}

pub(super) fn main(global: &GlobalArgs, args: &RetryArgs, printer: &Printer) -> CommandResult {
    let mut context = Context::load_for(global, &FlagsOf::default(), printer)?;
    let path = context.target_dir().join("run_results.json");
    let no_run = |why: String| Failure::usage(NoRun(format!("{}: {why}", path.display())));
    let text = std::fs::read(&path).map_err(|error| no_run(error.to_string()))?;
    let results: Results =
        serde_json::from_slice(&text).map_err(|error| no_run(error.to_string()))?;
    let which = results.args.which.clone();
    if !matches!(which.as_str(), "run" | "build" | "test") {
        return Err(no_run(format!("it is of `{which}`")));
    }
    let is_open = |result: &&NodeResult| {
        matches!(
            result.status.as_str(),
            "error" | "fail" | "skipped" | "partial success"
        )
    };
    // Of a microbatch model that was begun, what failed is left to do.
    let batches: HashMap<UniqueId, BatchResults> = (results.results.iter())
        .filter(is_open)
        .filter_map(|result| {
            let batches = BatchResults::from_json(result.batch_results.as_ref()?)?;
            let is_begun = !batches.successful.is_empty() && !batches.failed.is_empty();
            is_begun.then(|| (UniqueId(result.unique_id.clone()), batches))
        })
        .collect();
    let open: BTreeSet<UniqueId> = (results.results.iter())
        .filter(is_open)
        .map(|result| UniqueId(result.unique_id.clone()))
        .filter(|id| context.compiler.manifest().nodes.contains_key(id))
        .collect();
    if open.is_empty() {
        printer.line("Nothing to retry: the last run did all that it was to do.");
        return Ok(Exit::Ok);
    }
    let flags = results.args;
    let event_time = EventTimeArgs {
        event_time_start: flags.event_time_start,
        event_time_end: flags.event_time_end,
    };
    let span = event_time.span()?;
    let sample = flags.sample.as_deref().and_then(|text| sample(text).ok());
    let inputs = InputArgs::again(flags.empty, sample);
    let is_plain = !flags.full_refresh && !flags.store_failures && span.is_none();
    if !is_plain || inputs.limiting().is_some() || which != "run" {
        // Templates see the command and its flags.
        let flags = FlagsOf {
            command: match which.as_str() {
                "build" => "build",
                "test" => "test",
                _ => "run",
            },
            full_refresh: flags.full_refresh,
            store_failures: flags.store_failures,
            event_time: span,
            empty: flags.empty,
            sample,
            ..FlagsOf::default()
        };
        context = Context::load_for(global, &flags, printer)?;
    }
    if let (true, Some(folder)) = (flags.defer, &flags.defer_state) {
        let deferral = Deferral::read(folder, flags.favor_state)?;
        context.defer(Some(deferral), &open, which != "test", printer)?;
    }
    let threads = args
        .threads
        .or(flags.threads.filter(|threads| *threads > 0));
    if which == "test" {
        let mut again = TestArgs::again(flags.store_failures, threads, flags.fail_fast);
        again.output = args.output;
        let interrupted = interrupt::flag(context.runtime().handle())?;
        let open = open.into_iter().collect();
        return run_these(&mut context, &again, open, &interrupted, printer);
    }
    context.ensure_stack(printer)?;
    // A full refresh begins by dropping what there is.
    if !flags.full_refresh {
        context.compiler.go_on_with(batches);
    }
    let run = RunArgs {
        select: SelectArgs::default(),
        full_refresh: flags.full_refresh,
        event_time,
        inputs,
        allow_destructive: flags.allow_destructive,
        wait: args.wait,
        threads,
        fail_fast: FailFastArgs::again(flags.fail_fast),
        output: args.output,
    };
    if which == "build" {
        let again = BuildArgs {
            run,
            kinds: KindArgs::default(),
            store_failures: flags.store_failures,
            junit: None,
        };
        return build(&context, &again, &open, printer);
    }
    run_selected(&context, &run, &open, printer)
}
