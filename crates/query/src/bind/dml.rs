//! The plans of INSERT, UPDATE and DELETE: the target's columns in their stored types, row ids first where rows exist.

use std::borrow::Cow;

use datafusion::logical_expr::LogicalPlanBuilder;
use rwt_sql::DataType;
use sqlparser::ast::{
    Assignment, AssignmentTarget, Expr as Ast, Insert, Query, SelectItem, SetExpr, TableWithJoins,
};

use super::{Binder, Bound, BoundQuery, CastContext, Ctes, Env, OutputColumn, Scope, column};
use crate::dml::{Target, TargetColumn};
use crate::error::QueryError;
use crate::relation::{Column, ROW_ID};
use crate::types::arrow_type;
use crate::{names, parse};

fn is_default(ast: &Ast) -> bool {
    matches!(ast, Ast::Identifier(ident) if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

impl Binder<'_> {
    pub(crate) fn insert(
        &self,
        insert: &Insert,
        target: &Target,
    ) -> Result<BoundQuery, QueryError> {
        let mut places: Vec<usize> = Vec::with_capacity(target.columns.len());
        for ident in &insert.columns {
            let name = names::folded(ident);
            let place = target.position(&name).ok_or_else(|| {
                QueryError::bind(format!("Column {name} not found in table {}", target.name))
            })?;
            if places.contains(&place) {
                return Err(QueryError::bind("Column specified more than once"));
            }
            places.push(place);
        }
        let explicit = !places.is_empty();
        if !explicit {
            places = (0..target.columns.len()).collect();
        }
        let source = insert
            .source
            .as_ref()
            .ok_or_else(|| QueryError::Syntax("expected SELECT or VALUES in INSERT".into()))?;
        let types: Vec<DataType> = places
            .iter()
            .map(|i| target.columns[*i].column.data_type.clone())
            .collect();
        let check = |width: usize| {
            if width > places.len() {
                return Err(QueryError::bind(
                    "INSERT has more expressions than target columns",
                ));
            }
            if explicit && width < places.len() {
                return Err(QueryError::bind(
                    "INSERT has more target columns than expressions",
                ));
            }
            Ok(())
        };
        let bound = match source.body.as_ref() {
            SetExpr::Values(values) if source.with.is_none() && source.order_by.is_none() => {
                let (scope, ctes) = (Scope::default(), Ctes::new());
                let env = Env::alone(&scope, &ctes);
                let mut rows = Vec::with_capacity(values.rows.len());
                for row in &values.rows {
                    if row.iter().any(is_default) {
                        return Err(QueryError::Syntax(
                            "expected an expression, found: DEFAULT".into(),
                        ));
                    }
                    rows.push(
                        row.iter()
                            .map(|ast| self.value_of_row(ast, &env))
                            .collect::<Result<Vec<_>, _>>()?,
                    );
                }
                let width = rows.first().map_or(0, Vec::len);
                if rows.iter().any(|row| row.len() != width) {
                    return Err(QueryError::bind("VALUES lists must all be the same length"));
                }
                check(width)?;
                self.rows(rows, Some(&types))?
            }
            _ => {
                let bound = self.root(source)?;
                check(bound.columns.len())?;
                bound
            }
        };
        let mut values: Vec<Option<Bound>> = vec![None; target.columns.len()];
        for (out, place) in bound.columns.into_iter().zip(&places) {
            let to = &target.columns[*place].column.data_type;
            values[*place] = Some(self.cast(out.bound, to, CastContext::Assign)?);
        }
        let mut row = Vec::with_capacity(values.len());
        for (value, column) in values.into_iter().zip(&target.columns) {
            row.push(match value {
                Some(value) => value,
                None => self.default_value(column)?,
            });
        }
        self.stored(
            BoundQuery {
                plan: bound.plan,
                columns: Vec::new(),
            },
            Vec::new(),
            row,
            target,
        )
    }

    /// The value of a column that the statement leaves out.
    fn default_value(&self, target: &TargetColumn) -> Result<Bound, QueryError> {
        let text = target.default.as_deref().unwrap_or("NULL");
        let query = parse::query(&format!("SELECT {text}"))?;
        let SetExpr::Select(select) = query.body.as_ref() else {
            return Err(QueryError::Internal(format!(
                "the default {text} is no expression"
            )));
        };
        let Some(SelectItem::UnnamedExpr(ast)) = select.projection.first() else {
            return Err(QueryError::Internal(format!(
                "the default {text} is no expression"
            )));
        };
        let (scope, ctes) = (Scope::default(), Ctes::new());
        let env = Env::alone(&scope, &ctes);
        let bound = self.expr(ast, &env)?;
        self.cast(bound, &target.column.data_type, CastContext::Assign)
    }

    /// The row ids and the new values of the rows to update; the old values where nothing is assigned.
    pub(crate) fn update(
        &self,
        table: &TableWithJoins,
        assignments: &[Assignment],
        selection: Option<&Ast>,
        target: &Target,
    ) -> Result<BoundQuery, QueryError> {
        let ctes = Ctes::new();
        let empty = Scope::default();
        let outside = Env::alone(&empty, &ctes);
        let (mut plan, scope) =
            self.from(std::slice::from_ref(table), &outside)
                .map_err(|error| match error {
                    QueryError::RelationNotFound(name) => QueryError::TableNotFound(name),
                    other => other,
                })?;
        let env = Env {
            scope: &scope,
            ..outside
        };
        if let Some(condition) = selection {
            let condition = self.condition(condition, &env, "WHERE")?.expr;
            plan = LogicalPlanBuilder::from(plan).filter(condition)?.build()?;
        }
        let mut values: Vec<Option<Bound>> = vec![None; target.columns.len()];
        for (name, ast) in assigned(assignments)? {
            let place = target
                .position(&name)
                .ok_or_else(|| QueryError::Expression {
                    expression: name.clone(),
                    message: format!("Item not found: Invalid column: {name}"),
                })?;
            if values[place].is_some() {
                return Err(QueryError::bind("multiple assignments to the same column"));
            }
            let column = &target.columns[place];
            values[place] = Some(if is_default(&ast) {
                self.default_value(column)?
            } else {
                let bound = self.expr(&ast, &env)?;
                self.cast(bound, &column.column.data_type, CastContext::Assign)?
            });
        }
        let mut row = Vec::with_capacity(values.len());
        for (value, column) in values.into_iter().zip(&target.columns) {
            row.push(match value {
                Some(value) => value,
                None => self.old_value(&column.column.name, &env)?,
            });
        }
        let row_id = self.old_value(ROW_ID, &env)?;
        let ids = vec![(Column::new(ROW_ID, DataType::BigInt), row_id)];
        self.stored(
            BoundQuery {
                plan,
                columns: Vec::new(),
            },
            ids,
            row,
            target,
        )
    }

    fn old_value(&self, name: &str, env: &Env<'_>) -> Result<Bound, QueryError> {
        self.lookup(None, name, env)?
            .ok_or_else(|| QueryError::Internal(format!("the table has no column {name}")))
    }

    /// Projects to the row ids and the target's columns in their stored Arrow types.
    fn stored(
        &self,
        query: BoundQuery,
        ids: Vec<(Column, Bound)>,
        row: Vec<Bound>,
        target: &Target,
    ) -> Result<BoundQuery, QueryError> {
        let all = ids
            .into_iter()
            .chain(target.visible().into_iter().zip(row))
            .map(|(out, bound)| {
                let arrow = arrow_type(&out.data_type);
                let bound = self.force(bound, &out.data_type, arrow);
                (out, bound)
            });
        let mut exprs = Vec::new();
        let mut columns = Vec::new();
        for (out, bound) in all {
            let name = self.fresh(&out.name);
            exprs.push(bound.expr.alias(&name));
            columns.push(OutputColumn {
                name: out.name,
                bound: Bound::new(column(&name), bound.data_type, bound.arrow),
                named: true,
            });
        }
        let plan = LogicalPlanBuilder::from(query.plan)
            .project(exprs)?
            .build()?;
        Ok(BoundQuery { plan, columns })
    }
}

/// One column of a sub-query as a sub-query.
fn column_of(query: &Query, columns: usize, index: usize) -> Result<Ast, QueryError> {
    let refused = || {
        QueryError::NotImplemented(format!(
            "assignment of ({query}) to several columns in the embedded engine"
        ))
    };
    let mut query = query.clone();
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(refused());
    };
    let plain = |item: &SelectItem| {
        matches!(
            item,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    };
    if select.distinct.is_some() || !select.projection.iter().all(plain) {
        return Err(refused());
    }
    if select.projection.len() != columns {
        return Err(QueryError::bind(
            "number of columns does not match number of values",
        ));
    }
    select.projection = vec![select.projection.swap_remove(index)];
    Ok(Ast::Subquery(Box::new(query)))
}

/// The assigned columns with their expressions; `(a, b) = (1, 2)` taken apart.
fn assigned(assignments: &[Assignment]) -> Result<Vec<(String, Cow<'_, Ast>)>, QueryError> {
    let last = |parts: Vec<String>| parts.into_iter().next_back().unwrap_or_default();
    let mut out = Vec::new();
    for assignment in assignments {
        match (&assignment.target, &assignment.value) {
            (AssignmentTarget::ColumnName(name), value) => {
                out.push((last(names::parts(name)), Cow::Borrowed(value)));
            }
            (AssignmentTarget::Tuple(columns), Ast::Tuple(values))
                if columns.len() == values.len() =>
            {
                for (name, value) in columns.iter().zip(values) {
                    out.push((last(names::parts(name)), Cow::Borrowed(value)));
                }
            }
            (AssignmentTarget::Tuple(columns), Ast::Subquery(query)) => {
                for (i, name) in columns.iter().enumerate() {
                    let value = column_of(query, columns.len(), i)?;
                    out.push((last(names::parts(name)), Cow::Owned(value)));
                }
            }
            (AssignmentTarget::Tuple(_), Ast::Tuple(_)) => {
                return Err(QueryError::bind(
                    "number of columns does not match number of values",
                ));
            }
            (AssignmentTarget::Tuple(_), _) => {
                return Err(QueryError::bind(
                    "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
                ));
            }
        }
    }
    Ok(out)
}
