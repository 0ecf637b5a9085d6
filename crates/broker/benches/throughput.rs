//! Records per second through librdkafka: produced with full acknowledgement, then consumed. The peer in the same run is
//! librdkafka's own mock cluster, which keeps its records in memory.
//!
//! `cargo bench -p rwt-broker`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use rwt_broker::{Broker, Config};

const TOPIC: &str = "events";
const PATIENCE: Duration = Duration::from_secs(120);
/// About the size of a page view.
const PAYLOAD: &[u8; 100] = &[b'x'; 100];

fn produce(bootstrap: &str, records: usize, batch: &str, compression: &str) -> f64 {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("batch.num.messages", batch)
        .set("compression.type", compression)
        .create()
        .unwrap();
    let started = Instant::now();
    for _ in 0..records {
        let mut record = BaseRecord::<(), _>::to(TOPIC)
            .payload(&PAYLOAD[..])
            .partition(0);
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(
                error.rdkafka_error_code(),
                Some(RDKafkaErrorCode::QueueFull)
            );
            producer.poll(Duration::from_millis(1));
            record = back;
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).unwrap();
    records as f64 / started.elapsed().as_secs_f64()
}

fn consume(bootstrap: &str, records: usize) -> f64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(TOPIC, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    let started = Instant::now();
    for _ in 0..records {
        consumer.poll(PATIENCE).unwrap().unwrap();
    }
    records as f64 / started.elapsed().as_secs_f64()
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("{:34} {:>14} {:>14}", "records/s", "produced", "consumed");
    // The mock cluster keeps only a few megabytes per partition: what is consumed from it is read while it is still there.
    for (records, batch, compression) in [
        (20_000, "10000", "none"),
        (20_000, "10000", "lz4"),
        (20_000, "10", "none"),
    ] {
        let peer = MockCluster::new(1).unwrap();
        peer.create_topic(TOPIC, 1, 1).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let broker = runtime
            .block_on(Broker::start(Config::new(dir.path())))
            .unwrap();
        runtime.block_on(broker.create_topic(TOPIC, 1)).unwrap();
        for (name, bootstrap) in [
            ("rwt-broker", broker.advertised()),
            ("mock cluster", peer.bootstrap_servers()),
        ] {
            let produced = produce(&bootstrap, records, batch, compression);
            let consumed = consume(&bootstrap, records);
            println!(
                "{:34} {produced:>14.0} {consumed:>14.0}",
                format!("{name}, batches of {batch}, {compression}")
            );
        }
        runtime.block_on(broker.shutdown());
    }
}
