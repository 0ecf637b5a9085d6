//! One function per request: from the codec's request type to its response type.
//!
//! Errors that a client can handle are Kafka error codes in the response; a `CallError` closes the connection.

pub mod configs;
pub mod fetch;
pub mod group_offsets;
pub mod groups;
pub mod metadata;
pub mod offsets;
pub mod produce;
pub mod topics;
pub mod versions;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use crate::error::BrokerError;

/// Kafka's code for "no error".
const NONE: i16 = 0;

fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// Kafka's code for a broker error, and its text for the responses that carry one.
fn refusal(error: &BrokerError) -> (i16, Option<StrBytes>) {
    let code = match error {
        BrokerError::TopicExists { .. } => ResponseError::TopicAlreadyExists,
        BrokerError::UnknownTopic { .. } => ResponseError::UnknownTopicOrPartition,
        BrokerError::TopicName { .. } => ResponseError::InvalidTopicException,
        BrokerError::Partitions { .. } => ResponseError::InvalidPartitions,
        BrokerError::TopicConfig(_) => ResponseError::InvalidConfig,
        BrokerError::Storage { .. } => ResponseError::KafkaStorageError,
        _ => ResponseError::UnknownServerError,
    };
    (code.code(), Some(text(error.to_string())))
}
