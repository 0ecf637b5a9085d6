//! What a topic holds, read by librdkafka.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;

use super::PATIENCE;

const TIMEOUT: Duration = Duration::from_secs(30);

/// The topics that the example's sources read, with the sources.
pub const TOPICS: [(&str, &str); 3] = [
    ("page_views", "src_page"),
    ("cart_events", "src_cart"),
    ("purchases", "src_purchase"),
];

fn consumer(bootstrap: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "reader-of-the-tests")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer")
}

/// Partition, low and high watermark.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Vec<(i32, i64, i64)> {
    let metadata = consumer
        .fetch_metadata(Some(topic), TIMEOUT)
        .expect("the broker answers");
    let topics = metadata.topics().iter();
    topics
        .flat_map(|found| found.partitions())
        .map(|partition| {
            let id = partition.id();
            let (low, high) = consumer
                .fetch_watermarks(topic, id, TIMEOUT)
                .expect("the broker knows its watermarks");
            (id, low, high)
        })
        .collect()
}

/// How many messages a topic holds by its watermarks.
pub fn size(bootstrap: &str, topic: &str) -> i64 {
    let partitions = partitions(&consumer(bootstrap), topic);
    partitions.iter().map(|(_, low, high)| high - low).sum()
}

/// Every message of a topic, partition by partition; each must be JSON.
pub fn messages(bootstrap: &str, topic: &str) -> Vec<Value> {
    let consumer = consumer(bootstrap);
    let mut assignment = TopicPartitionList::new();
    let mut expected = 0;
    for (id, low, high) in partitions(&consumer, topic) {
        assignment
            .add_partition_offset(topic, id, Offset::Offset(low))
            .expect("an offset can be assigned");
        expected += usize::try_from(high - low).expect("watermarks are in order");
    }
    consumer
        .assign(&assignment)
        .expect("partitions can be assigned");
    let mut messages = Vec::with_capacity(expected);
    let deadline = Instant::now() + PATIENCE;
    while messages.len() < expected {
        assert!(
            Instant::now() < deadline,
            "{topic}: {} of {expected} messages came",
            messages.len()
        );
        if let Some(message) = consumer.poll(Duration::from_millis(200)) {
            let message = message.expect("a message without an error");
            let payload = message.payload().expect("a message has a payload");
            messages.push(serde_json::from_slice(payload).expect("a message is JSON"));
        }
    }
    messages
}

/// Sends payloads as they are, and waits for their acknowledgement.
pub fn send(bootstrap: &str, topic: &str, payloads: &[&[u8]]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .expect("a producer");
    for payload in payloads {
        let record = BaseRecord::<(), [u8]>::to(topic).payload(payload);
        assert!(producer.send(record).is_ok(), "a message can be queued");
    }
    producer
        .flush(PATIENCE)
        .expect("the broker takes the messages");
}
