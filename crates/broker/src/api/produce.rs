//! Produce and InitProducerId.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse, ProducerId,
};

use crate::api::{NONE, text};
use crate::clock::now_ms;
use crate::log::batch::{self, BatchError};
use crate::log::producers::SequenceError;
use crate::log::{AppendError, Appended};
use crate::node::Node;
use crate::server::dispatch::{Call, CallError, blocking};
use crate::topics::Topic;

/// Why a partition did not take its batch.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("there is no such topic or partition")]
    Partition,
    #[error("there is no topic with this id")]
    TopicId,
    #[error("acks must be -1, 0 or 1")]
    Acks,
    #[error("transactions are not supported")]
    Transaction,
    #[error("no batch was sent for this partition")]
    Missing,
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl Refused {
    fn code(&self) -> i16 {
        let error = match self {
            Self::Partition => ResponseError::UnknownTopicOrPartition,
            Self::TopicId => ResponseError::UnknownTopicId,
            Self::Acks => ResponseError::InvalidRequiredAcks,
            Self::Transaction | Self::Batch(BatchError::Transactional) => {
                ResponseError::TransactionalIdAuthorizationFailed
            }
            Self::Missing | Self::Batch(BatchError::Invalid(_)) => ResponseError::InvalidRecord,
            Self::Batch(BatchError::Corrupt) => ResponseError::CorruptMessage,
            Self::Batch(BatchError::Format(_)) => ResponseError::UnsupportedForMessageFormat,
            Self::Batch(BatchError::TooLarge { .. }) => ResponseError::MessageTooLarge,
            Self::Append(AppendError::Sequence(SequenceError::OldEpoch { .. })) => {
                ResponseError::InvalidProducerEpoch
            }
            Self::Append(AppendError::Sequence(SequenceError::OutOfOrder { .. })) => {
                ResponseError::OutOfOrderSequenceNumber
            }
            Self::Append(AppendError::Io(_) | AppendError::Broken) => {
                ResponseError::KafkaStorageError
            }
        };
        error.code()
    }
}

/// Appends batches. Every batch is written to its file before the answer, whatever `acks` says.
pub async fn produce(
    call: &Call<'_>,
    request: ProduceRequest,
) -> Result<Option<ProduceResponse>, CallError> {
    let (node, version, acks) = (call.node.clone(), call.version, request.acks);
    let response = blocking(move || {
        let responses = append_all(&node, request, version);
        node.appends
            .send_modify(|appends| *appends = appends.wrapping_add(1));
        responses
    })
    .await?;
    if acks != 0 {
        return Ok(Some(ProduceResponse::default().with_responses(response)));
    }
    // Nobody waits for an answer; closing the connection is how a client learns that something is wrong.
    let refused = response
        .iter()
        .flat_map(|topic| &topic.partition_responses)
        .any(|partition| partition.error_code != NONE);
    if refused {
        Err(CallError::Unacknowledged)
    } else {
        Ok(None)
    }
}

fn append_all(node: &Node, mut request: ProduceRequest, version: i16) -> Vec<TopicProduceResponse> {
    let check_request = || {
        if !(-1..=1).contains(&request.acks) {
            return Err(Refused::Acks);
        }
        if request.transactional_id.is_some() {
            Err(Refused::Transaction)
        } else {
            Ok(())
        }
    };
    let by_id = version >= 13;
    let topics = std::mem::take(&mut request.topic_data);
    let answer_topic = |data: TopicProduceData| {
        let topic = if by_id {
            node.topics.by_id(data.topic_id)
        } else {
            node.topics.get(&data.name)
        };
        let partitions = data.partition_data.into_iter().map(|partition| {
            let index = partition.index;
            let appended = check_request().and_then(|()| match &topic {
                None => Err(if by_id { Refused::TopicId } else { Refused::Partition }),
                Some(topic) => append(topic, partition),
            });
            if let Err(error) = &appended {
                tracing::debug!(topic = topic.as_ref().map(|topic| topic.name.as_str()), index, %error, "batch refused");
            }
            answer_partition(index, appended, version)
        });
        let partitions = partitions.collect();
        let answer = TopicProduceResponse::default().with_partition_responses(partitions);
        if by_id {
            answer.with_topic_id(data.topic_id)
        } else {
            answer.with_name(data.name)
        }
    };
    topics.into_iter().map(answer_topic).collect()
}

fn append(topic: &Topic, data: PartitionProduceData) -> Result<Appended, Refused> {
    let partition = topic.partition(data.index).ok_or(Refused::Partition)?;
    let records = data.records.ok_or(Refused::Missing)?;
    let config = topic.config();
    let header = batch::check_produced(
        &records,
        usize::try_from(config.max_message_bytes).unwrap_or(0),
    )?;
    let now = now_ms();
    let append_time = config.log_append_time.then_some(now);
    let segment_bytes = u64::try_from(config.segment_bytes).unwrap_or(0);
    let mut log = partition.log();
    if partition.is_deleted() {
        return Err(Refused::Partition);
    }
    Ok(log.append(&records, &header, append_time, now, segment_bytes)?)
}

fn answer_partition(
    index: i32,
    appended: Result<Appended, Refused>,
    version: i16,
) -> PartitionProduceResponse {
    let answer = PartitionProduceResponse::default().with_index(index);
    match appended {
        Ok(appended) => answer
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.append_time)
            .with_log_start_offset(appended.start_offset),
        Err(error) => answer
            .with_error_code(error.code())
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(-1)
            .with_error_message((version >= 8).then(|| text(error.to_string()))),
    }
}

/// Hands out a producer id. Transactional producers are refused: there are no transactions on this broker.
pub async fn init_producer_id(
    call: &Call<'_>,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, CallError> {
    let refused = |error: ResponseError| {
        InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    if request.transactional_id.is_some() {
        return Ok(refused(ResponseError::TransactionalIdAuthorizationFailed));
    }
    let node = call.node.clone();
    Ok(match blocking(move || node.new_producer_id()).await? {
        Ok(id) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(0),
        Err(error) => {
            tracing::error!(%error, "cannot reserve producer ids");
            refused(ResponseError::KafkaStorageError)
        }
    })
}
