//! The one parser for RisingWave's statements. It knows every statement's verb, object and clauses; queries, data
//! changes and expressions inside of them stay text, checked for balanced brackets and for where they end. What it
//! refuses, it refuses in RisingWave's words. The grammar is that of RisingWave 2.8.

mod alter;
mod columns;
mod create;
mod cursor;
mod data_type;
mod fetch;
mod options;
mod query;
mod relation;
mod script;
mod session;
mod statement;

pub use data_type::parse_data_type;
pub use script::{Located, Piece, PieceKind, parse_script, parse_statement, split_script};
