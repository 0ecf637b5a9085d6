//! `rwt diff`

use clap::Args;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::{CommandResult, diff_database};
use crate::ui::Printer;

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

pub(super) fn main(global: &GlobalArgs, args: &DiffArgs, printer: &Printer) -> CommandResult {
    diff_database::main(global, &args.select, args.detailed_exitcode, printer)
}
