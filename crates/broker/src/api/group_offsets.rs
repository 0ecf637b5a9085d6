//! OffsetCommit, OffsetFetch and OffsetDelete.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, TopicName,
};

use crate::api::{NONE, text};
use crate::group::offsets::{Committed, Positions};
use crate::server::dispatch::{Call, CallError, blocking};

/// Longest note that a client may attach to an offset (Kafka's `offset.metadata.max.bytes`).
const MAX_METADATA: usize = 4096;

/// Keeps offsets of a group; those of partitions that do not exist are refused one by one.
pub async fn commit(
    call: &Call<'_>,
    request: OffsetCommitRequest,
) -> Result<OffsetCommitResponse, CallError> {
    let node = call.node.clone();
    let answer = move || {
        let mut accepted = Vec::new();
        let mut topics: Vec<OffsetCommitResponseTopic> = Vec::with_capacity(request.topics.len());
        for asked in request.topics {
            let topic = node.topics.get(&asked.name);
            let partitions = asked.partitions.into_iter().map(|partition| {
                let index = partition.partition_index;
                let metadata = partition.committed_metadata.unwrap_or_default();
                let exists = topic
                    .as_ref()
                    .is_some_and(|topic| topic.partition(index).is_some());
                let error = if !exists {
                    ResponseError::UnknownTopicOrPartition.code()
                } else if metadata.len() > MAX_METADATA {
                    ResponseError::OffsetMetadataTooLarge.code()
                } else {
                    let committed = Committed {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata: metadata.to_string(),
                    };
                    accepted.push((asked.name.to_string(), index, committed));
                    NONE
                };
                OffsetCommitResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(error)
            });
            let partitions = partitions.collect();
            topics.push(
                OffsetCommitResponseTopic::default()
                    .with_name(asked.name)
                    .with_partitions(partitions),
            );
        }
        let kept = node.groups.commit(
            &request.group_id,
            &request.member_id,
            request.group_instance_id.as_deref(),
            request.generation_id_or_member_epoch,
            accepted,
        );
        if let Err(error) = kept {
            let accepted = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for partition in accepted.filter(|partition| partition.error_code == NONE) {
                partition.error_code = error.code();
            }
        }
        topics
    };
    Ok(OffsetCommitResponse::default().with_topics(blocking(answer).await?))
}

/// The positions asked for, in order: (topic, partition, position or none).
type Asked = Vec<(TopicName, Vec<(i32, Option<Committed>)>)>;

fn look_up(positions: &Positions, asked: Option<Vec<(TopicName, Vec<i32>)>>) -> Asked {
    let Some(asked) = asked else {
        let mut all: Asked = Vec::new();
        for ((topic, index), committed) in positions {
            if all.last().is_none_or(|(name, _)| name.as_str() != topic) {
                all.push((TopicName(text(topic.clone())), Vec::new()));
            }
            if let Some((_, partitions)) = all.last_mut() {
                partitions.push((*index, Some(committed.clone())));
            }
        }
        return all;
    };
    let look_up = |(name, indexes): (TopicName, Vec<i32>)| {
        let found = indexes
            .into_iter()
            .map(|index| (index, positions.get(&(name.to_string(), index)).cloned()));
        let found = found.collect();
        (name, found)
    };
    asked.into_iter().map(look_up).collect()
}

fn none() -> Committed {
    Committed {
        offset: -1,
        leader_epoch: -1,
        metadata: String::new(),
    }
}

/// Reads the offsets of one group, or of several from version 8 on. What was never committed is offset -1.
pub async fn fetch(
    call: &Call<'_>,
    request: OffsetFetchRequest,
) -> Result<OffsetFetchResponse, CallError> {
    let groups = &call.node.groups;
    if call.version < 8 {
        let asked = request.topics.map(|topics| {
            topics
                .into_iter()
                .map(|topic| (topic.name, topic.partition_indexes))
                .collect()
        });
        let topics = look_up(&groups.positions(&request.group_id), asked)
            .into_iter()
            .map(|(name, partitions)| {
                let partitions = partitions.into_iter().map(|(index, committed)| {
                    let committed = committed.unwrap_or_else(none);
                    OffsetFetchResponsePartition::default()
                        .with_partition_index(index)
                        .with_committed_offset(committed.offset)
                        .with_committed_leader_epoch(if call.version >= 5 {
                            committed.leader_epoch
                        } else {
                            -1
                        })
                        .with_metadata(Some(text(committed.metadata)))
                });
                OffsetFetchResponseTopic::default()
                    .with_name(name)
                    .with_partitions(partitions.collect())
            });
        return Ok(OffsetFetchResponse::default().with_topics(topics.collect()));
    }
    let answers = request.groups.into_iter().map(|group| {
        let asked = group.topics.map(|topics| {
            topics
                .into_iter()
                .map(|topic| (topic.name, topic.partition_indexes))
                .collect()
        });
        let topics = look_up(&groups.positions(&group.group_id), asked)
            .into_iter()
            .map(|(name, partitions)| {
                let partitions = partitions.into_iter().map(|(index, committed)| {
                    let committed = committed.unwrap_or_else(none);
                    OffsetFetchResponsePartitions::default()
                        .with_partition_index(index)
                        .with_committed_offset(committed.offset)
                        .with_committed_leader_epoch(committed.leader_epoch)
                        .with_metadata(Some(text(committed.metadata)))
                });
                OffsetFetchResponseTopics::default()
                    .with_name(name)
                    .with_partitions(partitions.collect())
            });
        OffsetFetchResponseGroup::default()
            .with_group_id(group.group_id)
            .with_topics(topics.collect())
    });
    Ok(OffsetFetchResponse::default().with_groups(answers.collect()))
}

/// Forgets offsets of a group that has no members.
pub async fn delete(
    call: &Call<'_>,
    request: kafka_protocol::messages::OffsetDeleteRequest,
) -> Result<OffsetDeleteResponse, CallError> {
    let node = call.node.clone();
    let answer = move || delete_all(&node, request);
    blocking(answer).await
}

fn delete_all(node: &crate::node::Node, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let places = request.topics.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|partition| (topic.name.to_string(), partition.partition_index))
    });
    if let Err(error) = node.groups.forget(&request.group_id, places.collect()) {
        return OffsetDeleteResponse::default().with_error_code(error.code());
    }
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter();
        let partitions = partitions.map(|partition| {
            OffsetDeleteResponsePartition::default().with_partition_index(partition.partition_index)
        });
        let partitions = partitions.collect();
        OffsetDeleteResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}
