//! `rwt funnel`

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use chrono::TimeDelta;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::args::GlobalArgs;
use super::context::Context;
use super::{CommandResult, Exit, Failure, interrupt};
use crate::client::Connection;
use crate::funnel::{self, CheckFailure, FunnelQuery, FunnelReport, Span, parse_duration};
use crate::ui::{Picture, Printer, funnel_csv, funnel_text};

#[derive(Debug, Args)]
pub(super) struct FunnelArgs {
    /// How many windows, newest first
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    limit: usize,
    /// Only the windows of the last while (15m, 2h), or the one that holds an instant ('2026-02-14 12:00')
    #[arg(long, value_name = "SPAN")]
    window: Option<Span>,
    /// Show it again and again in the same place, until Ctrl-C
    #[arg(short, long, conflicts_with = "check")]
    watch: bool,
    /// Seconds between two looks
    #[arg(long, default_value = "1s", value_parser = parse_duration, value_name = "TIME")]
    interval: TimeDelta,
    /// Exit with 1 and say why when the funnel is empty, older than --max-age, or wider below than above
    #[arg(long)]
    check: bool,
    /// How old the newest event may be for --check
    #[arg(long, value_parser = parse_duration, value_name = "TIME", requires = "check")]
    max_age: Option<TimeDelta>,
    /// The model that holds the funnel
    #[arg(long, default_value = "funnel", value_name = "MODEL")]
    model: String,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: FunnelOutput,
}

/// The formats of a funnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum FunnelOutput {
    /// A table for people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// The windows as CSV.
    Csv,
}

/// What `--output json` holds.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a FunnelReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<&'a [CheckFailure]>,
}

/// The model is not in the project.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("the project has no model {0}")]
#[diagnostic(
    code(rwt::funnel::no_model),
    help("`rwt ls` lists the models; `--model` names the one with the funnel")
)]
struct NoModel(String);

pub(super) fn main(global: &GlobalArgs, args: &FunnelArgs, printer: &Printer) -> CommandResult {
    let mut context = Context::load(global, printer)?;
    context.ensure_stack(printer)?;
    let query = query_of(&context, args)?;
    let connection = context.connector().connect()?;
    if args.watch {
        return watch(&context, &connection, &query, args, printer);
    }
    let report = look(&context, &connection, &query)?;
    let failures = args.check.then(|| funnel::check(&report, args.max_age));
    show(&report, failures.as_deref(), args.output, printer);
    let failures = failures.unwrap_or_default();
    for failure in &failures {
        printer.error(&miette::miette!(code = "rwt::funnel::check", "{failure}"));
    }
    Ok(if failures.is_empty() {
        Exit::Ok
    } else {
        Exit::Failure
    })
}

fn query_of(context: &Context, args: &FunnelArgs) -> Result<FunnelQuery, Failure> {
    let node = context
        .model(&args.model)
        .ok_or_else(|| Failure::usage(NoModel(args.model.clone())))?;
    Ok(FunnelQuery {
        schema: node.schema.clone(),
        relation: node.identifier.clone(),
        limit: args.limit,
        span: args.window,
    })
}

/// Reads the funnel and its freshness once.
pub(super) fn look(
    context: &Context,
    connection: &Connection,
    query: &FunnelQuery,
) -> Result<FunnelReport, Failure> {
    let last_event = match context.broker() {
        Some(broker) => funnel::last_event(&broker, &context.flows()?.topics),
        None => None,
    };
    Ok(funnel::read(connection, query, last_event)?)
}

fn show(
    report: &FunnelReport,
    failures: Option<&[CheckFailure]>,
    output: FunnelOutput,
    printer: &Printer,
) {
    match output {
        FunnelOutput::Text => printer.raw(&funnel_text(report)),
        FunnelOutput::Csv => printer.raw(&funnel_csv(report)),
        FunnelOutput::Json => printer.document(&Document { report, failures }),
    }
}

/// Draws over the last picture on a terminal, and prints one picture after the other into a pipe.
fn watch(
    context: &Context,
    connection: &Connection,
    query: &FunnelQuery,
    args: &FunnelArgs,
    printer: &Printer,
) -> CommandResult {
    let runtime = context.runtime();
    let interrupted = interrupt::flag(runtime.handle())?;
    let in_place = args.output == FunnelOutput::Text;
    let mut picture = Picture::new(printer);
    let pause = args.interval.to_std().unwrap_or(Duration::from_secs(1));
    while !interrupted.load(Ordering::Relaxed) {
        let report = look(context, connection, query)?;
        if in_place {
            picture.draw(&funnel_text(&report));
        } else {
            show(&report, None, args.output, printer);
        }
        let mut waited = Duration::ZERO;
        while waited < pause && !interrupted.load(Ordering::Relaxed) {
            let step = Duration::from_millis(50).min(pause - waited);
            thread::sleep(step);
            waited += step;
        }
    }
    Ok(Exit::Ok)
}
