//! Queries: WITH, set operations, VALUES, ORDER BY, LIMIT.

use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, ScalarValue};
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, WindowFrame, WindowFunctionDefinition,
};
use rwt_sql::DataType;
use sqlparser::ast::{
    Expr as Ast, Fetch, LimitClause, OrderBy, OrderByExpr, OrderByKind, Query, SetExpr,
    SetOperator, SetQuantifier, Value, Values,
};

use super::cast::wider;
use super::group::plain_row;
use super::{Binder, Bound, BoundQuery, Cte, Ctes, Env, OutputColumn, Scope, column};
use crate::error::QueryError;
use crate::names::folded;
use crate::types::internal_name;

impl Binder<'_> {
    /// Binds a query that stands alone.
    pub(crate) fn root(&self, query: &Query) -> Result<BoundQuery, QueryError> {
        let (scope, ctes) = (Scope::default(), Ctes::new());
        let env = Env::alone(&scope, &ctes);
        self.query(query, &env, None)
    }

    /// Binds a query. `outer` are the columns around it, for correlated sub-queries and LATERAL.
    pub(crate) fn query(
        &self,
        query: &Query,
        env: &Env<'_>,
        outer: Option<&Env<'_>>,
    ) -> Result<BoundQuery, QueryError> {
        self.deeper(|| self.query_inner(query, env, outer))
    }

    fn query_inner(
        &self,
        query: &Query,
        env: &Env<'_>,
        outer: Option<&Env<'_>>,
    ) -> Result<BoundQuery, QueryError> {
        if let Some(lock) = query.locks.first() {
            return Err(QueryError::Syntax(format!(
                "expected end of statement, found: {lock}"
            )));
        }
        let mut ctes = env.ctes.clone();
        if let Some(with) = &query.with {
            if with.recursive {
                return Err(QueryError::bind("RECURSIVE CTE is not supported"));
            }
            for cte in &with.cte_tables {
                let scope = Scope::default();
                let inner = Env {
                    scope: &scope,
                    ctes: &ctes,
                    outer: None,
                    windows: &[],
                    arguments: env.arguments,
                };
                let mut bound = self.query(&cte.query, &inner, outer)?;
                let names: Vec<String> =
                    cte.alias.columns.iter().map(|c| folded(&c.name)).collect();
                rename(&mut bound.columns, &names, &folded(&cte.alias.name))?;
                ctes.insert(folded(&cte.alias.name), Arc::new(Cte { query: bound }));
            }
        }
        let scope = Scope::default();
        let inner = Env {
            scope: &scope,
            ctes: &ctes,
            outer,
            windows: &[],
            arguments: env.arguments,
        };
        let order = order_items(query.order_by.as_ref())?;
        let bound = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, order, &inner)?,
            body => {
                let bound = self.body(body, &inner)?;
                let set_operation = matches!(body, SetExpr::SetOperation { .. });
                self.order_output(bound, order, set_operation, &inner)?
            }
        };
        self.limit(
            bound,
            query.limit_clause.as_ref(),
            query.fetch.as_ref(),
            &inner,
        )
    }

    fn body(&self, body: &SetExpr, env: &Env<'_>) -> Result<BoundQuery, QueryError> {
        match body {
            SetExpr::Select(select) => self.select(select, &[], env),
            SetExpr::Query(query) => self.query(query, env, env.outer),
            SetExpr::Values(values) => self.values(values, env),
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                let chained = matches!(left.as_ref(), SetExpr::SetOperation { .. });
                let left = self.body(left, env)?;
                let right = self.body(right, env)?;
                if chained {
                    same_types(*op, &left, &right)?;
                }
                self.set_operation(*op, *set_quantifier, left, right)
            }
            other => Err(QueryError::NotImplemented(format!("query {other}"))),
        }
    }

    fn set_operation(
        &self,
        op: SetOperator,
        quantifier: SetQuantifier,
        left: BoundQuery,
        right: BoundQuery,
    ) -> Result<BoundQuery, QueryError> {
        let all = match quantifier {
            SetQuantifier::All => true,
            SetQuantifier::None | SetQuantifier::Distinct => false,
            other => return Err(QueryError::NotImplemented(format!("{op} {other}"))),
        };
        if left.columns.len() != right.columns.len() {
            return Err(QueryError::invalid_input(format!(
                "each {op} query must have the same number of columns"
            )));
        }
        let mut left_exprs = Vec::new();
        let mut right_exprs = Vec::new();
        let mut columns = Vec::new();
        for (l, r) in left.columns.iter().zip(&right.columns) {
            let common = match (l.bound.untyped, r.bound.untyped) {
                (true, false) => r.bound.data_type.clone(),
                (false, true) => l.bound.data_type.clone(),
                _ => wider(&l.bound.data_type, &r.bound.data_type).ok_or_else(|| {
                    QueryError::invalid_input(format!(
                        "{op} types {} and {} cannot be matched",
                        l.bound.data_type, r.bound.data_type
                    ))
                })?,
            };
            let (mut sides, data_type, arrow) = self
                .align_to(vec![l.bound.clone(), r.bound.clone()], &common)
                .map_err(|_| {
                    QueryError::invalid_input(format!(
                        "{op} types {} and {} cannot be matched",
                        internal_name(&l.bound.data_type),
                        internal_name(&r.bound.data_type)
                    ))
                })?;
            if !all && op == SetOperator::Union {
                self.state_key(&l.bound, "field")?;
            }
            let name = self.fresh(&l.name);
            let side = |b: Bound| if all { b.expr } else { b.key() }.alias(&name);
            right_exprs.extend(sides.pop().map(side));
            left_exprs.extend(sides.pop().map(side));
            columns.push(OutputColumn {
                name: l.name.clone(),
                bound: Bound::new(column(&name), data_type, arrow),
                named: l.named,
            });
        }
        let left = LogicalPlanBuilder::from(left.plan)
            .project(left_exprs)?
            .build()?;
        let right = LogicalPlanBuilder::from(right.plan)
            .project(right_exprs)?
            .build()?;
        let plan = match (op, all) {
            (SetOperator::Union, true) => LogicalPlanBuilder::from(left).union(right)?.build()?,
            (SetOperator::Union, false) => LogicalPlanBuilder::from(left)
                .union_distinct(right)?
                .build()?,
            (SetOperator::Intersect, false) => LogicalPlanBuilder::intersect(left, right, false)?,
            (SetOperator::Except | SetOperator::Minus, false) => {
                LogicalPlanBuilder::except(left, right, false)?
            }
            (op, true) => return Err(QueryError::NotImplemented(format!("{op} ALL"))),
        };
        // Set operations may qualify or rename their columns: name them by position.
        let mut exprs = Vec::with_capacity(columns.len());
        for ((qualifier, field), out) in plan.schema().iter().zip(&mut columns) {
            let name = self.fresh(&out.name);
            exprs
                .push(Expr::Column(PlanColumn::new(qualifier.cloned(), field.name())).alias(&name));
            out.bound.expr = column(&name);
        }
        let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        Ok(BoundQuery { plan, columns })
    }

    fn values(&self, values: &Values, env: &Env<'_>) -> Result<BoundQuery, QueryError> {
        let rows: Vec<Vec<Bound>> = values
            .rows
            .iter()
            .map(|row| row.iter().map(|ast| self.value_of_row(ast, env)).collect())
            .collect::<Result<_, _>>()?;
        self.rows(rows, None)
    }

    /// An expression of VALUES.
    pub(super) fn value_of_row(&self, ast: &Ast, env: &Env<'_>) -> Result<Bound, QueryError> {
        let bound = self.expr(ast, env)?;
        plain_row(&bound.expr, "VALUES")?;
        Ok(bound)
    }

    /// Rows of expressions as a plan; each column of the type given or common to its values.
    pub(crate) fn rows(
        &self,
        rows: Vec<Vec<Bound>>,
        types: Option<&[DataType]>,
    ) -> Result<BoundQuery, QueryError> {
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(QueryError::bind("VALUES lists must all be the same length"));
        }
        let height = rows.len();
        let mut by_column: Vec<Vec<Bound>> =
            (0..width).map(|_| Vec::with_capacity(height)).collect();
        for row in rows {
            for (i, value) in row.into_iter().enumerate() {
                by_column[i].push(value);
            }
        }
        let mut columns = Vec::with_capacity(width);
        let mut cells: Vec<std::vec::IntoIter<Bound>> = Vec::with_capacity(width);
        for (i, values) in by_column.into_iter().enumerate() {
            let (values, data_type, arrow) = match types.and_then(|types| types.get(i)) {
                Some(to) => {
                    let cast = values
                        .into_iter()
                        .map(|v| self.cast(v, to, super::CastContext::Assign))
                        .collect::<Result<Vec<_>, _>>()?;
                    self.align_to(cast, to)?
                }
                None => self.align(values)?,
            };
            columns.push(OutputColumn {
                name: format!("*VALUES*_0.column_{i}"),
                bound: Bound::new(column(&self.fresh("column")), data_type, arrow),
                named: true,
            });
            cells.push(values.into_iter());
        }
        let rows: Vec<Vec<Expr>> = (0..height)
            .map(|_| {
                cells
                    .iter_mut()
                    .filter_map(|c| c.next().map(|b| b.expr))
                    .collect()
            })
            .collect();
        let plan = self.values_plan(rows, &columns)?;
        Ok(BoundQuery { plan, columns })
    }

    fn values_plan(
        &self,
        rows: Vec<Vec<Expr>>,
        columns: &[OutputColumn],
    ) -> Result<LogicalPlan, QueryError> {
        let plan = LogicalPlanBuilder::values(rows)?.build()?;
        let exprs: Vec<Expr> = plan
            .schema()
            .iter()
            .zip(columns)
            .map(|((qualifier, field), out)| {
                let from = Expr::Column(PlanColumn::new(qualifier.cloned(), field.name()));
                match &out.bound.expr {
                    Expr::Column(to) => from.alias(&to.name),
                    _ => from,
                }
            })
            .collect();
        Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
    }

    /// ORDER BY of a set operation or VALUES: by output column only.
    fn order_output(
        &self,
        bound: BoundQuery,
        order: &[OrderByExpr],
        set_operation: bool,
        env: &Env<'_>,
    ) -> Result<BoundQuery, QueryError> {
        if order.is_empty() {
            return Ok(bound);
        }
        let mut sorts = Vec::with_capacity(order.len());
        for item in order {
            let position = output_position(&item.expr, &bound.columns)?;
            let by = match position {
                Some(i) => bound.columns[i].bound.clone(),
                None if set_operation => {
                    return Err(QueryError::invalid_input(
                        "ORDER BY of a set operation must name an output column",
                    ));
                }
                None => {
                    let scope = output_scope(&bound.columns);
                    let env = Env {
                        scope: &scope,
                        ..*env
                    };
                    self.any(&item.expr, &env)?
                }
            };
            sorts.push(sort(by.key(), item));
        }
        let plan = LogicalPlanBuilder::from(bound.plan).sort(sorts)?.build()?;
        Ok(BoundQuery { plan, ..bound })
    }

    fn limit(
        &self,
        bound: BoundQuery,
        clause: Option<&LimitClause>,
        fetch: Option<&Fetch>,
        env: &Env<'_>,
    ) -> Result<BoundQuery, QueryError> {
        let (mut limit, offset) = match clause {
            None => (None, None),
            Some(LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            }) if limit_by.is_empty() => (limit.as_ref(), offset.as_ref().map(|o| &o.value)),
            Some(other) => return Err(QueryError::NotImplemented(other.to_string())),
        };
        if let Some(fetch) = fetch {
            if fetch.percent {
                return Err(QueryError::NotImplemented(fetch.to_string()));
            }
            limit = fetch.quantity.as_ref();
        }
        if limit.is_none() && offset.is_none() && fetch.is_none() {
            return Ok(bound);
        }
        let count = |ast: &Ast, clause: &str| -> Result<Option<usize>, QueryError> {
            let wrong = |why: &str| {
                QueryError::Evaluation(format!(
                    "expects an integer or expression that can be evaluated to an integer after {clause}{why}"
                ))
            };
            let value = self.expr(ast, env)?;
            let constant = !value.expr.any_column_refs()
                && !crate::unnest::has_subquery(&value.expr)?
                && !matches!(value.expr, Expr::Placeholder(_));
            let value = self.cast(value, &DataType::BigInt, super::CastContext::Assign);
            let value = value.map_err(|_| wrong(""))?;
            if !constant {
                return Err(wrong(", but found non-const expression"));
            }
            match crate::execute::constant(&value.expr)? {
                ScalarValue::Int64(Some(n)) => match usize::try_from(n) {
                    Ok(n) => Ok(Some(n)),
                    Err(_) if clause == "LIMIT" => Err(QueryError::Evaluation(format!(
                        "LIMIT must not be negative, but found: {n}"
                    ))),
                    Err(_) => Err(QueryError::invalid_input(format!(
                        "{clause} must not be negative"
                    ))),
                },
                ScalarValue::Int64(None) => Ok(None),
                _ => Err(wrong("")),
            }
        };
        let skip = offset
            .map(|ast| count(ast, "OFFSET"))
            .transpose()?
            .flatten()
            .unwrap_or(0);
        let rows = match (limit, fetch) {
            (Some(ast), _) => count(ast, "LIMIT")?,
            (None, Some(_)) => Some(1),
            _ => None,
        };
        let plan = match (fetch.is_some_and(|fetch| fetch.with_ties), rows) {
            (true, _) if offset.is_some() => {
                return Err(QueryError::invalid_input(
                    "WITH TIES is not supported with OFFSET",
                ));
            }
            (true, Some(rows)) => self.with_ties(bound.plan, rows)?,
            _ => LogicalPlanBuilder::from(bound.plan)
                .limit(skip, rows)?
                .build()?,
        };
        Ok(BoundQuery { plan, ..bound })
    }
}

impl Binder<'_> {
    /// The first rows of a sorted plan, and those that sort like the last of them.
    fn with_ties(&self, plan: LogicalPlan, rows: usize) -> Result<LogicalPlan, QueryError> {
        let (sort, above) = match plan {
            LogicalPlan::Sort(sort) => (sort, None),
            LogicalPlan::Projection(projection) => match projection.input.as_ref() {
                LogicalPlan::Sort(sort) => (sort.clone(), Some(projection.expr.clone())),
                _ => return Err(no_order()),
            },
            _ => return Err(no_order()),
        };
        let columns: Vec<Expr> = sort
            .input
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let rank = Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(
                datafusion::functions_window::rank::rank_udwf(),
            ),
            params: WindowFunctionParams {
                args: Vec::new(),
                partition_by: Vec::new(),
                order_by: sort.expr.clone(),
                window_frame: WindowFrame::new(Some(false)),
                filter: None,
                null_treatment: None,
                distinct: false,
            },
        }));
        let ranked = Expr::Column(PlanColumn::new_unqualified(rank.schema_name().to_string()));
        let limit = ScalarValue::UInt64(u64::try_from(rows).ok());
        let plan = LogicalPlanBuilder::window_plan(sort.input.as_ref().clone(), vec![rank])?;
        let builder = LogicalPlanBuilder::from(plan)
            .filter(ranked.lt_eq(Expr::Literal(limit, None)))?
            .sort(sort.expr)?;
        Ok(match above {
            Some(exprs) => builder.project(exprs)?,
            None => builder.project(columns)?,
        }
        .build()?)
    }
}

fn no_order() -> QueryError {
    QueryError::invalid_input("WITH TIES is only supported with ORDER BY")
}

/// RisingWave casts the columns of a SELECT to match, but not those of a set operation.
fn same_types(op: SetOperator, left: &BoundQuery, right: &BoundQuery) -> Result<(), QueryError> {
    for (l, r) in left.columns.iter().zip(&right.columns) {
        if l.bound.data_type != r.bound.data_type {
            let name = |b: &Bound| internal_name(&b.data_type).to_uppercase();
            return Err(QueryError::invalid_input(format!(
                "{op} types {} and {} cannot be matched",
                name(&l.bound),
                name(&r.bound)
            )));
        }
    }
    Ok(())
}

/// The expressions of ORDER BY.
pub(super) fn order_items(order: Option<&OrderBy>) -> Result<&[OrderByExpr], QueryError> {
    match order.map(|o| &o.kind) {
        None => Ok(&[]),
        Some(OrderByKind::Expressions(items)) => Ok(items),
        Some(OrderByKind::All(_)) => Err(QueryError::NotImplemented("ORDER BY ALL".into())),
    }
}

/// A sort key: NULLs are the largest values unless the query says otherwise.
pub(crate) fn sort(expr: Expr, item: &OrderByExpr) -> SortExpr {
    let ascending = item.options.asc.unwrap_or(true);
    SortExpr {
        expr,
        asc: ascending,
        nulls_first: item.options.nulls_first.unwrap_or(!ascending),
    }
}

/// The output column that an ordinal or a bare name stands for.
pub(crate) fn output_position(
    ast: &Ast,
    columns: &[OutputColumn],
) -> Result<Option<usize>, QueryError> {
    match ast {
        Ast::Value(value) => match &value.value {
            Value::Number(number, _) => match number.parse::<usize>() {
                Ok(n) if (1..=columns.len()).contains(&n) => Ok(Some(n - 1)),
                _ => Err(QueryError::invalid_input(format!(
                    "Invalid ordinal number in ORDER BY: {number}"
                ))),
            },
            _ => Ok(None),
        },
        Ast::Identifier(ident) => {
            let name = folded(ident);
            let mut found = columns
                .iter()
                .enumerate()
                .filter(|(_, c)| c.named && c.name == name);
            match (found.next(), found.next()) {
                (Some((i, first)), Some((_, second))) if first.bound.expr != second.bound.expr => {
                    Err(QueryError::Bind(format!(
                        "Bind error: ORDER BY \"{name}\" is ambiguous ({i})"
                    )))
                }
                (Some((i, _)), _) => Ok(Some(i)),
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// The output columns as a scope.
pub(crate) fn output_scope(columns: &[OutputColumn]) -> Scope {
    Scope {
        columns: columns
            .iter()
            .map(|c| super::ScopeColumn {
                schema: None,
                table: None,
                name: c.name.clone(),
                bound: c.bound.clone(),
                hidden: false,
                merged: false,
            })
            .collect(),
    }
}

/// Gives columns the names of an alias list, which may be shorter.
pub(crate) fn rename(
    columns: &mut [OutputColumn],
    names: &[String],
    table: &str,
) -> Result<(), QueryError> {
    if names.len() > columns.len() {
        return Err(QueryError::bind(format!(
            "table \"{table}\" has {} columns available but {} column aliases specified",
            columns.len(),
            names.len()
        )));
    }
    for (column, name) in columns.iter_mut().zip(names) {
        column.name.clone_from(name);
        column.named = true;
    }
    Ok(())
}
