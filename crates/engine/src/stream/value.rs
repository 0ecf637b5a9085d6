//! JSON values as column values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal256Builder,
    Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder, ListArray,
    StringBuilder, StructArray, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as ArrowType, Field, i256};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use rwt_sql::DataType;

use super::json::Json;

/// Collects the values of one column.
#[derive(Debug)]
pub enum ColumnBuilder {
    /// `boolean`
    Boolean(BooleanBuilder),
    /// `smallint`
    SmallInt(Int16Builder),
    /// `integer`
    Integer(Int32Builder),
    /// `bigint`
    BigInt(Int64Builder),
    /// `real`
    Real(Float32Builder),
    /// `double precision`
    Double(Float64Builder),
    /// `numeric`
    Numeric(Decimal256Builder),
    /// `character varying`
    Varchar(StringBuilder),
    /// `jsonb`
    Jsonb(StringBuilder),
    /// `bytea`
    Bytea(BinaryBuilder),
    /// `date`
    Date(Date32Builder),
    /// `time`
    Time(Time64MicrosecondBuilder),
    /// `timestamp`
    Timestamp(TimestampMicrosecondBuilder),
    /// `timestamptz`
    Timestamptz(TimestampMicrosecondBuilder),
    /// `T[]` and `struct<…>`: built when the batch ends.
    Nested(DataType, Vec<Json<'static>>),
}

impl ColumnBuilder {
    /// A builder for a type, or `None` for a type that JSON messages cannot fill here.
    pub fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::SmallInt => Self::SmallInt(Int16Builder::new()),
            DataType::Integer => Self::Integer(Int32Builder::new()),
            DataType::BigInt => Self::BigInt(Int64Builder::new()),
            DataType::Real => Self::Real(Float32Builder::new()),
            DataType::Double => Self::Double(Float64Builder::new()),
            DataType::Numeric => Self::Numeric(
                Decimal256Builder::new().with_data_type(rwt_query::arrow_type(&DataType::Numeric)),
            ),
            DataType::Varchar => Self::Varchar(StringBuilder::new()),
            DataType::Jsonb => Self::Jsonb(StringBuilder::new()),
            DataType::Bytea => Self::Bytea(BinaryBuilder::new()),
            DataType::Date => Self::Date(Date32Builder::new()),
            DataType::Time => Self::Time(Time64MicrosecondBuilder::new()),
            DataType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
            DataType::Timestamptz => {
                Self::Timestamptz(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            DataType::List(item) => {
                Self::new(item)?;
                Self::Nested(data_type.clone(), Vec::new())
            }
            DataType::Struct(fields) => {
                for (_, field) in fields {
                    Self::new(field)?;
                }
                Self::Nested(data_type.clone(), Vec::new())
            }
            _ => return None,
        })
    }

    /// Adds NULL.
    pub fn push_null(&mut self) {
        match self {
            Self::Boolean(b) => b.append_null(),
            Self::SmallInt(b) => b.append_null(),
            Self::Integer(b) => b.append_null(),
            Self::BigInt(b) => b.append_null(),
            Self::Real(b) => b.append_null(),
            Self::Double(b) => b.append_null(),
            Self::Numeric(b) => b.append_null(),
            Self::Varchar(b) | Self::Jsonb(b) => b.append_null(),
            Self::Bytea(b) => b.append_null(),
            Self::Date(b) => b.append_null(),
            Self::Time(b) => b.append_null(),
            Self::Timestamp(b) | Self::Timestamptz(b) => b.append_null(),
            Self::Nested(_, values) => values.push(Json::Null),
        }
    }

    /// Adds text to a text column; NULL to any other.
    pub fn push_text(&mut self, text: Option<&str>) {
        match (self, text) {
            (Self::Varchar(b) | Self::Jsonb(b), Some(text)) => b.append_value(text),
            (column, _) => column.push_null(),
        }
    }

    /// Adds bytes to a bytea or text column.
    pub fn push_bytes(&mut self, bytes: Option<&[u8]>) {
        match (self, bytes) {
            (Self::Bytea(b), Some(bytes)) => b.append_value(bytes),
            (column, Some(bytes)) => column.push_text(std::str::from_utf8(bytes).ok()),
            (column, None) => column.push_null(),
        }
    }

    /// Adds an instant in microseconds.
    pub fn push_micros(&mut self, micros: Option<i64>) {
        match self {
            Self::Timestamp(b) | Self::Timestamptz(b) => b.append_option(micros),
            column => column.push_null(),
        }
    }

    /// Adds a JSON value, NULL if it does not fit. False if a value was lost.
    pub fn push(&mut self, value: &Json<'_>) -> bool {
        if matches!(value, Json::Null) {
            // `null` in a jsonb column is SQL's NULL as well
            self.push_null();
            return true;
        }
        let fits = match self {
            Self::Boolean(b) => as_bool(value).map(|v| b.append_value(v)),
            Self::SmallInt(b) => as_int(value)
                .and_then(|v| v.try_into().ok())
                .map(|v| b.append_value(v)),
            Self::Integer(b) => as_int(value)
                .and_then(|v| v.try_into().ok())
                .map(|v| b.append_value(v)),
            Self::BigInt(b) => as_int(value).map(|v| b.append_value(v)),
            #[allow(clippy::cast_possible_truncation)]
            Self::Real(b) => as_double(value)
                .map(|v| v as f32)
                .filter(|v| v.is_finite())
                .map(|v| b.append_value(v)),
            Self::Double(b) => as_double(value).map(|v| b.append_value(v)),
            Self::Numeric(b) => as_numeric(value).map(|v| b.append_value(v)),
            Self::Varchar(b) => match value {
                Json::Text(text) => {
                    b.append_value(text);
                    Some(())
                }
                other => other.scalar_text().map(|v| b.append_value(v)),
            },
            Self::Jsonb(b) => {
                b.append_value(value.jsonb_text());
                Some(())
            }
            Self::Bytea(b) => match value {
                Json::Text(text) => {
                    b.append_value(text.as_bytes());
                    Some(())
                }
                Json::Bytes(bytes) => {
                    b.append_value(bytes);
                    Some(())
                }
                _ => None,
            },
            Self::Date(b) => as_date(value).map(|v| b.append_value(v)),
            Self::Time(b) => as_time(value).map(|v| b.append_value(v)),
            Self::Timestamp(b) => as_timestamp(value).map(|v| b.append_value(v)),
            Self::Timestamptz(b) => as_timestamptz(value).map(|v| b.append_value(v)),
            Self::Nested(data_type, values) => {
                let fits = matches!(
                    (&*data_type, value),
                    (DataType::List(_), Json::List(_)) | (DataType::Struct(_), Json::Object(_))
                );
                fits.then(|| values.push(value.clone().into_owned()))
            }
        };
        if fits.is_none() {
            self.push_null();
        }
        fits.is_some()
    }

    /// The values so far; the builder begins anew.
    pub fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Boolean(b) => Arc::new(b.finish()),
            Self::SmallInt(b) => Arc::new(b.finish()),
            Self::Integer(b) => Arc::new(b.finish()),
            Self::BigInt(b) => Arc::new(b.finish()),
            Self::Real(b) => Arc::new(b.finish()),
            Self::Double(b) => Arc::new(b.finish()),
            Self::Numeric(b) => Arc::new(b.finish()),
            Self::Varchar(b) | Self::Jsonb(b) => Arc::new(b.finish()),
            Self::Bytea(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
            Self::Timestamp(b) | Self::Timestamptz(b) => Arc::new(b.finish()),
            Self::Nested(data_type, values) => nested(data_type, &std::mem::take(values))?,
        })
    }
}

fn nested(data_type: &DataType, values: &[Json<'_>]) -> Result<ArrayRef, ArrowError> {
    let arrow = rwt_query::arrow_type(data_type);
    match (data_type, &arrow) {
        (DataType::List(item), ArrowType::List(field)) => {
            let mut items = Vec::new();
            let mut lengths = Vec::with_capacity(values.len());
            for value in values {
                let before = items.len();
                if let Json::List(list) = value {
                    items.extend(list.iter().cloned());
                }
                lengths.push(items.len() - before);
            }
            let inner = column(item, &items)?;
            let nulls = NullBuffer::from_iter(values.iter().map(|v| matches!(v, Json::List(_))));
            let offsets = OffsetBuffer::from_lengths(lengths);
            Ok(Arc::new(ListArray::try_new(
                field.clone(),
                offsets,
                inner,
                Some(nulls),
            )?))
        }
        (DataType::Struct(fields), ArrowType::Struct(arrow_fields)) => {
            let columns = fields
                .iter()
                .map(|(name, field)| {
                    let inner: Vec<Json<'_>> = values
                        .iter()
                        .map(|v| v.field(name).cloned().unwrap_or(Json::Null))
                        .collect();
                    column(field, &inner)
                })
                .collect::<Result<Vec<_>, _>>()?;
            let nulls = NullBuffer::from_iter(values.iter().map(|v| matches!(v, Json::Object(_))));
            Ok(Arc::new(StructArray::try_new(
                arrow_fields.clone(),
                columns,
                Some(nulls),
            )?))
        }
        _ => Ok(new_null_array(&arrow, values.len())),
    }
}

fn column(data_type: &DataType, values: &[Json<'_>]) -> Result<ArrayRef, ArrowError> {
    match ColumnBuilder::new(data_type) {
        Some(mut builder) => {
            for value in values {
                builder.push(value);
            }
            let array = builder.finish()?;
            let wanted = rwt_query::arrow_type(data_type);
            debug_assert_eq!(
                Field::new("", array.data_type().clone(), true).data_type(),
                &wanted
            );
            Ok(array)
        }
        None => Ok(new_null_array(
            &rwt_query::arrow_type(data_type),
            values.len(),
        )),
    }
}

fn as_bool(value: &Json<'_>) -> Option<bool> {
    match value {
        Json::Bool(value) => Some(*value),
        _ => None,
    }
}

fn as_int(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Int(value) => Some(*value),
        Json::Text(text) => text.parse().ok(),
        _ => None,
    }
}

#[allow(clippy::cast_precision_loss)]
fn as_double(value: &Json<'_>) -> Option<f64> {
    match value {
        Json::Int(value) => Some(*value as f64),
        Json::BigInt(value) => Some(*value as f64),
        Json::Float(value) => Some(*value),
        Json::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// The code of a numeric, as stored columns have it.
fn as_numeric(value: &Json<'_>) -> Option<i256> {
    match value {
        Json::Bool(_) => None,
        Json::Float(value) => rwt_query::numeric_code_of(*value),
        other => rwt_query::numeric_code(&other.scalar_text()?),
    }
}

const DATE: &str = "%Y-%m-%d";

fn as_date(value: &Json<'_>) -> Option<i32> {
    match value {
        Json::Int(days) => i32::try_from(*days).ok(),
        Json::Text(text) => {
            let date = NaiveDate::parse_from_str(text, DATE)
                .ok()
                .or_else(|| naive(text).map(|t| t.date()))?;
            i32::try_from((date - NaiveDate::default()).num_days()).ok()
        }
        _ => None,
    }
}

fn as_time(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Int(micros) => (0..86_400_000_000).contains(micros).then_some(*micros),
        Json::Text(text) => {
            let time = NaiveTime::parse_from_str(text, "%H:%M:%S%.f").ok()?;
            Some(
                i64::from(time.num_seconds_from_midnight()) * 1_000_000
                    + i64::from(time.nanosecond()) / 1000,
            )
        }
        _ => None,
    }
}

/// A date and time without a zone: blank or `T` between them, any fraction, or the date alone.
fn naive(text: &str) -> Option<NaiveDateTime> {
    usual(text).or_else(|| unusual(text))
}

/// `2026-02-14 12:00:00.123`, with a blank or `T`: read without a format, for sources read millions of them.
fn usual(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let (head, fraction) = bytes.split_at_checked(19)?;
    let number = |from: usize, to: usize| {
        head[from..to].iter().try_fold(0_u32, |number, byte| {
            let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
            Some(number * 10 + digit)
        })
    };
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if !matches!(head[10], b' ' | b'T') || marks.iter().any(|(at, mark)| head[*at] != *mark) {
        return None;
    }
    let nanos = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            let all = digits.iter().all(u8::is_ascii_digit);
            let number = digits.iter().fold(0_u32, |n, d| {
                n.wrapping_mul(10)
                    .wrapping_add(u32::from(d.wrapping_sub(b'0')))
            });
            all.then(|| number * 10_u32.pow(9 - digits.len() as u32))?
        }
        _ => return None,
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?.and_hms_nano_opt(
        number(11, 13)?,
        number(14, 16)?,
        number(17, 19)?,
        nanos,
    )
}

fn unusual(text: &str) -> Option<NaiveDateTime> {
    [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    .or_else(|| {
        NaiveDate::parse_from_str(text, DATE)
            .ok()?
            .and_hms_opt(0, 0, 0)
    })
}

/// Seconds, milliseconds or microseconds, told by their size.
fn instant(number: i64) -> Option<i64> {
    const E11: u64 = 100_000_000_000;
    match number.unsigned_abs() {
        n if n < E11 => number.checked_mul(1_000_000),
        n if n < E11 * 1000 => number.checked_mul(1000),
        n if n < E11 * 1_000_000 => Some(number),
        _ => Some(number / 1000),
    }
}

fn as_timestamp(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Int(number) => instant(*number),
        Json::Micros(micros) => Some(*micros),
        Json::Text(text) => {
            let time = naive(text).or_else(|| {
                // RisingWave drops a numeric offset and refuses `Z`
                let at = text.rfind(['+', '-']).filter(|at| *at > 10)?;
                naive(&text[..at])
            })?;
            Some(time.and_utc().timestamp_micros())
        }
        _ => None,
    }
}

fn as_timestamptz(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Int(number) => instant(*number),
        Json::Micros(micros) => Some(*micros),
        Json::Text(text) => DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
            .map(|t| t.timestamp_micros())
            .ok()
            .or_else(|| naive(text).map(|t| t.and_utc().timestamp_micros())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_times_are_read_as_the_formats_read_them() {
        for text in [
            "2026-02-14 12:00:00",
            "2026-02-14T12:00:00",
            "2026-02-14 12:00:00.5",
            "2026-02-14 23:59:59.123456789",
            "0001-01-01 00:00:00.000001",
            "9999-12-31 23:59:59.999999999",
        ] {
            assert_eq!(usual(text), unusual(text), "{text}");
            assert!(usual(text).is_some(), "{text}");
        }
        for text in [
            "2026-02-30 12:00:00",
            "2026-02-14 24:00:00",
            "2026-02-14 12:00:60",
            "2026-02-14 12:00:00.",
            "2026-02-14 12:00:00.1x",
            "2026-02-14 12:00:00Z",
            "2026-02-14_12:00:00",
            "+026-02-14 12:00:00",
            "2026-02-14 12:00:0é",
            "2026-02-14",
        ] {
            assert_eq!(usual(text), None, "{text}");
        }
    }
}
