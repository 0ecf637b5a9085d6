//! One value at a time: reading a row of an Arrow array, building an array from values. Functions whose speed is not
//! bound by the row loop are written over these.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal256Builder,
    Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
    IntervalMonthDayNanoBuilder, ListArray, MapArray, StringBuilder, StructArray,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder, new_empty_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType, UInt64Type, i256,
};

use crate::error::QueryError;
use rust_decimal::Decimal;

use crate::numeric::{NUMERIC, Numeric};

/// A RisingWave interval. Months, days and microseconds are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interval {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) micros: i64,
}

impl Interval {
    /// Microseconds with months of 30 and days of 24 hours: the value that comparisons and windows use.
    pub(crate) fn total_micros(self) -> i64 {
        let days = i64::from(self.months) * 30 + i64::from(self.days);
        days.saturating_mul(86_400_000_000)
            .saturating_add(self.micros)
    }

    pub(crate) fn to_arrow(self) -> IntervalMonthDayNano {
        IntervalMonthDayNano::new(self.months, self.days, self.micros.saturating_mul(1000))
    }
}

/// A value of any RisingWave type. Which type it is, the array or the caller knows: `Text` is varchar and jsonb,
/// `Timestamp` both kinds of timestamps (microseconds since 1970).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(Numeric),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Date(i32),
    Time(i64),
    Timestamp(i64),
    Interval(Interval),
    List(Vec<Value<'a>>),
    Struct(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
}

impl<'a> Value<'a> {
    pub(crate) fn text(value: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(value.into())
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    pub(crate) fn int(&self) -> i64 {
        match self {
            Self::Int(value) | Self::Timestamp(value) | Self::Time(value) => *value,
            Self::Date(value) => i64::from(*value),
            _ => 0,
        }
    }

    pub(crate) fn float(&self) -> f64 {
        match self {
            Self::Float(value) => *value,
            Self::Int(value) => *value as f64,
            _ => 0.0,
        }
    }

    pub(crate) fn bool(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    pub(crate) fn decimal(&self) -> Numeric {
        match self {
            Self::Decimal(value) => *value,
            Self::Int(value) => Numeric::from(*value),
            _ => Numeric::ZERO,
        }
    }

    pub(crate) fn interval(&self) -> Interval {
        match self {
            Self::Interval(value) => *value,
            _ => Interval::default(),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(value) => value,
            _ => &[],
        }
    }

    pub(crate) fn list(&self) -> &[Value<'a>] {
        match self {
            Self::List(items) | Self::Struct(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(v) => Value::Bool(v),
            Self::Int(v) => Value::Int(v),
            Self::Float(v) => Value::Float(v),
            Self::Decimal(v) => Value::Decimal(v),
            Self::Text(v) => Value::Text(Cow::Owned(v.into_owned())),
            Self::Bytes(v) => Value::Bytes(Cow::Owned(v.into_owned())),
            Self::Date(v) => Value::Date(v),
            Self::Time(v) => Value::Time(v),
            Self::Timestamp(v) => Value::Timestamp(v),
            Self::Interval(v) => Value::Interval(v),
            Self::List(items) => Value::List(items.into_iter().map(Value::into_owned).collect()),
            Self::Struct(items) => {
                Value::Struct(items.into_iter().map(Value::into_owned).collect())
            }
            Self::Map(items) => Value::Map(
                items
                    .into_iter()
                    .map(|(k, v)| (k.into_owned(), v.into_owned()))
                    .collect(),
            ),
        }
    }
}

/// The value of a row.
pub(crate) fn read<'a>(array: &'a ArrayRef, row: usize) -> Result<Value<'a>, QueryError> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        ArrowType::Null => Value::Null,
        ArrowType::Boolean => Value::Bool(array.as_boolean().value(row)),
        ArrowType::Int8 => Value::Int(array.as_primitive::<Int8Type>().value(row).into()),
        ArrowType::Int16 => Value::Int(array.as_primitive::<Int16Type>().value(row).into()),
        ArrowType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row).into()),
        ArrowType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        ArrowType::UInt64 => Value::Int(array.as_primitive::<UInt64Type>().value(row) as i64),
        ArrowType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row).into()),
        ArrowType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        ArrowType::Decimal128(_, scale) => {
            let unscaled = array.as_primitive::<Decimal128Type>().value(row);
            let scale = u32::try_from(*scale).map_err(|_| QueryError::out_of_range())?;
            Value::Decimal(
                Decimal::try_from_i128_with_scale(unscaled, scale)
                    .map_err(|_| QueryError::out_of_range())?
                    .into(),
            )
        }
        numeric if *numeric == NUMERIC => Value::Decimal(Numeric::decode(
            array.as_primitive::<Decimal256Type>().value(row),
        )),
        ArrowType::Decimal256(_, 0) => {
            let value = array.as_primitive::<Decimal256Type>().value(row).to_i128();
            Value::Decimal(
                value
                    .and_then(|v| Decimal::try_from_i128_with_scale(v, 0).ok())
                    .ok_or_else(QueryError::out_of_range)?
                    .into(),
            )
        }
        ArrowType::Utf8 => Value::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
        ArrowType::LargeUtf8 => Value::Text(Cow::Borrowed(array.as_string::<i64>().value(row))),
        ArrowType::Utf8View => Value::Text(Cow::Borrowed(array.as_string_view().value(row))),
        ArrowType::Binary => Value::Bytes(Cow::Borrowed(array.as_binary::<i32>().value(row))),
        ArrowType::Date32 => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        ArrowType::Time64(_) => {
            Value::Time(array.as_primitive::<Time64MicrosecondType>().value(row))
        }
        ArrowType::Timestamp(_, _) => {
            Value::Timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        ArrowType::Interval(_) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            Value::Interval(Interval {
                months: value.months,
                days: value.days,
                micros: value.nanoseconds / 1000,
            })
        }
        ArrowType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::List(read_all(&items)?)
        }
        ArrowType::Struct(_) => {
            let fields = array.as_struct();
            Value::Struct(
                fields
                    .columns()
                    .iter()
                    .map(|column| read(column, row))
                    .collect::<Result<_, _>>()?,
            )
        }
        ArrowType::Map(_, _) => {
            let entries = array.as_map().value(row);
            let keys = read_all(entries.column(0))?;
            let values = read_all(entries.column(1))?;
            Value::Map(keys.into_iter().zip(values).collect())
        }
        other => {
            return Err(QueryError::Internal(format!(
                "values of type {other} are not read"
            )));
        }
    })
}

fn read_all(array: &ArrayRef) -> Result<Vec<Value<'static>>, QueryError> {
    (0..array.len())
        .map(|row| read(array, row).map(Value::into_owned))
        .collect()
}

/// An array of these values. Numbers are converted to the type; one that does not fit is an error.
pub(crate) fn build(values: &[Value<'_>], arrow: &ArrowType) -> Result<ArrayRef, QueryError> {
    macro_rules! collect {
        ($builder:expr, $value:ident => $convert:expr) => {{
            let mut builder = $builder;
            for $value in values {
                if $value.is_null() {
                    builder.append_null();
                } else {
                    builder.append_value($convert);
                }
            }
            Ok(Arc::new(builder.finish()))
        }};
    }
    let range = QueryError::out_of_range;
    match arrow {
        ArrowType::Boolean => collect!(BooleanBuilder::with_capacity(values.len()), v => v.bool()),
        ArrowType::Int16 => {
            collect!(Int16Builder::with_capacity(values.len()), v => i16::try_from(v.int()).map_err(|_| range())?)
        }
        ArrowType::Int32 => {
            collect!(Int32Builder::with_capacity(values.len()), v => i32::try_from(v.int()).map_err(|_| range())?)
        }
        ArrowType::Int64 => collect!(Int64Builder::with_capacity(values.len()), v => v.int()),
        ArrowType::Float32 => {
            collect!(Float32Builder::with_capacity(values.len()), v => v.float() as f32)
        }
        ArrowType::Float64 => collect!(Float64Builder::with_capacity(values.len()), v => v.float()),
        numeric if *numeric == NUMERIC => collect!(
            Decimal256Builder::with_capacity(values.len()).with_data_type(NUMERIC),
            v => v.decimal().encode()
        ),
        ArrowType::Decimal256(_, 0) => collect!(
            Decimal256Builder::with_capacity(values.len()).with_data_type(arrow.clone()),
            v => v.decimal().unscaled_at(0).map(i256::from_i128).ok_or_else(range)?
        ),
        ArrowType::Utf8 => {
            collect!(StringBuilder::with_capacity(values.len(), values.len() * 16), v => v.str())
        }
        ArrowType::Binary => {
            collect!(BinaryBuilder::with_capacity(values.len(), values.len() * 16), v => v.bytes())
        }
        ArrowType::Date32 => {
            collect!(Date32Builder::with_capacity(values.len()), v => i32::try_from(v.int()).map_err(|_| range())?)
        }
        ArrowType::Time64(_) => {
            collect!(Time64MicrosecondBuilder::with_capacity(values.len()), v => v.int())
        }
        ArrowType::Timestamp(_, _) => collect!(
            TimestampMicrosecondBuilder::with_capacity(values.len()).with_data_type(arrow.clone()),
            v => v.int()
        ),
        ArrowType::Interval(_) => {
            collect!(IntervalMonthDayNanoBuilder::with_capacity(values.len()), v => v.interval().to_arrow())
        }
        ArrowType::List(item) => {
            let items: Vec<Value<'_>> = values
                .iter()
                .flat_map(|v| v.list().iter().cloned())
                .collect();
            let child = build(&items, item.data_type())?;
            let offsets = OffsetBuffer::from_lengths(values.iter().map(|v| v.list().len()));
            Ok(Arc::new(ListArray::try_new(
                item.clone(),
                offsets,
                child,
                nulls(values),
            )?))
        }
        ArrowType::Struct(fields) => {
            let mut columns = Vec::with_capacity(fields.len());
            for (i, field) in fields.iter().enumerate() {
                let column: Vec<Value<'_>> = values
                    .iter()
                    .map(|v| v.list().get(i).cloned().unwrap_or(Value::Null))
                    .collect();
                columns.push(build(&column, field.data_type())?);
            }
            Ok(Arc::new(StructArray::try_new(
                fields.clone(),
                columns,
                nulls(values),
            )?))
        }
        ArrowType::Map(entries, sorted) => {
            let ArrowType::Struct(fields) = entries.data_type() else {
                return Err(QueryError::Internal("a map without entries".into()));
            };
            let rows = |v: &Value<'_>| match v {
                Value::Map(rows) => rows.len(),
                _ => 0,
            };
            let (mut keys, mut items) = (Vec::new(), Vec::new());
            for value in values {
                if let Value::Map(rows) = value {
                    for (key, item) in rows {
                        keys.push(key.clone());
                        items.push(item.clone());
                    }
                }
            }
            let columns = vec![
                build(&keys, fields[0].data_type())?,
                build(&items, fields[1].data_type())?,
            ];
            let child = StructArray::try_new(fields.clone(), columns, None)?;
            let offsets = OffsetBuffer::from_lengths(values.iter().map(rows));
            Ok(Arc::new(MapArray::try_new(
                entries.clone(),
                offsets,
                child,
                nulls(values),
                *sorted,
            )?))
        }
        ArrowType::Null => Ok(arrow::array::new_null_array(arrow, values.len())),
        other if values.is_empty() => Ok(new_empty_array(other)),
        other => Err(QueryError::Internal(format!(
            "values of type {other} are not built"
        ))),
    }
}

fn nulls(values: &[Value<'_>]) -> Option<NullBuffer> {
    values
        .iter()
        .any(Value::is_null)
        .then(|| NullBuffer::from_iter(values.iter().map(|v| !v.is_null())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerics_keep_their_scale() {
        for text in ["12.333333333333333333333333333", "1.50", "NaN"] {
            let value = Value::Decimal(text.parse().unwrap());
            let array = build(&[value, Value::Null], &NUMERIC).unwrap();
            assert_eq!(read(&array, 0).unwrap().decimal().to_string(), text);
            assert!(read(&array, 1).unwrap().is_null());
        }
    }

    #[test]
    fn nested_values_survive() {
        let arrow = ArrowType::List(crate::types::item_field(ArrowType::Utf8));
        let value = Value::List(vec![Value::text("a"), Value::Null]);
        let array = build(&[value.clone(), Value::Null, Value::List(vec![])], &arrow).unwrap();
        assert_eq!(read(&array, 0).unwrap(), value);
        assert!(read(&array, 1).unwrap().is_null());
        assert_eq!(read(&array, 2).unwrap(), Value::List(vec![]));
    }
}
