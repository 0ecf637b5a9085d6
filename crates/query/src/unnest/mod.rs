//! Sub-queries as joins, so that any of them can be computed: correlated ones in WHERE, in SELECT lists and under OR, nested
//! ones, LATERAL. After Neumann and Kemper, "Unnesting Arbitrary Queries" (BTW 2015), as RisingWave does it.
//!
//! The outer columns that a sub-query reads have a [`Domain`]: their distinct values. The sub-query is computed for all of
//! them at once (`attach`), and the rows around it find theirs by these values. What DataFusion's own rules take apart in
//! less work is left to them.

mod attach;
mod single;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column as PlanColumn, JoinType};
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit,
};

use crate::bind::{Binder, column, subquery};
use crate::error::QueryError;

pub(crate) use single::at_most_one;

/// The plan without sub-queries that only a nested loop over the rows around them could compute.
pub(crate) fn unnest(
    plan: LogicalPlan,
    binder: &Binder<'_>,
    state: &SessionState,
) -> Result<LogicalPlan, QueryError> {
    if !has_subqueries(&plan)? {
        return Ok(plan);
    }
    let simple = Unnesting { binder, all: false }.plan(plan.clone())?;
    let taken = |plan: &LogicalPlan| -> Result<bool, QueryError> {
        match state.optimize(plan) {
            Ok(optimized) => Ok(!has_subqueries(&optimized)?),
            Err(_) => Ok(false),
        }
    };
    if !has_subqueries(&simple)? || taken(&simple)? {
        return Ok(simple);
    }
    Unnesting { binder, all: true }.plan(plan)
}

/// RisingWave's error for a scalar sub-query whose rows nobody can count beforehand.
pub(crate) fn several_rows() -> QueryError {
    QueryError::Bind("internal error: Scalar subquery might produce more than one row.".into())
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_)
    )
}

/// Whether an expression has a sub-query.
pub(crate) fn has_subquery(expr: &Expr) -> Result<bool, QueryError> {
    Ok(expr.exists(|e| Ok(is_subquery(e)))?)
}

fn has_subqueries(plan: &LogicalPlan) -> Result<bool, QueryError> {
    let mut found = false;
    plan.apply(|node| {
        found |= matches!(node, LogicalPlan::Subquery(_));
        node.apply_expressions(|expr| {
            found |= expr.exists(|e| Ok(is_subquery(e)))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

/// The columns of queries around that a plan and the sub-queries in it read, each once.
pub(crate) fn outer_columns(plan: &LogicalPlan) -> Result<Vec<PlanColumn>, QueryError> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let Expr::OuterReferenceColumn(_, column) = e
                    && !found.contains(column)
                {
                    found.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

fn is_outer(expr: &Expr) -> bool {
    matches!(expr, Expr::OuterReferenceColumn(..))
}

fn reads_outer(expr: &Expr) -> bool {
    expr.exists(|e| Ok(is_outer(e))).unwrap_or(true)
}

/// Whether a correlated sub-query is one that DataFusion joins by equal columns: filtered rows, and their aggregates.
fn equates_columns(plan: &LogicalPlan) -> Result<bool, QueryError> {
    let none_read = |exprs: &[Expr]| !exprs.iter().any(reads_outer);
    Ok(match plan {
        LogicalPlan::Projection(p) => none_read(&p.expr) && equates_columns(&p.input)?,
        LogicalPlan::Aggregate(a) => {
            none_read(&a.group_expr) && none_read(&a.aggr_expr) && equates_columns(&a.input)?
        }
        LogicalPlan::Sort(s) => s.fetch.is_none() && equates_columns(&s.input)?,
        LogicalPlan::Filter(filter) => {
            let parts = split_conjunction_owned(filter.predicate.clone());
            let equates = |part: &Expr| match part {
                Expr::BinaryExpr(binary) if binary.op == Operator::Eq => matches!(
                    (binary.left.as_ref(), binary.right.as_ref()),
                    (Expr::OuterReferenceColumn(..), Expr::Column(_))
                        | (Expr::Column(_), Expr::OuterReferenceColumn(..))
                ),
                _ => false,
            };
            let mut plain = true;
            for part in &parts {
                plain &= !has_subquery(part)? && (!reads_outer(part) || equates(part));
            }
            plain && outer_columns(&filter.input)?.is_empty()
        }
        other => outer_columns(other)?.is_empty(),
    })
}

/// Whether a plan is of one row because it aggregates all others.
fn aggregates_all(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Projection(projection) => aggregates_all(&projection.input),
        LogicalPlan::Filter(filter) => aggregates_all(&filter.input),
        _ => false,
    }
}

/// A plan's columns as expressions.
fn columns_of(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect()
}

/// The only column of a sub-query that is a value.
fn first_column(plan: &LogicalPlan) -> Expr {
    let (qualifier, field) = plan.schema().qualified_field(0);
    Expr::Column(PlanColumn::new(qualifier.cloned(), field.name()))
}

/// The distinct values of the outer columns that a sub-query reads.
struct Domain {
    /// A row for every combination.
    values: LogicalPlan,
    /// The columns of `values`, as the sub-query names them.
    columns: Vec<PlanColumn>,
}

/// A plan with the domain's values that its rows belong to.
struct Attached {
    plan: LogicalPlan,
    /// The columns of `plan` with these values, in the domain's order.
    keys: Vec<PlanColumn>,
}

/// A sub-query's existence as a condition: its rows, and whether there must be none.
struct Existence {
    rows: LogicalPlan,
    negated: bool,
}

struct Unnesting<'a, 'b> {
    binder: &'a Binder<'b>,
    /// Leaves nothing to DataFusion.
    all: bool,
}

impl Unnesting<'_, '_> {
    /// Takes the sub-queries of a plan apart, the innermost first.
    fn plan(&self, plan: LogicalPlan) -> Result<LogicalPlan, QueryError> {
        let plan = plan
            .map_children(|child| Ok(Transformed::yes(self.plan(child)?)))?
            .data;
        match plan {
            LogicalPlan::Join(join) if matches!(*join.right, LogicalPlan::Subquery(_)) => {
                self.lateral(join)
            }
            LogicalPlan::Filter(filter) => self.filter(filter),
            node => self.node(node),
        }
    }

    /// Whether the sub-query stays as it is.
    fn is_left(&self, plan: &LogicalPlan, base: &LogicalPlan, scalar: bool) -> DfResult<bool> {
        if self.all {
            return Ok(false);
        }
        let outer = outer_columns(plan)?;
        let near = outer.iter().all(|c| base.schema().has_column(c));
        // DataFusion wants to see that there is one row, by an aggregate.
        let single = !scalar || outer.is_empty() || aggregates_all(plan);
        Ok(near && single && equates_columns(plan)?)
    }

    /// A node whose expressions may have sub-queries.
    fn node(&self, node: LogicalPlan) -> Result<LogicalPlan, QueryError> {
        let mut exprs = node.expressions();
        let mut any = false;
        for expr in &exprs {
            any |= has_subquery(expr)?;
        }
        if !any {
            return Ok(node);
        }
        let [base] = node.inputs()[..] else {
            return Err(QueryError::NotImplemented(
                "a sub-query in VALUES or in the condition of a join".into(),
            ));
        };
        let mut input = base.clone();
        let names = NamePreserver::new(&node);
        // DataFusion knows scalar sub-queries of a SELECT list, EXISTS and IN as conditions only.
        let known = matches!(node, LogicalPlan::Projection(_));
        for expr in &mut exprs {
            let saved = names.save(expr);
            let replaced = self.replaced(expr.clone(), base, &mut input, known)?;
            *expr = saved.restore(replaced);
        }
        let wider = input.schema().fields().len() > base.schema().fields().len();
        let shown: Vec<Expr> = columns_of(&node);
        let rebuilt = node.with_new_exprs(exprs, vec![input])?;
        match rebuilt {
            LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) => Ok(rebuilt),
            other if wider => Ok(LogicalPlanBuilder::from(other).project(shown)?.build()?),
            other => Ok(other),
        }
    }

    /// WHERE and HAVING: EXISTS and IN of the whole condition only keep rows.
    fn filter(&self, filter: Filter) -> Result<LogicalPlan, QueryError> {
        if !has_subquery(&filter.predicate)? {
            return Ok(LogicalPlan::Filter(filter));
        }
        let base = filter.input.as_ref();
        let shown = columns_of(base);
        let mut input = base.clone();
        let mut conditions = Vec::new();
        for part in split_conjunction_owned(filter.predicate) {
            match existence_of(part) {
                Ok((found, negated)) => {
                    if let Some(left) = self.left(&found, negated, base)? {
                        conditions.push(left);
                        continue;
                    }
                    input = self.kept(found, negated, base, input)?;
                }
                Err(other) => conditions.push(self.replaced(other, base, &mut input, true)?),
            }
        }
        let mut builder = LogicalPlanBuilder::from(input);
        if let Some(condition) = conditions.into_iter().reduce(Expr::and) {
            builder = builder.filter(condition)?;
        }
        Ok(builder.project(shown)?.build()?)
    }

    /// An expression with columns in place of its sub-queries, which are joined to the input.
    fn replaced(
        &self,
        expr: Expr,
        base: &LogicalPlan,
        input: &mut LogicalPlan,
        known: bool,
    ) -> Result<Expr, QueryError> {
        let mut done: Vec<(Expr, Expr)> = Vec::new();
        let replaced = expr.transform_down(|e| {
            if !is_subquery(&e) {
                return Ok(Transformed::no(e));
            }
            if let Some((_, to)) = done.iter().find(|(from, _)| *from == e) {
                return Ok(Transformed::new(to.clone(), true, TreeNodeRecursion::Jump));
            }
            let from = e.clone();
            let to = match e {
                Expr::ScalarSubquery(scalar) => {
                    if known && self.is_left(&scalar.subquery, base, true)? {
                        Expr::ScalarSubquery(scalar)
                    } else {
                        self.scalar(scalar, base, input)?
                    }
                }
                existence => self.exists(existence, base, input)?,
            };
            done.push((from, to.clone()));
            Ok(Transformed::new(to, true, TreeNodeRecursion::Jump))
        })?;
        Ok(replaced.data)
    }

    /// The sub-query's rows with the values of the outer columns, as far as `base` has them.
    fn of_each(
        &self,
        plan: LogicalPlan,
        base: &LogicalPlan,
    ) -> Result<(Attached, Domain), QueryError> {
        let columns: Vec<PlanColumn> = outer_columns(&plan)?
            .into_iter()
            .filter(|c| base.schema().has_column(c))
            .collect();
        let keys: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
        let values = match keys.is_empty() {
            true => LogicalPlanBuilder::empty(true).build()?,
            false => LogicalPlanBuilder::from(base.clone())
                .aggregate(keys, Vec::<Expr>::new())?
                .build()?,
        };
        let domain = Domain { values, columns };
        let attached = match domain.columns.is_empty() {
            true => Attached {
                plan,
                keys: Vec::new(),
            },
            false => self.attach(plan, &domain)?,
        };
        Ok((attached, domain))
    }

    /// A scalar sub-query as a column: NULL where it has no row.
    fn scalar(
        &self,
        scalar: Subquery,
        base: &LogicalPlan,
        input: &mut LogicalPlan,
    ) -> Result<Expr, QueryError> {
        let plan = Arc::unwrap_or_clone(scalar.subquery);
        if !at_most_one(&plan) {
            return Err(several_rows());
        }
        let plan = self.plan(plan)?;
        let value = first_column(&plan);
        let (Attached { plan, keys }, domain) = self.of_each(plan, base)?;
        let name = self.binder.fresh("value");
        let all = keys.iter().cloned().map(Expr::Column);
        let all: Vec<Expr> = all.chain([value.alias(&name)]).collect();
        let right = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        let (columns, left) = (&domain.columns, input.clone());
        *input = joined(left, right, JoinType::Left, columns, &keys, None)?;
        Ok(column(&name))
    }

    /// EXISTS and IN as rows that are there or not, their outer columns attached later.
    fn existence(
        &self,
        expr: Expr,
        base: &LogicalPlan,
        input: &mut LogicalPlan,
    ) -> Result<Existence, QueryError> {
        match expr {
            Expr::Exists(Exists { subquery, negated }) => Ok(Existence {
                rows: self.plan(Arc::unwrap_or_clone(subquery.subquery))?,
                negated,
            }),
            Expr::InSubquery(InSubquery {
                expr,
                subquery,
                negated,
            }) => {
                let plan = self.plan(Arc::unwrap_or_clone(subquery.subquery))?;
                let item = first_column(&plan);
                let value = self.replaced(*expr, base, input, false)?;
                let schema = input.schema().clone();
                let value = value.transform_up(|e| {
                    let Expr::Column(column) = e else {
                        return Ok(Transformed::no(e));
                    };
                    let field = schema.qualified_field_from_column(&column)?.1.clone();
                    Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
                })?;
                let rows = LogicalPlanBuilder::from(plan)
                    .filter(value.data.eq(item))?
                    .build()?;
                Ok(Existence { rows, negated })
            }
            other => Err(QueryError::Internal(format!("no sub-query: {other}"))),
        }
    }

    /// EXISTS and IN as a value.
    fn exists(
        &self,
        expr: Expr,
        base: &LogicalPlan,
        input: &mut LogicalPlan,
    ) -> Result<Expr, QueryError> {
        let Existence { rows, negated } = self.existence(expr, base, input)?;
        let (Attached { plan, keys }, domain) = self.of_each(rows, input)?;
        let by: Vec<Expr> = keys.iter().cloned().map(Expr::Column).collect();
        let name = self.binder.fresh("found");
        let builder = LogicalPlanBuilder::from(plan);
        let once = match by.is_empty() {
            true => builder.limit(0, Some(1))?,
            false => builder.aggregate(by.clone(), Vec::<Expr>::new())?,
        };
        let all = by.into_iter().chain([lit(true).alias(&name)]);
        let right = once.project(all.collect::<Vec<_>>())?.build()?;
        let (columns, left) = (&domain.columns, input.clone());
        *input = joined(left, right, JoinType::Left, columns, &keys, None)?;
        Ok(match negated {
            true => column(&name).is_null(),
            false => column(&name).is_not_null(),
        })
    }

    /// EXISTS and IN that DataFusion joins itself. Its NOT IN finds NULLs unknown, RisingWave's does not.
    fn left(
        &self,
        found: &Expr,
        negated: bool,
        base: &LogicalPlan,
    ) -> Result<Option<Expr>, QueryError> {
        let plan = match found {
            Expr::Exists(exists) => &exists.subquery.subquery,
            Expr::InSubquery(within) if !negated => &within.subquery.subquery,
            _ => return Ok(None),
        };
        let condition = match negated {
            true => Expr::Not(Box::new(found.clone())),
            false => found.clone(),
        };
        let left = self.is_left(plan, base, false)?;
        Ok(left.then_some(condition))
    }

    /// The rows for which a sub-query has rows, or has none.
    fn kept(
        &self,
        found: Expr,
        negated: bool,
        base: &LogicalPlan,
        mut input: LogicalPlan,
    ) -> Result<LogicalPlan, QueryError> {
        let kind = match negated {
            true => JoinType::LeftAnti,
            false => JoinType::LeftSemi,
        };
        if let Expr::InSubquery(within) = &found
            && outer_columns(&within.subquery.subquery)?.is_empty()
        {
            let value = self.replaced(within.expr.as_ref().clone(), base, &mut input, false)?;
            let plan = self.plan(within.subquery.subquery.as_ref().clone())?;
            let condition = value.eq(first_column(&plan));
            return joined(input, plan, kind, &[], &[], Some(condition));
        }
        let rows = self.existence(found, base, &mut input)?.rows;
        let (Attached { plan, keys }, domain) = self.of_each(rows, &input)?;
        joined(input, plan, kind, &domain.columns, &keys, None)
    }

    /// A join with a sub-query that reads columns of its left side.
    fn lateral(&self, join: Join) -> Result<LogicalPlan, QueryError> {
        let shown: Vec<Expr> = join
            .schema
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let right = match Arc::unwrap_or_clone(join.right) {
            LogicalPlan::Subquery(right) => Arc::unwrap_or_clone(right.subquery),
            other => other,
        };
        let left = Arc::unwrap_or_clone(join.left);
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return Err(QueryError::invalid_input(
                "The combining JOIN type must be INNER or LEFT for a LATERAL reference",
            ));
        }
        let (Attached { plan, keys }, domain) = self.of_each(right, &left)?;
        let plan = joined(
            left,
            plan,
            join.join_type,
            &domain.columns,
            &keys,
            join.filter,
        )?;
        Ok(LogicalPlanBuilder::from(plan).project(shown)?.build()?)
    }
}

/// A condition that is nothing but EXISTS or IN, and whether it is denied.
fn existence_of(expr: Expr) -> Result<(Expr, bool), Expr> {
    match expr {
        Expr::Exists(Exists { subquery, negated }) => Ok((
            Expr::Exists(Exists {
                subquery,
                negated: false,
            }),
            negated,
        )),
        Expr::InSubquery(within) => {
            let negated = within.negated;
            let within = InSubquery {
                negated: false,
                ..within
            };
            Ok((Expr::InSubquery(within), negated))
        }
        Expr::Not(inner) => match existence_of(*inner) {
            Ok((found, negated)) => Ok((found, !negated)),
            Err(inner) => Err(Expr::Not(Box::new(inner))),
        },
        other => Err(other),
    }
}

/// A join of rows with those of their values of the outer columns, NULLs being values too.
fn joined(
    left: LogicalPlan,
    right: LogicalPlan,
    kind: JoinType,
    columns: &[PlanColumn],
    keys: &[PlanColumn],
    condition: Option<Expr>,
) -> Result<LogicalPlan, QueryError> {
    let mut conditions = same(columns, keys);
    conditions.extend(condition);
    let builder = LogicalPlanBuilder::from(left);
    if conditions.is_empty() && kind == JoinType::Inner {
        return Ok(builder.cross_join(right)?.build()?);
    }
    if conditions.is_empty() {
        conditions.push(lit(true));
    }
    Ok(builder.join_on(right, kind, conditions)?.build()?)
}

/// Conditions that columns have the same values.
fn same(left: &[PlanColumn], right: &[PlanColumn]) -> Vec<Expr> {
    let sides = left.iter().zip(right);
    sides
        .map(|(l, r)| {
            let (l, r) = (Expr::Column(l.clone()), Expr::Column(r.clone()));
            datafusion::logical_expr::binary_expr(l, Operator::IsNotDistinctFrom, r)
        })
        .collect()
}

impl Domain {
    fn place(&self, column: &PlanColumn) -> Option<usize> {
        self.columns.iter().position(|c| c == column)
    }

    /// Whether a plan reads one of the columns.
    fn is_read_by(&self, plan: &LogicalPlan) -> Result<bool, QueryError> {
        let outer = outer_columns(plan)?;
        Ok(outer.iter().any(|c| self.place(c).is_some()))
    }

    /// An expression that reads the columns from a plan which has them under other names.
    fn read(&self, expr: Expr, keys: &[PlanColumn]) -> Result<Expr, QueryError> {
        let done = expr.transform_up(|e| {
            Ok(match e {
                Expr::OuterReferenceColumn(field, column) => match self.place(&column) {
                    Some(i) => Transformed::yes(Expr::Column(keys[i].clone())),
                    None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
                },
                Expr::ScalarSubquery(scalar) => {
                    Transformed::yes(Expr::ScalarSubquery(self.renamed(scalar, keys)?))
                }
                Expr::Exists(Exists { subquery, negated }) => {
                    let subquery = self.renamed(subquery, keys)?;
                    Transformed::yes(Expr::Exists(Exists { subquery, negated }))
                }
                Expr::InSubquery(within) => {
                    let subquery = self.renamed(within.subquery, keys)?;
                    Transformed::yes(Expr::InSubquery(InSubquery { subquery, ..within }))
                }
                other => Transformed::no(other),
            })
        })?;
        Ok(done.data)
    }

    /// A sub-query, left to DataFusion, that reads the columns under other names.
    fn renamed(&self, inner: Subquery, keys: &[PlanColumn]) -> DfResult<Subquery> {
        let plan = Arc::unwrap_or_clone(inner.subquery).transform_up_with_subqueries(|node| {
            node.map_expressions(|expr| {
                expr.transform_up(|e| {
                    Ok(match e {
                        Expr::OuterReferenceColumn(field, column) => {
                            let to = self.place(&column).map(|i| keys[i].clone());
                            let column = to.unwrap_or(column);
                            Transformed::yes(Expr::OuterReferenceColumn(field, column))
                        }
                        other => Transformed::no(other),
                    })
                })
            })
        })?;
        Ok(subquery(plan.data))
    }
}
