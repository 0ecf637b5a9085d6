//! Sub-queries in expressions: scalar, EXISTS, IN, ANY and ALL.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{ScalarValue, Spans};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};
use rwt_sql::DataType;
use sqlparser::ast::{
    BinaryOperator, Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, GroupByExpr, OrderByExpr, Query, SelectItem, SetExpr, TableFactor,
};

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
            let single = super::accumulate::single_value(out.bound.expr.clone(), &result.arrow);
            LogicalPlanBuilder::from(inner.plan)
                .aggregate(Vec::<Expr>::new(), vec![single.alias(&name)])?
                .build()?
        };
        Ok(Bound {
            expr: Expr::ScalarSubquery(subquery(plan)),
            ..result
        })
    }

    /// `ARRAY(SELECT …)`: the rows of one column as a list, empty where there are none.
    pub(crate) fn array_subquery(&self, query: &Query, env: &Env<'_>) -> Result<Bound, QueryError> {
        let list = self.scalar_subquery(&collected(query)?, env)?;
        let empty = self.literal_of("{}", &list.data_type)?;
        self.coalesce(vec![list, empty])
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
        if negated && let Some(outer) = outer_side(&value.key(), env) {
            // RisingWave's NOT IN is an anti join: a NULL in the list does not make the condition unknown.
            let same = outer.eq(item.key());
            let plan = LogicalPlanBuilder::from(inner.plan).filter(same)?.build()?;
            return Ok(Bound::boolean(Expr::Exists(Exists {
                subquery: subquery(plan),
                negated,
            })));
        }
        let name = self.fresh("item");
        let plan = LogicalPlanBuilder::from(inner.plan)
            .project(vec![item.key().alias(&name)])?
            .build()?;
        Ok(Bound::boolean(Expr::InSubquery(InSubquery {
            expr: Box::new(value.key()),
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

/// The query that collects the rows of another one in their order.
fn collected(query: &Query) -> Result<Query, QueryError> {
    let unsupported =
        || QueryError::NotImplemented(format!("ARRAY({query}) in the embedded engine"));
    let template = |sql: &str| crate::parse::query(sql).map_err(|_| unsupported());
    let order = super::query::order_items(query.order_by.as_ref())?;
    let SetExpr::Select(select) = query.body.as_ref() else {
        return match order {
            [] => around(
                template("SELECT array_agg(c) FROM (SELECT 1) AS s (c)")?,
                query,
            ),
            _ => Err(unsupported()),
        };
    };
    let whole = query.limit_clause.is_none() && query.fetch.is_none();
    // ORDER BY of the only column, or of anything where the rows are not changed on the way.
    let by_column = |item: &OrderByExpr| match (&item.expr, select.projection.as_slice()) {
        (Ast::Value(value), _) => value.to_string() == "1",
        (by, [SelectItem::UnnamedExpr(only)]) => by == only,
        (Ast::Identifier(by), [SelectItem::ExprWithAlias { alias, .. }]) => by.value == alias.value,
        _ => false,
    };
    match order {
        [] => around(
            template("SELECT array_agg(c) FROM (SELECT 1) AS s (c)")?,
            query,
        ),
        [item] if by_column(item) => {
            let direction = item.options.to_string();
            let sql = format!("SELECT array_agg(c ORDER BY c{direction}) FROM (SELECT 1) AS s (c)");
            around(template(&sql)?, query)
        }
        _ => {
            let plain = whole
                && query.with.is_none()
                && select.distinct.is_none()
                && select.having.is_none()
                && matches!(&select.group_by, GroupByExpr::Expressions(items, _) if items.is_empty());
            let ([SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }], true) =
                (select.projection.as_slice(), plain)
            else {
                return Err(unsupported());
            };
            let mut out = query.clone();
            out.order_by = None;
            let mut call = template("SELECT array_agg(c ORDER BY c)")?;
            let (SetExpr::Select(out_select), SetExpr::Select(call)) =
                (out.body.as_mut(), call.body.as_mut())
            else {
                return Err(unsupported());
            };
            let (
                Some(
                    SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. },
                ),
                Some(SelectItem::UnnamedExpr(Ast::Function(function))),
            ) = (out_select.projection.pop(), call.projection.pop())
            else {
                return Err(unsupported());
            };
            let mut function = function;
            if let FunctionArguments::List(args) = &mut function.args {
                args.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))];
                args.clauses = vec![FunctionArgumentClause::OrderBy(order.to_vec())];
            }
            out_select.projection = vec![SelectItem::UnnamedExpr(Ast::Function(function))];
            Ok(out)
        }
    }
}

/// A query over `(SELECT 1) AS s (c)` with another one in the place of that.
fn around(mut outer: Query, inner: &Query) -> Result<Query, QueryError> {
    if let SetExpr::Select(select) = outer.body.as_mut()
        && let Some(from) = select.from.first_mut()
        && let TableFactor::Derived { subquery, .. } = &mut from.relation
    {
        **subquery = inner.clone();
        return Ok(outer);
    }
    Err(QueryError::Internal("a query without a sub-query".into()))
}

fn unwrap(ast: &Ast) -> &Ast {
    match ast {
        Ast::Nested(inner) => unwrap(inner),
        other => other,
    }
}

/// An expression over the columns here as seen from a sub-query; `None` if it is more than that (aggregates).
fn outer_side(expr: &Expr, env: &Env<'_>) -> Option<Expr> {
    let mut possible = true;
    let done = expr.clone().transform_up(|e| {
        Ok(match e {
            Expr::Column(ref column) => {
                match env.scope.columns.iter().find(|c| c.bound.expr == e) {
                    Some(found) => {
                        let arrow = found.bound.arrow.clone();
                        let field = arrow::datatypes::Field::new(&column.name, arrow, true);
                        Transformed::yes(Expr::OuterReferenceColumn(field.into(), column.clone()))
                    }
                    None => {
                        possible = false;
                        Transformed::no(e)
                    }
                }
            }
            Expr::AggregateFunction(_)
            | Expr::WindowFunction(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_) => {
                possible = false;
                Transformed::no(e)
            }
            other => Transformed::no(other),
        })
    });
    done.ok().filter(|_| possible).map(|done| done.data)
}

/// EXISTS and IN as values (in a SELECT list): whether the sub-query has rows. DataFusion knows them as conditions only.
pub(crate) fn as_value(expr: Expr, env: &Env<'_>) -> Result<Expr, QueryError> {
    let done = expr.transform_up(|e| {
        let (plan, negated) = match e {
            Expr::Exists(Exists { subquery, negated }) => (subquery.subquery, negated),
            Expr::InSubquery(InSubquery {
                expr,
                subquery: inner,
                negated,
            }) => {
                let item = inner
                    .subquery
                    .schema()
                    .columns()
                    .into_iter()
                    .next()
                    .map(Expr::Column);
                let (Some(outer), Some(item)) = (outer_side(&expr, env), item) else {
                    return Ok(Transformed::no(Expr::InSubquery(InSubquery {
                        expr,
                        subquery: inner,
                        negated,
                    })));
                };
                let plan = LogicalPlanBuilder::from(inner.subquery.as_ref().clone())
                    .filter(outer.eq(item))?;
                (Arc::new(plan.build()?), negated)
            }
            other => return Ok(Transformed::no(other)),
        };
        let one = Expr::Literal(ScalarValue::Int64(Some(1)), None);
        let count = datafusion::functions_aggregate::count::count(one).alias("rows#exists");
        let plan = LogicalPlanBuilder::from(plan.as_ref().clone())
            .aggregate(Vec::<Expr>::new(), vec![count])?
            .build()?;
        let zero = Expr::Literal(ScalarValue::Int64(Some(0)), None);
        let some = Expr::IsTrue(Box::new(Expr::ScalarSubquery(subquery(plan)).gt(zero)));
        Ok(Transformed::yes(if negated {
            Expr::Not(Box::new(some))
        } else {
            some
        }))
    })?;
    Ok(done.data)
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
