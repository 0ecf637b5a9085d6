//! Producing and consuming: nothing lost, nothing twice, in order, in batches of every shape.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::harness::{PATIENCE, Running, payloads, poll};

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_produced_is_consumed_in_order() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[("acks", "all")]);
    producer.send(
        "events",
        Some(0),
        "user-1",
        "first",
        Some(1_770_000_000_123),
    );
    producer.send(
        "events",
        Some(0),
        "user-2",
        "second",
        Some(1_770_000_000_456),
    );
    assert_eq!(producer.acknowledged()[&0], [0, 1]);
    assert_eq!(running.watermarks("events"), [(0, 2)]);

    let messages = running.read_all("events").await;
    assert_eq!(payloads(&messages), ["first", "second"]);
    assert_eq!(messages[0].key(), Some(&b"user-1"[..]));
    assert_eq!(
        messages[0].timestamp(),
        rdkafka::Timestamp::CreateTime(1_770_000_000_123)
    );
    assert_eq!(
        messages[1].timestamp(),
        rdkafka::Timestamp::CreateTime(1_770_000_000_456)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_records_in_small_and_in_large_batches() {
    let running = Running::start().await;
    running.broker.create_topic("small", 1).await.unwrap();
    running.broker.create_topic("large", 1).await.unwrap();
    for (topic, batch) in [("small", "5"), ("large", "10000")] {
        let producer = running.producer(&[("batch.num.messages", batch), ("linger.ms", "1")]);
        producer.send_numbers(topic, 0, 100_000);
        let mut offsets = producer.acknowledged().remove(&0).unwrap();
        offsets.sort_unstable();
        assert!(
            offsets.into_iter().eq(0..100_000),
            "{topic}: every record has an offset of its own"
        );
        assert_eq!(running.watermarks(topic), [(0, 100_000)]);
        assert_eq!(
            payloads(&running.read_all(topic).await),
            numbers(100_000),
            "{topic}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_high_watermark_is_right_after_every_batch() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let consumer: BaseConsumer = running.client(&[("group.id", "watch")]).create().unwrap();
    let mut produced = 0;
    for size in [1, 2, 45, 1, 1_000, 7, 1] {
        let size_text = size.to_string();
        let producer =
            running.producer(&[("linger.ms", "200"), ("batch.num.messages", &size_text)]);
        producer.send_numbers("events", 0, size);
        producer.acknowledged();
        produced += size as i64;
        assert_eq!(
            consumer.fetch_watermarks("events", 0, PATIENCE).unwrap(),
            (0, produced)
        );
    }
    assert_eq!(running.read_all("events").await.len(), produced as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_compression_and_acknowledgement() {
    let running = Running::start().await;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for acks in ["0", "1", "all"] {
            let topic = format!("{codec}-{acks}");
            running.broker.create_topic(&topic, 1).await.unwrap();
            let producer = running.producer(&[
                ("compression.type", codec),
                ("acks", acks),
                ("linger.ms", "20"),
            ]);
            producer.send_numbers(&topic, 0, 2_000);
            producer.acknowledged();
            // Without acknowledgement the client does not know when the broker has the last record.
            let patience = Instant::now() + PATIENCE;
            while acks == "0" && running.watermarks(&topic) != [(0, 2_000)] {
                assert!(Instant::now() < patience, "{topic}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(running.watermarks(&topic), [(0, 2_000)], "{topic}");
            assert_eq!(
                payloads(&running.read_all(&topic).await),
                numbers(2_000),
                "{topic}"
            );
        }
    }
    // Compressed batches are kept as they came.
    let topics = running.broker.topics();
    let bytes = |name: &str| {
        topics
            .iter()
            .find(|topic| topic.name == name)
            .unwrap()
            .bytes()
    };
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let (compressed, plain) = (bytes(&format!("{codec}-all")), bytes("none-all"));
        assert!(compressed < plain, "{codec}: {compressed} of {plain} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_empty_and_missing_payloads_come_back_as_they_were() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer: FutureProducer = running.client(&[]).create().unwrap();
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "trace",
            value: Some("abc"),
        })
        .insert(Header {
            key: "trace",
            value: Some("again"),
        })
        .insert(Header {
            key: "none",
            value: None::<&str>,
        });
    let tombstone = FutureRecord::<str, str>::to("events")
        .key("user-1")
        .headers(headers);
    producer.send(tombstone, PATIENCE).await.unwrap();
    producer
        .send(FutureRecord::<str, str>::to("events").payload(""), PATIENCE)
        .await
        .unwrap();

    let messages = running.read_all("events").await;
    assert_eq!(messages[0].payload(), None);
    let headers = messages[0].headers().unwrap();
    let read: Vec<_> = headers
        .iter()
        .map(|header| (header.key, header.value))
        .collect();
    assert_eq!(
        read,
        [
            ("trace", Some(&b"abc"[..])),
            ("trace", Some(&b"again"[..])),
            ("none", None)
        ]
    );
    assert_eq!(messages[1].key(), None);
    // librdkafka hands an empty payload out as an empty slice, a missing one as none.
    assert_eq!(messages[1].payload(), Some(&b""[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn consuming_starts_at_any_offset() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[("linger.ms", "50"), ("batch.num.messages", "100")]);
    producer.send_numbers("events", 0, 1_000);
    producer.acknowledged();
    let consumer: BaseConsumer = running
        .client(&[("group.id", "seeker"), ("enable.auto.commit", "false")])
        .create()
        .unwrap();
    let cases = [
        (Offset::Offset(0), 0),
        (Offset::Offset(1), 1),
        (Offset::Offset(99), 99),
        (Offset::Offset(550), 550),
        (Offset::Offset(999), 999),
        (Offset::Beginning, 0),
        (Offset::OffsetTail(3), 997),
    ];
    for (from, expected) in cases {
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset("events", 0, from).unwrap();
        consumer.assign(&assignment).unwrap();
        for offset in expected..(expected + 5).min(1_000) {
            let message = poll(&consumer);
            assert_eq!(message.offset(), offset, "from {from:?}");
            assert_eq!(message.payload().unwrap(), offset.to_string().as_bytes());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_at_the_end_gets_new_records_as_they_come() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let consumer: BaseConsumer = running
        .client(&[("group.id", "tail"), ("fetch.wait.max.ms", "60000")])
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset("events", 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    assert!(consumer.poll(Duration::from_millis(300)).is_none());
    let producer = running.producer(&[]);
    for number in 0..20 {
        producer.send("events", Some(0), "", &number.to_string(), None);
        producer.acknowledged();
        // The fetch would wait for a minute: only the append can have ended it.
        let message = consumer.poll(Duration::from_secs(30)).unwrap().unwrap();
        assert_eq!(message.payload().unwrap(), number.to_string().as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_fetches_get_through_large_batches() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[("linger.ms", "50")]);
    let payload = "x".repeat(20_000);
    for number in 0..200 {
        producer.send("events", Some(0), &number.to_string(), &payload, None);
    }
    producer.acknowledged();
    let settings = [
        ("group.id", "small"),
        ("auto.offset.reset", "earliest"),
        ("fetch.message.max.bytes", "1000"),
        ("fetch.max.bytes", "1000000"),
    ];
    let consumer: BaseConsumer = running.client(&settings).create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset("events", 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    for offset in 0..200 {
        assert_eq!(poll(&consumer).offset(), offset);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_producers_write_one_partition() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let producer = running.producer(&[("linger.ms", "0"), ("batch.num.messages", "17")]);
            std::thread::spawn(move || {
                for number in 0..2_000 {
                    producer.send(
                        "events",
                        Some(0),
                        &thread.to_string(),
                        &format!("{thread}/{number}"),
                        None,
                    );
                }
                producer.acknowledged().remove(&0).unwrap()
            })
        })
        .collect();
    let offsets: HashSet<i64> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(offsets.len(), 8_000);
    assert_eq!(running.watermarks("events"), [(0, 8_000)]);
    let all = payloads(&running.read_all("events").await);
    for thread in 0..4 {
        let own = all
            .iter()
            .filter(|payload| payload.starts_with(&format!("{thread}/")));
        assert!(
            own.eq(&(0..2_000)
                .map(|number| format!("{thread}/{number}"))
                .collect::<Vec<_>>()),
            "order of {thread}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stays_in_its_partition() {
    let running = Running::start().await;
    running.broker.create_topic("events", 4).await.unwrap();
    let producer = running.producer(&[]);
    for number in 0..400 {
        producer.send(
            "events",
            None,
            &format!("user-{}", number % 20),
            &number.to_string(),
            None,
        );
    }
    producer.acknowledged();
    let messages = running.read_all("events").await;
    assert_eq!(messages.len(), 400);
    let places: HashSet<_> = messages
        .iter()
        .map(|message| (message.key().unwrap().to_vec(), message.partition()))
        .collect();
    assert_eq!(places.len(), 20, "each of 20 keys is in one partition");
    let total: i64 = running
        .watermarks("events")
        .iter()
        .map(|(low, high)| high - low)
        .sum();
    assert_eq!(total, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_above_the_limit_is_refused_and_the_others_are_kept() {
    let running =
        Running::start_with(|config| config.topic_defaults.max_message_bytes = 1_000).await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[("batch.num.messages", "1")]);
    producer.send("events", Some(0), "", "small", None);
    producer.send("events", Some(0), "", &"x".repeat(2_000), None);
    producer.send("events", Some(0), "", "small too", None);
    let outcomes = producer.outcomes();
    let refused: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.err())
        .collect();
    assert_eq!(refused, [RDKafkaErrorCode::MessageSizeTooLarge]);
    assert_eq!(
        payloads(&running.read_all("events").await),
        ["small", "small too"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_topic_is_an_error_unless_the_broker_may_create_it() {
    let strict = Running::start().await;
    let settings = [
        ("message.timeout.ms", "3000"),
        ("topic.metadata.propagation.max.ms", "100"),
    ];
    let producer = strict.producer(&settings);
    producer.send("no-such-topic", None, "", "lost?", None);
    let outcome = producer.outcomes().remove(0).unwrap_err();
    assert!(
        matches!(
            outcome,
            RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition
        ),
        "{outcome:?}"
    );
    assert!(strict.broker.topics().is_empty());

    let lenient = Running::start_with(|config| config.auto_create_partitions = Some(3)).await;
    let producer = lenient.producer(&[]);
    producer.send("made-by-producing", None, "key", "kept", None);
    producer.acknowledged();
    assert_eq!(lenient.watermarks("made-by-producing").len(), 3);
    assert_eq!(
        payloads(&lenient.read_all("made-by-producing").await),
        ["kept"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_stamps_records_when_the_topic_says_so() {
    let running = Running::start_with(|config| config.topic_defaults.log_append_time = true).await;
    running.broker.create_topic("events", 1).await.unwrap();
    for codec in ["none", "lz4"] {
        let producer = running.producer(&[("compression.type", codec)]);
        producer.send("events", Some(0), "", "old", Some(1_000));
        producer.acknowledged();
    }
    for message in running.read_all("events").await {
        match message.timestamp() {
            rdkafka::Timestamp::LogAppendTime(time) => assert!(time > 1_700_000_000_000, "{time}"),
            other => panic!("{other:?}"),
        }
    }
}
