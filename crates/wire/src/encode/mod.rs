//! Arrow values as the text and the binary format of the protocol.

pub(crate) mod binary;
mod number;
mod text;

use arrow::array::{Array, ArrayRef};
use bytes::{BufMut, BytesMut};
use rwt_sql::DataType;

use crate::error::SqlError;

pub(crate) use number::{numeric_binary, numeric_text};
pub(crate) use text::TextFormat;

/// The format of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Format code 0.
    Text,
    /// Format code 1.
    Binary,
}

/// Appends one value of a DataRow: its length and its bytes, or -1 for NULL. The array is canonical.
pub(crate) fn put_value(
    out: &mut BytesMut,
    array: &ArrayRef,
    row: usize,
    data_type: &DataType,
    format: Format,
    text: &TextFormat,
) -> Result<(), SqlError> {
    if array.is_null(row) {
        out.put_i32(-1);
        return Ok(());
    }
    with_length(out, |out| match format {
        Format::Text => text.write(out, array, row, data_type),
        Format::Binary => binary::put(out, array, row, data_type),
    })
}

/// Writes a length in front of whatever `body` appends.
fn with_length(
    out: &mut BytesMut,
    body: impl FnOnce(&mut BytesMut) -> Result<(), SqlError>,
) -> Result<(), SqlError> {
    let start = out.len();
    out.put_i32(0);
    body(out)?;
    let length = i32::try_from(out.len() - start - 4)
        .map_err(|_| SqlError::internal("a value of more than 2 GB cannot be sent"))?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn wrong_array(array: &dyn Array, data_type: &DataType) -> SqlError {
    SqlError::internal(format!(
        "internal error: a value of type {data_type} came as {}",
        array.data_type()
    ))
}
