//! The records inside a batch, as far as a broker looks at them: how many there are, and each one's offset and timestamp.
//!
//! Decompression is bounded, because a few kilobytes can unfold to gigabytes.

use std::io::Read;

use crate::log::batch::{BatchHeader, HEADER_LEN};

/// Most records that a compressed batch may announce.
pub const MAX_RECORDS: usize = 1 << 24;
/// Most bytes that a batch is unfolded to when a timestamp is looked for in it.
const MAX_UNFOLDED: u64 = 256 << 20;
/// Start of the framing that Java's snappy stream writes: this, two i32 versions, then chunks of i32 length and snappy block.
const SNAPPY_STREAM: &[u8; 8] = b"\x82SNAPPY\0";

/// Place and time of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// Offset in the partition.
    pub offset: i64,
    /// Timestamp in milliseconds.
    pub timestamp: i64,
}

fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value: u64 = 0;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// Takes one record off the front: its timestamp delta and offset delta.
fn next_record(bytes: &mut &[u8]) -> Option<(i64, i64)> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    if bytes.len() < length {
        return None;
    }
    let (mut record, rest) = bytes.split_at(length);
    *bytes = rest;
    let (_attributes, after) = record.split_first()?;
    record = after;
    let timestamp = varint(&mut record)?;
    let offset = varint(&mut record)?;
    Some((timestamp, offset))
}

/// Number of records in an uncompressed payload; `None` if they are not well framed or their offsets are not 0, 1, 2, ….
pub fn count(mut payload: &[u8]) -> Option<usize> {
    let mut seen = 0;
    while !payload.is_empty() {
        let (_, offset) = next_record(&mut payload)?;
        if usize::try_from(offset) != Ok(seen) {
            return None;
        }
        seen += 1;
    }
    Some(seen)
}

/// Calls `visit` for each record of a whole batch until it returns false. False if the records cannot be read.
pub fn for_each(
    batch: &[u8],
    header: &BatchHeader,
    mut visit: impl FnMut(RecordPlace) -> bool,
) -> bool {
    let unfolded;
    let mut payload = &batch[HEADER_LEN..];
    if header.codec() != 0 {
        match unfold(payload, header.codec()) {
            Some(bytes) => {
                unfolded = bytes;
                payload = &unfolded;
            }
            None => return false,
        }
    }
    for _ in 0..header.record_count {
        let Some((timestamp, offset)) = next_record(&mut payload) else {
            return false;
        };
        let timestamp = if header.is_log_append_time() {
            header.max_timestamp
        } else {
            header.base_timestamp.saturating_add(timestamp)
        };
        if !visit(RecordPlace {
            offset: header.base_offset.saturating_add(offset),
            timestamp,
        }) {
            return true;
        }
    }
    true
}

fn unfold(payload: &[u8], codec: i16) -> Option<Vec<u8>> {
    match codec {
        1 => read_bounded(flate2::read::MultiGzDecoder::new(payload)),
        2 => unfold_snappy(payload),
        3 => read_bounded(lz4::Decoder::new(payload).ok()?),
        4 => read_bounded(zstd::stream::read::Decoder::new(payload).ok()?),
        _ => None,
    }
}

fn read_bounded(reader: impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.take(MAX_UNFOLDED + 1).read_to_end(&mut bytes).ok()?;
    (read as u64 <= MAX_UNFOLDED).then_some(bytes)
}

fn unfold_snappy(payload: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = snap::raw::Decoder::new();
    let mut block = |block: &[u8], unfolded: &mut Vec<u8>| {
        let length = snap::raw::decompress_len(block).ok()?;
        if (unfolded.len() + length) as u64 > MAX_UNFOLDED {
            return None;
        }
        let start = unfolded.len();
        unfolded.resize(start + length, 0);
        decoder.decompress(block, &mut unfolded[start..]).ok()
    };
    let mut unfolded = Vec::new();
    if !payload.starts_with(SNAPPY_STREAM) {
        block(payload, &mut unfolded)?;
        return Some(unfolded);
    }
    let mut rest = payload.get(16..)?;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        block(after.get(..length)?, &mut unfolded)?;
        rest = &after[length..];
    }
    Some(unfolded)
}
