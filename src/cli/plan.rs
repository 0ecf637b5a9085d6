//! `rwt plan`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rwt_plan::{Options, Plan};

use super::args::{GlobalArgs, SelectArgs};
use super::context::{Context, FlagsOf, unexpected};
use super::deploy::{Deployer, adopting};
use super::{CommandResult, Exit, Failure, topic_check};
use crate::ui::Printer;

/// What is planned; `plan` and `apply` take the same.
#[derive(Debug, Clone, Args)]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Drop objects whose model is no longer in the project
    #[arg(long)]
    pub prune: bool,
    /// Build the selected models anew although they have not changed
    #[arg(short, long)]
    pub full_refresh: bool,
    /// Plan what loses rows or makes a sink emit again, instead of leaving it as it is
    #[arg(long)]
    pub allow_destructive: bool,
    /// Bring objects back that were changed outside of rwt
    #[arg(long)]
    pub repair: bool,
    /// Drop what earlier deployments have left behind
    #[arg(long)]
    pub clean_up: bool,
}

impl ChangeArgs {
    /// Takes the options over those of the project.
    pub(super) fn over(&self, options: Options) -> Options {
        adopting(Options {
            prune: self.prune,
            full_refresh: self.full_refresh,
            allow_destructive: self.allow_destructive,
            repair: self.repair,
            clean_up: self.clean_up,
            ..options
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// Show unchanged objects, too
    #[arg(short, long)]
    all: bool,
    /// Show the statements, in order, secrets hidden
    #[arg(long)]
    sql: bool,
    /// Write the plan to a file, which `rwt apply FILE` carries out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Exit with 3 when there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: PlanOutput,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum PlanOutput {
    /// For people.
    #[default]
    Text,
    /// One JSON document on stdout.
    Json,
    /// A comment for a pull request, in GitHub's Markdown, on stdout.
    Markdown,
}

pub(super) fn main(global: &GlobalArgs, args: &PlanArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "run",
        full_refresh: args.change.full_refresh,
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    let selected = context.selected_to_run(&args.change.select, printer)?;
    let mut deployer = Deployer::open(&context, &selected)?;
    deployer.check_compiled()?;
    if let Some(unfinished) = deployer.unfinished()? {
        printer.warning(&*miette::miette!(
            severity = miette::Severity::Warning,
            code = "rwt::apply::unfinished",
            help = "`rwt apply` finishes it, `rwt apply --abort` undoes it; this plan counts with neither",
            "deployment {} of {} (since {}) has not come to its end",
            unfinished.plan.deployment,
            unfinished.holder,
            unfinished.started_at
        ));
    }
    let plan = deployer
        .plan(&selected, &args.change.over(deployer.options()))?
        .plan;
    topic_check::check(&context, &plan, printer);
    if let Some(path) = &args.out {
        write(&plan, path)?;
    }
    match args.output {
        PlanOutput::Json => printer.document(&plan),
        PlanOutput::Markdown => printer.raw(&plan.markdown(args.sql)),
        PlanOutput::Text => {
            show(&plan, args.all, printer);
            if args.sql {
                printer.line(format!("\n{}", plan.sql().trim_end()));
            }
            deployer.tell_what_waits(printer);
        }
    }
    if let Some(path) = &args.out {
        printer.note(format!(
            "\nWritten to {}; `rwt apply {}` carries it out.",
            path.display(),
            path.display()
        ));
    }
    Ok(
        if args.detailed_exitcode && (plan.has_changes() || !deployer.waiting().is_empty()) {
            Exit::Changes
        } else {
            Exit::Ok
        },
    )
}

/// The plan with the differences of its statements.
pub(super) fn show(plan: &Plan, all: bool, printer: &Printer) {
    printer.line(plan.text(all, true).trim_end());
}

/// Writes a plan as a whole or not at all.
fn write(plan: &Plan, path: &std::path::Path) -> Result<(), Failure> {
    let doing = format!("{} cannot be written", path.display());
    let text = serde_json::to_vec_pretty(plan)
        .map_err(|error| Failure::usage(miette::miette!("{doing}: {error}")))?;
    let draft = path.with_extension("json.new");
    std::fs::write(&draft, text).map_err(unexpected(&doing))?;
    std::fs::rename(&draft, path).map_err(unexpected(&doing))
}
