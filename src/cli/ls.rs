//! `rwt ls`

use clap::{Args, ValueEnum};
use serde_json::json;

use super::args::{GlobalArgs, KindArgs, SelectArgs};
use super::context::{Context, FlagsOf};
use super::{CommandResult, Exit};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct LsArgs {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    kinds: KindArgs,
    /// Keys of each node in --output json, instead of all
    #[arg(long, num_args = 1.., value_name = "KEY", value_delimiter = ' ')]
    output_keys: Vec<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: LsOutput,
}

/// How nodes are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum LsOutput {
    /// What selects each node.
    #[default]
    #[value(alias = "text")]
    Selector,
    /// Names.
    Name,
    /// Files.
    Path,
    /// One JSON document on stdout.
    Json,
}

impl LsOutput {
    pub(super) fn is_json(self) -> bool {
        self == Self::Json
    }

    /// dbt's word.
    fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Path => "path",
            Self::Selector | Self::Json => "selector",
        }
    }
}

pub(super) fn main(global: &GlobalArgs, args: &LsArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "list",
        full_refresh: false,
        ..FlagsOf::default()
    };
    let context = Context::load_for(global, &flags, printer)?;
    let selected = context.selected_ids(&args.select, printer)?;
    let nodes = selected
        .iter()
        .filter_map(|id| context.compiler.manifest().nodes.get(id))
        .filter(|node| args.kinds.takes(node.resource_type));
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
            .map(|node| with_keys(node, &args.output_keys))
            .collect();
        printer.document(&nodes);
    } else {
        for node in nodes {
            printer.line(node.listed(args.output.word()));
        }
    }
    Ok(Exit::Ok)
}

/// A node with those of its keys that are asked for.
fn with_keys(node: serde_json::Value, keys: &[String]) -> serde_json::Value {
    match node {
        serde_json::Value::Object(mut fields) if !keys.is_empty() => {
            fields.retain(|key, _| keys.contains(key));
            serde_json::Value::Object(fields)
        }
        node => node,
    }
}
