//! `rwt ls`

use clap::Args;
use serde_json::json;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, FlagsOf};
use super::{CommandResult, Exit};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct LsArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

pub(super) fn main(global: &GlobalArgs, args: &LsArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "list",
        full_refresh: false,
    };
    let context = Context::load_for(global, &flags, printer)?;
    let selected = context.selected_ids(&args.select, printer)?;
    let nodes = selected
        .iter()
        .filter_map(|id| context.compiler.manifest().nodes.get(id));
    if printer.is_json() {
        let nodes: Vec<serde_json::Value> = nodes
            .map(|node| {
                json!({
                    "unique_id": node.unique_id,
                    "name": node.name,
                    "resource_type": node.resource_type,
                    "package_name": node.package_name,
                    "original_file_path": node.original_file_path,
                    "alias": node.identifier,
                    "relation": node.relation_name(),
                    "materialized": node.materialized,
                    "tags": node.tags,
                    "config": node.config,
                    "depends_on": {"nodes": node.depends_on},
                })
            })
            .collect();
        printer.document(&nodes);
    } else {
        for node in nodes {
            let prefix = if node.source_name.is_some() {
                "source:"
            } else {
                ""
            };
            printer.line(format!("{prefix}{}", node.fqn.join(".")));
        }
    }
    Ok(Exit::Ok)
}
