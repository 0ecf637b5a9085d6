//! The log against a model of it: a list of records.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;

use crate::log::batch::check_produced;
use crate::log::segment::path_of;
use crate::log::{Log, records};

/// A batch of records with these timestamps and payload sizes.
fn batch(records: &[(i64, usize)], compression: Compression) -> Bytes {
    let records: Vec<Record> = records
        .iter()
        .enumerate()
        .map(|(at, (timestamp, size))| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: TimestampType::Creation,
            offset: at as i64,
            // The encoder begins a new batch where sequence and offset do not run side by side.
            sequence: at as i32 - 1,
            timestamp: *timestamp,
            key: None,
            value: Some(vec![b'x'; *size].into()),
            headers: Default::default(),
        })
        .collect();
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(
        &mut bytes,
        &records,
        &RecordEncodeOptions {
            version: 2,
            compression,
        },
    )
    .unwrap();
    bytes.freeze()
}

fn append(log: &mut Log, bytes: &[u8], segment_bytes: u64) -> i64 {
    let header = check_produced(bytes, usize::MAX).unwrap();
    log.append(bytes, &header, None, 0, segment_bytes)
        .unwrap()
        .base_offset
}

fn flush(log: &mut Log) {
    if let Some(pending) = log.take_unflushed() {
        pending.run().unwrap();
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append {
        records: Vec<(i64, usize)>,
        compression: u8,
    },
    Read {
        from: u16,
        limit: usize,
    },
    FindTime(i64),
    FindNewest,
    DeleteBefore(u16),
    Flush,
    /// As after `kill -9`: nothing is flushed before.
    Reopen,
    /// The machine crashed: so many bytes of the last segment are gone.
    Tear(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let records = proptest::collection::vec((0i64..1_000, 0usize..3_000), 1..8);
    prop_oneof![
        8 => (records, 0u8..5).prop_map(|(records, compression)| Step::Append { records, compression }),
        4 => (any::<u16>(), 1usize..40_000).prop_map(|(from, limit)| Step::Read { from, limit }),
        3 => (0i64..1_100).prop_map(Step::FindTime),
        2 => Just(Step::FindNewest),
        1 => any::<u16>().prop_map(Step::DeleteBefore),
        1 => Just(Step::Flush),
        2 => Just(Step::Reopen),
        1 => (1usize..200).prop_map(Step::Tear),
    ]
}

/// What the log should hold: the first offset, and each record's timestamp and batch.
#[derive(Default)]
struct Model {
    start: usize,
    records: Vec<i64>,
    /// Offset of the first record of each batch.
    batches: Vec<usize>,
}

fn check(log: &Log, model: &Model) {
    assert_eq!(log.start_offset() as usize, model.start);
    assert_eq!(log.end_offset() as usize, model.records.len());
}

fn read(log: &Log, model: &Model, from: usize, limit: usize) {
    let bytes = log
        .plan_read(from as i64, limit)
        .unwrap()
        .read(limit, true)
        .unwrap();
    let mut next = model
        .batches
        .partition_point(|first| *first <= from)
        .saturating_sub(1);
    if from == model.records.len() {
        assert!(bytes.is_empty());
        return;
    }
    let mut rest = bytes.clone();
    let mut batches = 0;
    while !rest.is_empty() {
        let set = RecordBatchDecoder::decode(&mut rest).unwrap();
        assert_eq!(
            set.records[0].offset as usize, model.batches[next],
            "batches follow one another"
        );
        for record in &set.records {
            assert_eq!(record.timestamp, model.records[record.offset as usize]);
        }
        next += 1;
        batches += 1;
    }
    assert!(batches > 0, "the first batch comes whatever the limit");
    assert!(
        bytes.len() <= limit || batches == 1,
        "{} of {limit} bytes",
        bytes.len()
    );
}

/// Cuts bytes off the last segment, if none of them is before the start offset, and tells how many records are gone.
fn tear(dir: &Path, log: &Log, bytes: usize, model: &mut Model) {
    let base = log.active().base_offset;
    let path = path_of(dir, base);
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(length.saturating_sub(bytes as u64))
        .unwrap();
    let mut left = length.saturating_sub(bytes as u64);
    let (segment, _) =
        crate::log::segment::Segment::scan(dir, base, |header| left -= header.size as u64).unwrap();
    let end = segment.next_offset as usize;
    // Offsets that were deleted are never given again.
    let kept = end.max(model.start);
    if end < model.start {
        model.batches.retain(|first| *first < end);
        model.records.truncate(model.start);
    } else {
        model.records.truncate(kept);
        model.batches.retain(|first| *first < kept);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_a_list_of_records(steps in proptest::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path(), 0).unwrap();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Append { records, compression } => {
                    let codecs = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
                    let bytes = batch(&records, codecs[usize::from(compression)]);
                    let offset = append(&mut log, &bytes, 50_000);
                    prop_assert_eq!(offset as usize, model.records.len());
                    model.batches.push(model.records.len());
                    model.records.extend(records.iter().map(|(timestamp, _)| *timestamp));
                }
                Step::Read { from, limit } => {
                    let span = model.records.len() - model.start + 1;
                    read(&log, &model, model.start + usize::from(from) % span, limit);
                }
                Step::FindTime(timestamp) => {
                    let expected = (model.start..model.records.len()).find(|at| model.records[*at] >= timestamp);
                    let found = log.at_time(timestamp).find().unwrap();
                    prop_assert_eq!(found.map(|place| place.offset as usize), expected);
                    prop_assert_eq!(found.map(|place| place.timestamp), expected.map(|at| model.records[at]));
                }
                Step::FindNewest => {
                    let newest = model.records[model.start..].iter().max();
                    let expected = newest.and_then(|newest| (model.start..).find(|at| model.records[*at] == *newest));
                    let found = log.at_newest().find().unwrap();
                    prop_assert_eq!(found.map(|place| place.offset as usize), expected);
                }
                Step::DeleteBefore(offset) => {
                    let span = model.records.len() - model.start + 1;
                    let offset = model.start + usize::from(offset) % span;
                    prop_assert_eq!(log.delete_before(offset as i64).unwrap() as usize, offset);
                    model.start = offset;
                }
                Step::Flush => flush(&mut log),
                Step::Reopen => log = Log::open(dir.path(), 0).unwrap(),
                Step::Tear(bytes) => {
                    tear(dir.path(), &log, bytes, &mut model);
                    log = Log::open(dir.path(), 0).unwrap();
                }
            }
            check(&log, &model);
        }
    }

    #[test]
    fn random_bytes_are_no_batch_and_no_log(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(check_produced(&bytes, 1_000).is_err());
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(path_of(dir.path(), 0), &bytes).unwrap();
        let log = Log::open(dir.path(), 0).unwrap();
        prop_assert_eq!(log.end_offset(), 0);
    }

    #[test]
    fn records_are_counted_only_when_they_are_well_framed(bytes in proptest::collection::vec(any::<u8>(), 1..100)) {
        // Whatever it says, it neither panics nor reads beyond the end.
        if let Some(count) = records::count(&bytes) {
            prop_assert!(count <= bytes.len());
        }
    }
}

#[test]
fn the_newest_record_is_not_hidden_by_a_deleted_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    // Each batch is a segment of its own.
    for records in [[(909, 1), (861, 1)], [(700, 1), (877, 1)], [(5, 1), (6, 1)]] {
        append(&mut log, &batch(&records, Compression::None), 1);
    }
    let newest = |log: &Log| log.at_newest().find().unwrap().map(|place| place.offset);
    assert_eq!(newest(&log), Some(0));
    log.delete_before(1).unwrap();
    assert_eq!(newest(&log), Some(3));
}

#[test]
fn a_bomb_is_not_unfolded() {
    let header = |codec: u8| {
        let mut bytes = batch(&[(1, 1)], Compression::None).to_vec();
        bytes[22] = codec;
        bytes
    };
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..300 {
        std::io::Write::write_all(&mut encoder, &vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let mut bytes = header(1);
    bytes.truncate(61);
    bytes.extend(bomb);
    let parsed = crate::log::batch::BatchHeader::parse(&bytes).unwrap();
    assert!(!records::for_each(&bytes, &parsed, |_| true));
    // A snappy block that announces four gigabytes.
    let mut bytes = header(2);
    bytes.truncate(61);
    bytes.extend([0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    assert!(!records::for_each(&bytes, &parsed_of(&bytes), |_| true));
}

fn parsed_of(bytes: &[u8]) -> crate::log::batch::BatchHeader {
    crate::log::batch::BatchHeader::parse(bytes).unwrap()
}

#[test]
fn retention_keeps_what_it_must() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    for time in 0..100 {
        append(
            &mut log,
            &batch(&[(time * 1_000, 1_000)], Compression::None),
            10_000,
        );
    }
    let bytes = log.bytes();
    log.retain(100_000, -1, -1).unwrap();
    assert_eq!(
        (log.start_offset(), log.bytes()),
        (0, bytes),
        "without limits everything is kept"
    );
    log.retain(100_000, -1, 50_000).unwrap();
    assert!(
        log.bytes() >= 50_000 && log.bytes() < 60_000 + 1_100,
        "{} bytes",
        log.bytes()
    );
    let start = log.start_offset();
    assert!(start > 0);
    log.retain(100_000, 20_000, -1).unwrap();
    assert!(
        log.start_offset() > start && log.start_offset() <= 80,
        "{}",
        log.start_offset()
    );
    log.retain(1_000_000, 20_000, -1).unwrap();
    assert_eq!(
        (log.start_offset(), log.end_offset(), log.bytes()),
        (100, 100, 0)
    );
    assert_eq!(
        append(&mut log, &batch(&[(1, 1)], Compression::None), 10_000),
        100
    );
}
