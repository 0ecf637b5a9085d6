//! LATERAL: a sub-query that is computed for every row on its left. DataFusion takes some of them apart; those with
//! aggregates, with LIMIT and those of a LEFT JOIN are bound here as one join, grouped or ranked by the left row.

use datafusion::common::JoinType;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Case, Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, WindowFrame, WindowFunctionDefinition,
    lit,
};
use sqlparser::ast::{
    Expr as Ast, GroupByExpr, JoinConstraint, LimitClause, Query, Select, SetExpr, TableAlias,
    Value,
};

use super::group::{collect, no_aggregates, replace};
use super::query::{order_items, output_position, output_scope, rename, sort};
use super::{Binder, Bound, Env, OutputColumn, Scope, ScopeColumn, column};
use crate::error::QueryError;
use crate::kernel::key;
use crate::names::folded;

/// The parts of a sub-query that is computed here.
struct Simple<'q> {
    select: &'q Select,
    query: &'q Query,
}

/// A sub-query without what only a query of its own can do.
fn simple(query: &Query) -> Option<Simple<'_>> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let ungrouped =
        matches!(&select.group_by, GroupByExpr::Expressions(items, _) if items.is_empty());
    let plain = query.with.is_none()
        && query.fetch.is_none()
        && select.distinct.is_none()
        && select.having.is_none()
        && ungrouped;
    plain.then_some(Simple { select, query })
}

fn always(constraint: &JoinConstraint) -> bool {
    match constraint {
        JoinConstraint::None => true,
        JoinConstraint::On(Ast::Value(value)) => matches!(value.value, Value::Boolean(true)),
        _ => false,
    }
}

impl Binder<'_> {
    /// The join of rows with a sub-query of each; `None` for a sub-query that is bound another way.
    pub(super) fn lateral_join(
        &self,
        left: &(LogicalPlan, Scope),
        subquery: &Query,
        alias: Option<&TableAlias>,
        kind: JoinType,
        constraint: &JoinConstraint,
        env: &Env<'_>,
    ) -> Result<Option<(LogicalPlan, Scope)>, QueryError> {
        let keeps = kind == JoinType::Left;
        let (true, Some(Simple { select, query })) = (
            always(constraint) && (keeps || kind == JoinType::Inner),
            simple(subquery),
        ) else {
            return Ok(None);
        };
        let (inner_plan, inner_scope) = self.from(&select.from, env)?;
        if !inner_plan.all_out_ref_exprs().is_empty() {
            return Ok(None);
        }
        // The left columns are seen by their tables' names; the sub-query's own come first.
        let outside = left.1.columns.iter().map(|c| ScopeColumn {
            merged: c.merged || inner_scope.columns.iter().any(|i| i.name == c.name),
            hidden: true,
            ..c.clone()
        });
        let own = inner_scope.columns.iter().cloned();
        let shadowed = |c: &ScopeColumn| {
            inner_scope
                .columns
                .iter()
                .any(|i| i.table.is_some() && i.table == c.table)
        };
        let scope = Scope {
            columns: own.chain(outside.filter(|c| !shadowed(c))).collect(),
        };
        let inner = Env {
            scope: &scope,
            windows: &select.named_window,
            ..*env
        };
        let output = self.projection(&select.projection, &scope, &inner)?;
        let mut sorts = Vec::new();
        for item in order_items(query.order_by.as_ref())? {
            let by = match output_position(&item.expr, &output)? {
                Some(i) => output[i].bound.clone(),
                None => self.any(&item.expr, &inner)?,
            };
            sorts.push(sort(key::key(by.expr, &by.arrow), item));
        }
        let mut aggregates = Vec::new();
        for out in &output {
            let expr = &out.bound.expr;
            if expr.exists(|e| Ok(matches!(e, Expr::WindowFunction(_) | Expr::Unnest(_))))? {
                return Ok(None);
            }
            collect(expr, &mut aggregates, |e| {
                matches!(e, Expr::AggregateFunction(_))
            });
        }
        let rows = match &query.limit_clause {
            None => None,
            Some(LimitClause::LimitOffset {
                limit: Some(Ast::Value(limit)),
                offset: None,
                limit_by,
            }) if limit_by.is_empty() => match &limit.value {
                Value::Number(number, _) => number.parse::<u64>().ok().filter(|n| *n > 0),
                _ => return Ok(None),
            },
            Some(_) => return Ok(None),
        };
        if query.limit_clause.is_some() && rows.is_none() {
            return Ok(None);
        }
        let conditions = match &select.selection {
            Some(ast) => {
                let condition = self.condition(ast, &inner, "WHERE")?.expr;
                no_aggregates(&condition, "WHERE")?;
                self.stream_condition(&condition)?;
                vec![condition]
            }
            None => Vec::new(),
        };
        let (left_plan, row) = self.numbered(left.0.clone())?;
        let left_columns: Vec<Expr> = left_plan
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let matched = self.fresh("matched");
        let mut all: Vec<Expr> = inner_plan
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        all.push(lit(true).alias(&matched));
        let inner_plan = LogicalPlanBuilder::from(inner_plan).project(all)?.build()?;
        // An aggregate gives a row for every left row, also where nothing is found.
        let join = match keeps || !aggregates.is_empty() {
            true => JoinType::Left,
            false => JoinType::Inner,
        };
        let builder = LogicalPlanBuilder::from(left_plan);
        let mut plan = match (conditions.is_empty(), join) {
            (true, JoinType::Inner) => builder.cross_join(inner_plan)?.build()?,
            (true, _) => builder
                .join_on(inner_plan, join, vec![lit(true)])?
                .build()?,
            (false, _) => builder.join_on(inner_plan, join, conditions)?.build()?,
        };
        let mut output = output;
        if aggregates.is_empty() {
            if let Some(rows) = rows {
                plan = self.first_of_each(plan, &row, sorts, rows)?;
            }
            if keeps {
                for out in &mut output {
                    let found = Box::new(column(&matched).is_not_null());
                    let expr = Box::new(out.bound.expr.clone());
                    out.bound.expr = Expr::Case(Case::new(None, vec![(found, expr)], None));
                }
            }
        } else {
            plan = self.aggregated(plan, &left_columns, &matched, &aggregates, &mut output)?;
        }
        let mut exprs = left_columns;
        for out in &mut output {
            let name = self.fresh(&out.name);
            exprs.push(out.bound.expr.clone().alias(&name));
            out.bound = Bound {
                expr: column(&name),
                parts: Vec::new(),
                ..out.bound.clone()
            };
        }
        let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        let table = alias.map(|a| folded(&a.name));
        if let Some(alias) = alias {
            let names: Vec<String> = alias.columns.iter().map(|c| folded(&c.name)).collect();
            rename(&mut output, &names, table.as_deref().unwrap_or_default())?;
        }
        let mut columns = left.1.columns.clone();
        columns.extend(
            output_scope(&output)
                .columns
                .into_iter()
                .map(|c| ScopeColumn {
                    table: table.clone(),
                    ..c
                }),
        );
        Ok(Some((plan, Scope { columns })))
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

    /// The first rows of each left row.
    fn first_of_each(
        &self,
        plan: LogicalPlan,
        row: &Expr,
        sorts: Vec<SortExpr>,
        rows: u64,
    ) -> Result<LogicalPlan, QueryError> {
        let number = datafusion::functions_window::row_number::row_number_udwf();
        let window = Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(number),
            params: WindowFunctionParams {
                args: Vec::new(),
                partition_by: vec![row.clone()],
                window_frame: WindowFrame::new((!sorts.is_empty()).then_some(false)),
                order_by: sorts,
                filter: None,
                null_treatment: None,
                distinct: false,
            },
        }));
        let rank = column(&window.schema_name().to_string());
        let plan = LogicalPlanBuilder::window_plan(plan, vec![window])?;
        Ok(LogicalPlanBuilder::from(plan)
            .filter(rank.lt_eq(lit(rows)))?
            .build()?)
    }

    /// The aggregates of what was found for each left row.
    fn aggregated(
        &self,
        plan: LogicalPlan,
        left: &[Expr],
        matched: &str,
        aggregates: &[Expr],
        output: &mut [OutputColumn],
    ) -> Result<LogicalPlan, QueryError> {
        let found = column(matched).is_not_null();
        let mut calls = Vec::with_capacity(aggregates.len());
        let mut targets = Vec::with_capacity(aggregates.len());
        for aggregate in aggregates {
            let Expr::AggregateFunction(AggregateFunction { func, params }) = aggregate else {
                continue;
            };
            let mut params = params.clone();
            params.filter = Some(Box::new(match params.filter {
                Some(filter) => filter.and(found.clone()),
                None => found.clone(),
            }));
            let name = self.fresh("aggregate");
            let call = AggregateFunction {
                func: func.clone(),
                params,
            };
            calls.push(Expr::AggregateFunction(call).alias(&name));
            targets.push((aggregate.clone(), column(&name)));
        }
        for out in output {
            out.bound.expr = replace(out.bound.expr.clone(), &targets)?;
        }
        Ok(LogicalPlanBuilder::from(plan)
            .aggregate(left.to_vec(), calls)?
            .build()?)
    }
}
