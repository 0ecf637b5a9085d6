//! Producing to our broker against a bare librdkafka loop, and rows in statements of many against statements of one.
//!
//! Servers are in the same process, on the loopback address: what is compared is how clients use them.

use std::collections::HashSet;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rwt_broker::{Broker, Config};
use rwt_produce::generate::clickstream::{Clickstream, TABLES};
use rwt_produce::generate::shop::{Shop, TOPICS};
use rwt_produce::output::{Direct, DirectOptions, Kafka, KafkaOptions};
use rwt_produce::pace::{Limit, Pace, Rate};
use rwt_produce::{Counters, Event, Observer, Output, ProduceError, Source, Value, run};
use rwt_wire::{
    Backend, CancellationToken, Connection, Outcome, Param, Prepared, SqlError, Startup, rows_of,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const MESSAGES: usize = 50_000;
const ROWS: usize = 10_000;

/// Events that exist already, so that making them is not measured.
struct Made {
    events: Arc<[Event]>,
    next: usize,
}

impl Source for Made {
    fn next(&mut self, _: DateTime<Utc>) -> Result<Option<Event>, ProduceError> {
        let event = self.events.get(self.next).cloned();
        self.next += 1;
        Ok(event)
    }
}

struct Silent;

impl Observer for Silent {
    fn tick(&mut self, _: Duration, _: &Counters) {}
}

fn make(source: &mut dyn Source, count: usize) -> Arc<[Event]> {
    let at = DateTime::from_timestamp(1_771_070_400, 0).expect("a time");
    (0..count)
        .map(|_| {
            source
                .next(at)
                .expect("an event")
                .expect("an endless source")
        })
        .collect()
}

fn send_all(events: &Arc<[Event]>, output: &mut dyn Output) {
    let pace = Pace {
        rate: Rate::Max,
        limit: Limit::default(),
        start: Utc::now(),
    };
    let mut source = Made {
        events: events.clone(),
        next: 0,
    };
    let stop = AtomicBool::new(false);
    let (summary, result) = run(&mut source, output, &pace, &stop, &mut Silent);
    result.expect("everything is sent");
    assert_eq!(summary.counters.acknowledged, events.len() as u64);
}

/// An event as the text of one JSON object.
fn json(event: &Event) -> String {
    let fields: serde_json::Map<String, serde_json::Value> = event
        .columns
        .iter()
        .zip(&event.values)
        .map(|(column, value)| {
            let value = match value {
                Value::Int(number) => (*number).into(),
                Value::Double(number) => (*number).into(),
                Value::Text(text) => text.as_str().into(),
                Value::Bool(flag) => (*flag).into(),
                Value::Null => serde_json::Value::Null,
                Value::Json(json) => json.clone(),
            };
            (column.clone(), value)
        })
        .collect();
    serde_json::Value::Object(fields).to_string()
}

/// The peer: librdkafka's own loop over payloads that exist already, with the same guarantees and the same compression.
fn bare_loop(bootstrap: &str, messages: &[(Arc<str>, Option<String>, String)]) {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("batch.num.messages", "10000")
        .set("compression.type", "lz4")
        .set("queue.buffering.max.messages", "200000")
        .set("log_level", "0")
        .create()
        .expect("a producer");
    for (topic, key, payload) in messages {
        let mut record = BaseRecord::<str, str>::to(topic).payload(payload);
        if let Some(key) = key {
            record = record.key(key);
        }
        while let Err((error, refused)) = producer.send(record) {
            assert_eq!(
                error,
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
            );
            std::thread::sleep(Duration::from_millis(1));
            record = refused;
        }
    }
    producer
        .flush(Duration::from_secs(60))
        .expect("everything is acknowledged");
}

fn kafka(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let broker = runtime
        .block_on(Broker::start(Config::new(folder.path())))
        .expect("the broker starts");
    let bootstrap = broker.local_addr().to_string();
    for topic in TOPICS {
        let created = runtime.block_on(broker.create_topic(topic, 1));
        created.expect("a topic can be made");
    }

    let events = make(&mut Shop::new(1, 1_000_000), MESSAGES);
    let messages: Vec<_> = events
        .iter()
        .map(|event| (event.stream.clone(), event.key.clone(), json(event)))
        .collect();
    let options = KafkaOptions {
        bootstrap: bootstrap.clone(),
        settings: Vec::new(),
    };
    let mut group = criterion.benchmark_group(format!("{MESSAGES} messages to the broker"));
    group.throughput(Throughput::Elements(MESSAGES as u64));
    group.sample_size(10);
    group.bench_function("rwt-produce", |bencher| {
        bencher.iter(|| {
            let mut output = Kafka::connect(&options, &TOPICS).expect("the broker answers");
            send_all(&events, &mut output);
        });
    });
    group.bench_function("bare rdkafka loop", |bencher| {
        bencher.iter(|| bare_loop(&bootstrap, &messages));
    });
    group.finish();
    runtime.block_on(broker.shutdown());
}

/// A database that reads every statement, keeps nothing, and has all tables.
struct Nowhere;

#[async_trait]
impl Backend for Nowhere {
    async fn connect(&self, _: Startup) -> Result<Box<dyn Connection>, SqlError> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Connection for Nowhere {
    fn parse_script(&mut self, sql: &str) -> Result<Vec<String>, SqlError> {
        Ok(vec![sql.to_owned()])
    }

    async fn run(&mut self, sql: &str, _: &CancellationToken) -> Result<Outcome, SqlError> {
        if !sql.starts_with("select") {
            return Ok(Outcome::done(if sql == "flush" {
                "FLUSH"
            } else {
                "INSERT 0 1"
            }));
        }
        let names: arrow::array::ArrayRef =
            Arc::new(arrow::array::StringArray::from(TABLES.to_vec()));
        let batch =
            arrow::array::RecordBatch::try_from_iter([("table_name", names)]).expect("one column");
        let columns = vec![rwt_wire::Column::new(
            "table_name",
            rwt_sql::DataType::Varchar,
        )];
        Ok(Outcome::select(columns, rows_of(vec![batch])))
    }

    async fn prepare(
        &mut self,
        _: &str,
        _: &[Option<rwt_sql::DataType>],
        _: &CancellationToken,
    ) -> Result<Prepared, SqlError> {
        unreachable!("the simple protocol only")
    }

    async fn execute(
        &mut self,
        _: &Prepared,
        _: Vec<Param>,
        _: &CancellationToken,
    ) -> Result<Outcome, SqlError> {
        unreachable!("the simple protocol only")
    }

    fn take_notices(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn in_read_only_transaction(&self) -> bool {
        false
    }
}

/// The peer: one INSERT a row, each awaited, as the reference's `producer_direct.py` sends them.
fn insert(event: &Event) -> String {
    let values: Vec<String> = event
        .values
        .iter()
        .map(|value| match value {
            Value::Int(number) => number.to_string(),
            Value::Double(number) => number.to_string(),
            Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Value::Bool(flag) => flag.to_string(),
            Value::Null => "NULL".to_owned(),
            Value::Json(json) => format!("'{}'", json.to_string().replace('\'', "''")),
        })
        .collect();
    format!(
        "INSERT INTO {} ({}) VALUES ({})",
        event.stream,
        event.columns.join(", "),
        values.join(", ")
    )
}

fn direct(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let listener = runtime
        .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let shutdown = CancellationToken::new();
    let serving = runtime.spawn(rwt_wire::serve(
        listener,
        Arc::new(Nowhere),
        shutdown.clone(),
    ));
    let settings = format!("host=127.0.0.1 port={port} user=root dbname=dev");
    let (client, connection) = runtime
        .block_on(tokio_postgres::connect(&settings, tokio_postgres::NoTls))
        .expect("a connection");
    runtime.spawn(connection);
    let client = Arc::new(client);

    let mut source = Clickstream::new(1, Some(1000), &HashSet::new(), Utc::now());
    let events = make(&mut source, ROWS);
    let options = DirectOptions {
        client: client.clone(),
        handle: runtime.handle().clone(),
        schema: "public".to_owned(),
    };
    let mut group = criterion.benchmark_group(format!("{ROWS} rows over the wire"));
    group.throughput(Throughput::Elements(ROWS as u64));
    group.sample_size(10);
    group.bench_function("rwt-produce", |bencher| {
        bencher.iter(|| {
            let mut output = Direct::new(options.clone(), &TABLES).expect("the tables are there");
            send_all(&events, &mut output);
        });
    });
    group.bench_function("one INSERT a row", |bencher| {
        bencher.iter(|| {
            for event in events.iter() {
                let sent = runtime.block_on(client.batch_execute(&insert(event)));
                black_box(sent).expect("a row is taken");
            }
        });
    });
    group.finish();
    shutdown.cancel();
    runtime.block_on(serving).expect("the server ends well");
}

criterion_group!(benches, kafka, direct);
criterion_main!(benches);
