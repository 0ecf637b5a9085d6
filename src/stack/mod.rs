//! The embedded stack: one background process of this binary that holds the engine, the Kafka broker and the lake.
//!
//! [`control`] starts and stops it, [`process`] is its inside, [`state`] is what they know of each other through the data
//! directory, [`topics`] speaks to whatever broker the target has.

pub mod control;
pub mod process;
pub mod state;
pub mod topics;

pub use control::{StackError, Started, ensure_running, start, stop};
pub use state::{Running, running};
