//! The broker as clients see it: librdkafka through the `rdkafka` crate, Python clients where there are any, and raw sockets.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod administration;
mod groups;
mod harness;
mod hostile;
mod idempotence;
mod membership;
mod offsets;
mod python;
mod raw;
mod records;
mod restart;
mod versions;
