//! ListOffsets, DeleteRecords and OffsetForLeaderEpoch.

use std::io;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

use crate::log::DeleteError;
use crate::log::batch::LEADER_EPOCH;
use crate::log::records::RecordPlace;
use crate::node::Node;
use crate::server::dispatch::{Call, CallError, blocking};
use crate::topics::Partition;

/// Timestamps that ask for a place instead of a time.
mod special {
    pub const LATEST: i64 = -1;
    pub const EARLIEST: i64 = -2;
    pub const MAX_TIMESTAMP: i64 = -3;
    pub const EARLIEST_LOCAL: i64 = -4;
    pub const LATEST_TIERED: i64 = -5;
}

/// Finds offsets: of the log's ends, of the first record from a time on, of the newest record.
pub async fn list_offsets(
    call: &Call<'_>,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, CallError> {
    let (node, version) = (call.node.clone(), call.version);
    let answer = move || {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let answer = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
                if asked.current_leader_epoch > LEADER_EPOCH {
                    return answer.with_error_code(ResponseError::UnknownLeaderEpoch.code());
                }
                let Some(partition) = find(&node, &topic.name, asked.partition_index) else {
                    return answer.with_error_code(ResponseError::UnknownTopicOrPartition.code());
                };
                match find_offset(&partition, asked.timestamp) {
                    Ok(Some(place)) => answer
                        .with_offset(place.offset)
                        .with_timestamp(place.timestamp)
                        .with_leader_epoch(if version >= 4 { LEADER_EPOCH } else { -1 }),
                    Ok(None) => answer,
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                        answer.with_error_code(ResponseError::InvalidRequest.code())
                    }
                    Err(error) => {
                        tracing::error!(topic = %topic.name.0, partition = asked.partition_index, %error, "cannot read the log");
                        answer.with_error_code(ResponseError::KafkaStorageError.code())
                    }
                }
            });
            let partitions = partitions.collect();
            ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
        });
        topics.collect()
    };
    Ok(ListOffsetsResponse::default().with_topics(blocking(answer).await?))
}

fn find(node: &Node, topic: &str, index: i32) -> Option<std::sync::Arc<Partition>> {
    node.topics.get(topic)?.partition(index)
}

fn find_offset(partition: &Partition, timestamp: i64) -> io::Result<Option<RecordPlace>> {
    let log = partition.log();
    let place = |offset| {
        Ok(Some(RecordPlace {
            offset,
            timestamp: -1,
        }))
    };
    match timestamp {
        special::LATEST => place(log.end_offset()),
        special::EARLIEST | special::EARLIEST_LOCAL => place(log.start_offset()),
        special::LATEST_TIERED => Ok(None),
        special::MAX_TIMESTAMP => {
            let lookup = log.at_newest();
            drop(log);
            lookup.find()
        }
        timestamp if timestamp >= 0 => {
            let lookup = log.at_time(timestamp);
            drop(log);
            lookup.find()
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Deletes the records before an offset.
pub async fn delete_records(
    call: &Call<'_>,
    request: DeleteRecordsRequest,
) -> Result<DeleteRecordsResponse, CallError> {
    let node = call.node.clone();
    let answer = move || {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let answer = DeleteRecordsPartitionResult::default()
                    .with_partition_index(asked.partition_index)
                    .with_low_watermark(-1);
                let Some(partition) = find(&node, &topic.name, asked.partition_index) else {
                    return answer.with_error_code(ResponseError::UnknownTopicOrPartition.code());
                };
                let deleted = partition.log().delete_before(asked.offset);
                match deleted {
                    Ok(start) => answer.with_low_watermark(start),
                    Err(DeleteError::OutOfRange(_)) => answer.with_error_code(ResponseError::OffsetOutOfRange.code()),
                    Err(DeleteError::Io(error)) => {
                        tracing::error!(topic = %topic.name.0, partition = asked.partition_index, %error, "cannot delete records");
                        answer.with_error_code(ResponseError::KafkaStorageError.code())
                    }
                }
            });
            let partitions = partitions.collect();
            DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
        });
        topics.collect()
    };
    Ok(DeleteRecordsResponse::default().with_topics(blocking(answer).await?))
}

/// Tells where a leader epoch ended. There is one epoch, and it has not ended: the log's end.
pub async fn offset_for_leader_epoch(
    call: &Call<'_>,
    request: OffsetForLeaderEpochRequest,
) -> Result<OffsetForLeaderEpochResponse, CallError> {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let answer = EpochEndOffset::default()
                .with_partition(asked.partition)
                .with_leader_epoch(-1)
                .with_end_offset(-1);
            let Some(partition) = find(call.node, &topic.topic, asked.partition) else {
                return answer.with_error_code(ResponseError::UnknownTopicOrPartition.code());
            };
            if asked.current_leader_epoch > LEADER_EPOCH {
                return answer.with_error_code(ResponseError::UnknownLeaderEpoch.code());
            }
            if asked.leader_epoch != LEADER_EPOCH {
                return answer;
            }
            answer
                .with_leader_epoch(LEADER_EPOCH)
                .with_end_offset(partition.log().end_offset())
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic)
            .with_partitions(partitions)
    });
    Ok(OffsetForLeaderEpochResponse::default().with_topics(topics.collect()))
}
