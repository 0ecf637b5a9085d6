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

/// What a client may do, as a bit set of Kafka's operations: everything that exists for the kind of resource.
mod allowed {
    /// Answer to a client that did not ask.
    pub const NOT_ASKED: i32 = i32::MIN;
    /// Read, write, create, delete, alter, describe, describe and alter settings.
    pub const ON_TOPIC: i32 =
        1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
    /// Create, alter, describe, describe and alter settings, write idempotently.
    pub const ON_CLUSTER: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12;
    /// Read, delete, describe.
    pub const ON_GROUP: i32 = 1 << 3 | 1 << 6 | 1 << 8;

    /// The set if the client asked for it.
    pub fn if_asked(asked: bool, set: i32) -> i32 {
        if asked { set } else { NOT_ASKED }
    }
}

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
