//! The rows of one table or source: Arrow batches with row ids and delete marks. A [`TableData`] is a value that
//! shares its batches with its predecessor; readers keep the one they began with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBufferBuilder, Int64Array, RecordBatch, UInt64Array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat, concat_batches, filter_record_batch, interleave};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use rwt_query::Held;

/// The next version of any table.
static VERSIONS: AtomicU64 = AtomicU64::new(1);

/// Rows of a merged chunk at most.
const CHUNK_ROWS: usize = 65_536;

/// The rows of a table.
#[derive(Debug, Clone)]
pub struct TableData {
    schema: SchemaRef,
    /// In ascending order of row ids.
    chunks: Vec<Chunk>,
    next_row_id: i64,
    version: u64,
    /// What the chunks hold in memory, in bytes.
    bytes: usize,
    scan: OnceLock<Arc<Vec<RecordBatch>>>,
}

#[derive(Debug, Clone)]
struct Chunk {
    ids: Int64Array,
    batch: RecordBatch,
    /// Rows that are not deleted; `None` while all are there.
    keep: Option<BooleanBuffer>,
    /// Memory of ids and rows, in bytes.
    size: usize,
}

impl Chunk {
    fn new(ids: Int64Array, batch: RecordBatch) -> Self {
        let size = ids.len() * size_of::<i64>() + Held::of(std::slice::from_ref(&batch));
        Self {
            ids,
            batch,
            keep: None,
            size,
        }
    }

    /// Memory in bytes. A reader of a chunk with deleted rows has a copy without them, which counts as well.
    fn bytes(&self) -> usize {
        match self.keep {
            None => self.size,
            Some(_) => 2 * self.size,
        }
    }

    /// Whether so many rows are deleted that a copy without them pays.
    fn is_sparse(&self) -> bool {
        4 * self.live() < 3 * self.ids.len()
    }

    fn live(&self) -> usize {
        self.keep
            .as_ref()
            .map_or(self.ids.len(), BooleanBuffer::count_set_bits)
    }

    fn compact(&self) -> Result<(Int64Array, RecordBatch), ArrowError> {
        let Some(keep) = &self.keep else {
            return Ok((self.ids.clone(), self.batch.clone()));
        };
        let mask = BooleanArray::new(keep.clone(), None);
        let ids = arrow::compute::filter(&self.ids, &mask)?;
        Ok((int64(&ids), filter_record_batch(&self.batch, &mask)?))
    }
}

fn int64(array: &ArrayRef) -> Int64Array {
    use arrow::array::AsArray;
    array.as_primitive::<arrow::datatypes::Int64Type>().clone()
}

impl TableData {
    /// A table without rows.
    pub fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            chunks: Vec::new(),
            next_row_id: 0,
            version: 0,
            bytes: 0,
            scan: OnceLock::new(),
        }
    }

    /// The stored columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The id that the next row gets.
    pub fn next_row_id(&self) -> i64 {
        self.next_row_id
    }

    /// Another one after every change, in memory only. No two states of any table share one, also if a change is taken back.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Memory that the rows hold, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows that are not deleted.
    pub fn rows(&self) -> usize {
        self.chunks.iter().map(Chunk::live).sum()
    }

    fn changed(&mut self) {
        self.version = VERSIONS.fetch_add(1, Ordering::Relaxed);
        self.bytes = self.chunks.iter().map(Chunk::bytes).sum();
        self.scan = OnceLock::new();
    }

    /// Appends rows; they get the next row ids, the first of which is returned.
    pub fn insert(&mut self, batch: &RecordBatch) -> Result<i64, ArrowError> {
        let first = self.next_row_id;
        let count = i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
        let ids = Int64Array::from_iter_values(first..first + count);
        self.load(ids, batch, first + count)?;
        Ok(first)
    }

    /// Appends rows that have their ids already.
    pub fn load(
        &mut self,
        ids: Int64Array,
        batch: &RecordBatch,
        next_row_id: i64,
    ) -> Result<(), ArrowError> {
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())?;
        self.next_row_id = self.next_row_id.max(next_row_id);
        if batch.num_rows() > 0 {
            self.chunks
                .push(Chunk::new(ids, rwt_query::trimmed(&batch)?));
            self.merge_tail()?;
        }
        self.changed();
        Ok(())
    }

    /// Joins small chunks at the end, so that a table fed by many small checkpoints has few chunks.
    fn merge_tail(&mut self) -> Result<(), ArrowError> {
        while let [.., before, last] = self.chunks.as_slice() {
            if before.ids.len() > 2 * last.ids.len() || before.live() + last.live() > CHUNK_ROWS {
                break;
            }
            let (a, b) = (before.compact()?, last.compact()?);
            let ids = int64(&concat(&[&a.0 as &dyn Array, &b.0])?);
            let batch = concat_batches(&self.schema, [&a.1, &b.1])?;
            self.chunks.truncate(self.chunks.len() - 2);
            self.chunks.push(Chunk::new(ids, batch));
        }
        Ok(())
    }

    /// Where a row is: its chunk and its position there.
    fn locate(&self, id: i64) -> Option<(usize, usize)> {
        let chunk = self
            .chunks
            .partition_point(|c| c.ids.is_empty() || c.ids.value(c.ids.len() - 1) < id);
        let row = self
            .chunks
            .get(chunk)?
            .ids
            .values()
            .binary_search(&id)
            .ok()?;
        let kept = self.chunks[chunk]
            .keep
            .as_ref()
            .is_none_or(|k| k.value(row));
        kept.then_some((chunk, row))
    }

    /// True for a row that is there.
    pub fn contains(&self, id: i64) -> bool {
        self.locate(id).is_some()
    }

    /// Marks rows as deleted and returns how many were there. Chunks without many rows give their memory back.
    pub fn delete(&mut self, ids: &[i64]) -> Result<usize, ArrowError> {
        let mut by_chunk: Vec<(usize, usize)> =
            ids.iter().filter_map(|id| self.locate(*id)).collect();
        by_chunk.sort_unstable();
        by_chunk.dedup();
        let mut at = 0;
        while at < by_chunk.len() {
            let chunk = by_chunk[at].0;
            let entry = &mut self.chunks[chunk];
            let mut keep = BooleanBufferBuilder::new(entry.ids.len());
            match &entry.keep {
                Some(old) => keep.append_buffer(old),
                None => keep.append_n(entry.ids.len(), true),
            }
            while at < by_chunk.len() && by_chunk[at].0 == chunk {
                keep.set_bit(by_chunk[at].1, false);
                at += 1;
            }
            entry.keep = Some(keep.finish());
            if entry.is_sparse() && entry.live() > 0 {
                let (ids, batch) = entry.compact()?;
                *entry = Chunk::new(ids, batch);
            }
        }
        self.chunks.retain(|c| c.live() > 0);
        if !by_chunk.is_empty() {
            self.changed();
        }
        Ok(by_chunk.len())
    }

    /// Forgets all rows before this id.
    pub fn purge_before(&mut self, id: i64) -> Result<(), ArrowError> {
        let ids: Vec<i64> = self
            .chunks
            .iter()
            .flat_map(|c| c.ids.values().iter().copied())
            .take_while(|i| *i < id)
            .collect();
        self.delete(&ids)?;
        Ok(())
    }

    /// The first row and the last one.
    pub fn ends(&self) -> Result<Option<(RecordBatch, RecordBatch)>, ArrowError> {
        let mut parts = self.chunks.iter().filter(|chunk| chunk.live() > 0);
        let Some(first) = parts.next() else {
            return Ok(None);
        };
        let last = parts.next_back().unwrap_or(first).compact()?.1;
        let first = first.compact()?.1;
        Ok(Some((
            first.slice(0, 1),
            last.slice(last.num_rows() - 1, 1),
        )))
    }

    /// The rows of these ids, in this order; ids without a row are left out.
    pub fn pick(&self, ids: &[i64]) -> Result<RecordBatch, ArrowError> {
        let places: Vec<(usize, usize)> = ids.iter().filter_map(|id| self.locate(*id)).collect();
        if places.is_empty() {
            return Ok(RecordBatch::new_empty(self.schema.clone()));
        }
        let columns = (0..self.schema.fields().len())
            .map(|i| {
                let arrays: Vec<&dyn Array> = self
                    .chunks
                    .iter()
                    .map(|c| c.batch.column(i).as_ref())
                    .collect();
                interleave(&arrays, &places)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if columns.is_empty() {
            return self.without_columns(places.len());
        }
        RecordBatch::try_new(self.schema.clone(), columns)
    }

    fn without_columns(&self, rows: usize) -> Result<RecordBatch, ArrowError> {
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), Vec::new(), &options)
    }

    /// The rows with their ids, chunk by chunk, without deleted ones.
    pub fn parts(&self) -> Result<Vec<(Int64Array, RecordBatch)>, ArrowError> {
        self.chunks.iter().map(Chunk::compact).collect()
    }

    /// The rows from this id on.
    pub fn rows_from(&self, id: i64) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut rows = Vec::new();
        for (ids, batch) in self.parts()? {
            let skip = ids.values().partition_point(|i| *i < id);
            if skip < ids.len() {
                rows.push(batch.slice(skip, ids.len() - skip));
            }
        }
        Ok(rows)
    }

    /// All rows, with their ids as a last column `_row_id`.
    pub fn scan(&self) -> Result<Arc<Vec<RecordBatch>>, ArrowError> {
        if let Some(rows) = self.scan.get() {
            return Ok(rows.clone());
        }
        let mut fields: Vec<Arc<Field>> = self.schema.fields().iter().cloned().collect();
        fields.push(Arc::new(rwt_query::field(
            rwt_query::ROW_ID,
            &rwt_sql::DataType::Serial,
            DataType::Int64,
        )));
        let schema = Arc::new(Schema::new(fields));
        let mut batches = Vec::with_capacity(self.chunks.len());
        for (ids, batch) in self.parts()? {
            let mut columns = batch.columns().to_vec();
            columns.push(Arc::new(ids));
            batches.push(RecordBatch::try_new(schema.clone(), columns)?);
        }
        Ok(self.scan.get_or_init(|| Arc::new(batches)).clone())
    }

    /// The same rows under another schema: column `i` of the new rows is column `from[i]` of the old ones, or the only
    /// value of the given one-row array.
    pub fn reshape(
        &mut self,
        schema: SchemaRef,
        from: &[Result<usize, ArrayRef>],
    ) -> Result<(), ArrowError> {
        for chunk in &mut self.chunks {
            let columns = from
                .iter()
                .map(|source| match source {
                    Ok(i) => Ok(chunk.batch.column(*i).clone()),
                    Err(value) => {
                        let zeros = UInt64Array::from(vec![0; chunk.ids.len()]);
                        arrow::compute::take(value, &zeros, None)
                    }
                })
                .collect::<Result<Vec<_>, _>>()?;
            let options =
                arrow::array::RecordBatchOptions::new().with_row_count(Some(chunk.ids.len()));
            let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &options)?;
            let keep = chunk.keep.take();
            *chunk = Chunk {
                keep,
                ..Chunk::new(chunk.ids.clone(), batch)
            };
        }
        self.schema = schema;
        self.changed();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Int32Array};
    use arrow::datatypes::Int32Type;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true)]))
    }

    fn batch(values: std::ops::Range<i32>) -> RecordBatch {
        RecordBatch::try_new(
            schema(),
            vec![Arc::new(Int32Array::from_iter_values(values))],
        )
        .unwrap()
    }

    fn values(table: &TableData) -> Vec<i32> {
        let mut out = Vec::new();
        for b in table.scan().unwrap().iter() {
            out.extend(b.column(0).as_primitive::<Int32Type>().values());
        }
        out
    }

    #[test]
    fn many_small_inserts_make_few_chunks_and_keep_ids() {
        let mut table = TableData::new(schema());
        for i in 0..1000 {
            assert_eq!(table.insert(&batch(i..i + 1)).unwrap(), i64::from(i));
        }
        assert!(table.chunks.len() < 15, "{}", table.chunks.len());
        assert_eq!(values(&table), (0..1000).collect::<Vec<_>>());
        assert_eq!(table.pick(&[7, 999, 5000]).unwrap().num_rows(), 2);
    }

    #[test]
    fn deleted_rows_are_gone_and_others_keep_their_ids() {
        let mut table = TableData::new(schema());
        table.insert(&batch(0..10)).unwrap();
        let old = table.clone();
        assert_eq!(table.delete(&[3, 4, 4, 77]).unwrap(), 2);
        assert_eq!(table.delete(&[3]).unwrap(), 0);
        table.insert(&batch(10..20)).unwrap();
        assert_eq!(table.rows(), 18);
        assert!(!values(&table).contains(&3));
        assert!(!table.contains(4) && table.contains(19));
        assert_eq!(values(&old).len(), 10);
        assert_eq!(
            table
                .rows_from(9)
                .unwrap()
                .iter()
                .map(RecordBatch::num_rows)
                .sum::<usize>(),
            11
        );
        table.purge_before(10).unwrap();
        assert_eq!(values(&table), (10..20).collect::<Vec<_>>());
    }

    #[test]
    fn memory_comes_with_rows_and_goes_with_them() {
        let mut table = TableData::new(schema());
        assert_eq!(table.bytes(), 0);
        table.insert(&batch(0..100_000)).unwrap();
        let full = table.bytes();
        assert!((1_200_000..1_300_000).contains(&full), "{full}");
        // a few rows of a large batch do not keep the batch
        let mut few = TableData::new(schema());
        few.insert(&batch(0..100_000).slice(70, 10)).unwrap();
        assert!(few.bytes() < 1000, "{}", few.bytes());
        assert_eq!(values(&few), (70..80).collect::<Vec<_>>());

        let most: Vec<i64> = (0..80_000).collect();
        table.delete(&most).unwrap();
        assert!(table.bytes() < full / 4, "{} of {full}", table.bytes());
        assert_eq!(values(&table), (80_000..100_000).collect::<Vec<_>>());
        table.purge_before(100_000).unwrap();
        assert_eq!(table.bytes(), 0);
    }

    #[test]
    fn reshaping_fills_new_columns() {
        let mut table = TableData::new(schema());
        table.insert(&batch(0..3)).unwrap();
        let wider = Arc::new(Schema::new(vec![
            Field::new("b", DataType::Int32, true),
            Field::new("a", DataType::Int32, true),
        ]));
        let seven: ArrayRef = Arc::new(Int32Array::from(vec![7]));
        table.reshape(wider, &[Err(seven), Ok(0)]).unwrap();
        let rows = table.scan().unwrap();
        assert_eq!(
            rows[0].column(0).as_primitive::<Int32Type>().values(),
            &[7, 7, 7]
        );
        assert_eq!(
            rows[0].column(1).as_primitive::<Int32Type>().values(),
            &[0, 1, 2]
        );
    }
}
