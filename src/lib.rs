//! rwt builds, plans and runs streaming pipelines on RisingWave, and brings an embedded stack so that a laptop needs
//! nothing else.
//!
//! [`cli`] turns arguments into settings and calls one function per command; everything else returns values.

pub mod apply;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod funnel;
pub mod stack;
pub mod state;
pub mod testing;
pub mod ui;
