//! `rwt retry`: what the last run did not do, with that run's options.

use std::collections::BTreeSet;

use clap::Args;
use rwt_project::manifest::UniqueId;
use serde::Deserialize;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, FlagsOf};
use super::run::{RunArgs, run_selected};
use super::{CommandResult, Exit, Failure};
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
    help("`rwt run` writes target/run_results.json, from which this command knows what to do")
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
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct RunFlags {
    which: String,
    full_refresh: bool,
    allow_destructive: bool,
    fail_fast: bool,
    threads: Option<u16>,
}

pub(super) fn main(global: &GlobalArgs, args: &RetryArgs, printer: &Printer) -> CommandResult {
    let mut context = Context::load_for(global, &FlagsOf::default(), printer)?;
    let path = context.target_dir().join("run_results.json");
    let no_run = |why: String| Failure::usage(NoRun(format!("{}: {why}", path.display())));
    let text = std::fs::read(&path).map_err(|error| no_run(error.to_string()))?;
    let results: Results =
        serde_json::from_slice(&text).map_err(|error| no_run(error.to_string()))?;
    if results.args.which != "run" {
        return Err(no_run(format!("it is of `{}`", results.args.which)));
    }
    let open: BTreeSet<UniqueId> = results
        .results
        .into_iter()
        .filter(|result| matches!(result.status.as_str(), "error" | "skipped"))
        .map(|result| UniqueId(result.unique_id))
        .filter(|id| context.compiler.manifest().nodes.contains_key(id))
        .collect();
    if open.is_empty() {
        printer.line("Nothing to retry: the last run did all that it was to do.");
        return Ok(Exit::Ok);
    }
    let flags = results.args;
    if flags.full_refresh {
        // Templates see the flag.
        let flags = FlagsOf {
            full_refresh: true,
            ..FlagsOf::default()
        };
        context = Context::load_for(global, &flags, printer)?;
    }
    context.ensure_stack(printer)?;
    let run = RunArgs {
        select: SelectArgs::default(),
        full_refresh: flags.full_refresh,
        allow_destructive: flags.allow_destructive,
        wait: args.wait,
        threads: args
            .threads
            .or(flags.threads.filter(|threads| *threads > 0)),
        fail_fast: flags.fail_fast,
        output: args.output,
    };
    run_selected(&context, &run, &open, printer)
}
