//! Fetch: reads batches, or waits until there are enough of them.
//!
//! Fetch sessions are declined: every response says session 0, and clients then name all their partitions each time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchTopic;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::api::NONE;
use crate::log::batch::LEADER_EPOCH;
use crate::server::dispatch::{Call, CallError, blocking};
use crate::topics::Partition;

/// Longest time that a client may ask to wait.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// One partition that is asked for.
#[derive(Debug, Clone)]
struct Wanted {
    topic: usize,
    index: i32,
    offset: i64,
    limit: usize,
    /// The log, or why it cannot be read.
    partition: Result<Arc<Partition>, ResponseError>,
}

/// What was found in one partition.
#[derive(Debug)]
struct Found {
    error: i16,
    high_watermark: i64,
    start_offset: i64,
    records: Bytes,
}

/// Answers as soon as there are `min_bytes` or an error to report, at the latest after `max_wait_ms`.
pub async fn fetch(call: &Call<'_>, request: FetchRequest) -> Result<FetchResponse, CallError> {
    if request.session_epoch > 0 {
        let unknown = ResponseError::FetchSessionIdNotFound.code();
        return Ok(FetchResponse::default().with_error_code(unknown));
    }
    let names: Vec<(TopicName, Uuid)> = request
        .topics
        .iter()
        .map(|topic| (topic.topic.clone(), topic.topic_id))
        .collect();
    let wanted: Arc<[Wanted]> = request
        .topics
        .iter()
        .enumerate()
        .flat_map(|(at, topic)| wanted(call, at, topic))
        .collect();
    let limit = usize::try_from(request.max_bytes)
        .unwrap_or(0)
        .min(call.node.config.max_fetch_bytes);
    let enough = usize::try_from(request.min_bytes).unwrap_or(0).min(limit);
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(MAX_WAIT);
    let found = call
        .unless_gone(wait_for(
            call,
            wanted.clone(),
            limit,
            enough,
            Instant::now() + wait,
        ))
        .await??;

    let mut responses: Vec<FetchableTopicResponse> = names
        .into_iter()
        .map(|(name, id)| {
            let response = FetchableTopicResponse::default();
            if call.version >= 13 {
                response.with_topic_id(id)
            } else {
                response.with_topic(name)
            }
        })
        .collect();
    for (wanted, found) in wanted.iter().zip(found) {
        let data = PartitionData::default()
            .with_partition_index(wanted.index)
            .with_error_code(found.error)
            .with_high_watermark(found.high_watermark)
            .with_last_stable_offset(found.high_watermark)
            .with_log_start_offset(found.start_offset)
            .with_aborted_transactions(None)
            .with_records(Some(found.records));
        responses[wanted.topic].partitions.push(data);
    }
    Ok(FetchResponse::default().with_responses(responses))
}

fn wanted(call: &Call<'_>, at: usize, asked: &FetchTopic) -> Vec<Wanted> {
    let by_id = call.version >= 13;
    let topics = &call.node.topics;
    let topic = if by_id {
        topics.by_id(asked.topic_id)
    } else {
        topics.get(&asked.topic)
    };
    let wanted = asked.partitions.iter().map(|asked| {
        let partition = match &topic {
            Some(_) if asked.current_leader_epoch > LEADER_EPOCH => {
                Err(ResponseError::UnknownLeaderEpoch)
            }
            Some(topic) => topic
                .partition(asked.partition)
                .ok_or(ResponseError::UnknownTopicOrPartition),
            None if by_id => Err(ResponseError::UnknownTopicId),
            None => Err(ResponseError::UnknownTopicOrPartition),
        };
        Wanted {
            topic: at,
            index: asked.partition,
            offset: asked.fetch_offset,
            limit: usize::try_from(asked.partition_max_bytes).unwrap_or(0),
            partition,
        }
    });
    wanted.collect()
}

async fn wait_for(
    call: &Call<'_>,
    wanted: Arc<[Wanted]>,
    limit: usize,
    enough: usize,
    deadline: Instant,
) -> Result<Vec<Found>, CallError> {
    let mut appends = call.node.appends.subscribe();
    let mut last_try = deadline <= Instant::now();
    loop {
        appends.borrow_and_update();
        if last_try || may_answer(&wanted, enough) {
            let wanted = wanted.clone();
            let found = blocking(move || read_all(&wanted, limit)).await?;
            let bytes: usize = found.iter().map(|found| found.records.len()).sum();
            if last_try || bytes >= enough || found.iter().any(|found| found.error != NONE) {
                return Ok(found);
            }
        }
        tokio::select! {
            changed = appends.changed() => last_try = changed.is_err(),
            () = sleep_until(deadline) => last_try = true,
        }
    }
}

/// Whether reading could give an answer; it may turn out to be a few bytes short, never the other way round.
fn may_answer(wanted: &[Wanted], enough: usize) -> bool {
    let mut bytes = 0u64;
    for wanted in wanted {
        let Ok(partition) = &wanted.partition else {
            return true;
        };
        let log = partition.log();
        let inside = (log.start_offset()..=log.end_offset()).contains(&wanted.offset);
        if !inside || partition.is_deleted() {
            return true;
        }
        bytes += log.bytes_from(wanted.offset);
    }
    bytes >= enough as u64
}

fn read_all(wanted: &[Wanted], limit: usize) -> Vec<Found> {
    let mut left = limit;
    let mut nothing_yet = true;
    let read = wanted.iter().map(|wanted| {
        let found = read(wanted, left, nothing_yet);
        nothing_yet &= found.records.is_empty();
        left = left.saturating_sub(found.records.len());
        found
    });
    read.collect()
}

fn read(wanted: &Wanted, left: usize, at_least_one: bool) -> Found {
    let failed = |error: ResponseError, high_watermark, start_offset| Found {
        error: error.code(),
        high_watermark,
        start_offset,
        records: Bytes::new(),
    };
    let partition = match &wanted.partition {
        Ok(partition) => partition,
        Err(error) => return failed(*error, -1, -1),
    };
    if partition.is_deleted() {
        return failed(ResponseError::UnknownTopicOrPartition, -1, -1);
    }
    let limit = wanted.limit.min(left);
    let (plan, high_watermark, start_offset) = {
        let log = partition.log();
        (
            log.plan_read(wanted.offset, limit),
            log.end_offset(),
            log.start_offset(),
        )
    };
    let Ok(plan) = plan else {
        return failed(
            ResponseError::OffsetOutOfRange,
            high_watermark,
            start_offset,
        );
    };
    if limit == 0 && !at_least_one {
        return Found {
            error: NONE,
            high_watermark,
            start_offset,
            records: Bytes::new(),
        };
    }
    match plan.read(limit, at_least_one) {
        Ok(records) => Found {
            error: NONE,
            high_watermark,
            start_offset,
            records,
        },
        Err(error) => {
            tracing::error!(partition = wanted.index, offset = wanted.offset, %error, "cannot read the log");
            failed(
                ResponseError::KafkaStorageError,
                high_watermark,
                start_offset,
            )
        }
    }
}
