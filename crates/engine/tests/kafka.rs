//! Sources on a real broker: what arrives, what does not fit, what happens when the broker goes away.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rwt_broker::{Broker, Config};
use support::{Served, message, rows, until};

fn producer(brokers: &str) -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "1")
        .create()
        .unwrap()
}

async fn produce(brokers: &str, topic: &str, payloads: &[&str]) {
    let producer = producer(brokers);
    for payload in payloads {
        let record: FutureRecord<'_, str, str> = FutureRecord::to(topic).payload(payload);
        producer
            .send(record, Duration::from_secs(10))
            .await
            .unwrap();
    }
}

fn source(name: &str, topic: &str, brokers: &str, more: &str) -> String {
    format!(
        "CREATE SOURCE {name} (user_id int, page_id varchar, event_time timestamp) INCLUDE offset AS off \
         WITH (connector = 'kafka', topic = '{topic}', properties.bootstrap.server = '{brokers}'{more}) \
         FORMAT PLAIN ENCODE JSON"
    )
}

const PAGE: &str = r#"{"user_id": 1, "page_id": "page_1", "event_time": "2026-02-14 12:00:00"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_source_feeds_views_tables_and_the_lake() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    broker.create_topic("page_views", 2).await.unwrap();
    let brokers = broker.local_addr().to_string();
    let served = Served::start().await;
    let client = served.client().await;

    produce(
        &brokers,
        "page_views",
        &[PAGE, "not json", r#"{"user_id": "x"}"#],
    )
    .await;
    for sql in [
        source(
            "src",
            "page_views",
            &brokers,
            ", scan.startup.mode = 'earliest'",
        )
        .as_str(),
        "CREATE MATERIALIZED VIEW per_user AS SELECT user_id, count(*) AS n FROM src GROUP BY user_id",
        "CREATE TABLE copies (user_id int, page_id varchar, event_time timestamp, off varchar)",
        "CREATE SINK to_copies INTO copies FROM src WITH (type = 'append-only')",
        "CREATE CONNECTION lake WITH (type = 'iceberg', hosted_catalog = true, warehouse.path = 'lake')",
        "SET iceberg_engine_connection = 'public.lake'",
        "CREATE TABLE in_lake (user_id int, page_id varchar) WITH (commit_checkpoint_interval = 1) ENGINE = iceberg",
        "CREATE SINK to_lake INTO in_lake AS SELECT user_id, page_id FROM src WITH (type = 'append-only')",
    ] {
        client
            .batch_execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {}", message(&e)));
    }
    until(
        &client,
        "SELECT * FROM per_user ORDER BY user_id",
        &["1 1", "NULL 1"],
    )
    .await;
    produce(&brokers, "page_views", &[PAGE]).await;
    until(
        &client,
        "SELECT * FROM per_user ORDER BY user_id",
        &["1 2", "NULL 1"],
    )
    .await;
    until(
        &client,
        "SELECT count(*), count(user_id) FROM copies",
        &["3 2"],
    )
    .await;
    until(
        &client,
        "SELECT count(*), count(page_id) FROM in_lake",
        &["3 2"],
    )
    .await;
    assert_eq!(
        rows(
            &client,
            "SELECT sum(rows), sum(skipped), sum(null_padded) FROM rwt_engine.sources"
        )
        .await,
        ["3 1 1"]
    );
    let problems = rows(
        &client,
        "SELECT last_problem FROM rwt_engine.sources WHERE last_problem IS NOT NULL ORDER BY 1",
    )
    .await;
    assert!(
        problems
            .iter()
            .any(|p| p.contains("not JSON") || p.contains("does not fit")),
        "{problems:?}"
    );
    let hidden = rows(
        &client,
        "SELECT _rw_kafka_partition IS NOT NULL, off IS NOT NULL FROM src LIMIT 1",
    )
    .await;
    assert_eq!(hidden, ["t t"]);

    // a restart goes on where it was
    let dir = served.stop().await;
    produce(&brokers, "page_views", &[PAGE, PAGE]).await;
    let served = Served::reopen(dir).await;
    let client = served.client().await;
    until(
        &client,
        "SELECT * FROM per_user ORDER BY user_id",
        &["1 4", "NULL 1"],
    )
    .await;
    until(&client, "SELECT count(*) FROM copies", &["5"]).await;
    until(&client, "SELECT count(*) FROM in_lake", &["5"]).await;
    served.stop().await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_messages_are_columns() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    broker.create_topic("marked", 1).await.unwrap();
    let brokers = broker.local_addr().to_string();
    let served = Served::start().await;
    let client = served.client().await;
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "trace",
            value: Some("abc"),
        })
        .insert(Header {
            key: "empty",
            value: None::<&str>,
        });
    let record = || FutureRecord::<str, str>::to("marked").payload("{\"a\": 1}");
    let sender = producer(&brokers);
    for record in [record().headers(headers), record()] {
        sender.send(record, Duration::from_secs(10)).await.unwrap();
    }
    let create = format!(
        "CREATE TABLE marked (a int) INCLUDE header AS heads INCLUDE header 'trace' varchar AS trace INCLUDE header 'trace' \
         INCLUDE offset AS off WITH (connector = 'kafka', topic = 'marked', properties.bootstrap.server = '{brokers}') \
         FORMAT PLAIN ENCODE JSON"
    );
    client.batch_execute(&create).await.unwrap();
    until(
        &client,
        "SELECT heads, trace, _rw_kafka_header_trace, (heads[1]).value FROM marked ORDER BY off",
        &[
            r#"{"(trace,\"\\\\x616263\")","(empty,)"} abc \x616263 \x616263"#,
            "NULL NULL NULL NULL",
        ],
    )
    .await;
    let shown = rows(&client, "SHOW CREATE TABLE marked").await.join(" ");
    assert!(
        shown.contains("INCLUDE header AS heads INCLUDE header 'trace' character varying AS trace"),
        "{shown}"
    );
    served.stop().await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_sources_and_missing_topics() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    broker.create_topic("page_views", 1).await.unwrap();
    let brokers = broker.local_addr().to_string();
    let served = Served::start().await;
    let client = served.client().await;

    let missing = client
        .batch_execute(&source("bad", "no_such_topic_x", &brokers, ""))
        .await
        .unwrap_err();
    assert!(
        message(&missing).contains("topic no_such_topic_x not found"),
        "{}",
        message(&missing)
    );
    assert_eq!(rows(&client, "SHOW SOURCES").await, Vec::<String>::new());

    produce(&brokers, "page_views", &[PAGE, PAGE]).await;
    let latest = source(
        "src",
        "page_views",
        &brokers,
        ", scan.startup.mode = 'latest'",
    );
    client.batch_execute(&latest).await.unwrap();
    client
        .batch_execute("CREATE MATERIALIZED VIEW later AS SELECT count(*) AS n FROM src")
        .await
        .unwrap();
    produce(&brokers, "page_views", &[PAGE]).await;
    until(&client, "SELECT n FROM later", &["1"]).await;
    // a SELECT on the source itself reads the topic from its beginning (facts 6)
    assert_eq!(rows(&client, "SELECT count(*) FROM src").await, ["3"]);
    served.stop().await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_and_comes_back() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    broker.create_topic("page_views", 1).await.unwrap();
    let listen = broker.local_addr();
    let brokers = listen.to_string();
    let served = Served::start().await;
    let client = served.client().await;
    produce(&brokers, "page_views", &[PAGE]).await;
    client
        .batch_execute(&source("src", "page_views", &brokers, ""))
        .await
        .unwrap();
    until(&client, "SELECT count(*) FROM src", &["1"]).await;
    broker.shutdown().await;
    until(
        &client,
        "SELECT bool_and(trouble IS NOT NULL) FROM rwt_engine.sources",
        &["t"],
    )
    .await;
    assert_eq!(rows(&client, "SELECT count(*) FROM src").await, ["1"]);

    let config = Config {
        listen,
        ..Config::new(data.path())
    };
    let broker = Broker::start(config).await.unwrap();
    produce(&brokers, "page_views", &[PAGE]).await;
    until(&client, "SELECT count(*) FROM src", &["2"]).await;
    until(
        &client,
        "SELECT bool_and(trouble IS NULL) FROM rwt_engine.sources",
        &["t"],
    )
    .await;
    served.stop().await;
    broker.shutdown().await;
}
