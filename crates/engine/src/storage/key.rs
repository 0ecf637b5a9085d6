//! The index of a keyed table: which row has a key. It belongs to the one writer and is rebuilt at start.

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use super::TableData;

/// Row ids by key.
#[derive(Debug)]
pub struct KeyIndex {
    columns: Vec<usize>,
    converter: RowConverter,
    rows: HashMap<Box<[u8]>, i64>,
    /// Bytes of the keys themselves.
    key_bytes: usize,
}

/// What an allocation takes beside its bytes, about.
const ALLOCATION: usize = 16;

/// What becomes of the rows of an insert: see [`KeyIndex::place`].
#[derive(Debug, Default)]
pub struct Placement {
    /// The rows to insert, by their position in the batch: the last one of each key.
    pub insert: Vec<usize>,
    /// For each of them the row that it replaces.
    pub replaced: Vec<Option<i64>>,
}

impl KeyIndex {
    /// The index of a table over these columns.
    pub fn new(table: &TableData, columns: &[usize]) -> Result<Self, ArrowError> {
        let fields = columns
            .iter()
            .map(|i| SortField::new(table.schema().field(*i).data_type().clone()))
            .collect();
        let mut index = Self {
            columns: columns.to_vec(),
            converter: RowConverter::new(fields)?,
            rows: HashMap::new(),
            key_bytes: 0,
        };
        for (ids, batch) in table.parts()? {
            let keys = index.keys(&batch)?;
            for (key, id) in keys.into_iter().zip(ids.values()) {
                index.note(key, *id);
            }
        }
        Ok(index)
    }

    fn note(&mut self, key: Box<[u8]>, id: i64) {
        let size = key.len() + ALLOCATION;
        if self.rows.insert(key, id).is_none() {
            self.key_bytes += size;
        }
    }

    /// Memory that the index holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.rows.capacity() * (size_of::<(Box<[u8]>, i64)>() + 1) + self.key_bytes
    }

    fn keys(&self, batch: &RecordBatch) -> Result<Vec<Box<[u8]>>, ArrowError> {
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|i| rwt_query::keys(batch.column(*i)))
            .collect::<Result<_, _>>()?;
        let rows = self.converter.convert_columns(&columns)?;
        Ok(rows.iter().map(|row| Box::from(row.as_ref())).collect())
    }

    /// The rows that have the keys of a batch.
    pub fn find(&self, batch: &RecordBatch) -> Result<Vec<i64>, ArrowError> {
        let keys = self.keys(batch)?;
        Ok(keys
            .iter()
            .filter_map(|key| self.rows.get(key).copied())
            .collect())
    }

    /// Sorts an insert's rows out: with `ignore` the first row of a key stays, otherwise the last one.
    pub fn place(&self, batch: &RecordBatch, ignore: bool) -> Result<Placement, ArrowError> {
        let mut latest: HashMap<Box<[u8]>, usize> = HashMap::new();
        for (row, key) in self.keys(batch)?.into_iter().enumerate() {
            if ignore && (self.rows.contains_key(&key) || latest.contains_key(&key)) {
                continue;
            }
            latest.insert(key, row);
        }
        let mut placed: Vec<(usize, Option<i64>)> = latest
            .into_iter()
            .map(|(key, row)| (row, self.rows.get(&key).copied()))
            .collect();
        placed.sort_unstable();
        let (insert, replaced) = placed.into_iter().unzip();
        Ok(Placement { insert, replaced })
    }

    /// Notes rows that were inserted from this row id on.
    pub fn inserted(&mut self, batch: &RecordBatch, first: i64) -> Result<(), ArrowError> {
        for (key, id) in self.keys(batch)?.into_iter().zip(first..) {
            self.note(key, id);
        }
        Ok(())
    }

    /// Forgets rows that are about to be deleted.
    pub fn deleted(&mut self, rows: &RecordBatch, ids: &[i64]) -> Result<(), ArrowError> {
        for (key, id) in self.keys(rows)?.into_iter().zip(ids) {
            if self.rows.get(&key) == Some(id) {
                self.rows.remove(&key);
                self.key_bytes -= key.len() + ALLOCATION;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Decimal256Array;
    use rwt_sql::DataType;

    #[test]
    fn numerics_of_two_scales_are_one_key() {
        let columns = [rwt_query::Column::new("n", DataType::Numeric)];
        let schema = rwt_query::schema(&columns);
        let rows = |texts: &[&str]| {
            let codes: Decimal256Array = texts
                .iter()
                .map(|t| rwt_query::numeric_code(t))
                .collect::<Decimal256Array>()
                .with_data_type(rwt_query::arrow_type(&DataType::Numeric));
            RecordBatch::try_new(schema.clone(), vec![std::sync::Arc::new(codes)]).unwrap()
        };
        let mut table = TableData::new(schema.clone());
        table.insert(&rows(&["1.0", "2"])).unwrap();
        let index = KeyIndex::new(&table, &[0]).unwrap();
        assert_eq!(index.find(&rows(&["2.00", "1", "3"])).unwrap(), [1, 0]);
        let placed = index.place(&rows(&["1.00", "3", "3.0"]), false).unwrap();
        assert_eq!(placed.insert, [0, 2]);
        assert_eq!(placed.replaced, [Some(0), None]);

        let mut index = index;
        let keys = index.key_bytes;
        index.inserted(&rows(&["1.00", "3"]), 2).unwrap();
        assert!(index.key_bytes > keys);
        index.deleted(&rows(&["1", "2", "3"]), &[2, 1, 3]).unwrap();
        assert_eq!(index.key_bytes, 0);
    }
}
