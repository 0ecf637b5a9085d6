//! Where events go: a Kafka broker, or tables over the PostgreSQL wire.

mod direct;
mod kafka;

pub use direct::{Direct, DirectOptions, existing_values, missing_tables};
pub use kafka::{Kafka, KafkaOptions};
