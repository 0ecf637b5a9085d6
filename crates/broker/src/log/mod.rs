//! The log of one partition: segments of raw record batches on disk.
//!
//! - [`batch`] and [`records`] know the format, [`segment`] one file, [`producers`] what makes a retry harmless.
//! - An append is one `write` to the page cache before it is acknowledged: it survives the death of the process. [`PendingFlush::run`]
//!   brings it to the disk and is called on a timer and at shutdown: only a crash of the machine can lose the last moments.
//! - [`Log::open`] cuts off a batch that was being written when the process died. A damaged batch in the middle is set aside in
//!   a file of its own, with everything behind it.
//! - High watermark and end of the log are the same here: there is one replica.

pub mod batch;
pub mod lookup;
pub mod producers;
pub mod records;
pub mod segment;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::log::batch::BatchHeader;
use crate::log::lookup::{NewestLookup, TimeLookup};
use crate::log::producers::{Producers, SequenceError, Verdict};
use crate::log::segment::{AppendFailure, Ending, Segment, SegmentView};

const PRODUCERS_FILE: &str = "producers.json";
const START_FILE: &str = "start.json";

/// The log of one partition.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    /// Oldest first, never empty; the last one is appended to.
    segments: Vec<Segment>,
    start_offset: i64,
    producers: Producers,
    /// Full segments that are not known to be on disk yet.
    unsaved: Vec<Unsaved>,
    unflushed: bool,
    /// Set when the end of the file is not known any more; nothing is appended until the broker starts anew.
    broken: bool,
}

#[derive(Debug)]
struct Unsaved {
    base_offset: i64,
    file: Option<Arc<File>>,
    /// Producer state at the segment's end or later.
    producers: SavedProducers,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedProducers {
    /// The state holds every batch before this offset.
    offset: i64,
    producers: Producers,
}

#[derive(Serialize, Deserialize)]
struct SavedStart {
    start_offset: i64,
}

/// Where a batch ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Time at which the broker stamped it in milliseconds, -1 if the producer's timestamps stand.
    pub append_time: i64,
    /// First offset that can be read.
    pub start_offset: i64,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// An idempotent producer broke its sequence.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// The disk refused.
    #[error("cannot write to the log: {0}")]
    Io(#[from] io::Error),
    /// An earlier write failed half way.
    #[error("the log is closed for writing since a write failed half way")]
    Broken,
}

/// The offset asked for is not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset} is not between {start} and {end}")]
pub struct OffsetOutOfRange {
    /// Offset asked for.
    pub offset: i64,
    /// First offset there is.
    pub start: i64,
    /// One more than the last.
    pub end: i64,
}

/// What can be read from an offset on, fixed at the moment it was asked for; reading needs no lock.
#[derive(Debug)]
pub struct ReadPlan {
    offset: i64,
    views: Vec<SegmentView>,
}

impl ReadPlan {
    /// Reads whole batches that hold records from the offset on, up to `limit` bytes; with `at_least_one` also a first batch
    /// that is larger.
    pub fn read(mut self, limit: usize, at_least_one: bool) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        for view in &mut self.views {
            if view
                .seek(|header| header.last_offset() >= self.offset)?
                .is_none()
            {
                continue;
            }
            let left = limit.saturating_sub(bytes.len());
            let piece = view.read(left, at_least_one && bytes.is_empty())?;
            if piece.is_empty() {
                break;
            }
            if bytes.is_empty() {
                bytes = piece
            } else {
                bytes.extend_from_slice(&piece)
            }
        }
        Ok(bytes.into())
    }
}

impl Log {
    /// Opens the log in `dir`, which exists, and repairs its end.
    pub fn open(dir: &Path, now_ms: i64) -> io::Result<Self> {
        let mut bases = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let name = entry?.file_name();
            let base = name
                .to_str()
                .and_then(|name| name.strip_suffix(".log"))
                .and_then(|base| base.parse::<i64>().ok());
            bases.extend(base.filter(|base| *base >= 0));
        }
        bases.sort_unstable();
        let saved = files::read_json::<SavedProducers>(&dir.join(PRODUCERS_FILE)).unwrap_or_else(|error| {
            tracing::warn!(dir = %dir.display(), %error, "the saved producer state is unreadable; reading the log instead");
            None
        });
        let (known, mut producers) = saved.map_or((0, Producers::default()), |saved| {
            (saved.offset, saved.producers)
        });
        let start = files::read_json::<SavedStart>(&dir.join(START_FILE))?
            .map_or(0, |saved| saved.start_offset);

        let mut segments: Vec<Segment> = Vec::with_capacity(bases.len().max(1));
        let mut unsaved = Vec::new();
        let newest = bases.last().copied();
        for base in bases {
            let full = Some(base) != newest;
            if let Some(segment) = Segment::load_indexed(dir, base)
                .filter(|segment| full && segment.next_offset <= known)
            {
                segments.push(segment);
                continue;
            }
            let (segment, ending) = Segment::scan(dir, base, |header| {
                if header.base_offset >= known {
                    producers.appended(header, now_ms);
                }
            })?;
            if ending != Ending::Clean {
                repair(&segment, ending)?;
            }
            if full {
                let producers = SavedProducers {
                    offset: known.max(segment.next_offset),
                    producers: producers.clone(),
                };
                unsaved.push(Unsaved {
                    base_offset: base,
                    file: None,
                    producers,
                });
            }
            segments.push(segment);
        }
        if segments.is_empty() {
            segments.push(Segment::create(dir, start)?);
        } else if let Some(active) = newest {
            // What a killed process left in the page cache.
            File::open(segment::path_of(dir, active))?.sync_data()?;
        }
        let mut log = Self {
            dir: dir.to_owned(),
            start_offset: start.max(segments[0].base_offset),
            segments,
            producers,
            unsaved,
            unflushed: false,
            broken: false,
        };
        if log.start_offset > log.end_offset() {
            // The machine crashed after records were deleted and before the log's end was on disk: offsets are never given twice.
            let start = log.start_offset;
            log.segments.push(Segment::create(dir, start)?);
        }
        Ok(log)
    }

    /// First offset that can be read.
    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset that the next record gets; also the high watermark.
    pub fn end_offset(&self) -> i64 {
        self.active().next_offset
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    /// The largest producer id that wrote here.
    pub fn largest_producer_id(&self) -> Option<i64> {
        self.producers.largest_id()
    }

    fn active(&self) -> &Segment {
        // `segments` is never empty.
        &self.segments[self.segments.len() - 1]
    }

    /// Appends a checked batch: gives it its offsets, and its time if `append_time` is set (in milliseconds).
    pub fn append(
        &mut self,
        batch: &[u8],
        header: &BatchHeader,
        append_time: Option<i64>,
        now_ms: i64,
        segment_bytes: u64,
    ) -> Result<Appended, AppendError> {
        if self.broken {
            return Err(AppendError::Broken);
        }
        if let Verdict::Duplicate(base_offset, append_time) = self.producers.check(header)? {
            return Ok(Appended {
                base_offset,
                append_time,
                start_offset: self.start_offset,
            });
        }
        let base_offset = self.end_offset();
        if base_offset
            .checked_add(i64::from(header.record_count))
            .is_none()
        {
            return Err(AppendError::Broken);
        }
        let size = self.active().size;
        if size > 0 && size + header.size as u64 > segment_bytes {
            self.roll()?;
        }
        let mut placed = batch.to_vec();
        batch::place(&mut placed, base_offset);
        if let Some(time) = append_time {
            batch::stamp(&mut placed, time);
        }
        let header =
            BatchHeader::parse(&placed).ok_or(io::Error::from(io::ErrorKind::InvalidData))?;
        let last = self.segments.len() - 1;
        match self.segments[last].append(&placed, &header) {
            Ok(()) => {}
            Err(AppendFailure::Clean(error)) => return Err(error.into()),
            Err(AppendFailure::Unclean(error)) => {
                self.broken = true;
                return Err(error.into());
            }
        }
        self.unflushed = true;
        self.producers.appended(&header, now_ms);
        Ok(Appended {
            base_offset,
            append_time: append_time.unwrap_or(-1),
            start_offset: self.start_offset,
        })
    }

    /// What can be read from `offset` on.
    pub fn plan_read(&self, offset: i64, limit: usize) -> Result<ReadPlan, OffsetOutOfRange> {
        let (start, end) = (self.start_offset, self.end_offset());
        if offset < start || offset > end {
            return Err(OffsetOutOfRange { offset, start, end });
        }
        let mut views = Vec::new();
        let mut planned = 0u64;
        let first = self
            .segments
            .partition_point(|segment| segment.next_offset <= offset);
        for segment in &self.segments[first..] {
            if planned > limit as u64 {
                break;
            }
            planned += segment.bytes_from(offset);
            views.push(segment.view(offset));
        }
        Ok(ReadPlan { offset, views })
    }

    /// About how many bytes there are from `offset` on: exact at the end of the log, else too many by 16 KiB and a batch at most.
    pub fn bytes_from(&self, offset: i64) -> u64 {
        let first = self
            .segments
            .partition_point(|segment| segment.next_offset <= offset);
        self.segments[first..]
            .iter()
            .map(|segment| segment.bytes_from(offset))
            .sum()
    }

    /// Looks for the first record with at least this timestamp (milliseconds).
    pub fn at_time(&self, timestamp: i64) -> TimeLookup {
        let views = self
            .readable()
            .filter_map(|segment| segment.view_at_time(timestamp))
            .collect();
        TimeLookup {
            views,
            timestamp,
            start_offset: self.start_offset,
        }
    }

    /// Looks for the record with the largest timestamp; the first of them if there are several.
    pub fn at_newest(&self) -> NewestLookup {
        // The largest timestamp of one whose beginning is deleted may belong to a deleted record.
        let is_whole = |segment: &&Segment| segment.base_offset >= self.start_offset;
        let whole = self.readable().filter(is_whole);
        let newest = whole.map(|segment| segment.max_timestamp).max();
        let mut views = Vec::new();
        for segment in self.readable() {
            if !is_whole(&segment) {
                views.push(segment.view(self.start_offset));
            } else if Some(segment.max_timestamp) == newest {
                views.push(segment.view_at_newest());
                break;
            }
        }
        NewestLookup {
            views,
            start_offset: self.start_offset,
        }
    }

    fn readable(&self) -> impl Iterator<Item = &Segment> {
        let readable =
            |segment: &&Segment| segment.size > 0 && segment.next_offset > self.start_offset;
        self.segments.iter().filter(readable)
    }

    /// Deletes all records before `offset`, or all there are if it is -1. The new first offset.
    pub fn delete_before(&mut self, offset: i64) -> Result<i64, DeleteError> {
        let (start, end) = (self.start_offset, self.end_offset());
        let offset = if offset == -1 { end } else { offset };
        if offset < 0 || offset > end {
            return Err(OffsetOutOfRange { offset, start, end }.into());
        }
        if offset > start {
            files::write_json(
                &self.dir.join(START_FILE),
                &SavedStart {
                    start_offset: offset,
                },
            )?;
            self.start_offset = offset;
            if offset == end && self.active().size > 0 {
                self.roll()?;
            }
            self.drop_segments(|segment| segment.next_offset <= offset)?;
        }
        Ok(self.start_offset)
    }

    /// Deletes the oldest segments as long as the log has more than `max_bytes` without them, or their newest record is older
    /// than `max_age_ms`; -1 means no limit. The segment that is written to goes only by age.
    pub fn retain(&mut self, now_ms: i64, max_age_ms: i64, max_bytes: i64) -> io::Result<()> {
        let expired = |segment: &Segment| {
            max_age_ms >= 0
                && segment.size > 0
                && now_ms.saturating_sub(segment.max_timestamp) > max_age_ms
        };
        if expired(self.active()) {
            self.roll()?;
        }
        self.drop_segments(expired)?;
        if let Ok(max_bytes) = u64::try_from(max_bytes) {
            let mut excess = self.bytes().saturating_sub(max_bytes);
            self.drop_segments(|segment| match excess.checked_sub(segment.size) {
                Some(left) => {
                    excess = left;
                    true
                }
                None => false,
            })?;
        }
        Ok(())
    }

    /// Forgets producers that have been silent for a day.
    pub fn expire_producers(&mut self, now_ms: i64) {
        self.producers.expire(now_ms);
    }

    /// Drops segments from the oldest on while `gone` holds; never the one that is appended to.
    fn drop_segments(&mut self, mut gone: impl FnMut(&Segment) -> bool) -> io::Result<()> {
        while self.segments.len() > 1 && gone(&self.segments[0]) {
            // The file goes first: a start offset without the file would be right again at the next start, not so the reverse.
            self.segments[0].delete()?;
            let dropped = self.segments.remove(0);
            self.unsaved
                .retain(|unsaved| unsaved.base_offset != dropped.base_offset);
            self.start_offset = self.start_offset.max(self.segments[0].base_offset);
        }
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        let next = Segment::create(&self.dir, self.end_offset())?;
        let last = self.segments.len() - 1;
        let file = self.segments[last].seal();
        let base_offset = self.segments[last].base_offset;
        let producers = SavedProducers {
            offset: next.base_offset,
            producers: self.producers.clone(),
        };
        self.unsaved.push(Unsaved {
            base_offset,
            file,
            producers,
        });
        self.segments.push(next);
        Ok(())
    }

    /// Takes what must be brought to disk; [`PendingFlush::run`] does it without holding the log.
    pub fn take_unflushed(&mut self) -> Option<PendingFlush> {
        if !self.unflushed && self.unsaved.is_empty() {
            return None;
        }
        self.unflushed = false;
        let full = std::mem::take(&mut self.unsaved)
            .into_iter()
            .filter_map(|unsaved| {
                let segment = self
                    .segments
                    .iter()
                    .find(|segment| segment.base_offset == unsaved.base_offset)?;
                Some((segment.clone(), unsaved))
            });
        Some(PendingFlush {
            dir: self.dir.clone(),
            full: full.collect(),
            active: self.active().append_file(),
        })
    }

    /// Says that a flush failed, so that the next one tries again.
    pub fn flush_failed(&mut self) {
        self.unflushed = true;
    }
}

/// Why records were not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// There is no such offset.
    #[error(transparent)]
    OutOfRange(#[from] OffsetOutOfRange),
    /// The disk refused.
    #[error("cannot delete from the log: {0}")]
    Io(#[from] io::Error),
}

/// Data that is written but perhaps not on disk yet.
#[derive(Debug)]
pub struct PendingFlush {
    dir: PathBuf,
    full: Vec<(Segment, Unsaved)>,
    active: Option<Arc<File>>,
}

impl PendingFlush {
    /// Brings it to disk: full segments first, then their producer state, then their indexes, so that an index vouches for both.
    pub fn run(self) -> io::Result<()> {
        for (segment, unsaved) in self.full {
            match unsaved.file {
                Some(file) => file.sync_data()?,
                None => match File::open(segment::path_of(&self.dir, segment.base_offset)) {
                    Ok(file) => file.sync_data()?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                },
            }
            files::write_json(&self.dir.join(PRODUCERS_FILE), &unsaved.producers)?;
            segment.save_index()?;
        }
        match self.active {
            Some(file) => file.sync_data(),
            None => Ok(()),
        }
    }
}

fn repair(segment: &Segment, ending: Ending) -> io::Result<()> {
    let path = segment::path_of(Path::new(""), segment.base_offset);
    let (offset, position) = (segment.next_offset, segment.size);
    if ending == Ending::Damaged {
        let aside = segment.set_aside_rest()?;
        tracing::error!(segment = %path.display(), offset, position, set_aside = %aside.display(),
            "a batch is damaged; the log ends before it, the rest is set aside");
    } else {
        tracing::warn!(segment = %path.display(), offset, position, "cut off a batch that was being written");
    }
    segment.cut()
}
