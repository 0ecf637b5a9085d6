//! A broker on a free port in a directory of its own, and clients for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};
use rwt_broker::{Broker, Config};

/// Long enough for anything on a loaded machine; nothing waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running broker.
pub struct Running {
    pub broker: Broker,
    pub dir: tempfile::TempDir,
}

impl Running {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        // With RUST_LOG=rwt_broker=debug a failing test shows why the broker closed a connection.
        let logs = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt()
            .with_env_filter(logs)
            .with_test_writer()
            .try_init();
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(dir.path());
        change(&mut config);
        Self {
            broker: Broker::start(config).await.unwrap(),
            dir,
        }
    }

    /// Stops the broker and starts another one on its data.
    pub async fn restart(self) -> Self {
        let Self { broker, dir } = self;
        let mut config = Config::new(dir.path());
        config.listen = broker.local_addr();
        broker.shutdown().await;
        Self {
            broker: Broker::start(config).await.unwrap(),
            dir,
        }
    }

    pub fn address(&self) -> String {
        self.broker.local_addr().to_string()
    }

    pub fn client(&self, settings: &[(&str, &str)]) -> ClientConfig {
        client(&self.address(), settings)
    }

    pub fn producer(&self, settings: &[(&str, &str)]) -> Sender {
        Sender::new(self.client(settings))
    }

    /// Reads every record of a topic, partition by partition, from its first offset to its high watermark.
    pub async fn read_all(&self, topic: &str) -> Vec<OwnedMessage> {
        let (address, topic) = (self.address(), topic.to_owned());
        tokio::task::spawn_blocking(move || read_all(&address, &topic))
            .await
            .unwrap()
    }

    /// Low and high watermark of every partition of a topic.
    pub fn watermarks(&self, topic: &str) -> Vec<(i64, i64)> {
        let topics = self.broker.topics();
        let topic = topics
            .into_iter()
            .find(|status| status.name == topic)
            .unwrap();
        topic
            .partitions
            .iter()
            .map(|partition| (partition.low_watermark, partition.high_watermark))
            .collect()
    }
}

pub fn client(address: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
}

pub fn read_all(address: &str, topic: &str) -> Vec<OwnedMessage> {
    let settings = [
        ("group.id", "reader"),
        ("enable.auto.commit", "false"),
        ("check.crcs", "true"),
    ];
    let consumer: BaseConsumer = client(address, &settings).create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut all = Vec::new();
    for partition in metadata.topics()[0].partitions() {
        let (low, high) = consumer
            .fetch_watermarks(topic, partition.id(), PATIENCE)
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(topic, partition.id(), Offset::Offset(low))
            .unwrap();
        consumer.assign(&assignment).unwrap();
        let mut next = low;
        while next < high {
            let message = poll(&consumer);
            assert_eq!(
                message.offset(),
                next,
                "a gap in partition {}",
                partition.id()
            );
            next += 1;
            all.push(message);
        }
    }
    all
}

/// The next message.
pub fn poll<C: rdkafka::consumer::ConsumerContext>(consumer: &BaseConsumer<C>) -> OwnedMessage {
    let patience = Instant::now() + PATIENCE;
    loop {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => return message.detach(),
            Some(Err(error)) => panic!("consumer: {error}"),
            None => assert!(Instant::now() < patience, "no message came"),
        }
    }
}

pub fn payloads(messages: &[OwnedMessage]) -> Vec<String> {
    let text =
        |message: &OwnedMessage| String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
    messages.iter().map(text).collect()
}

/// A producer that remembers what became of its records.
pub struct Sender(BaseProducer<Deliveries>);

#[derive(Default)]
pub struct Deliveries {
    sent: AtomicUsize,
    outcomes: std::sync::Mutex<Vec<Result<(i32, i64), RDKafkaErrorCode>>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let outcome = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap()),
        };
        self.outcomes.lock().unwrap().push(outcome);
    }
}

impl Sender {
    pub fn new(config: ClientConfig) -> Self {
        Self(config.create_with_context(Deliveries::default()).unwrap())
    }

    pub fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: &str,
        payload: &str,
        timestamp: Option<i64>,
    ) {
        self.0.context().sent.fetch_add(1, Ordering::Relaxed);
        let patience = Instant::now() + PATIENCE;
        let mut record = BaseRecord::to(topic).key(key).payload(payload);
        record.partition = partition;
        record.timestamp = timestamp;
        while let Err((error, back)) = self.0.send(record) {
            assert_eq!(
                error.rdkafka_error_code(),
                Some(RDKafkaErrorCode::QueueFull),
                "{error}"
            );
            assert!(Instant::now() < patience, "the queue stays full");
            self.0.poll(Duration::from_millis(10));
            record = back;
        }
    }

    /// Sends numbered records, 0 to `count`, to one partition.
    pub fn send_numbers(&self, topic: &str, partition: i32, count: usize) {
        for number in 0..count {
            let number = number.to_string();
            self.send(topic, Some(partition), &number, &number, None);
        }
    }

    /// Waits until every record has an outcome and returns them in the order in which they came.
    pub fn outcomes(&self) -> Vec<Result<(i32, i64), RDKafkaErrorCode>> {
        self.0.flush(PATIENCE).unwrap();
        let outcomes = std::mem::take(&mut *self.0.context().outcomes.lock().unwrap());
        assert_eq!(
            outcomes.len(),
            self.0.context().sent.swap(0, Ordering::Relaxed)
        );
        outcomes
    }

    /// Waits until every record is acknowledged and returns its offsets by partition, in the order of acknowledgement.
    pub fn acknowledged(&self) -> HashMap<i32, Vec<i64>> {
        let mut offsets: HashMap<i32, Vec<i64>> = HashMap::new();
        for outcome in self.outcomes() {
            let (partition, offset) = outcome.unwrap();
            offsets.entry(partition).or_default().push(offset);
        }
        offsets
    }
}
