//! RisingWave SQL as text and as data: the lexer, the one parser for RisingWave's statements, identifiers and
//! literals, types, redaction and fingerprints. It knows nothing of databases or projects.

mod error;
pub mod lexer;
mod name;
mod parse;
mod redact;
pub mod statement;
mod types;

pub use error::{ParseError, ParseErrorKind};
pub use lexer::{Location, Span};
pub use name::{Ident, Literal, ObjectName};
pub use parse::{Located, Piece, PieceKind, parse_script, parse_statement, split_script};
pub use redact::{is_secret_key, redact};
pub use statement::Statement;
pub use types::DataType;
