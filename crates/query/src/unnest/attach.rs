//! Computing a sub-query for all values of its outer columns at once: the domain goes down the plan to where the columns are
//! read, and its values come up again beside the rows that belong to them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column as PlanColumn, JoinType, NullEquality};
use datafusion::logical_expr::expr::{
    AggregateFunction, GroupingSet, WindowFunction, WindowFunctionParams,
};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, FetchType, Join, Limit, LogicalPlan, LogicalPlanBuilder, SkipType,
    SortExpr, Union, Values, Window, WindowFrame, WindowFunctionDefinition, lit,
};

use super::{Attached, Domain, Unnesting, columns_of, joined, same};
use crate::bind::column;
use crate::error::QueryError;

/// The columns as expressions.
fn exprs(columns: &[PlanColumn]) -> impl Iterator<Item = Expr> + '_ {
    columns.iter().cloned().map(Expr::Column)
}

fn refused() -> QueryError {
    QueryError::NotImplemented("a correlated sub-query of this shape in the embedded engine".into())
}

/// Aggregates of the rows that are there, see [`Unnesting::attach_all`].
fn of_found(calls: Vec<Expr>, found: &str) -> Result<Vec<Expr>, QueryError> {
    let names = NamePreserver::new_for_projection();
    let there = || column(found).is_not_null();
    let calls = calls.into_iter().map(|call| {
        let saved = names.save(&call);
        let done = call.transform_up(|e| {
            let Expr::AggregateFunction(AggregateFunction { func, mut params }) = e else {
                return Ok(Transformed::no(e));
            };
            // GROUPING is of the sets, not of their rows.
            if func.name() != "grouping" {
                params.filter = Some(Box::new(match params.filter {
                    Some(filter) => filter.and(there()),
                    None => there(),
                }));
            }
            let call = AggregateFunction { func, params };
            Ok(Transformed::yes(Expr::AggregateFunction(call)))
        })?;
        Ok(saved.restore(done.data))
    });
    calls.collect()
}

/// A plan below projections, and those, the lowest first.
fn below_projections(mut plan: LogicalPlan) -> (LogicalPlan, Vec<Vec<Expr>>) {
    let mut projections = Vec::new();
    while let LogicalPlan::Projection(projection) = plan {
        projections.push(projection.expr);
        plan = Arc::unwrap_or_clone(projection.input);
    }
    projections.reverse();
    (plan, projections)
}

impl Unnesting<'_, '_> {
    /// The plan for every value of the domain.
    pub(super) fn attach(
        &self,
        plan: LogicalPlan,
        domain: &Domain,
    ) -> Result<Attached, QueryError> {
        if !domain.is_read_by(&plan)? {
            return self.crossed(plan, domain);
        }
        match plan {
            LogicalPlan::Projection(projection) => {
                let input = self.attach(Arc::unwrap_or_clone(projection.input), domain)?;
                self.projected(input, projection.expr, domain)
            }
            LogicalPlan::Filter(filter) => {
                let Attached { plan, keys } =
                    self.attach(Arc::unwrap_or_clone(filter.input), domain)?;
                let condition = domain.read(filter.predicate, &keys)?;
                let plan = LogicalPlanBuilder::from(plan).filter(condition)?.build()?;
                Ok(Attached { plan, keys })
            }
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                self.aggregated(aggregate, domain)
            }
            LogicalPlan::Aggregate(aggregate) => self.grouped(aggregate, domain),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                let Attached { plan, keys } =
                    self.attach(Arc::unwrap_or_clone(sort.input), domain)?;
                let sorts = self.sorts(sort.expr, domain, &keys)?;
                let plan = LogicalPlanBuilder::from(plan).sort(sorts)?.build()?;
                Ok(Attached { plan, keys })
            }
            LogicalPlan::Limit(limit) => self.limited(limit, domain),
            LogicalPlan::Window(window) => self.windowed(window, domain),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let Attached { plan, keys } = self.attach(Arc::unwrap_or_clone(input), domain)?;
                let plan = LogicalPlanBuilder::from(plan).distinct()?.build()?;
                Ok(Attached { plan, keys })
            }
            LogicalPlan::Unnest(unnest) => {
                let Attached { plan, keys } =
                    self.attach(Arc::unwrap_or_clone(unnest.input), domain)?;
                let plan = LogicalPlanBuilder::from(plan)
                    .unnest_columns_with_options(unnest.exec_columns, unnest.options)?
                    .build()?;
                Ok(Attached { plan, keys })
            }
            LogicalPlan::SubqueryAlias(aliased) => {
                let Attached { plan, keys } =
                    self.attach(Arc::unwrap_or_clone(aliased.input), domain)?;
                let table = aliased.alias;
                let keys = keys
                    .into_iter()
                    .map(|key| PlanColumn::new(Some(table.clone()), key.name))
                    .collect();
                let plan = LogicalPlanBuilder::from(plan).alias(table)?.build()?;
                Ok(Attached { plan, keys })
            }
            LogicalPlan::Join(join) => self.both_sides(join, domain),
            LogicalPlan::Union(union) => self.united(union, domain),
            LogicalPlan::Values(values) => self.listed(values, domain),
            _ => Err(refused()),
        }
    }

    /// The domain's values under names of their own.
    fn instance(&self, domain: &Domain) -> Result<Attached, QueryError> {
        let names: Vec<String> = domain
            .columns
            .iter()
            .map(|c| self.binder.fresh(&c.name))
            .collect();
        let values = exprs(&domain.columns).zip(&names);
        let plan = LogicalPlanBuilder::from(domain.values.clone())
            .project(values.map(|(value, name)| value.alias(name)))?
            .build()?;
        let keys = names.iter().map(PlanColumn::new_unqualified).collect();
        Ok(Attached { plan, keys })
    }

    /// A plan that reads nothing of the domain: the same rows for every value.
    fn crossed(&self, plan: LogicalPlan, domain: &Domain) -> Result<Attached, QueryError> {
        let values = self.instance(domain)?;
        let plan = match &plan {
            LogicalPlan::EmptyRelation(empty)
                if empty.produce_one_row && plan.schema().fields().is_empty() =>
            {
                values.plan
            }
            _ => LogicalPlanBuilder::from(plan)
                .cross_join(values.plan)?
                .build()?,
        };
        Ok(Attached {
            plan,
            keys: values.keys,
        })
    }

    fn projected(
        &self,
        input: Attached,
        outputs: Vec<Expr>,
        domain: &Domain,
    ) -> Result<Attached, QueryError> {
        let Attached { plan, keys } = input;
        let mut all = self.named(outputs, domain, &keys)?;
        all.extend(exprs(&keys));
        let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        Ok(Attached { plan, keys })
    }

    /// Expressions that read the domain, under the names that they had.
    fn named(
        &self,
        outputs: Vec<Expr>,
        domain: &Domain,
        keys: &[PlanColumn],
    ) -> Result<Vec<Expr>, QueryError> {
        let names = NamePreserver::new_for_projection();
        let named = outputs.into_iter().map(|expr| {
            let saved = names.save(&expr);
            Ok(saved.restore(domain.read(expr, keys)?))
        });
        named.collect()
    }

    fn sorts(
        &self,
        sorts: Vec<SortExpr>,
        domain: &Domain,
        keys: &[PlanColumn],
    ) -> Result<Vec<SortExpr>, QueryError> {
        let read = sorts.into_iter().map(|sort| {
            let expr = domain.read(sort.expr, keys)?;
            Ok(SortExpr { expr, ..sort })
        });
        read.collect()
    }

    /// The plan for every value of the domain, with a column that is NULL where there is no row.
    fn attach_all(
        &self,
        plan: LogicalPlan,
        domain: &Domain,
        found: &str,
    ) -> Result<Attached, QueryError> {
        let Attached { plan, keys } = self.attach(plan, domain)?;
        let all: Vec<Expr> = columns_of(&plan)
            .into_iter()
            .chain([lit(true).alias(found)])
            .collect();
        let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        let values = self.instance(domain)?;
        let plan = joined(values.plan, plan, JoinType::Left, &values.keys, &keys, None)?;
        Ok(Attached {
            plan,
            keys: values.keys,
        })
    }

    /// Aggregates without GROUP BY: a row for every value of the domain, also where nothing is found.
    fn aggregated(&self, aggregate: Aggregate, domain: &Domain) -> Result<Attached, QueryError> {
        let found = self.binder.fresh("found");
        let input = Arc::unwrap_or_clone(aggregate.input);
        let Attached { plan, keys } = self.attach_all(input, domain, &found)?;
        let calls = self.named(aggregate.aggr_expr, domain, &keys)?;
        let plan = LogicalPlanBuilder::from(plan)
            .aggregate(exprs(&keys), of_found(calls, &found)?)?
            .build()?;
        Ok(Attached { plan, keys })
    }

    fn grouped(&self, aggregate: Aggregate, domain: &Domain) -> Result<Attached, QueryError> {
        if let [Expr::GroupingSet(sets)] = aggregate.group_expr.as_slice() {
            let GroupingSet::GroupingSets(sets) = sets.clone() else {
                return Err(refused());
            };
            return self.grouped_by_sets(aggregate, sets, domain);
        }
        let Attached { plan, keys } = self.attach(Arc::unwrap_or_clone(aggregate.input), domain)?;
        let mut groups = self.named(aggregate.group_expr, domain, &keys)?;
        groups.extend(exprs(&keys));
        let calls = self.named(aggregate.aggr_expr, domain, &keys)?;
        let plan = LogicalPlanBuilder::from(plan)
            .aggregate(groups, calls)?
            .build()?;
        Ok(Attached { plan, keys })
    }

    /// Grouping sets. That of nothing has a row for every value of the domain, the others only where rows are found.
    fn grouped_by_sets(
        &self,
        aggregate: Aggregate,
        sets: Vec<Vec<Expr>>,
        domain: &Domain,
    ) -> Result<Attached, QueryError> {
        let (found, grouped) = (self.binder.fresh("found"), self.binder.fresh("grouped"));
        let input = Arc::unwrap_or_clone(aggregate.input);
        let Attached { plan, keys } = self.attach_all(input, domain, &found)?;
        let all: Vec<Expr> = columns_of(&plan)
            .into_iter()
            .chain([lit(true).alias(&grouped)])
            .collect();
        let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        let mut wider = Vec::with_capacity(sets.len());
        for set in sets {
            let mut exprs: Vec<Expr> = exprs(&keys).collect();
            if !set.is_empty() {
                exprs.extend([column(&found), column(&grouped)]);
            }
            for expr in set {
                exprs.push(domain.read(expr, &keys)?);
            }
            wider.push(exprs);
        }
        let groups = vec![Expr::GroupingSet(GroupingSet::GroupingSets(wider))];
        let calls = self.named(aggregate.aggr_expr, domain, &keys)?;
        let kept = column(&grouped).is_null().or(column(&found).is_not_null());
        let plan = LogicalPlanBuilder::from(plan)
            .aggregate(groups, of_found(calls, &found)?)?
            .filter(kept)?
            .build()?;
        Ok(Attached { plan, keys })
    }

    /// LIMIT and OFFSET: the rows of each value are numbered.
    fn limited(&self, limit: Limit, domain: &Domain) -> Result<Attached, QueryError> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Err(refused());
        };
        let (plan, projections) = below_projections(Arc::unwrap_or_clone(limit.input));
        let (input, order) = match plan {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                (Arc::unwrap_or_clone(sort.input), sort.expr)
            }
            other => (other, Vec::new()),
        };
        let Attached { plan, keys } = self.attach(input, domain)?;
        let order = self.sorts(order, domain, &keys)?;
        let shown = columns_of(&plan);
        let number = Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(
                datafusion::functions_window::row_number::row_number_udwf(),
            ),
            params: WindowFunctionParams {
                args: Vec::new(),
                partition_by: exprs(&keys).collect(),
                window_frame: WindowFrame::new((!order.is_empty()).then_some(false)),
                order_by: order,
                filter: None,
                null_treatment: None,
                distinct: false,
            },
        }));
        let place = column(&number.schema_name().to_string());
        let plan = LogicalPlanBuilder::window_plan(plan, vec![number])?;
        let count = |n: usize| lit(u64::try_from(n).unwrap_or(u64::MAX));
        let mut kept = place.clone().gt(count(skip));
        if let Some(fetch) = fetch {
            kept = kept.and(place.lt_eq(count(skip.saturating_add(fetch))));
        }
        let plan = LogicalPlanBuilder::from(plan)
            .filter(kept)?
            .project(shown)?
            .build()?;
        let mut attached = Attached { plan, keys };
        for outputs in projections {
            attached = self.projected(attached, outputs, domain)?;
        }
        Ok(attached)
    }

    /// Window functions: each value's rows are windows of their own.
    fn windowed(&self, window: Window, domain: &Domain) -> Result<Attached, QueryError> {
        let shown: Vec<Expr> = columns_of(&window.input);
        let Attached { plan, keys } = self.attach(Arc::unwrap_or_clone(window.input), domain)?;
        let mut all = shown;
        let mut calls = Vec::with_capacity(window.window_expr.len());
        for call in window.window_expr {
            let name = call.schema_name().to_string();
            let read = domain.read(call, &keys)?.transform_up(|e| {
                Ok(match e {
                    Expr::WindowFunction(mut call) => {
                        call.params.partition_by.extend(exprs(&keys));
                        Transformed::yes(Expr::WindowFunction(call))
                    }
                    other => Transformed::no(other),
                })
            })?;
            all.push(column(&read.data.schema_name().to_string()).alias(name));
            calls.push(read.data);
        }
        all.extend(exprs(&keys));
        let plan = LogicalPlanBuilder::window_plan(plan, calls)?;
        let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        Ok(Attached { plan, keys })
    }

    /// A join: the sides that read the domain have its values, and so has one that keeps rows without a match.
    fn both_sides(&self, join: Join, domain: &Domain) -> Result<Attached, QueryError> {
        let shown: Vec<Expr> = join
            .schema
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let kind = join.join_type;
        let (left, right) = (
            Arc::unwrap_or_clone(join.left),
            Arc::unwrap_or_clone(join.right),
        );
        let (mut on_left, mut on_right) = (domain.is_read_by(&left)?, domain.is_read_by(&right)?);
        match kind {
            JoinType::Inner => on_left |= !on_right,
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => on_left = true,
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => on_right = true,
            JoinType::Full => (on_left, on_right) = (true, true),
            JoinType::LeftMark | JoinType::RightMark => return Err(refused()),
        }
        let side = |plan: LogicalPlan, wanted: bool| -> Result<Attached, QueryError> {
            if wanted {
                return self.attach(plan, domain);
            }
            let keys = Vec::new();
            Ok(Attached { plan, keys })
        };
        let (left, right) = (side(left, on_left)?, side(right, on_right)?);
        let reads = |e: &Expr| e.exists(|e| Ok(super::is_outer(e)));
        for (l, r) in &join.on {
            if reads(l)? || reads(r)? {
                return Err(refused());
            }
        }
        let near = match on_left {
            true => &left.keys,
            false => &right.keys,
        };
        let mut on = join.on;
        let mut conditions: Vec<Expr> = join
            .filter
            .map(|filter| domain.read(filter, near))
            .transpose()?
            .into_iter()
            .collect();
        if on_left && on_right {
            match join.null_equality {
                NullEquality::NullEqualsNull => {
                    on.extend(exprs(&left.keys).zip(exprs(&right.keys)))
                }
                NullEquality::NullEqualsNothing => {
                    conditions.extend(same(&left.keys, &right.keys));
                }
            }
        }
        let plan = LogicalPlan::Join(Join::try_new(
            Arc::new(left.plan),
            Arc::new(right.plan),
            on,
            conditions.into_iter().reduce(Expr::and),
            kind,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?);
        self.with_keys(plan, shown, kind, left.keys, right.keys)
    }

    /// A join's own columns and one copy of the domain's values.
    fn with_keys(
        &self,
        plan: LogicalPlan,
        mut all: Vec<Expr>,
        kind: JoinType,
        left: Vec<PlanColumn>,
        right: Vec<PlanColumn>,
    ) -> Result<Attached, QueryError> {
        let keys = match kind {
            JoinType::Full => {
                let mut keys = Vec::with_capacity(left.len());
                let either = datafusion::functions::core::coalesce();
                for (l, r) in left.iter().zip(&right) {
                    let name = self.binder.fresh(&l.name);
                    let sides = vec![Expr::Column(l.clone()), Expr::Column(r.clone())];
                    all.push(either.call(sides).alias(&name));
                    keys.push(PlanColumn::new_unqualified(name));
                }
                keys
            }
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => right,
            _ if left.is_empty() => right,
            _ => left,
        };
        if kind != JoinType::Full {
            all.extend(exprs(&keys));
        }
        let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        Ok(Attached { plan, keys })
    }

    fn united(&self, union: Union, domain: &Domain) -> Result<Attached, QueryError> {
        let names: Vec<String> = domain
            .columns
            .iter()
            .map(|c| self.binder.fresh(&c.name))
            .collect();
        let mut inputs = Vec::with_capacity(union.inputs.len());
        for input in union.inputs {
            let shown = columns_of(&input);
            let Attached { plan, keys } = self.attach(Arc::unwrap_or_clone(input), domain)?;
            let own =
                shown
                    .into_iter()
                    .zip(union.schema.iter())
                    .map(|(from, (qualifier, field))| {
                        from.alias_qualified(qualifier.cloned(), field.name())
                    });
            let keys = exprs(&keys).zip(&names).map(|(key, name)| key.alias(name));
            let all: Vec<Expr> = own.chain(keys).collect();
            let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
            inputs.push(Arc::new(plan));
        }
        let plan = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        let keys = names.iter().map(PlanColumn::new_unqualified).collect();
        Ok(Attached { plan, keys })
    }

    /// VALUES whose rows read the domain.
    fn listed(&self, values: Values, domain: &Domain) -> Result<Attached, QueryError> {
        let names: Vec<String> = domain
            .columns
            .iter()
            .map(|c| self.binder.fresh(&c.name))
            .collect();
        let mut rows = Vec::with_capacity(values.values.len());
        for row in values.values {
            let Attached { plan, keys } = self.instance(domain)?;
            let mut all = Vec::with_capacity(row.len() + keys.len());
            for (value, field) in row.into_iter().zip(values.schema.fields()) {
                all.push(domain.read(value, &keys)?.alias(field.name()));
            }
            all.extend(exprs(&keys).zip(&names).map(|(key, name)| key.alias(name)));
            let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
            rows.push(Arc::new(plan));
        }
        let keys = names.iter().map(PlanColumn::new_unqualified).collect();
        let plan = match rows.len() {
            1 => rows.pop().map(Arc::unwrap_or_clone).ok_or_else(refused)?,
            _ => LogicalPlan::Union(Union::try_new_with_loose_types(rows)?),
        };
        Ok(Attached { plan, keys })
    }
}
