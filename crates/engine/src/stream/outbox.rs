//! Messages of sinks on their way to Kafka. They are rows of the log like any other until the broker has them, so none is
//! lost; after a crash those that were on their way are sent once more, as RisingWave does (at least once).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::task::JoinHandle;

use super::barrier::Staged;
use super::kafka::client_settings;
use crate::catalog::{ObjectId, Sink};
use crate::engine::{Inner, locked};
use crate::storage::{Change, StorageError};

/// Messages that may wait for the broker's word.
const IN_FLIGHT: usize = 10_000;
/// For one question to the broker.
const CALL: Duration = Duration::from_secs(5);

/// What the senders know of one another.
#[derive(Default)]
pub(crate) struct Outbox(Mutex<Senders>);

#[derive(Default)]
struct Senders {
    producers: HashMap<ObjectId, FutureProducer>,
    /// Sinks whose messages are on their way.
    busy: HashSet<ObjectId>,
    tasks: Vec<JoinHandle<()>>,
    /// What has arrived since the last checkpoint: all messages of a sink before a row id.
    arrived: Vec<(ObjectId, i64)>,
}

/// Messages of one sink that are to be sent.
pub(crate) struct Shipment {
    sink: ObjectId,
    kafka: Kafka,
    messages: Vec<RecordBatch>,
    /// They are those before this row id.
    before: i64,
}

/// Where a sink's messages go.
#[derive(Debug, Clone)]
pub(crate) struct Kafka {
    topic: String,
    config: ClientConfig,
}

impl Kafka {
    /// What the options of a sink say; none where it does not go to Kafka.
    pub fn of(sink: &Sink) -> Option<Self> {
        sink.messages.as_ref()?;
        let mut config = ClientConfig::new();
        config
            .set(
                "bootstrap.servers",
                sink.option("properties.bootstrap.server")?,
            )
            .set("client.id", "rwt-engine")
            .set("enable.idempotence", "true")
            .set("linger.ms", "10")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("log_level", "0");
        for (name, value) in client_settings(&sink.options) {
            // RisingWave's own: here a message is sent until it has arrived.
            if !matches!(name, "retry.max" | "retry.interval") {
                config.set(name, value);
            }
        }
        Some(Self {
            topic: sink.option("topic")?.to_owned(),
            config,
        })
    }

    /// Asks the broker whether it is there and has the topic.
    pub fn check(&self) -> Result<(), String> {
        let producer: FutureProducer = self.config.create().map_err(|error| error.to_string())?;
        let metadata = producer
            .client()
            .fetch_metadata(Some(&self.topic), CALL)
            .map_err(|error| error.to_string())?;
        let known = metadata.topics().iter().find(|t| t.name() == self.topic);
        match known {
            Some(topic) if topic.error().is_none() && !topic.partitions().is_empty() => Ok(()),
            _ => Err(format!("topic {} not found", self.topic)),
        }
    }
}

/// Notes what has arrived, and takes up what waits. The returned shipments are to be sent after the checkpoint.
pub(super) fn advance(staged: &mut Staged<'_>) -> Result<Vec<Shipment>, StorageError> {
    let inner = staged.inner;
    // Held to the end: what arrives from now on is the next checkpoint's.
    let mut senders = locked(&inner.outbox.0);
    for (sink, before) in std::mem::take(&mut senders.arrived) {
        if staged.state.tables.contains_key(&sink) {
            staged.apply(Change::Sent(sink, before))?;
        }
    }
    let mut shipments = Vec::new();
    for object in staged.state.catalog.objects.values() {
        let Some(sink) = object.sink().filter(|sink| sink.messages.is_some()) else {
            continue;
        };
        let waiting = staged.state.tables.get(&object.id);
        let Some(waiting) = waiting.filter(|messages| messages.rows() > 0) else {
            continue;
        };
        if senders.busy.contains(&object.id) {
            continue;
        }
        let Some(kafka) = Kafka::of(&staged.state.catalog.opened_sink(sink)) else {
            continue;
        };
        senders.busy.insert(object.id);
        let parts = waiting.parts()?;
        shipments.push(Shipment {
            sink: object.id,
            kafka,
            messages: parts.into_iter().map(|(_, rows)| rows).collect(),
            before: waiting.next_row_id(),
        });
    }
    Ok(shipments)
}

/// Sends messages, again and again until they have arrived; then the next checkpoint notes it.
pub(super) fn spawn(inner: &Arc<Inner>, shipment: Shipment) {
    let own = inner.clone();
    let task = tokio::spawn(async move {
        tokio::select! {
            biased;
            () = own.stopped() => {}
            () = deliver(&own, &shipment) => {}
        }
    });
    let mut senders = locked(&inner.outbox.0);
    senders.tasks.retain(|task| !task.is_finished());
    senders.tasks.push(task);
}

/// Waits for the senders, which end when the engine stops. What they had not sent is sent after a restart.
pub(crate) async fn finish(inner: &Inner) {
    let tasks = std::mem::take(&mut locked(&inner.outbox.0).tasks);
    for task in tasks {
        let _ = task.await;
    }
}

async fn deliver(inner: &Inner, shipment: &Shipment) {
    let sink = shipment.sink;
    let mut pause = Duration::from_millis(100);
    while let Err(error) = send(inner, shipment).await {
        if !inner.state().tables.contains_key(&sink) {
            return;
        }
        inner.trouble(sink, Some(error.to_string()));
        tracing::warn!(topic = shipment.kafka.topic, %error, "messages of a sink do not arrive and are sent again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
        locked(&inner.outbox.0).producers.remove(&sink);
    }
    inner.trouble(sink, None);
    let mut senders = locked(&inner.outbox.0);
    senders.busy.remove(&sink);
    senders.arrived.push((sink, shipment.before));
}

/// Forgets the producers of sinks that are gone.
pub(crate) fn close(inner: &Inner, gone: &[ObjectId]) {
    let mut senders = locked(&inner.outbox.0);
    for sink in gone {
        senders.producers.remove(sink);
    }
}

fn producer(inner: &Inner, shipment: &Shipment) -> Result<FutureProducer, KafkaError> {
    let known = locked(&inner.outbox.0)
        .producers
        .get(&shipment.sink)
        .cloned();
    if let Some(producer) = known {
        return Ok(producer);
    }
    let producer: FutureProducer = shipment.kafka.config.create()?;
    let mut senders = locked(&inner.outbox.0);
    senders.producers.insert(shipment.sink, producer.clone());
    Ok(producer)
}

async fn send(inner: &Inner, shipment: &Shipment) -> Result<(), KafkaError> {
    let producer = producer(inner, shipment)?;
    let mut waiting = VecDeque::with_capacity(IN_FLIGHT);
    for batch in &shipment.messages {
        let (keys, values) = (
            batch.column(0).as_string::<i32>(),
            batch.column(1).as_string::<i32>(),
        );
        for row in 0..batch.num_rows() {
            let mut record = FutureRecord::to(&shipment.kafka.topic);
            record.key = (!keys.is_null(row)).then(|| keys.value(row));
            record.payload = (!values.is_null(row)).then(|| values.value(row));
            loop {
                match producer.send_result(record) {
                    Ok(delivery) => {
                        waiting.push_back(delivery);
                        break;
                    }
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                        record = unsent;
                        arrival(&mut waiting).await?;
                    }
                    Err((error, _)) => return Err(error),
                }
            }
            if waiting.len() >= IN_FLIGHT {
                arrival(&mut waiting).await?;
            }
        }
    }
    while !waiting.is_empty() {
        arrival(&mut waiting).await?;
    }
    Ok(())
}

/// Waits for the broker's word on the oldest message.
async fn arrival(
    waiting: &mut VecDeque<rdkafka::producer::DeliveryFuture>,
) -> Result<(), KafkaError> {
    match waiting.pop_front() {
        None => {
            // the queue is full of what other sinks send
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(())
        }
        Some(delivery) => match delivery.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(error),
            Err(_) => Err(KafkaError::Canceled),
        },
    }
}
