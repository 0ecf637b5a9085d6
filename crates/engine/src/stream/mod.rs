//! What moves by itself: sources read topics, sinks carry rows on, the barrier makes both durable together.

pub(crate) mod barrier;
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

pub use datagen::Datagen;
pub use decode::Decoder;
pub use kafka::{KafkaOptions, Reader, Startup, Taken};
pub(crate) use messages::messages_schema;
