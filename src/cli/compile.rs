//! `rwt compile`

use std::time::Instant;

use clap::Args;
use rwt_compiler::CompiledNode;
use rwt_compiler::compile::output::{DIRECTORY, Difference, Output as Files, SCRIPT};
use rwt_plan::counted;
use rwt_project::manifest::UniqueId;
use serde_json::json;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, FlagsOf, not_compiled};
use super::contracts;
use super::dbt_flags::Unneeded;
use super::inputs::InputArgs;
use super::{CommandResult, Exit, Failure};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct CompileArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Write nothing; exit with 1 if compiled/ is not what it should be
    #[arg(long, conflicts_with_all = ["select", "exclude", "selector", "empty", "sample"])]
    check: bool,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    unneeded: Unneeded,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// `compiled/` is not up to date.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{DIRECTORY}/ is not up to date:{0}")]
#[diagnostic(
    code(rwt::compile::stale),
    help("`rwt compile` writes it; commit what it changes")
)]
struct Stale(String);

pub(super) fn main(global: &GlobalArgs, args: &CompileArgs, printer: &Printer) -> CommandResult {
    let clock = Instant::now();
    let flags = FlagsOf {
        command: "compile",
        empty: args.inputs.empty,
        sample: args.inputs.sample,
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    let selected = context.selected_ids(&args.select, printer)?;
    let deferral = global.dbt.defer.read(args.select.state.as_deref())?;
    context.defer(deferral, &selected, false, printer)?;
    let compiler = &context.compiler;
    // What is committed is of all rows and of the project's own relations.
    let elsewhere = args
        .inputs
        .limiting()
        .or(context.deferral().map(|_| "--defer"));
    let everything = args.select.is_empty();
    let order: Vec<UniqueId> = context.dag().order(&selected);
    let nodes = compiler.compile_all(&order).map_err(not_compiled)?;
    let broken = contracts::broken(&context, &nodes)?;
    if !broken.is_empty() {
        return Err(Failure::all(broken.into_iter().map(|(_, error)| error)));
    }
    tell_what_asks(&nodes, printer);
    for node in &nodes {
        for problem in node.statements.iter().filter_map(|s| s.problem.as_ref()) {
            printer.warning(&*miette::miette!(
                severity = miette::Severity::Warning,
                code = "rwt::compile::statement",
                help = "RisingWave may know it all the same; it has the last word",
                "model {}: a statement is not understood: {problem}",
                node.name
            ));
        }
    }
    // A script of some models would not run from an empty database, so a selection leaves it alone.
    let files = if everything && elsewhere.is_none() {
        Files::complete(&nodes, compiler.script(&nodes)?)
    } else {
        Files::of_nodes(&nodes)
    };
    let target_dir = context.target_dir();
    let root = match elsewhere {
        Some(_) => target_dir.as_path(),
        None => compiler.project().root.as_path(),
    };
    let changes = if args.check {
        files.differences(root)?
    } else {
        files.write(root)?
    };
    if !args.check {
        context.write_manifest(&nodes)?;
    }
    if args.check && !changes.is_empty() {
        let list: String = changes
            .iter()
            .map(|(path, difference)| format!("\n  {} {}", word(*difference), path.display()))
            .collect();
        return Err(Failure::from(Stale(list)));
    }
    if printer.is_json() {
        let nodes: Vec<serde_json::Value> = nodes
            .iter()
            .map(|node| {
                json!({
                    "unique_id": node.unique_id,
                    "name": node.name,
                    "materialized": node.materialized,
                    "path": node.original_file_path,
                    "compiled_path": format!("{DIRECTORY}/models/{}", node.path.display()),
                    "compiled_code": node.compiled_code,
                    "statements": node.statements.iter().map(|s| &s.text).collect::<Vec<_>>(),
                })
            })
            .collect();
        printer.document(&json!({"nodes": nodes, "changed": changes}));
        return Ok(Exit::Ok);
    }
    if !everything {
        for node in &nodes {
            printer.line(format!(
                "-- Compiled node '{}'\n{}\n",
                node.name,
                node.compiled_code.trim()
            ));
        }
    }
    let milliseconds = clock.elapsed().as_secs_f64() * 1000.0;
    let what = match elsewhere {
        Some(option) => format!(
            "{} ({DIRECTORY}/ is left as it is with {option})",
            target_dir.join(DIRECTORY).display()
        ),
        None if everything => format!("{DIRECTORY}/{SCRIPT}"),
        None => format!("{DIRECTORY}/models/"),
    };
    let changed = match (args.check, changes.len()) {
        (true, _) => "up to date".to_owned(),
        (false, 0) => "nothing changed".to_owned(),
        (false, n) => format!("{} changed", counted(n, "file")),
    };
    printer.note(format!(
        "Compiled {} to {what} in {milliseconds:.0} ms; {changed}",
        counted(nodes.len(), "model"),
    ));
    // The program ends here, and the system takes memory back faster than it can be given back piece by piece.
    std::mem::forget((context, nodes, files));
    Ok(Exit::Ok)
}

fn word(difference: Difference) -> &'static str {
    match difference {
        Difference::Missing => "missing",
        Difference::Changed => "changed",
        Difference::Stale => "stale  ",
    }
}

/// A model whose text asks the database may be another one where there is one.
fn tell_what_asks(nodes: &[CompiledNode], printer: &Printer) {
    let asking = nodes.iter().filter(|node| node.asks);
    let names: Vec<&str> = asking.map(|node| node.name.as_str()).collect();
    if !names.is_empty() {
        printer.note(format!(
            "Compiled as on an empty database, although they ask it: {}; `rwt plan` has their answers",
            names.join(", ")
        ));
    }
}
