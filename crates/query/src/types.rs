//! RisingWave's types as Arrow types, and back. A RisingWave type travels beside the Arrow type as field metadata,
//! because `jsonb` and `varchar` look alike in Arrow.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{
    DataType as ArrowType, Field, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit,
};
use rwt_sql::DataType;

use crate::numeric::NUMERIC;
use crate::relation::Column;

/// The key of the field metadata that holds the RisingWave type's name.
pub const TYPE_METADATA: &str = "rw.type";

/// The Arrow type of values of a RisingWave type. A numeric's is a code, see [`crate::numeric`].
pub fn arrow_type(data_type: &DataType) -> ArrowType {
    match data_type {
        DataType::Boolean => ArrowType::Boolean,
        DataType::SmallInt => ArrowType::Int16,
        DataType::Integer => ArrowType::Int32,
        DataType::BigInt | DataType::Serial => ArrowType::Int64,
        DataType::Real => ArrowType::Float32,
        DataType::Double => ArrowType::Float64,
        DataType::Numeric => NUMERIC,
        DataType::Int256 => ArrowType::Decimal256(76, 0),
        DataType::Varchar | DataType::Jsonb => ArrowType::Utf8,
        DataType::Bytea => ArrowType::Binary,
        DataType::Date => ArrowType::Date32,
        DataType::Time => ArrowType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamptz => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Interval => ArrowType::Interval(IntervalUnit::MonthDayNano),
        DataType::List(item) => ArrowType::List(item_field(arrow_type(item))),
        DataType::Struct(fields) => ArrowType::Struct(struct_fields(
            fields
                .iter()
                .map(|(name, t)| (name.as_str(), arrow_type(t))),
        )),
        DataType::Map(key, value) => ArrowType::Map(
            Arc::new(Field::new(
                "entries",
                ArrowType::Struct(Fields::from(vec![
                    Field::new("key", arrow_type(key), false),
                    Field::new("value", arrow_type(value), true),
                ])),
                false,
            )),
            false,
        ),
    }
}

/// The field of a list's items.
pub(crate) fn item_field(item: ArrowType) -> Arc<Field> {
    Arc::new(Field::new("item", item, true))
}

/// The fields of a struct. Names are made unique, because a row may have several columns of one name.
pub(crate) fn struct_fields<'a>(fields: impl Iterator<Item = (&'a str, ArrowType)>) -> Fields {
    let mut seen: HashMap<String, usize> = HashMap::new();
    fields
        .map(|(name, arrow)| {
            let count = seen.entry(name.to_owned()).or_default();
            *count += 1;
            let unique = if *count > 1 {
                format!("{name}:{count}")
            } else {
                name.to_owned()
            };
            Field::new(unique, arrow, true)
        })
        .collect()
}

/// An Arrow field that carries its RisingWave type.
pub fn field(name: &str, data_type: &DataType, arrow: ArrowType) -> Field {
    Field::new(name, arrow, true).with_metadata(HashMap::from([(
        TYPE_METADATA.to_owned(),
        data_type.to_string(),
    )]))
}

/// The Arrow schema of stored rows with these columns.
pub fn schema(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(
        columns
            .iter()
            .map(|c| field(&c.name, &c.data_type, arrow_type(&c.data_type)))
            .collect::<Vec<_>>(),
    ))
}

/// The name of a row's field: `f1`, `f2`, … where it has none.
pub(crate) fn field_name(name: &str, index: usize) -> String {
    match name {
        "" => format!("f{}", index + 1),
        name => name.to_owned(),
    }
}

/// Whether a type is a number.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    number_rank(data_type).is_some()
}

/// Position in the sequence of implicit number casts.
pub(crate) fn number_rank(data_type: &DataType) -> Option<u8> {
    Some(match data_type {
        DataType::SmallInt => 0,
        DataType::Integer => 1,
        DataType::BigInt | DataType::Serial => 2,
        DataType::Numeric => 3,
        DataType::Real => 4,
        DataType::Double => 5,
        _ => return None,
    })
}

/// The upper-case internal names that some of RisingWave's messages use.
pub(crate) fn internal_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "Boolean".into(),
        DataType::SmallInt => "Int16".into(),
        DataType::Integer => "Int32".into(),
        DataType::BigInt => "Int64".into(),
        DataType::Real => "Float32".into(),
        DataType::Double => "Float64".into(),
        DataType::Numeric => "Decimal".into(),
        DataType::Varchar => "Varchar".into(),
        DataType::Bytea => "Bytea".into(),
        DataType::Date => "Date".into(),
        DataType::Time => "Time".into(),
        DataType::Timestamp => "Timestamp".into(),
        DataType::Timestamptz => "Timestamptz".into(),
        DataType::Interval => "Interval".into(),
        DataType::Jsonb => "Jsonb".into(),
        DataType::Int256 => "Int256".into(),
        DataType::Serial => "Serial".into(),
        other => other.to_string(),
    }
}
