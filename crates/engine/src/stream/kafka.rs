//! Kafka sources: one consumer and one thread per source. The thread decodes messages into batches; the barrier takes
//! the batches together with the positions behind them, so that rows and positions reach the log in one record.
//! Partitions are assigned from stored offsets; consumer groups play no part.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow::error::ArrowError;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use rwt_query::Held;

use super::decode::{Decoded, Decoder, Message, Rows};
use crate::catalog::Source;
use crate::memory::Gate;
use crate::storage::{Problem, SourceProgress};

/// While a source may not read.
const PAUSE: Duration = Duration::from_millis(5);
/// Rows per batch.
const BATCH_ROWS: usize = 8192;
/// How long a decoded message waits before the barrier can take it.
const LINGER: Duration = Duration::from_millis(20);
/// Between two looks at the topic's partitions and ends.
const LOOK: Duration = Duration::from_secs(2);
/// For one question to the broker.
const CALL: Duration = Duration::from_secs(5);

/// Where a source begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Startup {
    /// At the oldest message.
    Earliest,
    /// Behind the newest message at creation.
    Latest,
    /// At the first message of this time or later, in milliseconds since 1970.
    Timestamp(i64),
}

/// What the options of a Kafka source say.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// `host:port[,…]`
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// Where to begin.
    pub startup: Startup,
    /// Settings for the client, without `properties.`.
    pub client: Vec<(String, String)>,
    /// `properties.sync.call.timeout` was given.
    pub deadline: Option<Duration>,
}

/// Why a source's options or its topic are refused: RisingWave's causes below `failed to create source worker`.
pub type Refusal = Vec<String>;

const OPTIONS: [&str; 8] = [
    "connector",
    "topic",
    "scan.startup.mode",
    "scan.startup.timestamp.millis",
    "scan.startup.timestamp_millis",
    "group.id.prefix",
    "aws.region",
    "upsert",
];

impl KafkaOptions {
    /// Reads a source's options.
    pub fn new(source: &Source) -> Result<Self, Refusal> {
        let required = |key: &str| {
            source.option(key).map(str::to_owned).ok_or_else(|| {
                vec![
                    "failed to parse json".to_owned(),
                    format!("missing field `{key}`"),
                ]
            })
        };
        let topic = required("topic")?;
        let brokers = match source.option("kafka.brokers") {
            Some(brokers) => brokers.to_owned(),
            None => required("properties.bootstrap.server")?,
        };
        let unknown: Vec<String> = source
            .options
            .iter()
            .filter(|(k, _)| {
                !OPTIONS.contains(&k.as_str())
                    && !k.starts_with("properties.")
                    && k != "kafka.brokers"
            })
            .map(|(k, v)| {
                let is_secret = source.secrets.iter().any(|(key, _)| key == k);
                let shown = if is_secret { "******" } else { v };
                format!("\"{k}\": \"{shown}\"")
            })
            .collect();
        if !unknown.is_empty() {
            return Err(vec![format!(
                "Unknown fields in the WITH clause: {{{}}}",
                unknown.join(", ")
            )]);
        }
        let millis = source
            .option("scan.startup.timestamp.millis")
            .or_else(|| source.option("scan.startup.timestamp_millis"));
        let startup = match (source.option("scan.startup.mode"), millis) {
            (_, Some(text)) => Startup::Timestamp(text.parse().map_err(|_| {
                vec![
                    "failed to create SplitEnumerator".to_owned(),
                    format!("failed to parse {text:?} as offset"),
                ]
            })?),
            (None, None) => Startup::Earliest,
            (Some(mode), None) if mode.eq_ignore_ascii_case("earliest") => Startup::Earliest,
            (Some(mode), None) if mode.eq_ignore_ascii_case("latest") => Startup::Latest,
            _ => {
                return Err(vec![
                    "failed to create SplitEnumerator".to_owned(),
                    "properties `scan_startup_mode` only supports earliest and latest or leaving it empty".to_owned(),
                ]);
            }
        };
        let client = client_settings(&source.options)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let deadline = source
            .option("properties.sync.call.timeout")
            .and_then(|t| t.strip_suffix('s')?.parse().ok())
            .map(Duration::from_secs);
        Ok(Self {
            brokers,
            topic,
            startup,
            client,
            deadline,
        })
    }

    fn consumer(&self) -> Result<BaseConsumer, KafkaError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            // librdkafka wants a name; nothing is ever committed under it
            .set("group.id", "rwt-engine")
            .set("client.id", "rwt-engine")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.error.backoff.ms", "100")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            // So that the client has messages for as long as a checkpoint takes, and asks for more soon after that.
            .set("queued.min.messages", "1000000")
            .set("queued.max.messages.kbytes", "32768")
            .set("fetch.queue.backoff.ms", "10")
            .set("log_level", "0");
        for (key, value) in &self.client {
            config.set(key, value);
        }
        config.create()
    }

    /// Asks the broker for the topic and returns where each partition is read first. Nothing is created.
    pub fn check(&self) -> Result<SourceProgress, Refusal> {
        let unreachable = |error: &KafkaError| match self.deadline {
            Some(_) => vec![
                format!(
                    "failed to fetch meta info for source, kafka ({})",
                    self.brokers
                ),
                "deadline has elapsed".to_owned(),
            ],
            None => vec![
                format!("failed to fetch metadata from kafka ({})", self.brokers),
                "Kafka error".to_owned(),
                "Meta data fetch error".to_owned(),
                cause(error),
            ],
        };
        let wait = self.deadline.unwrap_or(CALL).min(CALL);
        let consumer = self
            .consumer()
            .map_err(|e| vec!["Kafka error".to_owned(), e.to_string()])?;
        // all topics: asking for one by name would create it on a broker that does so
        let metadata = consumer
            .fetch_metadata(None, wait)
            .map_err(|e| unreachable(&e))?;
        let partitions: Vec<i32> = metadata
            .topics()
            .iter()
            .find(|t| t.name() == self.topic)
            .map(|t| {
                t.partitions()
                    .iter()
                    .map(rdkafka::metadata::MetadataPartition::id)
                    .collect()
            })
            .unwrap_or_default();
        if partitions.is_empty() {
            return Err(vec![
                format!("failed to fetch metadata from kafka ({})", self.brokers),
                format!("topic {} not found", self.topic),
            ]);
        }
        let mut progress = SourceProgress::default();
        for partition in partitions {
            let position = match self.startup {
                Startup::Earliest => None,
                Startup::Latest => Some(
                    consumer
                        .fetch_watermarks(&self.topic, partition, wait)
                        .map_err(|e| unreachable(&e))?
                        .1,
                ),
                Startup::Timestamp(millis) => {
                    let mut at = TopicPartitionList::new();
                    at.add_partition_offset(&self.topic, partition, Offset::Offset(millis))
                        .and_then(|()| consumer.offsets_for_times(at, wait))
                        .map_err(|e| unreachable(&e))?
                        .find_partition(&self.topic, partition)
                        .and_then(|found| match found.offset() {
                            Offset::Offset(offset) => Some(offset),
                            _ => None,
                        })
                        .map_or_else(
                            || {
                                consumer
                                    .fetch_watermarks(&self.topic, partition, wait)
                                    .map(|(_, high)| Some(high))
                            },
                            |offset| Ok(Some(offset)),
                        )
                        .map_err(|e| unreachable(&e))?
                }
            };
            progress.partitions.entry(partition).or_default().position = position;
        }
        Ok(progress)
    }

    /// Reads the topic from its beginning to its present end.
    pub fn read_all(&self, mut decoder: Decoder) -> Result<Vec<Rows>, Refusal> {
        let failed = |e: KafkaError| {
            vec![
                format!("failed to fetch metadata from kafka ({})", self.brokers),
                cause(&e),
            ]
        };
        let earliest = Self {
            startup: Startup::Earliest,
            ..self.clone()
        };
        let progress = earliest.check()?;
        let consumer = self.consumer().map_err(failed)?;
        let mut open = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for partition in progress.partitions.keys() {
            let (low, high) = consumer
                .fetch_watermarks(&self.topic, *partition, CALL)
                .map_err(failed)?;
            if low < high {
                open.insert(*partition, high);
                list.add_partition_offset(&self.topic, *partition, Offset::Offset(low))
                    .map_err(failed)?;
            }
        }
        consumer.assign(&list).map_err(failed)?;
        let mut batches = Vec::new();
        let mut heard = Instant::now();
        while !open.is_empty() {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    decoder.push(&borrowed(&message));
                    if open
                        .get(&message.partition())
                        .is_some_and(|end| message.offset() + 1 >= *end)
                    {
                        open.remove(&message.partition());
                    }
                }
                Some(Err(error)) => return Err(failed(error)),
                // transaction markers at a partition's end are offsets without a message
                None if heard.elapsed() > Duration::from_secs(2) => break,
                None => {}
            }
            if decoder.rows() >= BATCH_ROWS {
                batches.extend(decoder.finish().map_err(|e| vec![e.to_string()])?);
            }
        }
        batches.extend(decoder.finish().map_err(|e| vec![e.to_string()])?);
        Ok(batches)
    }
}

/// The settings for the client among the options of a source or sink, `properties.…`, but for RisingWave's own.
pub(super) fn client_settings(options: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    let settings = options.iter();
    settings
        .filter_map(|(key, value)| Some((key.strip_prefix("properties.")?, value.as_str())))
        .filter(|(name, _)| !matches!(*name, "bootstrap.server" | "sync.call.timeout"))
}

fn borrowed<'a>(message: &'a rdkafka::message::BorrowedMessage<'_>) -> Message<'a> {
    Message {
        payload: message.payload(),
        key: message.key(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        headers: message
            .headers()
            .map(|all| all.iter().map(|h| (h.key, h.value)).collect()),
    }
}

/// `BrokerTransportFailure (Local: Broker transport failure)`
fn cause(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(code) => format!("{code:?} ({code})"),
        None => error.to_string(),
    }
}

/// What a source's thread has read since the last checkpoint, and how it fares.
#[derive(Debug, Default)]
pub struct Inbox {
    batches: Vec<Rows>,
    /// Memory of the rows.
    bytes: usize,
    progress: SourceProgress,
    moved: bool,
    /// Why nothing is read, while that is so.
    pub trouble: Option<String>,
    /// The topic's end, per partition.
    pub ends: BTreeMap<i32, i64>,
}

/// Rows and the progress behind them.
#[derive(Debug)]
pub struct Taken {
    /// The rows, those that come and those that go.
    pub batches: Vec<Rows>,
    /// How far the source is read with them.
    pub progress: SourceProgress,
}

/// A running source.
#[derive(Debug)]
pub struct Reader {
    inbox: Arc<Mutex<Inbox>>,
    gate: Arc<Gate>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// Starts reading behind `progress`, while the gate is open.
    pub fn start(
        name: &str,
        options: KafkaOptions,
        decoder: Decoder,
        progress: SourceProgress,
        gate: Arc<Gate>,
    ) -> std::io::Result<Self> {
        Self::with_thread(name, progress.clone(), gate, move |feed| {
            let task = Task {
                options,
                decoder,
                progress,
                feed,
                assigned: BTreeMap::new(),
            };
            task.run();
        })
    }

    /// Starts a thread that makes rows of its own.
    pub(super) fn with_thread(
        name: &str,
        progress: SourceProgress,
        gate: Arc<Gate>,
        run: impl FnOnce(Feed) + Send + 'static,
    ) -> std::io::Result<Self> {
        let inbox = Arc::new(Mutex::new(Inbox {
            progress,
            ..Inbox::default()
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let feed = Feed {
            inbox: inbox.clone(),
            gate: gate.clone(),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("source {name}"))
            .spawn(move || run(feed))?;
        Ok(Self {
            inbox,
            gate,
            stop,
            thread: Some(thread),
        })
    }

    /// The rows since the last call, `None` if nothing moved.
    pub fn take(&self) -> Option<Taken> {
        let mut inbox = locked(&self.inbox);
        if !inbox.moved {
            return None;
        }
        inbox.moved = false;
        inbox.bytes = 0;
        Some(Taken {
            batches: std::mem::take(&mut inbox.batches),
            progress: inbox.progress.clone(),
        })
    }

    /// Memory of the rows that wait for the next checkpoint.
    pub fn waiting(&self) -> usize {
        locked(&self.inbox).bytes
    }

    /// How the reading fares: what is wrong, or why it waits, and the ends of the partitions.
    pub fn status(&self) -> (Option<String>, BTreeMap<i32, i64>) {
        let inbox = locked(&self.inbox);
        let trouble = inbox.trouble.clone().or_else(|| self.gate.closed());
        (trouble, inbox.ends.clone())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where a source's thread puts its rows.
pub(super) struct Feed {
    inbox: Arc<Mutex<Inbox>>,
    gate: Arc<Gate>,
    stop: Arc<AtomicBool>,
}

impl Feed {
    /// Whether the source is to end.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Whether the source has to wait: for the next checkpoint, or for memory.
    pub fn must_wait(&self) -> bool {
        !self.gate.lets_in(locked(&self.inbox).bytes)
    }

    /// Adds rows, and how far the source is with them.
    pub fn put(&self, rows: Vec<Rows>, progress: &SourceProgress) {
        let mut inbox = locked(&self.inbox);
        let batches = rows.iter().map(|rows| std::slice::from_ref(&rows.batch));
        let sizes = batches.map(Held::of);
        inbox.bytes += sizes.sum::<usize>();
        inbox.batches.extend(rows);
        inbox.progress.clone_from(progress);
        inbox.moved = true;
        inbox.trouble = None;
    }

    /// Says why there are no rows.
    pub fn trouble(&self, trouble: String) {
        locked(&self.inbox).trouble = Some(trouble);
    }
}

struct Task {
    options: KafkaOptions,
    decoder: Decoder,
    progress: SourceProgress,
    feed: Feed,
    /// Partitions that are read; false for those whose position the topic does not have.
    assigned: BTreeMap<i32, bool>,
}

impl Task {
    fn run(mut self) {
        let consumer = loop {
            match self.options.consumer() {
                Ok(consumer) => break consumer,
                Err(error) => {
                    self.feed.trouble(error.to_string());
                    std::thread::sleep(Duration::from_millis(500));
                    if self.feed.stopped() {
                        return;
                    }
                }
            }
        };
        let known: Vec<i32> = self.progress.partitions.keys().copied().collect();
        self.assign(&consumer, &known);
        let mut looked = Instant::now() - LOOK;
        let mut flushed = Instant::now();
        while !self.feed.stopped() {
            if looked.elapsed() >= LOOK {
                if let Err(error) = self.look(&consumer) {
                    return self.broken(&error);
                }
                looked = Instant::now();
            }
            if self.feed.must_wait() {
                std::thread::sleep(PAUSE);
                continue;
            }
            match consumer.poll(LINGER) {
                Some(Ok(message)) => self.decode(&borrowed(&message)),
                Some(Err(error)) => self.failed(&error),
                None => {}
            }
            if self.decoder.rows() >= BATCH_ROWS || flushed.elapsed() >= LINGER {
                if let Err(error) = self.flush() {
                    return self.broken(&error);
                }
                flushed = Instant::now();
            }
        }
    }

    /// The end of the reading. The positions stay behind, so nothing is lost: the messages are read again after a restart.
    fn broken(&self, error: &ArrowError) {
        self.feed.trouble(format!("rows cannot be built: {error}"));
    }

    fn assign(&mut self, consumer: &BaseConsumer, partitions: &[i32]) {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            self.assigned.entry(*partition).or_insert(true);
        }
        for (partition, reading) in &self.assigned {
            if !reading {
                continue;
            }
            let offset = self
                .progress
                .partitions
                .get(partition)
                .and_then(|p| p.position)
                .map_or(Offset::Beginning, Offset::Offset);
            let _ = list.add_partition_offset(&self.options.topic, *partition, offset);
        }
        if let Err(error) = consumer.assign(&list) {
            self.feed.trouble(error.to_string());
        }
    }

    fn decode(&mut self, message: &Message<'_>) {
        let partition = self
            .progress
            .partitions
            .entry(message.partition)
            .or_default();
        if partition.position.is_some_and(|p| message.offset < p) {
            return;
        }
        let problem = |reason| {
            Some(Problem {
                offset: message.offset,
                reason,
            })
        };
        match self.decoder.push(message) {
            Decoded::Row => partition.rows += 1,
            Decoded::Padded(reason) => {
                partition.rows += 1;
                partition.null_padded += 1;
                partition.last_problem = problem(reason);
            }
            Decoded::Skipped(reason) => {
                partition.skipped += 1;
                partition.last_problem = problem(reason);
            }
        }
        partition.position = Some(message.offset + 1);
        partition.last_event_at = message.timestamp.or(partition.last_event_at);
    }

    fn flush(&mut self) -> Result<(), ArrowError> {
        if locked(&self.feed.inbox).progress != self.progress {
            let rows = self.decoder.finish()?;
            self.feed.put(rows, &self.progress);
        }
        Ok(())
    }

    /// Finds new partitions and the ends of all.
    fn look(&mut self, consumer: &BaseConsumer) -> Result<(), ArrowError> {
        let wait = Duration::from_secs(1);
        let metadata = match consumer.fetch_metadata(None, wait) {
            Ok(metadata) => metadata,
            Err(error) => {
                let broker = &self.options.brokers;
                self.feed
                    .trouble(format!("broker {broker}: {}", cause(&error)));
                return Ok(());
            }
        };
        let partitions: Vec<i32> = metadata
            .topics()
            .iter()
            .filter(|t| t.name() == self.options.topic)
            .flat_map(|t| {
                t.partitions()
                    .iter()
                    .map(rdkafka::metadata::MetadataPartition::id)
            })
            .collect();
        if partitions.is_empty() {
            self.feed.trouble(format!(
                "topic {} is gone from the broker {}",
                self.options.topic, self.options.brokers
            ));
            return Ok(());
        }
        if partitions.iter().any(|p| !self.assigned.contains_key(p)) {
            self.flush()?;
            self.assign(consumer, &partitions);
        }
        let mut trouble = None;
        for partition in partitions {
            let Ok((low, high)) = consumer.fetch_watermarks(&self.options.topic, partition, wait)
            else {
                continue;
            };
            let position = self
                .progress
                .partitions
                .get(&partition)
                .and_then(|p| p.position);
            if let Some(position) = position.filter(|p| *p > high || *p < low) {
                trouble = Some(self.lost_position(partition, position, low, high));
            }
            locked(&self.feed.inbox).ends.insert(partition, high);
        }
        locked(&self.feed.inbox).trouble = trouble;
        Ok(())
    }

    fn lost_position(&self, partition: i32, position: i64, low: i64, high: i64) -> String {
        format!(
            "topic {}, partition {partition}: the next offset to read is {position}, but the topic holds {low} to {high}. \
             It was deleted and made again, or its messages expired. To read it from its beginning, drop the source with \
             CASCADE and create it again",
            self.options.topic
        )
    }

    fn failed(&mut self, error: &KafkaError) {
        if let Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) =
            error.rdkafka_error_code()
        {
            // the next look tells which partition and why
            return;
        }
        let broker = &self.options.brokers;
        self.feed
            .trouble(format!("broker {broker}: {}", cause(error)));
    }
}
