//! DescribeConfigs, AlterConfigs and IncrementalAlterConfigs for topics; the broker's own settings can be read only.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as AlterResult;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResult;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::api::{NONE, refusal, text};
use crate::config::{ConfigError, ConfigType, Overrides, SETTINGS, Setting};
use crate::error::BrokerError;
use crate::node::{NODE_ID, Node};
use crate::server::dispatch::{Call, CallError, blocking};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Kafka's numbers for where a value comes from.
const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

/// Whether a setting is a topic's own or the default, in Kafka's numbers.
pub fn source_of(setting: &Setting, overrides: &Overrides) -> i8 {
    if overrides.has(setting.name) {
        SOURCE_TOPIC
    } else {
        SOURCE_DEFAULT
    }
}

/// Reads settings of topics and of the broker.
pub async fn describe(
    call: &Call<'_>,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, CallError> {
    let documented = call.version >= 3 && request.include_documentation;
    let typed = call.version >= 3;
    let results = request.resources.into_iter().map(|resource| {
        let result = DescribeConfigsResult::default().with_resource_type(resource.resource_type);
        let described = match resource.resource_type {
            TOPIC => describe_topic(call.node, &resource.resource_name, typed, documented),
            BROKER if resource.resource_name.as_str() == NODE_ID.to_string() => {
                Ok(describe_broker(call.node, typed))
            }
            BROKER => Err((
                ResponseError::InvalidRequest.code(),
                Some(text("there is no broker of this id")),
            )),
            _ => Err((
                ResponseError::InvalidRequest.code(),
                Some(text("only topics and brokers have settings here")),
            )),
        };
        let result = result.with_resource_name(resource.resource_name);
        match described {
            Ok(mut configs) => {
                if let Some(keys) = resource.configuration_keys.filter(|keys| !keys.is_empty()) {
                    configs.retain(|config| keys.contains(&config.name));
                }
                result.with_configs(configs)
            }
            Err((code, message)) => result.with_error_code(code).with_error_message(message),
        }
    });
    Ok(DescribeConfigsResponse::default().with_results(results.collect()))
}

type Refusal = (i16, Option<StrBytes>);

fn describe_topic(
    node: &Node,
    name: &str,
    typed: bool,
    documented: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let topic = node.topics.get(name).ok_or_else(|| {
        refusal(&BrokerError::UnknownTopic {
            name: name.to_owned(),
        })
    })?;
    let (config, overrides) = (topic.config(), topic.overrides());
    let describe = |setting: &Setting| {
        let described = DescribeConfigsResourceResult::default()
            .with_name(text(setting.name))
            .with_value(Some(text(setting.value(&config))))
            .with_config_source(source_of(setting, &overrides));
        with_type(described, setting.kind, typed)
            .with_documentation(documented.then(|| text(setting.doc)))
    };
    Ok(SETTINGS.iter().map(describe).collect())
}

fn with_type(
    result: DescribeConfigsResourceResult,
    kind: ConfigType,
    typed: bool,
) -> DescribeConfigsResourceResult {
    if typed {
        result.with_config_type(kind as i8)
    } else {
        result
    }
}

fn describe_broker(node: &Node, typed: bool) -> Vec<DescribeConfigsResourceResult> {
    let config = &node.config;
    let settings = [
        (
            "auto.create.topics.enable",
            config.auto_create_partitions.is_some().to_string(),
            ConfigType::String,
        ),
        (
            "log.flush.interval.ms",
            config.flush_interval.as_millis().to_string(),
            ConfigType::Long,
        ),
        (
            "num.partitions",
            config.default_partitions.to_string(),
            ConfigType::Int,
        ),
        (
            "socket.request.max.bytes",
            config.max_request_bytes.to_string(),
            ConfigType::Int,
        ),
    ];
    let describe = |(name, value, kind): (&'static str, String, ConfigType)| {
        let described = DescribeConfigsResourceResult::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_read_only(true)
            .with_config_source(SOURCE_STATIC);
        with_type(described, kind, typed)
    };
    settings.into_iter().map(describe).collect()
}

/// What to do with one setting.
enum Change {
    Set(StrBytes, StrBytes),
    Unset(StrBytes),
    /// Appending to and removing from a list: no setting of this broker has a list that can change.
    Unsupported(StrBytes),
}

fn apply(
    node: &Node,
    kind: i8,
    name: &str,
    dry: bool,
    replace: bool,
    changes: Vec<Change>,
) -> Refusal {
    if kind != TOPIC {
        let reason = "only settings of topics can be changed while the broker runs";
        return (ResponseError::InvalidRequest.code(), Some(text(reason)));
    }
    let changed = node.topics.configure(name, dry, |overrides| {
        if replace {
            *overrides = Overrides::default();
        }
        for change in changes {
            match change {
                Change::Set(name, value) => overrides.set(&name, &value)?,
                Change::Unset(name) => overrides.unset(&name)?,
                Change::Unsupported(name) => {
                    return Err(ConfigError::Value {
                        name: crate::config::setting(&name)?.name,
                        value: String::new(),
                        expected: "it is not a list that can be appended to or subtracted from",
                    }
                    .into());
                }
            }
        }
        Ok(())
    });
    changed.map_or_else(|error| refusal(&error), |()| (NONE, None))
}

/// Replaces all of a topic's own settings.
pub async fn alter(
    call: &Call<'_>,
    request: AlterConfigsRequest,
) -> Result<AlterConfigsResponse, CallError> {
    let node = call.node.clone();
    let answer = move || {
        let results = request.resources.into_iter().map(|resource| {
            let change =
                |config: kafka_protocol::messages::alter_configs_request::AlterableConfig| {
                    match config.value {
                        Some(value) => Change::Set(config.name, value),
                        None => Change::Unset(config.name),
                    }
                };
            let changes = resource.configs.into_iter().map(change).collect();
            let (kind, name) = (resource.resource_type, resource.resource_name);
            let (code, message) = apply(&node, kind, &name, request.validate_only, true, changes);
            AlterResult::default()
                .with_error_code(code)
                .with_error_message(message)
                .with_resource_type(kind)
                .with_resource_name(name)
        });
        results.collect()
    };
    Ok(AlterConfigsResponse::default().with_responses(blocking(answer).await?))
}

/// Changes some of a topic's own settings.
pub async fn alter_incrementally(
    call: &Call<'_>,
    request: IncrementalAlterConfigsRequest,
) -> Result<IncrementalAlterConfigsResponse, CallError> {
    let node = call.node.clone();
    let answer = move || {
        let results = request.resources.into_iter().map(|resource| {
            let change = |config: kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig| {
                match (config.config_operation, config.value) {
                    (0, Some(value)) => Change::Set(config.name, value),
                    (1, _) => Change::Unset(config.name),
                    _ => Change::Unsupported(config.name),
                }
            };
            let changes = resource.configs.into_iter().map(change).collect();
            let (kind, name) = (resource.resource_type, resource.resource_name);
            let (code, message) = apply(&node, kind, &name, request.validate_only, false, changes);
            IncrementalResult::default()
                .with_error_code(code)
                .with_error_message(message)
                .with_resource_type(kind)
                .with_resource_name(name)
        });
        results.collect()
    };
    Ok(IncrementalAlterConfigsResponse::default().with_responses(blocking(answer).await?))
}
