//! Expressions: names, literals, operators, CASE, casts. Calls are in `call`, sub-queries in `subquery`.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Case, InList, Like};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator as PlanOperator};
use rwt_sql::DataType;
use sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, DataType as AstType, Expr as Ast, FunctionArg,
    FunctionArgExpr, FunctionArguments, Ident, Subscript, UnaryOperator, Value,
};

use super::group::{plain_row, rows_alone};
use super::literal::data_type;
use super::operator::Comparison;
use super::shown::shown;
use super::{Binder, Bound, CastContext, Env};
use crate::error::QueryError;
use crate::kernel;
use crate::names::folded;

/// Functions with a syntax of their own: without a qualifier RisingWave's parser takes them for nothing else.
const SYNTAX_WORDS: [&str; 7] = [
    "position",
    "extract",
    "substring",
    "overlay",
    "trim",
    "cast",
    "exists",
];

impl Binder<'_> {
    /// Binds an expression; an untyped literal stays untyped.
    pub(crate) fn expr(&self, ast: &Ast, env: &Env<'_>) -> Result<Bound, QueryError> {
        self.expr_inner(ast, env)
            .map_err(|error| error.inside(|| shown(ast)))
    }

    /// Binds an expression that must be a boolean (WHERE, ON, HAVING, FILTER, CASE WHEN).
    pub(crate) fn condition(
        &self,
        ast: &Ast,
        env: &Env<'_>,
        clause: &str,
    ) -> Result<Bound, QueryError> {
        let bound = self.expr(ast, env)?;
        match clause {
            "HAVING" | "FILTER" => rows_alone(&bound.expr, clause)?,
            "ON" => plain_row(&bound.expr, "JOIN ON")?,
            _ => plain_row(&bound.expr, clause)?,
        }
        if bound.untyped || bound.data_type == DataType::Boolean {
            return self.cast(bound, &DataType::Boolean, CastContext::Implicit);
        }
        Err(QueryError::invalid_input(format!(
            "argument of {clause} must be boolean, not type {}",
            crate::types::internal_name(&bound.data_type)
        )))
    }

    fn expr_inner(&self, ast: &Ast, env: &Env<'_>) -> Result<Bound, QueryError> {
        match ast {
            Ast::Nested(inner) => self.expr(inner, env),
            Ast::Identifier(ident) => self.identifier(ident, env),
            Ast::CompoundIdentifier(idents) => self.compound(idents, env),
            Ast::Value(value) => match (&value.value, env.arguments) {
                (Value::Placeholder(id), Some(arguments)) => id
                    .strip_prefix('$')
                    .and_then(|n| n.parse::<usize>().ok())
                    .and_then(|n| arguments.values.get(n.checked_sub(1)?))
                    .map(|(_, bound)| bound.clone())
                    .ok_or_else(|| {
                        QueryError::bind(format!("failed to find unnamed parameter {id}"))
                    }),
                (value, _) => self.value(value),
            },
            Ast::TypedString(typed) => {
                let to = data_type(&typed.data_type)?;
                match &typed.value.value {
                    Value::SingleQuotedString(text) => self.literal_of(text, &to),
                    other => Err(QueryError::invalid_input(format!(
                        "a literal of type {to}: {other}"
                    ))),
                }
            }
            Ast::Interval(interval) => self.interval(interval, env),
            Ast::UnaryOp { op, expr } => self.unary(*op, expr, env),
            Ast::BinaryOp { left, op, right } => self.binary(left, op, right, env),
            Ast::Cast {
                expr, data_type, ..
            } => self.cast_expr(expr, data_type, env),
            Ast::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(operand.as_deref(), conditions, else_result.as_deref(), env),
            Ast::IsNull(inner) => Ok(Bound::boolean(Expr::IsNull(Box::new(
                self.any(inner, env)?.expr,
            )))),
            Ast::IsNotNull(inner) => Ok(Bound::boolean(Expr::IsNotNull(Box::new(
                self.any(inner, env)?.expr,
            )))),
            Ast::IsTrue(inner) => self.truth(inner, env, Expr::IsTrue),
            Ast::IsNotTrue(inner) => self.truth(inner, env, Expr::IsNotTrue),
            Ast::IsFalse(inner) => self.truth(inner, env, Expr::IsFalse),
            Ast::IsNotFalse(inner) => self.truth(inner, env, Expr::IsNotFalse),
            Ast::IsUnknown(inner) => self.truth(inner, env, Expr::IsUnknown),
            Ast::IsNotUnknown(inner) => self.truth(inner, env, Expr::IsNotUnknown),
            Ast::IsDistinctFrom(left, right) => self.comparison(
                Comparison::Distinct,
                self.expr(left, env)?,
                self.expr(right, env)?,
            ),
            Ast::IsNotDistinctFrom(left, right) => self.comparison(
                Comparison::NotDistinct,
                self.expr(left, env)?,
                self.expr(right, env)?,
            ),
            Ast::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let value = self.expr(expr, env)?;
                let low = self.comparison(
                    Comparison::GreaterOrEqual,
                    value.clone(),
                    self.expr(low, env)?,
                )?;
                let high =
                    self.comparison(Comparison::LessOrEqual, value, self.expr(high, env)?)?;
                let both = low.expr.and(high.expr);
                Ok(Bound::boolean(if *negated {
                    Expr::Not(Box::new(both))
                } else {
                    both
                }))
            }
            Ast::InList {
                expr,
                list,
                negated,
            } => self.in_list(expr, list, *negated, env),
            Ast::InSubquery {
                expr,
                subquery,
                negated,
            } => self.in_subquery(expr, subquery, *negated, env),
            Ast::Exists { subquery, negated } => self.exists(subquery, *negated, env),
            Ast::Subquery(query) => self.scalar_subquery(query, env),
            Ast::AnyOp {
                left,
                compare_op,
                right,
                ..
            } => self.any_all(left, compare_op, right, false, env),
            Ast::AllOp {
                left,
                compare_op,
                right,
            } => self.any_all(left, compare_op, right, true, env),
            Ast::Like { pattern, any, .. } | Ast::ILike { pattern, any, .. }
                if patterns(pattern, *any).is_some() =>
            {
                self.like_any(ast, env)
            }
            Ast::Like {
                negated,
                expr,
                pattern,
                escape_char,
                ..
            } => self.like(expr, pattern, escape_char.as_ref(), *negated, false, env),
            Ast::ILike {
                negated,
                expr,
                pattern,
                escape_char,
                ..
            } => self.like(expr, pattern, escape_char.as_ref(), *negated, true, env),
            Ast::SimilarTo {
                negated,
                expr,
                pattern,
                escape_char,
            } => {
                let args = self.texts(&[expr, pattern], env)?;
                let escape = match escape_char {
                    Some(Value::SingleQuotedString(text)) => text.chars().next(),
                    _ => None,
                };
                let matches = kernel::pattern::similar_to(args, escape.unwrap_or('\\'));
                Ok(Bound::boolean(if *negated {
                    Expr::Not(Box::new(matches))
                } else {
                    matches
                }))
            }
            Ast::Function(function) => self.call(function, env),
            Ast::Tuple(items) => self.row(items, env),
            Ast::Array(Array { elem, .. }) => self.array(elem, env),
            Ast::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain, env),
            Ast::Collate { expr, collation } => {
                let name = crate::names::parts(collation).pop().unwrap_or_default();
                if !["c", "posix"].contains(&name.to_lowercase().as_str()) {
                    return Err(QueryError::NotImplemented(
                        "Collate collation other than `C` or `POSIX` is not implemented".into(),
                    ));
                }
                self.expr(expr, env)
            }
            other => self.special(other, env),
        }
    }

    /// An expression of any type, literals being varchar.
    pub(crate) fn any(&self, ast: &Ast, env: &Env<'_>) -> Result<Bound, QueryError> {
        self.default_type(self.expr(ast, env)?)
    }

    /// Expressions as texts, cast implicitly.
    pub(crate) fn texts(&self, asts: &[&Ast], env: &Env<'_>) -> Result<Vec<Expr>, QueryError> {
        asts.iter()
            .map(|ast| {
                Ok(self
                    .cast(
                        self.expr(ast, env)?,
                        &DataType::Varchar,
                        CastContext::Implicit,
                    )?
                    .expr)
            })
            .collect()
    }

    fn truth(
        &self,
        ast: &Ast,
        env: &Env<'_>,
        make: fn(Box<Expr>) -> Expr,
    ) -> Result<Bound, QueryError> {
        let bound = self.cast(
            self.expr(ast, env)?,
            &DataType::Boolean,
            CastContext::Implicit,
        )?;
        Ok(Bound::boolean(make(Box::new(bound.expr))))
    }

    fn identifier(&self, ident: &Ident, env: &Env<'_>) -> Result<Bound, QueryError> {
        let name = folded(ident);
        if !SYNTAX_WORDS.contains(&name.as_str()) || ident.quote_style.is_some() {
            if let Some(found) = self.lookup(None, &name, env)? {
                return Ok(found);
            }
        } else {
            return Err(QueryError::Syntax(format!(
                "expected (, found: what follows {name}"
            )));
        }
        if ident.quote_style.is_none()
            && let Some(found) = self.bare_function(&name)?
        {
            return Ok(found);
        }
        if env.arguments.is_some() {
            return Err(QueryError::bind(format!(
                "failed to find named parameter {name}"
            )));
        }
        Err(QueryError::Bind(format!(
            "Item not found: Invalid column: {name}"
        )))
    }

    /// A column by name, here or in a query around.
    pub(crate) fn lookup(
        &self,
        table: Option<&str>,
        name: &str,
        env: &Env<'_>,
    ) -> Result<Option<Bound>, QueryError> {
        if let Some(found) = env.scope.find(table, name)? {
            return Ok(Some(found.clone()));
        }
        let mut outer = env.outer;
        while let Some(env) = outer {
            if let Some(found) = env.scope.find(table, name)? {
                return Ok(Some(outer_reference(found)));
            }
            outer = env.outer;
        }
        // A column of the body hides a parameter of its name.
        if let (None, Some(arguments)) = (table, env.arguments)
            && let Some((_, value)) = arguments
                .values
                .iter()
                .find(|(n, _)| n.as_deref() == Some(name))
        {
            return Ok(Some(value.clone()));
        }
        Ok(None)
    }

    fn compound(&self, idents: &[Ident], env: &Env<'_>) -> Result<Bound, QueryError> {
        let names: Vec<String> = idents.iter().map(folded).collect();
        let (name, qualifier) = names
            .split_last()
            .ok_or_else(|| QueryError::bind("an empty name"))?;
        let table = qualifier.last().map(String::as_str);
        if let [.., schema, table] = qualifier
            && let Some(found) = lookup_in_schema(schema, table, name, env)?
        {
            return Ok(found);
        }
        if let Some(found) = self.lookup(table, name, env)? {
            return Ok(found);
        }
        Err(QueryError::Bind(format!(
            "Item not found: Invalid column: {}",
            names.join(".")
        )))
    }

    fn cast_expr(&self, inner: &Ast, to: &AstType, env: &Env<'_>) -> Result<Bound, QueryError> {
        let written = to.to_string().to_ascii_lowercase();
        if written == "regclass" {
            let value = self.expr(inner, env)?;
            return self.regclass(value);
        }
        let target = data_type(to)?;
        if let Some(empty) = self.empty(inner, &target)? {
            return Ok(empty);
        }
        let value = self.expr(inner, env)?;
        if matches!(inner, Ast::Value(v) if matches!(v.value, Value::Number(..))) {
            self.check_integer_literal(&value, &target)?;
        }
        self.cast(value, &target, CastContext::Explicit)
    }

    /// `ARRAY[]` and `MAP {}`, whose type is that of the cast around them.
    fn empty(&self, ast: &Ast, to: &DataType) -> Result<Option<Bound>, QueryError> {
        let value = match (ast, to) {
            (Ast::Nested(inner), _) => return self.empty(inner, to),
            (Ast::Array(array), DataType::List(_)) if array.elem.is_empty() => {
                crate::value::Value::List(Vec::new())
            }
            (Ast::Map(map), DataType::Map(key, _)) if map.entries.is_empty() => {
                kernel::map::check_key(key)?;
                crate::value::Value::Map(Vec::new())
            }
            _ => return Ok(None),
        };
        let array = crate::value::build(&[value], &crate::types::arrow_type(to))?;
        let literal = Expr::Literal(ScalarValue::try_from_array(&array, 0)?, None);
        Ok(Some(Bound::of(literal, to.clone())))
    }

    /// `2147483648::int` is out of range at once, not when a row is read.
    fn check_integer_literal(&self, value: &Bound, to: &DataType) -> Result<(), QueryError> {
        let Some(literal) = value.literal() else {
            return Ok(());
        };
        let array = literal.to_array()?;
        let read = crate::value::read(&array, 0)?;
        let target = crate::kernel::cast::Typed::new(to.clone(), crate::types::arrow_type(to));
        if crate::types::is_number(to) {
            crate::kernel::cast::convert(&read, &value.typed(), &target, self.style)?;
        }
        Ok(())
    }

    /// `x::regclass`: the number of the relation that a text names.
    pub(crate) fn regclass(&self, value: Bound) -> Result<Bound, QueryError> {
        let missing = |name: &str| {
            QueryError::Bind(format!("Invalid parameter name: class not found: {name}"))
        };
        if let (true, Some(text)) = (value.untyped, value.literal_text()) {
            let found = || {
                let all = self.catalog.all_ids();
                let any = || all.get(&crate::names::key_of_text(text)).copied();
                self.catalog.object_id(text).or_else(any)
            };
            let id = text.parse().ok().or_else(found);
            let id = id.ok_or_else(|| missing(text))?;
            return Ok(Bound::of(
                Expr::Literal(ScalarValue::Int32(Some(id)), None),
                DataType::Integer,
            ));
        }
        let value = self.default_type(value)?;
        if value.data_type != DataType::Varchar {
            return self.cast(value, &DataType::Integer, CastContext::Explicit);
        }
        let ids = self.catalog.all_ids().clone();
        let id = self.session_value(
            "cast_regclass",
            &DataType::Integer,
            vec![value.expr],
            move |a| {
                let text = a[0].str();
                let id = match text.parse() {
                    Ok(id) => Some(id),
                    Err(_) => ids.get(&crate::names::key_of_text(text)).copied(),
                };
                let id = id.ok_or_else(|| {
                    QueryError::Evaluation(format!(
                        "Invalid parameter name: class not found: {text}"
                    ))
                })?;
                Ok(crate::value::Value::Int(i64::from(id)))
            },
        );
        Ok(id)
    }

    fn case(
        &self,
        operand: Option<&Ast>,
        conditions: &[CaseWhen],
        otherwise: Option<&Ast>,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let operand = operand.map(|ast| self.expr(ast, env)).transpose()?;
        let mut whens = Vec::with_capacity(conditions.len());
        let mut results = Vec::with_capacity(conditions.len() + 1);
        for case in conditions {
            whens.push(match &operand {
                None => {
                    let condition = self.expr(&case.condition, env)?;
                    if !condition.untyped && condition.data_type != DataType::Boolean {
                        return Err(QueryError::bind(format!(
                            "argument of CASE WHEN must be boolean, not type {}",
                            crate::types::internal_name(&condition.data_type)
                        )));
                    }
                    self.cast(condition, &DataType::Boolean, CastContext::Implicit)?
                        .expr
                }
                Some(operand) => {
                    let when = self.expr(&case.condition, env)?;
                    self.comparison(Comparison::Equal, operand.clone(), when)?
                        .expr
                }
            });
            results.push(self.expr(&case.result, env)?);
        }
        if let Some(otherwise) = otherwise {
            results.push(self.expr(otherwise, env)?);
        }
        let (mut results, data_type, arrow) = self.align(results)?;
        let otherwise = match otherwise {
            Some(_) => results.pop().map(|bound| Box::new(bound.expr)),
            None => None,
        };
        let pairs = whens
            .into_iter()
            .zip(results)
            .map(|(when, then)| (Box::new(when), Box::new(then.expr)))
            .collect();
        Ok(Bound::new(
            Expr::Case(Case::new(None, pairs, otherwise)),
            data_type,
            arrow,
        ))
    }

    fn in_list(
        &self,
        value: &Ast,
        list: &[Ast],
        negated: bool,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let value = self.expr(value, env)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(self.expr(item, env)?);
        }
        let plain = !value.untyped
            && items.iter().all(|item| {
                item.untyped || item.data_type == value.data_type && item.arrow == value.arrow
            });
        if plain {
            let data_type = value.data_type.clone();
            let arrow = value.arrow.clone();
            let items: Vec<Expr> = items
                .into_iter()
                .map(|item| {
                    let item = self.cast(item, &data_type, CastContext::Implicit)?;
                    Ok(self.force(item, &data_type, arrow.clone()).key())
                })
                .collect::<Result<_, QueryError>>()?;
            return Ok(Bound::boolean(Expr::InList(InList::new(
                Box::new(value.key()),
                items,
                negated,
            ))));
        }
        let mut any: Option<Expr> = None;
        for item in items {
            let equal = self
                .comparison(Comparison::Equal, value.clone(), item)?
                .expr;
            any = Some(match any {
                Some(any) => any.or(equal),
                None => equal,
            });
        }
        let any = any.unwrap_or_else(|| Expr::Literal(ScalarValue::Boolean(Some(false)), None));
        Ok(Bound::boolean(if negated {
            Expr::Not(Box::new(any))
        } else {
            any
        }))
    }

    fn like(
        &self,
        value: &Ast,
        pattern: &Ast,
        escape: Option<&Value>,
        negated: bool,
        insensitive: bool,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let (left, right) = (self.expr(value, env)?, self.expr(pattern, env)?);
        let escape = match escape {
            Some(Value::SingleQuotedString(text)) => {
                let mut characters = text.chars();
                let escape = characters.next();
                if characters.next().is_some() {
                    return Err(QueryError::invalid_input(
                        "the escape of a LIKE must be empty or one character",
                    ));
                }
                Some(escape)
            }
            _ => None,
        };
        self.like_of(left, right, escape, negated, insensitive)
    }

    /// `value LIKE ANY (list)`, `SOME` and `ALL`.
    fn like_any(&self, ast: &Ast, env: &Env<'_>) -> Result<Bound, QueryError> {
        let insensitive = matches!(ast, Ast::ILike { .. });
        let (Ast::Like {
            negated,
            expr,
            pattern,
            any,
            ..
        }
        | Ast::ILike {
            negated,
            expr,
            pattern,
            any,
            ..
        }) = ast
        else {
            return Err(QueryError::Internal(format!("no LIKE: {ast}")));
        };
        let (list, all) = patterns(pattern, *any).unwrap_or((pattern, false));
        let value = self.expr(expr, env)?;
        let value = self.cast(value, &DataType::Varchar, CastContext::Implicit)?;
        let list = self.expr(list, env)?;
        let texts = DataType::List(Box::new(DataType::Varchar));
        if !list.untyped && !matches!(list.data_type, DataType::List(_)) {
            return Err(QueryError::bind(
                "op SOME/ANY/ALL (array) requires array on right side",
            ));
        }
        let list = self.cast(list, &texts, CastContext::Implicit)?;
        let args = vec![value.expr, list.expr];
        Ok(Bound::boolean(kernel::pattern::like_any(
            args,
            *negated,
            insensitive,
            all,
        )))
    }

    /// `value LIKE pattern` of bound sides; `ESCAPE ''` is an escape by no character.
    pub(crate) fn like_of(
        &self,
        left: Bound,
        right: Bound,
        escape: Option<Option<char>>,
        negated: bool,
        insensitive: bool,
    ) -> Result<Bound, QueryError> {
        let name = if insensitive { "i_like" } else { "like" };
        let wrong = self.no_function(name, &[left.clone(), right.clone()]);
        let text = |bound: Bound| {
            if bound.untyped || bound.data_type == DataType::Varchar {
                self.cast(bound, &DataType::Varchar, CastContext::Implicit)
            } else {
                Err(wrong.clone())
            }
        };
        let (left, right) = (text(left)?, text(right)?);
        let pattern = match escape {
            Some(escape) => kernel::pattern::escaped_by(escape, right.expr),
            None => right.expr,
        };
        Ok(Bound::boolean(Expr::Like(Like::new(
            negated,
            Box::new(left.expr),
            Box::new(pattern),
            None,
            insensitive,
        ))))
    }

    fn unary(&self, op: UnaryOperator, inner: &Ast, env: &Env<'_>) -> Result<Bound, QueryError> {
        match op {
            // A sign binds more than a power does.
            UnaryOperator::Minus | UnaryOperator::Plus if is_power(inner) => {
                self.expr(&signed_base(op, inner), env)
            }
            UnaryOperator::Minus => {
                if let Ast::Value(value) = inner
                    && let Value::Number(text, _) = &value.value
                {
                    return self.number(&format!("-{text}"));
                }
                if let Ast::UnaryOp {
                    op: UnaryOperator::Minus,
                    expr,
                } = inner
                    && let Ast::Value(value) = expr.as_ref()
                    && let Value::Number(text, _) = &value.value
                {
                    return Err(QueryError::bind(format!("Number --{text} overflows")));
                }
                self.negate(self.expr(inner, env)?)
            }
            UnaryOperator::Plus => self.expr(inner, env),
            UnaryOperator::Not => {
                let value = self.expr(inner, env)?;
                if !value.untyped && value.data_type != DataType::Boolean {
                    return Err(self.no_function("not", &[value]));
                }
                let value = self.cast(value, &DataType::Boolean, CastContext::Implicit)?;
                Ok(Bound::boolean(Expr::Not(Box::new(value.expr))))
            }
            UnaryOperator::BitwiseNot => {
                let value = self.expr(inner, env)?;
                match value.data_type {
                    DataType::SmallInt | DataType::Integer | DataType::BigInt => {
                        let expr =
                            kernel::arithmetic::bits("bitwise_not", &value.arrow, vec![value.expr]);
                        Ok(Bound::new(expr, value.data_type, value.arrow))
                    }
                    _ => Err(self.no_function("bitwise_not", &[value])),
                }
            }
            UnaryOperator::PGAbs => self.scalar("abs", vec![self.expr(inner, env)?]),
            UnaryOperator::PGSquareRoot => self.scalar("sqrt", vec![self.expr(inner, env)?]),
            UnaryOperator::PGCubeRoot => self.scalar("cbrt", vec![self.expr(inner, env)?]),
            other => Err(QueryError::NotImplemented(format!(
                "unary operator: {other}"
            ))),
        }
    }

    fn binary(
        &self,
        left: &Ast,
        op: &BinaryOperator,
        right: &Ast,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
            return self.logic(left, op, right, env);
        }
        let left = self.expr(left, env)?;
        let right = self.expr(right, env)?;
        self.operator(op, left, right)
    }

    fn logic(
        &self,
        left: &Ast,
        op: &BinaryOperator,
        right: &Ast,
        env: &Env<'_>,
    ) -> Result<Bound, QueryError> {
        let (name, plan) = match op {
            BinaryOperator::And => ("and", PlanOperator::And),
            _ => ("or", PlanOperator::Or),
        };
        let (left, right) = (self.expr(left, env)?, self.expr(right, env)?);
        let wrong = |b: &Bound| !b.untyped && b.data_type != DataType::Boolean;
        if wrong(&left) || wrong(&right) {
            return Err(self.no_function(name, &[left, right]));
        }
        let left = self.cast(left, &DataType::Boolean, CastContext::Implicit)?;
        let right = self.cast(right, &DataType::Boolean, CastContext::Implicit)?;
        Ok(Bound::boolean(Expr::BinaryExpr(BinaryExpr::new(
            Box::new(left.expr),
            plan,
            Box::new(right.expr),
        ))))
    }

    /// `ROW(a, b)` and `(a, b)`.
    pub(crate) fn row(&self, items: &[Ast], env: &Env<'_>) -> Result<Bound, QueryError> {
        let parts = items
            .iter()
            .map(|item| self.expr(item, env))
            .collect::<Result<Vec<_>, _>>()?;
        self.row_of(parts)
    }

    /// A row of bound parts.
    pub(crate) fn row_of(&self, parts: Vec<Bound>) -> Result<Bound, QueryError> {
        let fields = parts
            .iter()
            .map(|part| Ok((String::new(), self.default_type(part.clone())?)))
            .collect::<Result<_, QueryError>>()?;
        Ok(Bound {
            parts,
            ..kernel::list::row(fields)
        })
    }

    fn array(&self, items: &[Ast], env: &Env<'_>) -> Result<Bound, QueryError> {
        if items.is_empty() {
            return Err(QueryError::bind(
                "cannot determine type of empty array\nHINT:  Explicitly cast to the desired type, for example ARRAY[]::integer[].",
            ));
        }
        let mut bound = Vec::with_capacity(items.len());
        for item in items {
            bound.push(self.expr(item, env)?);
        }
        let (items, data_type, arrow) = self.align(bound)?;
        Ok(kernel::list::array(
            items.into_iter().map(|b| b.expr).collect(),
            &data_type,
            &arrow,
        ))
    }

    /// `(row).field`, `(row).field.inner`, `list[1]`.
    fn access(&self, root: &Ast, chain: &[AccessExpr], env: &Env<'_>) -> Result<Bound, QueryError> {
        // `(t.a).b` and `t.a[1]` arrive as a chain from the table's name.
        let mut chain = chain;
        let mut value = match (root, chain.first()) {
            (Ast::Identifier(table), Some(AccessExpr::Dot(Ast::Identifier(column))))
                if env.scope.has_table(&folded(table)) =>
            {
                chain = &chain[1..];
                self.compound(&[table.clone(), column.clone()], env)?
            }
            _ => self.expr(root, env)?,
        };
        for step in chain {
            value = match step {
                AccessExpr::Dot(Ast::Identifier(field)) => self.field(value, &folded(field))?,
                AccessExpr::Subscript(Subscript::Slice {
                    lower_bound,
                    upper_bound,
                    stride: None,
                }) if matches!(value.data_type, DataType::List(_)) => {
                    let bound = |ast: &Option<Ast>| -> Result<Option<Expr>, QueryError> {
                        let Some(ast) = ast else { return Ok(None) };
                        let place = self.expr(ast, env)?;
                        let place = self.cast(place, &DataType::Integer, CastContext::Implicit)?;
                        Ok(Some(place.expr))
                    };
                    let (low, high) = (bound(lower_bound)?, bound(upper_bound)?);
                    kernel::array::slice(value, low, high)
                }
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    let index = self.expr(index, env)?;
                    self.subscript(value, index)?
                }
                other => return Err(QueryError::NotImplemented(format!("access to {other}"))),
            };
        }
        Ok(value)
    }

    pub(crate) fn field(&self, value: Bound, name: &str) -> Result<Bound, QueryError> {
        let DataType::Struct(fields) = &value.data_type else {
            return Err(QueryError::bind(format!(
                "type \"{}\" is not composite",
                value.data_type
            )));
        };
        let mut names = fields.iter().enumerate();
        let found = names.find(|(i, (field, _))| crate::types::field_name(field, *i) == name);
        let Some((index, _)) = found else {
            return Err(QueryError::bind(format!(
                "column \"{name}\" not found in struct type"
            )));
        };
        Ok(kernel::list::field(value, index))
    }

    fn subscript(&self, value: Bound, index: Bound) -> Result<Bound, QueryError> {
        match value.data_type.clone() {
            DataType::List(_) => {
                let index = self.cast(index, &DataType::Integer, CastContext::Implicit)?;
                Ok(kernel::list::item(value, index.expr))
            }
            DataType::Jsonb => {
                let arg = self.default_type(index)?;
                self.json_access(value, arg, false)
            }
            DataType::Map(key, _) => {
                let key = self.cast(index, &key, CastContext::Assign)?;
                Ok(kernel::map::item(value, key.expr))
            }
            other => Err(QueryError::bind(format!("cannot subscript type {other}"))),
        }
    }

    /// `function f(integer, unknown) does not exist`
    pub(crate) fn no_function(&self, name: &str, args: &[Bound]) -> QueryError {
        let types: Vec<String> = args.iter().map(Bound::type_name).collect();
        QueryError::Bind(format!(
            "function {name}({}) does not exist",
            types.join(", ")
        ))
    }
}

/// The list of patterns behind LIKE ANY, SOME and ALL, and whether all are asked for.
fn patterns(pattern: &Ast, any: bool) -> Option<(&Ast, bool)> {
    if any {
        return Some((pattern, false));
    }
    let Ast::Function(call) = pattern else {
        return None;
    };
    let all = match crate::names::parts(&call.name).as_slice() {
        [name] if name == "some" => false,
        [name] if name == "all" => true,
        _ => return None,
    };
    let FunctionArguments::List(list) = &call.args else {
        return None;
    };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(list))] => Some((list, all)),
        _ => None,
    }
}

fn is_power(ast: &Ast) -> bool {
    matches!(ast, Ast::BinaryOp { op, .. } if *op == BinaryOperator::PGExp)
}

/// `-(a ^ b)`, as sqlparser reads `-a ^ b`, with the sign at the first base.
fn signed_base(sign: UnaryOperator, ast: &Ast) -> Ast {
    match ast {
        Ast::BinaryOp { left, op, right } if is_power(ast) => Ast::BinaryOp {
            left: Box::new(signed_base(sign, left)),
            op: op.clone(),
            right: right.clone(),
        },
        base => Ast::UnaryOp {
            op: sign,
            expr: Box::new(base.clone()),
        },
    }
}

/// A column of the table that was named with this schema.
fn lookup_in_schema(
    schema: &str,
    table: &str,
    name: &str,
    env: &Env<'_>,
) -> Result<Option<Bound>, QueryError> {
    let fits = |column: &super::ScopeColumn| {
        column.schema.as_deref() == Some(schema) && column.table.as_deref() == Some(table)
    };
    if let Some(found) = env.scope.find_if(name, fits)? {
        return Ok(Some(found.clone()));
    }
    let mut outer = env.outer;
    while let Some(env) = outer {
        if let Some(found) = env.scope.find_if(name, fits)? {
            return Ok(Some(outer_reference(found)));
        }
        outer = env.outer;
    }
    Ok(None)
}

pub(super) fn outer_reference(found: &Bound) -> Bound {
    match &found.expr {
        Expr::Column(column) => {
            let field = arrow::datatypes::Field::new(&column.name, found.arrow.clone(), true);
            Bound {
                expr: Expr::OuterReferenceColumn(field.into(), column.clone()),
                ..found.clone()
            }
        }
        _ => found.clone(),
    }
}
