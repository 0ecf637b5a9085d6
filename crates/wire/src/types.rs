//! RisingWave's types on the wire: OIDs and lengths (`golden/wire.md` section 4), and the Arrow types that the encoders
//! read.

use std::sync::Arc;

use arrow::datatypes::{DataType as Arrow, Field, Fields, IntervalUnit, TimeUnit};
use rwt_sql::DataType;

/// The number of a type in PostgreSQL's wire protocol.
pub fn oid(data_type: &DataType) -> u32 {
    match data_type {
        DataType::Boolean => 16,
        DataType::Bytea => 17,
        DataType::BigInt | DataType::Serial => 20,
        DataType::SmallInt => 21,
        DataType::Integer => 23,
        DataType::Real => 700,
        DataType::Double => 701,
        DataType::Varchar => 1043,
        DataType::Date => 1082,
        DataType::Time => 1083,
        DataType::Timestamp => 1114,
        DataType::Timestamptz => 1184,
        DataType::Interval => 1186,
        DataType::Int256 => 1301,
        DataType::Map(..) => 1303,
        DataType::Numeric => 1700,
        DataType::Struct(_) => 2249,
        DataType::Jsonb => 3802,
        DataType::List(item) => list_oid(item),
    }
}

/// The OID of `item[]`; the items of a list of lists count, as in PostgreSQL.
fn list_oid(item: &DataType) -> u32 {
    match item {
        DataType::Boolean => 1000,
        DataType::Bytea => 1001,
        DataType::SmallInt => 1005,
        DataType::Integer => 1007,
        DataType::Varchar => 1015,
        DataType::BigInt | DataType::Serial => 1016,
        DataType::Real => 1021,
        DataType::Double => 1022,
        DataType::Timestamp => 1115,
        DataType::Date => 1182,
        DataType::Time => 1183,
        DataType::Timestamptz => 1185,
        DataType::Interval => 1187,
        DataType::Numeric => 1231,
        DataType::Int256 => 1302,
        DataType::Map(..) => 1304,
        DataType::Struct(_) => 2287,
        DataType::Jsonb => 3807,
        DataType::List(inner) => list_oid(inner),
    }
}

/// The type that a client declares by an OID; `None` for one that RisingWave refuses.
pub(crate) fn from_oid(oid: u32) -> Option<DataType> {
    let scalar = match oid {
        16 => DataType::Boolean,
        17 => DataType::Bytea,
        20 => DataType::BigInt,
        21 => DataType::SmallInt,
        23 => DataType::Integer,
        25 | 1043 => DataType::Varchar,
        700 => DataType::Real,
        701 => DataType::Double,
        1082 => DataType::Date,
        1083 => DataType::Time,
        1114 => DataType::Timestamp,
        1184 => DataType::Timestamptz,
        1186 => DataType::Interval,
        1301 => DataType::Int256,
        1700 => DataType::Numeric,
        3802 => DataType::Jsonb,
        _ => {
            let item = match oid {
                1000 => DataType::Boolean,
                1001 => DataType::Bytea,
                1005 => DataType::SmallInt,
                1007 => DataType::Integer,
                1009 | 1015 => DataType::Varchar,
                1016 => DataType::BigInt,
                1021 => DataType::Real,
                1022 => DataType::Double,
                1115 => DataType::Timestamp,
                1182 => DataType::Date,
                1183 => DataType::Time,
                1185 => DataType::Timestamptz,
                1187 => DataType::Interval,
                1231 => DataType::Numeric,
                1302 => DataType::Int256,
                3807 => DataType::Jsonb,
                _ => return None,
            };
            DataType::List(Box::new(item))
        }
    };
    Some(scalar)
}

/// The length in RowDescription: bytes, or -1 for a type without a fixed one.
pub(crate) fn length(data_type: &DataType) -> i16 {
    match data_type {
        DataType::Boolean => 1,
        DataType::SmallInt => 2,
        DataType::Integer | DataType::Real | DataType::Date => 4,
        DataType::BigInt
        | DataType::Serial
        | DataType::Double
        | DataType::Time
        | DataType::Timestamp
        | DataType::Timestamptz => 8,
        DataType::Interval => 16,
        _ => -1,
    }
}

/// The Arrow type that the encoders read for a type. Numeric may have any other scale, or be `Utf8` with decimal text
/// where NaN, infinities or an exact scale have to survive; the time zone of a timestamptz does not matter.
pub(crate) fn arrow_type(data_type: &DataType) -> Arrow {
    match data_type {
        DataType::Boolean => Arrow::Boolean,
        DataType::SmallInt => Arrow::Int16,
        DataType::Integer => Arrow::Int32,
        DataType::BigInt | DataType::Serial => Arrow::Int64,
        DataType::Real => Arrow::Float32,
        DataType::Double => Arrow::Float64,
        DataType::Numeric => Arrow::Decimal128(38, 10),
        DataType::Varchar | DataType::Jsonb | DataType::Int256 => Arrow::Utf8,
        DataType::Bytea => Arrow::Binary,
        DataType::Date => Arrow::Date32,
        DataType::Time => Arrow::Time64(TimeUnit::Microsecond),
        DataType::Timestamp => Arrow::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamptz => Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Interval => Arrow::Interval(IntervalUnit::MonthDayNano),
        DataType::List(item) => Arrow::List(Arc::new(Field::new("item", arrow_type(item), true))),
        DataType::Struct(fields) => Arrow::Struct(
            fields
                .iter()
                .map(|(name, field)| Field::new(name, arrow_type(field), true))
                .collect(),
        ),
        DataType::Map(key, value) => {
            let entries = Fields::from(vec![
                Field::new("key", arrow_type(key), false),
                Field::new("value", arrow_type(value), true),
            ]);
            Arrow::Map(
                Arc::new(Field::new("entries", Arrow::Struct(entries), false)),
                false,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declarable_type_keeps_its_oid() {
        for number in 0..5000 {
            if let Some(data_type) = from_oid(number) {
                let expected = match number {
                    25 => 1043,
                    1009 => 1015,
                    other => other,
                };
                assert_eq!(oid(&data_type), expected, "{data_type}");
            }
        }
    }

    #[test]
    fn types_that_risingwave_refuses_are_refused() {
        for number in [114, 705, 1042, 2950] {
            assert_eq!(from_oid(number), None);
        }
    }
}
