//! The binary format, as PostgreSQL has it.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, i256,
};
use bytes::{BufMut, BytesMut};
use rwt_sql::DataType;

use super::text::{json, numeric};
use super::{numeric_binary, with_length, wrong_array};
use crate::error::SqlError;
use crate::types::oid;

/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
pub(crate) const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub(crate) const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// Appends a value that is not NULL. The array is canonical.
pub(super) fn put(
    out: &mut BytesMut,
    array: &ArrayRef,
    row: usize,
    data_type: &DataType,
) -> Result<(), SqlError> {
    let wrong = || wrong_array(array, data_type);
    match data_type {
        DataType::Boolean => {
            out.put_u8(array.as_boolean_opt().ok_or_else(wrong)?.value(row).into());
        }
        DataType::SmallInt => {
            let values = array.as_primitive_opt::<Int16Type>().ok_or_else(wrong)?;
            out.put_i16(values.value(row));
        }
        DataType::Integer => {
            let values = array.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?;
            out.put_i32(values.value(row));
        }
        DataType::BigInt | DataType::Serial => {
            let values = array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            out.put_i64(values.value(row));
        }
        DataType::Real => {
            let values = array.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
            out.put_f32(values.value(row));
        }
        DataType::Double => {
            let values = array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            out.put_f64(values.value(row));
        }
        DataType::Numeric => {
            let text = numeric(array, row).ok_or_else(wrong)?;
            numeric_binary(&text, out)
                .ok_or_else(|| SqlError::internal(format!("\"{text}\" is no numeric")))?;
        }
        DataType::Varchar => {
            let values = array.as_string_opt::<i32>().ok_or_else(wrong)?;
            out.put_slice(values.value(row).as_bytes());
        }
        DataType::Bytea => {
            out.put_slice(array.as_binary_opt::<i32>().ok_or_else(wrong)?.value(row));
        }
        DataType::Date => {
            let values = array.as_primitive_opt::<Date32Type>().ok_or_else(wrong)?;
            let days = values.value(row).checked_sub(EPOCH_DAYS);
            out.put_i32(days.ok_or_else(out_of_range)?);
        }
        DataType::Time => {
            let values = array.as_primitive_opt::<Time64MicrosecondType>();
            out.put_i64(values.ok_or_else(wrong)?.value(row));
        }
        DataType::Timestamp | DataType::Timestamptz => {
            let values = array.as_primitive_opt::<TimestampMicrosecondType>();
            let micros = values.ok_or_else(wrong)?.value(row);
            out.put_i64(micros.checked_sub(EPOCH_MICROS).ok_or_else(out_of_range)?);
        }
        DataType::Interval => {
            let values = array.as_primitive_opt::<IntervalMonthDayNanoType>();
            let value = values.ok_or_else(wrong)?.value(row);
            out.put_i64(value.nanoseconds / 1000);
            out.put_i32(value.days);
            out.put_i32(value.months);
        }
        DataType::Jsonb => {
            let values = array.as_string_opt::<i32>().ok_or_else(wrong)?;
            out.put_u8(1);
            out.put_slice(json(values.value(row), false).as_bytes());
        }
        DataType::Int256 => {
            let text = array.as_string_opt::<i32>().ok_or_else(wrong)?.value(row);
            let value = i256::from_string(text)
                .ok_or_else(|| SqlError::internal(format!("\"{text}\" is no rw_int256")))?;
            out.put_slice(&value.to_be_bytes());
        }
        DataType::List(item) => {
            let items = array.as_list_opt::<i32>().ok_or_else(wrong)?.value(row);
            put_list(out, &items, item)?;
        }
        DataType::Struct(fields) => {
            let structs = array.as_struct_opt().ok_or_else(wrong)?;
            out.put_i32(count(fields.len())?);
            for ((_, field), child) in fields.iter().zip(structs.columns()) {
                out.put_u32(oid(field));
                put_item(out, child, row, field)?;
            }
        }
        DataType::Map(..) => {
            return Err(SqlError::internal(
                "Feature is not yet implemented: a map in the binary format\nAsk for the text format",
            ));
        }
    }
    Ok(())
}

/// A list: its dimensions and then all items. Lists of lists are sent as one array of several dimensions, so they have
/// to be rectangular.
fn put_list(out: &mut BytesMut, items: &ArrayRef, item: &DataType) -> Result<(), SqlError> {
    let mut level = vec![items.clone()];
    let mut dimensions = vec![items.len()];
    let mut item = item;
    while let DataType::List(inner) = item {
        let mut next = Vec::new();
        for array in &level {
            let lists = array
                .as_list_opt::<i32>()
                .ok_or_else(|| wrong_array(array, item))?;
            for i in 0..lists.len() {
                if lists.is_null(i) {
                    return Err(not_rectangular());
                }
                next.push(lists.value(i));
            }
        }
        let length = next.first().map_or(0, |array| array.len());
        if next.iter().any(|array| array.len() != length) {
            return Err(not_rectangular());
        }
        dimensions.push(length);
        level = next;
        item = inner;
    }
    let empty = dimensions.contains(&0);
    out.put_i32(if empty { 0 } else { count(dimensions.len())? });
    out.put_i32(level.iter().any(|array| array.null_count() > 0).into());
    out.put_u32(oid(item));
    if empty {
        return Ok(());
    }
    for length in dimensions {
        out.put_i32(count(length)?);
        out.put_i32(1);
    }
    for array in &level {
        for i in 0..array.len() {
            put_item(out, array, i, item)?;
        }
    }
    Ok(())
}

fn put_item(
    out: &mut BytesMut,
    array: &ArrayRef,
    row: usize,
    data_type: &DataType,
) -> Result<(), SqlError> {
    if array.is_null(row) {
        out.put_i32(-1);
        return Ok(());
    }
    with_length(out, |out| put(out, array, row, data_type))
}

fn count(length: usize) -> Result<i32, SqlError> {
    i32::try_from(length).map_err(|_| out_of_range())
}

fn out_of_range() -> SqlError {
    SqlError::internal("Numeric out of range")
}

fn not_rectangular() -> SqlError {
    SqlError::internal(
        "Feature is not yet implemented: an array of arrays of different lengths in the binary format\nAsk for the text format",
    )
}
