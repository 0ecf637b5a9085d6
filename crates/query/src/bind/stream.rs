//! What RisingWave's streams refuse of a query that it answers in a batch.

use datafusion::common::JoinType;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Operator};

use super::Binder;
use crate::error::QueryError;

fn is_now(expr: &Expr) -> bool {
    matches!(expr, Expr::Placeholder(p) if p.id == crate::execute::NOW)
}

fn has_now(expr: &Expr) -> Result<bool, QueryError> {
    Ok(expr.exists(|e| Ok(is_now(e)))?)
}

/// A value that no row and no time changes.
fn is_constant(expr: &Expr) -> bool {
    !expr.any_column_refs() && has_now(expr).is_ok_and(|found| !found)
}

/// `now()` moved by intervals and cast.
fn is_now_offset(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => {
            matches!(
                call.func.name(),
                "add" | "subtract" | "cast" | "at_time_zone"
            ) && call.args.iter().all(is_now_offset)
        }
        Expr::Cast(cast) => is_now_offset(&cast.expr),
        other => is_now(other) || is_constant(other),
    }
}

impl Binder<'_> {
    /// Refuses a condition of a stream that compares with `now()` in a way that no time settles.
    pub(super) fn stream_condition(&self, condition: &Expr) -> Result<(), QueryError> {
        if !self.streaming {
            return Ok(());
        }
        for part in split_conjunction(condition) {
            let Expr::BinaryExpr(binary) = part else {
                continue;
            };
            let compared = matches!(
                binary.op,
                Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
            );
            let fits = match (has_now(&binary.left)?, has_now(&binary.right)?) {
                (false, false) => continue,
                (true, false) => is_now_offset(&binary.left),
                (false, true) => is_now_offset(&binary.right),
                (true, true) => false,
            };
            if compared && !fits {
                return Err(QueryError::Bind(
                    "internal error: Conditions containing now must be in the form of `input_expr cmp now_expr` or \
                     `now_expr cmp input_expr`, where `input_expr` references a column and contains no `now()`."
                        .into(),
                ));
            }
        }
        Ok(())
    }
}

/// Refuses joins that compare every row with every row. The plan is the optimized one, in which conditions of WHERE have
/// become those of joins.
pub(crate) fn refuse_nested_loops(plan: &LogicalPlan) -> Result<(), QueryError> {
    refuse_below(plan, &mut Vec::new())
}

fn refuse_below<'a>(
    node: &'a LogicalPlan,
    above: &mut Vec<&'a LogicalPlan>,
) -> Result<(), QueryError> {
    if let LogicalPlan::Join(join) = node {
        let outer = matches!(
            join.join_type,
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
        );
        let few = |side: &LogicalPlan| side.max_rows().is_some_and(|n| n <= 1);
        let fits = match (few(&join.left), few(&join.right)) {
            (true, true) => true,
            (true, false) => is_dynamic_filter(join, &join.left, above),
            (false, true) => is_dynamic_filter(join, &join.right, above),
            (false, false) => false,
        };
        if outer && join.on.is_empty() && !fits {
            return Err(nested_loop());
        }
    }
    above.push(node);
    for input in node.inputs() {
        refuse_below(input, above)?;
    }
    above.pop();
    Ok(())
}

/// Whether a join with at most one row on a side is RisingWave's dynamic filter: one comparison with a value that nothing
/// else reads.
fn is_dynamic_filter(join: &Join, single: &LogicalPlan, above: &[&LogicalPlan]) -> bool {
    let of_single = |expr: &Expr| {
        expr.column_refs()
            .iter()
            .any(|c| single.schema().has_column(c))
    };
    let compares = match &join.filter {
        Some(Expr::BinaryExpr(binary)) => {
            let ordered = matches!(
                binary.op,
                Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
            );
            ordered && of_single(&binary.left) != of_single(&binary.right)
        }
        _ => false,
    };
    if join.join_type != JoinType::Inner || !compares {
        return false;
    }
    for node in above.iter().rev() {
        if node.expressions().iter().any(of_single) {
            return false;
        }
        if matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) {
            return true;
        }
    }
    false
}

pub(super) fn nested_loop() -> QueryError {
    QueryError::Bind(
        "Not supported: streaming nested-loop join\nHINT: The non-equal join in the query requires a nested-loop join \
         executor, which could be very expensive to run. Consider rewriting the query to use dynamic filter as a \
         substitute if possible.\nSee also: https://docs.risingwave.com/processing/sql/dynamic-filters"
            .into(),
    )
}
