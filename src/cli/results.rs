//! `target/run_results.json` of the commands that do something with nodes.

use std::collections::HashMap;

use rwt_compiler::CompiledNode;
use rwt_compiler::artifacts::{RunResult, RunResults};
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use serde_json::Value;

use super::Failure;
use super::context::Context;
use super::node_events::summary;
use crate::apply::NodeReport;

/// What became of the nodes of a plan.
pub(super) fn of_nodes(
    context: &Context,
    compiled: &[CompiledNode],
    nodes: &[NodeReport],
) -> Vec<RunResult> {
    let texts: HashMap<&str, &str> = (compiled.iter())
        .map(|node| (node.unique_id.0.as_str(), node.compiled_code.as_str()))
        .collect();
    let known = &context.compiler.manifest().nodes;
    let result = |node: &NodeReport| {
        let known = known.get(&UniqueId(node.unique_id.clone()));
        let known = known.filter(|node| node.resource_type != ResourceType::Seed);
        let text = known.and_then(|_| texts.get(node.unique_id.as_str()).copied());
        let mut result = node.result(text, known.map(Node::relation_name));
        let batches = known.and_then(|node| context.compiler.batch_results(&node.unique_id));
        if let Some(batches) = batches {
            let (built, failed) = (batches.successful.len(), batches.failed.len());
            if built > 0 && failed > 0 {
                "partial success".clone_into(&mut result.status);
                result.message = Some(format!("PARTIAL SUCCESS ({built}/{})", built + failed));
            }
            result.batch_results = Some(batches.to_json());
        }
        result
    };
    nodes.iter().map(result).collect()
}

/// Writes the file. `seconds` are the command's, `args` its options as dbt names them.
pub(super) fn write(
    context: &Context,
    results: Vec<RunResult>,
    seconds: f64,
    args: Value,
) -> Result<(), Failure> {
    for event in summary(&results) {
        context.printer().event(&event);
    }
    if !context.writes_json() {
        return Ok(());
    }
    let invocation = context.compiler.invocation();
    let mut args = args.as_object().cloned().unwrap_or_default();
    args.insert("defer".to_owned(), context.deferral().is_some().into());
    if let Some(deferral) = context.deferral() {
        let folder = deferral.folder.display().to_string();
        args.insert("defer_state".to_owned(), folder.into());
        args.insert("favor_state".to_owned(), deferral.favor_state.into());
    }
    let results = RunResults::new(&invocation, results, seconds, args);
    context.write_artifact("run_results.json", &results)?;
    Ok(())
}
