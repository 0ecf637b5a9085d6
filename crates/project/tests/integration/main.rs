//! Projects on disk, loaded as the compiler loads them.

#![allow(
    clippy::unwrap_used,
    reason = "what goes wrong in a helper fails its test"
)]

mod example;
mod graph;
mod profile;
mod project;
mod stand_in;
