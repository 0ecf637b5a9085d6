//! Whether a sub-query gives at most one row, as far as its shape and the keys of tables tell.

use datafusion::common::Column as PlanColumn;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};

use crate::scan::RelationTable;

/// Whether every run of a plan gives one row or none.
pub(crate) fn at_most_one(plan: &LogicalPlan) -> bool {
    if plan.max_rows().is_some_and(|n| n <= 1) && !matches!(plan, LogicalPlan::EmptyRelation(_)) {
        return true;
    }
    match plan {
        LogicalPlan::Projection(projection) => at_most_one(&projection.input),
        LogicalPlan::Sort(sort) => at_most_one(&sort.input),
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Filter(filter) => {
            let fixed: Vec<PlanColumn> = split_conjunction(&filter.predicate)
                .into_iter()
                .filter_map(fixed_column)
                .collect();
            let given = |key: &Vec<PlanColumn>| key.iter().all(|c| fixed.contains(c));
            keys_of(&filter.input).iter().any(given) || at_most_one(&filter.input)
        }
        _ => false,
    }
}

/// The column that a condition gives one value.
fn fixed_column(condition: &Expr) -> Option<PlanColumn> {
    let Expr::BinaryExpr(binary) = condition else {
        return None;
    };
    if binary.op != Operator::Eq {
        return None;
    }
    match (binary.left.as_ref(), binary.right.as_ref()) {
        (Expr::Column(column), value) | (value, Expr::Column(column))
            if value.column_refs().is_empty() =>
        {
            Some(column.clone())
        }
        _ => None,
    }
}

/// Sets of columns that no two rows share.
fn keys_of(plan: &LogicalPlan) -> Vec<Vec<PlanColumn>> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let Ok(provider) = source_as_provider(&scan.source) else {
                return Vec::new();
            };
            let Some(table) = provider.as_any().downcast_ref::<RelationTable>() else {
                return Vec::new();
            };
            let columns = plan.schema().columns();
            let keys = table.keys().iter();
            keys.filter_map(|key| key.iter().map(|i| columns.get(*i).cloned()).collect())
                .collect()
        }
        LogicalPlan::Filter(filter) => keys_of(&filter.input),
        LogicalPlan::Sort(sort) => keys_of(&sort.input),
        LogicalPlan::Aggregate(aggregate) => {
            let groups = aggregate.group_expr.iter();
            let key: Option<Vec<PlanColumn>> = groups
                .map(|group| match group {
                    Expr::Column(column) => Some(column.clone()),
                    _ => None,
                })
                .collect();
            key.into_iter().collect()
        }
        LogicalPlan::Projection(projection) => {
            let shown = |column: &PlanColumn| {
                let place = projection.expr.iter().position(|expr| {
                    let inner = match expr {
                        Expr::Alias(alias) => alias.expr.as_ref(),
                        other => other,
                    };
                    matches!(inner, Expr::Column(c) if c == column)
                })?;
                plan.schema().columns().get(place).cloned()
            };
            let keys = keys_of(&projection.input).into_iter();
            keys.filter_map(|key| key.iter().map(shown).collect())
                .collect()
        }
        _ => Vec::new(),
    }
}
