//! The broker as clients see it: librdkafka through the `rdkafka` crate, Python clients where there are any, and raw sockets.

mod harness;
mod records;
