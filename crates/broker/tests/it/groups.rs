//! Consumer groups through librdkafka: commit and resume, sharing partitions, administration.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::harness::{PATIENCE, Running, payloads, poll};

const SETTINGS: [(&str, &str); 4] = [
    ("auto.offset.reset", "earliest"),
    ("enable.auto.commit", "false"),
    ("session.timeout.ms", "10000"),
    // How soon a member learns that it must join again.
    ("heartbeat.interval.ms", "200"),
];

fn member(running: &Running, group: &str, more: &[(&str, &str)]) -> BaseConsumer {
    let mut config = running.client(&SETTINGS);
    config.set("group.id", group);
    for (name, value) in more {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

fn partitions(consumer: &BaseConsumer) -> BTreeSet<i32> {
    consumer
        .assignment()
        .unwrap()
        .elements()
        .iter()
        .map(|element| element.partition())
        .collect()
}

/// Lets all members take part in the group until `done`.
fn run(members: &[&BaseConsumer], done: impl Fn() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < patience, "the group does not get there");
        for member in members {
            if let Some(message) = member.poll(Duration::from_millis(20)) {
                message.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_resumes_where_it_committed_also_after_a_restart() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[]);
    producer.send_numbers("events", 0, 30);
    producer.acknowledged();
    let read_ten = |running: &Running| {
        let consumer = member(running, "readers", &[]);
        consumer.subscribe(&["events"]).unwrap();
        let messages: Vec<_> = (0..10).map(|_| poll(&consumer)).collect();
        consumer.commit_consumer_state(CommitMode::Sync).unwrap();
        payloads(&messages)
    };
    let expected =
        |range: std::ops::Range<i32>| range.map(|number| number.to_string()).collect::<Vec<_>>();
    assert_eq!(read_ten(&running), expected(0..10));
    assert_eq!(read_ten(&running), expected(10..20));
    let running = running.restart().await;
    assert_eq!(read_ten(&running), expected(20..30));

    let other = member(&running, "others", &[]);
    other.subscribe(&["events"]).unwrap();
    assert_eq!(
        poll(&other).offset(),
        0,
        "another group has its own position"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_the_partitions_and_one_takes_over() {
    for strategy in ["range", "roundrobin", "cooperative-sticky"] {
        let running = Running::start().await;
        running.broker.create_topic("events", 4).await.unwrap();
        let more = [("partition.assignment.strategy", strategy)];
        let first = member(&running, "shared", &more);
        first.subscribe(&["events"]).unwrap();
        let all: BTreeSet<i32> = (0..4).collect();
        run(&[&first], || partitions(&first) == all);
        let second = member(&running, "shared", &more);
        second.subscribe(&["events"]).unwrap();
        let shared = || partitions(&first).len() == 2 && partitions(&second).len() == 2;
        run(&[&first, &second], || {
            shared() && partitions(&first).is_disjoint(&partitions(&second))
        });

        let producer = running.producer(&[]);
        for partition in 0..4 {
            producer.send_numbers("events", partition, 100);
        }
        producer.acknowledged();
        let mut read = Vec::new();
        let patience = Instant::now() + PATIENCE;
        while read.len() < 400 {
            assert!(
                Instant::now() < patience,
                "{strategy}: {} of 400",
                read.len()
            );
            for (at, member) in [&first, &second].into_iter().enumerate() {
                if let Some(message) = member.poll(Duration::from_millis(10)) {
                    let message = message.unwrap();
                    assert!(
                        partitions(member).contains(&message.partition()),
                        "{strategy}"
                    );
                    read.push((at, message.partition(), message.offset()));
                }
            }
        }
        let once: BTreeSet<_> = read
            .iter()
            .map(|(_, partition, offset)| (*partition, *offset))
            .collect();
        assert_eq!(
            once.len(),
            400,
            "{strategy}: every record is read by one member"
        );
        assert_eq!(
            read.iter().filter(|(at, ..)| *at == 1).count(),
            200,
            "{strategy}: each reads its half"
        );

        drop(second);
        run(&[&first], || partitions(&first) == all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_offsets_are_read_back_with_their_notes() {
    let running = Running::start().await;
    running.broker.create_topic("events", 2).await.unwrap();
    let consumer = member(&running, "manual", &[]);
    let mut offsets = TopicPartitionList::new();
    {
        let mut element = offsets.add_partition("events", 0);
        element.set_offset(Offset::Offset(7)).unwrap();
        element.set_metadata("half way");
    }
    consumer.commit(&offsets, CommitMode::Sync).unwrap();

    let running = running.restart().await;
    let consumer = member(&running, "manual", &[]);
    let mut asked = TopicPartitionList::new();
    asked.add_partition("events", 0);
    asked.add_partition("events", 1);
    let committed = consumer.committed_offsets(asked, PATIENCE).unwrap();
    let first = committed.find_partition("events", 0).unwrap();
    assert_eq!(
        (first.offset(), first.metadata()),
        (Offset::Offset(7), "half way")
    );
    assert_eq!(
        committed.find_partition("events", 1).unwrap().offset(),
        Offset::Invalid
    );

    let mut nowhere = TopicPartitionList::new();
    nowhere
        .add_partition_offset("events", 9, Offset::Offset(1))
        .unwrap();
    let error = consumer.commit(&nowhere, CommitMode::Sync).unwrap_err();
    assert_eq!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_listed_described_and_deleted() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let consumer = member(&running, "watched", &[("client.id", "the-client")]);
    consumer.subscribe(&["events"]).unwrap();
    run(&[&consumer], || partitions(&consumer).len() == 1);

    let list = consumer.fetch_group_list(None, PATIENCE).unwrap();
    let group = &list.groups()[0];
    assert_eq!(
        (group.name(), group.state(), group.protocol_type()),
        ("watched", "Stable", "consumer")
    );
    let member = &group.members()[0];
    assert_eq!(
        (member.client_id(), member.client_host()),
        ("the-client", "/127.0.0.1")
    );

    let admin: AdminClient<DefaultClientContext> = running.client(&[]).create().unwrap();
    let refused = admin
        .delete_groups(&["watched"], &AdminOptions::new())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(refused.unwrap_err().1, RDKafkaErrorCode::NonEmptyGroup);
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset("events", 0, Offset::Offset(0))
        .unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    drop(consumer);
    let patience = Instant::now() + PATIENCE;
    while let Err(error) = admin
        .delete_groups(&["watched"], &AdminOptions::new())
        .await
        .unwrap()
        .remove(0)
    {
        assert_eq!(error.1, RDKafkaErrorCode::NonEmptyGroup);
        assert!(Instant::now() < patience);
    }
    let gone = admin
        .delete_groups(&["watched"], &AdminOptions::new())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(gone.unwrap_err().1, RDKafkaErrorCode::GroupIdNotFound);
    let consumer: BaseConsumer = running.client(&[]).create().unwrap();
    assert!(
        consumer
            .fetch_group_list(None, PATIENCE)
            .unwrap()
            .groups()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_in_a_deleted_topic_are_forgotten() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let consumer = member(&running, "manual", &[]);
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset("events", 0, Offset::Offset(5))
        .unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    let admin: AdminClient<DefaultClientContext> = running.client(&[]).create().unwrap();
    admin
        .delete_topics(&["events"], &AdminOptions::new())
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    running.broker.create_topic("events", 1).await.unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition("events", 0);
    let committed = consumer.committed_offsets(asked, PATIENCE).unwrap();
    assert_eq!(
        committed.find_partition("events", 0).unwrap().offset(),
        Offset::Invalid
    );
}
