//! The memory that queries share: operators that can spill to disk do when it is used up, the others fail, and so does a
//! result that is collected.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{Array, ArrayData, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use crate::error::QueryError;
use crate::queries::Limits;

/// Operators that an error names, those with the most memory first.
const NAMED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

/// Memory that is not worth a copy, in bytes.
const SMALL: usize = 4096;

/// Memory that the rows of batches take, in bytes. What several batches share counts once.
#[derive(Debug, Default)]
pub struct Held {
    /// Beginnings and lengths of buffers.
    seen: HashSet<(usize, usize)>,
    bytes: usize,
}

impl Held {
    /// What these batches hold.
    pub fn of(batches: &[RecordBatch]) -> usize {
        let mut held = Self::default();
        batches.iter().map(|batch| held.add(batch)).sum()
    }

    /// Adds a batch and returns what it holds beside those before it.
    pub fn add(&mut self, batch: &RecordBatch) -> usize {
        let before = self.bytes;
        for column in batch.columns() {
            self.add_data(&column.to_data());
        }
        self.bytes - before
    }

    fn add_data(&mut self, data: &ArrayData) {
        let nulls = data.nulls().map(|nulls| nulls.buffer());
        for buffer in data.buffers().iter().chain(nulls) {
            if self.seen.insert((buffer.as_ptr() as usize, buffer.len())) {
                self.bytes += buffer.len();
            }
        }
        for child in data.child_data() {
            self.add_data(child);
        }
    }
}

/// The batch without memory that its rows do not need: a slice keeps all of what it was cut from.
///
/// # Errors
/// Those of Arrow.
pub fn trimmed(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter();
    let needed: Result<usize, ArrowError> = columns
        .map(|column| column.to_data().get_slice_memory_size())
        .sum();
    if batch.get_array_memory_size() <= 2 * needed? + SMALL {
        return Ok(batch.clone());
    }
    let all = UInt64Array::from_iter_values(0..batch.num_rows() as u64);
    take_record_batch(batch, &all)
}

/// A result that is collected, within the memory of queries.
pub(crate) struct Collected {
    reservation: MemoryReservation,
    held: Held,
    batches: Vec<RecordBatch>,
}

impl Collected {
    pub(crate) fn new(pool: &Arc<dyn MemoryPool>) -> Self {
        Self {
            reservation: MemoryConsumer::new("the result").register(pool),
            held: Held::default(),
            batches: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), QueryError> {
        self.reservation.try_grow(self.held.add(&batch))?;
        self.batches.push(batch);
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<RecordBatch> {
        self.batches
    }
}

/// DataFusion's surroundings within these limits.
pub(crate) fn runtime(limits: &Limits) -> Result<Arc<RuntimeEnv>, QueryError> {
    let pool = TrackConsumersPool::new(FairSpillPool::new(limits.memory), NAMED);
    let mode = match &limits.spill_dir {
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk = DiskManagerBuilder::default().with_mode(mode);
    Ok(RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .build_arc()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    #[test]
    fn what_batches_share_counts_once() {
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
        let numbers = Int64Array::from_iter_values(0..1000);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers)]).unwrap();
        assert_eq!(Held::of(std::slice::from_ref(&batch)), 8000);
        assert_eq!(Held::of(&[batch.clone(), batch.clone()]), 8000);
        let slices = [batch.slice(0, 10), batch.slice(10, 500), batch.slice(0, 10)];
        assert_eq!(Held::of(&slices), 510 * 8);
        let text = Schema::new(vec![Field::new("t", DataType::Utf8, true)]);
        let texts = StringArray::from_iter_values(["ten bytes!"; 100]);
        let texts = RecordBatch::try_new(Arc::new(text), vec![Arc::new(texts)]).unwrap();
        // offsets of the slices, and the texts once
        let halves = [texts.slice(0, 50), texts.slice(50, 50)];
        assert_eq!(Held::of(&halves), 2 * 51 * 4 + 1000);
    }
}
