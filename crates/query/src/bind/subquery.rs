//! Sub-queries in expressions: scalar, EXISTS, IN, ANY and ALL.

use std::sync::Arc;

use datafusion::common::{ScalarValue, Spans};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr as Ast, Query};
use rwt_sql::DataType;

use super::operator::{Comparison, comparison_of};
use super::{Binder, Bound, BoundQuery, CastContext, Env};
use crate::error::QueryError;
use crate::kernel::list;

impl Binder<'_> {
    fn inner(&self, query: &Query, env: &Env<'_>) -> Result<BoundQuery, QueryError> {
        self.query(query, env, Some(env))
    }

    pub(crate) fn scalar_subquery(
        &self,
        query: &Query,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let inner = self.inner(query, env)?;
        let [out] = inner.columns.as_slice() else {
            return Err(QueryError::bind("Subquery must return only one column"));
        };
        let result = self.default_type(out.bound.clone())?;
        let correlated = !inner.plan.all_out_ref_exprs().is_empty();
        // Without outer columns the single row is checked where it is read; with them DataFusion asks for an aggregate.
        let plan = if correlated || inner.plan.max_rows().is_some_and(|n| n <= 1) {
            inner.plan
        } else {
            let name = self.fresh("single");
            let single = super::aggregate::single_value(out.bound.expr.clone(), &result.arrow);
            LogicalPlanBuilder::from(inner.plan)
                .aggregate(Vec::<Expr>::new(), vec![single.alias(&name)])?
                .build()?
        };
        Ok(Bound {
            expr: Expr::ScalarSubquery(subquery(plan)),
            ..result
        })
    }

    pub(crate) fn exists(
        &self,
        query: &Query,
        negated: bool,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let inner = self.inner(query, env)?;
        Ok(Bound::boolean(Expr::Exists(Exists {
            subquery: subquery(inner.plan),
            negated,
        })))
    }

    pub(crate) fn in_subquery(
        &self,
        value: &Ast,
        query: &Query,
        negated: bool,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let inner = self.inner(query, env)?;
        let [out] = inner.columns.as_slice() else {
            return Err(QueryError::bind("Subquery must return only one column"));
        };
        let value = self.expr(value, env)?;
        let missing = self.no_function("equal", &[value.clone(), out.bound.clone()]);
        let common = match (value.untyped, out.bound.untyped) {
            (true, _) => out.bound.data_type.clone(),
            (false, true) => value.data_type.clone(),
            _ => self
                .common_type(&[value.clone(), out.bound.clone()])
                .map_err(|_| missing)?,
        };
        let (mut sides, _, _) = self.align_to(vec![value, out.bound.clone()], &common)?;
        let (Some(item), Some(value)) = (sides.pop(), sides.pop()) else {
            return Err(QueryError::Internal("IN without two sides".into()));
        };
        let name = self.fresh("item");
        let plan = LogicalPlanBuilder::from(inner.plan)
            .project(vec![item.expr.alias(&name)])?
            .build()?;
        Ok(Bound::boolean(Expr::InSubquery(InSubquery {
            expr: Box::new(value.expr),
            subquery: subquery(plan),
            negated,
        })))
    }

    /// `x = ANY (list)`, `x <> ALL (list)`, `x = ANY (SELECT …)`.
    pub(crate) fn any_all(
        &self,
        left: &Ast,
        op: &BinaryOperator,
        right: &Ast,
        all: bool,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let comparison = comparison_of(op)
            .ok_or_else(|| QueryError::NotImplemented(format!("{op} with ANY or ALL")))?;
        if let Ast::Subquery(query) = unwrap(right) {
            return match (comparison, all) {
                (Comparison::Equal, false) => self.in_subquery(left, query, false, env),
                (Comparison::NotEqual, true) => self.in_subquery(left, query, true, env),
                _ => Err(QueryError::NotImplemented(format!(
                    "{op} ANY or ALL with a sub-query"
                ))),
            };
        }
        let value = self.expr(left, env)?;
        let list = self.expr(right, env)?;
        let value = if value.untyped {
            match &list.data_type {
                DataType::List(item) => self.settle(value, item)?,
                _ => self.default_type(value)?,
            }
        } else {
            value
        };
        let wanted = DataType::List(Box::new(value.data_type.clone()));
        let list = match &list.data_type {
            _ if list.untyped => self.settle(list, &wanted)?,
            DataType::List(item) => {
                let common = self.common_type(&[
                    value.clone(),
                    Bound::of(
                        Expr::Literal(ScalarValue::Null, None),
                        item.as_ref().clone(),
                    ),
                ])?;
                self.cast(
                    list,
                    &DataType::List(Box::new(common)),
                    CastContext::Implicit,
                )?
            }
            _ => {
                return Err(QueryError::bind(
                    "op ANY/ALL (array) requires array on right side",
                ));
            }
        };
        let value = match &list.data_type {
            DataType::List(item) => self.cast(value, item, CastContext::Implicit)?,
            _ => value,
        };
        Ok(Bound::boolean(list::any_all(comparison, value, list, all)))
    }
}

fn unwrap(ast: &Ast) -> &Ast {
    match ast {
        Ast::Nested(inner) => unwrap(inner),
        other => other,
    }
}

/// A sub-query with the outer columns that it reads.
pub(crate) fn subquery(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns,
        spans: Spans::new(),
    }
}
