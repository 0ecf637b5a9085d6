//! `rwt jobs`

use clap::{Args, Subcommand};
use rwt_sql::Literal;
use serde::Serialize;

use super::args::{GlobalArgs, Output};
use super::context::{Context, DatabaseFailure};
use super::{CommandResult, Exit};
use crate::catalog;
use crate::client::Connection;
use crate::ui::{Align, Printer, Table};

#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t, global = true)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Cancel jobs; what they were building is gone
    Cancel {
        /// Their ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
}

/// A creation that goes on in the server.
#[derive(Debug, Serialize)]
struct JobReport {
    id: u64,
    /// It goes on without the client that began it.
    background: bool,
    progress: String,
    statement: String,
}

pub(super) fn main(global: &GlobalArgs, args: &JobsArgs, printer: &Printer) -> CommandResult {
    let mut context = Context::load(global, printer)?;
    context.ensure_stack(printer)?;
    let connection = context.connector().connect()?;
    match &args.action {
        None => list(&connection, printer),
        Some(Action::Cancel { ids }) => cancel(&connection, ids, printer),
    }
}

fn list(connection: &Connection, printer: &Printer) -> CommandResult {
    let jobs: Vec<JobReport> = catalog::creating_jobs(connection)
        .map_err(DatabaseFailure::new("the jobs cannot be read"))?
        .into_iter()
        .map(|job| JobReport {
            id: job.id,
            background: job.background,
            progress: job.progress,
            statement: rwt_sql::redact(&job.statement),
        })
        .collect();
    if printer.is_json() {
        printer.document(&jobs);
        return Ok(Exit::Ok);
    }
    if jobs.is_empty() {
        printer.line("The server builds nothing.");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&[
        ("id", Align::Right),
        ("where", Align::Left),
        ("progress", Align::Left),
        ("statement", Align::Left),
    ]);
    for job in jobs {
        let statement = job
            .statement
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        table.row([
            job.id.to_string(),
            if job.background {
                "background"
            } else {
                "foreground"
            }
            .to_owned(),
            job.progress,
            statement.chars().take(80).collect(),
        ]);
    }
    printer.line(table.render().trim_end());
    Ok(Exit::Ok)
}

fn cancel(connection: &Connection, ids: &[i64], printer: &Printer) -> CommandResult {
    let list: Vec<String> = ids.iter().map(|id| Literal::Int(*id).to_string()).collect();
    let cancelled = connection
        .query(&format!("cancel jobs {}", list.join(", ")))
        .map_err(DatabaseFailure::new("the jobs cannot be cancelled"))?;
    let done: Vec<String> = cancelled
        .rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect();
    for id in &done {
        printer.line(format!("cancelled {id}"));
    }
    if done.is_empty() {
        printer.line("Nothing was cancelled: the jobs have ended.");
    }
    if printer.is_json() {
        printer.document(&done);
    }
    Ok(Exit::Ok)
}
