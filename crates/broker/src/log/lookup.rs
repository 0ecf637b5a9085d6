//! Finding one record by its time. A lookup is taken from the log and then runs without holding it.

use std::io;

use crate::log::batch::BatchHeader;
use crate::log::records::{self, RecordPlace};
use crate::log::segment::SegmentView;

/// Looks for the first record that is late enough.
#[derive(Debug)]
pub struct TimeLookup {
    /// Where it may be, oldest first; each starts at or before the first batch that is late enough.
    pub(super) views: Vec<SegmentView>,
    /// Smallest timestamp, in milliseconds.
    pub(super) timestamp: i64,
    pub(super) start_offset: i64,
}

impl TimeLookup {
    /// The record, or `None` if none is late enough.
    pub fn find(self) -> io::Result<Option<RecordPlace>> {
        let start = self.start_offset;
        for mut view in self.views {
            let mut passed = i64::MIN;
            while let Some(header) = view.seek(|header| {
                header.base_offset > passed
                    && header.max_timestamp >= self.timestamp
                    && header.last_offset() >= start
            })? {
                let late = |record: &RecordPlace| {
                    record.offset >= start && record.timestamp >= self.timestamp
                };
                if let Some(found) = first_in_batch(&view, &header, start, late)? {
                    return Ok(Some(found));
                }
                passed = header.base_offset;
            }
        }
        Ok(None)
    }
}

/// Looks for the record with the largest timestamp.
#[derive(Debug)]
pub struct NewestLookup {
    /// Where it may be, oldest first.
    pub(super) views: Vec<SegmentView>,
    pub(super) start_offset: i64,
}

impl NewestLookup {
    /// The first record that has the largest timestamp, or `None` if there are no records.
    pub fn find(self) -> io::Result<Option<RecordPlace>> {
        let start = self.start_offset;
        let mut best: Option<RecordPlace> = None;
        let mut newest: Option<(SegmentView, BatchHeader)> = None;
        for mut view in self.views {
            let whole = view.clone();
            if let Some(header) = view.seek(|header| header.last_offset() >= start)?
                && header.base_offset < start
            {
                // Part of this batch is deleted, so its own largest timestamp does not count.
                let batch = view.read(header.size, true)?;
                records::for_each(&batch, &header, |record| {
                    if record.offset >= start
                        && best.is_none_or(|best| best.timestamp < record.timestamp)
                    {
                        best = Some(record);
                    }
                    true
                });
            }
            let mut top = newest.as_ref().map(|(_, header)| *header);
            view.seek(|header| {
                if header.base_offset >= start
                    && top.is_none_or(|top| top.max_timestamp < header.max_timestamp)
                {
                    top = Some(*header);
                }
                false
            })?;
            if top != newest.as_ref().map(|(_, header)| *header) {
                newest = top.map(|header| (whole, header));
            }
        }
        let Some((mut view, header)) = newest else {
            return Ok(best);
        };
        if best.is_some_and(|best| best.timestamp >= header.max_timestamp) {
            return Ok(best);
        }
        view.seek(|other| other.base_offset == header.base_offset)?;
        first_in_batch(&view, &header, start, |record| {
            record.timestamp >= header.max_timestamp
        })
    }
}

/// The first wanted record of the batch at the start of `view`. If the batch cannot be unfolded, its own bounds are the answer.
fn first_in_batch(
    view: &SegmentView,
    header: &BatchHeader,
    start: i64,
    wanted: impl Fn(&RecordPlace) -> bool,
) -> io::Result<Option<RecordPlace>> {
    let batch = view.read(header.size, true)?;
    let mut found = None;
    let readable = records::for_each(&batch, header, |record| {
        found = wanted(&record).then_some(record);
        found.is_none()
    });
    if !readable && found.is_none() {
        found = Some(RecordPlace {
            offset: header.base_offset.max(start),
            timestamp: header.max_timestamp,
        });
    }
    Ok(found)
}
