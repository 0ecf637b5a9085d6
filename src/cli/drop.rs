//! `rwt drop`

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};

use clap::Args;
use rwt_compiler::When;
use rwt_plan::counted;
use rwt_project::manifest::Node;
use rwt_sql::Statement;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, DatabaseFailure};
use super::{CommandResult, Exit, Failure};
use crate::apply::{self, DropReport, Hanging};
use crate::catalog;
use crate::client::Connector;
use crate::state::{ObjectChange, Store};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct DropArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Say what would be dropped, and drop nothing
    #[arg(long)]
    dry_run: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Something outside of the selection hangs on what a drop would take away.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("nothing was dropped, because {} outside of the selection would break:{}", counted(hanging.len(), "object"), list(hanging))]
#[diagnostic(
    code(rwt::apply::dependents),
    help(
        "select them too (`--select model+` takes everything below a model), or drop them yourself first"
    )
)]
pub(super) struct DependentsError {
    pub hanging: Vec<Hanging>,
}

fn list(hanging: &[Hanging]) -> String {
    hanging
        .iter()
        .map(|h| format!("\n  {} hangs on {}", h.object, h.on))
        .collect()
}

/// Nobody could be asked.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{0} objects would be dropped with their rows, and nobody said yes")]
#[diagnostic(
    code(rwt::apply::not_confirmed),
    help("`rwt drop --yes` drops without asking; `rwt drop --dry-run` shows what")
)]
struct NotConfirmed(usize);

pub(super) fn main(global: &GlobalArgs, args: &DropArgs, printer: &Printer) -> CommandResult {
    let mut context = Context::load(global, printer)?;
    context.ensure_stack(printer)?;
    let nodes = context.select(&args.select, printer)?;
    let connector = context.connector();
    let connection = connector.connect()?;
    let catalog =
        catalog::read(&connection).map_err(DatabaseFailure::new("the catalog cannot be read"))?;

    let (mut steps, hanging) = apply::drop_steps(nodes.iter().copied(), &catalog);
    if !hanging.is_empty() {
        return Err(DependentsError { hanging }.into());
    }
    if args.select.select.is_empty() && args.select.exclude.is_empty() {
        let hooks: Vec<Statement> = context
            .compiler
            .record_hooks(When::Start)?
            .into_iter()
            .map(|recorded| recorded.statement)
            .collect();
        steps.extend(apply::hook_objects(
            &hooks,
            &catalog,
            &connector.target().schema,
        ));
    }
    let mut report = DropReport::default();
    if steps.is_empty() {
        printer.line("Nothing to drop: the database holds nothing of this project.");
    } else if args.dry_run {
        for step in &steps {
            printer.line(format!("would drop {step}"));
        }
    } else {
        if !args.yes && !confirmed(&steps, printer) {
            return Err(Failure::usage(NotConfirmed(steps.len())));
        }
        apply::drop_all(&connection, &steps, &mut report, |step| {
            printer.line(format!("dropped {step}"));
        })
        .map_err(DatabaseFailure::new("dropping cannot go on"))?;
        let project = context.compiler.project().name();
        forget((&connector, project), &nodes, &report)?;
        let dropped = counted(report.dropped.len(), "object");
        printer.line(format!("Done. {dropped} dropped."));
    }
    if printer.is_json() {
        printer.document(&report);
    }
    Ok(Exit::Ok)
}

/// What was dropped on purpose is not missing afterwards.
fn forget(
    (connector, project): (&Connector, &str),
    nodes: &[&Node],
    report: &DropReport,
) -> Result<(), Failure> {
    let dropped: BTreeSet<(&str, &str)> = report
        .dropped
        .iter()
        .map(|step| (step.schema.as_str(), step.identifier.as_str()))
        .collect();
    let store = Store::open(connector, project)?;
    let known = store
        .snapshot()
        .map_err(DatabaseFailure::new("the state cannot be read"))?;
    known.check()?;
    let forgotten: Vec<ObjectChange> = nodes
        .iter()
        .filter(|node| dropped.contains(&(node.schema.as_str(), node.identifier.as_str())))
        .filter(|node| known.objects.contains_key(&node.unique_id.0))
        .map(|node| ObjectChange::Forget(node.unique_id.0.clone()))
        .collect();
    Ok(store
        .record(&forgotten)
        .map_err(DatabaseFailure::new("the state cannot be written"))?)
}

fn confirmed(steps: &[apply::DropStep], printer: &Printer) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    for step in steps {
        printer.note(format!("  {step}"));
    }
    let objects = match steps.len() {
        1 => "this object with its rows".to_owned(),
        many => format!("these {many} objects with their rows"),
    };
    printer.note(format!("Drop {objects}? Type yes:"));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && answer.trim().eq_ignore_ascii_case("yes")
}
