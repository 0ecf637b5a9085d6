//! `rwt ls`

use clap::{Args, ValueEnum};
use rwt_project::manifest::ResourceType;
use serde_json::json;

use super::args::{GlobalArgs, SelectArgs};
use super::context::{Context, FlagsOf};
use super::{CommandResult, Exit};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct LsArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Kinds of nodes to list, instead of all
    #[arg(long, value_enum, num_args = 1.., value_name = "KIND")]
    resource_type: Vec<Kind>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: LsOutput,
}

/// dbt's words for what a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Model,
    Source,
    Seed,
    Test,
    #[value(name = "unit_test")]
    UnitTest,
    Function,
    Exposure,
    All,
}

impl Kind {
    fn takes(self, resource_type: ResourceType) -> bool {
        match self {
            Self::Model => resource_type == ResourceType::Model,
            Self::Source => resource_type == ResourceType::Source,
            Self::Seed => resource_type == ResourceType::Seed,
            Self::Test => resource_type == ResourceType::Test,
            Self::UnitTest => resource_type == ResourceType::UnitTest,
            Self::Function => resource_type == ResourceType::Function,
            Self::Exposure => resource_type == ResourceType::Exposure,
            Self::All => true,
        }
    }
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
        .filter(|node| {
            let mut kinds = args.resource_type.iter();
            args.resource_type.is_empty() || kinds.any(|kind| kind.takes(node.resource_type))
        });
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
            printer.line(node.listed(args.output.word()));
        }
    }
    Ok(Exit::Ok)
}
