//! Calls with a lambda: `array_transform(list, |x| x + 1)`, `map_filter(map, |k, v| v > 1)`.

use arrow::datatypes::DataType as ArrowType;
use rwt_sql::DataType;
use sqlparser::ast::{
    Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
};

use super::{Binder, Bound, Env, Scope, ScopeColumn, column};
use crate::error::QueryError;
use crate::kernel::cast::Typed;
use crate::kernel::lambda::{self, Lambda};
use crate::names::{self, folded};
use crate::parse;
use crate::types::arrow_type;

/// The parameters and the body of a lambda, which the parser has as a call of [`parse::LAMBDA`].
fn parts(ast: &FunctionArgExpr) -> Option<(Vec<&Ident>, &Ast)> {
    let FunctionArgExpr::Expr(Ast::Function(Function { name, args, .. })) = ast else {
        return None;
    };
    let FunctionArguments::List(list) = args else {
        return None;
    };
    if names::key(name).1 != parse::LAMBDA {
        return None;
    }
    let mut exprs = list.args.iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    let body = exprs.next_back()?;
    let params = exprs
        .map(|param| match param {
            Ast::Identifier(ident) => Some(ident),
            _ => None,
        })
        .collect::<Option<_>>()?;
    Some((params, body))
}

impl Binder<'_> {
    pub(super) fn with_lambda(
        &self,
        name: &str,
        args: &[&FunctionArgExpr],
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let transforms = name == "array_transform";
        let [FunctionArgExpr::Expr(value), written] = args else {
            return Err(QueryError::bind(if transforms {
                format!(
                    "`array_transform` expect two inputs `array` and `lambda`, but {} were given",
                    args.len()
                )
            } else {
                format!(
                    "`map_filter` requires two arguments (input_map and lambda), got {}",
                    args.len()
                )
            }));
        };
        let value = self.any(value, env)?;
        let types = match (&value.data_type, transforms) {
            (DataType::List(item), true) => {
                vec![crate::kernel::cast::list_item(item, &value.arrow)]
            }
            (DataType::Map(key, item), false) => entry_types(key, item, &value.arrow),
            (other, true) => {
                return Err(QueryError::bind(format!(
                    "The `array` argument for `array_transform` should be an array, but {other} were got"
                )));
            }
            (other, false) => {
                return Err(QueryError::bind(format!(
                    "Input must be Map type, got {other}"
                )));
            }
        };
        let Some((params, body)) = parts(written) else {
            return Err(QueryError::bind(if transforms {
                "The `lambda` argument for `array_transform` should be a lambda function"
            } else {
                "Second argument must be a lambda function"
            }));
        };
        if params.len() != types.len() {
            return Err(QueryError::bind(if transforms {
                format!(
                    "The `lambda` argument for `array_transform` should be a lambda function with one argument, but {} were given",
                    params.len()
                )
            } else {
                format!(
                    "Lambda must have exactly two parameters (key, value), got {}",
                    params.len()
                )
            }));
        }
        let (body, lambda) = self.lambda(&params, types, body, env)?;
        if transforms {
            return Ok(lambda::transform(
                value,
                lambda,
                &body.data_type,
                body.arrow,
            ));
        }
        if body.data_type != DataType::Boolean {
            return Err(QueryError::bind(format!(
                "Lambda must return Boolean type, got {}",
                body.data_type
            )));
        }
        Ok(lambda::filtered(value, lambda))
    }

    /// The body sees its parameters and no column.
    fn lambda(
        &self,
        params: &[&Ident],
        types: Vec<Typed>,
        body: &Ast,
        env: &Env<'_>,
    ) -> Result<(Bound, Lambda), QueryError> {
        let mut scope = Scope::default();
        let mut fields = Vec::with_capacity(types.len());
        for (param, of) in params.iter().zip(types) {
            let name = folded(param);
            let fresh = self.fresh(&name);
            fields.push((fresh.clone(), of.arrow.clone()));
            scope.columns.push(ScopeColumn {
                schema: None,
                table: None,
                name,
                bound: Bound::new(column(&fresh), of.data_type, of.arrow),
                hidden: false,
                merged: false,
            });
        }
        let inner = Env::alone(&scope, env.ctes);
        let body = self.any(body, &inner)?;
        let lambda = Lambda::new(&body.expr, fields)?;
        Ok((body, lambda))
    }
}

/// The types of a map's keys and values.
fn entry_types(key: &DataType, item: &DataType, arrow: &ArrowType) -> Vec<Typed> {
    let inner = |index: usize, of: &DataType| {
        let found = match arrow {
            ArrowType::Map(entries, _) => match entries.data_type() {
                ArrowType::Struct(fields) => fields.get(index).map(|f| f.data_type().clone()),
                _ => None,
            },
            _ => None,
        };
        Typed::new(of.clone(), found.unwrap_or_else(|| arrow_type(of)))
    };
    vec![inner(0, key), inner(1, item)]
}
