//! `rwt diff`: the project compared with an earlier manifest of it, which rwt or dbt wrote, or with a target's database.

use clap::Args;
use rwt_plan::Comparison;
use rwt_project::state::{Past, Snapshot};

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, FlagsOf};
use super::{CommandResult, Exit, diff_database};
use crate::ui::{Printer, printable};

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Exit with 3 when there are differences
    #[arg(long)]
    detailed_exitcode: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// With `--state`, the project's files against a manifest; without, the project against the target's database.
pub(super) fn main(global: &GlobalArgs, args: &DiffArgs, printer: &Printer) -> CommandResult {
    match &args.select.state {
        Some(_) => with_manifest(global, args, printer),
        None => diff_database::main(global, &args.select, args.detailed_exitcode, printer),
    }
}

fn with_manifest(global: &GlobalArgs, args: &DiffArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "compile",
        ..FlagsOf::default()
    };
    let before = Snapshot::read(&Past::manifest(args.select.state.as_deref())?)?;
    let context = Context::load_for(global, &flags, printer)?;
    let now = context.snapshot()?;
    let mut comparison = Comparison::of(&before, &now);
    if !args.select.is_empty() {
        let selected = context.selected_ids(&args.select, printer)?;
        let selected: Vec<&str> = selected.iter().map(|id| id.0.as_str()).collect();
        comparison = comparison.only(|id| selected.contains(&id));
    }
    match args.output {
        Output::Json => printer.document(&comparison),
        Output::Text => printer.line(printable(&comparison.to_string())),
    }
    Ok(if args.detailed_exitcode && !comparison.is_empty() {
        Exit::Changes
    } else {
        Exit::Ok
    })
}
