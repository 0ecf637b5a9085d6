//! Where a project runs: `profiles.yml` ([`find`]), the chosen [`Target`] with its Kafka and its lake, and [`Secret`]s,
//! which reach no text but the one that a live session sends.

mod cover;
mod error;
mod find;
mod memory_size;
mod naming;
mod read;
mod secret;
mod session;
mod surroundings;
mod target;

pub use error::ProfileError;
pub use find::{ProfileOptions, find, load};
pub use memory_size::MemorySize;
pub use secret::{Secret, is_secret_name, marker, replace_markers};
pub use session::{SESSION_KEYS, session_statement};
pub use target::{Kafka, Lake, LakeCatalog, S3, Setting, SslMode, Stack, Target, TargetKind};
