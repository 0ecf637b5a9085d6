//! SELECT: from the FROM clause up to the result's columns, with grouping, windows, DISTINCT and ORDER BY.

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr};
use sqlparser::ast::{
    AccessExpr, Distinct, Expr as Ast, OrderByExpr, Select, SelectItem,
    SelectItemQualifiedWildcardKind, WildcardAdditionalOptions,
};

use super::group::{collect, replace};
use super::query::{output_position, sort};
use super::{Binder, Bound, BoundQuery, Env, OutputColumn, Scope, column, output_name};
use crate::error::QueryError;
use crate::names::{folded, parts};

/// A SELECT on its way: the plan so far and its output expressions over that plan.
pub(super) struct Stage {
    pub(super) plan: LogicalPlan,
    pub(super) output: Vec<OutputColumn>,
    /// Sort keys, with their Arrow types.
    pub(super) order: Vec<(SortExpr, ArrowType)>,
    pub(super) on: Vec<Expr>,
    pub(super) having: Option<Expr>,
}

impl Stage {
    /// Every expression that is still to be computed.
    pub(super) fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.output
            .iter_mut()
            .map(|c| &mut c.bound.expr)
            .chain(self.order.iter_mut().map(|(s, _)| &mut s.expr))
            .chain(self.on.iter_mut())
            .chain(self.having.iter_mut())
    }
}

impl Binder<'_> {
    pub(crate) fn select(
        &self,
        select: &Select,
        order: &[OrderByExpr],
        env: &Env<'_>,
    ) -> Result<BoundQuery, QueryError> {
        refuse(select)?;
        let (mut plan, scope) = self.from(&select.from, env)?;
        let env = Env {
            scope: &scope,
            windows: &select.named_window,
            ..*env
        };
        if let Some(condition) = &select.selection {
            let condition = self.condition(condition, &env, "WHERE")?.expr;
            self.stream_condition(&condition)?;
            let (with_keys, condition) = self.correlated_keys(plan, condition)?;
            plan = LogicalPlanBuilder::from(with_keys)
                .filter(condition)?
                .build()?;
        }
        if self.streaming {
            super::stream::refuse_approximations(select, &plan)?;
        }
        let output = self.projection(&select.projection, &scope, &env)?;
        if self.streaming && !self.settings.in_columns {
            stream_output(&output)?;
        }
        let having = match &select.having {
            Some(having) => {
                let condition = self.condition(having, &env, "HAVING")?.expr;
                self.stream_condition(&condition)?;
                Some(condition)
            }
            None => None,
        };
        let mut sorts = Vec::with_capacity(order.len());
        for item in order {
            let by = match output_position(&item.expr, &output)? {
                Some(i) => output[i].bound.clone(),
                None => self.any(&item.expr, &env)?,
            };
            sorts.push((sort(by.expr, item), by.arrow));
        }
        let on = match &select.distinct {
            Some(Distinct::On(exprs)) => exprs
                .iter()
                .map(|ast| match output_position(ast, &output)? {
                    Some(i) => Ok(output[i].bound.key()),
                    None => Ok(self.any(ast, &env)?.key()),
                })
                .collect::<Result<_, QueryError>>()?,
            _ => Vec::new(),
        };
        let mut stage = Stage {
            plan,
            output,
            order: sorts,
            on,
            having: None,
        };
        stage.having = having;
        let stage = self.group(stage, &select.group_by, &env)?;
        let stage = self.window_stage(stage)?;
        let stage = self.series_stage(stage)?;
        self.project(stage, select.distinct.as_ref())
    }

    /// Makes columns of the keys that a condition compares with an outer query: DataFusion takes a correlated sub-query
    /// apart by columns.
    fn correlated_keys(
        &self,
        plan: LogicalPlan,
        condition: Expr,
    ) -> Result<(LogicalPlan, Expr), QueryError> {
        let outer = |e: &Expr| e.exists(|e| Ok(matches!(e, Expr::OuterReferenceColumn(..))));
        if !outer(&condition)? {
            return Ok((plan, condition));
        }
        let mut keys = Vec::new();
        collect(
            &condition,
            &mut keys,
            |e| matches!(e, Expr::ScalarFunction(call) if call.func.name() == crate::kernel::key::KEY),
        );
        let mut targets = Vec::with_capacity(keys.len());
        for key in keys {
            if !outer(&key)? {
                targets.push((key, self.fresh("key")));
            }
        }
        if targets.is_empty() {
            return Ok((plan, condition));
        }
        let columns = plan.schema().columns().into_iter().map(Expr::Column);
        let all: Vec<Expr> = columns
            .chain(targets.iter().map(|(key, name)| key.clone().alias(name)))
            .collect();
        let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        let targets: Vec<(Expr, Expr)> = targets
            .into_iter()
            .map(|(key, name)| (key, column(&name)))
            .collect();
        Ok((plan, replace(condition, &targets)?))
    }

    pub(super) fn projection(
        &self,
        items: &[SelectItem],
        scope: &Scope,
        env: &Env<'_>,
    ) -> Result<Vec<OutputColumn>, QueryError> {
        let mut output = Vec::new();
        for item in items {
            match item {
                SelectItem::UnnamedExpr(ast) => {
                    if self.expand_row(ast, env, &mut output)? {
                        continue;
                    }
                    let bound = self.expr(ast, env)?;
                    output.push(OutputColumn {
                        name: output_name(ast),
                        bound,
                        named: super::name::name(ast).is_some(),
                    });
                }
                SelectItem::ExprWithAlias { expr, alias } => output.push(OutputColumn {
                    name: folded(alias),
                    bound: self.expr(expr, env)?,
                    named: true,
                }),
                SelectItem::Wildcard(options) => {
                    if scope.columns.is_empty() {
                        return Err(QueryError::bind(
                            "SELECT * with no tables specified is not valid",
                        ));
                    }
                    let from = output.len();
                    star(scope, None, &mut output)?;
                    self.leave_out(options, &mut output, from, env)?;
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    let names = parts(name);
                    let table = names.last().map(String::as_str).unwrap_or_default();
                    let from = output.len();
                    star(scope, Some(table), &mut output)?;
                    self.leave_out(options, &mut output, from, env)?;
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::Expr(ast),
                    options,
                ) => {
                    let from = output.len();
                    self.expand_fields(ast, env, &mut output)?;
                    self.leave_out(options, &mut output, from, env)?;
                }
            }
        }
        for column in &mut output {
            if column.bound.untyped && matches!(column.bound.expr, Expr::Placeholder(_)) {
                column.bound = self.default_type(column.bound.clone())?;
            }
        }
        // `SELECT *` of a table without columns is fine.
        if items.is_empty() {
            return Err(QueryError::Syntax(
                "expected an expression in SELECT".into(),
            ));
        }
        Ok(output)
    }

    /// `(row).*` that arrives as a field access.
    fn expand_row(
        &self,
        ast: &Ast,
        env: &Env<'_>,
        output: &mut Vec<OutputColumn>,
    ) -> Result<bool, QueryError> {
        let Ast::CompoundFieldAccess { root, access_chain } = ast else {
            return Ok(false);
        };
        let all = matches!(access_chain.last(), Some(AccessExpr::Dot(Ast::Identifier(ident)))
            if ident.value == crate::parse::ALL_FIELDS);
        if !all {
            return Ok(false);
        }
        let inner = Ast::CompoundFieldAccess {
            root: root.clone(),
            access_chain: access_chain[..access_chain.len() - 1].to_vec(),
        };
        let target = if access_chain.len() == 1 {
            root.as_ref()
        } else {
            &inner
        };
        self.expand_fields(target, env, output)?;
        Ok(true)
    }

    fn expand_fields(
        &self,
        ast: &Ast,
        env: &Env<'_>,
        output: &mut Vec<OutputColumn>,
    ) -> Result<(), QueryError> {
        let value = self.expr(ast, env)?;
        let rwt_sql::DataType::Struct(fields) = &value.data_type else {
            return Err(QueryError::bind(format!(
                "type \"{}\" is not composite",
                value.data_type
            )));
        };
        for (i, (name, _)) in fields.iter().enumerate() {
            output.push(OutputColumn {
                name: crate::types::field_name(name, i),
                bound: crate::kernel::list::field(value.clone(), i),
                named: true,
            });
        }
        Ok(())
    }

    /// Window functions, those that others read first.
    fn window_stage(&self, mut stage: Stage) -> Result<Stage, QueryError> {
        loop {
            let mut windows: Vec<Expr> = Vec::new();
            for expr in stage.exprs_mut() {
                innermost_windows(expr, &mut windows)?;
            }
            if windows.is_empty() {
                return Ok(stage);
            }
            let targets: Vec<(Expr, Expr)> = windows
                .iter()
                .map(|window| (window.clone(), column(&window.schema_name().to_string())))
                .collect();
            stage.plan = LogicalPlanBuilder::window_plan(stage.plan, windows)?;
            for expr in stage.exprs_mut() {
                *expr = replace(expr.clone(), &targets)?;
            }
        }
    }

    /// Functions in the SELECT list that give several rows.
    fn series_stage(&self, mut stage: Stage) -> Result<Stage, QueryError> {
        let mut lists: Vec<Expr> = Vec::new();
        for expr in stage.exprs_mut() {
            collect(expr, &mut lists, |e| matches!(e, Expr::Unnest(_)));
        }
        if lists.is_empty() {
            return Ok(stage);
        }
        let mut all: Vec<Expr> = stage
            .plan
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let mut targets = Vec::new();
        let mut columns = Vec::new();
        for list in &lists {
            let Expr::Unnest(inner) = list else { continue };
            let name = self.fresh("series");
            all.push(inner.expr.as_ref().clone().alias(&name));
            columns.push(datafusion::common::Column::new_unqualified(&name));
            targets.push((list.clone(), column(&name)));
        }
        stage.plan = LogicalPlanBuilder::from(stage.plan)
            .project(all)?
            .unnest_columns_with_options(columns, super::from::unnest_options())?
            .build()?;
        for expr in stage.exprs_mut() {
            *expr = replace(expr.clone(), &targets)?;
        }
        Ok(stage)
    }

    fn project(&self, stage: Stage, distinct: Option<&Distinct>) -> Result<BoundQuery, QueryError> {
        let mut exprs: Vec<Expr> = Vec::with_capacity(stage.output.len());
        let mut columns = Vec::with_capacity(stage.output.len());
        let mut by_expr: Vec<(Expr, Expr)> = Vec::new();
        for out in stage.output {
            let name = self.fresh(&out.name);
            by_expr.push((out.bound.expr.clone(), column(&name)));
            if matches!(distinct, Some(Distinct::Distinct)) {
                self.state_key(&out.bound, "aggregation group key")?;
            }
            let value = match distinct {
                Some(Distinct::Distinct) => out.bound.key(),
                _ => out.bound.expr.clone(),
            };
            exprs.push(value.alias(&name));
            columns.push(OutputColumn {
                bound: Bound {
                    expr: column(&name),
                    parts: Vec::new(),
                    ..out.bound
                },
                ..out
            });
        }
        let width = exprs.len();
        let mut place =
            |expr: Expr, exprs: &mut Vec<Expr>, missing: &str| -> Result<Expr, QueryError> {
                if let Some((_, to)) = by_expr.iter().find(|(from, _)| *from == expr) {
                    return Ok(to.clone());
                }
                if matches!(distinct, Some(Distinct::Distinct)) {
                    return Err(QueryError::invalid_input(missing));
                }
                let name = self.fresh("order");
                exprs.push(expr.clone().alias(&name));
                by_expr.push((expr, column(&name)));
                Ok(column(&name))
            };
        let mut sorts = Vec::with_capacity(stage.order.len());
        for (sort, arrow) in stage.order {
            let missing = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
            let place = place(sort.expr, &mut exprs, missing)?;
            sorts.push(SortExpr {
                expr: crate::kernel::key::key(place, &arrow),
                ..sort
            });
        }
        let mut on = Vec::with_capacity(stage.on.len());
        for expr in stage.on {
            on.push(place(expr, &mut exprs, "")?);
        }
        let wide = exprs.len() > width;
        let mut plan = LogicalPlanBuilder::from(stage.plan).project(exprs)?;
        match distinct {
            Some(Distinct::Distinct) => plan = plan.distinct()?,
            Some(Distinct::On(_)) => return self.distinct_on(plan.build()?, on, sorts, columns),
            _ => {}
        }
        if !sorts.is_empty() {
            plan = plan.sort(sorts)?;
        }
        if wide {
            plan = plan.project(
                columns
                    .iter()
                    .map(|c| c.bound.expr.clone())
                    .collect::<Vec<_>>(),
            )?;
        }
        Ok(BoundQuery {
            plan: plan.build()?,
            columns,
        })
    }

    /// The first row of each group, by ORDER BY.
    fn distinct_on(
        &self,
        plan: LogicalPlan,
        on: Vec<Expr>,
        sorts: Vec<SortExpr>,
        columns: Vec<OutputColumn>,
    ) -> Result<BoundQuery, QueryError> {
        use datafusion::functions_window::row_number::row_number_udwf;
        use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
        use datafusion::logical_expr::{WindowFrame, WindowFunctionDefinition, lit};
        let window = Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(row_number_udwf()),
            params: WindowFunctionParams {
                args: Vec::new(),
                partition_by: on,
                order_by: sorts.clone(),
                window_frame: WindowFrame::new((!sorts.is_empty()).then_some(false)),
                filter: None,
                null_treatment: None,
                distinct: false,
            },
        }));
        let rank = column(&window.schema_name().to_string());
        let plan = LogicalPlanBuilder::window_plan(plan, vec![window])?;
        let mut plan = LogicalPlanBuilder::from(plan).filter(rank.eq(lit(1_u64)))?;
        if !sorts.is_empty() {
            plan = plan.sort(sorts)?;
        }
        let plan = plan
            .project(
                columns
                    .iter()
                    .map(|c| c.bound.expr.clone())
                    .collect::<Vec<_>>(),
            )?
            .build()?;
        Ok(BoundQuery { plan, columns })
    }

    /// `* EXCEPT (a, t.b)`: the columns from a place on without these.
    fn leave_out(
        &self,
        options: &WildcardAdditionalOptions,
        output: &mut Vec<OutputColumn>,
        from: usize,
        env: &Env<'_>,
    ) -> Result<(), QueryError> {
        let other = options.opt_ilike.is_some()
            || options.opt_exclude.is_some()
            || options.opt_replace.is_some()
            || options.opt_rename.is_some();
        if other {
            return Err(QueryError::NotImplemented(format!("*{options}")));
        }
        let Some(except) = &options.opt_except else {
            return Ok(());
        };
        let mut left_out: Vec<Expr> = Vec::new();
        for ident in [&except.first_element]
            .into_iter()
            .chain(&except.additional_elements)
        {
            let column = self.expr(&crate::parse::excepted(ident), env)?.expr;
            if !matches!(column, Expr::Column(_)) {
                return Err(QueryError::bind("Only support column name in except list"));
            }
            if left_out.contains(&column) {
                return Err(QueryError::bind("Duplicate entry in except list"));
            }
            left_out.push(column);
        }
        let mut place = 0;
        output.retain(|column| {
            place += 1;
            place <= from || !left_out.contains(&column.bound.expr)
        });
        Ok(())
    }
}

/// Collects window functions that read no others, each once.
fn innermost_windows(expr: &Expr, found: &mut Vec<Expr>) -> Result<(), QueryError> {
    expr.apply(|e| {
        if !matches!(e, Expr::WindowFunction(_)) {
            return Ok(TreeNodeRecursion::Continue);
        }
        let mut nested = false;
        e.apply_children(|child| {
            nested |= child.exists(|e| Ok(matches!(e, Expr::WindowFunction(_))))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !nested && !found.contains(e) {
            found.push(e.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// What the SELECT list of a stream must not have.
fn stream_output(output: &[OutputColumn]) -> Result<(), QueryError> {
    for column in output {
        let now = column
            .bound
            .expr
            .exists(|e| Ok(matches!(e, Expr::Placeholder(p) if p.id == crate::execute::NOW)))?;
        if now {
            return Err(QueryError::invalid_input(
                "For streaming queries, `NOW()` function is only allowed in `WHERE`, `HAVING`, `ON` and `FROM`. Found in \
                 clause: None. Please refer to https://docs.risingwave.com/processing/sql/temporal-filters for more information",
            ));
        }
    }
    Ok(())
}

fn refuse(select: &Select) -> Result<(), QueryError> {
    let refused = [
        (select.top.is_some(), "TOP"),
        (select.into.is_some(), "SELECT INTO"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.cluster_by.is_empty(), "CLUSTER BY"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
        (!select.sort_by.is_empty(), "SORT BY"),
        (select.qualify.is_some(), "QUALIFY"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
    ];
    match refused.iter().find(|(present, _)| *present) {
        Some((_, what)) => Err(QueryError::NotImplemented((*what).to_owned())),
        None => Ok(()),
    }
}

fn star(
    scope: &Scope,
    table: Option<&str>,
    output: &mut Vec<OutputColumn>,
) -> Result<(), QueryError> {
    if let Some(table) = table
        && !scope.has_table(table)
    {
        return Err(QueryError::Bind(format!(
            "Item not found: relation \"{table}\""
        )));
    }
    for column in &scope.columns {
        let wanted = match table {
            Some(table) => column.table.as_deref() == Some(table),
            None => !column.merged,
        };
        if wanted && !column.hidden {
            output.push(OutputColumn {
                name: column.name.clone(),
                bound: column.bound.clone(),
                named: true,
            });
        }
    }
    Ok(())
}
