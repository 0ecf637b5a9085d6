//! Numerics in the forms that others know: texts for the wire, Arrow's decimals for the lake and for data directories
//! that were written before numerics had a scale each.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, ListArray, MapArray, RecordBatch,
    RecordBatchOptions, StringBuilder, StructArray,
};
use arrow::datatypes::{DataType as ArrowType, Decimal128Type, Decimal256Type, Field, Schema};
use arrow::error::ArrowError;
use rust_decimal::Decimal;

use crate::numeric::{NUMERIC, Numeric};

/// A batch whose numerics, also those in lists and rows, are texts as RisingWave prints them.
///
/// # Errors
/// An array that Arrow refuses to build.
pub fn printed(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !batch
        .columns()
        .iter()
        .any(|c| holds(c.data_type(), &is_numeric))
    {
        return Ok(batch.clone());
    }
    rebuilt(batch, &is_numeric, &|array| {
        let codes = array.as_primitive::<Decimal256Type>();
        let mut texts = StringBuilder::with_capacity(codes.len(), codes.len() * 8);
        for code in codes {
            texts.append_option(code.map(|code| Numeric::decode(code).to_string()));
        }
        Ok(Arc::new(texts.finish()))
    })
}

/// A batch whose numerics are decimals of this scale, rounded half away from zero. What is no number, or has too many
/// digits, is NULL.
///
/// # Errors
/// An array that Arrow refuses to build.
pub fn to_decimals(batch: &RecordBatch, scale: i8) -> Result<RecordBatch, ArrowError> {
    rebuilt(batch, &is_numeric, &|array| {
        let digits = u32::try_from(scale).unwrap_or(0);
        let decimals: Decimal128Array = array
            .as_primitive::<Decimal256Type>()
            .iter()
            .map(|code| Numeric::decode(code?).unscaled_at(digits))
            .map(|v| v.filter(|v| v.unsigned_abs() < 10_u128.pow(38)))
            .collect();
        Ok(Arc::new(decimals.with_precision_and_scale(38, scale)?))
    })
}

/// The Arrow type that [`to_decimals`] gives for this one.
pub fn decimal_type(arrow: &ArrowType, scale: i8) -> ArrowType {
    retyped(arrow, &is_numeric, &ArrowType::Decimal128(38, scale))
}

/// A batch whose decimals are numerics. With `trim` they lose the zeros at their end.
///
/// # Errors
/// A decimal of more than 96 bits.
pub fn from_decimals(batch: &RecordBatch, trim: bool) -> Result<RecordBatch, ArrowError> {
    let is_decimal = |arrow: &ArrowType| matches!(arrow, ArrowType::Decimal128(..));
    if !batch
        .columns()
        .iter()
        .any(|c| holds(c.data_type(), &is_decimal))
    {
        return Ok(batch.clone());
    }
    rebuilt(batch, &is_decimal, &|array| {
        let ArrowType::Decimal128(_, scale) = array.data_type() else {
            return Ok(array.clone());
        };
        let scale = u32::try_from(*scale).unwrap_or(0);
        let codes = array
            .as_primitive::<Decimal128Type>()
            .iter()
            .map(|unscaled| {
                let Some(unscaled) = unscaled else {
                    return Ok(None);
                };
                let value = Decimal::try_from_i128_with_scale(unscaled, scale)
                    .or_else(|_| shortened(unscaled, scale))
                    .map_err(|e| ArrowError::CastError(format!("a numeric: {e}")))?;
                let value = Numeric::from(if trim { value.normalize() } else { value });
                Ok(Some(value.encode()))
            })
            .collect::<Result<Decimal256Array, ArrowError>>()?;
        Ok(Arc::new(codes.with_data_type(NUMERIC)))
    })
}

/// The code of a numeric's text in an array of [`crate::arrow_type`]'s type for numerics; `None` of a text that is none.
pub fn numeric_code(text: &str) -> Option<arrow::datatypes::i256> {
    text.parse().ok().map(Numeric::encode)
}

/// The values by which an array's rows are compared: equal where the values are equal.
///
/// # Errors
/// An array that Arrow refuses to build.
pub fn keys(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    crate::kernel::key::keys(array).map_err(|e| ArrowError::ComputeError(e.to_string()))
}

/// As [`numeric_code`], of a double; `None` of one that is too large.
pub fn numeric_code_of(value: f64) -> Option<arrow::datatypes::i256> {
    Numeric::from_double(value).map(Numeric::encode)
}

fn shortened(mut unscaled: i128, mut scale: u32) -> Result<Decimal, rust_decimal::Error> {
    while scale > 0 && unscaled % 10 == 0 && unscaled.unsigned_abs() >= 1 << 96 {
        unscaled /= 10;
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(unscaled, scale)
}

fn is_numeric(arrow: &ArrowType) -> bool {
    *arrow == NUMERIC
}

/// Whether a type is or holds a wanted one.
fn holds(arrow: &ArrowType, wanted: &dyn Fn(&ArrowType) -> bool) -> bool {
    match arrow {
        ArrowType::List(item) => holds(item.data_type(), wanted),
        ArrowType::Struct(fields) => fields.iter().any(|f| holds(f.data_type(), wanted)),
        ArrowType::Map(entries, _) => holds(entries.data_type(), wanted),
        other => wanted(other),
    }
}

fn retyped(arrow: &ArrowType, wanted: &dyn Fn(&ArrowType) -> bool, to: &ArrowType) -> ArrowType {
    let field = |f: &Arc<Field>| -> Arc<Field> {
        Arc::new(
            f.as_ref()
                .clone()
                .with_data_type(retyped(f.data_type(), wanted, to)),
        )
    };
    match arrow {
        ArrowType::List(item) => ArrowType::List(field(item)),
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(field).collect()),
        ArrowType::Map(entries, sorted) => ArrowType::Map(field(entries), *sorted),
        other if wanted(other) => to.clone(),
        other => other.clone(),
    }
}

type Convert<'a> = &'a dyn Fn(&ArrayRef) -> Result<ArrayRef, ArrowError>;

fn rebuilt(
    batch: &RecordBatch,
    wanted: &dyn Fn(&ArrowType) -> bool,
    convert: Convert<'_>,
) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| replaced(column, wanted, convert))
        .collect::<Result<Vec<_>, _>>()?;
    let fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| {
            field
                .as_ref()
                .clone()
                .with_data_type(column.data_type().clone())
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

fn replaced(
    array: &ArrayRef,
    wanted: &dyn Fn(&ArrowType) -> bool,
    convert: Convert<'_>,
) -> Result<ArrayRef, ArrowError> {
    if !holds(array.data_type(), wanted) {
        return Ok(array.clone());
    }
    let typed = |field: &Arc<Field>, inner: &ArrayRef| {
        Arc::new(
            field
                .as_ref()
                .clone()
                .with_data_type(inner.data_type().clone()),
        )
    };
    Ok(match array.data_type() {
        ArrowType::List(item) => {
            let lists = array.as_list::<i32>();
            let inner = replaced(lists.values(), wanted, convert)?;
            Arc::new(ListArray::try_new(
                typed(item, &inner),
                lists.offsets().clone(),
                inner,
                lists.nulls().cloned(),
            )?)
        }
        ArrowType::Struct(fields) => {
            let rows = array.as_struct();
            let columns = rows
                .columns()
                .iter()
                .map(|column| replaced(column, wanted, convert))
                .collect::<Result<Vec<_>, _>>()?;
            let fields = fields
                .iter()
                .zip(&columns)
                .map(|(f, c)| typed(f, c))
                .collect();
            Arc::new(StructArray::try_new(
                fields,
                columns,
                rows.nulls().cloned(),
            )?)
        }
        ArrowType::Map(entries, sorted) => {
            let maps = array.as_map();
            let inner: ArrayRef = Arc::new(maps.entries().clone());
            let inner = replaced(&inner, wanted, convert)?;
            Arc::new(MapArray::try_new(
                typed(entries, &inner),
                maps.offsets().clone(),
                inner.as_struct().clone(),
                maps.nulls().cloned(),
                *sorted,
            )?)
        }
        _ => convert(array)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(texts: &[Option<&str>]) -> RecordBatch {
        let codes: Decimal256Array = texts
            .iter()
            .map(|t| t.and_then(numeric_code))
            .collect::<Decimal256Array>()
            .with_data_type(NUMERIC);
        let items: ArrayRef = Arc::new(codes);
        let field = Arc::new(Field::new("item", NUMERIC, true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([texts.len()]);
        let list: ArrayRef = Arc::new(ListArray::new(field, offsets, items, None));
        RecordBatch::try_from_iter([("l", list)]).unwrap()
    }

    fn texts(batch: &RecordBatch) -> Vec<Option<String>> {
        let batch = printed(batch).unwrap();
        let items = batch.column(0).as_list::<i32>().value(0);
        items
            .as_string::<i32>()
            .iter()
            .map(|t| t.map(ToOwned::to_owned))
            .collect()
    }

    #[test]
    fn numerics_in_lists_go_to_decimals_and_back() {
        let some = batch(&[Some("1.50"), None, Some("NaN"), Some("-0.00000000005")]);
        assert_eq!(texts(&some)[0].as_deref(), Some("1.50"));
        let decimals = to_decimals(&some, 10).unwrap();
        assert_eq!(
            decimals.column(0).data_type(),
            &decimal_type(some.column(0).data_type(), 10)
        );
        let back = texts(&from_decimals(&decimals, false).unwrap());
        assert_eq!(back[0].as_deref(), Some("1.5000000000"));
        assert_eq!(back[1..3], [None, None]);
        assert_eq!(back[3].as_deref(), Some("-0.0000000001"));
        let short = texts(&from_decimals(&decimals, true).unwrap());
        assert_eq!(short[0].as_deref(), Some("1.5"));
    }
}
