//! The connection to a database that speaks RisingWave: TLS, session settings, secrets put in at the last moment, cancel
//! requests.

mod connection;
mod tls;

pub use connection::{Canceller, ConnectError, Connection, Connector, ResultSet};
