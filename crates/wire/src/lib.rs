//! The PostgreSQL wire protocol as RisingWave 2.8.4 speaks it, over any [`Backend`]: start-up, the simple and the
//! extended protocol, Arrow rows as text and binary, parameters, cancel requests.
//!
//! The messages are read and written by our own bounded codec: bytes come from anybody who can reach the port, and no
//! sequence of them may panic, allocate without limit or hold a connection for ever before it has a session.

mod backend;
mod canonical;
mod decode;
mod encode;
mod error;
mod extended;
mod guard;
mod message;
mod param;
mod reply;
#[cfg(test)]
mod roundtrip;
mod rows;
mod server;
mod session;
mod socket;
mod types;

pub use backend::{
    Backend, Canceller, Column, Connection, Outcome, Prepared, RowStream, RowsTag, Startup, rows_of,
};
pub use error::{SqlError, SqlState};
pub use param::{NonFinite, Param};
pub use server::{Limits, serve, serve_within};
pub use tokio_util::sync::CancellationToken;
pub use types::oid;
