//! kill -9 in the middle of a load, several times: what was flushed is there, nothing is there twice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rwt_broker::{Broker, Config};
use support::{connect, message, rows, until};

/// The example `serve` as a process that can be killed.
struct Process {
    child: Child,
    port: u16,
}

impl Process {
    fn start(dir: &Path) -> Self {
        // cargo builds examples with the tests, beside them
        let here = std::env::current_exe().unwrap();
        let serve = here
            .parent()
            .unwrap()
            .parent()
            .unwrap()
            .join("examples/serve");
        let mut child = Command::new(serve)
            .arg(dir)
            .arg("0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap_or_else(|_| panic!("{line:?}"));
        Self { child, port }
    }

    /// kill -9
    fn kill(self) {}
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

const SET_UP: &str = "
CREATE TABLE copies (id int, v varchar);
CREATE SINK to_copies INTO copies FROM src WITH (type = 'append-only');
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, count(DISTINCT id) AS ids FROM src;
CREATE TABLE newest (v varchar PRIMARY KEY, id int);
CREATE SINK to_newest INTO newest AS SELECT v, max(id) AS id FROM src GROUP BY v;
CREATE CONNECTION lake WITH (type = 'iceberg', hosted_catalog = true, warehouse.path = 'lake');
SET iceberg_engine_connection = 'public.lake';
CREATE TABLE in_lake (id int, v varchar) WITH (commit_checkpoint_interval = 1) ENGINE = iceberg;
CREATE SINK to_lake INTO in_lake FROM src WITH (type = 'append-only');
CREATE TABLE direct (id int)";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_comes_twice() {
    const EVENTS: usize = 30_000;
    const KILLS: usize = 5;
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    broker.create_topic("events", 2).await.unwrap();
    let brokers = broker.local_addr().to_string();
    let dir = tempfile::tempdir().unwrap();

    // a thread of its own: flushing waits without giving way to the broker's tasks
    let producing = tokio::task::spawn_blocking({
        let brokers = brokers.clone();
        move || {
            let producer: FutureProducer = ClientConfig::new()
                .set("bootstrap.servers", &brokers)
                .set("linger.ms", "5")
                .create()
                .unwrap();
            for id in 0..EVENTS {
                let payload = format!("{{\"id\": {id}, \"v\": \"v{}\"}}", id % 7);
                let record: FutureRecord<'_, str, String> = FutureRecord::to("events")
                    .payload(&payload)
                    .partition(i32::from(id % 2 == 0));
                drop(producer.send_result(record).map_err(|(e, _)| e).unwrap());
                if id % 500 == 0 {
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            rdkafka::producer::Producer::flush(&producer, Duration::from_secs(60)).unwrap();
        }
    });

    let mut process = Process::start(dir.path());
    let client = connect(process.port).await;
    let source = format!(
        "CREATE SOURCE src (id int, v varchar) WITH (connector = 'kafka', topic = 'events', \
         properties.bootstrap.server = '{brokers}') FORMAT PLAIN ENCODE JSON"
    );
    for sql in std::iter::once(source.as_str()).chain(SET_UP.split(';')) {
        client
            .batch_execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {}", message(&e)));
    }
    let mut flushed = 0;
    for kill in 0..KILLS {
        let client = connect(process.port).await;
        for _ in 0..10 {
            client
                .batch_execute(&format!("INSERT INTO direct VALUES ({flushed})"))
                .await
                .unwrap();
            client.batch_execute("FLUSH").await.unwrap();
            flushed += 1;
        }
        tokio::time::sleep(Duration::from_millis(150 * (kill as u64 + 1))).await;
        process.kill();
        process = Process::start(dir.path());
        let client = connect(process.port).await;
        assert_eq!(
            rows(&client, "SELECT count(*), count(DISTINCT id) FROM direct").await,
            [format!("{flushed} {flushed}")]
        );
    }
    producing.await.unwrap();
    let written: u64 = broker
        .topics()
        .iter()
        .map(rwt_broker::TopicStatus::records)
        .sum();
    assert_eq!(written, EVENTS as u64);
    let client = connect(process.port).await;
    let all = format!("{EVENTS} {EVENTS}");
    until(&client, "SELECT n, ids FROM totals", &[&all]).await;
    until(
        &client,
        "SELECT count(*), count(DISTINCT id) FROM copies",
        &[&all],
    )
    .await;
    until(
        &client,
        "SELECT count(*), count(DISTINCT id) FROM in_lake",
        &[&all],
    )
    .await;
    let newest = format!("7 {}", EVENTS - 1);
    until(&client, "SELECT count(*), max(id) FROM newest", &[&newest]).await;
    process.kill();
    broker.shutdown().await;
}
