//! Batches that are sent twice are kept once, also across a restart; what breaks a producer's sequence is refused.

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use kafka_protocol::messages::{InitProducerIdRequest, ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};

use crate::harness::{PATIENCE, Running, payloads};
use crate::raw::Raw;

/// A batch of an idempotent producer.
pub fn batch(producer_id: i64, epoch: i16, sequence: i32, payloads: &[&str]) -> Bytes {
    let records: Vec<Record> = payloads
        .iter()
        .enumerate()
        .map(|(at, payload)| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id,
            producer_epoch: epoch,
            timestamp_type: TimestampType::Creation,
            offset: at as i64,
            sequence: sequence.wrapping_add(at as i32),
            timestamp: 1_770_000_000_000,
            key: None,
            value: Some(Bytes::copy_from_slice(payload.as_bytes())),
            headers: Default::default(),
        })
        .collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes.freeze()
}

pub fn produce_request(topic: &str, records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::default()
        .with_index(0)
        .with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partition_data(vec![partition]);
    ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic])
}

fn produce(raw: &mut Raw, records: Bytes) -> Result<i64, ResponseError> {
    let response = raw.call(9, &produce_request("events", records));
    let partition = &response.responses[0].partition_responses[0];
    ResponseError::try_from_code(partition.error_code).map_or(Ok(partition.base_offset), Err)
}

fn new_producer_id(raw: &mut Raw) -> i64 {
    let response = raw.call(
        4,
        &InitProducerIdRequest::default().with_transactional_id(None),
    );
    assert_eq!((response.error_code, response.producer_epoch), (0, 0));
    response.producer_id.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_sent_again_is_kept_once_also_after_a_restart() {
    let mut running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let mut raw = Raw::connect(running.broker.local_addr());
    let id = new_producer_id(&mut raw);
    assert_eq!(produce(&mut raw, batch(id, 0, 0, &["a", "b"])), Ok(0));
    assert_eq!(produce(&mut raw, batch(id, 0, 2, &["c"])), Ok(2));
    assert_eq!(
        produce(&mut raw, batch(id, 0, 0, &["a", "b"])),
        Ok(0),
        "the first answer again"
    );
    assert_eq!(produce(&mut raw, batch(id, 0, 2, &["c"])), Ok(2));
    for _ in 0..2 {
        running = running.restart().await;
        let mut raw = Raw::connect(running.broker.local_addr());
        assert_eq!(
            produce(&mut raw, batch(id, 0, 2, &["c"])),
            Ok(2),
            "after a restart"
        );
        assert!(new_producer_id(&mut raw) > id, "no id is handed out twice");
    }
    let mut raw = Raw::connect(running.broker.local_addr());
    assert_eq!(produce(&mut raw, batch(id, 0, 3, &["d"])), Ok(3));
    assert_eq!(
        payloads(&running.read_all("events").await),
        ["a", "b", "c", "d"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn producer_state_survives_restarts_over_many_segments() {
    let mut running =
        Running::start_with(|config| config.topic_defaults.segment_bytes = 1_024).await;
    running.broker.create_topic("events", 1).await.unwrap();
    let mut raw = Raw::connect(running.broker.local_addr());
    let (first, second) = (new_producer_id(&mut raw), new_producer_id(&mut raw));
    assert_eq!(produce(&mut raw, batch(first, 0, 0, &["only once"])), Ok(0));
    for number in 0..100 {
        assert_eq!(
            produce(&mut raw, batch(second, 0, number, &["again and again"])),
            Ok(1 + i64::from(number))
        );
    }
    for _ in 0..2 {
        running = running.restart().await;
        let mut raw = Raw::connect(running.broker.local_addr());
        assert_eq!(produce(&mut raw, batch(first, 0, 0, &["only once"])), Ok(0));
        assert_eq!(
            produce(&mut raw, batch(second, 0, 99, &["again and again"])),
            Ok(100)
        );
    }
    assert_eq!(running.watermarks("events"), [(0, 101)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_and_old_epochs_are_refused() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let mut raw = Raw::connect(running.broker.local_addr());
    let id = new_producer_id(&mut raw);
    assert_eq!(produce(&mut raw, batch(id, 1, 0, &["a"])), Ok(0));
    assert_eq!(
        produce(&mut raw, batch(id, 1, 2, &["c"])),
        Err(ResponseError::OutOfOrderSequenceNumber)
    );
    assert_eq!(
        produce(&mut raw, batch(id, 0, 0, &["z"])),
        Err(ResponseError::InvalidProducerEpoch)
    );
    assert_eq!(
        produce(&mut raw, batch(id, 2, 1, &["b"])),
        Err(ResponseError::OutOfOrderSequenceNumber)
    );
    assert_eq!(produce(&mut raw, batch(id, 2, 0, &["b"])), Ok(1));
    // A long-lived producer's sequence wraps around.
    let long = new_producer_id(&mut raw);
    assert_eq!(
        produce(&mut raw, batch(long, 0, i32::MAX, &["last", "wrapped"])),
        Ok(2)
    );
    assert_eq!(produce(&mut raw, batch(long, 0, 1, &["on"])), Ok(4));
    assert_eq!(
        payloads(&running.read_all("events").await),
        ["a", "b", "last", "wrapped", "on"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_contradictory_batches_are_refused() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let mut raw = Raw::connect(running.broker.local_addr());
    let good = batch(-1, -1, -1, &["a", "b"]);
    let renew_crc = |bytes: &mut Vec<u8>| {
        let crc = crc32c::crc32c(&bytes[21..]).to_be_bytes();
        bytes[17..21].copy_from_slice(&crc);
    };
    let mut cases: Vec<(&str, Vec<u8>, ResponseError)> = Vec::new();
    let mut flipped = good.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    cases.push(("a flipped bit", flipped, ResponseError::CorruptMessage));
    cases.push((
        "cut off",
        good[..good.len() - 3].to_vec(),
        ResponseError::CorruptMessage,
    ));
    cases.push((
        "two batches",
        [&good[..], &good[..]].concat(),
        ResponseError::InvalidRecord,
    ));
    cases.push(("empty", Vec::new(), ResponseError::CorruptMessage));
    let mut old = good.to_vec();
    old[16] = 1;
    cases.push(("format v1", old, ResponseError::UnsupportedForMessageFormat));
    for (what, at, value, error) in [
        ("a wrong count", 60usize, 9u8, ResponseError::InvalidRecord),
        ("a wrong last offset", 26, 200, ResponseError::InvalidRecord),
        ("unknown compression", 22, 7, ResponseError::InvalidRecord),
        ("a control batch", 22, 0x20, ResponseError::InvalidRecord),
        (
            "a transactional batch",
            22,
            0x10,
            ResponseError::TransactionalIdAuthorizationFailed,
        ),
    ] {
        let mut bytes = good.to_vec();
        bytes[at] = value;
        renew_crc(&mut bytes);
        cases.push((what, bytes, error));
    }
    // A batch that claims more records than it has would move the high watermark beyond them.
    let mut inflated = good.to_vec();
    inflated[23..27].copy_from_slice(&99i32.to_be_bytes());
    inflated[57..61].copy_from_slice(&100i32.to_be_bytes());
    renew_crc(&mut inflated);
    cases.push(("an inflated count", inflated, ResponseError::InvalidRecord));
    for (what, bytes, error) in cases {
        assert_eq!(produce(&mut raw, bytes.into()), Err(error), "{what}");
    }
    assert_eq!(running.watermarks("events"), [(0, 0)]);
    assert_eq!(produce(&mut raw, good), Ok(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotent_producer_goes_on_through_a_restart() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[
        ("enable.idempotence", "true"),
        ("batch.num.messages", "10"),
        ("reconnect.backoff.max.ms", "100"),
    ]);
    producer.send_numbers("events", 0, 2_000);
    let running = running.restart().await;
    for number in 2_000..4_000 {
        producer.send("events", Some(0), "", &number.to_string(), None);
    }
    assert_eq!(producer.acknowledged()[&0].len(), 4_000);
    let expected: Vec<String> = (0..4_000).map(|number| number.to_string()).collect();
    assert_eq!(payloads(&running.read_all("events").await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_refused_at_once_and_plainly() {
    let running = Running::start().await;
    let producer: BaseProducer = running
        .client(&[("transactional.id", "tx")])
        .create()
        .unwrap();
    let error = producer.init_transactions(PATIENCE).unwrap_err();
    assert_eq!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed),
        "{error}"
    );
    assert!(
        error.to_string().contains("transactions are not supported"),
        "{error}"
    );

    let mut raw = Raw::connect(running.broker.local_addr());
    let id = TransactionalId(StrBytes::from_static_str("tx"));
    let response = raw.call(
        4,
        &InitProducerIdRequest::default().with_transactional_id(Some(id)),
    );
    assert_eq!(
        response.error_code,
        ResponseError::TransactionalIdAuthorizationFailed.code()
    );
    assert_eq!(response.producer_id, ProducerId(-1));
}
