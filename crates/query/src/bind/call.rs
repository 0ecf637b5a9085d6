//! Function calls: the user's functions, functions with their own typing, aggregates, windows, and the table of
//! ordinary functions.

use datafusion::logical_expr::expr::Unnest;
use datafusion::logical_expr::{Case, Expr, Volatility};
use rwt_sql::DataType;
use sqlparser::ast::{
    DuplicateTreatment, Expr as Ast, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, NullTreatment, OrderByExpr,
};

use super::aggregate::{Modifiers, is_aggregate};
use super::operator::Comparison;
use super::window::is_window_function;
use super::{Binder, Bound, CastContext, Env, functions};
use crate::error::QueryError;
use crate::kernel::{self, Kernel};
use crate::names;
use crate::parse;
use crate::types::is_number;

/// The written parts of a call's argument list.
struct List<'a> {
    args: Vec<&'a FunctionArgExpr>,
    distinct: bool,
    order: &'a [OrderByExpr],
    null_treatment: Option<NullTreatment>,
}

fn list(function: &Function) -> Result<List<'_>, QueryError> {
    let mut out = List {
        args: Vec::new(),
        distinct: false,
        order: &[],
        null_treatment: function.null_treatment,
    };
    let args = match &function.args {
        FunctionArguments::None => return Ok(out),
        FunctionArguments::List(args) => args,
        FunctionArguments::Subquery(query) => {
            return Err(QueryError::NotImplemented(format!(
                "{}({query})",
                function.name
            )));
        }
    };
    out.distinct = args.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    for arg in &args.args {
        match arg {
            FunctionArg::Unnamed(arg) => out.args.push(arg),
            other => {
                return Err(QueryError::NotImplemented(format!(
                    "named argument {other}"
                )));
            }
        }
    }
    for clause in &args.clauses {
        match clause {
            FunctionArgumentClause::OrderBy(items) => out.order = items,
            FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => {
                out.null_treatment = Some(*treatment);
            }
            other => return Err(QueryError::NotImplemented(other.to_string())),
        }
    }
    Ok(out)
}

/// The argument after VARIADIC.
fn variadic(arg: &FunctionArgExpr) -> Option<&Ast> {
    let FunctionArgExpr::Expr(Ast::Function(function)) = arg else {
        return None;
    };
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(inner))]
            if names::key(&function.name).1 == parse::VARIADIC =>
        {
            Some(inner)
        }
        _ => None,
    }
}

impl Binder<'_> {
    pub(crate) fn call(&self, function: &Function, env: &Env<'_>) -> Result<Bound, QueryError> {
        let key = names::key(&function.name);
        if matches!(function.args, FunctionArguments::None) {
            return self.bare_function(&key.1)?.ok_or_else(|| {
                QueryError::Bind(format!("Item not found: Invalid column: {}", key.1))
            });
        }
        if let (FunctionArguments::Subquery(query), "array") = (&function.args, key.1.as_str()) {
            return self.array_subquery(query, env);
        }
        let written = list(function)?;
        if let name @ ("array_transform" | "map_filter") = key.1.as_str() {
            return self.with_lambda(name, &written.args, env);
        }
        if let Some(last) = written.args.last().and_then(|last| variadic(last)) {
            let mut args = Vec::with_capacity(written.args.len());
            for arg in &written.args[..written.args.len() - 1] {
                if let FunctionArgExpr::Expr(ast) = arg {
                    args.push(self.expr(ast, env)?);
                }
            }
            let last = self.any(last, env)?;
            return self.variadic_call(&key.1, args, last);
        }
        let star = matches!(written.args.as_slice(), [FunctionArgExpr::Wildcard]);
        let mut args = Vec::with_capacity(written.args.len());
        if !star {
            for arg in &written.args {
                match arg {
                    FunctionArgExpr::Expr(ast) => args.push(self.expr(ast, env)?),
                    other => return Err(QueryError::NotImplemented(format!("argument {other}"))),
                }
            }
        }
        if let Some(probe) = self.probe.as_ref().filter(|_| key.1 == crate::probe::PROBE) {
            return self.probed(probe, args);
        }
        let user = self.catalog.functions(&key);
        if !user.is_empty() {
            return self.user_function(&key.1, user, args, env);
        }
        let name = key.1.as_str();
        let over = function
            .over
            .as_ref()
            .map(|w| self.over(w, env))
            .transpose()?;
        if over.is_some() {
            refuse_in_window_call(&written, function)?;
        }
        let ignore_nulls = match (&written.null_treatment, name, &over) {
            (None | Some(NullTreatment::RespectNulls), _, _) => false,
            (Some(NullTreatment::IgnoreNulls), "first_value" | "last_value", Some(_)) => true,
            (Some(_), name, _) => {
                return Err(QueryError::NotImplemented(format!(
                    "`IGNORE NULLS` is not supported for `{name}`"
                )));
            }
        };
        if is_aggregate(name) {
            let filter = match &function.filter {
                Some(filter) => Some(self.condition(filter, env, "FILTER")?.expr),
                None => None,
            };
            let modifiers = Modifiers {
                distinct: written.distinct,
                filter,
                order: self.sorts(written.order, env)?,
                order_types: self.sort_types(written.order, env)?,
            };
            if let Some(by) = function.within_group.first() {
                let value = self.expr(&by.expr, env)?;
                let sorted = Modifiers {
                    order: self.sorts(&function.within_group, env)?,
                    ..modifiers
                };
                return self.within_group(name, args, value, sorted);
            }
            if let ("first_value" | "last_value", Some(over)) = (name, &over) {
                return self.end_of_frame(name, args, modifiers.filter, over.clone(), ignore_nulls);
            }
            if let ("arg_min" | "arg_max", Some(_)) = (name, &over) {
                return Err(QueryError::NotImplemented(format!(
                    "{name} over a window in the embedded engine"
                )));
            }
            let bound = self.aggregate(name, args, star, modifiers)?;
            return match over {
                Some(over) => self.aggregate_over(bound, &over, ignore_nulls),
                None => Ok(bound),
            };
        }
        if let Some(over) = over {
            return self.window_call(name, args, over);
        }
        if is_window_function(name) {
            return Err(QueryError::invalid_input(format!(
                "Window function `{name}` must be called with OVER"
            )));
        }
        if written.distinct || !written.order.is_empty() || function.filter.is_some() {
            return Err(QueryError::invalid_input(format!(
                "DISTINCT, ORDER BY and FILTER are only allowed in aggregates, not in {name}"
            )));
        }
        self.scalar(name, args)
    }

    /// `f(a, VARIADIC list)`: the items of the list are the last arguments.
    fn variadic_call(
        &self,
        name: &str,
        mut args: Vec<Bound>,
        last: Bound,
    ) -> Result<Bound, QueryError> {
        let missing = {
            let mut all = args.clone();
            all.push(last.clone());
            self.no_function(&format!("{name}_variadic"), &all)
        };
        let DataType::List(item) = &last.data_type else {
            return Err(missing);
        };
        let texts = DataType::List(Box::new(DataType::Varchar));
        match (name, args.len()) {
            ("concat", 0) | ("concat_ws" | "format", 1) => {
                let last = match **item {
                    DataType::Boolean => {
                        return Err(QueryError::NotImplemented(format!(
                            "{name} of a VARIADIC list of booleans in the embedded engine"
                        )));
                    }
                    _ => self.cast(last, &texts, CastContext::Explicit)?,
                };
                let mut exprs = Vec::with_capacity(2);
                for arg in args {
                    exprs.push(
                        self.cast(arg, &DataType::Varchar, CastContext::Implicit)?
                            .expr,
                    );
                }
                exprs.push(last.expr);
                Ok(Bound::of(
                    kernel::strings::join_spread(name, exprs),
                    DataType::Varchar,
                ))
            }
            ("jsonb_extract_path" | "jsonb_extract_path_text", 1) => {
                let value = args.remove(0);
                self.json_path(value, last, name.ends_with("_text"))
            }
            ("jsonb_build_array" | "jsonb_build_object", _) => {
                let mut fields = Vec::with_capacity(args.len() + 1);
                for arg in args {
                    fields.push(self.default_type(arg)?);
                }
                fields.push(last);
                let object = name == "jsonb_build_object";
                Ok(kernel::jsonb::build_spread(object, fields, self.style))
            }
            (
                "concat"
                | "concat_ws"
                | "format"
                | "jsonb_extract_path"
                | "jsonb_extract_path_text",
                _,
            ) => Err(missing),
            _ => Err(QueryError::bind(format!(
                "VARIADIC argument is not allowed in function \"{name}\""
            ))),
        }
    }

    /// A scalar function, or one that gives a set of rows (as [`Expr::Unnest`]).
    pub(crate) fn scalar(&self, name: &str, args: Vec<Bound>) -> Result<Bound, QueryError> {
        if let Some(expected) = exact_arguments(name).filter(|n| *n != args.len()) {
            return Err(QueryError::Evaluation(format!(
                "unexpected arguments number {}, expect {expected}",
                args.len()
            )));
        }
        match name {
            "coalesce" => return self.coalesce(args),
            "nullif" if args.len() == 2 => return self.nullif(args),
            "greatest" | "least" if !args.is_empty() => {
                let (args, data_type, arrow) = self.align(args)?;
                let exprs = args.into_iter().map(|a| a.expr).collect();
                let expr = kernel::list::extreme(name == "greatest", exprs, &arrow);
                return Ok(Bound::new(expr, data_type, arrow));
            }
            "row" => return self.row_of(args),
            "pg_typeof" if args.len() == 1 => {
                let name = args[0].type_name();
                return self.literal_of(&name, &DataType::Varchar);
            }
            "quote_literal" | "quote_nullable" if args.len() == 1 => {
                let arg = args
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| Bound::of(Expr::default(), DataType::Varchar));
                let text = self.cast(arg, &DataType::Varchar, CastContext::Explicit)?;
                return self.table_function(name, vec![text]);
            }
            "concat" if args.is_empty() => {
                return Err(QueryError::bind(
                    "Function `concat` takes at least 1 arguments (0 given)",
                ));
            }
            "concat" | "concat_ws" | "format" if !args.is_empty() => {
                let mut texts = Vec::with_capacity(args.len());
                for arg in args {
                    // Here, unlike in a cast, a boolean is `t` or `f`.
                    let text = if arg.data_type == DataType::Boolean && !arg.untyped {
                        kernel::strings::bool_letter(arg.expr)
                    } else {
                        self.cast(arg, &DataType::Varchar, CastContext::Explicit)?
                            .expr
                    };
                    texts.push(text);
                }
                return Ok(Bound::of(
                    kernel::strings::join(name, texts),
                    DataType::Varchar,
                ));
            }
            _ => {}
        }
        if let Some(found) = self.special_function(name, &args)? {
            return Ok(found);
        }
        self.table_function(name, args)
    }

    /// Picks an overload from the table of ordinary functions.
    fn table_function(&self, name: &str, args: Vec<Bound>) -> Result<Bound, QueryError> {
        let overloads = functions::overloads(name);
        if overloads.is_empty() && functions::is_left_out(name) {
            return Err(QueryError::NotImplemented(format!(
                "the function {name} in the embedded engine"
            )));
        }
        if overloads.is_empty() {
            let types: Vec<String> = args
                .iter()
                .map(|a| super::type_name(&a.data_type))
                .collect();
            return Err(QueryError::Bind(format!(
                "function {name}({}) does not exist",
                types.join(", ")
            )));
        }
        // Exact arguments count most, then literals that may become anything, then implicit casts.
        let mut best: Option<(usize, &functions::Overload)> = None;
        for overload in &overloads {
            if let Some(score) = fit(overload, &args)
                && best.is_none_or(|(so_far, _)| score > so_far)
            {
                best = Some((score, overload));
            }
        }
        let Some((_, overload)) = best else {
            return Err(self.no_function(name, &args));
        };
        let mut exprs = Vec::with_capacity(args.len());
        for (i, arg) in args.into_iter().enumerate() {
            let to = overload.param(i).cloned().unwrap_or(DataType::Varchar);
            exprs.push(self.cast(arg, &to, CastContext::Implicit)?.expr);
        }
        let bound = Bound::of(Expr::default(), overload.returns.clone());
        let arrow = bound.arrow;
        let types: Vec<String> = overload.params.iter().map(ToString::to_string).collect();
        let eval = overload.eval;
        let expr = Kernel::rowwise(
            name,
            types.join(","),
            arrow.clone(),
            overload.volatility,
            overload.strict,
            exprs,
            eval,
        );
        Ok(Bound::new(expr, overload.returns.clone(), arrow))
    }

    pub(crate) fn coalesce(&self, args: Vec<Bound>) -> Result<Bound, QueryError> {
        if args.is_empty() {
            return Err(QueryError::bind(
                "Function `coalesce` takes at least 1 arguments (0 given)",
            ));
        }
        let (mut args, data_type, arrow) = self.align(args)?;
        let last = args.pop().map(|a| Box::new(a.expr));
        if args.is_empty() {
            let expr = last.map_or_else(Expr::default, |last| *last);
            return Ok(Bound::new(expr, data_type, arrow));
        }
        let whens = args
            .into_iter()
            .map(|a| {
                (
                    Box::new(Expr::IsNotNull(Box::new(a.expr.clone()))),
                    Box::new(a.expr),
                )
            })
            .collect();
        Ok(Bound::new(
            Expr::Case(Case::new(None, whens, last)),
            data_type,
            arrow,
        ))
    }

    fn nullif(&self, mut args: Vec<Bound>) -> Result<Bound, QueryError> {
        let (Some(second), Some(first)) = (args.pop(), args.pop()) else {
            return Err(QueryError::Internal("nullif without two arguments".into()));
        };
        let first = if first.untyped && !second.untyped {
            self.settle(first, &second.data_type)?
        } else {
            self.default_type(first)?
        };
        let equal = self.comparison(Comparison::Equal, first.clone(), second)?;
        let null = datafusion::common::ScalarValue::try_from(&first.arrow)?;
        let when = vec![(Box::new(equal.expr), Box::new(Expr::Literal(null, None)))];
        let expr = Expr::Case(Case::new(None, when, Some(Box::new(first.expr))));
        Ok(Bound::new(expr, first.data_type, first.arrow))
    }

    /// `generate_series(a, b [, step])`, `range`.
    pub(crate) fn generate_series(
        &self,
        name: &str,
        args: Vec<Bound>,
    ) -> Result<Bound, QueryError> {
        let missing = self.no_function(name, &args);
        let typed: Vec<Bound> = args.iter().filter(|a| !a.untyped).cloned().collect();
        let first = typed.first().map(|a| a.data_type.clone());
        let (item, types) = match first {
            Some(DataType::Timestamp | DataType::Date) if args.len() == 3 => (
                DataType::Timestamp,
                vec![DataType::Timestamp, DataType::Timestamp, DataType::Interval],
            ),
            Some(DataType::Timestamptz) if args.len() == 3 => (
                DataType::Timestamptz,
                vec![
                    DataType::Timestamptz,
                    DataType::Timestamptz,
                    DataType::Interval,
                ],
            ),
            Some(ref t) if is_number(t) && (2..=3).contains(&args.len()) => {
                let common = self.common_type(&args)?;
                let item = match common {
                    DataType::SmallInt => DataType::Integer,
                    DataType::Integer | DataType::BigInt | DataType::Numeric => common,
                    _ => return Err(missing),
                };
                (item.clone(), vec![item; args.len()])
            }
            _ => return Err(missing),
        };
        let mut bounds = Vec::with_capacity(args.len());
        for (arg, to) in args.into_iter().zip(types) {
            bounds.push(self.cast(arg, &to, CastContext::Implicit)?);
        }
        Ok(kernel::series::series(
            bounds,
            item,
            name == "range",
            self.style.zone,
        ))
    }

    /// `unnest(list)`
    pub(crate) fn unnest(&self, mut args: Vec<Bound>) -> Result<Bound, QueryError> {
        let missing = self.no_function("unnest", &args);
        let Some(value) = args.pop().filter(|_| args.is_empty()) else {
            return Err(missing);
        };
        // RisingWave takes lists of lists apart down to their items.
        let mut value = value;
        while let Some(flat) = kernel::array::flatten(value.clone()) {
            value = flat;
        }
        let DataType::List(item) = value.data_type.clone() else {
            return Err(missing);
        };
        let arrow = kernel::cast::list_item(&item, &value.arrow).arrow;
        Ok(Bound::new(
            Expr::Unnest(Unnest::new(value.expr)),
            *item,
            arrow,
        ))
    }

    /// The statement's time; its value is put in when the plan runs.
    pub(crate) fn now(&self) -> Bound {
        use datafusion::logical_expr::expr::Placeholder;
        let bound = Bound::of(Expr::default(), DataType::Timestamptz);
        let field = arrow::datatypes::Field::new(crate::execute::NOW, bound.arrow.clone(), true);
        Bound {
            expr: Expr::Placeholder(Placeholder::new_with_field(
                crate::execute::NOW.into(),
                Some(field.into()),
            )),
            ..bound
        }
    }

    /// A function of the session: a constant while the statement runs.
    pub(crate) fn constant_text(&self, text: &str) -> Result<Bound, QueryError> {
        self.literal_of(text, &DataType::Varchar)
    }

    /// A kernel that gives a text, for functions that need the session.
    pub(crate) fn session_text(
        &self,
        name: &str,
        args: Vec<Expr>,
        row: impl for<'v> Fn(&[crate::value::Value<'v>]) -> Result<crate::value::Value<'v>, QueryError>
        + Send
        + Sync
        + 'static,
    ) -> Bound {
        self.session_value(name, &DataType::Varchar, args, row)
    }

    /// A kernel for functions that need the session or its catalog.
    pub(crate) fn session_value(
        &self,
        name: &str,
        data_type: &DataType,
        args: Vec<Expr>,
        row: impl for<'v> Fn(&[crate::value::Value<'v>]) -> Result<crate::value::Value<'v>, QueryError>
        + Send
        + Sync
        + 'static,
    ) -> Bound {
        let expr = Kernel::rowwise(
            name,
            format!("{}@{}", self.settings.user, self.settings.database),
            crate::types::arrow_type(data_type),
            Volatility::Stable,
            true,
            args,
            row,
        );
        Bound::of(expr, data_type.clone())
    }
}

/// What only an aggregate without OVER may have among its arguments.
fn refuse_in_window_call(written: &List<'_>, function: &Function) -> Result<(), QueryError> {
    let found = [
        (
            written.distinct,
            "`DISTINCT` is not allowed in window function call",
        ),
        (
            !written.order.is_empty(),
            "`ORDER BY` is not allowed in window function call argument list",
        ),
        (
            !function.within_group.is_empty(),
            "`WITHIN GROUP` is not allowed in window function call",
        ),
    ];
    match found.iter().find(|(there, _)| *there) {
        Some((_, why)) => Err(QueryError::invalid_input(why)),
        None => Ok(()),
    }
}

/// Functions whose number of arguments RisingWave checks before their types.
fn exact_arguments(name: &str) -> Option<usize> {
    Some(match name {
        "now"
        | "current_timestamp"
        | "current_schema"
        | "session_user"
        | "current_user"
        | "current_role"
        | "user"
        | "current_database"
        | "current_catalog"
        | "pg_my_temp_schema"
        | "pg_postmaster_start_time" => 0,
        "date"
        | "pg_typeof"
        | "quote_literal"
        | "quote_nullable"
        | "array_flatten"
        | "array_ndims"
        | "int8recv"
        | "pg_table_size"
        | "pg_indexes_size"
        | "current_setting"
        | "pg_cancel_backend"
        | "pg_terminate_backend"
        | "pg_tablespace_location" => 1,
        "timezone" | "array_lower" => 2,
        "set_config" => 3,
        _ => return None,
    })
}

fn fit(overload: &functions::Overload, args: &[Bound]) -> Option<usize> {
    if !overload.takes(args.len()) {
        return None;
    }
    let mut score = 0;
    for (i, arg) in args.iter().enumerate() {
        let to = overload.param(i)?;
        score += match () {
            () if arg.untyped && *to == DataType::Varchar => 3,
            () if arg.untyped => 2,
            () if arg.data_type == *to => 4,
            () if super::cast::cast_context(&arg.data_type, to) == Some(CastContext::Implicit) => 1,
            () => return None,
        };
    }
    Some(score)
}
