//! Keys: values by which rows are compared, grouped, joined and sorted. Where equal values of a type may look different
//! (numerics of two scales, zero and minus zero, a month and 30 days) all of them have one key, which is itself a value
//! of the type: the one that RisingWave shows for a group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, PrimitiveArray, StructArray};
use arrow::datatypes::{
    DataType as ArrowType, Decimal256Type, Float32Type, Float64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType,
};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility};

use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::kernel::arithmetic::finish;
use crate::numeric::{NUMERIC, key_of};

/// The name of the kernel.
pub(crate) const KEY: &str = "key";

/// Whether equal values of an Arrow type may look different.
pub(crate) fn has_key(arrow: &ArrowType) -> bool {
    match arrow {
        ArrowType::Float32 | ArrowType::Float64 | ArrowType::Interval(_) => true,
        ArrowType::List(item) => has_key(item.data_type()),
        ArrowType::Struct(fields) => fields.iter().any(|f| has_key(f.data_type())),
        ArrowType::Map(entries, _) => has_key(entries.data_type()),
        other => *other == NUMERIC,
    }
}

/// The key of a value.
pub(crate) fn key(value: Expr, arrow: &ArrowType) -> Expr {
    if !has_key(arrow) {
        return value;
    }
    if let Expr::Literal(scalar, metadata) = &value
        && let Ok(array) = scalar.to_array()
        && let Ok(keys) = keys(&array)
        && let Ok(scalar) = ScalarValue::try_from_array(&keys, 0)
    {
        return Expr::Literal(scalar, metadata.clone());
    }
    if let Expr::ScalarFunction(call) = &value
        && call.func.name() == KEY
    {
        return value;
    }
    Kernel::call(
        KEY,
        "",
        arrow.clone(),
        Volatility::Immutable,
        vec![value],
        |args| match &args.values[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(keys(array)?)),
            scalar @ ColumnarValue::Scalar(_) => {
                Ok(finish(keys(&scalar.to_array(1)?)?, &args.values))
            }
        },
    )
}

/// The keys of the two sides of a comparison. A float beside a number that is not zero needs none.
pub(crate) fn keys_of_pair(left: Expr, right: Expr, arrow: &ArrowType) -> (Expr, Expr) {
    let plain = |e: &Expr| match e {
        Expr::Literal(ScalarValue::Float64(v), _) => v.is_none_or(|v| v != 0.0 && !v.is_nan()),
        Expr::Literal(ScalarValue::Float32(v), _) => v.is_none_or(|v| v != 0.0 && !v.is_nan()),
        _ => false,
    };
    if plain(&left) || plain(&right) {
        return (left, right);
    }
    (key(left, arrow), key(right, arrow))
}

/// The keys of an array's values.
pub(crate) fn keys(array: &ArrayRef) -> Result<ArrayRef, QueryError> {
    Ok(match array.data_type() {
        ArrowType::Float32 => {
            let keys: PrimitiveArray<Float32Type> = array
                .as_primitive::<Float32Type>()
                .unary(|v| if v.is_nan() { f32::NAN } else { v + 0.0 });
            Arc::new(keys)
        }
        ArrowType::Float64 => {
            let keys: PrimitiveArray<Float64Type> = array
                .as_primitive::<Float64Type>()
                .unary(|v| if v.is_nan() { f64::NAN } else { v + 0.0 });
            Arc::new(keys)
        }
        ArrowType::Interval(_) => {
            let keys: PrimitiveArray<IntervalMonthDayNanoType> = array
                .as_primitive::<IntervalMonthDayNanoType>()
                .unary(justified);
            Arc::new(keys)
        }
        ArrowType::List(item) if has_key(item.data_type()) => {
            let lists = array.as_list::<i32>();
            Arc::new(ListArray::try_new(
                item.clone(),
                lists.offsets().clone(),
                keys(lists.values())?,
                lists.nulls().cloned(),
            )?)
        }
        ArrowType::Struct(fields) if has_key(array.data_type()) => {
            let rows = array.as_struct();
            let columns = rows.columns().iter().map(keys).collect::<Result<_, _>>()?;
            Arc::new(StructArray::try_new(
                fields.clone(),
                columns,
                rows.nulls().cloned(),
            )?)
        }
        ArrowType::Map(entries, sorted) if has_key(array.data_type()) => {
            let maps = array.as_map();
            let inner = keys(&(Arc::new(maps.entries().clone()) as ArrayRef))?;
            Arc::new(MapArray::try_new(
                entries.clone(),
                maps.offsets().clone(),
                inner.as_struct().clone(),
                maps.nulls().cloned(),
                *sorted,
            )?)
        }
        other if *other == NUMERIC => {
            let keys: PrimitiveArray<Decimal256Type> = array
                .as_primitive::<Decimal256Type>()
                .unary::<_, Decimal256Type>(key_of)
                .with_data_type(NUMERIC);
            Arc::new(keys)
        }
        _ => array.clone(),
    })
}

/// The interval of the same length with days below 30 and time below a day.
fn justified(value: IntervalMonthDayNano) -> IntervalMonthDayNano {
    const DAY: i128 = 86_400_000_000_000;
    let days = i128::from(value.months) * 30 + i128::from(value.days);
    let total = days * DAY + i128::from(value.nanoseconds);
    let (days, nanos) = (total / DAY, total % DAY);
    match (
        i32::try_from(days / 30),
        i32::try_from(days % 30),
        i64::try_from(nanos),
    ) {
        (Ok(months), Ok(days), Ok(nanos)) => IntervalMonthDayNano::new(months, days, nanos),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, IntervalMonthDayNanoArray};

    #[test]
    fn equal_values_have_one_key() {
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0]));
        let keyed = keys(&zeros).unwrap();
        let keyed = keyed.as_primitive::<Float64Type>();
        assert_eq!(keyed.value(0).to_bits(), keyed.value(1).to_bits());
        let spans: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![
            IntervalMonthDayNano::new(1, 0, 0),
            IntervalMonthDayNano::new(0, 30, 0),
            IntervalMonthDayNano::new(0, 29, 86_400_000_000_000),
            IntervalMonthDayNano::new(0, -31, 0),
        ]));
        let keyed = keys(&spans).unwrap();
        let keyed = keyed.as_primitive::<IntervalMonthDayNanoType>();
        assert_eq!(keyed.value(0), keyed.value(1));
        assert_eq!(keyed.value(0), keyed.value(2));
        assert_eq!(keyed.value(3), IntervalMonthDayNano::new(-1, -1, 0));
        assert!(keyed.value(3) < keyed.value(0));
    }
}
