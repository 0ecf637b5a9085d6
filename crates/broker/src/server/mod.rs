//! From the socket to a handler and back.
//!
//! [`connection`] reads frames within limits, [`shape`] checks that a request's bytes cannot make the codec allocate more than
//! they are worth, [`dispatch`] decodes, calls the handler in [`crate::api`] and encodes.

pub mod connection;
pub mod dispatch;
pub mod shape;
