//! Topics on the target's broker, whatever broker that is.

use std::collections::BTreeSet;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use serde::Serialize;

/// How long a broker may take to accept a connection. librdkafka by itself would go on trying to reach one that is not
/// there for as long as a slow one may take to answer.
const REACH: Duration = Duration::from_secs(5);
/// How long a broker that was reached may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A topic with what is in it.
#[derive(Debug, Clone, Serialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: usize,
    /// Messages between the low and the high watermarks.
    pub messages: i64,
}

/// What the broker refused.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum TopicError {
    /// No answer.
    #[error("no Kafka broker answers at {bootstrap}: {reason}")]
    #[diagnostic(
        code(rwt::kafka::unreachable),
        help(
            "`rwt up` starts the embedded broker; for another one check `kafka.local` of the target in profiles.yml"
        )
    )]
    Unreachable {
        /// Where it was looked for.
        bootstrap: String,
        /// What librdkafka said.
        reason: String,
    },
    /// A topic could not be made.
    #[error("topic {topic} cannot be created at {bootstrap}: {reason}")]
    #[diagnostic(code(rwt::kafka::create_topic))]
    Create {
        /// The topic.
        topic: String,
        /// The broker.
        bootstrap: String,
        /// What the broker said.
        reason: String,
    },
}

/// A connection's settings to the broker: address and, where the target says so, security.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broker {
    /// `host:port[,…]` as this machine sees it.
    pub bootstrap: String,
    /// librdkafka's settings for security and the like.
    pub settings: Vec<(String, String)>,
}

impl Broker {
    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in &self.settings {
            config.set(key, value);
        }
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("log_level", "0")
            .set("socket.connection.setup.timeout.ms", "5000");
        config
    }

    /// Looks whether any of the brokers accepts a connection.
    fn reach(&self) -> Result<(), TopicError> {
        let mut reason = "no address is given".to_owned();
        for address in self.bootstrap.split(',') {
            match connect(address.trim()) {
                Ok(()) => return Ok(()),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(self.unreachable(reason))
    }

    fn unreachable(&self, reason: impl ToString) -> TopicError {
        TopicError::Unreachable {
            bootstrap: self.bootstrap.clone(),
            reason: reason.to_string(),
        }
    }

    /// The topics with their sizes, by name. Blocks for the time of a few round trips.
    ///
    /// # Errors
    /// [`TopicError::Unreachable`]
    pub fn topics(&self) -> Result<Vec<Topic>, TopicError> {
        self.reach()?;
        let consumer: BaseConsumer = self
            .config()
            .create()
            .map_err(|error| self.unreachable(error))?;
        let metadata = consumer
            .fetch_metadata(None, TIMEOUT)
            .map_err(|error| self.unreachable(error))?;
        let mut topics = Vec::new();
        for topic in metadata.topics() {
            if topic.name().starts_with("__") {
                continue;
            }
            let mut messages = 0;
            for partition in topic.partitions() {
                let (low, high) = consumer
                    .fetch_watermarks(topic.name(), partition.id(), TIMEOUT)
                    .map_err(|error| self.unreachable(error))?;
                messages += high - low;
            }
            topics.push(Topic {
                name: topic.name().to_owned(),
                partitions: topic.partitions().len(),
                messages,
            });
        }
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// Those of the topics that the broker does not have. Blocks for a few seconds at most.
    ///
    /// # Errors
    /// [`TopicError::Unreachable`]
    pub fn missing(&self, names: &BTreeSet<String>) -> Result<Vec<String>, TopicError> {
        self.reach()?;
        let mut config = self.config();
        config.set("allow.auto.create.topics", "false");
        let consumer: BaseConsumer = config.create().map_err(|error| self.unreachable(error))?;
        let mut missing = Vec::new();
        for name in names {
            // One by one, for a user may be allowed to see these topics and no others.
            let metadata = consumer
                .fetch_metadata(Some(name), REACH)
                .map_err(|error| self.unreachable(error))?;
            let mut topics = metadata.topics().iter();
            let is_unknown = topics.any(|topic| {
                topic.error().is_some_and(|code| {
                    RDKafkaErrorCode::from(code) == RDKafkaErrorCode::UnknownTopicOrPartition
                })
            });
            if is_unknown {
                missing.push(name.clone());
            }
        }
        Ok(missing)
    }

    /// Makes those of the topics that do not exist, with one partition each, and returns their names.
    ///
    /// # Errors
    /// See [`TopicError`].
    pub async fn create_missing(&self, names: &[String]) -> Result<Vec<String>, TopicError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.reach()?;
        let admin: AdminClient<DefaultClientContext> = self
            .config()
            .create()
            .map_err(|error| self.unreachable(error))?;
        let wanted: Vec<NewTopic<'_>> = names
            .iter()
            .map(|name| NewTopic::new(name, 1, TopicReplication::Fixed(1)))
            .collect();
        let options = AdminOptions::new()
            .operation_timeout(Some(TIMEOUT))
            .request_timeout(Some(TIMEOUT));
        let results = admin
            .create_topics(&wanted, &options)
            .await
            .map_err(|error| self.unreachable(error))?;
        let mut created = Vec::new();
        for result in results {
            match result {
                Ok(name) => created.push(name),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    return Err(TopicError::Create {
                        topic,
                        bootstrap: self.bootstrap.clone(),
                        reason: code.to_string(),
                    });
                }
            }
        }
        Ok(created)
    }
}

/// Opens a connection to an address as librdkafka reads it, `[protocol://]host[:port]`, and closes it.
fn connect(address: &str) -> std::io::Result<()> {
    let host = address.rsplit_once("://").map_or(address, |(_, host)| host);
    let resolved: Vec<_> = match host.rsplit_once(':') {
        Some(_) => host.to_socket_addrs()?.collect(),
        None => (host, 9092).to_socket_addrs()?.collect(),
    };
    let mut failure = std::io::Error::other("the name has no address");
    for address in resolved {
        match TcpStream::connect_timeout(&address, REACH) {
            Ok(_) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
