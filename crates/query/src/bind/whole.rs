//! Windows over a whole input: those without PARTITION BY. RisingWave has them where a condition cuts a ranking off that is
//! not shown (a top-N), and in batches as aggregates of all rows.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Expr, LogicalPlan, Operator, WindowFrame, WindowFrameBound, WindowFunctionDefinition,
};

use super::window::is_whole;
use crate::error::QueryError;

fn function(expr: &Expr) -> Option<&WindowFunction> {
    match expr {
        Expr::WindowFunction(call) => Some(call),
        Expr::Alias(alias) => function(&alias.expr),
        _ => None,
    }
}

fn over_whole(expr: &Expr) -> Option<&WindowFunction> {
    function(expr).filter(|call| is_whole(&call.params.partition_by))
}

/// Whether a plan has such a window.
pub(crate) fn has_any(plan: &LogicalPlan) -> Result<bool, QueryError> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Window(window) = node {
            found |= window.window_expr.iter().any(|e| over_whole(e).is_some());
        }
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}

/// Refuses such windows as RisingWave's planner does. The plan is the optimized one, in which conditions have come down to
/// the windows and columns that nothing reads are gone.
pub(crate) fn refuse(plan: &LogicalPlan, streaming: bool) -> Result<(), QueryError> {
    visit(plan, &mut Vec::new(), streaming)
}

fn visit<'a>(
    node: &'a LogicalPlan,
    above: &mut Vec<&'a LogicalPlan>,
    streaming: bool,
) -> Result<(), QueryError> {
    if let LogicalPlan::Window(window) = node {
        let calls: Vec<_> = window
            .window_expr
            .iter()
            .filter_map(|e| Some((e, over_whole(e)?)))
            .collect();
        let top_n = match calls.as_slice() {
            [(expr, call)] if window.window_expr.len() == 1 => is_top_n(expr, call, above),
            _ => false,
        };
        if !calls.is_empty() && !top_n {
            if !calls.iter().all(|(_, call)| is_of_all_rows(call)) {
                return Err(QueryError::Tracked(
                    "Window function with empty PARTITION BY is not supported because of potential bad performance. If you \
                     really need this, please workaround with something like `PARTITION BY 1::int`.",
                    11505,
                ));
            }
            if streaming {
                return Err(super::stream::nested_loop());
            }
        }
    }
    above.push(node);
    for input in node.inputs() {
        visit(input, above, streaming)?;
    }
    above.pop();
    Ok(())
}

/// An aggregate of all rows, which RisingWave computes apart and joins with each of them.
fn is_of_all_rows(call: &WindowFunction) -> bool {
    let params = &call.params;
    let aggregate = match &call.fun {
        WindowFunctionDefinition::AggregateUDF(_) => true,
        WindowFunctionDefinition::WindowUDF(udf) => {
            matches!(udf.name(), "first_value" | "last_value")
        }
    };
    aggregate && params.order_by.is_empty() && is_unbounded(&params.window_frame)
}

fn is_unbounded(frame: &WindowFrame) -> bool {
    matches!(&frame.start_bound, WindowFrameBound::Preceding(n) if n.is_null())
        && matches!(&frame.end_bound, WindowFrameBound::Following(n) if n.is_null())
}

/// Whether the nodes above take the first rows by this ranking and do not show it.
fn is_top_n(expr: &Expr, call: &WindowFunction, above: &[&LogicalPlan]) -> bool {
    let WindowFunctionDefinition::WindowUDF(udf) = &call.fun else {
        return false;
    };
    let ties = match udf.name() {
        "row_number" => false,
        "rank" => true,
        _ => return false,
    };
    let Some((LogicalPlan::Filter(filter), above)) = above.split_last() else {
        return false;
    };
    let rank = expr.schema_name().to_string();
    let mut cut = false;
    for part in split_conjunction(&filter.predicate) {
        if !mentions(part, &rank) {
            continue;
        }
        match bound(part, &rank) {
            // Rows with the same rank cannot be left out at the start.
            Some(lower) if !(ties && lower) => cut = true,
            _ => return false,
        }
    }
    cut && is_dropped(&rank, above)
}

fn mentions(expr: &Expr, column: &str) -> bool {
    expr.column_refs().iter().any(|c| c.name == column)
}

/// Whether a comparison with a constant bounds the rank from below; `None` for other conditions.
fn bound(part: &Expr, rank: &str) -> Option<bool> {
    if let Expr::Between(between) = part {
        let constant = is_constant(&between.low) && is_constant(&between.high);
        return (!between.negated && constant && is_rank(&between.expr, rank)).then_some(true);
    }
    let Expr::BinaryExpr(binary) = part else {
        return None;
    };
    let on_left = is_rank(&binary.left, rank) && is_constant(&binary.right);
    let on_right = is_rank(&binary.right, rank) && is_constant(&binary.left);
    let op = match (on_left, on_right) {
        (true, _) => binary.op,
        (_, true) => binary.op.swap()?,
        _ => return None,
    };
    match op {
        Operator::Lt | Operator::LtEq => Some(false),
        Operator::Gt | Operator::GtEq => Some(true),
        // The first rank has nothing before it.
        Operator::Eq => {
            let other = if on_left { &binary.right } else { &binary.left };
            Some(!is_one(other))
        }
        _ => None,
    }
}

fn is_one(expr: &Expr) -> bool {
    use datafusion::common::ScalarValue;
    let Expr::Literal(value, _) = expr else {
        return false;
    };
    let value = value.cast_to(&arrow::datatypes::DataType::Int64);
    matches!(value, Ok(ScalarValue::Int64(Some(1))))
}

fn is_rank(expr: &Expr, rank: &str) -> bool {
    match expr {
        Expr::Column(column) => column.name == rank,
        Expr::Cast(cast) => is_rank(&cast.expr, rank),
        Expr::TryCast(cast) => is_rank(&cast.expr, rank),
        _ => false,
    }
}

fn is_constant(expr: &Expr) -> bool {
    !expr.any_column_refs()
}

/// Whether the column ends before the result does without being read.
fn is_dropped(column: &str, above: &[&LogicalPlan]) -> bool {
    for node in above.iter().rev() {
        if node.expressions().iter().any(|e| mentions(e, column)) {
            return false;
        }
        if matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) {
            return true;
        }
    }
    false
}
