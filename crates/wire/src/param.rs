//! Values of a prepared statement's parameters.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray, StringArray,
    StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Field, Fields, IntervalMonthDayNano};
use arrow::error::ArrowError;
use rwt_sql::DataType;

use crate::encode::numeric_text;
use crate::types::arrow_type;

/// A parameter's value. Its variant follows the [`DataType`] that the prepared statement asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// NULL of any type.
    Null,
    /// `boolean`
    Boolean(bool),
    /// `smallint`
    SmallInt(i16),
    /// `integer`
    Integer(i32),
    /// `bigint` and `serial`
    BigInt(i64),
    /// `real`
    Real(f32),
    /// `double precision`
    Double(f64),
    /// `numeric`: `unscaled * 10^-scale`, with at most 38 digits.
    Numeric {
        /// All digits as one integer.
        unscaled: i128,
        /// How many of them stand behind the point.
        scale: u8,
    },
    /// `numeric` that is no number.
    NonFinite(NonFinite),
    /// `character varying`
    Varchar(String),
    /// `bytea`
    Bytea(Vec<u8>),
    /// `date`: days since 1970-01-01.
    Date(i32),
    /// `time`: microseconds since midnight.
    Time(i64),
    /// `timestamp`: microseconds since 1970-01-01 00:00:00.
    Timestamp(i64),
    /// `timestamptz`: microseconds since 1970-01-01 00:00:00 UTC.
    Timestamptz(i64),
    /// `interval`, its three parts kept apart.
    Interval {
        /// Whole months.
        months: i32,
        /// Whole days.
        days: i32,
        /// Microseconds.
        micros: i64,
    },
    /// `jsonb`, as JSON text.
    Jsonb(String),
    /// `rw_int256`, as decimal digits with an optional minus sign.
    Int256(String),
    /// `T[]`
    List {
        /// The type of the items.
        item: DataType,
        /// The items; an item that is a list makes a nested array.
        values: Vec<Param>,
    },
    /// `struct<…>`: one value per field.
    Struct(Vec<Param>),
}

/// Numerics that are no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonFinite {
    /// Not a number.
    NaN,
    /// Above all numbers.
    Infinity,
    /// Below all numbers.
    NegativeInfinity,
}

impl NonFinite {
    /// The text that RisingWave prints.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NaN => "NaN",
            Self::Infinity => "Infinity",
            Self::NegativeInfinity => "-Infinity",
        }
    }
}

impl Param {
    /// The value as an Arrow array of one row, in the form that `rwt-wire` also reads for `data_type`; a numeric keeps
    /// its own scale. The error is a variant that does not belong to the type, or an interval of more microseconds than
    /// Arrow's nanoseconds hold.
    pub fn to_array(&self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        column(&[self], data_type)
    }
}

/// Collects the variant of a column's values; NULL is `None` and any other variant an error.
macro_rules! collect {
    ($values:expr, $data_type:expr, $variant:pat => $value:expr) => {
        $values
            .iter()
            .map(|value| match value {
                Param::Null => Ok(None),
                $variant => Ok(Some($value)),
                other => Err(mismatch(other, $data_type)),
            })
            .collect::<Result<Vec<_>, ArrowError>>()?
    };
}

fn mismatch(param: &Param, data_type: &DataType) -> ArrowError {
    ArrowError::InvalidArgumentError(format!("{param:?} is no value of type {data_type}"))
}

/// A column of numerics: decimals of one scale, or texts where one of them is no number.
fn numerics(values: &[&Param], data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if values
        .iter()
        .any(|value| matches!(value, Param::NonFinite(_)))
    {
        let texts = values
            .iter()
            .map(|value| match value {
                Param::Null => Ok(None),
                Param::NonFinite(value) => Ok(Some(value.text().to_owned())),
                Param::Numeric { unscaled, scale } => {
                    Ok(Some(numeric_text(*unscaled, u32::from(*scale))))
                }
                other => Err(mismatch(other, data_type)),
            })
            .collect::<Result<StringArray, ArrowError>>()?;
        return Ok(Arc::new(texts));
    }
    let numbers =
        collect!(values, data_type, Param::Numeric { unscaled, scale } => (*unscaled, *scale));
    let scale = numbers
        .iter()
        .flatten()
        .map(|(_, scale)| *scale)
        .max()
        .unwrap_or(0);
    let unscaled = numbers
        .into_iter()
        .map(|number| {
            let Some((unscaled, own)) = number else {
                return Ok(None);
            };
            let scaled = 10_i128
                .checked_pow(u32::from(scale - own))
                .and_then(|power| unscaled.checked_mul(power));
            scaled
                .map(Some)
                .ok_or_else(|| ArrowError::ComputeError("Numeric out of range".into()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let scale =
        i8::try_from(scale).map_err(|_| ArrowError::ComputeError("Numeric out of range".into()))?;
    Ok(Arc::new(
        Decimal128Array::from(unscaled).with_precision_and_scale(38, scale)?,
    ))
}

/// A column of values, so that the items of lists and the fields of structs are columns again.
fn column(values: &[&Param], data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    Ok(match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from(
            collect!(values, data_type, Param::Boolean(v) => *v),
        )),
        DataType::SmallInt => Arc::new(Int16Array::from(
            collect!(values, data_type, Param::SmallInt(v) => *v),
        )),
        DataType::Integer => Arc::new(Int32Array::from(
            collect!(values, data_type, Param::Integer(v) => *v),
        )),
        DataType::BigInt | DataType::Serial => Arc::new(Int64Array::from(
            collect!(values, data_type, Param::BigInt(v) => *v),
        )),
        DataType::Real => Arc::new(Float32Array::from(
            collect!(values, data_type, Param::Real(v) => *v),
        )),
        DataType::Double => Arc::new(Float64Array::from(
            collect!(values, data_type, Param::Double(v) => *v),
        )),
        DataType::Numeric => numerics(values, data_type)?,
        DataType::Varchar => Arc::new(StringArray::from(
            collect!(values, data_type, Param::Varchar(v) => v.as_str()),
        )),
        DataType::Jsonb => Arc::new(StringArray::from(
            collect!(values, data_type, Param::Jsonb(v) => v.as_str()),
        )),
        DataType::Int256 => Arc::new(StringArray::from(
            collect!(values, data_type, Param::Int256(v) => v.as_str()),
        )),
        DataType::Bytea => Arc::new(BinaryArray::from(
            collect!(values, data_type, Param::Bytea(v) => v.as_slice()),
        )),
        DataType::Date => Arc::new(Date32Array::from(
            collect!(values, data_type, Param::Date(v) => *v),
        )),
        DataType::Time => Arc::new(Time64MicrosecondArray::from(
            collect!(values, data_type, Param::Time(v) => *v),
        )),
        DataType::Timestamp => Arc::new(TimestampMicrosecondArray::from(
            collect!(values, data_type, Param::Timestamp(v) => *v),
        )),
        DataType::Timestamptz => Arc::new(
            TimestampMicrosecondArray::from(
                collect!(values, data_type, Param::Timestamptz(v) => *v),
            )
            .with_timezone("UTC"),
        ),
        DataType::Interval => {
            let parts = collect!(values, data_type, Param::Interval { months, days, micros } => (*months, *days, *micros));
            let intervals = parts
                .into_iter()
                .map(|part| {
                    let Some((months, days, micros)) = part else {
                        return Ok(None);
                    };
                    let nanos = micros
                        .checked_mul(1000)
                        .ok_or_else(|| ArrowError::ComputeError("Numeric out of range".into()))?;
                    Ok(Some(IntervalMonthDayNano::new(months, days, nanos)))
                })
                .collect::<Result<Vec<_>, ArrowError>>()?;
            Arc::new(IntervalMonthDayNanoArray::from(intervals))
        }
        DataType::List(item) => {
            let lists = collect!(values, data_type, Param::List { values, .. } => values);
            let lengths = lists.iter().map(|list| list.map_or(0, Vec::len));
            let offsets = OffsetBuffer::from_lengths(lengths);
            let nulls: NullBuffer = lists.iter().map(Option::is_some).collect();
            let items: Vec<&Param> = lists.into_iter().flatten().flatten().collect();
            let items = column(&items, item)?;
            let field = Arc::new(Field::new("item", items.data_type().clone(), true));
            Arc::new(ListArray::try_new(field, offsets, items, Some(nulls))?)
        }
        DataType::Struct(fields) => {
            let structs = collect!(values, data_type, Param::Struct(values) => values);
            let nulls: NullBuffer = structs.iter().map(Option::is_some).collect();
            let mut children = Vec::with_capacity(fields.len());
            for (i, (_, field)) in fields.iter().enumerate() {
                let values: Vec<&Param> = structs
                    .iter()
                    .map(|values| {
                        values
                            .and_then(|values| values.get(i))
                            .unwrap_or(&Param::Null)
                    })
                    .collect();
                children.push(column(&values, field)?);
            }
            let fields: Fields = fields
                .iter()
                .zip(&children)
                .map(|((name, _), child)| Field::new(name, child.data_type().clone(), true))
                .collect();
            let length = structs.len();
            Arc::new(StructArray::try_new_with_length(
                fields,
                children,
                Some(nulls),
                length,
            )?)
        }
        DataType::Map(..) => {
            if let Some(value) = values.iter().find(|value| ***value != Param::Null) {
                return Err(mismatch(value, data_type));
            }
            arrow::array::new_null_array(&arrow_type(data_type), values.len())
        }
    })
}
