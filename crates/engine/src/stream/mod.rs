//! What moves by itself: sources read topics, sinks carry rows on, the barrier makes both durable together.

mod avro;
pub(crate) mod barrier;
mod changes;
mod datagen;
mod decode;
mod diff;
mod json;
mod kafka;
pub(crate) mod lake;
mod messages;
pub(crate) mod outbox;
pub(crate) mod sink;
pub(crate) mod temporal;
mod value;

pub use avro::AvroSchema;
pub(crate) use changes::{INSERT, begin as begin_changes, first_since, log_batch, log_columns};
pub use datagen::Datagen;
pub use decode::Decoder;
pub use kafka::{KafkaOptions, Reader, Startup, Taken};
pub(crate) use messages::messages_schema;
