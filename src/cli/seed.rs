//! `rwt seed`

use std::collections::BTreeSet;

use clap::Args;
use rwt_project::manifest::{ResourceType, UniqueId};

use super::args::GlobalArgs;
use super::context::{Context, DatabaseFailure};
use super::run::{RunArgs, nodes_of, run_selected};
use super::{CommandResult, Exit, Failure};
use crate::ui::{Printer, Table};

#[derive(Debug, Args)]
pub(super) struct SeedArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Show the first ten rows of each seed
    #[arg(long, conflicts_with = "output")]
    show: bool,
}

pub(super) fn main(global: &GlobalArgs, args: &SeedArgs, printer: &Printer) -> CommandResult {
    let (context, selected) = nodes_of(global, ResourceType::Seed, &args.run, printer)?;
    let exit = run_selected(&context, &args.run, &selected, printer)?;
    // A seed that failed has old rows, or none.
    if args.show && exit == Exit::Ok {
        show(&context, &selected, printer)?;
    }
    Ok(exit)
}

fn show(context: &Context, seeds: &BTreeSet<UniqueId>, printer: &Printer) -> Result<(), Failure> {
    let mut session = context.session()?;
    for id in context.dag().order(seeds) {
        let Some(relation) = context.compiler.relation_of(&id) else {
            continue;
        };
        session.set_comment(context.compiler.query_comment(Some(&id))?);
        let found = session
            .connection()
            .query(&format!("select * from {relation} limit 10"))
            .map_err(DatabaseFailure::new("the rows of a seed cannot be shown"))?;
        printer.line(format!("\nFirst rows of {relation}:"));
        printer.line(Table::of_rows(&found.columns, &found.rows).render());
    }
    Ok(())
}
