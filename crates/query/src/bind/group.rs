//! GROUP BY: the keys, the aggregates, and what may be named after grouping.

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use sqlparser::ast::{Expr as Ast, GroupByExpr, GroupByWithModifier, Value};

use super::query::output_position;
use super::select::Stage;
use super::{Binder, Bound, Env, OutputColumn, column};
use crate::error::QueryError;
use crate::kernel::key;
use crate::names::folded;

/// An expression to group by, with its Arrow type.
type GroupKey = (Expr, ArrowType);

impl Binder<'_> {
    pub(super) fn group(
        &self,
        mut stage: Stage,
        group_by: &GroupByExpr,
        env: &Env<'_>,
    ) -> Result<Stage, QueryError> {
        let GroupByExpr::Expressions(asts, modifiers) = group_by else {
            return Err(QueryError::NotImplemented("GROUP BY ALL".into()));
        };
        let mut aggregates: Vec<Expr> = Vec::new();
        for expr in stage.exprs_mut() {
            collect(expr, &mut aggregates, |e| {
                matches!(e, Expr::AggregateFunction(_))
            });
        }
        if asts.is_empty() && aggregates.is_empty() && stage.having.is_none() {
            return Ok(stage);
        }
        for aggregate in &aggregates {
            check_aggregate(aggregate)?;
        }
        let grouped = stage.plan.schema().clone();
        for expr in stage.exprs_mut() {
            no_correlation(expr, &grouped)?;
        }
        let grouping = self.grouping(asts, modifiers, &stage.output, env)?;
        // Group by columns: an expression becomes a column of the input first.
        let mut keys: Vec<(Expr, Expr)> = Vec::new();
        let mut computed: Vec<Expr> = Vec::new();
        for (expr, arrow) in grouping.iter().flatten() {
            if has_aggregate(expr) {
                return Err(not_allowed("aggregate functions", "GROUP BY"));
            }
            if expr.exists(|e| Ok(matches!(e, Expr::WindowFunction(_))))? {
                return Err(not_allowed("window functions", "GROUP BY"));
            }
            computed_before(expr, "GROUP BY")?;
            if keys.iter().any(|(from, _)| from == expr) {
                continue;
            }
            let key = match expr {
                Expr::Column(_) if grouping.len() == 1 && !key::has_key(arrow) => expr.clone(),
                _ => {
                    let name = self.fresh("group");
                    computed.push(key::key(expr.clone(), arrow).alias(&name));
                    column(&name)
                }
            };
            keys.push((expr.clone(), key));
        }
        if !computed.is_empty() {
            let mut all: Vec<Expr> = stage
                .plan
                .schema()
                .columns()
                .into_iter()
                .map(Expr::Column)
                .collect();
            all.extend(computed);
            stage.plan = LogicalPlanBuilder::from(stage.plan).project(all)?.build()?;
        }
        let key_of = |expr: &Expr| {
            keys.iter()
                .find(|(from, _)| from == expr)
                .map(|(_, to)| to.clone())
        };
        let group_exprs: Vec<Expr> = if grouping.len() == 1 {
            keys.iter().map(|(_, key)| key.clone()).collect()
        } else {
            let mut sets: Vec<Vec<Expr>> = Vec::with_capacity(grouping.len());
            for set in &grouping {
                let mut set_keys: Vec<Expr> = Vec::with_capacity(set.len());
                for key in set.iter().filter_map(|(expr, _)| key_of(expr)) {
                    if !set_keys.contains(&key) {
                        set_keys.push(key);
                    }
                }
                sets.push(set_keys);
            }
            stage.plan = self.told_apart(stage.plan, &mut sets)?;
            vec![Expr::GroupingSet(
                datafusion::logical_expr::GroupingSet::GroupingSets(sets),
            )]
        };
        // `grouping(x)` names its key as the plan does.
        let mut replaced = Vec::with_capacity(aggregates.len());
        let mut named = Vec::with_capacity(aggregates.len());
        for aggregate in &aggregates {
            let name = self.fresh("aggregate");
            let call = match aggregate {
                Expr::AggregateFunction(f) if f.func.name() == "grouping" => {
                    let mut f = f.clone();
                    for arg in &mut f.params.args {
                        *arg = key_of(arg).ok_or_else(|| {
                            QueryError::bind(
                                "arguments to GROUPING must be grouping expressions of the query",
                            )
                        })?;
                    }
                    Expr::AggregateFunction(f)
                }
                other => other.clone(),
            };
            // DataFusion resolves GROUPING only where it stands without an alias.
            if matches!(&call, Expr::AggregateFunction(f) if f.func.name() == "grouping") {
                replaced.push((aggregate.clone(), column(&call.schema_name().to_string())));
                named.push(call);
                continue;
            }
            named.push(call.alias(&name));
            replaced.push((aggregate.clone(), column(&name)));
        }
        // HAVING alone makes one group of all rows.
        if group_exprs.is_empty() && named.is_empty() {
            named.push(count(lit(1)).alias(self.fresh("aggregate")));
        }
        stage.plan = LogicalPlanBuilder::from(stage.plan)
            .aggregate(group_exprs, named)?
            .build()?;
        let mut targets = replaced;
        targets.extend(keys.iter().cloned());
        for expr in stage.exprs_mut() {
            *expr = replace(expr.clone(), &targets)?;
        }
        let known: Vec<Expr> = targets.into_iter().map(|(_, to)| to).collect();
        for expr in stage.exprs_mut() {
            only_columns_of(expr, &known)?;
        }
        if let Some(having) = stage.having.take() {
            stage.plan = LogicalPlanBuilder::from(stage.plan)
                .filter(having)?
                .build()?;
        }
        Ok(stage)
    }

    /// Gives sets that are there again a further key, the same for every row: DataFusion would group by them once.
    fn told_apart(
        &self,
        plan: LogicalPlan,
        sets: &mut [Vec<Expr>],
    ) -> Result<LogicalPlan, QueryError> {
        let same = |a: &[Expr], b: &[Expr]| a.len() == b.len() && a.iter().all(|e| b.contains(e));
        let mut again: Vec<String> = Vec::new();
        let written = sets.to_vec();
        for at in 0..sets.len() {
            let before = written[..at].iter().filter(|s| same(s, &written[at]));
            for place in 0..before.count() {
                if again.len() <= place {
                    again.push(self.fresh("again"));
                }
                sets[at].push(column(&again[place]));
            }
        }
        if again.is_empty() {
            return Ok(plan);
        }
        let columns = plan.schema().columns().into_iter().map(Expr::Column);
        let all: Vec<Expr> = columns
            .chain(again.iter().map(|name| lit(true).alias(name)))
            .collect();
        Ok(LogicalPlanBuilder::from(plan).project(all)?.build()?)
    }

    /// The sets of expressions to group by, with their Arrow types; one for a plain GROUP BY.
    fn grouping(
        &self,
        asts: &[Ast],
        modifiers: &[GroupByWithModifier],
        output: &[OutputColumn],
        env: &Env<'_>,
    ) -> Result<Vec<Vec<GroupKey>>, QueryError> {
        if !modifiers.is_empty() {
            return Err(QueryError::NotImplemented("GROUP BY … WITH".into()));
        }
        let mut sets: Vec<Vec<GroupKey>> = vec![Vec::new()];
        for ast in asts {
            let many = |groups: &[Vec<Ast>]| -> Result<Vec<Vec<GroupKey>>, QueryError> {
                groups
                    .iter()
                    .map(|group| {
                        group
                            .iter()
                            .map(|ast| self.group_key(ast, output, env))
                            .collect()
                    })
                    .collect()
            };
            let choices: Vec<Vec<GroupKey>> = match ast {
                Ast::GroupingSets(groups) => many(groups)?,
                Ast::Rollup(groups) => {
                    let groups = many(groups)?;
                    (0..=groups.len())
                        .rev()
                        .map(|n| groups[..n].concat())
                        .collect()
                }
                Ast::Cube(groups) => {
                    let groups = many(groups)?;
                    if groups.len() > 10 {
                        return Err(QueryError::bind("CUBE of more than 10 expressions"));
                    }
                    (0..1_usize << groups.len())
                        .rev()
                        .map(|mask| {
                            let last = groups.len();
                            (0..last)
                                .filter(|i| mask >> (last - 1 - i) & 1 == 1)
                                .flat_map(|i| groups[i].clone())
                                .collect()
                        })
                        .collect()
                }
                Ast::Tuple(items) if items.is_empty() => vec![Vec::new()],
                ast => vec![vec![self.group_key(ast, output, env)?]],
            };
            sets = sets
                .iter()
                .flat_map(|set| {
                    choices
                        .iter()
                        .map(move |choice| [set.as_slice(), choice.as_slice()].concat())
                })
                .collect();
        }
        Ok(sets)
    }

    /// A GROUP BY item: a column of the input, else an output column by name or number, else an expression. A name that
    /// several tables of the input have is the output column's, as RisingWave has it.
    fn group_key(
        &self,
        ast: &Ast,
        output: &[OutputColumn],
        env: &Env<'_>,
    ) -> Result<GroupKey, QueryError> {
        let of = |bound: &Bound| -> Result<GroupKey, QueryError> {
            self.state_key(bound, "aggregation group key")?;
            Ok((bound.expr.clone(), bound.arrow.clone()))
        };
        match ast {
            Ast::Identifier(ident) => {
                // A name that is no column, or that of several, may be that of an output column.
                let found = env.scope.find(None, &folded(ident));
                if let Ok(Some(found)) = found {
                    return of(found);
                }
                match output_position(ast, output)? {
                    Some(i) => of(&output[i].bound),
                    None => {
                        found?;
                        of(&self.any(ast, env)?)
                    }
                }
            }
            Ast::Value(value) if matches!(value.value, Value::Number(..)) => {
                match output_position(ast, output) {
                    Ok(Some(i)) => of(&output[i].bound),
                    _ => Err(QueryError::invalid_input(format!(
                        "Invalid ordinal number in GROUP BY: {value}"
                    ))),
                }
            }
            ast => of(&self.any(ast, env)?),
        }
    }
}

/// Collects the outermost sub-expressions of a kind, each once.
pub(super) fn collect(expr: &Expr, found: &mut Vec<Expr>, wanted: fn(&Expr) -> bool) {
    let _ = expr.apply(|e| {
        if wanted(e) {
            if !found.contains(e) {
                found.push(e.clone());
            }
            return Ok(TreeNodeRecursion::Jump);
        }
        Ok(TreeNodeRecursion::Continue)
    });
}

/// Replaces sub-expressions from the top down.
pub(super) fn replace(expr: Expr, targets: &[(Expr, Expr)]) -> Result<Expr, QueryError> {
    let done = expr.transform_down(|e| {
        Ok(match targets.iter().find(|(from, _)| *from == e) {
            Some((_, to)) => Transformed::new(to.clone(), true, TreeNodeRecursion::Jump),
            None => Transformed::no(e),
        })
    })?;
    Ok(done.data)
}

fn has_aggregate(expr: &Expr) -> bool {
    expr.exists(|e| Ok(matches!(e, Expr::AggregateFunction(_))))
        .unwrap_or(false)
}

/// Refuses what a clause cannot have that sees rows one by one, before they are grouped.
pub(super) fn plain_row(expr: &Expr, clause: &str) -> Result<(), QueryError> {
    if has_aggregate(expr) {
        return Err(not_allowed("aggregate functions", clause));
    }
    rows_alone(expr, clause)
}

/// Refuses functions that look at other rows or give several.
pub(super) fn rows_alone(expr: &Expr, clause: &str) -> Result<(), QueryError> {
    if expr.exists(|e| Ok(matches!(e, Expr::WindowFunction(_))))? {
        return Err(not_allowed("window functions", clause));
    }
    if expr.exists(|e| Ok(matches!(e, Expr::Unnest(_))))? {
        return Err(not_allowed("table functions", clause));
    }
    Ok(())
}

fn not_allowed(what: &str, clause: &str) -> QueryError {
    QueryError::invalid_input(format!("{what} are not allowed in {clause}"))
}

/// Refuses what RisingWave's grouping cannot compute before it groups.
fn computed_before(expr: &Expr, place: &str) -> Result<(), QueryError> {
    let has = |found: fn(&Expr) -> bool| expr.exists(|e| Ok(found(e)));
    let what = if crate::unnest::has_subquery(expr)? {
        "subquery"
    } else if has_aggregate(expr) {
        "aggregate function"
    } else if has(|e| matches!(e, Expr::Unnest(_)))? {
        "table function"
    } else if has(|e| matches!(e, Expr::WindowFunction(_)))? {
        "window function"
    } else {
        return Ok(());
    };
    Err(QueryError::NotImplemented(format!("{what} inside {place}")))
}

fn check_aggregate(expr: &Expr) -> Result<(), QueryError> {
    let Expr::AggregateFunction(call) = expr else {
        return Ok(());
    };
    let sorted = call.params.order_by.iter().map(|by| &by.expr);
    for part in call.params.args.iter().chain(sorted) {
        computed_before(part, "aggregation calls")?;
    }
    match &call.params.filter {
        Some(filter) if crate::unnest::has_subquery(filter)? => Err(QueryError::NotImplemented(
            "subquery in filter clause".into(),
        )),
        _ => Ok(()),
    }
}

/// RisingWave knows no sub-query that reads what was grouped.
fn no_correlation(expr: &Expr, grouped: &DFSchema) -> Result<(), QueryError> {
    let mut correlated = false;
    expr.apply(|e| {
        let inner = match e {
            Expr::ScalarSubquery(inner) => inner,
            Expr::Exists(exists) => &exists.subquery,
            Expr::InSubquery(within) => &within.subquery,
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        let outer = crate::unnest::outer_columns(&inner.subquery)?;
        correlated |= outer.iter().any(|column| grouped.has_column(column));
        Ok(TreeNodeRecursion::Continue)
    })?;
    if correlated {
        return Err(QueryError::NotImplemented(
            "correlated subquery in HAVING or SELECT with agg".into(),
        ));
    }
    Ok(())
}

/// After grouping, only keys and aggregates may be named.
fn only_columns_of(expr: &Expr, known: &[Expr]) -> Result<(), QueryError> {
    let foreign = expr.exists(|e| Ok(matches!(e, Expr::Column(_)) && !known.contains(e)))?;
    if foreign {
        return Err(QueryError::invalid_input(
            "column must appear in the GROUP BY clause or be used in an aggregate function",
        ));
    }
    Ok(())
}
