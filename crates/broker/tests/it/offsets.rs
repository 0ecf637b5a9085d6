//! Offsets by time: of the first record at or after a time, and of the newest one.

use kafka_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::harness::{PATIENCE, Running};
use crate::raw::Raw;

const START: i64 = 1_770_000_000_000;

fn at_time(consumer: &BaseConsumer, topic: &str, time: i64) -> Offset {
    let mut times = TopicPartitionList::new();
    times
        .add_partition_offset(topic, 0, Offset::Offset(time))
        .unwrap();
    let found = consumer.offsets_for_times(times, PATIENCE).unwrap();
    found.find_partition(topic, 0).unwrap().offset()
}

fn newest(running: &Running, topic: &str) -> (i64, i64) {
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let asked = ListOffsetsTopic::default().with_name(name);
    let asked = asked.with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-3)]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![asked]);
    let response = Raw::connect(running.broker.local_addr()).call(7, &request);
    let partition = &response.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    (partition.offset, partition.timestamp)
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_for_times_are_exact_within_batches_and_across_segments() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let running =
            Running::start_with(|config| config.topic_defaults.segment_bytes = 20_000).await;
        running.broker.create_topic("events", 1).await.unwrap();
        let producer = running.producer(&[
            ("compression.type", codec),
            ("linger.ms", "50"),
            ("batch.num.messages", "300"),
        ]);
        // Ten milliseconds apart.
        for number in 0..5_000i64 {
            producer.send(
                "events",
                Some(0),
                "",
                &format!("{number}"),
                Some(START + number * 10),
            );
        }
        producer.acknowledged();
        let consumer: BaseConsumer = running.client(&[("group.id", "times")]).create().unwrap();
        let cases = [
            (0, Offset::Offset(0)),
            (START, Offset::Offset(0)),
            (START + 1, Offset::Offset(1)),
            (START + 10, Offset::Offset(1)),
            (START + 12_345, Offset::Offset(1_235)),
            (START + 29_990, Offset::Offset(2_999)),
            (START + 49_990, Offset::Offset(4_999)),
            (START + 49_991, Offset::End),
        ];
        for (time, expected) in cases {
            assert_eq!(
                at_time(&consumer, "events", time),
                expected,
                "{codec} at {}",
                time - START
            );
        }
        assert_eq!(
            newest(&running, "events"),
            (4_999, START + 49_990),
            "{codec}"
        );
        let running = running.restart().await;
        assert_eq!(
            at_time(&consumer, "events", START + 12_345),
            Offset::Offset(1_235),
            "{codec} after a restart"
        );
        assert_eq!(
            newest(&running, "events"),
            (4_999, START + 49_990),
            "{codec} after a restart"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_out_of_order_give_the_first_offset_that_is_late_enough() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[("linger.ms", "50"), ("batch.num.messages", "2")]);
    for time in [500, 100, 900, 200, 900, 300] {
        producer.send("events", Some(0), "", "", Some(START + time));
    }
    producer.acknowledged();
    let consumer: BaseConsumer = running.client(&[("group.id", "times")]).create().unwrap();
    let found: Vec<_> = [100, 501, 900, 901]
        .map(|time| at_time(&consumer, "events", START + time))
        .into();
    assert_eq!(
        found,
        [
            Offset::Offset(0),
            Offset::Offset(2),
            Offset::Offset(2),
            Offset::End
        ]
    );
    assert_eq!(newest(&running, "events"), (2, START + 900));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_partition_has_no_times() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let consumer: BaseConsumer = running.client(&[("group.id", "times")]).create().unwrap();
    assert_eq!(at_time(&consumer, "events", START), Offset::End);
    assert_eq!(newest(&running, "events"), (-1, -1));
}
