//! `ASOF JOIN`: of the rows on the right that fit, the one whose value of the inequality is nearest.

use datafusion::common::JoinType;
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Operator, SortExpr, WindowFrame,
    WindowFunctionDefinition, lit,
};
use sqlparser::ast::{JoinConstraint, TableFactor};

use super::{Binder, Env, Scope, column};
use crate::error::QueryError;

/// The right side of the only inequality between both sides, and whether the nearest value is the smallest.
struct Nearest {
    value: Expr,
    smallest: bool,
}

impl Binder<'_> {
    pub(super) fn asof_join(
        &self,
        left: (LogicalPlan, Scope),
        factor: &TableFactor,
        kind: JoinType,
        constraint: &JoinConstraint,
        env: &Env<'_>,
    ) -> Result<(LogicalPlan, Scope), QueryError> {
        let JoinConstraint::On(ast) = constraint else {
            return Err(QueryError::invalid_input(
                "AsOf join requires exactly 1 ineuquality condition",
            ));
        };
        let (left_plan, left_scope) = left;
        let (right_plan, right_scope) = self.factor(factor, Some(&left_scope), env)?;
        let columns = left_scope.columns.into_iter().chain(right_scope.columns);
        let scope = Scope {
            columns: columns.collect(),
        };
        let inner = Env {
            scope: &scope,
            ..*env
        };
        let ties = self.stream_key(factor, &scope);
        let condition = self.join_condition(ast, &inner)?;
        let nearest = nearest(&condition, &left_plan, &right_plan)?;
        let (left_plan, row) = self.numbered(left_plan)?;
        let plan = LogicalPlanBuilder::from(left_plan)
            .join_on(right_plan, kind, vec![condition])?
            .build()?;
        let shown: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let order = SortExpr {
            expr: nearest.value,
            asc: nearest.smallest,
            nulls_first: !nearest.smallest,
        };
        let number = Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(
                datafusion::functions_window::row_number::row_number_udwf(),
            ),
            params: WindowFunctionParams {
                args: Vec::new(),
                partition_by: vec![row],
                order_by: std::iter::once(order).chain(ties).collect(),
                window_frame: WindowFrame::new(Some(false)),
                filter: None,
                null_treatment: None,
                distinct: false,
            },
        }));
        let place = column(&number.schema_name().to_string());
        let plan = LogicalPlanBuilder::window_plan(plan, vec![number])?;
        let plan = LogicalPlanBuilder::from(plan)
            .filter(place.eq(lit(1_u64)))?
            .project(shown)?
            .build()?;
        Ok((plan, scope))
    }

    /// The order of rows that are equally near: that of the right side's key, or of its row ids.
    fn stream_key(&self, factor: &TableFactor, scope: &Scope) -> Vec<SortExpr> {
        let TableFactor::Table {
            name, args: None, ..
        } = factor
        else {
            return Vec::new();
        };
        let Some(relation) = self.catalog.relation(&crate::names::key(name)) else {
            return Vec::new();
        };
        let right = &scope.columns[scope.columns.len().saturating_sub(relation.columns.len())..];
        let of_key: Vec<_> = match relation.key.as_slice() {
            [] => right
                .iter()
                .filter(|c| c.name == crate::relation::ROW_ID)
                .collect(),
            key => key.iter().filter_map(|at| right.get(*at)).collect(),
        };
        let ascending = |expr: Expr| SortExpr {
            expr,
            asc: true,
            nulls_first: false,
        };
        let keys = of_key.into_iter().map(|c| c.bound.key());
        keys.map(ascending).collect()
    }

    /// The plan with a number for every row, and the number's column.
    fn numbered(&self, plan: LogicalPlan) -> Result<(LogicalPlan, Expr), QueryError> {
        let number = datafusion::functions_window::row_number::row_number();
        let (made, name) = (number.schema_name().to_string(), self.fresh("row"));
        let plan = LogicalPlanBuilder::window_plan(plan, vec![number])?;
        let exprs: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .map(|c| match c.name == made {
                true => Expr::Column(c).alias(&name),
                false => Expr::Column(c),
            })
            .collect();
        let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        Ok((plan, column(&name)))
    }
}

/// The inequality of a join's condition, which RisingWave wants to be the only one beside equalities.
fn nearest(
    condition: &Expr,
    left: &LogicalPlan,
    right: &LogicalPlan,
) -> Result<Nearest, QueryError> {
    let of = |plan: &LogicalPlan, expr: &Expr| {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.iter().all(|c| plan.schema().has_column(c))
    };
    let (mut equal, mut found) = (false, Vec::new());
    for part in split_conjunction(condition) {
        let Expr::BinaryExpr(binary) = part else {
            continue;
        };
        let (l, r) = (binary.left.as_ref(), binary.right.as_ref());
        let (near, op) = if of(left, l) && of(right, r) {
            (r, binary.op)
        } else if of(right, l) && of(left, r) {
            (l, binary.op.swap().unwrap_or(binary.op))
        } else {
            continue;
        };
        let smallest = match op {
            Operator::Eq => {
                equal = true;
                continue;
            }
            Operator::Lt | Operator::LtEq => true,
            Operator::Gt | Operator::GtEq => false,
            _ => continue,
        };
        found.push(Nearest {
            value: near.clone(),
            smallest,
        });
    }
    if found.len() == 1 && !equal {
        return Err(QueryError::invalid_input(
            "AsOf join requires at least 1 equal condition",
        ));
    }
    match (found.pop(), found.is_empty()) {
        (Some(nearest), true) => Ok(nearest),
        _ => Err(QueryError::invalid_input(
            "AsOf join requires exactly 1 ineuquality condition",
        )),
    }
}
