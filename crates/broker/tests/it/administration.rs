//! Topics and their settings, created, changed and deleted by clients.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use rdkafka::Message;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use rwt_broker::BrokerError;

use crate::harness::{PATIENCE, Running, payloads};
use crate::raw::Raw;

fn admin(running: &Running) -> AdminClient<DefaultClientContext> {
    running.client(&[]).create().unwrap()
}

async fn create(
    admin: &AdminClient<DefaultClientContext>,
    topic: NewTopic<'_>,
) -> Result<String, (String, RDKafkaErrorCode)> {
    admin
        .create_topics([&topic], &AdminOptions::new())
        .await
        .unwrap()
        .remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_created_listed_and_deleted() {
    let running = Running::start().await;
    let admin = admin(&running);
    create(
        &admin,
        NewTopic::new("page_views", 3, TopicReplication::Fixed(1)),
    )
    .await
    .unwrap();
    create(
        &admin,
        NewTopic::new("purchases", 1, TopicReplication::Fixed(1)),
    )
    .await
    .unwrap();
    let again = create(
        &admin,
        NewTopic::new("page_views", 3, TopicReplication::Fixed(1)),
    )
    .await;
    assert_eq!(again.unwrap_err().1, RDKafkaErrorCode::TopicAlreadyExists);

    let consumer: BaseConsumer = running.client(&[]).create().unwrap();
    let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
    let listed: Vec<_> = metadata
        .topics()
        .iter()
        .map(|topic| (topic.name(), topic.partitions().len()))
        .collect();
    assert_eq!(listed, [("page_views", 3), ("purchases", 1)]);

    let producer = running.producer(&[]);
    producer.send_numbers("page_views", 1, 10);
    producer.acknowledged();
    let deleted = admin
        .delete_topics(&["page_views", "never_made"], &AdminOptions::new())
        .await
        .unwrap();
    assert_eq!(deleted[0], Ok("page_views".to_owned()));
    assert_eq!(
        deleted[1].as_ref().unwrap_err().1,
        RDKafkaErrorCode::UnknownTopicOrPartition
    );
    assert!(!running.dir.path().join("topics/page_views").exists());

    create(
        &admin,
        NewTopic::new("page_views", 2, TopicReplication::Fixed(1)),
    )
    .await
    .unwrap();
    assert_eq!(
        running.watermarks("page_views"),
        [(0, 0), (0, 0)],
        "a topic made anew is empty"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_numbers_that_cannot_be_are_refused() {
    let running = Running::start().await;
    let admin = admin(&running);
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a/b", "../up", "a b", "ä", "nul\u{1}", &long] {
        let refused = running.broker.create_topic(name, 1).await.unwrap_err();
        assert!(
            matches!(refused, BrokerError::TopicName { .. }),
            "{name:?}: {refused}"
        );
        if !name.is_empty() {
            let refused = create(&admin, NewTopic::new(name, 1, TopicReplication::Fixed(1))).await;
            assert_eq!(
                refused.unwrap_err().1,
                RDKafkaErrorCode::InvalidTopic,
                "{name:?}"
            );
        }
    }
    let refused = create(&admin, NewTopic::new("t", 1, TopicReplication::Fixed(3))).await;
    assert_eq!(
        refused.unwrap_err().1,
        RDKafkaErrorCode::InvalidReplicationFactor
    );
    let refused = create(
        &admin,
        NewTopic::new("t", 100_000, TopicReplication::Fixed(1)),
    )
    .await;
    assert_eq!(refused.unwrap_err().1, RDKafkaErrorCode::InvalidPartitions);
    for (setting, value) in [
        ("cleanup.policy", "compact"),
        ("retention.ms", "soon"),
        ("no.such.setting", "1"),
    ] {
        let refused = create(
            &admin,
            NewTopic::new("t", 1, TopicReplication::Fixed(1)).set(setting, value),
        )
        .await;
        assert_eq!(
            refused.unwrap_err().1,
            RDKafkaErrorCode::InvalidConfig,
            "{setting}={value}"
        );
    }
    assert!(running.broker.topics().is_empty());
    for name in ["x".repeat(249).as_str(), ".hidden", "-", "A_b.c-9"] {
        create(&admin, NewTopic::new(name, 1, TopicReplication::Fixed(1)))
            .await
            .unwrap();
    }
    let listed: Vec<_> = running
        .restart()
        .await
        .broker
        .topics()
        .into_iter()
        .map(|topic| topic.name)
        .collect();
    assert_eq!(listed.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_creates_nothing() {
    let running = Running::start().await;
    let topic = NewTopic::new("t", 1, TopicReplication::Fixed(1));
    let options = AdminOptions::new().validate_only(true);
    admin(&running)
        .create_topics([&topic], &options)
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert!(running.broker.topics().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_gets_more_partitions_and_keeps_its_records() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[]);
    producer.send_numbers("events", 0, 10);
    producer.acknowledged();
    let admin = admin(&running);
    let grown = admin
        .create_partitions([&NewPartitions::new("events", 3)], &AdminOptions::new())
        .await
        .unwrap();
    assert_eq!(grown, [Ok("events".to_owned())]);
    let refused = admin
        .create_partitions([&NewPartitions::new("events", 2)], &AdminOptions::new())
        .await
        .unwrap();
    assert_eq!(
        refused[0].as_ref().unwrap_err().1,
        RDKafkaErrorCode::InvalidPartitions
    );
    let producer = running.producer(&[]);
    producer.send_numbers("events", 2, 5);
    producer.acknowledged();
    let running = running.restart().await;
    assert_eq!(running.watermarks("events"), [(0, 10), (0, 0), (0, 5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_described_and_altered_and_survive_a_restart() {
    let running = Running::start().await;
    let topic =
        NewTopic::new("events", 1, TopicReplication::Fixed(1)).set("retention.ms", "3600000");
    create(&admin(&running), topic).await.unwrap();
    let describe = async |running: &Running, name: &str| {
        let resource = [ResourceSpecifier::Topic("events")];
        let described = admin(running)
            .describe_configs(&resource, &AdminOptions::new())
            .await
            .unwrap()
            .remove(0);
        described.unwrap().entry_map()[name].value.clone().unwrap()
    };
    assert_eq!(describe(&running, "retention.ms").await, "3600000");
    assert_eq!(describe(&running, "retention.bytes").await, "-1");
    assert_eq!(
        describe(&running, "message.timestamp.type").await,
        "CreateTime"
    );

    let change =
        AlterConfig::new(ResourceSpecifier::Topic("events")).set("retention.bytes", "1000000");
    admin(&running)
        .alter_configs([&change], &AdminOptions::new())
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let bad = AlterConfig::new(ResourceSpecifier::Topic("events")).set("retention.bytes", "many");
    // The rdkafka crate does not hand the refusal out; what counts is that nothing changed.
    admin(&running)
        .alter_configs([&bad], &AdminOptions::new())
        .await
        .unwrap();
    assert_eq!(describe(&running, "retention.bytes").await, "1000000");

    let running = running.restart().await;
    assert_eq!(describe(&running, "retention.bytes").await, "1000000");
    assert_eq!(
        describe(&running, "retention.ms").await,
        "-1",
        "AlterConfigs replaces all of a topic's settings"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn old_segments_go_when_a_topic_says_so() {
    let running = Running::start_with(|config| {
        config.retention_interval = std::time::Duration::from_millis(20)
    })
    .await;
    let by_size = NewTopic::new("by_size", 1, TopicReplication::Fixed(1));
    let by_size = by_size
        .set("segment.bytes", "10000")
        .set("retention.bytes", "30000");
    create(&admin(&running), by_size).await.unwrap();
    let by_age = NewTopic::new("by_age", 1, TopicReplication::Fixed(1)).set("retention.ms", "1000");
    create(&admin(&running), by_age).await.unwrap();
    running.broker.create_topic("all", 1).await.unwrap();

    let producer = running.producer(&[("batch.num.messages", "10")]);
    for topic in ["by_size", "all"] {
        for number in 0..1_000 {
            producer.send(topic, Some(0), "", &format!("{number:0100}"), None);
        }
    }
    producer.send("by_age", Some(0), "", "from 1970", Some(1_000));
    producer.acknowledged();

    let patience = std::time::Instant::now() + PATIENCE;
    loop {
        let (low, high) = running.watermarks("by_size")[0];
        let aged = running.watermarks("by_age")[0];
        let bytes = |name: &str| {
            running
                .broker
                .topics()
                .iter()
                .find(|topic| topic.name == name)
                .unwrap()
                .bytes()
        };
        if low > 0 && bytes("by_size") <= 40_000 && aged == (1, 1) {
            assert!(
                bytes("by_size") >= 30_000,
                "{} bytes are left",
                bytes("by_size")
            );
            assert_eq!(high, 1_000);
            break;
        }
        assert!(std::time::Instant::now() < patience, "{low} {aged:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(running.watermarks("all"), [(0, 1_000)]);
    let (low, _) = running.watermarks("by_size")[0];
    let left = running.read_all("by_size").await;
    assert_eq!(left[0].offset(), low);
    assert_eq!(left.len() as i64, 1_000 - low);
    let running = running.restart().await;
    assert_eq!(running.watermarks("by_size"), [(low, 1_000)]);
    assert_eq!(
        running.watermarks("by_age"),
        [(1, 1)],
        "offsets are never given twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_deleted_up_to_an_offset() {
    let running = Running::start().await;
    running.broker.create_topic("events", 2).await.unwrap();
    let producer = running.producer(&[("batch.num.messages", "100"), ("linger.ms", "20")]);
    producer.send_numbers("events", 0, 1_000);
    producer.send_numbers("events", 1, 10);
    producer.acknowledged();
    let delete = async |running: &Running, partition: i32, before: Offset| {
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset("events", partition, before)
            .unwrap();
        let deleted = admin(running)
            .delete_records(&offsets, &AdminOptions::new())
            .await
            .unwrap();
        let deleted = deleted.find_partition("events", partition).unwrap();
        deleted.error().map(|()| deleted.offset())
    };
    assert_eq!(
        delete(&running, 0, Offset::Offset(555)).await,
        Ok(Offset::Offset(555))
    );
    assert_eq!(
        delete(&running, 1, Offset::End).await,
        Ok(Offset::Offset(10))
    );
    assert!(delete(&running, 0, Offset::Offset(1_001)).await.is_err());
    assert_eq!(running.watermarks("events"), [(555, 1_000), (10, 10)]);
    let left = running.read_all("events").await;
    assert_eq!(
        payloads(&left)[0],
        "555",
        "the first record that is left lies within a batch"
    );
    assert_eq!(left.len(), 445);

    let running = running.restart().await;
    assert_eq!(running.watermarks("events"), [(555, 1_000), (10, 10)]);
    let producer = running.producer(&[]);
    producer.send_numbers("events", 1, 1);
    assert_eq!(producer.acknowledged()[&1], [10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_or_directory_is_its_own_error() {
    let running = Running::start().await;
    let mut config = rwt_broker::Config::new(running.dir.path().join("other"));
    config.listen = running.broker.local_addr();
    match rwt_broker::Broker::start(config).await.unwrap_err() {
        BrokerError::AddressInUse { address } => assert_eq!(address, running.broker.local_addr()),
        other => panic!("{other}"),
    }
    match rwt_broker::Broker::start(rwt_broker::Config::new(running.dir.path()))
        .await
        .unwrap_err()
    {
        BrokerError::DirectoryInUse { path } => assert_eq!(path, running.dir.path()),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_the_advertised_address() {
    let running =
        Running::start_with(|config| config.advertised_host = Some("localhost".into())).await;
    let port = running.broker.local_addr().port();
    assert_eq!(running.broker.advertised(), format!("localhost:{port}"));
    let consumer: BaseConsumer = running.client(&[]).create().unwrap();
    let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
    let broker = &metadata.brokers()[0];
    assert_eq!(
        (broker.host(), broker.port()),
        ("localhost", i32::from(port))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_learns_at_once_that_its_topic_is_gone() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let partition = FetchPartition::default().with_partition_max_bytes(1_000);
    let name = TopicName(StrBytes::from_static_str("events"));
    let topic = FetchTopic::default()
        .with_topic(name)
        .with_partitions(vec![partition]);
    let fetch = FetchRequest::default()
        .with_max_wait_ms(300_000)
        .with_min_bytes(1)
        .with_max_bytes(1_000)
        .with_topics(vec![topic]);
    let mut raw = Raw::connect(running.broker.local_addr());
    raw.send(11, &fetch);
    admin(&running)
        .delete_topics(&["events"], &AdminOptions::new())
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    // The fetch would wait for five minutes otherwise.
    let response = raw.receive::<FetchRequest>(11);
    let error = response.responses[0].partitions[0].error_code;
    assert_eq!(error, ResponseError::UnknownTopicOrPartition.code());
}
