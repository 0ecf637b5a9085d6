//! A file of records: a header with the format's version, then records with a length and two checksums each.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::StorageError;

const MAGIC: &[u8; 8] = b"rwtstore";
/// The format this code writes, and the newest it reads.
pub(super) const FORMAT: u32 = 2;
const FILE_HEADER: usize = 12;
const RECORD_MAGIC: [u8; 4] = *b"rec1";
/// `rec1`, payload length, CRC32 of the payload, CRC32 of these twelve bytes.
const RECORD_HEADER: usize = 16;

/// A file that is open for appending.
#[derive(Debug)]
pub(super) struct RecordFile {
    file: File,
    path: PathBuf,
    length: u64,
}

/// What a file holds.
pub(super) struct Contents {
    bytes: Vec<u8>,
    /// Where the payloads of the complete records are.
    records: Vec<Range<usize>>,
    end: usize,
}

impl Contents {
    /// The payloads of the complete records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().map(|range| &self.bytes[range.clone()])
    }

    /// Where the last complete record ends.
    pub fn end(&self) -> u64 {
        self.end as u64
    }

    /// Bytes behind that.
    pub fn tail(&self) -> &[u8] {
        &self.bytes[self.end..]
    }
}

pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StorageError {
    let path = path.to_owned();
    move |source| StorageError::Io {
        action,
        path,
        source,
    }
}

impl RecordFile {
    /// A new file, with its header on disk.
    pub fn create(path: &Path) -> Result<Self, StorageError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(io("create", path))?;
        let mut header = MAGIC.to_vec();
        header.extend(FORMAT.to_le_bytes());
        file.write_all(&header).map_err(io("write", path))?;
        file.sync_all().map_err(io("write", path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            length: FILE_HEADER as u64,
        })
    }

    /// An existing file, to be continued behind byte `end`.
    pub fn append_to(path: &Path, end: u64) -> Result<Self, StorageError> {
        let mut file = OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(io("open", path))?;
        file.set_len(end).map_err(io("truncate", path))?;
        file.seek(SeekFrom::Start(end)).map_err(io("open", path))?;
        file.sync_all().map_err(io("write", path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            length: end,
        })
    }

    /// Bytes in the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Writes one record. A write that fails half way is taken back, so that the next one finds a sound end.
    pub fn append(&mut self, payload: &[u8]) -> Result<(), StorageError> {
        let length = u32::try_from(payload.len())
            .map_err(|_| StorageError::Encoding("a checkpoint of more than 4 GB".into()))?;
        let mut header = Vec::with_capacity(RECORD_HEADER);
        header.extend(RECORD_MAGIC);
        header.extend(length.to_le_bytes());
        header.extend(crc32fast::hash(payload).to_le_bytes());
        header.extend(crc32fast::hash(&header).to_le_bytes());
        let written = self
            .file
            .write_all(&header)
            .and_then(|()| self.file.write_all(payload));
        if let Err(error) = written {
            let _ = self.file.set_len(self.length);
            let _ = self.file.seek(SeekFrom::Start(self.length));
            return Err(io("write", &self.path)(error));
        }
        self.length += (RECORD_HEADER + payload.len()) as u64;
        Ok(())
    }

    /// Makes what was written survive a crash of the machine.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.file.sync_data().map_err(io("write", &self.path))
    }
}

/// Reads a file's records. A record that is cut off or damaged is the end, unless a sound record stands behind it: then
/// the file is damaged, and refused.
pub(super) fn read(path: &Path) -> Result<Contents, StorageError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut f| f.read_to_end(&mut bytes))
        .map_err(io("read", path))?;
    if bytes.len() < FILE_HEADER && (MAGIC.starts_with(&bytes) || bytes.starts_with(MAGIC)) {
        return Ok(Contents {
            bytes,
            records: Vec::new(),
            end: 0,
        });
    }
    if !bytes.starts_with(MAGIC) {
        return Err(StorageError::Damaged {
            path: path.to_owned(),
            offset: 0,
            reason: "it does not begin as a file of rwt does".into(),
        });
    }
    let found = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    if found > FORMAT {
        return Err(StorageError::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        });
    }
    let mut records = Vec::new();
    let mut at = FILE_HEADER;
    while let Some(payload) = record_at(&bytes, at) {
        at = payload.end;
        records.push(payload);
    }
    let sound_behind = (at + 1..bytes.len())
        .filter(|i| bytes[*i..].starts_with(&RECORD_MAGIC))
        .any(|i| record_at(&bytes, i).is_some());
    if sound_behind {
        return Err(StorageError::Damaged {
            path: path.to_owned(),
            offset: at as u64,
            reason: "a record does not match its checksum, and sound records follow it".into(),
        });
    }
    Ok(Contents {
        bytes,
        records,
        end: at,
    })
}

/// Where the payload of the record at `at` is, if it is complete and sound.
fn record_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let header: &[u8; RECORD_HEADER] = bytes.get(at..)?.first_chunk()?;
    let word =
        |i: usize| u32::from_le_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
    if header[..4] != RECORD_MAGIC || word(12) != crc32fast::hash(&header[..12]) {
        return None;
    }
    let start = at + RECORD_HEADER;
    let end = start.checked_add(usize::try_from(word(4)).ok()?)?;
    let payload = bytes.get(start..end)?;
    (word(8) == crc32fast::hash(payload)).then_some(start..end)
}
