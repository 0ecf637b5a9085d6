//! The connection to a database that speaks RisingWave: TLS, session settings, secrets put in at the last moment, and the
//! catalog as one query reads it.

mod catalog;
mod connection;
mod session;
mod tls;

pub use catalog::{Catalog, CatalogEntry};
pub use connection::{ConnectError, Connection, Connector, ResultSet};
pub use session::LiveSession;
