//! Events for a pipeline: made by a model of a shop ([`generate`]) or read from a file ([`replay`]), paced to an exact
//! rate ([`pace`]), and sent to Kafka or into the database ([`output`]).
//!
//! [`run`] is the loop between the three; it ends by a limit, by the end of a file, or when it is asked to, and always
//! flushes and reports.

mod error;
mod event;
pub mod generate;
pub mod output;
pub mod pace;
pub mod replay;
mod run;
mod summary;

pub use error::ProduceError;
pub use event::{Event, Value};
pub use run::{Observer, Output, Source, run};
pub use summary::{Counters, Summary};
