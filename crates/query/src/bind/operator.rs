//! Operators: which types they take, what they give.

use arrow::datatypes::DataType as ArrowType;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator as PlanOperator};
use rwt_sql::DataType;
use sqlparser::ast::BinaryOperator;

use super::cast::wider;
use super::{Binder, Bound, CastContext};
use crate::error::QueryError;
use crate::kernel::arithmetic::{self, Operator};
use crate::kernel::{datetime, key, list, numbers, pattern, strings};
use crate::types::{arrow_type, is_number, number_rank};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Distinct,
    NotDistinct,
}

impl Comparison {
    fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::NotEqual => "not_equal",
            Self::Less => "less_than",
            Self::LessOrEqual => "less_than_or_equal",
            Self::Greater => "greater_than",
            Self::GreaterOrEqual => "greater_than_or_equal",
            Self::Distinct => "is_distinct_from",
            Self::NotDistinct => "is_not_distinct_from",
        }
    }

    /// Whether the comparison is true of two values in this order.
    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal | Self::NotDistinct => order.is_eq(),
            Self::NotEqual | Self::Distinct => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    fn plan(self) -> PlanOperator {
        match self {
            Self::Equal => PlanOperator::Eq,
            Self::NotEqual => PlanOperator::NotEq,
            Self::Less => PlanOperator::Lt,
            Self::LessOrEqual => PlanOperator::LtEq,
            Self::Greater => PlanOperator::Gt,
            Self::GreaterOrEqual => PlanOperator::GtEq,
            Self::Distinct => PlanOperator::IsDistinctFrom,
            Self::NotDistinct => PlanOperator::IsNotDistinctFrom,
        }
    }
}

/// The comparison of an operator's sign.
pub(crate) fn comparison_of(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

impl Binder<'_> {
    pub(crate) fn operator(
        &self,
        op: &BinaryOperator,
        left: Bound,
        right: Bound,
    ) -> Result<Bound, QueryError> {
        if let Some(comparison) = comparison_of(op) {
            return self.comparison(comparison, left, right);
        }
        match op {
            BinaryOperator::Plus => self.arithmetic(Operator::Add, left, right),
            BinaryOperator::Minus if left.data_type == DataType::Jsonb && !left.untyped => {
                self.json_delete(left, right)
            }
            BinaryOperator::Minus => self.arithmetic(Operator::Subtract, left, right),
            BinaryOperator::Multiply => self.arithmetic(Operator::Multiply, left, right),
            BinaryOperator::Divide => self.arithmetic(Operator::Divide, left, right),
            BinaryOperator::Modulo => self.arithmetic(Operator::Modulus, left, right),
            BinaryOperator::StringConcat => self.concatenate(left, right),
            BinaryOperator::BitwiseAnd => self.bits("bitwise_and", left, right),
            BinaryOperator::BitwiseOr => self.bits("bitwise_or", left, right),
            BinaryOperator::PGBitwiseXor | BinaryOperator::BitwiseXor => {
                self.bits("bitwise_xor", left, right)
            }
            BinaryOperator::PGBitwiseShiftLeft => self.bits("bitwise_shift_left", left, right),
            BinaryOperator::PGBitwiseShiftRight => self.bits("bitwise_shift_right", left, right),
            BinaryOperator::PGRegexMatch | BinaryOperator::PGRegexNotMatch => {
                let left = self.cast(left, &DataType::Varchar, CastContext::Implicit)?;
                let right = self.cast(right, &DataType::Varchar, CastContext::Implicit)?;
                let matches = pattern::regex_match(vec![left.expr, right.expr]);
                Ok(Bound::boolean(match op {
                    BinaryOperator::PGRegexNotMatch => Expr::Not(Box::new(matches)),
                    _ => matches,
                }))
            }
            BinaryOperator::Arrow => self.json_access(left, right, false),
            BinaryOperator::LongArrow => self.json_access(left, right, true),
            BinaryOperator::HashArrow | BinaryOperator::HashLongArrow => {
                self.json_path(left, right, matches!(op, BinaryOperator::HashLongArrow))
            }
            BinaryOperator::AtArrow | BinaryOperator::ArrowAt => {
                let wrong = no_operator(&op.to_string(), &left, &right);
                let (outer, inner) = match op {
                    BinaryOperator::AtArrow => (left, right),
                    _ => (right, left),
                };
                self.contains(outer, inner, wrong)
            }
            BinaryOperator::PGOverlap => {
                let wrong = no_operator("&&", &left, &right);
                let is_list = |b: &Bound| matches!(b.data_type, DataType::List(_)) && !b.untyped;
                let same = left.data_type == right.data_type;
                if !(is_list(&left) || is_list(&right)) || !(same || left.untyped || right.untyped)
                {
                    return Err(wrong);
                }
                let (sides, _, _) = self.align(vec![left, right])?;
                let sides = sides.into_iter().map(|b| b.expr).collect();
                Ok(Bound::boolean(crate::kernel::list::overlap(sides)))
            }
            BinaryOperator::HashMinus => {
                let value = self.cast(left, &DataType::Jsonb, CastContext::Implicit)?;
                let path = DataType::List(Box::new(DataType::Varchar));
                let path = self.cast(right, &path, CastContext::Implicit)?;
                Ok(crate::kernel::jsonb::delete_path(value.expr, path.expr))
            }
            BinaryOperator::Question
            | BinaryOperator::QuestionPipe
            | BinaryOperator::QuestionAnd => self.json_exists(op, left, right),
            // psql writes `OPERATOR(pg_catalog.~)`.
            BinaryOperator::PGCustomBinaryOperator(parts)
                if parts
                    .first()
                    .is_some_and(|p| p.trim_matches('"').starts_with(crate::parse::IS_JSON)) =>
            {
                let value = self.cast(left, &DataType::Varchar, CastContext::Implicit)?;
                let kind = parts[0].trim_matches('"');
                let kind = kind.trim_start_matches(crate::parse::IS_JSON);
                let (kind, negated) = match kind.strip_prefix("not ") {
                    Some(kind) => (kind, true),
                    None => (kind, false),
                };
                let found = crate::kernel::jsonb::is_json(value.expr, kind.trim());
                Ok(match negated {
                    true => Bound::boolean(Expr::Not(Box::new(found.expr))),
                    false => found,
                })
            }
            BinaryOperator::PGExp => self.scalar("power", vec![left, right]),
            BinaryOperator::PGStartsWith => self.scalar("starts_with", vec![left, right]),
            BinaryOperator::PGLikeMatch => self.like_of(left, right, None, false, false),
            BinaryOperator::PGNotLikeMatch => self.like_of(left, right, None, true, false),
            BinaryOperator::PGILikeMatch => self.like_of(left, right, None, false, true),
            BinaryOperator::PGNotILikeMatch => self.like_of(left, right, None, true, true),
            // Operators do not tell what is wrong with a path's values.
            BinaryOperator::AtQuestion | BinaryOperator::AtAt => {
                let name = match op {
                    BinaryOperator::AtQuestion => "jsonb_path_exists",
                    _ => "jsonb_path_match",
                };
                let vars = self.literal_of("{}", &DataType::Jsonb)?;
                let silent = self.literal_of("true", &DataType::Boolean)?;
                self.scalar(name, vec![left, right, vars, silent])
            }
            BinaryOperator::PGCustomBinaryOperator(parts) => {
                let op = match parts.last().map(String::as_str) {
                    Some("~") => BinaryOperator::PGRegexMatch,
                    Some("!~") => BinaryOperator::PGRegexNotMatch,
                    Some("=") => BinaryOperator::Eq,
                    Some("<>") => BinaryOperator::NotEq,
                    Some("||") => BinaryOperator::StringConcat,
                    _ => return Err(QueryError::NotImplemented(format!("binary op: \"{op}\""))),
                };
                self.operator(&op, left, right)
            }
            other => Err(QueryError::NotImplemented(format!(
                "binary op: \"{other}\""
            ))),
        }
    }

    /// Literals in a row take the types of what stands in their place on the other side.
    fn rows_alike(&self, left: Bound, right: Bound) -> Result<(Bound, Bound), QueryError> {
        if left.parts.is_empty() || left.parts.len() != right.parts.len() {
            return Ok((left, right));
        }
        let (mut l, mut r) = (Vec::new(), Vec::new());
        for (a, b) in left.parts.into_iter().zip(right.parts) {
            let (a, b) = match (a.untyped, b.untyped) {
                (true, false) => (self.settle(a, &b.data_type)?, b),
                (false, true) => {
                    let b = self.settle(b, &a.data_type)?;
                    (a, b)
                }
                _ => self.rows_alike(a, b)?,
            };
            l.push(a);
            r.push(b);
        }
        Ok((self.row_of(l)?, self.row_of(r)?))
    }

    /// A comparison after both sides are brought to one type.
    pub(crate) fn comparison(
        &self,
        op: Comparison,
        left: Bound,
        right: Bound,
    ) -> Result<Bound, QueryError> {
        let missing = || self.no_function(op.name(), &[left.clone(), right.clone()]);
        let (left, right) = self.rows_alike(left.clone(), right.clone())?;
        let common = match (left.untyped, right.untyped) {
            (true, true) => DataType::Varchar,
            (true, false) => right.data_type.clone(),
            (false, true) => left.data_type.clone(),
            (false, false) => comparable(&left.data_type, &right.data_type).ok_or_else(missing)?,
        };
        if matches!(common, DataType::Map(..)) {
            return Err(missing());
        }
        let (mut sides, _, arrow) = self.align_to(vec![left, right], &common)?;
        let (Some(right), Some(left)) = (sides.pop(), sides.pop()) else {
            return Err(QueryError::Internal(
                "a comparison without two sides".into(),
            ));
        };
        if matches!(common, DataType::Struct(_)) {
            return Ok(Bound::boolean(list::compare(op.plan(), left, right)));
        }
        let (left, right) = key::keys_of_pair(left.expr, right.expr, &arrow);
        Ok(Bound::boolean(Expr::BinaryExpr(BinaryExpr::new(
            Box::new(left),
            op.plan(),
            Box::new(right),
        ))))
    }

    pub(crate) fn negate(&self, value: Bound) -> Result<Bound, QueryError> {
        let Bound {
            expr,
            data_type,
            arrow,
            ..
        } = value.clone();
        match data_type {
            _ if value.untyped => Err(self.no_function("neg", &[value])),
            DataType::SmallInt
            | DataType::Integer
            | DataType::BigInt
            | DataType::Real
            | DataType::Double => Ok(Bound::new(
                arithmetic::negate(&arrow, expr),
                data_type,
                arrow,
            )),
            DataType::Numeric => Ok(Bound::of(numbers::numeric_function("neg", expr), data_type)),
            _ => Err(self.no_function("neg", &[value])),
        }
    }

    pub(crate) fn arithmetic(
        &self,
        op: Operator,
        left: Bound,
        right: Bound,
    ) -> Result<Bound, QueryError> {
        let (left, right) = self.settle_pair(op, left, right)?;
        let missing = || self.no_function(op.name(), &[left.clone(), right.clone()]);
        if let (Some(a), Some(b)) = (number_rank(&left.data_type), number_rank(&right.data_type)) {
            return self
                .numbers(op, left.clone(), right.clone(), a.max(b))
                .ok_or_else(missing)?;
        }
        let minus = op == Operator::Subtract;
        match op {
            Operator::Add | Operator::Subtract => {
                let (mut l, mut r) = (left.clone(), right.clone());
                // timestamp and timestamptz meet as timestamptz.
                if minus && let Some(wide) = date_pair(&l.data_type, &r.data_type) {
                    l = self.cast(l, &wide, CastContext::Implicit)?;
                    r = self.cast(r, &wide, CastContext::Implicit)?;
                }
                let zone = self.style.zone;
                datetime::operator(minus, (&l.data_type, l.expr), (&r.data_type, r.expr), zone)
                    .map(|(data_type, expr)| Bound::of(expr, data_type))
                    .ok_or_else(missing)
            }
            Operator::Multiply | Operator::Divide => {
                let span = |side: Bound| match side.data_type {
                    DataType::Time => self.cast(side, &DataType::Interval, CastContext::Implicit),
                    _ => Ok(side),
                };
                let (left, right) = (span(left.clone())?, span(right.clone())?);
                let (interval, factor) = match (&left.data_type, &right.data_type) {
                    (DataType::Interval, t) if is_number(t) => (left.clone(), right.clone()),
                    (t, DataType::Interval) if is_number(t) && op == Operator::Multiply => {
                        (right.clone(), left.clone())
                    }
                    _ => return Err(missing()),
                };
                if op == Operator::Multiply
                    && matches!(
                        factor.data_type,
                        DataType::SmallInt | DataType::Integer | DataType::BigInt
                    )
                {
                    let expr = datetime::multiply_interval(interval.expr, factor.expr);
                    return Ok(Bound::of(expr, DataType::Interval));
                }
                let factor = self.force(factor, &DataType::Double, ArrowType::Float64);
                let expr =
                    datetime::scale_interval(op == Operator::Divide, interval.expr, factor.expr);
                Ok(Bound::of(expr, DataType::Interval))
            }
            Operator::Modulus => Err(missing()),
        }
    }

    /// An untyped side takes the type of the other; beside a time it is an interval.
    fn settle_pair(
        &self,
        op: Operator,
        left: Bound,
        right: Bound,
    ) -> Result<(Bound, Bound), QueryError> {
        if left.untyped && right.untyped {
            return Err(QueryError::Bind(format!(
                "function {}(unknown, unknown) is not unique",
                op.name()
            )));
        }
        let partner = |other: &DataType| match other {
            DataType::Interval => DataType::Interval,
            DataType::Timestamp | DataType::Timestamptz | DataType::Date if op == Operator::Add => {
                DataType::Interval
            }
            other => other.clone(),
        };
        if left.untyped {
            let to = partner(&right.data_type);
            return Ok((self.settle(left, &to)?, right));
        }
        if right.untyped {
            let to = partner(&left.data_type);
            return Ok((left, self.settle(right, &to)?));
        }
        Ok((left, right))
    }

    fn numbers(
        &self,
        op: Operator,
        left: Bound,
        right: Bound,
        rank: u8,
    ) -> Option<Result<Bound, QueryError>> {
        let data_type = match rank {
            0 => DataType::SmallInt,
            1 => DataType::Integer,
            2 => DataType::BigInt,
            3 => DataType::Numeric,
            _ if left.data_type == DataType::Real && right.data_type == DataType::Real => {
                DataType::Real
            }
            _ => DataType::Double,
        };
        if op == Operator::Modulus && rank > 3 {
            return None;
        }
        if data_type == DataType::Numeric {
            return Some(self.numeric_operator(op, left, right));
        }
        let arrow = arrow_type(&data_type);
        let left = self.force(left, &data_type, arrow.clone());
        let right = self.force(right, &data_type, arrow.clone());
        let expr = arithmetic::same_type(op, &arrow, left.expr, right.expr);
        Some(Ok(Bound::new(expr, data_type, arrow)))
    }

    pub(crate) fn numeric_operator(
        &self,
        op: Operator,
        left: Bound,
        right: Bound,
    ) -> Result<Bound, QueryError> {
        let left = self.cast(left, &DataType::Numeric, CastContext::Implicit)?;
        let right = self.cast(right, &DataType::Numeric, CastContext::Implicit)?;
        let expr = arithmetic::numerics(op, left.expr, right.expr);
        Ok(Bound::of(expr, DataType::Numeric))
    }

    fn bits(&self, name: &'static str, left: Bound, right: Bound) -> Result<Bound, QueryError> {
        let integer = |b: &Bound| {
            matches!(
                b.data_type,
                DataType::SmallInt | DataType::Integer | DataType::BigInt
            )
        };
        if !integer(&left) || !integer(&right) {
            return Err(self.no_function(name, &[left, right]));
        }
        if name.contains("shift") {
            let (data_type, arrow) = (left.data_type, left.arrow);
            let expr = arithmetic::bits(name, &arrow, vec![left.expr, right.expr]);
            return Ok(Bound::new(expr, data_type, arrow));
        }
        let (sides, data_type, arrow) = self.align(vec![left, right])?;
        let expr = arithmetic::bits(name, &arrow, sides.into_iter().map(|b| b.expr).collect());
        Ok(Bound::new(expr, data_type, arrow))
    }

    fn concatenate(&self, left: Bound, right: Bound) -> Result<Bound, QueryError> {
        let is_list = |b: &Bound| matches!(b.data_type, DataType::List(_)) && !b.untyped;
        if is_list(&left) || is_list(&right) {
            return self.concatenate_lists(left, right);
        }
        let both = |t: &DataType| {
            (left.data_type == *t || left.untyped)
                && (right.data_type == *t || right.untyped)
                && !(left.untyped && right.untyped)
        };
        if both(&DataType::Jsonb) {
            return self.concatenate_json(left, right);
        }
        if both(&DataType::Bytea) {
            let left = self.cast(left, &DataType::Bytea, CastContext::Implicit)?;
            let right = self.cast(right, &DataType::Bytea, CastContext::Implicit)?;
            return Ok(Bound::of(
                strings::concat_bytes(vec![left.expr, right.expr]),
                DataType::Bytea,
            ));
        }
        let is_text = |b: &Bound| b.untyped || b.data_type == DataType::Varchar;
        if !is_text(&left) && !is_text(&right) {
            return Err(no_operator("||", &left, &right));
        }
        let left = self.cast(left, &DataType::Varchar, CastContext::Explicit)?;
        let right = self.cast(right, &DataType::Varchar, CastContext::Explicit)?;
        Ok(Bound::of(
            strings::concat_op(left.expr, right.expr),
            DataType::Varchar,
        ))
    }
}

/// `operator does not exist: integer @> unknown`
pub(super) fn no_operator(sign: &str, left: &Bound, right: &Bound) -> QueryError {
    QueryError::bind(format!(
        "operator does not exist: {} {sign} {}",
        left.type_name(),
        right.type_name()
    ))
}

/// The type in which two different types compare, as RisingWave's operators are declared.
fn comparable(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b {
        return Some(a.clone());
    }
    if let (Some(x), Some(y)) = (number_rank(a), number_rank(b)) {
        return match x.max(y) {
            4 | 5 => Some(DataType::Double),
            _ => wider(a, b),
        };
    }
    wider(a, b)
}

/// Two different date types that are subtracted as the wider one.
fn date_pair(a: &DataType, b: &DataType) -> Option<DataType> {
    let tz = |t: &DataType| *t == DataType::Timestamptz;
    let plain = |t: &DataType| matches!(t, DataType::Timestamp | DataType::Date);
    (tz(a) && plain(b) || plain(a) && tz(b)).then_some(DataType::Timestamptz)
}
