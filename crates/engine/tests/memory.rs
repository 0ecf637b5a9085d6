//! What is kept in memory: results that are computed once a change, and the limit of everything.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rwt_broker::Broker;
use support::{Served, message, rows, rows_or_error, until};
use tokio_postgres::Client;

/// An engine with so much memory.
async fn limited(dir: tempfile::TempDir, memory_limit: u64) -> Served {
    let interval = Duration::from_millis(100);
    Served::configured(dir, |config| rwt_engine::Config {
        barrier_interval: interval,
        memory_limit,
        ..config
    })
    .await
}

async fn run(client: &Client, statements: &[&str]) {
    for sql in statements {
        let done = client.batch_execute(sql).await;
        done.unwrap_or_else(|e| panic!("{sql}: {}", message(&e)));
    }
}

/// How often each view was computed, by name.
async fn computed(client: &Client) -> Vec<String> {
    let sql = "SELECT name, computed FROM rwt_engine.materialized_views ORDER BY name";
    rows(client, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_computed_when_an_input_of_its_own_has_changed() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE a (v int)",
            "CREATE TABLE b (v int)",
            "INSERT INTO a VALUES (1), (2)",
            "INSERT INTO b VALUES (5)",
            "FLUSH",
            "CREATE VIEW plain AS SELECT v + 1 AS v FROM a",
            "CREATE MATERIALIZED VIEW of_a AS SELECT sum(v) AS v FROM plain",
            "CREATE MATERIALIZED VIEW of_b AS SELECT sum(v) AS v FROM b",
            "CREATE MATERIALIZED VIEW of_of_a AS SELECT v * 10 AS v FROM of_a",
            "CREATE MATERIALIZED VIEW of_both AS SELECT sum(v) AS v FROM (SELECT v FROM of_of_a UNION ALL SELECT v FROM of_b) AS u",
        ],
    )
    .await;
    for _ in 0..3 {
        assert_eq!(rows(&client, "SELECT v FROM of_both").await, ["55"]);
        assert_eq!(rows(&client, "SELECT v FROM of_a").await, ["5"]);
    }
    let once = ["of_a 1", "of_b 1", "of_both 1", "of_of_a 1"];
    assert_eq!(computed(&client).await, once);

    // another session, a prepared statement and a system table read the same result
    let other = served.client().await;
    assert_eq!(rows(&other, "SELECT v FROM of_of_a").await, ["50"]);
    let prepared = other.prepare("SELECT v FROM of_both").await.unwrap();
    other.query(&prepared, &[]).await.unwrap();
    assert_eq!(computed(&client).await, once);

    // what does not read `b` stays
    run(&client, &["INSERT INTO b VALUES (1)", "FLUSH"]).await;
    assert_eq!(rows(&client, "SELECT v FROM of_both").await, ["56"]);
    assert_eq!(rows(&client, "SELECT v FROM of_of_a").await, ["50"]);
    let after_b = ["of_a 1", "of_b 2", "of_both 2", "of_of_a 1"];
    assert_eq!(computed(&client).await, after_b);

    // neither does a change of nothing, of a table that nobody reads, or of the catalog
    run(
        &client,
        &[
            "DELETE FROM a WHERE v = 99",
            "CREATE TABLE c (v int)",
            "INSERT INTO c VALUES (1)",
            "FLUSH",
        ],
    )
    .await;
    assert_eq!(rows(&client, "SELECT v FROM of_both").await, ["56"]);
    assert_eq!(computed(&client).await, after_b);

    run(&client, &["DELETE FROM a WHERE v = 2", "FLUSH"]).await;
    assert_eq!(rows(&client, "SELECT v FROM of_both").await, ["26"]);
    let after_a = ["of_a 2", "of_b 2", "of_both 3", "of_of_a 2"];
    assert_eq!(computed(&client).await, after_a);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_beyond_the_limit_are_refused_until_there_is_room() {
    let served = limited(tempfile::tempdir().unwrap(), 64 << 20).await;
    let client = served.client().await;
    let fill = |table: &str, count: u32| {
        format!(
            "INSERT INTO {table} SELECT i, repeat('x', 100) FROM generate_series(1, {count}) AS s (i)"
        )
    };
    run(
        &client,
        &[
            "SET RW_IMPLICIT_FLUSH = true",
            "CREATE TABLE large (id int, filling varchar)",
            "CREATE TABLE small (id int, filling varchar)",
            "CREATE MATERIALIZED VIEW copy AS SELECT id, filling || 'y' AS filling FROM large WHERE id <= 20000",
            &fill("large", 60_000),
            &fill("large", 60_000),
            &fill("small", 1000),
        ],
    )
    .await;
    let kept = "SELECT result_bytes > 1000000 FROM rwt_engine.materialized_views";
    assert_eq!(rows(&client, "SELECT count(*) FROM copy").await, ["40000"]);
    assert_eq!(rows(&client, kept).await, ["t"]);

    let mut added = 0;
    while added < 600_000 && client.batch_execute(&fill("large", 60_000)).await.is_ok() {
        added += 60_000;
    }
    let refused = loop {
        match rows_or_error(&client, &fill("large", 5000)).await {
            Ok(_) => added += 5000,
            Err(error) => break error,
        }
        assert!(added < 1_000_000, "nothing is refused");
    };
    // the kept result went before anything was refused
    assert_eq!(rows(&client, kept).await, ["NULL"]);
    let of_large = |text: &str| {
        regex::Regex::new(r"public\.large \d+ MB")
            .unwrap()
            .is_match(text)
    };
    assert!(
        refused.contains("the memory for rows is used up"),
        "{refused}"
    );
    assert!(
        of_large(&refused) && refused.contains("of 48 MB"),
        "{refused}"
    );
    assert!(refused.contains("`memory_limit`"), "{refused}");
    for sql in [
        "UPDATE large SET filling = filling || 'z' WHERE id <= 4000",
        "CREATE TABLE another AS SELECT * FROM large WHERE id <= 4000",
        "ALTER TABLE large ADD COLUMN more varchar DEFAULT 'some hundred bytes in each row, some hundred bytes in each row'",
    ] {
        let refused = rows_or_error(&client, sql).await.unwrap_err();
        assert!(
            refused.contains("the memory for rows is used up"),
            "{sql}: {refused}"
        );
    }
    // what is there can be read, what is small fits, and what is deleted makes room
    let all = format!("{}", 120_000 + added);
    assert_eq!(
        rows(&client, "SELECT count(*) FROM large").await,
        [all.as_str()]
    );
    run(
        &client,
        &["DELETE FROM large WHERE id > 20000", &fill("large", 60_000)],
    )
    .await;
    run(
        &client,
        &[
            "DROP TABLE large CASCADE",
            "CREATE TABLE large (id int, filling varchar)",
        ],
    )
    .await;
    run(&client, &[&fill("large", 60_000), &fill("large", 60_000)]).await;
    let held = "SELECT sum(bytes) FILTER (WHERE part = 'rows') > 10000000, \
                max(bytes) FILTER (WHERE part = 'limit') FROM rwt_engine.memory";
    assert_eq!(rows(&client, held).await, ["t 67108864"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_waits_for_memory_and_loses_nothing() {
    const MESSAGES: usize = 120_000;
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(rwt_broker::Config::new(data.path()))
        .await
        .unwrap();
    broker.create_topic("events", 1).await.unwrap();
    let brokers = broker.local_addr().to_string();
    let producing = brokers.clone();
    tokio::task::spawn_blocking(move || produce(&producing, MESSAGES))
        .await
        .unwrap();

    // not enough for the topic beside the table
    let served = limited(tempfile::tempdir().unwrap(), 32 << 20).await;
    let client = served.client().await;
    run(
        &client,
        &[
            "SET RW_IMPLICIT_FLUSH = true",
            "CREATE TABLE ballast (id int, filling varchar)",
        ],
    )
    .await;
    for _ in 0..12 {
        let sql =
            "INSERT INTO ballast SELECT i, repeat('x', 300) FROM generate_series(1, 5000) AS s (i)";
        run(&client, &[sql]).await;
    }
    run(
        &client,
        &[
            &format!(
                "CREATE TABLE events (id int, filling varchar) WITH (connector = 'kafka', topic = 'events', \
                 properties.bootstrap.server = '{brokers}') FORMAT PLAIN ENCODE JSON"
            ),
            "CREATE SOURCE numbers (n int) WITH (connector = 'datagen', fields.n.kind = 'sequence', \
             fields.n.start = '1', fields.n.end = '1000000', datagen.rows.per.second = '100000')",
        ],
    )
    .await;
    // both wait, and say why
    let waiting = "SELECT count(*) FROM rwt_engine.sources WHERE trouble LIKE 'waits: the memory for rows is used up%'";
    until(&client, waiting, &["2"]).await;
    // one that is not loaded keeps its position
    let dir = served.stop().await;
    let served = limited(dir, 32 << 20).await;
    let client = served.client().await;
    until(&client, waiting, &["2"]).await;

    let refused = rows_or_error(
        &client,
        "INSERT INTO ballast VALUES (1, repeat('x', 1000000))",
    )
    .await;
    assert!(refused.unwrap_err().contains("used up"));
    run(
        &client,
        &["DROP SOURCE numbers", "DELETE FROM ballast", "FLUSH"],
    )
    .await;
    let all = format!("{MESSAGES} {MESSAGES}");
    until(
        &client,
        "SELECT count(*), count(DISTINCT id) FROM events",
        &[&all],
    )
    .await;
    until(
        &client,
        "SELECT count(trouble) FROM rwt_engine.sources",
        &["0"],
    )
    .await;
}

fn produce(brokers: &str, messages: usize) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .unwrap();
    for id in 0..messages {
        let payload = format!("{{\"id\": {id}, \"filling\": \"{}\"}}", "y".repeat(100));
        let mut record: BaseRecord<'_, str, str> = BaseRecord::to("events").payload(&payload);
        while let Err((_, unsent)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = unsent;
        }
    }
    producer.flush(Duration::from_secs(60)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_spill_or_are_refused() {
    let served = limited(tempfile::tempdir().unwrap(), 128 << 20).await;
    let spill = served.dir.path().join("engine").join("spill");
    let client = Arc::new(served.client().await);
    run(
        &client,
        &[
            "SET RW_IMPLICIT_FLUSH = true",
            "CREATE TABLE t (id int, filling varchar)",
        ],
    )
    .await;
    for _ in 0..8 {
        run(
            &client,
            &["INSERT INTO t SELECT i, repeat('x', 80) || i FROM generate_series(1, 60000) AS s (i)"],
        )
        .await;
    }
    // 50 MB to sort and 20 to group, in 32
    let sorted = "SELECT count(*), sum(id) FROM (SELECT id, filling, row_number() OVER (PARTITION BY 1::int ORDER BY filling) AS n FROM t) AS s WHERE n > 0";
    assert_eq!(rows(&client, sorted).await, ["480000 14400240000"]);
    let grouped = "SELECT count(*) FROM (SELECT filling, id, count(*) AS n FROM t GROUP BY filling, id) AS s WHERE n = 8";
    assert_eq!(rows(&client, grouped).await, ["60000"]);
    assert!(spill.exists(), "nothing was spilled");

    // a join does not spill
    let joined = "SELECT count(*) FROM t AS a JOIN t AS b ON a.filling || 'x' = b.filling || 'x'";
    let refused = rows_or_error(&client, joined).await.unwrap_err();
    assert!(
        refused.contains("running queries share a quarter of `memory_limit`"),
        "{refused}"
    );
    assert_eq!(rows(&client, "SELECT count(*) FROM t").await, ["480000"]);

    // a start removes what a kill left
    let dir = served.stop().await;
    std::fs::create_dir_all(spill.join("left")).unwrap();
    let served = limited(dir, 128 << 20).await;
    assert!(!spill.join("left").exists());
    drop(served);
}
