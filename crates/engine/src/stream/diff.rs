//! What changed between two results of one query, as rows added and rows taken away. Rows are compared as wholes, equal
//! ones are counted.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

/// Rows that came and rows that went.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    /// Rows that came.
    pub inserted: Vec<RecordBatch>,
    /// Rows that went.
    pub deleted: Vec<RecordBatch>,
}

impl Delta {
    /// True without any row.
    pub fn is_empty(&self) -> bool {
        let none = |batches: &[RecordBatch]| batches.iter().all(|b| b.num_rows() == 0);
        none(&self.inserted) && none(&self.deleted)
    }
}

/// The rows of `new` that are not in `old`, and the other way round.
pub fn diff(old: &[RecordBatch], new: &[RecordBatch]) -> Result<Delta, ArrowError> {
    let Some(schema) = new.first().or(old.first()).map(RecordBatch::schema) else {
        return Ok(Delta::default());
    };
    let types: Vec<DataType> = schema
        .fields()
        .iter()
        .map(|f| f.data_type().clone())
        .collect();
    let same = |b: &RecordBatch| b.columns().iter().map(|c| c.data_type()).eq(types.iter());
    if !old.iter().chain(new).all(same) {
        return Ok(Delta {
            inserted: new.to_vec(),
            deleted: old.to_vec(),
        });
    }
    let converter = RowConverter::new(types.into_iter().map(SortField::new).collect())?;
    let mut counts: HashMap<Box<[u8]>, i64> = HashMap::new();
    for batch in old {
        for row in &converter.convert_columns(batch.columns())? {
            *counts.entry(Box::from(row.as_ref())).or_default() += 1;
        }
    }
    let mut inserted = Vec::new();
    for (b, batch) in new.iter().enumerate() {
        for (r, row) in converter
            .convert_columns(batch.columns())?
            .iter()
            .enumerate()
        {
            match counts.get_mut(row.as_ref()) {
                Some(count) if *count > 0 => *count -= 1,
                _ => inserted.push((b, r)),
            }
        }
    }
    let mut deleted = Vec::new();
    if counts.values().any(|c| *c > 0) {
        for (b, batch) in old.iter().enumerate() {
            for (r, row) in converter
                .convert_columns(batch.columns())?
                .iter()
                .enumerate()
            {
                if let Some(count) = counts.get_mut(row.as_ref()).filter(|c| **c > 0) {
                    *count -= 1;
                    deleted.push((b, r));
                }
            }
        }
    }
    Ok(Delta {
        inserted: pick(&schema, new, &inserted)?,
        deleted: pick(&schema, old, &deleted)?,
    })
}

fn pick(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    places: &[(usize, usize)],
) -> Result<Vec<RecordBatch>, ArrowError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let columns = (0..schema.fields().len())
        .map(|i| {
            let arrays: Vec<&dyn Array> = batches.iter().map(|b| b.column(i).as_ref()).collect();
            interleave(&arrays, places)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    Ok(vec![RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int32Array};
    use arrow::datatypes::Int32Type;

    fn batch(values: &[Option<i32>]) -> RecordBatch {
        let array: ArrayRef = Arc::new(Int32Array::from(values.to_vec()));
        RecordBatch::try_from_iter([("a", array)]).unwrap()
    }

    fn values(batches: &[RecordBatch]) -> Vec<Option<i32>> {
        batches
            .iter()
            .flat_map(|b| {
                b.column(0)
                    .as_primitive::<Int32Type>()
                    .iter()
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn equal_rows_are_counted() {
        let old = [batch(&[Some(1), Some(1), None]), batch(&[Some(2)])];
        let new = [batch(&[Some(1), Some(3), None, None])];
        let delta = diff(&old, &new).unwrap();
        assert_eq!(values(&delta.inserted), [Some(3), None]);
        assert_eq!(values(&delta.deleted), [Some(1), Some(2)]);
        assert!(diff(&new, &new).unwrap().is_empty());
    }
}
