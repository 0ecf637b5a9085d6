//! FROM: relations, views, sub-queries, joins and table functions.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, JoinType, UnnestOptions};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use rwt_sql::DataType;
use sqlparser::ast::{
    Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    JoinConstraint, JoinOperator, ObjectName as AstName, SelectItem, SetExpr, TableAlias,
    TableFactor, TableWithJoins,
};

use super::operator::Comparison;
use super::query::{output_scope, rename};
use super::{Binder, Bound, BoundQuery, Env, OutputColumn, Scope, ScopeColumn, column};
use crate::catalog::Key;
use crate::error::QueryError;
use crate::names::{self, folded};
use crate::relation::{Relation, RelationData};
use crate::scan::RelationTable;

/// Lists are taken apart row by row; a NULL or empty list gives no row.
pub(crate) fn unnest_options() -> UnnestOptions {
    UnnestOptions::new().with_preserve_nulls(false)
}

impl Binder<'_> {
    /// The plan and scope of a FROM clause; one row without columns if there is none.
    pub(crate) fn from(
        &self,
        from: &[TableWithJoins],
        env: &Env<'_>,
    ) -> Result<(LogicalPlan, Scope), QueryError> {
        let mut current: Option<(LogicalPlan, Scope)> = None;
        for item in from {
            current = Some(self.joined(current, item, env)?);
        }
        match current {
            Some(done) => Ok(done),
            None => Ok((LogicalPlanBuilder::empty(true).build()?, Scope::default())),
        }
    }

    fn joined(
        &self,
        before: Option<(LogicalPlan, Scope)>,
        item: &TableWithJoins,
        env: &Env<'_>,
    ) -> Result<(LogicalPlan, Scope), QueryError> {
        let mut current = match before {
            None => self.factor(&item.relation, None, env)?,
            Some(left) => self.join(
                left,
                &item.relation,
                JoinType::Inner,
                &JoinConstraint::None,
                env,
            )?,
        };
        for join in &item.joins {
            // ASOF joins arrive as those that RisingWave does not have, see `crate::parse`.
            let asof = match &join.join_operator {
                JoinOperator::Semi(c) => Some((JoinType::Inner, c)),
                JoinOperator::LeftSemi(c) => Some((JoinType::Left, c)),
                _ => None,
            };
            if let Some((kind, constraint)) = asof {
                current = self.asof_join(current, &join.relation, kind, constraint, env)?;
                continue;
            }
            let (kind, constraint) = match &join.join_operator {
                JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::CrossJoin(c) => {
                    (JoinType::Inner, c)
                }
                JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (JoinType::Left, c),
                JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (JoinType::Right, c),
                JoinOperator::FullOuter(c) => (JoinType::Full, c),
                other => return Err(QueryError::NotImplemented(format!("{other:?}"))),
            };
            current = self.join(current, &join.relation, kind, constraint, env)?;
        }
        Ok(current)
    }

    fn join(
        &self,
        left: (LogicalPlan, Scope),
        factor: &TableFactor,
        kind: JoinType,
        constraint: &JoinConstraint,
        env: &Env<'_>,
    ) -> Result<(LogicalPlan, Scope), QueryError> {
        // A table function of columns on its left is taken apart in place.
        if kind == JoinType::Inner
            && matches!(constraint, JoinConstraint::None)
            && let Some(done) = self.lateral_function(&left, factor, env)?
        {
            return Ok(done);
        }
        self.refuse_temporal(factor, kind)?;
        let right = self.factor(factor, Some(&left.1), env)?;
        let (left_plan, left_scope) = left;
        let (mut right_plan, right_scope) = right;
        left_scope.refuse_same_tables(&right_scope)?;
        // What reads columns of the left side is computed for each of its rows, see `crate::unnest`.
        let reads = |c: &PlanColumn| left_plan.schema().has_column(c);
        if crate::unnest::outer_columns(&right_plan)?.iter().any(reads) {
            right_plan = LogicalPlan::Subquery(super::subquery(right_plan));
        }
        let mut scope = Scope {
            columns: left_scope
                .columns
                .iter()
                .chain(&right_scope.columns)
                .cloned()
                .collect(),
        };
        let mut conditions = Vec::new();
        let shared = match constraint {
            JoinConstraint::None => Vec::new(),
            JoinConstraint::On(ast) => {
                let env = Env {
                    scope: &scope,
                    ..*env
                };
                conditions.push(self.join_condition(ast, &env)?);
                Vec::new()
            }
            JoinConstraint::Using(columns) => columns
                .iter()
                .map(|name| names::parts(name).pop().unwrap_or_default())
                .collect(),
            JoinConstraint::Natural => left_scope
                .columns
                .iter()
                .filter(|l| !l.hidden && !l.merged)
                .filter(|l| {
                    right_scope
                        .columns
                        .iter()
                        .any(|r| r.name == l.name && !r.hidden)
                })
                .map(|l| l.name.clone())
                .collect(),
        };
        let mut merged = Vec::new();
        for name in &shared {
            let side = |scope: &Scope| -> Result<Bound, QueryError> {
                scope.find(None, name)?.cloned().ok_or_else(|| {
                    QueryError::Bind(format!("Item not found: Invalid column: {name}"))
                })
            };
            let (l, r) = (side(&left_scope)?, side(&right_scope)?);
            conditions.push(
                self.comparison(Comparison::Equal, l.clone(), r.clone())?
                    .expr,
            );
            let bound = match kind {
                JoinType::Right => r,
                JoinType::Full => self.coalesce(vec![l, r])?,
                _ => l,
            };
            merged.push((name.clone(), bound));
        }
        let builder = LogicalPlanBuilder::from(left_plan);
        let builder = if conditions.is_empty() && kind == JoinType::Inner {
            builder.cross_join(right_plan)?
        } else {
            builder.join_on(right_plan, kind, conditions)?
        };
        let mut plan = builder.build()?;
        if !merged.is_empty() {
            plan = self.merge(plan, &mut scope, merged)?;
        }
        Ok((plan, scope))
    }

    /// The condition of ON.
    pub(super) fn join_condition(&self, ast: &Ast, env: &Env<'_>) -> Result<Expr, QueryError> {
        let condition = self.condition(ast, env, "ON")?.expr;
        if crate::unnest::has_subquery(&condition)? {
            return Err(QueryError::NotImplemented(
                "Subquery in join on condition".into(),
            ));
        }
        self.stream_condition(&condition)?;
        Ok(condition)
    }

    /// The columns of USING come first and once; those of the tables stay reachable by the tables' names.
    fn merge(
        &self,
        plan: LogicalPlan,
        scope: &mut Scope,
        merged: Vec<(String, Bound)>,
    ) -> Result<LogicalPlan, QueryError> {
        let mut all: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let mut first = Vec::with_capacity(merged.len());
        for (name, bound) in merged {
            for column in scope.columns.iter_mut().filter(|c| c.name == name) {
                column.merged = true;
            }
            let expr = match &bound.expr {
                Expr::Column(_) => bound.expr.clone(),
                other => {
                    let fresh = self.fresh(&name);
                    all.push(other.clone().alias(&fresh));
                    column(&fresh)
                }
            };
            first.push(ScopeColumn {
                schema: None,
                table: None,
                name,
                bound: Bound { expr, ..bound },
                hidden: false,
                merged: false,
            });
        }
        first.append(&mut scope.columns);
        scope.columns = first;
        Ok(LogicalPlanBuilder::from(plan).project(all)?.build()?)
    }

    pub(super) fn factor(
        &self,
        factor: &TableFactor,
        left: Option<&Scope>,
        env: &Env<'_>,
    ) -> Result<(LogicalPlan, Scope), QueryError> {
        let scope = left.cloned().unwrap_or_default();
        let around = Env {
            scope: &scope,
            ..*env
        };
        // A function reads the columns on its left without LATERAL.
        let of_rows = Env {
            outer: Some(&around),
            ..*env
        };
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                version,
                sample,
                ..
            } => {
                if let Some(version) = version {
                    return Err(self.refused_version(version));
                }
                if sample.is_some() {
                    return Err(QueryError::Syntax(
                        "expected end of statement, found: TABLESAMPLE".into(),
                    ));
                }
                if let [database, _, _] = names::parts(name).as_slice()
                    && *database != self.settings.database
                {
                    return Err(QueryError::RelationNotFound(names::key(name).1));
                }
                let key = names::key(name);
                let bound = self.named_relation(&key, env)?;
                let (plan, mut scope) = aliased(bound, alias.as_ref(), Some(&key.1))?;
                if alias.is_none() {
                    for column in &mut scope.columns {
                        column.schema.clone_from(&key.0);
                    }
                }
                Ok((plan, scope))
            }
            TableFactor::Table {
                name,
                alias,
                args: Some(args),
                with_ordinality,
                ..
            } => {
                if names::is_window_function(name) {
                    let (bound, table) = self.window_table(name, &args.args, env)?;
                    return aliased(bound, alias.as_ref(), Some(&table));
                }
                self.function_table(name, &args.args, alias.as_ref(), *with_ordinality, &of_rows)
            }
            TableFactor::Derived {
                lateral,
                subquery,
                alias,
                ..
            } => {
                let outer = if *lateral { Some(&around) } else { env.outer };
                let bound = self.query(subquery, env, outer)?;
                aliased(bound, alias.as_ref(), None)
            }
            TableFactor::Function {
                name, args, alias, ..
            } => self.function_table(name, args, alias.as_ref(), false, &of_rows),
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_ordinality,
                ..
            } => {
                let args: Vec<FunctionArg> = array_exprs
                    .iter()
                    .map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e.clone())))
                    .collect();
                let name = AstName::from(vec!["unnest".into()]);
                self.function_table(&name, &args, alias.as_ref(), *with_ordinality, &of_rows)
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                let (plan, mut scope) = self.joined(None, table_with_joins, env)?;
                if let Some(alias) = alias {
                    for column in &mut scope.columns {
                        column.schema = None;
                        column.table = Some(folded(&alias.name));
                    }
                }
                Ok((plan, scope))
            }
            other => Err(QueryError::NotImplemented(other.to_string())),
        }
    }

    /// A common table expression, view or relation, by name. `hidden` columns are part of the result.
    pub(crate) fn named_relation(
        &self,
        key: &Key,
        env: &Env<'_>,
    ) -> Result<BoundQueryWithHidden, QueryError> {
        if key.0.is_none()
            && let Some(cte) = env.ctes.get(&key.1)
        {
            return Ok(BoundQueryWithHidden::from(self.again(&cte.query)?));
        }
        let Some(relation) = self.catalog.relation(key) else {
            return Err(QueryError::RelationNotFound(key.1.clone()));
        };
        match &relation.data {
            RelationData::Batches(_) => self.scan(key, relation),
            RelationData::View { columns, .. } => {
                let Some(query) = self.catalog.view(key) else {
                    return Err(QueryError::RelationNotFound(key.1.clone()));
                };
                let mut bound = self.deeper(|| self.root(query))?;
                rename(&mut bound.columns, columns, &key.1)?;
                if bound.columns.len() != relation.columns.len() && !relation.columns.is_empty() {
                    return Err(QueryError::bind(format!(
                        "failed to bind view {}, sql: {query}: the view's columns changed",
                        key.1
                    )));
                }
                for column in &mut bound.columns {
                    column.bound = self.default_type(column.bound.clone())?;
                }
                Ok(BoundQueryWithHidden::from(bound))
            }
        }
    }

    /// A query's plan under new column names, so that it can be read more than once.
    fn again(&self, query: &BoundQuery) -> Result<BoundQuery, QueryError> {
        let mut exprs = Vec::with_capacity(query.columns.len());
        let mut columns = Vec::with_capacity(query.columns.len());
        for out in &query.columns {
            let bound = self.default_type(out.bound.clone())?;
            let name = self.fresh(&out.name);
            exprs.push(bound.expr.alias(&name));
            columns.push(OutputColumn {
                bound: Bound {
                    expr: column(&name),
                    ..bound
                },
                ..out.clone()
            });
        }
        let plan = LogicalPlanBuilder::from(query.plan.clone())
            .project(exprs)?
            .build()?;
        Ok(BoundQuery { plan, columns })
    }

    fn scan(&self, key: &Key, relation: &Relation) -> Result<BoundQueryWithHidden, QueryError> {
        let names: Vec<String> = relation
            .columns
            .iter()
            .map(|c| self.fresh(&c.name))
            .collect();
        let table = RelationTable::new(key.clone(), relation, &names)?;
        let schema = relation.schema();
        let source = datafusion::datasource::provider_as_source(Arc::new(table));
        let table_name = datafusion::common::TableReference::bare(self.fresh(&key.1));
        let plan = LogicalPlanBuilder::scan(table_name, source, None)?.build()?;
        let mut columns = Vec::with_capacity(names.len());
        let mut hidden = Vec::with_capacity(names.len());
        for (i, (qualifier, field)) in plan.schema().iter().enumerate() {
            let relation_column = &relation.columns[i];
            let expr = Expr::Column(PlanColumn::new(qualifier.cloned(), field.name()));
            let arrow = schema.field(i).data_type().clone();
            columns.push(OutputColumn {
                name: relation_column.name.clone(),
                bound: Bound::new(expr, relation_column.data_type.clone(), arrow),
                named: true,
            });
            hidden.push(relation_column.hidden);
        }
        Ok(BoundQueryWithHidden {
            query: BoundQuery { plan, columns },
            hidden,
        })
    }

    /// A table function that reads columns of the relations on its left.
    fn lateral_function(
        &self,
        left: &(LogicalPlan, Scope),
        factor: &TableFactor,
        env: &Env<'_>,
    ) -> Result<Option<(LogicalPlan, Scope)>, QueryError> {
        let (name, args, alias) = match factor {
            TableFactor::Table {
                name,
                args: Some(args),
                alias,
                with_ordinality: false,
                ..
            } if !names::is_window_function(name) => (name.clone(), args.args.clone(), alias),
            TableFactor::Function {
                name, args, alias, ..
            } => (name.clone(), args.clone(), alias),
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_ordinality: false,
                ..
            } => (
                AstName::from(vec!["unnest".into()]),
                array_exprs
                    .iter()
                    .map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e.clone())))
                    .collect(),
                alias,
            ),
            _ => return Ok(None),
        };
        let env = Env {
            scope: &left.1,
            ..*env
        };
        let (plan, mut scope) = self.series(left.0.clone(), &name, &args, alias.as_ref(), &env)?;
        let mut columns = left.1.columns.clone();
        columns.append(&mut scope.columns);
        Ok(Some((plan, Scope { columns })))
    }

    fn function_table(
        &self,
        name: &AstName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        ordinality: bool,
        env: &Env<'_>,
    ) -> Result<(LogicalPlan, Scope), QueryError> {
        let input = LogicalPlanBuilder::empty(true).build()?;
        if !ordinality {
            return self.series(input, name, args, alias, env);
        }
        // The last column counts the rows; an alias may name it.
        let shorter = alias.cloned().map(|mut alias| {
            alias.columns.clear();
            alias
        });
        let (plan, mut scope) = self.series(input, name, args, shorter.as_ref(), env)?;
        let number = datafusion::functions_window::row_number::row_number();
        let counted = self.fresh("ordinality");
        let fresh = number.schema_name().to_string();
        let plan = LogicalPlanBuilder::window_plan(plan, vec![number])?;
        let columns = plan.schema().columns();
        let exprs: Vec<Expr> = columns
            .into_iter()
            .map(|c| match c.name == fresh {
                true => datafusion::logical_expr::cast(
                    Expr::Column(c),
                    arrow::datatypes::DataType::Int64,
                )
                .alias(&counted),
                false => Expr::Column(c),
            })
            .collect();
        let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        scope.columns.push(ScopeColumn {
            schema: None,
            table: scope.columns.first().and_then(|c| c.table.clone()),
            name: "ordinality".into(),
            bound: Bound::of(column(&counted), DataType::BigInt),
            hidden: false,
            merged: false,
        });
        let names = alias.map_or(&[][..], |a| &a.columns);
        for (column, name) in scope.columns.iter_mut().zip(names) {
            column.name = folded(&name.name);
        }
        Ok((plan, scope))
    }

    /// Calls a function for every row of a plan and, if it gives a list, takes the list apart.
    fn series(
        &self,
        input: LogicalPlan,
        name: &AstName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        env: &Env<'_>,
    ) -> Result<(LogicalPlan, Scope), QueryError> {
        let function_name = names::parts(name).pop().unwrap_or_default();
        let (name, args) = match as_record(name, args, alias)? {
            Some((name, args)) => (name, Cow::Owned(args)),
            None => (name.clone(), Cow::Borrowed(args)),
        };
        let call = Function {
            name,
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment: None,
                args: args.to_vec(),
                clauses: Vec::new(),
            }),
            filter: None,
            null_treatment: None,
            over: None,
            within_group: Vec::new(),
        };
        let bound = self.call(&call, env)?;
        let fresh = self.fresh(&function_name);
        let mut all: Vec<Expr> = input
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let plan = match &bound.expr {
            Expr::Unnest(list) => {
                all.push(list.expr.as_ref().clone().alias(&fresh));
                LogicalPlanBuilder::from(input)
                    .project(all)?
                    .unnest_columns_with_options(
                        vec![PlanColumn::new_unqualified(&fresh)],
                        unnest_options(),
                    )?
                    .build()?
            }
            other => {
                all.push(other.clone().alias(&fresh));
                LogicalPlanBuilder::from(input).project(all)?.build()?
            }
        };
        let value = Bound {
            expr: column(&fresh),
            ..bound
        };
        let table = alias.map_or_else(|| function_name.clone(), |a| folded(&a.name));
        let fields = match &value.data_type {
            DataType::Struct(fields) => fields.clone(),
            _ => Vec::new(),
        };
        let mut outputs: Vec<OutputColumn> = if fields.is_empty() {
            // The alias of a function with one column names that column too.
            let name = alias.map_or(function_name, |a| folded(&a.name));
            vec![OutputColumn {
                name,
                bound: value,
                named: true,
            }]
        } else {
            fields
                .iter()
                .enumerate()
                .map(|(i, (name, _))| OutputColumn {
                    name: name.clone(),
                    bound: crate::kernel::list::field(value.clone(), i),
                    named: true,
                })
                .collect()
        };
        if let Some(alias) = alias {
            let names: Vec<String> = alias.columns.iter().map(|c| folded(&c.name)).collect();
            rename(&mut outputs, &names, &table)?;
        }
        let mut scope = output_scope(&outputs);
        for column in &mut scope.columns {
            column.table = Some(table.clone());
        }
        Ok((plan, scope))
    }
}

/// `jsonb_to_record(x) AS t(a int)` and its plural as the function that fills a row of these columns.
fn as_record(
    name: &AstName,
    args: &[FunctionArg],
    alias: Option<&TableAlias>,
) -> Result<Option<(AstName, Vec<FunctionArg>)>, QueryError> {
    let function = names::parts(name).pop().unwrap_or_default();
    let filled = match function.as_str() {
        "jsonb_to_record" => "jsonb_populate_record",
        "jsonb_to_recordset" => "jsonb_populate_recordset",
        _ => return Ok(None),
    };
    let columns = alias.map_or(&[][..], |alias| &alias.columns);
    let fields: Vec<String> = columns
        .iter()
        .filter_map(|c| Some(format!("{} {}", c.name, c.data_type.as_ref()?)))
        .collect();
    if fields.is_empty() || fields.len() < columns.len() {
        return Err(QueryError::bind(format!(
            "a column definition list is required for {function}: write AS t(name type, …) behind it"
        )));
    }
    let template = format!("SELECT {filled}(NULL::struct<{}>)", fields.join(", "));
    let query = crate::parse::query(&template)?;
    let SetExpr::Select(select) = *query.body else {
        return Ok(None);
    };
    let Some(SelectItem::UnnamedExpr(Ast::Function(call))) = select.projection.into_iter().next()
    else {
        return Ok(None);
    };
    let FunctionArguments::List(mut list) = call.args else {
        return Ok(None);
    };
    list.args.extend(args.iter().cloned());
    Ok(Some((call.name, list.args)))
}

/// A relation's columns with the hidden ones marked.
pub(crate) struct BoundQueryWithHidden {
    pub(crate) query: BoundQuery,
    pub(crate) hidden: Vec<bool>,
}

impl From<BoundQuery> for BoundQueryWithHidden {
    fn from(query: BoundQuery) -> Self {
        let hidden = vec![false; query.columns.len()];
        Self { query, hidden }
    }
}

/// Gives a relation its alias and column aliases.
fn aliased(
    bound: impl Into<BoundQueryWithHidden>,
    alias: Option<&TableAlias>,
    name: Option<&str>,
) -> Result<(LogicalPlan, Scope), QueryError> {
    let mut bound = bound.into();
    let table = alias
        .map(|a| folded(&a.name))
        .or_else(|| name.map(ToOwned::to_owned));
    if let Some(alias) = alias {
        let names: Vec<String> = alias.columns.iter().map(|c| folded(&c.name)).collect();
        rename(
            &mut bound.query.columns,
            &names,
            table.as_deref().unwrap_or_default(),
        )?;
    }
    let columns = bound
        .query
        .columns
        .into_iter()
        .zip(bound.hidden)
        .map(|(out, hidden)| ScopeColumn {
            schema: None,
            table: table.clone(),
            name: out.name,
            bound: out.bound,
            hidden,
            merged: false,
        })
        .collect();
    Ok((bound.query.plan, Scope { columns }))
}
