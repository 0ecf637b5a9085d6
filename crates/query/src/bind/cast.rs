//! Which casts exist (implicit, in assignments, explicit), and what type several expressions have in common.

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Placeholder;
use rwt_sql::DataType;

use super::{Binder, Bound};
use crate::error::QueryError;
use crate::kernel::cast::{Typed, cast as cast_kernel};
use crate::read_text::read_as;
use crate::types::{arrow_type, internal_name, is_number, number_rank};
use crate::value;

/// Where a cast stands. Each context allows what the one before allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Context {
    Implicit,
    Assign,
    Explicit,
}

fn time_rank(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Date => Some(0),
        DataType::Timestamp => Some(1),
        DataType::Timestamptz => Some(2),
        _ => None,
    }
}

/// The weakest context in which the cast exists; `None` where there is no such cast.
/// Rules as in RisingWave's cast map: numbers in sequence, dates in sequence, texts to anything when asked.
pub(crate) fn cast_context(from: &DataType, to: &DataType) -> Option<Context> {
    use DataType as T;
    if from == to {
        return Some(Context::Implicit);
    }
    if let (Some(a), Some(b)) = (number_rank(from), number_rank(to)) {
        return Some(if a <= b {
            Context::Implicit
        } else {
            Context::Assign
        });
    }
    if let (Some(a), Some(b)) = (time_rank(from), time_rank(to)) {
        return Some(if a <= b {
            Context::Implicit
        } else {
            Context::Assign
        });
    }
    match (from, to) {
        (T::Time, T::Interval) => Some(Context::Implicit),
        (T::Interval, T::Time) | (T::Timestamp | T::Timestamptz, T::Time) => Some(Context::Assign),
        (T::Boolean, T::Integer) | (T::Integer, T::Boolean) => Some(Context::Explicit),
        (T::SmallInt | T::Integer | T::BigInt, T::Int256) => Some(Context::Implicit),
        (T::Int256, T::Double | T::Numeric) => Some(Context::Explicit),
        (T::Jsonb, T::Boolean) => Some(Context::Explicit),
        (T::Jsonb, number) if is_number(number) => Some(Context::Explicit),
        (T::List(a), T::List(b)) => cast_context(a, b),
        (T::Struct(a), T::Struct(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .map(|((_, a), (_, b))| cast_context(a, b))
            .try_fold(Context::Implicit, |worst, next| {
                next.map(|next| worst.max(next))
            }),
        (T::Map(a, c), T::Map(b, d)) => Some(cast_context(a, b)?.max(cast_context(c, d)?)),
        (T::Varchar, T::Map(..)) => None,
        (T::Varchar, _) => Some(Context::Explicit),
        (_, T::Varchar) => Some(Context::Assign),
        _ => None,
    }
}

impl Binder<'_> {
    /// Casts to a type, if that cast exists in the context.
    pub(crate) fn cast(
        &self,
        value: Bound,
        to: &DataType,
        context: Context,
    ) -> Result<Bound, QueryError> {
        if value.untyped {
            return self.settle(value, to);
        }
        if let DataType::Struct(fields) = to
            && !value.parts.is_empty()
        {
            return self.cast_row(value.parts, fields, context);
        }
        match cast_context(&value.data_type, to) {
            Some(needed) if needed <= context => {}
            _ => {
                return Err(QueryError::Bind(format!(
                    "cannot cast type \"{}\" to \"{to}\" in {context:?} context",
                    value.data_type
                )));
            }
        }
        let arrow = arrow_type(to);
        Ok(self.force(value, to, arrow))
    }

    /// A row written in place, part by part.
    fn cast_row(
        &self,
        parts: Vec<Bound>,
        fields: &[(String, DataType)],
        context: Context,
    ) -> Result<Bound, QueryError> {
        if parts.len() != fields.len() {
            let how = if parts.len() < fields.len() {
                "few"
            } else {
                "many"
            };
            return Err(QueryError::bind(format!(
                "cannot cast struct: input has too {how} columns, expected {} but got {}",
                fields.len(),
                parts.len()
            )));
        }
        let mut cast = Vec::with_capacity(parts.len());
        for (part, (name, to)) in parts.into_iter().zip(fields) {
            cast.push((name.clone(), self.cast(part, to, context)?));
        }
        Ok(crate::kernel::list::row(cast))
    }

    /// Casts without asking, to exactly this Arrow type.
    pub(crate) fn force(&self, value: Bound, to: &DataType, arrow: ArrowType) -> Bound {
        let from = value.typed();
        let target = Typed::new(to.clone(), arrow.clone());
        Bound::new(
            cast_kernel(value.expr, &from, &target, self.style),
            to.clone(),
            arrow,
        )
    }

    /// Gives a literal, NULL or parameter the type of its place. The text of a literal is read at once.
    pub(crate) fn settle(&self, value: Bound, to: &DataType) -> Result<Bound, QueryError> {
        match &value.expr {
            Expr::Placeholder(param) => {
                let id = param.id.clone();
                self.set_param(&id, to);
                let arrow = arrow_type(to);
                let field = arrow::datatypes::Field::new(&id, arrow.clone(), true);
                let expr = Expr::Placeholder(Placeholder::new_with_field(id, Some(field.into())));
                Ok(Bound::new(expr, to.clone(), arrow))
            }
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) => self.literal_of(text, to),
            Expr::Literal(ScalarValue::Utf8(None), _) => {
                let arrow = arrow_type(to);
                let null = ScalarValue::try_from(&arrow)?;
                Ok(Bound::new(Expr::Literal(null, None), to.clone(), arrow))
            }
            // A column of a sub-query that held a literal: its text is read when the query runs.
            _ => {
                let text = Bound {
                    untyped: false,
                    ..value
                };
                Ok(self.force(text, to, arrow_type(to)))
            }
        }
    }

    /// A text read as a literal of a type.
    pub(crate) fn literal_of(&self, text: &str, to: &DataType) -> Result<Bound, QueryError> {
        let value = read_as(text, to, self.style)?;
        let arrow = arrow_type(to);
        let array = value::build(&[value], &arrow)?;
        let scalar = ScalarValue::try_from_array(&array, 0)?;
        Ok(Bound::new(Expr::Literal(scalar, None), to.clone(), arrow))
    }

    /// An untyped literal that stands alone is a varchar.
    pub(crate) fn default_type(&self, value: Bound) -> Result<Bound, QueryError> {
        if value.untyped {
            self.settle(value, &DataType::Varchar)
        } else {
            Ok(value)
        }
    }

    pub(crate) fn set_param(&self, id: &str, to: &DataType) {
        let Some(index) = id.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()) else {
            return;
        };
        let mut params = self.params.borrow_mut();
        if index > 0 && params.len() < index {
            params.resize(index, None);
        }
        if let Some(param) = index.checked_sub(1).and_then(|i| params.get_mut(i)) {
            param.get_or_insert_with(|| to.clone());
        }
    }

    /// A parameter: of the type that the client declared or an earlier use settled, or untyped.
    pub(crate) fn param(&self, id: &str) -> Result<Bound, QueryError> {
        let index: usize = id
            .strip_prefix('$')
            .and_then(|n| n.parse().ok())
            .filter(|n| *n > 0)
            .ok_or_else(|| QueryError::invalid_input(format!("invalid parameter {id}")))?;
        let declared = {
            let mut params = self.params.borrow_mut();
            if params.len() < index {
                params.resize(index, None);
            }
            params[index - 1].clone()
        };
        let untyped = Bound {
            expr: Expr::Placeholder(Placeholder::new_with_field(id.to_owned(), None)),
            untyped: true,
            ..Bound::of(Expr::default(), DataType::Varchar)
        };
        match declared {
            Some(data_type) => self.settle(untyped, &data_type),
            None => Ok(untyped),
        }
    }

    /// The type that all values can take implicitly. Literals follow the others; alone they are varchar.
    pub(crate) fn common_type(&self, values: &[Bound]) -> Result<DataType, QueryError> {
        let mut common: Option<DataType> = None;
        for value in values.iter().filter(|v| !v.untyped) {
            common = Some(match common {
                None => value.data_type.clone(),
                Some(current) => wider(&current, &value.data_type).ok_or_else(|| {
                    QueryError::bind(format!(
                        "types {} and {} cannot be matched",
                        internal_name(&current),
                        internal_name(&value.data_type)
                    ))
                })?,
            });
        }
        Ok(common.unwrap_or(DataType::Varchar))
    }

    /// Brings all values to one type and one Arrow type.
    pub(crate) fn align(
        &self,
        values: Vec<Bound>,
    ) -> Result<(Vec<Bound>, DataType, ArrowType), QueryError> {
        let common = self.common_type(&values)?;
        self.align_to(values, &common)
    }

    /// Brings all values to this type.
    pub(crate) fn align_to(
        &self,
        values: Vec<Bound>,
        common: &DataType,
    ) -> Result<(Vec<Bound>, DataType, ArrowType), QueryError> {
        let cast: Vec<Bound> = values
            .into_iter()
            .map(|value| self.cast(value, common, Context::Implicit))
            .collect::<Result<_, _>>()?;
        let arrow = arrow_type(common);
        let values = cast
            .into_iter()
            .map(|value| self.force(value, common, arrow.clone()))
            .collect();
        Ok((values, common.clone(), arrow))
    }
}

/// The wider of two types with an implicit cast between them.
pub(crate) fn wider(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (DataType::List(x), DataType::List(y)) => Some(DataType::List(Box::new(wider(x, y)?))),
        (DataType::Struct(x), DataType::Struct(y)) if x.len() == y.len() => x
            .iter()
            .zip(y)
            .map(|((name, x), (_, y))| Some((name.clone(), wider(x, y)?)))
            .collect::<Option<Vec<_>>>()
            .map(DataType::Struct),
        (DataType::Map(a, c), DataType::Map(b, d)) => Some(DataType::Map(
            Box::new(wider(a, b)?),
            Box::new(wider(c, d)?),
        )),
        _ if cast_context(a, b) == Some(Context::Implicit) => Some(b.clone()),
        _ if cast_context(b, a) == Some(Context::Implicit) => Some(a.clone()),
        _ => None,
    }
}
