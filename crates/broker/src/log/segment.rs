//! One file of a partition's log, `<base offset, 20 digits>.log`: whole batches, one after the other, and the sparse index to it.
//!
//! The index is kept in memory: one mark per 16 KiB of log with offset, file position and the largest timestamp so far. Once a
//! segment is full and on disk its index is saved beside it as `.index`, bound to the segment's length; a segment without a
//! valid one is read through again, batch by batch.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::log::batch::{self, BatchHeader, HEADER_LEN};

/// Bytes of log per index mark.
const MARK_EVERY: u64 = 16 * 1024;
/// Bytes read at a time when headers are walked.
const WALK_CHUNK: usize = 16 * 1024;
const INDEX_MAGIC: &[u8; 8] = b"rwtidx\x00\x01";

/// An entry of the sparse index: the batch at `position` starts with `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    offset: i64,
    position: u64,
    /// Largest timestamp of all batches of the segment before this one, `i64::MIN` for the first.
    newest_before: i64,
}

/// A segment: where it is and what is in it.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Offset that the file is named after; none of its records has a smaller one.
    pub base_offset: i64,
    /// Bytes of whole batches.
    pub size: u64,
    /// One more than the last offset.
    pub next_offset: i64,
    /// Largest timestamp, `i64::MIN` if the segment is empty.
    pub max_timestamp: i64,
    /// Base offset of the first batch that has it.
    max_timestamp_batch: i64,
    path: PathBuf,
    /// Open for the segment that is appended to; others are opened for each read, so that a long log needs few descriptors.
    file: Option<Arc<File>>,
    marks: Vec<Mark>,
}

/// How reading through a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every byte belongs to a good batch.
    Clean,
    /// The last batch is cut off: the write was interrupted.
    Torn,
    /// A whole batch is damaged, and there is more after it.
    Damaged,
}

/// Path of the segment that starts at `base_offset`.
pub fn path_of(dir: &Path, base_offset: i64) -> PathBuf {
    dir.join(format!("{base_offset:020}.log"))
}

impl Segment {
    /// Creates an empty segment to append to.
    pub fn create(dir: &Path, base_offset: i64) -> io::Result<Self> {
        let mut segment = Self::blank(dir, base_offset);
        segment.open_for_append()?;
        Ok(segment)
    }

    fn blank(dir: &Path, base_offset: i64) -> Self {
        Self {
            base_offset,
            size: 0,
            next_offset: base_offset,
            max_timestamp: i64::MIN,
            max_timestamp_batch: base_offset,
            path: path_of(dir, base_offset),
            file: None,
            marks: Vec::new(),
        }
    }

    /// Loads a full segment by its saved index; `None` if there is none that fits the file.
    pub fn load_indexed(dir: &Path, base_offset: i64) -> Option<Self> {
        let mut segment = Self::blank(dir, base_offset);
        let length = std::fs::metadata(&segment.path).ok()?.len();
        let bytes = std::fs::read(segment.index_path()).ok()?;
        segment.decode_index(&bytes)?;
        (segment.size == length).then_some(segment)
    }

    /// Reads a segment through, checks every checksum and builds the index; `visit` sees each good header. What follows the last
    /// good batch is not part of the segment; the caller decides about it.
    pub fn scan(
        dir: &Path,
        base_offset: i64,
        mut visit: impl FnMut(&BatchHeader),
    ) -> io::Result<(Self, Ending)> {
        let mut segment = Self::blank(dir, base_offset);
        let file = File::open(&segment.path)?;
        let length = file.metadata()?.len();
        let mut buffer = Vec::new();
        let ending = loop {
            let left = length - segment.size;
            if left == 0 {
                break Ending::Clean;
            }
            if left < HEADER_LEN as u64 {
                break Ending::Torn;
            }
            let mut head = [0; HEADER_LEN];
            file.read_exact_at(&mut head, segment.size)?;
            let Some(header) = BatchHeader::parse(&head) else {
                break if head.iter().all(|&byte| byte == 0) {
                    Ending::Torn
                } else {
                    Ending::Damaged
                };
            };
            if header.size as u64 > left {
                break Ending::Torn;
            }
            buffer.resize(header.size, 0);
            file.read_exact_at(&mut buffer, segment.size)?;
            let sound = header.magic == 2
                && header.last_offset_delta >= 0
                // The checksum does not cover the offset, but batches follow one another without a gap.
                && header.base_offset == segment.next_offset
                && batch::crc_matches(&buffer, &header);
            if !sound {
                break if header.size as u64 == left {
                    Ending::Torn
                } else {
                    Ending::Damaged
                };
            }
            segment.note(&header);
            visit(&header);
        };
        Ok((segment, ending))
    }

    /// Opens the file for appending, creates it if need be and cuts off what lies behind the last good batch.
    pub fn open_for_append(&mut self) -> io::Result<()> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        if file.metadata()?.len() > self.size {
            file.set_len(self.size)?;
        }
        self.file = Some(Arc::new(file));
        Ok(())
    }

    /// Appends a whole batch. If the write fails the file is cut back to what it was; an error then leaves it unusable.
    pub fn append(&mut self, bytes: &[u8], header: &BatchHeader) -> Result<(), AppendFailure> {
        if self.file.is_none() {
            self.open_for_append().map_err(AppendFailure::Clean)?;
        }
        let Some(file) = &self.file else {
            return Err(AppendFailure::Clean(io::ErrorKind::NotFound.into()));
        };
        if let Err(error) = file.write_all_at(bytes, self.size) {
            return Err(match file.set_len(self.size) {
                Ok(()) => AppendFailure::Clean(error),
                Err(_) => AppendFailure::Unclean(error),
            });
        }
        self.note(header);
        Ok(())
    }

    /// Takes a batch that lies at `self.size` into size, offsets, times and index.
    fn note(&mut self, header: &BatchHeader) {
        let due = self
            .marks
            .last()
            .is_none_or(|mark| self.size - mark.position >= MARK_EVERY);
        if due {
            self.marks.push(Mark {
                offset: header.base_offset,
                position: self.size,
                newest_before: self.max_timestamp,
            });
        }
        if header.max_timestamp > self.max_timestamp {
            self.max_timestamp = header.max_timestamp;
            self.max_timestamp_batch = header.base_offset;
        }
        self.size += header.size as u64;
        self.next_offset = header.last_offset() + 1;
    }

    /// Closes the file for appending; readers that hold it go on. Returns it so that it can be brought to disk.
    pub fn seal(&mut self) -> Option<Arc<File>> {
        self.file.take()
    }

    /// The file that is appended to.
    pub fn append_file(&self) -> Option<Arc<File>> {
        self.file.clone()
    }

    /// A view of what is in the segment now, to be read without holding the log.
    pub fn view(&self, offset: i64) -> SegmentView {
        SegmentView {
            path: self.path.clone(),
            file: self.file.clone(),
            position: self.position_before(offset),
            end: self.size,
        }
    }

    /// Position of the last mark at or before `offset`.
    fn position_before(&self, offset: i64) -> u64 {
        let after = self.marks.partition_point(|mark| mark.offset <= offset);
        after.checked_sub(1).map_or(0, |at| self.marks[at].position)
    }

    /// At most so many bytes hold the records from `offset` on; too many by an index interval at most.
    pub fn bytes_from(&self, offset: i64) -> u64 {
        self.size - self.position_before(offset)
    }

    /// A view that starts at or before the first batch with a timestamp of at least `timestamp`; `None` if there is none.
    pub fn view_at_time(&self, timestamp: i64) -> Option<SegmentView> {
        if self.max_timestamp < timestamp {
            return None;
        }
        let after = self
            .marks
            .partition_point(|mark| mark.newest_before < timestamp);
        let position = after.checked_sub(1).map_or(0, |at| self.marks[at].position);
        Some(SegmentView {
            position,
            ..self.view(self.base_offset)
        })
    }

    /// A view that starts at or before the batch that holds the segment's largest timestamp.
    pub fn view_at_newest(&self) -> SegmentView {
        self.view(self.max_timestamp_batch)
    }

    /// Removes the files. Readers that have the segment open can finish.
    pub fn delete(&self) -> io::Result<()> {
        let _ = std::fs::remove_file(self.index_path());
        std::fs::remove_file(&self.path)
    }

    /// Saves the index of a full segment. The segment itself must be on disk already.
    pub fn save_index(&self) -> io::Result<()> {
        crate::files::write_atomically(&self.index_path(), &self.encode_index())
    }

    /// Copies everything behind the last good batch to a file beside the segment and returns its path.
    pub fn set_aside_rest(&self) -> io::Result<PathBuf> {
        let kept = self.path.with_extension(format!("damaged-{}", self.size));
        let mut from = File::open(&self.path)?;
        io::Seek::seek(&mut from, io::SeekFrom::Start(self.size))?;
        io::copy(&mut from, &mut File::create(&kept)?)?;
        Ok(kept)
    }

    /// Cuts off what lies behind the last good batch.
    pub fn cut(&self) -> io::Result<()> {
        OpenOptions::new()
            .write(true)
            .open(&self.path)?
            .set_len(self.size)
    }

    fn index_path(&self) -> PathBuf {
        self.path.with_extension("index")
    }

    fn encode_index(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.marks.len() * 24);
        bytes.extend_from_slice(INDEX_MAGIC);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        for value in [
            self.next_offset,
            self.max_timestamp,
            self.max_timestamp_batch,
        ] {
            bytes.extend_from_slice(&value.to_be_bytes());
        }
        for mark in &self.marks {
            bytes.extend_from_slice(&mark.offset.to_be_bytes());
            bytes.extend_from_slice(&mark.position.to_be_bytes());
            bytes.extend_from_slice(&mark.newest_before.to_be_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes
    }

    fn decode_index(&mut self, bytes: &[u8]) -> Option<()> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
            return None;
        }
        let fields = body.strip_prefix(INDEX_MAGIC)?;
        let mut fields = fields
            .as_chunks::<8>()
            .0
            .iter()
            .map(|field| i64::from_be_bytes(*field));
        self.size = fields.next()? as u64;
        self.next_offset = fields.next()?;
        self.max_timestamp = fields.next()?;
        self.max_timestamp_batch = fields.next()?;
        while let Some(offset) = fields.next() {
            self.marks.push(Mark {
                offset,
                position: fields.next()? as u64,
                newest_before: fields.next()?,
            });
        }
        Some(())
    }
}

/// How an append failed.
#[derive(Debug)]
pub enum AppendFailure {
    /// The file is as it was before.
    Clean(io::Error),
    /// The file may end in a piece of a batch that could not be cut off.
    Unclean(io::Error),
}

/// A stretch of a segment, fixed at the moment it was taken.
#[derive(Debug, Clone)]
pub struct SegmentView {
    path: PathBuf,
    file: Option<Arc<File>>,
    position: u64,
    end: u64,
}

impl SegmentView {
    fn open(&self) -> io::Result<Arc<File>> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => Ok(Arc::new(File::open(&self.path)?)),
        }
    }

    /// Finds the first batch for which `wanted` holds and moves the view's start there; its header, or `None` if there is none.
    pub fn seek(
        &mut self,
        mut wanted: impl FnMut(&BatchHeader) -> bool,
    ) -> io::Result<Option<BatchHeader>> {
        let file = self.open()?;
        self.file = Some(file.clone());
        let mut chunk = vec![0; WALK_CHUNK];
        let (mut start, mut filled) = (self.position, 0usize);
        while self.position + HEADER_LEN as u64 <= self.end {
            if self.position + HEADER_LEN as u64 > start + filled as u64 {
                start = self.position;
                filled = usize::try_from(self.end - start)
                    .map_or(WALK_CHUNK, |left| left.min(WALK_CHUNK));
                file.read_exact_at(&mut chunk[..filled], start)?;
            }
            let at = (self.position - start) as usize;
            let header =
                BatchHeader::parse(&chunk[at..filled]).ok_or(io::ErrorKind::InvalidData)?;
            if wanted(&header) {
                return Ok(Some(header));
            }
            self.position += header.size as u64;
        }
        Ok(None)
    }

    /// Reads whole batches from the view's start, up to `limit` bytes; if the first one alone is larger, that one when
    /// `at_least_one` is set and nothing otherwise.
    pub fn read(&self, limit: usize, at_least_one: bool) -> io::Result<Vec<u8>> {
        let file = self.open()?;
        let available = self.end.saturating_sub(self.position);
        let wanted = available.min(limit as u64) as usize;
        let mut bytes = vec![0; wanted];
        file.read_exact_at(&mut bytes, self.position)?;
        let mut whole = 0;
        while let Some(header) = BatchHeader::parse(&bytes[whole..]) {
            if whole + header.size > bytes.len() {
                break;
            }
            whole += header.size;
        }
        bytes.truncate(whole);
        if whole == 0 && at_least_one && available >= HEADER_LEN as u64 {
            let mut head = [0; HEADER_LEN];
            file.read_exact_at(&mut head, self.position)?;
            let header = BatchHeader::parse(&head).ok_or(io::ErrorKind::InvalidData)?;
            bytes = vec![0; header.size];
            file.read_exact_at(&mut bytes, self.position)?;
        }
        Ok(bytes)
    }
}
