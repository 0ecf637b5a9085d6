//! The wire as clients see it, in front of a toy database: hand-written bytes for the protocol itself, and the clients
//! that people use.
// clippy.toml allows both in tests, but not in what tests call
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod clients;
mod extended;
mod hostile;
mod raw;
mod simple;
mod startup;
mod toy;
