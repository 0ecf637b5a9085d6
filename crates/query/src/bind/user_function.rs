//! SQL functions of users: the body of a function with the arguments in place of its parameters.

use std::ops::ControlFlow;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::Expr;
use rwt_sql::DataType;
use sqlparser::ast::{
    Expr as Ast, GroupByExpr, Query, Select, SelectItem, SetExpr, Value, Visit, Visitor,
};

use super::expr::outer_reference;
use super::{Arguments, Binder, Bound, CastContext, Env, Scope};
use crate::error::QueryError;
use crate::parse;
use crate::relation::SqlFunction;

impl Binder<'_> {
    /// A call of one of the functions of a name.
    pub(super) fn user_function(
        &self,
        name: &str,
        overloads: &[SqlFunction],
        args: Vec<Bound>,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let fits = |function: &&SqlFunction| {
            function.params.len() == args.len()
                && function.params.iter().zip(&args).all(|((_, to), arg)| {
                    arg.untyped
                        || super::cast::cast_context(&arg.data_type, to)
                            == Some(CastContext::Implicit)
                })
        };
        let function = overloads
            .iter()
            .find(fits)
            .ok_or_else(|| self.no_function(name, &args))?;
        let mut values = Vec::with_capacity(args.len());
        for ((param, to), arg) in function.params.iter().zip(args) {
            values.push((param.clone(), self.cast(arg, to, CastContext::Implicit)?));
        }
        let result = self.deeper(|| self.body_of(name, function, values, env))?;
        self.cast(result, &function.returns, CastContext::Assign)
    }

    /// The type of a function's body.
    pub(crate) fn function_type(&self, function: &SqlFunction) -> Result<DataType, QueryError> {
        let (scope, ctes) = (Scope::default(), super::Ctes::new());
        let env = Env::alone(&scope, &ctes);
        let mut values = Vec::with_capacity(function.params.len());
        for (param, to) in &function.params {
            let null = self.cast(self.value(&Value::Null)?, to, CastContext::Explicit)?;
            values.push((param.clone(), null));
        }
        let result = self.body_of("", function, values, &env)?;
        Ok(self.default_type(result)?.data_type)
    }

    fn body_of(
        &self,
        name: &str,
        function: &SqlFunction,
        values: Vec<(Option<String>, Bound)>,
        around: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let query = parse::function_body(&function.body)?;
        let (scope, ctes) = (Scope::default(), super::Ctes::new());
        if let Some(expr) = expression(&query) {
            let arguments = Arguments { values };
            let env = Env {
                arguments: Some(&arguments),
                ..Env::alone(&scope, &ctes)
            };
            return self.expr(expr, &env);
        }
        let values = values
            .into_iter()
            .map(|(param, value)| Ok((param, from_outside(name, value, around)?)))
            .collect::<Result<_, QueryError>>()?;
        let arguments = Arguments { values };
        let env = Env {
            arguments: Some(&arguments),
            ..Env::alone(&scope, &ctes)
        };
        self.scalar_subquery(&query, &env)
    }
}

/// The expression that a body is, if it reads nothing.
fn expression(query: &Query) -> Option<&Ast> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
        select.projection.as_slice()
    else {
        return None;
    };
    let is_bare = query.with.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && is_bare(select)
        && !has_query(expr);
    is_bare.then_some(expr)
}

fn is_bare(select: &Select) -> bool {
    let is_grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(by, _) => !by.is_empty(),
    };
    select.from.is_empty() && select.selection.is_none() && select.having.is_none() && !is_grouped
}

/// Whether there is a sub-query in a part of a statement.
pub(crate) fn has_query(part: &impl Visit) -> bool {
    part.visit(&mut Queries).is_break()
}

/// Breaks at the first sub-query.
struct Queries;

impl Visitor for Queries {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

/// An argument as the body, which is a sub-query, sees it: its columns are those of the query around.
fn from_outside(name: &str, value: Bound, around: &Env<'_>) -> Result<Bound, QueryError> {
    let refused = || {
        QueryError::NotImplemented(format!(
            "an aggregate or a window function as the argument of function {name}, whose body has a FROM, in the embedded \
             engine"
        ))
    };
    let mut is_refused = false;
    let expr = value.expr.clone().transform(|expr| match &expr {
        Expr::AggregateFunction(_) | Expr::WindowFunction(_) => {
            is_refused = true;
            Ok(Transformed::no(expr))
        }
        Expr::Column(_) => {
            let mut columns = around.scope.columns.iter();
            match columns.find(|column| column.bound.expr == expr) {
                Some(column) => Ok(Transformed::yes(outer_reference(&column.bound).expr)),
                None => {
                    is_refused = true;
                    Ok(Transformed::no(expr))
                }
            }
        }
        _ => Ok(Transformed::no(expr)),
    })?;
    if is_refused {
        return Err(refused());
    }
    Ok(Bound {
        expr: expr.data,
        ..value
    })
}
