//! `rwt graph`

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use rwt_project::manifest::{Node, UniqueId};

use super::args::{GlobalArgs, SelectArgs};
use super::context::{Context, FlagsOf};
use super::{CommandResult, Exit};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct GraphArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// What is drawn
    #[arg(long, value_enum, default_value_t)]
    format: GraphFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum GraphFormat {
    /// Every model with what it reads.
    #[default]
    Text,
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

pub(super) fn main(global: &GlobalArgs, args: &GraphArgs, printer: &Printer) -> CommandResult {
    let flags = FlagsOf {
        command: "list",
        full_refresh: false,
        ..FlagsOf::default()
    };
    let context = Context::load_for(global, &flags, printer)?;
    let selected = context.selected_ids(&args.select, printer)?;
    let manifest = context.compiler.manifest();
    let nodes: Vec<&Node> = context
        .dag()
        .order(&selected)
        .iter()
        .filter_map(|id| manifest.nodes.get(id))
        .collect();
    let text = match args.format {
        GraphFormat::Text => text(&nodes, &selected),
        GraphFormat::Dot => dot(&nodes, &selected),
        GraphFormat::Mermaid => mermaid(&nodes, &selected),
    };
    printer.raw(&text);
    Ok(Exit::Ok)
}

/// Parents among the drawn nodes.
fn parents<'a>(
    node: &'a Node,
    drawn: &'a BTreeSet<UniqueId>,
) -> impl Iterator<Item = &'a UniqueId> {
    node.depends_on.iter().filter(|id| drawn.contains(*id))
}

fn short(id: &UniqueId) -> &str {
    id.0.rsplit('.').next().unwrap_or(&id.0)
}

fn text(nodes: &[&Node], drawn: &BTreeSet<UniqueId>) -> String {
    let mut out = String::new();
    for node in nodes {
        let reads: Vec<&str> = parents(node, drawn).map(short).collect();
        let arrow = if reads.is_empty() {
            String::new()
        } else {
            format!(" ← {}", reads.join(", "))
        };
        let _ = writeln!(out, "{} ({}){arrow}", node.name, node.materialized);
    }
    out
}

fn dot(nodes: &[&Node], drawn: &BTreeSet<UniqueId>) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut out = String::from("digraph models {\n  rankdir=LR;\n  node [shape=box];\n");
    for node in nodes {
        let label =
            quoted(&format!("{}\\n{}", node.name, node.materialized)).replace("\\\\n", "\\n");
        let _ = writeln!(out, "  {} [label={label}];", quoted(&node.name));
    }
    for node in nodes {
        for parent in parents(node, drawn) {
            let _ = writeln!(
                out,
                "  {} -> {};",
                quoted(short(parent)),
                quoted(&node.name)
            );
        }
    }
    out.push_str("}\n");
    out
}

fn mermaid(nodes: &[&Node], drawn: &BTreeSet<UniqueId>) -> String {
    let mut out = String::from("graph LR\n");
    for node in nodes {
        let _ = writeln!(
            out,
            "  {}[\"{}<br/><small>{}</small>\"]",
            node.name,
            node.name.replace('"', "#quot;"),
            node.materialized
        );
    }
    for node in nodes {
        for parent in parents(node, drawn) {
            let _ = writeln!(out, "  {} --> {}", short(parent), node.name);
        }
    }
    out
}
