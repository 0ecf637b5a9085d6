//! Producing and consuming: nothing lost, nothing twice, in order, in batches of every shape.

use rdkafka::Message;

use crate::harness::{Running, payloads};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_produced_is_consumed_in_order() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[("acks", "all")]);
    producer.send("events", Some(0), "user-1", "first", Some(1_770_000_000_123));
    producer.send("events", Some(0), "user-2", "second", Some(1_770_000_000_456));
    assert_eq!(producer.acknowledged()[&0], [0, 1]);
    assert_eq!(running.watermarks("events"), [(0, 2)]);

    let messages = running.read_all("events").await;
    assert_eq!(payloads(&messages), ["first", "second"]);
    assert_eq!(messages[0].key(), Some(&b"user-1"[..]));
    assert_eq!(messages[0].timestamp(), rdkafka::Timestamp::CreateTime(1_770_000_000_123));
    assert_eq!(messages[1].timestamp(), rdkafka::Timestamp::CreateTime(1_770_000_000_456));
}
