//! `on-run-end`: sent when it is known how every node went, and told that as `results`.

use rwt_compiler::artifacts::RunResult;

use super::Failure;
use super::context::Context;
use crate::ui::Printer;

/// Runs the hooks. False if one of them failed, which is told.
pub(super) fn run(
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
