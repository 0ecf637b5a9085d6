//! CreateTopics, DeleteTopics and CreatePartitions.

use std::collections::HashSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, TopicName,
};
use uuid::Uuid;

use crate::api::configs::source_of;
use crate::api::{NONE, refusal, text};
use crate::config::{Overrides, SETTINGS};
use crate::error::BrokerError;
use crate::node::{NODE_ID, Node};
use crate::server::dispatch::{Call, CallError, blocking};

/// Creates topics, or only checks whether it could.
pub async fn create(
    call: &Call<'_>,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, CallError> {
    let node = call.node.clone();
    let version = call.version;
    let answer = move || {
        let mut seen = HashSet::new();
        let mut twice = HashSet::new();
        for topic in &request.topics {
            if !seen.insert(topic.name.clone()) {
                twice.insert(topic.name.clone());
            }
        }
        let results = request
            .topics
            .iter()
            .filter(|topic| seen.remove(&topic.name))
            .map(|topic| {
                let result = CreatableTopicResult::default().with_name(topic.name.clone());
                if twice.contains(&topic.name) {
                    return result
                        .with_error_code(ResponseError::InvalidRequest.code())
                        .with_error_message(Some(text("the topic is named twice in one request")));
                }
                match create_one(&node, topic, request.validate_only) {
                    Ok((id, partitions, overrides)) => {
                        let result =
                            result.with_topic_id(if version >= 7 { id } else { Uuid::nil() });
                        if version < 5 {
                            return result;
                        }
                        let config = overrides.over(node.topics.defaults());
                        let configs = SETTINGS.iter().map(|setting| {
                            CreatableTopicConfigs::default()
                                .with_name(text(setting.name))
                                .with_value(Some(text(setting.value(&config))))
                                .with_config_source(source_of(setting, &overrides))
                        });
                        result
                            .with_num_partitions(partitions)
                            .with_replication_factor(1)
                            .with_configs(Some(configs.collect()))
                    }
                    Err((code, message)) => {
                        result.with_error_code(code).with_error_message(message)
                    }
                }
            });
        results.collect()
    };
    Ok(CreateTopicsResponse::default().with_topics(blocking(answer).await?))
}

type Refusal = (i16, Option<kafka_protocol::protocol::StrBytes>);

fn create_one(
    node: &Node,
    topic: &CreatableTopic,
    dry: bool,
) -> Result<(Uuid, i32, Overrides), Refusal> {
    let refuse = |error: ResponseError, reason: &str| Err((error.code(), Some(text(reason))));
    let mut partitions = topic.num_partitions;
    if topic.assignments.is_empty() {
        if !matches!(topic.replication_factor, -1 | 1) {
            return refuse(
                ResponseError::InvalidReplicationFactor,
                "this is a single broker: the replication factor is 1 (or -1 for the default)",
            );
        }
        if partitions == -1 {
            partitions = node.config.default_partitions;
        }
    } else {
        if partitions != -1 || topic.replication_factor != -1 {
            return refuse(
                ResponseError::InvalidRequest,
                "with replica assignments, the number of partitions and the replication factor are -1",
            );
        }
        let mut indexes: Vec<i32> = topic
            .assignments
            .iter()
            .map(|assignment| assignment.partition_index)
            .collect();
        indexes.sort_unstable();
        let here = topic
            .assignments
            .iter()
            .all(|assignment| matches!(&assignment.broker_ids[..], [id] if id.0 == NODE_ID));
        if !here || !indexes.iter().copied().eq(0..indexes.len() as i32) {
            return refuse(
                ResponseError::InvalidReplicaAssignment,
                "partitions are numbered from 0 and each is assigned to this broker alone",
            );
        }
        partitions = indexes.len() as i32;
    }
    let mut overrides = Overrides::default();
    for config in &topic.configs {
        if let Some(value) = &config.value {
            overrides
                .set(&config.name, value)
                .map_err(|error| refusal(&BrokerError::from(error)))?;
        }
    }
    if dry {
        node.topics
            .check_new(&topic.name, partitions)
            .map_err(|error| refusal(&error))?;
        return Ok((Uuid::nil(), partitions, overrides));
    }
    let made = node
        .topics
        .create(&topic.name, partitions, overrides.clone())
        .map_err(|error| refusal(&error))?;
    Ok((made.id, partitions, overrides))
}

/// Deletes topics, by name or id, with the offsets that groups have committed for them.
pub async fn delete(
    call: &Call<'_>,
    request: DeleteTopicsRequest,
) -> Result<DeleteTopicsResponse, CallError> {
    let node = call.node.clone();
    let version = call.version;
    let answer = move || {
        let by_name = request
            .topic_names
            .into_iter()
            .map(|name| (Some(name), Uuid::nil()));
        let by_state = request
            .topics
            .into_iter()
            .map(|topic| (topic.name, topic.topic_id));
        let results = by_name.chain(by_state).map(|(name, id)| {
            let topic = match &name {
                Some(name) => node.topics.get(name),
                None => node.topics.by_id(id),
            };
            let found = topic
                .as_ref()
                .map(|topic| TopicName(text(topic.name.clone())));
            let result = DeletableTopicResult::default()
                .with_name(name.clone().or(found))
                .with_topic_id(if version >= 6 {
                    topic.as_ref().map_or(id, |topic| topic.id)
                } else {
                    Uuid::nil()
                });
            let Some(topic) = topic else {
                let unknown = if name.is_some() {
                    ResponseError::UnknownTopicOrPartition
                } else {
                    ResponseError::UnknownTopicId
                };
                return result.with_error_code(unknown.code());
            };
            match node.topics.delete(&topic.name) {
                Ok(()) => {
                    node.groups.topic_deleted(&topic.name);
                    // A consumer that waits at the end of the topic learns at once that it is gone.
                    node.appends
                        .send_modify(|appends| *appends = appends.wrapping_add(1));
                    result.with_error_code(NONE)
                }
                Err(error) => {
                    let (code, message) = refusal(&error);
                    result
                        .with_error_code(code)
                        .with_error_message(message.filter(|_| version >= 5))
                }
            }
        });
        results.collect()
    };
    Ok(DeleteTopicsResponse::default().with_responses(blocking(answer).await?))
}

/// Gives topics more partitions, or only checks whether it could.
pub async fn create_partitions(
    call: &Call<'_>,
    request: CreatePartitionsRequest,
) -> Result<CreatePartitionsResponse, CallError> {
    let node = call.node.clone();
    let answer = move || {
        let grow = |topic: CreatePartitionsTopic| {
            let result = CreatePartitionsTopicResult::default();
            let elsewhere = topic.assignments.as_ref().is_some_and(|assignments| {
                assignments.iter().any(
                    |assignment| !matches!(&assignment.broker_ids[..], [id] if id.0 == NODE_ID),
                )
            });
            let (code, message) = if elsewhere {
                let reason = "each partition is assigned to this broker alone";
                (
                    ResponseError::InvalidReplicaAssignment.code(),
                    Some(text(reason)),
                )
            } else {
                let grown = node
                    .topics
                    .grow(&topic.name, topic.count, request.validate_only);
                grown.map_or_else(|error| refusal(&error), |()| (NONE, None))
            };
            result
                .with_name(topic.name)
                .with_error_code(code)
                .with_error_message(message)
        };
        request.topics.into_iter().map(grow).collect()
    };
    Ok(CreatePartitionsResponse::default().with_results(blocking(answer).await?))
}
