//! RisingWave SQL as text and as data: the lexer, the one parser for RisingWave's statements, identifiers and
//! literals, types, redaction and fingerprints. It knows nothing of databases or projects.

mod name;
pub mod statement;
mod types;

pub use name::{Ident, Literal, ObjectName};
pub use types::DataType;
