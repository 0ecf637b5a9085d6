//! Sinks to a real broker: which messages arrive, and that none is lost when the broker or the engine goes away.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message};
use rwt_broker::{Broker, Config};
use support::{Served, rows_or_error, until};
use tokio_postgres::Client;

/// Key and value as text; none where there is none.
type Seen = (Option<String>, Option<String>);

/// The first messages of a topic's only partition.
async fn messages(brokers: &str, topic: &str, count: usize) -> Vec<Seen> {
    let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
    let reading = move || {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "test")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&[topic.as_str()]).unwrap();
        let begun = Instant::now();
        let mut seen = Vec::new();
        while seen.len() < count && begun.elapsed() < Duration::from_secs(60) {
            let Some(message) = consumer.poll(Duration::from_millis(200)) else {
                continue;
            };
            let message = message.unwrap();
            let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8(b.to_vec()).unwrap());
            seen.push((text(message.key()), text(message.payload())));
        }
        seen
    };
    tokio::task::spawn_blocking(reading).await.unwrap()
}

fn seen(key: &str, value: &str) -> Seen {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (text(key), text(value))
}

async fn run(client: &Client, statements: &[&str]) {
    for sql in statements {
        rows_or_error(client, sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn with(brokers: &str, topic: &str, more: &str) -> String {
    format!(
        "WITH (connector = 'kafka', properties.bootstrap.server = '{brokers}', topic = '{topic}'{more})"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_writes_its_messages() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    for topic in ["plain", "upsert", "by_text", "debezium", "later"] {
        broker.create_topic(topic, 1).await.unwrap();
    }
    let brokers = broker.local_addr().to_string();
    let served = Served::start().await;
    let client = served.client().await;
    let sink = |name: &str, from: &str, topic: &str, more: &str, format: &str| {
        let with = with(&brokers, topic, more);
        format!("CREATE SINK {name} FROM {from} {with} {format}")
    };
    run(
        &client,
        &[
            "CREATE TABLE events (id int, name varchar, at timestamptz) APPEND ONLY",
            "CREATE TABLE users (id int PRIMARY KEY, name varchar)",
            "CREATE MATERIALIZED VIEW names AS SELECT name, count(*) AS n FROM users GROUP BY name",
            "INSERT INTO events VALUES (1, 'a', '2026-01-31 12:00:00Z')",
            "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
            "FLUSH",
            &sink("plain", "events", "plain", "", "FORMAT PLAIN ENCODE JSON"),
            &sink(
                "later",
                "events",
                "later",
                ", snapshot = 'false'",
                "FORMAT PLAIN ENCODE JSON (timestamptz.handling.mode = 'milli')",
            ),
            &sink(
                "names_out",
                "names",
                "upsert",
                ", primary_key = 'name'",
                "FORMAT UPSERT ENCODE JSON",
            ),
            &sink(
                "by_text",
                "users",
                "by_text",
                ", primary_key = 'id'",
                "FORMAT UPSERT ENCODE JSON KEY ENCODE TEXT",
            ),
            &sink(
                "debezium",
                "users",
                "debezium",
                ", primary_key = 'id'",
                "FORMAT DEBEZIUM ENCODE JSON",
            ),
            "INSERT INTO events VALUES (2, NULL, '2026-01-31 13:00:00Z')",
            "FLUSH",
        ],
    )
    .await;
    assert_eq!(
        messages(&brokers, "plain", 2).await,
        [
            seen(
                "",
                r#"{"id":1,"name":"a","at":"2026-01-31T12:00:00.000000Z"}"#
            ),
            seen(
                "",
                r#"{"id":2,"name":null,"at":"2026-01-31T13:00:00.000000Z"}"#
            ),
        ]
    );
    assert_eq!(
        messages(&brokers, "later", 1).await,
        [seen("", r#"{"id":2,"name":null,"at":1769864400000}"#)]
    );
    // What is there when the sink is made comes in any order.
    let mut first = messages(&brokers, "upsert", 2).await;
    first.sort();
    assert_eq!(
        first,
        [
            seen(r#"{"name":"ann"}"#, r#"{"name":"ann","n":1}"#),
            seen(r#"{"name":"bob"}"#, r#"{"name":"bob","n":1}"#),
        ]
    );
    run(
        &client,
        &[
            "UPDATE users SET name = 'ann' WHERE id = 2",
            "FLUSH",
            "DELETE FROM users WHERE id = 1",
            "FLUSH",
        ],
    )
    .await;
    assert_eq!(
        messages(&brokers, "upsert", 5).await[2..],
        [
            seen(r#"{"name":"bob"}"#, ""),
            seen(r#"{"name":"ann"}"#, r#"{"name":"ann","n":2}"#),
            seen(r#"{"name":"ann"}"#, r#"{"name":"ann","n":1}"#),
        ]
    );
    assert_eq!(
        messages(&brokers, "by_text", 4).await[2..],
        [seen("2", r#"{"id":2,"name":"ann"}"#), seen("1", "")]
    );
    let events = messages(&brokers, "debezium", 5).await;
    let payload = |at: usize| -> serde_json::Value {
        let text = events[at].1.as_deref().unwrap();
        serde_json::from_str::<serde_json::Value>(text).unwrap()["payload"].clone()
    };
    assert_eq!(payload(0)["op"], "c");
    assert_eq!(payload(2)["op"], "u");
    assert_eq!(
        payload(2)["before"],
        serde_json::json!({"id": 2, "name": "bob"})
    );
    assert_eq!(payload(3)["op"], "d");
    assert_eq!(events[4].1, None);

    until(
        &client,
        "SELECT name, connector, sink_type FROM rw_catalog.rw_sinks ORDER BY name LIMIT 2",
        &[
            "by_text KAFKA SINK_TYPE_UPSERT",
            "debezium KAFKA SINK_TYPE_UPSERT",
        ],
    )
    .await;
    run(&client, &["DROP SINK plain", "DROP TABLE users CASCADE"]).await;
    served.stop().await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_when_the_sink_is_made() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    broker.create_topic("out", 1).await.unwrap();
    let brokers = broker.local_addr().to_string();
    let served = Served::start().await;
    let client = served.client().await;
    run(&client, &["CREATE TABLE t (id int PRIMARY KEY, v varchar)"]).await;
    for (with, format, expected) in [
        (
            with(&brokers, "out", ""),
            "FORMAT UPSERT ENCODE JSON",
            "primary key not defined for Upsert kafka sink",
        ),
        (
            with(&brokers, "out", ", primary_key = 'no'"),
            "FORMAT UPSERT ENCODE JSON",
            "primary key column not found: no",
        ),
        (
            with(&brokers, "out", ""),
            "FORMAT PLAIN ENCODE JSON",
            "The sink of retract stream cannot be append-only",
        ),
        (
            with(&brokers, "nowhere", ", primary_key = 'id'"),
            "FORMAT UPSERT ENCODE JSON",
            "topic nowhere not found",
        ),
        (
            with(&brokers, "out", ", primary_key = 'id'"),
            "FORMAT UPSERT ENCODE AVRO (schema.registry = 'http://127.0.0.1:1')",
            "in the embedded engine",
        ),
        (
            with(&brokers, "out", ", primary_key = 'id,v'"),
            "FORMAT UPSERT ENCODE JSON KEY ENCODE TEXT",
            "KEY ENCODE TEXT expects a primary key of one column",
        ),
    ] {
        let sql = format!("CREATE SINK s FROM t {with} {format}");
        let error = rows_or_error(&client, &sql).await.unwrap_err();
        assert!(error.contains(expected), "{sql}: {error}");
    }
    served.stop().await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_broker_and_the_engine_go_away() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    broker.create_topic("out", 1).await.unwrap();
    let listen = broker.local_addr();
    let brokers = listen.to_string();
    let served = Served::start().await;
    let client = served.client().await;
    let options = with(&brokers, "out", ", properties.message.timeout.ms = '1000'");
    run(
        &client,
        &[
            "CREATE TABLE t (id int) APPEND ONLY",
            &format!("CREATE SINK s FROM t {options} FORMAT PLAIN ENCODE JSON"),
        ],
    )
    .await;
    broker.shutdown().await;
    run(&client, &["INSERT INTO t VALUES (1), (2)", "FLUSH"]).await;
    let dir = served.stop().await;

    let served = Served::reopen(dir).await;
    let client = served.client().await;
    run(&client, &["INSERT INTO t VALUES (3)", "FLUSH"]).await;
    let config = Config {
        listen,
        ..Config::new(data.path())
    };
    let broker = Broker::start(config).await.unwrap();
    let mut ids: Vec<String> = Vec::new();
    // A message may come twice, and none may be missing.
    for count in 3..10 {
        ids = messages(&brokers, "out", count)
            .await
            .into_iter()
            .filter_map(|(_, value)| value)
            .collect();
        ids.sort();
        ids.dedup();
        if ids.len() == 3 {
            break;
        }
    }
    assert_eq!(ids, [r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":3}"#]);
    served.stop().await;
    broker.shutdown().await;
}

/// Secrets are options of sinks, sources and tables; no catalog shows their values, and a changed one is used.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_values_of_options() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    for topic in ["first", "second"] {
        broker.create_topic(topic, 1).await.unwrap();
    }
    let brokers = broker.local_addr().to_string();
    let served = Served::start().await;
    let client = served.client().await;
    let with =
        "connector = 'kafka', properties.bootstrap.server = secret place, topic = secret topic";
    run(
        &client,
        &[
            &format!("CREATE SECRET place AS '{brokers}'"),
            "CREATE SECRET topic WITH (backend = 'meta') AS 'first'",
            "CREATE TABLE given (id int) APPEND ONLY",
            &format!("CREATE SINK out FROM given WITH ({with}) FORMAT PLAIN ENCODE JSON"),
            &format!("CREATE TABLE taken (id int) WITH ({with}) FORMAT PLAIN ENCODE JSON"),
            "INSERT INTO given VALUES (1)",
            "FLUSH",
        ],
    )
    .await;
    until(&client, "SELECT id FROM taken", &["1"]).await;
    for sql in [
        "SHOW CREATE SINK out",
        "SHOW CREATE TABLE taken",
        "SELECT definition, connector_props FROM rw_sinks",
        "SELECT definition, connector_props FROM rw_sources",
        "SHOW SECRETS",
    ] {
        let shown = rows_or_error(&client, sql).await.unwrap().join("\n");
        assert!(
            !shown.contains(&brokers) && !shown.contains("first"),
            "{shown}"
        );
    }
    let refused = rows_or_error(&client, "DROP SECRET topic")
        .await
        .unwrap_err();
    assert!(
        refused.contains("secret used by 2 other objects"),
        "{refused}"
    );

    run(&client, &["ALTER SECRET topic AS 'second'"]).await;
    run(&client, &["INSERT INTO given VALUES (2)", "FLUSH"]).await;
    assert_eq!(
        messages(&brokers, "second", 1).await,
        [seen("", r#"{"id":2}"#)]
    );
    drop(client);

    let served = Served::reopen(served.stop().await).await;
    let client = served.client().await;
    run(&client, &["INSERT INTO given VALUES (3)", "FLUSH"]).await;
    assert_eq!(
        messages(&brokers, "second", 2).await,
        [seen("", r#"{"id":2}"#), seen("", r#"{"id":3}"#)]
    );
    run(&client, &["DROP SECRET topic CASCADE", "DROP SECRET place"]).await;
    let left = rows_or_error(&client, "SHOW SINKS").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    served.stop().await;
}
