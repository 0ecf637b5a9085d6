//! `rwt run-operation`: a macro that is called by name.

use clap::Args;
use rwt_project::project::parse_mapping;
use serde_json::{Map, Value};

use super::args::GlobalArgs;
use super::context::{Context, FlagsOf, not_loaded};
use super::dbt_flags::Unneeded;
use super::{CommandResult, Exit};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct OperationArgs {
    /// The macro, `name` or `package.name`
    #[arg(value_name = "MACRO")]
    name: String,
    /// Its arguments as YAML, for example '{schema: staging, dry_run: true}'
    #[arg(
        long,
        value_name = "YAML",
        default_value = "{}",
        hide_default_value = true
    )]
    args: String,
    #[command(flatten)]
    unneeded: Unneeded,
}

pub(super) fn main(global: &GlobalArgs, args: &OperationArgs, printer: &Printer) -> CommandResult {
    let given = parse_mapping("--args", &args.args).map_err(not_loaded)?;
    let given: Map<String, Value> = given.into_iter().collect();
    let flags = FlagsOf {
        command: "run-operation",
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    let mut session = context.session()?;
    context
        .compiler
        .run_operation(&args.name, &given, &mut session)?;
    printer.note(format!("Called {}", args.name));
    Ok(Exit::Ok)
}
