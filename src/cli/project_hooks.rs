//! The project's hooks outside of a plan: `on-run-start` of commands that make none, and `on-run-end`, which is told how every
//! node went as `results`.

use rwt_compiler::When;
use rwt_compiler::artifacts::RunResult;

use super::Failure;
use super::context::Context;
use crate::ui::Printer;

/// Runs the hooks at the start; nothing goes on where one fails.
pub(super) fn start(context: &Context) -> Result<(), Failure> {
    if !context.compiler.project().file.on_run_start.is_empty() {
        let mut session = context.session()?;
        context.compiler.run_hooks(When::Start, &mut session)?;
    }
    Ok(())
}

/// Runs the hooks at the end. False if one of them failed, which is told.
pub(super) fn end(
    context: &Context,
    results: &[RunResult],
    printer: &Printer,
) -> Result<bool, Failure> {
    if context.compiler.project().file.on_run_end.is_empty() {
        return Ok(true);
    }
    let mut session = context.session()?;
    match context.compiler.run_end_hooks(results, &mut session) {
        Ok(_) => Ok(true),
        Err(error) => {
            printer.problem(&error);
            Ok(false)
        }
    }
}
