//! Messages to topics through librdkafka: idempotent, acknowledged by all replicas, in JSON.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use crate::error::ProduceError;
use crate::event::{Event, Value};
use crate::run::Output;
use crate::summary::Counters;

const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the last acknowledgements are waited for.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// How to reach the broker.
#[derive(Debug, Clone, Default)]
pub struct KafkaOptions {
    /// `host:port[,…]`
    pub bootstrap: String,
    /// librdkafka's settings for security and the like.
    pub settings: Vec<(String, String)>,
}

/// Hears of every acknowledgement on librdkafka's thread.
struct Deliveries {
    started: Instant,
    counters: Mutex<Counters>,
}

impl Deliveries {
    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The context that librdkafka keeps.
struct Context(Arc<Deliveries>);

impl ClientContext for Context {}

impl ProducerContext for Context {
    /// Microseconds from the start to the sending.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_at: usize) {
        let now = self.0.started.elapsed();
        let mut counters = self.0.counters();
        match result {
            Ok(_) => {
                let sent_at = Duration::from_micros(sent_at as u64);
                counters.count_acknowledged(1, now.saturating_sub(sent_at));
            }
            Err((error, _)) => counters.count_failed(1, || error.to_string()),
        }
    }
}

/// A producer for any number of topics.
pub struct Kafka {
    producer: ThreadedProducer<Context>,
    deliveries: Arc<Deliveries>,
    payload: Vec<u8>,
}

impl Kafka {
    /// Connects and makes sure that the topics exist.
    ///
    /// # Errors
    /// [`ProduceError::NoBroker`], [`ProduceError::NoTopic`], or what librdkafka says to its settings.
    pub fn connect(options: &KafkaOptions, topics: &[&str]) -> Result<Self, ProduceError> {
        let deliveries = Arc::new(Deliveries {
            started: Instant::now(),
            counters: Mutex::default(),
        });
        let mut config = ClientConfig::new();
        for (key, value) in &options.settings {
            config.set(key, value);
        }
        let producer: ThreadedProducer<Context> = config
            .set("bootstrap.servers", &options.bootstrap)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("batch.num.messages", "10000")
            .set("compression.type", "lz4")
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "131072")
            .set("log_level", "0")
            .create_with_context(Context(deliveries.clone()))?;
        let metadata = producer
            .client()
            .fetch_metadata(None, METADATA_TIMEOUT)
            .map_err(|error| ProduceError::NoBroker {
                bootstrap: options.bootstrap.clone(),
                reason: error.to_string(),
            })?;
        let missing: Vec<String> = topics
            .iter()
            .filter(|topic| !metadata.topics().iter().any(|t| t.name() == **topic))
            .map(|topic| (*topic).to_owned())
            .collect();
        if !missing.is_empty() {
            return Err(ProduceError::NoTopic {
                bootstrap: options.bootstrap.clone(),
                topics: missing,
            });
        }
        Ok(Self {
            producer,
            deliveries,
            payload: Vec::with_capacity(256),
        })
    }
}

impl Output for Kafka {
    fn send(&mut self, event: &Event) -> Result<(), ProduceError> {
        self.payload.clear();
        write_json(event, &mut self.payload);
        let micros = self.deliveries.started.elapsed().as_micros();
        let sent_at = usize::try_from(micros).unwrap_or(usize::MAX);
        let mut record =
            BaseRecord::with_opaque_to(&event.stream, sent_at).payload(self.payload.as_slice());
        if let Some(key) = &event.key {
            record = record.key(key.as_str());
        }
        // A full queue is back-pressure: wait for acknowledgements and try again.
        while let Err((error, refused)) = self.producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(1));
            record = refused;
        }
        self.deliveries.counters().count_sent(&event.stream);
        Ok(())
    }

    fn poll(&mut self) -> Result<(), ProduceError> {
        // The producer's own thread polls.
        match self.producer.client().fatal_error() {
            Some((code, reason)) => {
                self.deliveries
                    .counters()
                    .first_failure
                    .get_or_insert(reason);
                Err(KafkaError::MessageProduction(code).into())
            }
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), ProduceError> {
        let flushed = self.producer.flush(FLUSH_TIMEOUT);
        let counters = self.counters();
        let open = counters
            .total_sent()
            .saturating_sub(counters.acknowledged + counters.failed);
        match flushed {
            Ok(()) if open == 0 => Ok(()),
            _ => Err(ProduceError::NotAcknowledged {
                count: open,
                seconds: FLUSH_TIMEOUT.as_secs(),
            }),
        }
    }

    fn counters(&self) -> Counters {
        self.deliveries.counters().clone()
    }
}

/// The event as one JSON object, fields in their order.
fn write_json(event: &Event, out: &mut Vec<u8>) {
    out.push(b'{');
    for (i, (column, value)) in event.columns.iter().zip(&event.values).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_value(column.as_str(), out);
        out.push(b':');
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Int(number) => write_value(number, out),
            // JSON knows no infinities; serde_json writes them as null.
            Value::Double(number) => write_value(number, out),
            Value::Text(text) => write_value(text, out),
            Value::Bool(flag) => write_value(flag, out),
            Value::Json(json) => write_value(json, out),
        }
    }
    out.push(b'}');
}

fn write_value(value: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing to memory fails only for maps with other keys than text, which no event holds.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Shape;

    #[test]
    fn messages_are_json_objects_in_column_order() {
        let shape = Shape::new("t", &["id", "name", "amount", "none"]);
        let values = vec![
            Value::Int(1),
            "a\"b".into(),
            Value::Double(12.5),
            Value::Null,
        ];
        let mut out = Vec::new();
        write_json(&shape.event(None, values), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"id":1,"name":"a\"b","amount":12.5,"none":null}"#
        );
    }
}
