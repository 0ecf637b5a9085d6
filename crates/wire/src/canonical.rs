//! Arrays of any physical form become the one form that the encoders read: views, dictionaries, large offsets, other
//! integer widths and time units are cast once per batch, not looked at per value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, StructArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType as Arrow, Field, Fields, TimeUnit};
use arrow::error::ArrowError;
use rwt_sql::DataType;

use crate::backend::Column;
use crate::error::SqlError;
use crate::types::arrow_type;

/// The columns of a batch, each as the encoders want it.
pub(crate) fn canonical_columns(
    batch: &RecordBatch,
    columns: &[Column],
) -> Result<Vec<ArrayRef>, SqlError> {
    if batch.num_columns() != columns.len() {
        return Err(SqlError::internal(format!(
            "internal error: the result has {} columns, announced were {}",
            batch.num_columns(),
            columns.len()
        )));
    }
    columns
        .iter()
        .zip(batch.columns())
        .map(|(column, array)| {
            canonical(array, &column.data_type).map_err(|error| {
                SqlError::internal(format!(
                    "internal error: column \"{}\" of type {} came as {}",
                    column.name,
                    column.data_type,
                    array.data_type()
                ))
                .because(error.to_string())
            })
        })
        .collect()
}

/// A wide numeric (quotients have 28 digits behind the point) with as many of these digits as 38 digits leave room for.
fn narrow(array: &ArrayRef, scale: i8) -> Result<ArrayRef, ArrowError> {
    let mut scale = scale;
    loop {
        match cast(array, &Arrow::Decimal128(38, scale)) {
            Err(_) if scale > 0 => scale -= 1,
            done => return done,
        }
    }
}

/// An array in the form of [`arrow_type`].
fn canonical(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    match (data_type, array.data_type()) {
        (_, Arrow::Dictionary(_, value)) => {
            let value = value.as_ref().clone();
            canonical(&cast(array, &value)?, data_type)
        }
        (DataType::Numeric, Arrow::Decimal128(_, scale)) if *scale >= 0 => Ok(array.clone()),
        (DataType::Numeric, from) => match from {
            Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View => cast(array, &Arrow::Utf8),
            Arrow::Decimal128(..) => cast(array, &Arrow::Decimal128(38, 0)),
            Arrow::Decimal256(_, scale) => narrow(array, (*scale).max(0)),
            from if from.is_integer() => cast(array, &Arrow::Decimal128(38, 0)),
            _ => cast(array, &arrow_type(data_type)),
        },
        (DataType::Timestamptz, Arrow::Timestamp(TimeUnit::Microsecond, Some(_))) => {
            Ok(array.clone())
        }
        (DataType::List(item), from) => {
            let lists = match from {
                Arrow::List(_) => array.clone(),
                Arrow::LargeList(field)
                | Arrow::FixedSizeList(field, _)
                | Arrow::ListView(field)
                | Arrow::LargeListView(field) => cast(array, &Arrow::List(field.clone()))?,
                _ => return cast(array, &arrow_type(data_type)),
            };
            let lists = lists.as_list::<i32>();
            let items = canonical(lists.values(), item)?;
            let field = Arc::new(Field::new("item", items.data_type().clone(), true));
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            Ok(Arc::new(ListArray::try_new(field, offsets, items, nulls)?))
        }
        (DataType::Struct(fields), Arrow::Struct(_)) => {
            let structs = array.as_struct();
            if structs.num_columns() != fields.len() {
                return Err(ArrowError::CastError(format!(
                    "a struct of {} fields has {}",
                    fields.len(),
                    structs.num_columns()
                )));
            }
            if fields.is_empty() {
                return Ok(array.clone());
            }
            let children = fields
                .iter()
                .zip(structs.columns())
                .map(|((_, field), child)| canonical(child, field))
                .collect::<Result<Vec<_>, _>>()?;
            let fields: Fields = fields
                .iter()
                .zip(&children)
                .map(|((name, _), child)| Field::new(name, child.data_type().clone(), true))
                .collect();
            let nulls = structs.nulls().cloned();
            Ok(Arc::new(StructArray::try_new(fields, children, nulls)?))
        }
        (DataType::Map(key, value), Arrow::Map(_, sorted)) => {
            let maps = array.as_map();
            let keys = canonical(maps.keys(), key)?;
            let values = canonical(maps.values(), value)?;
            let fields = Fields::from(vec![
                Field::new("key", keys.data_type().clone(), false),
                Field::new("value", values.data_type().clone(), true),
            ]);
            let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
            let field = Arc::new(Field::new("entries", Arrow::Struct(fields), false));
            let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(
                field, offsets, entries, nulls, *sorted,
            )?))
        }
        (_, from) => {
            let to = arrow_type(data_type);
            if *from == to {
                Ok(array.clone())
            } else {
                cast(array, &to)
            }
        }
    }
}

/// A cast that fails rather than making NULLs.
fn cast(array: &ArrayRef, to: &Arrow) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options)
}
