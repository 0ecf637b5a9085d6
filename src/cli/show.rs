//! `rwt show`: the first rows of a model's query, or of one that is written on the command line.

use std::collections::BTreeSet;

use clap::Args;
use rwt_project::manifest::{Node, UniqueId};
use serde_json::{Map, Value, json};
use tokio_postgres::types::Type;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, DatabaseFailure, FlagsOf};
use super::dbt_flags::Unneeded;
use super::{CommandResult, Exit, Failure};
use crate::apply::typed;
use crate::client::ResultSet;
use crate::ui::{Printer, Table};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// A query to show instead of models; `ref` and the rest of Jinja work in it
    #[arg(long, value_name = "SQL", conflicts_with_all = ["select", "exclude", "selector"])]
    inline: Option<String>,
    /// The same, sent as it is
    #[arg(long, value_name = "SQL", conflicts_with_all = ["select", "exclude", "selector", "inline"])]
    inline_direct: Option<String>,
    #[command(flatten)]
    unneeded: Unneeded,
    /// Rows at most; -1 for all
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        allow_negative_numbers = true
    )]
    limit: i64,
    /// How the rows are printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Nothing that could be shown.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("nothing that has rows is selected")]
#[diagnostic(
    code(rwt::show::nothing),
    help("`rwt show --select model` or `rwt show --inline 'select 1'`")
)]
struct Nothing;

pub(super) fn main(global: &GlobalArgs, args: &ShowArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "show",
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    let deferral = global.dbt.defer.read(args.select.state.as_deref())?;
    if deferral.is_some() {
        let selected = match args.select.is_empty() {
            true => BTreeSet::new(),
            false => context.selected_ids(&args.select, printer)?,
        };
        context.defer(deferral, &selected, false, printer)?;
    }
    let mut session = context.session()?;
    let inline = |query: String| {
        vec![Shown {
            id: None,
            name: "inline".to_owned(),
            header: String::new(),
            query,
        }]
    };
    let queries: Vec<Shown> = match (&args.inline, &args.inline_direct) {
        (Some(text), _) => inline(context.compiler.inline(text, &mut session)?),
        (None, Some(query)) => inline(query.clone()),
        (None, None) => {
            let nothing_said = args.select.select.is_empty() && args.select.selector.is_none();
            if nothing_said {
                return Err(Failure::usage(Nothing));
            }
            queries(&context, &context.selected_ids(&args.select, printer)?)?
        }
    };
    if queries.is_empty() {
        return Err(Failure::usage(Nothing));
    }
    for shown in &queries {
        let Shown { id, name, .. } = shown;
        session.set_comment(context.compiler.query_comment(id.as_ref())?);
        let sql = shown.sql(args.limit);
        let statements = rwt_sql::split_script(&sql).unwrap_or_default();
        let (last, before) = match statements.split_last() {
            Some((last, before)) => (last.text, before),
            None => (sql.as_str(), [].as_slice()),
        };
        let connection = session.connection();
        for statement in before {
            let sent = connection.query(statement.text);
            sent.map_err(DatabaseFailure::new("the SQL header was refused"))?;
        }
        let found = connection
            .query(last)
            .map_err(DatabaseFailure::new("the rows cannot be shown"))?;
        if printer.is_json() {
            let types = connection.describe(last).unwrap_or_default();
            printer.document(&document(
                id.as_ref().map(|_| name.as_str()),
                &found,
                &types,
            ));
        } else {
            if id.is_some() {
                printer.line(format!("Previewing node '{name}':"));
            }
            printer.line(Table::of_rows(&found.columns, &found.rows).render());
        }
    }
    Ok(Exit::Ok)
}

/// A query whose rows are shown.
struct Shown {
    id: Option<UniqueId>,
    name: String,
    /// What stands before the query: statements, or the beginning of the query itself.
    header: String,
    query: String,
}

impl Shown {
    /// The header and the query, with so many of its rows; all of them if there may be less than none.
    fn sql(&self, limit: i64) -> String {
        let query = self.query.trim().trim_end_matches(';');
        let mut sql = format!(
            "{}\nselect * from (\n{query}\n) as shown",
            self.header.trim()
        );
        if limit >= 0 {
            sql.push_str(&format!(" limit {limit}"));
        }
        sql
    }
}

/// Materializations that make nothing that has rows.
const WITHOUT_ROWS: [&str; 5] = ["sink", "connection", "secret", "subscription", "function"];

/// Names and queries of what was selected, in the order of the graph. What has no query of its own shows what is there.
fn queries(context: &Context, selected: &BTreeSet<UniqueId>) -> Result<Vec<Shown>, Failure> {
    let mut queries = Vec::new();
    for id in context.compiler.order() {
        if !selected.contains(&id) {
            continue;
        }
        let Some(node) = context.compiler.manifest().nodes.get(&id) else {
            continue;
        };
        let has_rows =
            node.resource_type.is_built() && !WITHOUT_ROWS.contains(&node.materialized.as_str());
        let query = match context.compiler.query_of(&id)? {
            Some((query, _)) => Some(query),
            None if has_rows => Some(format!("select * from {}", node.relation_name())),
            None => None,
        };
        if let Some(query) = query {
            queries.push(Shown {
                name: node.name.clone(),
                header: header(node),
                query,
                id: Some(id),
            });
        }
    }
    Ok(queries)
}

fn header(node: &Node) -> String {
    let header = node
        .config
        .get("sql_header")
        .and_then(|header| header.as_str());
    header.unwrap_or_default().to_owned()
}

/// Rows as dbt's JSON has them; what is no node has no name.
fn document(node: Option<&str>, found: &ResultSet, types: &[Type]) -> Map<String, Value> {
    let row = |cells: &Vec<Option<String>>| -> Map<String, Value> {
        let cells = cells.iter().enumerate();
        let cells = cells.map(|(at, cell)| typed(cell.as_deref(), types.get(at)));
        found.columns.iter().cloned().zip(cells).collect()
    };
    let rows: Vec<Map<String, Value>> = found.rows.iter().map(row).collect();
    let name = node.map(|node| ("node".to_owned(), json!(node)));
    name.into_iter()
        .chain([("show".to_owned(), json!(rows))])
        .collect()
}
