//! Column types: what RisingWave's types are in Arrow, and what Iceberg keeps of them.
//!
//! | RisingWave | Arrow, in and out | Iceberg | Arrow, as iceberg reads it |
//! |---|---|---|---|
//! | smallint | Int16 | int | Int32 |
//! | bytea | Binary | binary | LargeBinary |
//! | timestamptz | Timestamp(us, "UTC") | timestamptz | Timestamp(us, "+00:00") |
//! | interval | Interval(MonthDayNano) | string | Utf8 |
//! | numeric | Decimal128(38, s) | decimal(38, s) | the same |
//! | the others | | | the same |
//!
//! What Iceberg forgets (smallint, interval) is remembered in table properties: `rwt.type.<column>`, nested columns as
//! `rwt.type.outer.inner`, list items as `rwt.type.list.element`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, ListArray, RecordBatch, StringArray,
    StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, IntervalMonthDayNanoType, IntervalUnit, Schema, SchemaRef,
    TimeUnit,
};
use arrow::error::ArrowError;
use iceberg::spec::TableMetadata;

use crate::error::LakeError;
use crate::interval::{interval_text, parse_interval};
use crate::tables::TableName;

const TYPE_PROPERTY: &str = "rwt.type.";
const SMALLINT: &str = "smallint";
const INTERVAL: &str = "interval";

/// The schema to hand to iceberg for a new table: every column optional, in types that Iceberg has.
pub(crate) fn stored_schema(table: &TableName, schema: &Schema) -> Result<Schema, LakeError> {
    if schema.fields().is_empty() {
        return Err(LakeError::Columns {
            table: table.clone(),
            reason: "a table needs at least one column".into(),
        });
    }
    let fields: Result<Vec<Field>, LakeError> = schema
        .fields()
        .iter()
        .map(|field| stored_field(table, field.name(), field.name(), field.data_type()))
        .collect();
    Ok(Schema::new(fields?))
}

fn stored_field(
    table: &TableName,
    path: &str,
    name: &str,
    data_type: &DataType,
) -> Result<Field, LakeError> {
    let stored = match data_type {
        DataType::Int16 => DataType::Int32,
        DataType::Interval(IntervalUnit::MonthDayNano) => DataType::Utf8,
        DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32
        | DataType::Time64(TimeUnit::Microsecond)
        | DataType::Timestamp(TimeUnit::Microsecond, None) => data_type.clone(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {
            data_type.clone()
        }
        DataType::Decimal128(_, scale) if *scale >= 0 => data_type.clone(),
        DataType::List(item) => DataType::List(Arc::new(stored_field(
            table,
            &format!("{path}.element"),
            "element",
            item.data_type(),
        )?)),
        DataType::Struct(fields) if !fields.is_empty() => {
            let fields: Result<Vec<Field>, LakeError> = fields
                .iter()
                .map(|field| {
                    stored_field(
                        table,
                        &format!("{path}.{}", field.name()),
                        field.name(),
                        field.data_type(),
                    )
                })
                .collect();
            DataType::Struct(Fields::from(fields?))
        }
        other => {
            return Err(LakeError::ColumnType {
                table: table.clone(),
                column: path.to_string(),
                data_type: other.to_string(),
            });
        }
    };
    Ok(Field::new(name, stored, true))
}

/// What Iceberg's types forget of `schema`, as table properties.
pub(crate) fn type_properties(schema: &Schema) -> Vec<(String, String)> {
    fn collect(path: String, data_type: &DataType, found: &mut Vec<(String, String)>) {
        match data_type {
            DataType::Int16 => found.push((format!("{TYPE_PROPERTY}{path}"), SMALLINT.into())),
            DataType::Interval(_) => {
                found.push((format!("{TYPE_PROPERTY}{path}"), INTERVAL.into()))
            }
            DataType::List(item) => collect(format!("{path}.element"), item.data_type(), found),
            DataType::Struct(fields) => {
                fields.iter().for_each(|field| {
                    collect(format!("{path}.{}", field.name()), field.data_type(), found)
                });
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    schema
        .fields()
        .iter()
        .for_each(|field| collect(field.name().clone(), field.data_type(), &mut found));
    found
}

/// The schema with which iceberg reads and writes the table's files, field ids included.
pub(crate) fn file_schema(
    table: &TableName,
    metadata: &TableMetadata,
) -> Result<SchemaRef, LakeError> {
    iceberg::arrow::schema_to_arrow_schema(metadata.current_schema())
        .map(Arc::new)
        .map_err(LakeError::unreadable(table))
}

/// The schema that callers see.
pub(crate) fn logical_schema(
    table: &TableName,
    metadata: &TableMetadata,
) -> Result<SchemaRef, LakeError> {
    let remembered = |path: &str| {
        metadata
            .properties()
            .get(&format!("{TYPE_PROPERTY}{path}"))
            .map(String::as_str)
    };
    let fields: Vec<Field> = file_schema(table, metadata)?
        .fields()
        .iter()
        .map(|field| {
            Field::new(
                field.name(),
                logical_type(field.name(), field.data_type(), &remembered),
                true,
            )
        })
        .collect();
    Ok(Arc::new(Schema::new(fields)))
}

fn logical_type<'a>(
    path: &str,
    data_type: &DataType,
    remembered: &dyn Fn(&str) -> Option<&'a str>,
) -> DataType {
    match (data_type, remembered(path)) {
        (DataType::Int32, Some(SMALLINT)) => DataType::Int16,
        (DataType::Utf8, Some(INTERVAL)) => DataType::Interval(IntervalUnit::MonthDayNano),
        (DataType::LargeBinary, _) => DataType::Binary,
        (DataType::Timestamp(unit, Some(_)), _) => DataType::Timestamp(*unit, Some("UTC".into())),
        (DataType::List(item), _) => {
            let item = logical_type(&format!("{path}.element"), item.data_type(), remembered);
            DataType::List(Arc::new(Field::new_list_field(item, true)))
        }
        (DataType::Struct(fields), _) => DataType::Struct(
            fields
                .iter()
                .map(|field| {
                    let inner = logical_type(
                        &format!("{path}.{}", field.name()),
                        field.data_type(),
                        remembered,
                    );
                    Field::new(field.name(), inner, true)
                })
                .collect(),
        ),
        (other, _) => other.clone(),
    }
}

/// A batch of the caller in the types of the table's files. Columns are found by name; none may be missing or left over.
pub(crate) fn to_file(
    table: &TableName,
    batch: &RecordBatch,
    logical: &Schema,
    file: &SchemaRef,
) -> Result<RecordBatch, LakeError> {
    let mismatch = |reason: String| LakeError::Columns {
        table: table.clone(),
        reason,
    };
    if batch.num_columns() != file.fields().len() {
        return Err(mismatch(format!(
            "they have {} columns, the table has {}",
            batch.num_columns(),
            file.fields().len()
        )));
    }
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, expected) in file.fields().iter().zip(logical.fields()) {
        let column = batch
            .column_by_name(field.name())
            .ok_or_else(|| mismatch(format!("they have no column `{}`", field.name())))?;
        if !same_type(column.data_type(), expected.data_type()) {
            let (found, wanted) = (column.data_type(), expected.data_type());
            return Err(mismatch(format!(
                "column `{}` is {found}, the table's is {wanted}",
                field.name()
            )));
        }
        columns.push(
            convert(column, field.data_type())
                .map_err(|error| mismatch(format!("column `{}`: {error}", field.name())))?,
        );
    }
    RecordBatch::try_new(Arc::clone(file), columns).map_err(|error| mismatch(error.to_string()))
}

/// A batch of the files in the types that callers see.
pub(crate) fn from_file(
    table: &TableName,
    batch: &RecordBatch,
    logical: &SchemaRef,
) -> Result<RecordBatch, LakeError> {
    let mismatch = |reason: String| LakeError::Columns {
        table: table.clone(),
        reason,
    };
    let columns: Result<Vec<ArrayRef>, LakeError> = logical
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            convert(column, field.data_type())
                .map_err(|error| mismatch(format!("column `{}`: {error}", field.name())))
        })
        .collect();
    RecordBatch::try_new(Arc::clone(logical), columns?).map_err(|error| mismatch(error.to_string()))
}

/// Equal but for the names and nullability of nested fields, where Arrow writers differ.
fn same_type(left: &DataType, right: &DataType) -> bool {
    match (left, right) {
        (DataType::List(left), DataType::List(right)) => {
            same_type(left.data_type(), right.data_type())
        }
        (DataType::Struct(left), DataType::Struct(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(l, r)| same_type(l.data_type(), r.data_type()))
        }
        (left, right) => left == right,
    }
}

/// An array in a type of the same meaning (the table above).
fn convert(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, ArrowError> {
    match (array.data_type(), target) {
        (from, to) if from == to => Ok(Arc::clone(array)),
        (DataType::List(_), DataType::List(item)) => {
            let list: &ListArray = array.as_list();
            let values = convert(list.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(item),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let parts = array.as_struct();
            let columns: Result<Vec<ArrayRef>, _> = fields
                .iter()
                .zip(parts.columns())
                .map(|(field, column): (&FieldRef, &ArrayRef)| convert(column, field.data_type()))
                .collect();
            Ok(Arc::new(StructArray::try_new(
                fields.clone(),
                columns?,
                parts.nulls().cloned(),
            )?))
        }
        (DataType::Interval(IntervalUnit::MonthDayNano), DataType::Utf8) => {
            let intervals = array.as_primitive::<IntervalMonthDayNanoType>();
            Ok(Arc::new(
                intervals
                    .iter()
                    .map(|interval| interval.map(interval_text))
                    .collect::<StringArray>(),
            ))
        }
        (DataType::Utf8, DataType::Interval(IntervalUnit::MonthDayNano)) => {
            let texts = array.as_string::<i32>();
            let intervals: Result<Vec<_>, ArrowError> = texts
                .iter()
                .map(|text| match text {
                    Some(text) => parse_interval(text)
                        .map(Some)
                        .ok_or_else(|| ArrowError::ParseError(format!("`{text}` is no interval"))),
                    None => Ok(None),
                })
                .collect();
            Ok(Arc::new(IntervalMonthDayNanoArray::from(intervals?)))
        }
        _ => cast(array, target),
    }
}
