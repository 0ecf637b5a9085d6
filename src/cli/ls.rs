//! `rwt ls`

use clap::{Args, ValueEnum};
use rwt_compiler::artifacts;
use rwt_project::manifest::{Node, UniqueId};
use serde_json::{Value, json};

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
    /// Keys of each node in --output json, instead of the usual ones; `config.materialized` is a key of a key
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
    /// A JSON object per node and line, as dbt prints them.
    Json,
}

impl LsOutput {
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
    let manifest = match args.output_keys.is_empty() {
        true => None,
        false => serde_json::to_value(context.compiler.artifact(&[])).ok(),
    };
    for node in nodes {
        let line = match args.output {
            LsOutput::Json => {
                let written = manifest
                    .as_ref()
                    .and_then(|all| node_of(all, &node.unique_id));
                shown(node, written, &args.output_keys).to_string()
            }
            _ => node.listed(args.output.word()),
        };
        printer.line(line);
    }
    Ok(Exit::Ok)
}

/// The node of an id in a manifest.
fn node_of<'a>(manifest: &'a Value, id: &UniqueId) -> Option<&'a Value> {
    const PARTS: [&str; 5] = ["nodes", "sources", "functions", "exposures", "unit_tests"];
    PARTS.iter().find_map(|part| manifest.get(part)?.get(&id.0))
}

/// A node with the usual keys, or with those that are asked for: of these, or of what the manifest has of it.
fn shown(node: &Node, written: Option<&Value>, keys: &[String]) -> Value {
    let mut usual = json!({
        "unique_id": node.unique_id,
        "name": node.name,
        "resource_type": node.resource_type,
        "package_name": node.package_name,
        "original_file_path": node.original_file_path,
        "alias": node.identifier,
        "relation": node.relation_name(),
        "materialized": node.materialized,
        "tags": node.tags,
        "config": artifacts::configuration(node),
        "depends_on": {"macros": node.declared.macros, "nodes": node.depends_on},
    });
    if let (Some(source), Value::Object(fields)) = (&node.source_name, &mut usual) {
        fields.insert("source_name".to_owned(), json!(source));
    }
    if keys.is_empty() {
        return usual;
    }
    let value = |key: &str| {
        let mut parts = key.split('.');
        let first = parts.next()?;
        let first = usual.get(first).or_else(|| written?.get(first))?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    let found = keys
        .iter()
        .filter_map(|key| Some((key.clone(), value(key)?.clone())));
    Value::Object(found.collect())
}
