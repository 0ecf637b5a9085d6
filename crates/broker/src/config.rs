//! What the caller decides about a broker, and what a client may decide about a topic.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of a [`crate::Broker`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of topics, groups and the broker's identity; created if missing. One broker at a time may use it.
    pub data_dir: PathBuf,
    /// Address to listen on. There is no authentication: use a loopback address. Port 0 takes a free port.
    pub listen: SocketAddr,
    /// Host that clients are told to connect to; the bound address if `None`.
    pub advertised_host: Option<String>,
    /// Port that clients are told to connect to; the bound port if `None`.
    pub advertised_port: Option<u16>,
    /// Number of partitions with which an unknown topic is created when a client asks for it; `None`: it is an error.
    pub auto_create_partitions: Option<i32>,
    /// Number of partitions of a topic whose creator leaves it to the broker.
    pub default_partitions: i32,
    /// Settings of topics that do not have their own.
    pub topic_defaults: TopicConfig,
    /// How often written records are brought to disk. An acknowledged record survives the death of the process at once, the
    /// crash of the machine after this time.
    pub flush_interval: Duration,
    /// How often old segments are looked for.
    pub retention_interval: Duration,
    /// Largest request in bytes.
    pub max_request_bytes: usize,
    /// Largest fetch response in bytes (one larger batch is still sent).
    pub max_fetch_bytes: usize,
    /// Most connections at a time; further ones are closed at once.
    pub max_connections: usize,
    /// Most partitions of all topics together.
    pub max_partitions: usize,
    /// How long the first members of an empty group wait for one another.
    pub group_initial_delay: Duration,
    /// Shortest session timeout that a group member may ask for.
    pub group_min_session: Duration,
}

impl Config {
    /// A broker on a free loopback port with its data in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertised_host: None,
            advertised_port: None,
            auto_create_partitions: None,
            default_partitions: 1,
            topic_defaults: TopicConfig::default(),
            flush_interval: Duration::from_secs(1),
            retention_interval: Duration::from_secs(60),
            max_request_bytes: 100 << 20,
            max_fetch_bytes: 8 << 20,
            max_connections: 1_000,
            max_partitions: 4_000,
            group_initial_delay: Duration::from_millis(100),
            group_min_session: Duration::from_millis(500),
        }
    }
}

/// Settings of one topic, under Kafka's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopicConfig {
    /// `max.message.bytes`: largest batch in bytes.
    pub max_message_bytes: i32,
    /// `message.timestamp.type`: whether the broker stamps the records (`LogAppendTime`) instead of the producer (`CreateTime`).
    pub log_append_time: bool,
    /// `retention.bytes`: size above which a partition loses its oldest segments; -1 keeps everything.
    pub retention_bytes: i64,
    /// `retention.ms`: age beyond which segments are deleted; -1 keeps everything.
    pub retention_ms: i64,
    /// `segment.bytes`: size at which a new segment is begun.
    pub segment_bytes: i32,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 1_048_588,
            log_append_time: false,
            retention_bytes: -1,
            retention_ms: -1,
            segment_bytes: 128 << 20,
        }
    }
}

/// Why a topic setting is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The broker has no such setting.
    #[error("this broker has no topic setting {0:?}; it has {names}", names = SETTINGS.map(|setting| setting.name).join(", "))]
    Unknown(String),
    /// The value does not fit.
    #[error("{value:?} is not a value for {name}: {expected}")]
    Value {
        /// Name of the setting.
        name: &'static str,
        /// Value as given.
        value: String,
        /// What would fit.
        expected: &'static str,
    },
}

/// Kafka's number for the type of a setting, as DescribeConfigs reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigType {
    /// Text.
    String = 2,
    /// 32-bit number.
    Int = 3,
    /// 64-bit number.
    Long = 5,
    /// List of words.
    List = 7,
}

/// A topic setting that clients can see.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Kafka's name.
    pub name: &'static str,
    /// Its type.
    pub kind: ConfigType,
    /// What it does.
    pub doc: &'static str,
    read: fn(&TopicConfig) -> String,
    write: fn(&mut TopicConfig, &str) -> Option<()>,
    expected: &'static str,
}

fn at_least<T: std::str::FromStr + PartialOrd>(least: T, text: &str) -> Option<T> {
    text.trim().parse().ok().filter(|value| *value >= least)
}

/// Every topic setting. Those with one possible value exist because clients write it.
pub const SETTINGS: [Setting; 8] = [
    Setting {
        name: "cleanup.policy",
        kind: ConfigType::List,
        doc: "What happens to old segments. This broker deletes; it does not compact.",
        read: |_| "delete".into(),
        write: |_, text| (text == "delete").then_some(()),
        expected: "only delete is supported",
    },
    Setting {
        name: "compression.type",
        kind: ConfigType::String,
        doc: "Batches are kept as the producer compressed them.",
        read: |_| "producer".into(),
        write: |_, text| (text == "producer").then_some(()),
        expected: "only producer is supported",
    },
    Setting {
        name: "max.message.bytes",
        kind: ConfigType::Int,
        doc: "Largest batch in bytes.",
        read: |config| config.max_message_bytes.to_string(),
        write: |config, text| at_least(0, text).map(|value| config.max_message_bytes = value),
        expected: "a number of bytes from 0 to 2147483647",
    },
    Setting {
        name: "message.timestamp.type",
        kind: ConfigType::String,
        doc: "Whose clock stamps the records: CreateTime (the producer's) or LogAppendTime (the broker's).",
        read: |config| {
            if config.log_append_time {
                "LogAppendTime".into()
            } else {
                "CreateTime".into()
            }
        },
        write: |config, text| {
            config.log_append_time = match text {
                "CreateTime" => false,
                "LogAppendTime" => true,
                _ => return None,
            };
            Some(())
        },
        expected: "CreateTime or LogAppendTime",
    },
    Setting {
        name: "min.insync.replicas",
        kind: ConfigType::Int,
        doc: "There is one replica.",
        read: |_| "1".into(),
        write: |_, text| (text == "1").then_some(()),
        expected: "only 1 is supported",
    },
    Setting {
        name: "retention.bytes",
        kind: ConfigType::Long,
        doc: "Size of a partition in bytes above which its oldest segments are deleted; -1 keeps everything.",
        read: |config| config.retention_bytes.to_string(),
        write: |config, text| at_least(-1, text).map(|value| config.retention_bytes = value),
        expected: "a number of bytes, or -1 for no limit",
    },
    Setting {
        name: "retention.ms",
        kind: ConfigType::Long,
        doc: "Age of a segment's newest record in milliseconds beyond which it is deleted; -1 keeps everything.",
        read: |config| config.retention_ms.to_string(),
        write: |config, text| at_least(-1, text).map(|value| config.retention_ms = value),
        expected: "a number of milliseconds, or -1 for no limit",
    },
    Setting {
        name: "segment.bytes",
        kind: ConfigType::Int,
        doc: "Size of a segment in bytes at which a new one is begun.",
        read: |config| config.segment_bytes.to_string(),
        write: |config, text| at_least(1024, text).map(|value| config.segment_bytes = value),
        expected: "a number of bytes from 1024 to 2147483647",
    },
];

impl Setting {
    /// Its value in `config`, as Kafka writes it.
    pub fn value(&self, config: &TopicConfig) -> String {
        (self.read)(config)
    }
}

/// Finds a setting by its name.
pub fn setting(name: &str) -> Result<&'static Setting, ConfigError> {
    SETTINGS
        .iter()
        .find(|setting| setting.name == name)
        .ok_or_else(|| ConfigError::Unknown(name.to_owned()))
}

/// The settings that a topic has of its own, by name; the rest are the broker's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overrides(BTreeMap<String, String>);

impl Overrides {
    /// Sets one; refuses unknown names and unfit values.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let setting = setting(name)?;
        let refused = || ConfigError::Value {
            name: setting.name,
            value: value.to_owned(),
            expected: setting.expected,
        };
        (setting.write)(&mut TopicConfig::default(), value).ok_or_else(refused)?;
        self.0.insert(name.to_owned(), value.trim().to_owned());
        Ok(())
    }

    /// Goes back to the broker's default; refuses unknown names.
    pub fn unset(&mut self, name: &str) -> Result<(), ConfigError> {
        self.0.remove(setting(name)?.name);
        Ok(())
    }

    /// Whether the topic has this setting of its own.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The settings in force. Overrides that this version does not know any more are without effect.
    pub fn over(&self, defaults: &TopicConfig) -> TopicConfig {
        let mut config = defaults.clone();
        for (name, value) in &self.0 {
            if let Ok(setting) = setting(name) {
                let _ = (setting.write)(&mut config, value);
            }
        }
        config
    }
}
