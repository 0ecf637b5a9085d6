//! The kept results of materialized views: each with the versions of the inputs that it was computed from, so that it
//! counts until one of them changes. The one that was read longest ago goes first when memory is needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use rwt_query::Held;

use crate::catalog::{Catalog, ObjectId};
use crate::engine::locked;

/// The inputs of a result, each with the version that was read.
pub(crate) type Versions = Vec<(ObjectId, u64)>;

/// Results by view.
#[derive(Debug, Default)]
pub(crate) struct Results {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    views: HashMap<ObjectId, Entry>,
    /// Counts reads.
    clock: u64,
}

#[derive(Debug, Default)]
struct Entry {
    /// Held by the one who computes the view.
    computing: Arc<tokio::sync::Mutex<()>>,
    kept: Option<Kept>,
    /// When it was read last, by the clock.
    read: u64,
    computed: u64,
}

#[derive(Debug)]
struct Kept {
    versions: Versions,
    rows: Arc<Vec<RecordBatch>>,
    bytes: usize,
}

/// What there is to tell about a view's result.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ResultStatus {
    /// How often it was computed since the engine's start.
    pub computed: u64,
    /// Memory of the kept result; none is kept before the first reading, or when memory was needed.
    pub bytes: Option<usize>,
}

impl Results {
    /// The kept result of these versions.
    pub fn get(&self, id: ObjectId, versions: &Versions) -> Option<Arc<Vec<RecordBatch>>> {
        let mut entries = locked(&self.entries);
        entries.clock += 1;
        let now = entries.clock;
        let entry = entries.views.get_mut(&id)?;
        let kept = entry.kept.as_ref().filter(|k| k.versions == *versions)?;
        entry.read = now;
        Some(kept.rows.clone())
    }

    /// The lock of those who compute a view, so that they do it one after the other.
    pub fn computing(&self, id: ObjectId) -> Arc<tokio::sync::Mutex<()>> {
        let mut entries = locked(&self.entries);
        entries.views.entry(id).or_default().computing.clone()
    }

    /// Keeps a result in the place of the view's last one, if it fits beside those that were read later.
    pub fn keep(
        &self,
        id: ObjectId,
        versions: Versions,
        rows: &Arc<Vec<RecordBatch>>,
        room: usize,
    ) {
        let kept = Kept {
            versions,
            rows: rows.clone(),
            bytes: Held::of(rows),
        };
        let mut entries = locked(&self.entries);
        entries.clock += 1;
        let now = entries.clock;
        let entry = entries.views.entry(id).or_default();
        entry.read = now;
        entry.computed += 1;
        entry.kept = (kept.bytes <= room).then_some(kept);
        entries.shrink_to(room);
    }

    /// Drops results until the others hold no more than so many bytes.
    pub fn shrink_to(&self, room: usize) {
        locked(&self.entries).shrink_to(room);
    }

    /// Forgets the results of views that are gone.
    pub fn forget_dropped(&self, catalog: &Catalog) {
        let mut entries = locked(&self.entries);
        entries.views.retain(|id, _| catalog.get(*id).is_some());
    }

    /// Memory of all results, in bytes.
    pub fn bytes(&self) -> usize {
        locked(&self.entries).bytes()
    }

    /// About a view.
    pub fn status(&self, id: ObjectId) -> ResultStatus {
        let entries = locked(&self.entries);
        let entry = entries.views.get(&id);
        entry.map_or_else(ResultStatus::default, |entry| ResultStatus {
            computed: entry.computed,
            bytes: entry.kept.as_ref().map(|kept| kept.bytes),
        })
    }
}

impl Entries {
    fn bytes(&self) -> usize {
        let kept = self.views.values().filter_map(|entry| entry.kept.as_ref());
        kept.map(|kept| kept.bytes).sum()
    }

    fn shrink_to(&mut self, room: usize) {
        let mut bytes = self.bytes();
        while bytes > room {
            let held = self.views.values_mut().filter(|e| e.kept.is_some());
            let Some(kept) = held.min_by_key(|e| e.read).and_then(|e| e.kept.take()) else {
                return;
            };
            bytes -= kept.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    fn rows(count: i64) -> Arc<Vec<RecordBatch>> {
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
        let numbers = Int64Array::from_iter_values(0..count);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers)]);
        Arc::new(vec![batch.unwrap()])
    }

    #[test]
    fn the_result_that_was_read_longest_ago_goes_first() {
        let results = Results::default();
        let at = |version| vec![(9, version)];
        for id in [1, 2, 3] {
            results.keep(id, at(0), &rows(1000), 30_000);
        }
        assert!(results.get(1, &at(0)).is_some());
        assert!(results.get(1, &at(1)).is_none(), "an input changed");
        results.keep(4, at(0), &rows(1000), 30_000);
        let kept = |id| results.status(id).bytes.is_some();
        assert_eq!([1, 2, 3, 4].map(kept), [true, false, true, true]);
        results.shrink_to(10_000);
        assert_eq!([1, 2, 3, 4].map(kept), [false, false, false, true]);
        // one that is larger than all room is computed, and not kept
        results.keep(4, at(1), &rows(10_000), 30_000);
        assert!(!kept(4));
        assert_eq!(results.status(4).computed, 2);
        assert_eq!(results.bytes(), 0);
    }
}
