//! Contracts as far as they can be checked without a database: the embedded engine binds a model's query over what the
//! project says of the columns below it. What it cannot tell, such as the columns of a topic's schema, is not checked here.

use rwt_compiler::{CompileError, CompiledNode, Compiler};
use rwt_project::manifest::{Node, UniqueId};
use rwt_sql::DataType;
use serde_json::Value;

use super::Failure;
use super::context::Context;
use crate::testing::{Schemas, Shape, UnitEngine, functions};

/// The nodes whose contract does not hold, and what differs.
pub(super) fn broken(
    context: &Context,
    compiled: &[CompiledNode],
) -> Result<Vec<(UniqueId, CompileError)>, Failure> {
    let compiler = &context.compiler;
    let nodes = compiled.iter().filter_map(|node| {
        // One whose text asks the database is checked by the database.
        let is_known = !node.asks && !node.statements.is_empty();
        compiler
            .manifest()
            .nodes
            .get(&node.unique_id)
            .filter(|_| is_known)
    });
    let contracts: Vec<(&Node, Vec<(String, u32)>)> = nodes
        .filter_map(|node| Some((node, contract(node)?)))
        .collect();
    if contracts.is_empty() {
        return Ok(Vec::new());
    }
    let engine = UnitEngine::new(functions(compiler)).map_err(|error| {
        Failure::usage(miette::miette!(
            "the engine for contracts cannot be made: {error}"
        ))
    })?;
    let mut schemas = Schemas::new(compiler, &engine).with(compiled);
    Ok(context.runtime().block_on(async {
        let mut broken = Vec::new();
        for (node, wanted) in contracts {
            let shape = schemas.of(&node.unique_id).await;
            if let Err(error) = check(compiler, node, &wanted, &shape) {
                broken.push((node.unique_id.clone(), error));
            }
        }
        broken
    }))
}

fn check(
    compiler: &Compiler,
    node: &Node,
    wanted: &[(String, u32)],
    shape: &Shape,
) -> Result<(), CompileError> {
    if !shape.is_complete {
        return Ok(());
    }
    let found = shape.columns.iter();
    let found: Vec<(String, u32)> = found
        .map(|column| (column.name.clone(), rwt_wire::oid(&column.data_type)))
        .collect();
    compiler.check_contract(node, wanted, &found)
}

/// The columns of a contract that is enforced; none where a type is one that only the database knows, nor for a
/// materialization that only warns of contracts.
fn contract(node: &Node) -> Option<Vec<(String, u32)>> {
    let is_query = matches!(
        node.materialized.as_str(),
        "view" | "table" | "materialized_view" | "materializedview" | "incremental"
    );
    if !is_query {
        return None;
    }
    let contract = node.config.get("contract")?;
    if contract.get("enforced").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    let columns = node.columns.values().map(|column| {
        let data_type = DataType::parse(column.data_type.as_deref()?).ok()?;
        let name = match column.quote {
            true => column.name.clone(),
            false => column.name.to_lowercase(),
        };
        Some((name, rwt_wire::oid(&data_type)))
    });
    columns.collect()
}
