//! Record batches (Kafka message format v2): the 61-byte header, and what a broker must check before it keeps one.
//!
//! ```text
//! 0 base offset i64 | 8 length i32 (of what follows) | 12 leader epoch i32 | 16 magic i8 | 17 crc u32 (of what follows)
//! 21 attributes i16 | 23 last offset delta i32 | 27 base timestamp i64 | 35 max timestamp i64
//! 43 producer id i64 | 51 producer epoch i16 | 53 base sequence i32 | 57 record count i32 | 61 records, perhaps compressed
//! ```
//!
//! Base offset and leader epoch lie outside the checksum, so the broker sets them without touching the rest.

use crate::log::records;

/// Bytes before the records.
pub const HEADER_LEN: usize = 61;
/// Bytes of a batch that its length field does not count: base offset and the field itself.
pub const LENGTH_OVERHEAD: usize = 12;
/// The only leader epoch of a broker that is always the leader.
pub const LEADER_EPOCH: i32 = 0;

const CRC_START: usize = 21;
const ATTRIBUTE_LOG_APPEND_TIME: i16 = 0x08;
const ATTRIBUTE_TRANSACTIONAL: i16 = 0x10;
const ATTRIBUTE_CONTROL: i16 = 0x20;

/// The fields of a batch header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Whole size in bytes, header included.
    pub size: usize,
    /// Format version; this broker keeps version 2 only.
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Compression, timestamp type and flags.
    pub attributes: i16,
    /// Offset of the last record, relative to the first.
    pub last_offset_delta: i32,
    /// Timestamp that the records' deltas refer to, in milliseconds.
    pub base_timestamp: i64,
    /// Largest timestamp of the batch, in milliseconds.
    pub max_timestamp: i64,
    /// Id of an idempotent producer, or -1.
    pub producer_id: i64,
    /// Epoch of that producer, or -1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: i32,
}

/// Why a produced batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Shorter than its header or its own length field says, or its checksum is wrong.
    #[error("the batch is damaged")]
    Corrupt,
    /// Not message format v2.
    #[error("message format v{0} is not supported; use v2")]
    Format(i8),
    /// Larger than the topic's `max.message.bytes`.
    #[error("the batch has {size} bytes, the topic takes at most {limit}")]
    TooLarge {
        /// Size of the batch.
        size: usize,
        /// The topic's limit.
        limit: usize,
    },
    /// Header and records contradict one another.
    #[error("the batch is not valid: {0}")]
    Invalid(&'static str),
    /// A transactional batch.
    #[error("transactions are not supported")]
    Transactional,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

impl BatchHeader {
    /// Reads a header; `None` if there are fewer than 61 bytes or the length field cannot be right.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER_LEN {
            return None;
        }
        let length = i32::from_be_bytes(array(bytes, 8));
        let size = usize::try_from(length).ok()?.checked_add(LENGTH_OVERHEAD)?;
        if size < HEADER_LEN {
            return None;
        }
        Some(Self {
            base_offset: i64::from_be_bytes(array(bytes, 0)),
            size,
            magic: bytes[16] as i8,
            crc: u32::from_be_bytes(array(bytes, 17)),
            attributes: i16::from_be_bytes(array(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(array(bytes, 23)),
            base_timestamp: i64::from_be_bytes(array(bytes, 27)),
            max_timestamp: i64::from_be_bytes(array(bytes, 35)),
            producer_id: i64::from_be_bytes(array(bytes, 43)),
            producer_epoch: i16::from_be_bytes(array(bytes, 51)),
            base_sequence: i32::from_be_bytes(array(bytes, 53)),
            record_count: i32::from_be_bytes(array(bytes, 57)),
        })
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Sequence number of the last record (sequences wrap to 0 after `i32::MAX`).
    pub fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        (last % (i64::from(i32::MAX) + 1)) as i32
    }

    /// Compression codec number, 0 (none) to 4 (zstd); 5 to 7 are not defined.
    pub fn codec(&self) -> i16 {
        self.attributes & 0x07
    }

    /// Whether all records carry the time at which the broker got them.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & ATTRIBUTE_LOG_APPEND_TIME != 0
    }

    /// Whether the batch comes from an idempotent producer.
    pub fn is_idempotent(&self) -> bool {
        self.producer_id >= 0
    }
}

/// Whether the checksum of a whole batch is right.
pub fn crc_matches(batch: &[u8], header: &BatchHeader) -> bool {
    batch.len() == header.size && crc32c::crc32c(&batch[CRC_START..]) == header.crc
}

/// Checks one batch as a producer sent it: exactly one, whole, of format v2, within `limit` bytes, with consistent counts.
pub fn check_produced(batch: &[u8], limit: usize) -> Result<BatchHeader, BatchError> {
    if batch.len() > 16 && batch[16] != 2 {
        return Err(BatchError::Format(batch[16] as i8));
    }
    let header = BatchHeader::parse(batch).ok_or(BatchError::Corrupt)?;
    if header.size > limit {
        return Err(BatchError::TooLarge {
            size: header.size,
            limit,
        });
    }
    if batch.len() > header.size {
        return Err(BatchError::Invalid(
            "a partition takes one batch per request",
        ));
    }
    if !crc_matches(batch, &header) {
        return Err(BatchError::Corrupt);
    }
    if header.attributes & ATTRIBUTE_CONTROL != 0 {
        return Err(BatchError::Invalid("control batches are the broker's own"));
    }
    if header.attributes & ATTRIBUTE_TRANSACTIONAL != 0 {
        return Err(BatchError::Transactional);
    }
    if header.record_count < 1 || header.last_offset_delta != header.record_count - 1 {
        return Err(BatchError::Invalid(
            "record count and last offset delta differ",
        ));
    }
    if header.is_idempotent() && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return Err(BatchError::Invalid(
            "a producer id needs an epoch and a sequence",
        ));
    }
    match header.codec() {
        0 => {
            let expected = usize::try_from(header.record_count).unwrap_or(usize::MAX);
            if records::count(&batch[HEADER_LEN..]) != Some(expected) {
                return Err(BatchError::Invalid(
                    "the records do not match the record count",
                ));
            }
        }
        1..=4 => {
            if header.record_count as usize > records::MAX_RECORDS {
                return Err(BatchError::Invalid("too many records in one batch"));
            }
        }
        _ => return Err(BatchError::Invalid("unknown compression")),
    }
    Ok(header)
}

/// Gives a batch its place in the log.
pub fn place(batch: &mut [u8], base_offset: i64) {
    batch[0..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[12..16].copy_from_slice(&LEADER_EPOCH.to_be_bytes());
}

/// Marks a batch as stamped by the broker at `now_ms` and renews its checksum.
pub fn stamp(batch: &mut [u8], now_ms: i64) {
    let attributes = i16::from_be_bytes(array(batch, 21)) | ATTRIBUTE_LOG_APPEND_TIME;
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[35..43].copy_from_slice(&now_ms.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_START..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}
