//! `rwt lint`

use clap::Args;
use rwt_plan::{Advice, counted};

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, FlagsOf};
use super::{CommandResult, Exit};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct LintArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

pub(super) fn main(global: &GlobalArgs, args: &LintArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "compile",
        full_refresh: false,
        ..FlagsOf::default()
    };
    let context = Context::load_for(global, &flags, printer)?;
    let selected = context.selected_ids(&args.select, printer)?;
    let desired = context.desired()?;
    // The project's hooks are of every selection.
    let is_selected = |advice: &Advice| {
        advice.unique_id.starts_with("operation.")
            || selected.iter().any(|id| id.0 == advice.unique_id)
    };
    let found: Vec<Advice> = rwt_plan::lint(&desired)
        .into_iter()
        .filter(is_selected)
        .collect();
    if printer.is_json() {
        printer.document(&found);
    } else if found.is_empty() {
        printer.line("Nothing to advise.");
    } else {
        for advice in &found {
            printer.line(advice.to_string());
        }
        printer.line(format!(
            "{}. `lint_ignore` in the configuration of a model, or as a variable, silences a code.",
            counted(found.len(), "warning")
        ));
    }
    Ok(if found.is_empty() {
        Exit::Ok
    } else {
        Exit::Failure
    })
}
