//! RisingWave SQL as text and as data: the lexer, the one parser for RisingWave's statements, identifiers and
//! literals, types, redaction and fingerprints. It knows nothing of databases or projects.

mod error;
mod fingerprint;
pub mod lexer;
mod mentions;
mod name;
mod outputs;
mod parse;
mod place;
mod redact;
mod relations;
pub mod statement;
mod token;
mod types;

pub use error::{ParseError, ParseErrorKind};
pub use fingerprint::fingerprint;
pub use mentions::{Mention, Role, mentions, rename};
pub use name::{Ident, Literal, ObjectName};
pub use outputs::output_columns;
pub use parse::{Located, Piece, PieceKind, parse_script, parse_statement, split_script};
pub use place::{Location, Span};
pub use redact::{is_secret_key, redact};
pub use relations::relations_read;
pub use statement::Statement;
pub use types::DataType;
