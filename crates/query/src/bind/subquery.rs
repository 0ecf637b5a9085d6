//! Sub-queries in expressions: scalar, EXISTS, IN, ANY and ALL.

use std::sync::Arc;

use datafusion::common::{ScalarValue, Spans};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};
use rwt_sql::DataType;
use sqlparser::ast::{
    BinaryOperator, Expr as Ast, OrderByExpr, Query, SelectItem, SetExpr, TableFactor,
};

use super::operator::comparison_of;
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
        // Without outer columns a batch counts the rows when they are there; with them they cannot be, which is found when
        // the sub-query is taken apart.
        let correlated = !crate::unnest::outer_columns(&inner.plan)?.is_empty();
        let plan = if correlated || crate::unnest::at_most_one(&inner.plan) {
            inner.plan
        } else if self.streaming {
            return Err(crate::unnest::several_rows());
        } else {
            let name = self.fresh("single");
            let single = super::single_value(out.bound.expr.clone(), &result.arrow);
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
        if self.inner(query, env)?.columns.len() != 1 {
            return Err(QueryError::bind("Subquery must return only one column"));
        }
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

    /// `x = ANY (list)`, `x <> ALL (list)`.
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
                    "op SOME/ANY/ALL (array) requires array on right side",
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
    let order = super::query::order_items(query.order_by.as_ref())?;
    let select = match query.body.as_ref() {
        SetExpr::Select(select) => Some(select),
        _ => None,
    };
    // ORDER BY of the only column needs no other beside it.
    let by_column = |item: &OrderByExpr| {
        let only = select.map_or(&[][..], |select| select.projection.as_slice());
        match (&item.expr, only) {
            (Ast::Value(value), _) => value.to_string() == "1",
            (by, [SelectItem::UnnamedExpr(only)]) => by == only,
            (Ast::Identifier(by), [SelectItem::ExprWithAlias { alias, .. }]) => {
                by.value == alias.value
            }
            _ => false,
        }
    };
    let mut inner = query.clone();
    let (mut columns, mut sorts) = (vec!["c".to_owned()], Vec::new());
    for item in order {
        let column = if by_column(item) {
            "c".to_owned()
        } else {
            let column = format!("o{}", columns.len());
            match inner.body.as_mut() {
                SetExpr::Select(select) if select.distinct.is_none() => {
                    select
                        .projection
                        .push(SelectItem::UnnamedExpr(item.expr.clone()));
                }
                _ => {
                    return Err(QueryError::invalid_input(
                        "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
                    ));
                }
            }
            columns.push(column.clone());
            column
        };
        sorts.push(format!("{column}{}", item.options));
    }
    let by = match sorts.is_empty() {
        true => String::new(),
        false => format!(" ORDER BY {}", sorts.join(", ")),
    };
    let columns = columns.join(", ");
    let outer = format!("SELECT array_agg(c{by}) FROM (SELECT 1) AS s ({columns})");
    around(crate::parse::query(&outer)?, &inner)
}

/// A query over `(SELECT 1) AS s (…)` with another one in the place of that.
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

/// A sub-query with the outer columns that it reads.
pub(crate) fn subquery(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns,
        spans: Spans::new(),
    }
}
