//! `rwt adopt`

use clap::Args;
use rwt_plan::Options;
use rwt_plan::plan::{Action, Adopt, ObjectPlan};
use serde::Serialize;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::Context;
use super::deploy::{Deployer, Planned, is_different};
use super::{CommandResult, Exit, interrupt};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct AdoptArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Take objects whose definition is another one as they are, too: only what changes from now on counts
    #[arg(long)]
    all: bool,
    /// Say what would be adopted, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait until another rwt has ended, instead of giving up
    #[arg(long)]
    wait: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What was adopted and what was not.
#[derive(Debug, Default, Serialize)]
struct AdoptReport {
    /// `schema.name` of what is known from now on.
    adopted: Vec<String>,
    /// `schema.name` of what has another definition and stays unknown.
    different: Vec<String>,
}

pub(super) fn main(global: &GlobalArgs, args: &AdoptArgs, printer: &Printer) -> CommandResult {
    let mut context = Context::load(global, printer)?;
    context.ensure_stack(printer)?;
    let selected = context.selected_ids(&args.select, printer)?;
    let interrupted = interrupt::flag(context.runtime().handle())?;
    let mut deployer = Deployer::open(&context, &selected)?;
    deployer.check_compiled()?;
    let options = Options {
        adopt: if args.all { Adopt::All } else { Adopt::Compare },
        ..deployer.options()
    };
    let mut planned = deployer.plan(&selected, &options)?;
    let is_left = |object: &ObjectPlan| is_different(object) && !args.all;
    if !args.dry_run
        && planned
            .plan
            .objects
            .iter()
            .any(|o| o.action == Action::Adopt)
    {
        let lock = deployer.lock("adopt", args.wait, &interrupted, printer)?;
        planned = deployer.plan(&selected, &options)?;
        // Only what exists and was unknown; changes of known objects are not adopt's.
        let only_adopted = planned
            .plan
            .objects
            .iter()
            .filter(|object| object.action == Action::Adopt && !is_left(object));
        let ids: Vec<String> = only_adopted.map(|o| o.unique_id.clone()).collect();
        deployer.adopt(&planned, &ids)?;
        drop(lock);
    }
    let report = report(&planned, is_left, printer);
    let verb = if args.dry_run {
        "would be adopted"
    } else {
        "adopted"
    };
    if report.adopted.is_empty() && report.different.is_empty() {
        printer.line("Nothing to adopt: every object that exists is known.");
    } else {
        printer.line(format!(
            "{} {verb}, {} left as they are.",
            report.adopted.len(),
            report.different.len()
        ));
    }
    if printer.is_json() {
        printer.document(&report);
    }
    Ok(if report.different.is_empty() {
        Exit::Ok
    } else {
        Exit::Failure
    })
}

fn report(
    planned: &Planned,
    is_left: impl Fn(&ObjectPlan) -> bool,
    printer: &Printer,
) -> AdoptReport {
    let mut report = AdoptReport::default();
    let adopted = |object: &&ObjectPlan| object.action == Action::Adopt;
    for object in planned.plan.objects.iter().filter(adopted) {
        let name = object.relation.to_string();
        if is_left(object) {
            printer.line(format!("different: {} {name}", object.kind));
            for line in object.diff.lines() {
                printer.line(format!("    {line}"));
            }
            report.different.push(name);
        } else {
            printer.line(format!("same: {} {name}", object.kind));
            report.adopted.push(name);
        }
    }
    report
}
