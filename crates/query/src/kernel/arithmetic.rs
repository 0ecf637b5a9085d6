//! `+ - * / %` on numbers. Overflow and division by zero are errors, never wrapped values.

use arrow::array::{Array, ArrayRef, AsArray, Datum, Float64Array, PrimitiveArray, Scalar};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    DataType as ArrowType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
};
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility};

use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::numeric::{NUMERIC, Numeric};
use crate::value::Value;

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulus,
}

impl Operator {
    /// RisingWave's internal name, as in `function add(boolean, integer) does not exist`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply",
            Self::Divide => "divide",
            Self::Modulus => "modulus",
        }
    }
}

/// Both arguments have the same integer or float type, which is also the result's.
pub(crate) fn same_type(op: Operator, arrow: &ArrowType, left: Expr, right: Expr) -> Expr {
    let float = arrow.is_floating();
    Kernel::call(
        op.name(),
        "",
        arrow.clone(),
        Volatility::Immutable,
        vec![left, right],
        move |args| {
            let left = operand(&args.values[0])?;
            let right = operand(&args.values[1])?;
            let (left, right) = (left.as_ref(), right.as_ref());
            let array = match op {
                Operator::Add => numeric::add(left, right),
                Operator::Subtract => numeric::sub(left, right),
                Operator::Multiply => numeric::mul(left, right),
                // RisingWave: 1.0::double / 0 is Infinity, 1 / 0 an error, 1 % 0 out of range.
                Operator::Divide => numeric::div(left, right),
                Operator::Modulus => numeric::rem(left, right),
            }
            .map_err(|error| match (QueryError::from(error), op) {
                (QueryError::Evaluation(message), Operator::Modulus)
                    if message == "Division by zero" =>
                {
                    QueryError::out_of_range()
                }
                (error, _) => error,
            })?;
            if float && op != Operator::Divide {
                float_overflow(&array, left, right)?;
            }
            Ok(finish(array, &args.values))
        },
    )
}

/// An infinite result of finite arguments is an overflow.
fn float_overflow(
    result: &ArrayRef,
    left: &dyn Datum,
    right: &dyn Datum,
) -> Result<(), QueryError> {
    let infinite = |array: &dyn Array| match array.data_type() {
        ArrowType::Float64 => array
            .as_primitive::<Float64Type>()
            .values()
            .iter()
            .any(|v| v.is_infinite()),
        ArrowType::Float32 => array
            .as_primitive::<Float32Type>()
            .values()
            .iter()
            .any(|v| v.is_infinite()),
        _ => false,
    };
    if infinite(result.as_ref()) && !infinite(left.get().0) && !infinite(right.get().0) {
        return Err(QueryError::out_of_range());
    }
    Ok(())
}

fn operand(value: &ColumnarValue) -> Result<Box<dyn Datum>, QueryError> {
    Ok(match value {
        ColumnarValue::Array(array) => Box::new(array.clone()),
        ColumnarValue::Scalar(scalar) => Box::new(Scalar::new(scalar.to_array()?)),
    })
}

/// A result of scalars stays a scalar, so that DataFusion may fold it.
pub(crate) fn finish(array: ArrayRef, args: &[ColumnarValue]) -> ColumnarValue {
    let scalar = args.iter().all(|v| matches!(v, ColumnarValue::Scalar(_)));
    if scalar && let Ok(value) = datafusion::common::ScalarValue::try_from_array(&array, 0) {
        return ColumnarValue::Scalar(value);
    }
    ColumnarValue::Array(array)
}

/// Numerics, each with its own scale.
pub(crate) fn numerics(op: Operator, left: Expr, right: Expr) -> Expr {
    Kernel::rowwise(
        op.name(),
        "numeric",
        NUMERIC,
        Volatility::Immutable,
        true,
        vec![left, right],
        move |args| numeric_value(op, args[0].decimal(), args[1].decimal()).map(Value::Decimal),
    )
}

pub(crate) fn numeric_value(
    op: Operator,
    left: Numeric,
    right: Numeric,
) -> Result<Numeric, QueryError> {
    let result = match op {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => match left.checked_div(right) {
            None if right.is_zero() => return Err(QueryError::division_by_zero()),
            quotient => quotient,
        },
        Operator::Modulus => left.checked_rem(right),
    };
    result.ok_or_else(QueryError::out_of_range)
}

/// `-x` of an integer or float.
pub(crate) fn negate(arrow: &ArrowType, value: Expr) -> Expr {
    Kernel::call(
        "neg",
        "",
        arrow.clone(),
        Volatility::Immutable,
        vec![value],
        |args| {
            let arrays = args.arrays()?;
            Ok(finish(numeric::neg(&arrays[0])?, &args.values))
        },
    )
}

/// An operator on bits of integers of one type; shifts take an integer on the right.
pub(crate) fn bits(name: &'static str, arrow: &ArrowType, args: Vec<Expr>) -> Expr {
    let width: i64 = match arrow {
        ArrowType::Int16 => 16,
        ArrowType::Int32 => 32,
        _ => 64,
    };
    Kernel::rowwise(
        name,
        "",
        arrow.clone(),
        Volatility::Immutable,
        true,
        args,
        move |args| {
            let left = args[0].int();
            let right = args.get(1).map_or(0, Value::int);
            let shift = u32::try_from(right).ok().filter(|s| i64::from(*s) < width);
            let wrap = |value: i64| match width {
                16 => i64::from(value as i16),
                32 => i64::from(value as i32),
                _ => value,
            };
            Ok(Value::Int(match name {
                "bitwise_and" => left & right,
                "bitwise_or" => left | right,
                "bitwise_xor" => left ^ right,
                "bitwise_not" => !left,
                "bitwise_shift_left" => {
                    wrap(left.wrapping_shl(shift.ok_or_else(QueryError::out_of_range)?))
                }
                _ => left >> shift.ok_or_else(QueryError::out_of_range)?,
            }))
        },
    )
}

/// `ceil`, `floor`, `trunc`, `round` (half to even) of a double.
pub(crate) fn round_double(name: &'static str, value: Expr) -> Expr {
    Kernel::call(
        name,
        "double",
        ArrowType::Float64,
        Volatility::Immutable,
        vec![value],
        move |args| {
            let arrays = args.arrays()?;
            let input = arrays[0].as_primitive::<Float64Type>();
            let output: Float64Array = input.unary(|v| match name {
                "ceil" => v.ceil(),
                "floor" => v.floor(),
                "trunc" => v.trunc(),
                _ => v.round_ties_even(),
            });
            Ok(finish(std::sync::Arc::new(output), &args.values))
        },
    )
}

/// The absolute value of an integer or float.
pub(crate) fn abs(arrow: &ArrowType, value: Expr) -> Expr {
    let out = arrow.clone();
    Kernel::call(
        "abs",
        "",
        arrow.clone(),
        Volatility::Immutable,
        vec![value],
        move |args| {
            fn checked<T>(
                array: &ArrayRef,
                abs: impl Fn(T::Native) -> Option<T::Native>,
            ) -> Result<ArrayRef, QueryError>
            where
                T: arrow::datatypes::ArrowPrimitiveType,
            {
                let result: PrimitiveArray<T> = array
                    .as_primitive::<T>()
                    .try_unary(|v| abs(v).ok_or_else(QueryError::out_of_range))?;
                Ok(std::sync::Arc::new(result))
            }
            let arrays = args.arrays()?;
            let array = match out {
                ArrowType::Int16 => checked::<Int16Type>(&arrays[0], i16::checked_abs)?,
                ArrowType::Int32 => checked::<Int32Type>(&arrays[0], i32::checked_abs)?,
                ArrowType::Int64 => checked::<Int64Type>(&arrays[0], i64::checked_abs)?,
                ArrowType::Float32 => checked::<Float32Type>(&arrays[0], |v| Some(v.abs()))?,
                _ => checked::<Float64Type>(&arrays[0], |v| Some(v.abs()))?,
            };
            Ok(finish(array, &args.values))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_division_has_28_digits() {
        let value = |op, a: &str, b: &str| {
            numeric_value(op, a.parse().unwrap(), b.parse().unwrap()).map(|v| v.to_string())
        };
        let third = value(Operator::Divide, "1", "3").unwrap();
        assert_eq!(third, "0.3333333333333333333333333333");
        let mean = value(Operator::Divide, "37", "3").unwrap();
        assert_eq!(mean, "12.333333333333333333333333333");
        assert_eq!(
            value(Operator::Divide, "1", "0").unwrap_err(),
            QueryError::division_by_zero()
        );
        assert_eq!(
            value(Operator::Add, "79228162514264337593543950335", "1").unwrap_err(),
            QueryError::out_of_range()
        );
    }
}
