//! How old the newest event is, asked of the topics' last records: on RisingWave a `max(event_time)` over a Kafka source
//! reads the whole topic again (`field-notes`: the reference's dashboard did so every two seconds).

use std::time::{Duration, Instant};

use chrono::NaiveDateTime;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::Value;

use crate::stack::topics::Broker;

const TIMEOUT: Duration = Duration::from_secs(2);

/// The latest `event_time` among the last records of the topics; `None` where there are none or nobody answers.
pub fn last_event(broker: &Broker, topics: &[String]) -> Option<NaiveDateTime> {
    let consumer: BaseConsumer = broker
        .config()
        .set("group.id", "rwt-funnel")
        .create()
        .ok()?;
    let mut assignment = TopicPartitionList::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).ok()?;
        for partition in metadata.topics().iter().flat_map(|t| t.partitions()) {
            let (low, high) = consumer
                .fetch_watermarks(topic, partition.id(), TIMEOUT)
                .ok()?;
            if high > low {
                assignment
                    .add_partition_offset(topic, partition.id(), Offset::Offset(high - 1))
                    .ok()?;
            }
        }
    }
    let mut missing = assignment.count();
    consumer.assign(&assignment).ok()?;
    let deadline = Instant::now() + TIMEOUT;
    let mut newest = None;
    while missing > 0 && Instant::now() < deadline {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            missing -= 1;
            newest = newest.max(message.payload().and_then(event_time));
        }
    }
    newest
}

fn event_time(payload: &[u8]) -> Option<NaiveDateTime> {
    let event: Value = serde_json::from_slice(payload).ok()?;
    let text = event.get("event_time")?.as_str()?;
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_times_are_read_as_the_sources_read_them() {
        let at = event_time(br#"{"user_id": 1, "event_time": "2026-02-14 12:00:01"}"#).unwrap();
        assert_eq!(at.to_string(), "2026-02-14 12:00:01");
        assert_eq!(event_time(b"not json"), None);
    }
}
